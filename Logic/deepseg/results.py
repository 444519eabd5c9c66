"""What a run gives back."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from deepseg.geometry import Geometry
from deepseg.volume import Label, LabelMap, Volume


@dataclass(frozen=True, eq=False)
class Prediction:
    """Segments of one volume.

    Attributes:
        labels: uint8 or uint16 label map on the input's grid; background outside the region of interest.
        probabilities: float32 (L, I, J, K) on the input's grid, not calibrated: background first, summing to 1 (softmax), and 1 for background
            outside the region of interest; or one for each label where labels may overlap (sigmoid). None where they were not asked for or
            would take more than `PROBABILITY_LIMIT_BYTES`.
        provenance: what made it, as the attributes of a segmentation node: model, hash, settings, version.
        seconds: time each stage took, in order.
        notes: what a user should know of this run, a sentence each.
    """

    labels: LabelMap
    probabilities: np.ndarray | None
    provenance: dict[str, str]
    seconds: dict[str, float] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    @property
    def geometry(self) -> Geometry:
        """The input's grid."""
        return self.labels.geometry

    def volumes_ml(self) -> list[tuple[Label, float]]:
        """Each segment's volume in mL: voxels counted times the voxel's volume."""
        return [(label, self.labels.volume_ml(label)) for label in self.labels.labels]


@dataclass(frozen=True, eq=False)
class UncertaintyMap:
    """One measure of doubt in every voxel.

    Attributes:
        values: float32 (I, J, K) from 0 to `largest`; 0 outside the region of interest.
        geometry: the input's grid.
        measure: key of `deepseg.uncertainty.measures.MEASURES`.
        title, unit: for people; entropies are in nats.
        kind: 'total', 'aleatoric' or 'epistemic'.
        largest: the upper end of the measure's range.
    """

    values: np.ndarray
    geometry: Geometry
    measure: str
    title: str
    unit: str
    kind: str
    largest: float

    def volume(self) -> Volume:
        """As an image, to be written or shown."""
        return Volume(self.values[None], self.geometry, (self.unit,), self.title)


@dataclass(frozen=True)
class Finding:
    """One thing in which an image, or the model's answer to it, is unlike the training images.

    Attributes:
        about: what was compared, for example 'voxel size'.
        score: how far off it is, in units of the usual limit; above 1.
        told: a sentence for people.
    """

    about: str
    score: float
    told: str


@dataclass(frozen=True)
class SegmentReport:
    """What can be said of one segment, or of several together. What is None was not calibrated, or cannot be promised of this image.

    Attributes:
        name: of the segment or the group.
        volume_ml: of the segment as it is given.
        likeliest_ml: of the voxels that recalibrated probabilities give to the segment; about this the interval is laid.
        level: which share of new cases each interval holds.
        volume_interval_ml: holds the true volume. A bias of the model is taken out, so the volume itself may lie outside. None where the image is
            unlike the training images, or the verdict on the segment or on one of the group is 'reject': nothing was calibrated for that.
        expected_dice, dice_interval: Dice with a reference to expect, 0..1; of single segments alone.
        verdict: 'accept', 'review' or 'reject', by thresholds set on calibration cases; 'reject' where it is empty; of single segments alone.
        mean_entropy: of the predictive entropy within the segment, in nats; nan where it is empty.
        flags: what its shape tells: 'empty', 'touches the border'.
    """

    name: str
    volume_ml: float
    likeliest_ml: float | None
    level: float
    volume_interval_ml: tuple[float, float] | None
    expected_dice: float | None
    dice_interval: tuple[float, float] | None
    verdict: str | None
    mean_entropy: float
    flags: tuple[str, ...]


@dataclass(frozen=True, eq=False)
class Uncertainty:
    """A segmentation and how sure the model is of it.

    Attributes:
        prediction: what the samples say on average.
        maps: by measure.
        agreement: Dice between two samples on average, by label value; None from a single sample, nan where no sample has the label.
        sampler: key of `deepseg.uncertainty.samplers.SAMPLERS`.
        samples: how many there were.
        seed: what they were drawn from; None where nothing was drawn.
        reports: of each segment and each group of them.
        findings: what is unlike the training images, most unusual first; empty where all is usual, or nothing is known of them.
        calibrated: whether this sampler was calibrated for this model: only then may anyone speak of probability or confidence.
        recalibrated: recalibrated probabilities, float32 (L, I, J, K); None where this sampler was not calibrated.
        notes: what a user should know of these figures, a sentence each.
    """

    prediction: Prediction
    maps: dict[str, UncertaintyMap]
    agreement: dict[int, float] | None
    sampler: str
    samples: int
    seed: int | None
    reports: tuple[SegmentReport, ...] = ()
    findings: tuple[Finding, ...] = ()
    calibrated: bool = False
    recalibrated: np.ndarray | None = None
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class UncertainRegion:
    """One connected region of doubt.

    Attributes:
        label: the segment that could gain or lose most there.
        position_ras_mm: centre of its most doubtful voxel, so that it always lies inside.
        size_ml: its extent.
        change_ml: how much of it is expected to be wrong: each voxel's volume times the probability that its class is another.
        measure: what doubt is told by: 'error_probability' where the model was calibrated, else 'margin'.
        mean, largest: of that measure within it.
    """

    label: Label
    position_ras_mm: tuple[float, float, float]
    size_ml: float
    change_ml: float
    measure: str
    mean: float
    largest: float


@dataclass(frozen=True)
class ExplanationCheck:
    """One test of an explanation.

    Attributes:
        name: of the test.
        value: what it found.
        limit: what it was held against; None where it only tells.
        passed: whether the explanation passed.
        told: a sentence for people.
        curve: (share of the voxels, certainty) of the deletion and insertion tests; else empty.
    """

    name: str
    value: float
    limit: float | None
    passed: bool
    told: str
    curve: tuple[tuple[float, float], ...] = ()


@dataclass(frozen=True, eq=False)
class Explanation:
    """What in an image made a model answer as it did.

    Attributes:
        values: float32 (I, J, K) on the input's grid, raw: positive where the image speaks for it, negative where against; 0 outside the region of
            interest. Only values of one map can be compared with each other.
        geometry: the input's grid.
        question: in words.
        method: key of `deepseg.explanation.methods.METHODS`.
        title: of the method, for people; says so where a test was failed.
        layer: the network's layer it looks at; None for methods that look at none.
        number: what the question asks about: mean lead of the label's logit, or mean entropy in nats.
        checks: the tests; empty where they were not asked for.
        provenance: what made it.
        seconds: time each stage took, in order.
        notes: what a user should know of this run, a sentence each.
    """

    values: np.ndarray
    geometry: Geometry
    question: str
    method: str
    title: str
    layer: str | None
    number: float
    checks: tuple[ExplanationCheck, ...]
    provenance: dict[str, str]
    seconds: dict[str, float] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    @property
    def failed(self) -> tuple[ExplanationCheck, ...]:
        """Tests that it did not pass."""
        return tuple(check for check in self.checks if not check.passed)

    def volume(self) -> Volume:
        """As an image, to be written or shown."""
        return Volume(self.values[None], self.geometry, ("1",), self.title)


@dataclass(frozen=True)
class Device:
    """What networks can run on.

    Attributes:
        key: 'cpu', 'cuda:0', 'mps', ...: what to call it by where a run's device is chosen.
        name: for people.
    """

    key: str
    name: str


@dataclass(frozen=True)
class SamplingWay:
    """A way to estimate uncertainty: key of `deepseg.uncertainty.samplers.SAMPLERS`, and what people call it."""

    key: str
    title: str


@dataclass(frozen=True)
class Preview:
    """What can be said of a run before it starts.

    Attributes:
        forecast: what it will run on and take, in a sentence.
        fits: whether there seems to be memory for it.
        findings: what about the image is unlike the training images, most unusual first.
        devices: what it could run on, fastest first.
        layers: names of the network's modules that CAM methods can look at, from its input on; empty where nobody can tell without a run.
        usual_layer: the one that is taken where none is named; None where there is none.
        samplers: ways to estimate uncertainty that suit the model.
        methods: keys of the ways to explain that suit it.
    """

    forecast: str
    fits: bool
    findings: tuple[Finding, ...]
    devices: tuple[Device, ...]
    layers: tuple[str, ...] = ()
    usual_layer: str | None = None
    samplers: tuple[SamplingWay, ...] = ()
    methods: tuple[str, ...] = ()


PROBABILITY_LIMIT_BYTES = 4 * 2**30
