"""ModelSpec: everything that must be known to run a model, apart from its weights."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from functools import cache
from typing import Any

from deepseg.errors import ModelError
from deepseg.locations import resource
from deepseg.volume import Code, Label, Terminology

SCHEMA_VERSION = 2
"""Written by this DeepSeg; files of version 1 are read too."""

MAX_OVERLAPPING_LABELS = 16
"""Bits of the largest voxel type of a label map."""


@dataclass(frozen=True)
class IntensityStep:
    """One step of normalising intensities: a key of `deepseg.normalisation.NORMALISATIONS` and its parameters."""

    scheme: str
    parameters: dict[str, float | bool] = field(default_factory=dict)


@dataclass(frozen=True)
class InputSpec:
    """One input channel: what it is and how its intensities are normalised, step by step."""

    name: str
    modality: str
    unit: str
    steps: tuple[IntensityStep, ...] = ()


@dataclass(frozen=True)
class ResamplingSpec:
    """How an image is brought to the model's spacing and the answer back.

    Attributes:
        rule: 'first_voxel', the first voxel's centre keeps its place (MONAI's `Spacing`); 'extent', the outer faces do (nnU-Net, scikit-image).
        order: of the spline for the image: 0 nearest, 1 linear, 3 cubic.
        back_order: of the spline for the network's answer, 0 or 1; MONAI brings back probabilities, nnU-Net logits.
        slice_order: across slices more than three times thicker than the pixels are wide, for both ways (nnU-Net); None: as within the slices.
        normalise_first: intensities are normalised before the image is resampled (nnU-Net), not after (MONAI).
    """

    rule: str = "first_voxel"
    order: int = 1
    back_order: int = 1
    slice_order: int | None = None
    normalise_first: bool = False


@dataclass(frozen=True)
class WindowSpec:
    """The sliding window.

    Attributes:
        size: voxels along the model's axes; 1 along the slice axis of a 2D or 2.5D network.
        overlap: share of the window that neighbours share, 0 <= overlap < 1.
        steps: 'fixed', by `size * (1 - overlap)` with the last window at the border (MONAI); 'even', spread evenly (nnU-Net).
        weight: 'gaussian' (MONAI), 'constant', or 'nnunet' (nnU-Net's Gaussian).
        padding: what a volume smaller than the window is filled up with: 'zero' or 'replicate'.
        slice_context: None for a 3D network; for a 2D one the number of neighbouring slices on either side that are further input channels
            (0: 2D; n: 2.5D, channels ordered by input, then from the slice n before to the slice n after, the border repeated).
    """

    size: tuple[int, int, int]
    overlap: float = 0.5
    steps: str = "fixed"
    weight: str = "gaussian"
    padding: str = "zero"
    slice_context: int | None = None

    @property
    def slice_axis(self) -> int | None:
        """Axis across the slices of a 2D network; None for a 3D one."""
        return None if self.slice_context is None else self.size.index(1)


@dataclass(frozen=True)
class OutputSpec:
    """What the network's channels mean.

    Attributes:
        activation: 'softmax', background and then the labels, exclusive; 'sigmoid', one channel a label, which may overlap.
        painting: for 'sigmoid' where labels are painted one over the other (nnU-Net's regions): for each channel in turn, the bit field of the
            labels (bit n: label n + 1) that a voxel gets when that channel is the last one above 0.5. Empty: a label is where its own channel
            is above 0.5.
        keep_largest: labels of which only the largest connected component is kept.
        mirror_axes: axes of the model's grid that the training mirrored, so that answers to mirrored images may be averaged.
    """

    activation: str = "softmax"
    painting: tuple[int, ...] = ()
    keep_largest: tuple[int, ...] = ()
    mirror_axes: tuple[int, ...] = ()


@dataclass(frozen=True)
class NetworkSpec:
    """A registered network and its arguments in JSON types."""

    name: str
    kwargs: dict[str, Any]


@dataclass(frozen=True)
class ModelSpec:
    """What a model takes, gives and is.

    Attributes:
        id, title, summary: stable name, name to show, a sentence for lay readers.
        inputs: one per channel, in order.
        labels: segments with values 1..n; background is 0.
        orientation: axes of the model's grid: anatomical, for example 'RAS', or as the image is stored, for example 'IJK' or 'KJI'.
        spacing_mm: voxel size of the model's grid along those axes; None along an axis keeps the image's own.
        crop: what is cut away before anything else: 'none', or 'nonzero', whatever lies outside the box of voxels that are not 0 (nnU-Net).
        resampling: how the model's grid is reached.
        network: what to build.
        window: the sliding window.
        output: what the network's channels mean.
        weights: file names of the members below `models/`, each with its sha256.
        provenance: data, split, training, versions; free text by key.
        metrics: measured figures with intervals, as `deepseg-train evaluate` wrote them.
        calibration_sha256: of the file with what held-out cases taught about the model's answers; empty where it was not calibrated.
        licence, citation, intended_use: what a user must know.
    """

    id: str
    title: str
    summary: str
    version: str
    inputs: tuple[InputSpec, ...]
    labels: tuple[Label, ...]
    orientation: str
    spacing_mm: tuple[float | None, float | None, float | None]
    network: NetworkSpec
    window: WindowSpec
    licence: str
    citation: str
    intended_use: str
    crop: str = "none"
    resampling: ResamplingSpec = ResamplingSpec()
    output: OutputSpec = OutputSpec()
    weights: dict[str, str] = field(default_factory=dict)
    provenance: dict[str, Any] = field(default_factory=dict)
    metrics: dict[str, Any] = field(default_factory=dict)
    calibration_sha256: str = ""

    @property
    def channel_count(self) -> int:
        """Channels of the network's output."""
        return len(self.labels) + (self.output.activation == "softmax")

    @property
    def overlapping(self) -> bool:
        """Whether labels may overlap, so that label maps hold bit fields."""
        return self.output.activation == "sigmoid"

    def to_json(self) -> dict[str, Any]:
        """The versioned `deepseg` section of a bundle's metadata.json."""
        section = {"schema_version": SCHEMA_VERSION, **json.loads(json.dumps(asdict(self)))}
        if not self.calibration_sha256:
            del section["calibration_sha256"]
        return section

    @staticmethod
    def from_json(section: Any, source: str) -> ModelSpec:
        """Read a `deepseg` section; `source` names the file in messages.

        Raises:
            ModelError: missing or malformed section, or one from a newer DeepSeg.
        """
        version = section.get("schema_version") if isinstance(section, dict) else None
        if isinstance(version, int) and version > SCHEMA_VERSION:
            raise ModelError(
                f"{source} is written in model schema {version}; this DeepSeg reads up to {SCHEMA_VERSION}. "
                "Update DeepSeg or get an older file of the model."
            )
        _check(section, source)
        return ModelSpec.from_checked(section, source)

    @staticmethod
    def from_checked(section: dict[str, Any], source: str) -> ModelSpec:
        """Read a section that is known to keep to its schema; any other raises whatever is the first thing wrong with it.

        Raises:
            ModelError: its parts do not fit each other.
        """
        values = {key: _whole(value) if key in _COUNTS else value for key, value in _upgraded(section).items() if key != "schema_version"}
        values["inputs"] = tuple(InputSpec(**{**item, "steps": tuple(IntensityStep(**step) for step in item["steps"])}) for item in values["inputs"])
        values["labels"] = tuple(label_from_json(item) for item in values["labels"])
        values["spacing_mm"] = tuple(values["spacing_mm"])
        values["network"] = NetworkSpec(**values["network"])
        values["window"] = WindowSpec(**{**values["window"], "size": tuple(values["window"]["size"])})
        values["resampling"] = ResamplingSpec(**values["resampling"])
        lists = {key: tuple(values["output"][key]) for key in ("painting", "keep_largest", "mirror_axes")}
        values["output"] = OutputSpec(values["output"]["activation"], **lists)
        spec = ModelSpec(**values)
        _refuse_contradictions(spec, source)
        return spec


_COUNTS = ("labels", "resampling", "output", "window")
"""Fields whose numbers are counts, apart from colours and overlaps."""


def _whole(value: Any) -> Any:
    """JSON's 96.0 is as good as 96; in Python it is no count."""
    if isinstance(value, dict):
        return {key: item if key == "color" else _whole(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_whole(item) for item in value]
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _upgraded(section: dict[str, Any]) -> dict[str, Any]:
    """A section of version 1, which has no choice of resampling, cropping, windows or output, in the form of version 2."""
    if section["schema_version"] > 1:
        return section
    kept = {key: value for key, value in section.items() if key not in ("patch", "overlap")}
    inputs = [
        {**{key: item[key] for key in ("name", "modality", "unit")}, "steps": [{"scheme": item["scheme"], "parameters": item["parameters"]}]}
        for item in section["inputs"]
    ]
    window = asdict(WindowSpec(section["patch"], section["overlap"]))
    return {**kept, "inputs": inputs, "crop": "none", "resampling": asdict(ResamplingSpec()), "window": window, "output": asdict(OutputSpec())}


def _refuse_contradictions(spec: ModelSpec, source: str) -> None:
    """What a JSON schema cannot say.

    Raises:
        ModelError: the parts of the spec do not fit each other.
    """
    count, output = len(spec.labels), spec.output
    if [label.value for label in spec.labels] != list(range(1, count + 1)):
        raise ModelError(f"{source}: label values must count up from 1; got {[label.value for label in spec.labels]}.")
    if spec.overlapping and count > MAX_OVERLAPPING_LABELS:
        raise ModelError(f"{source}: {count} labels that may overlap; at most {MAX_OVERLAPPING_LABELS} fit a label map.")
    if output.painting and (len(output.painting) != count or not spec.overlapping):
        raise ModelError(f"{source}: 'painting' needs the activation 'sigmoid' and one entry for each of the {count} labels.")
    if any(not 0 <= code < 2**count for code in output.painting):
        raise ModelError(f"{source}: 'painting' has a code for labels that the model does not have: {list(output.painting)}.")
    if set(output.keep_largest) - set(range(1, count + 1)):
        raise ModelError(f"{source}: 'keep_largest' names labels that the model does not have: {list(output.keep_largest)}.")
    if spec.window.slice_context is not None and spec.window.size.count(1) != 1:
        raise ModelError(f"{source}: a 2D network's window is one voxel thick along exactly one axis; got {list(spec.window.size)}.")


def spacing_text(spacing_mm: tuple[float | None, ...]) -> str:
    """A model's spacing in words, for example '1 x 1 x 3 mm'."""
    if all(side is None for side in spacing_mm):
        return "the image's own voxel size"
    return " x ".join("own" if side is None else f"{side:g}" for side in spacing_mm) + " mm"


def label_from_json(item: dict[str, Any]) -> Label:
    """A label from its JSON form, the opposite of `dataclasses.asdict`."""
    coded = item["terminology"]
    terminology = Terminology(**{key: Code(**code) if code else None for key, code in coded.items()}) if coded else None
    return Label(item["value"], item["name"], tuple(item["color"]), terminology)


@cache
def _validator(version: int) -> Any:
    import fastjsonschema

    return fastjsonschema.compile(json.loads(resource(f"schemas/deepseg-model-{version}.json").read_text(encoding="utf-8")))


def _check(section: Any, source: str) -> None:
    import fastjsonschema

    try:
        # Without a known version the newest schema tells what is missing.
        version = section.get("schema_version") if isinstance(section, dict) else None
        _validator(version if version in (1, SCHEMA_VERSION) else SCHEMA_VERSION)(section)
    except fastjsonschema.JsonSchemaException as error:
        raise ModelError(f"{source}: its 'deepseg' section is not valid: {error.message.replace('data', 'deepseg', 1)}.") from error
