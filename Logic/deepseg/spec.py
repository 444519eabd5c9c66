"""ModelSpec: everything that must be known to run a model, apart from its weights."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from functools import cache
from typing import Any

from deepseg.errors import ModelError
from deepseg.locations import resource
from deepseg.volume import Code, Label, Terminology

SCHEMA_VERSION = 1


@dataclass(frozen=True)
class InputSpec:
    """One input channel: what it is and how its intensities are normalised (`scheme` is a key of NORMALISATIONS)."""

    name: str
    modality: str
    unit: str
    scheme: str
    parameters: dict[str, float] = field(default_factory=dict)


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
        orientation: axes of the model's grid, for example 'RAS'.
        spacing_mm: voxel size of the model's grid along those axes.
        network: what to build.
        patch: window of the sliding window, voxels.
        overlap: share of the window that neighbours share, 0 <= overlap < 1.
        weights: file names of the members below `models/`, each with its sha256.
        provenance: data, split, training, versions; free text by key.
        metrics: measured figures with intervals, as `deepseg-train evaluate` wrote them.
        licence, citation, intended_use: what a user must know.
    """

    id: str
    title: str
    summary: str
    version: str
    inputs: tuple[InputSpec, ...]
    labels: tuple[Label, ...]
    orientation: str
    spacing_mm: tuple[float, float, float]
    network: NetworkSpec
    patch: tuple[int, int, int]
    overlap: float
    licence: str
    citation: str
    intended_use: str
    weights: dict[str, str] = field(default_factory=dict)
    provenance: dict[str, Any] = field(default_factory=dict)
    metrics: dict[str, Any] = field(default_factory=dict)

    @property
    def class_count(self) -> int:
        """Channels of the network's output: background and the labels."""
        return len(self.labels) + 1

    def to_json(self) -> dict[str, Any]:
        """The versioned `deepseg` section of a bundle's metadata.json."""
        return {"schema_version": SCHEMA_VERSION, **json.loads(json.dumps(asdict(self)))}

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
        values = {key: value for key, value in section.items() if key != "schema_version"}
        values["inputs"] = tuple(InputSpec(**item) for item in section["inputs"])
        values["labels"] = tuple(label_from_json(item) for item in section["labels"])
        values["network"] = NetworkSpec(**section["network"])
        for key in ("spacing_mm", "patch"):
            values[key] = tuple(section[key])
        spec = ModelSpec(**values)
        if [label.value for label in spec.labels] != list(range(1, spec.class_count)):
            raise ModelError(f"{source}: label values must count up from 1; got {[label.value for label in spec.labels]}.")
        return spec


def label_from_json(item: dict[str, Any]) -> Label:
    """A label from its JSON form, the opposite of `dataclasses.asdict`."""
    coded = item["terminology"]
    terminology = Terminology(**{key: Code(**code) if code else None for key, code in coded.items()}) if coded else None
    return Label(item["value"], item["name"], tuple(item["color"]), terminology)


@cache
def _validator() -> Any:
    import fastjsonschema

    return fastjsonschema.compile(json.loads(resource("schemas/deepseg-model-1.json").read_text(encoding="utf-8")))


def _check(section: Any, source: str) -> None:
    import fastjsonschema

    try:
        _validator()(section)
    except fastjsonschema.JsonSchemaException as error:
        raise ModelError(f"{source}: its 'deepseg' section is not valid: {error.message.replace('data', 'deepseg', 1)}.") from error
