"""A model in words and figures for a panel, before anything of it is run: JSON is read, no network and no weights."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from deepseg.bundle import CALIBRATION_FILE, METADATA_FILE, lacks, read_calibration, read_section
from deepseg.errors import ModelError
from deepseg.spec import ModelSpec, spacing_text
from deepseg.volume import Label

_DAMAGE = (AttributeError, IndexError, KeyError, TypeError, ValueError, OverflowError, RecursionError)
"""What reading something else than what was expected may raise."""


class LabelAccuracy(NamedTuple):
    """Mean Dice of a label on cases the model had not seen, 0..1, and its interval."""

    label: str
    dice: float
    low: float
    high: float


@dataclass(frozen=True)
class ModelCard:
    """What a user should know to choose a model. Of a damaged one as much as could be read; the rest is empty.

    Attributes:
        name: of its folder.
        problem: one sentence where the model cannot be run, or not as it was made; else ''.
        id, title, summary, intended_use, version, licence, citation: as the model tells.
        input_names, modalities: of each input channel, in order; modalities as DICOM has them, or 'other'.
        labels: with names and colours.
        spacing_mm: voxel size that images are brought to, along the model's axes; None along an axis keeps the image's own.
        accuracy: of each label for which it was measured.
        cases: on how many; None where nobody tells.
        measured_on: those cases, in words.
        calibrated: whether held-out cases taught how sure it may be.
        size_bytes: of all files in its folder.
    """

    name: str
    problem: str = ""
    id: str = ""
    title: str = ""
    summary: str = ""
    intended_use: str = ""
    version: str = ""
    licence: str = ""
    citation: str = ""
    input_names: tuple[str, ...] = ()
    modalities: tuple[str, ...] = ()
    labels: tuple[Label, ...] = ()
    spacing_mm: tuple[float | None, ...] = ()
    accuracy: tuple[LabelAccuracy, ...] = ()
    cases: int | None = None
    measured_on: str = ""
    calibrated: bool = False
    size_bytes: int = 0

    @property
    def inputs(self) -> tuple[str, ...]:
        """Each input in words, for example 'T1-weighted (MR)'."""
        return tuple(f"{name} ({modality})" for name, modality in zip(self.input_names, self.modalities, strict=True))

    @property
    def spacing(self) -> str:
        """The voxel size in words; '' where it is not known."""
        return spacing_text(self.spacing_mm) if self.spacing_mm else ""


@dataclass(frozen=True)
class ReliabilityCurve:
    """Predicted probability against observed frequency, in bins of equally many voxels, from the least probable to the most.

    Attributes:
        label: its name.
        method: 'none', the network as it is; or the method that recalibrates its probabilities.
        predicted: mean probability of each bin.
        observed: share of its voxels that have the label.
        cases: on how many cases it was measured.
    """

    label: str
    method: str
    predicted: tuple[float, ...]
    observed: tuple[float, ...]
    cases: int


def describe_model(folder: Path) -> ModelCard:
    """A model folder's card; of a damaged model it says what is wrong. Weights are not read, so damage inside them is found by a run."""
    told: dict[str, Any] = {"name": folder.resolve().name, "title": folder.resolve().name}
    try:
        told["size_bytes"] = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
        section = read_section(folder)
    except (ModelError, OSError) as error:
        return ModelCard(**told, problem=_sentence(error, folder))
    words = ("id", "title", "summary", "intended_use", "version", "licence", "citation")
    told |= {key: section[key] for key in words if isinstance(section, dict) and isinstance(section.get(key), str)}
    try:
        spec = _spec(section, folder)
    except (ModelError, *_DAMAGE) as error:
        return ModelCard(**told, problem=_sentence(error, folder))
    accuracy, cases, measured_on = _accuracy(spec.metrics)
    calibrated = bool(spec.calibration_sha256) and (folder / CALIBRATION_FILE).is_file()
    return ModelCard(
        **told,
        problem=_missing(spec, folder),
        input_names=tuple(item.name for item in spec.inputs),
        modalities=tuple(item.modality for item in spec.inputs),
        labels=spec.labels,
        spacing_mm=spec.spacing_mm,
        accuracy=accuracy,
        cases=cases,
        measured_on=measured_on,
        calibrated=calibrated,
    )


def reliability(folder: Path, calibration_sha256: str | None = None) -> tuple[ReliabilityCurve, ...]:
    """How well a model is calibrated, by label, before and after recalibration, for the sampler it was calibrated for in the first place.

    Args:
        folder: the model's.
        calibration_sha256: of its calibration, '' for none; read from its metadata where None.

    Returns:
        Empty where the model was not calibrated, or nothing was measured after it.

    Raises:
        ModelError: the metadata or the calibration is missing or damaged.
    """
    try:
        expected = read_section(folder).get("calibration_sha256", "") if calibration_sha256 is None else calibration_sha256
        if not expected:
            return ()
        sampler = read_calibration(folder, expected)["ways"][0]
        if not sampler["figures"]:  # no case was held back to measure on
            return ()
        cases, found = int(sampler["figures"]["cases"]), []
        for label, methods in sampler["figures"]["curves"].items():
            for method in dict.fromkeys(("none", sampler["method"])):
                if method in methods:
                    # Stored files call the predicted probability 'promised'.
                    predicted, observed = (tuple(float(x) for x in methods[method][key]) for key in ("promised", "observed"))
                    found.append(ReliabilityCurve(label, method, predicted, observed, cases))
        return tuple(found)
    except _DAMAGE as error:
        told = f"The calibration of the model {folder} tells nothing of reliability ({type(error).__name__}: {error})"
        raise ModelError(f"{told}. Get the model again.") from error


def _spec(section: Any, folder: Path) -> ModelSpec:
    source = str(folder / METADATA_FILE)
    try:
        return ModelSpec.from_json(section, source)
    except ImportError:  # before the packages are there nobody checks the schema
        return ModelSpec.from_checked(section, source)


def _missing(spec: ModelSpec, folder: Path) -> str:
    """The sentence about the first file that is not there; '' where all are."""
    files = [(Path("models") / name, f"weight file models/{name}") for name in spec.weights]
    files += [(CALIBRATION_FILE, f"file {CALIBRATION_FILE.as_posix()}")] if spec.calibration_sha256 else []
    return next((lacks(folder, what) for path, what in files if not (folder / path).is_file()), "")


def _accuracy(metrics: dict[str, Any]) -> tuple[tuple[LabelAccuracy, ...], int | None, str]:
    """Dice by label, the number of cases, and what they are; whatever is written in another way is left out."""
    labels, cases, what = metrics.get("labels"), metrics.get("cases"), metrics.get("what")
    found = []
    for label, figures in labels.items() if isinstance(labels, dict) else ():
        try:
            found.append(LabelAccuracy(label, *(float(figures["dice"][key]) for key in ("mean", "low", "high"))))
        except _DAMAGE:
            continue
    return tuple(found), cases if isinstance(cases, int) else None, what if isinstance(what, str) else ""


def _sentence(error: Exception, folder: Path) -> str:
    if isinstance(error, ModelError):
        return str(error)
    return f"The description of the model {folder} cannot be read ({type(error).__name__}: {error}). Get the model again."
