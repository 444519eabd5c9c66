"""What a run gives back, handed from the worker to its client."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from deepseg.job_explanation import read_explanation, write_explanation
from deepseg.job_folder import Job, read_labels, write_labels
from deepseg.job_uncertainty import read_uncertainty, write_uncertainty
from deepseg.results import Device, Explanation, Finding, Prediction, Preview, SamplingWay, UncertainRegion, Uncertainty
from deepseg.strict_json import from_strict, to_strict
from deepseg.volume import LabelMap


@dataclass(frozen=True, eq=False)
class JobResult:
    """What a job asked for; the rest is None or empty.

    Attributes:
        labels: segments; of an explanation and a preview there are none.
        notes: what a user should know of the run, a sentence each.
        uncertainty: how sure the model is of them, without probabilities; its prediction holds the same labels.
        regions: where to look first.
        explanation: why the model answers as it does.
        preview: what can be said before a run.
        seconds: time each stage took, in order.
    """

    labels: LabelMap | None = None
    notes: tuple[str, ...] = ()
    uncertainty: Uncertainty | None = None
    regions: tuple[UncertainRegion, ...] = ()
    explanation: Explanation | None = None
    preview: Preview | None = None
    seconds: dict[str, float] = field(default_factory=dict)


def write_result(folder: Path, result: JobResult) -> dict[str, Any]:
    """Put a run's arrays into its folder, the labels last; returns the message that goes with them, in strict JSON.

    Raises:
        OSError: there is no room for them.
    """
    message: dict[str, Any] = {"type": "result", "seconds": result.seconds, "notes": result.notes}
    if result.uncertainty:
        message["uncertainty"] = write_uncertainty(folder, result.uncertainty, result.regions)
    if result.explanation:
        message["explanation"] = write_explanation(folder, result.explanation)
    if result.preview:
        message["preview"] = asdict(result.preview)
    if result.labels:
        message |= write_labels(folder, result.labels)
    return to_strict(message)


def read_result(folder: Path, job: Job, message: dict[str, Any]) -> JobResult:
    """The result of a run, from its folder and its result message.

    Raises:
        OSError, ValueError, KeyError, TypeError: the folder or the message is damaged.
    """
    told, geometry = from_strict(message), job.volume.geometry
    notes, seconds = tuple(told["notes"]), told["seconds"]
    labels, uncertainty, regions = None, None, ()
    if "labels" in told:
        labels = read_labels(folder, geometry, told)
    if "uncertainty" in told:
        prediction = Prediction(labels, None, labels.attributes, seconds, notes)
        uncertainty, regions = read_uncertainty(folder, told["uncertainty"], prediction)
    explanation = read_explanation(folder, told["explanation"], geometry) if "explanation" in told else None
    preview = _preview(told["preview"]) if "preview" in told else None
    return JobResult(labels, notes, uncertainty, regions, explanation, preview, seconds)


def _preview(item: dict[str, Any]) -> Preview:
    """Its parts are tuples and dataclasses again."""
    made_of = {"findings": Finding, "devices": Device, "samplers": SamplingWay}
    parts = {name: tuple(made(**one) for one in item[name]) for name, made in made_of.items()}
    return Preview(**{**item, **parts, "layers": tuple(item["layers"]), "methods": tuple(item["methods"])})
