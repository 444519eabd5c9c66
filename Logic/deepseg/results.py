"""What a run gives back."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from deepseg.geometry import Geometry
from deepseg.volume import Label, LabelMap


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
    """

    prediction: Prediction
    maps: dict[str, UncertaintyMap]
    agreement: dict[int, float] | None
    sampler: str
    samples: int
    seed: int | None


@dataclass(frozen=True)
class UncertainRegion:
    """One connected region of doubt.

    Attributes:
        label: the segment that could gain or lose most there.
        position_ras_mm: centre of its most doubtful voxel, so that it always lies inside.
        size_ml: its extent.
        change_ml: how much of it is expected to be wrong: each voxel's volume times the probability that its class is another.
        mean, largest: of the margin measure within it.
    """

    label: Label
    position_ras_mm: tuple[float, float, float]
    size_ml: float
    change_ml: float
    mean: float
    largest: float


PROBABILITY_LIMIT_BYTES = 4 * 2**30
