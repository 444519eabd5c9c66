"""What held-out cases taught about a model's answers, as its file `configs/calibration.json` holds it."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from functools import cache
from typing import Any

from deepseg.bundle import CALIBRATION_FILE, ModelBundle, read_calibration
from deepseg.errors import ModelError
from deepseg.locations import resource
from deepseg.uncertainty.conformal import ContourScores, VolumeScores
from deepseg.uncertainty.ood import Guard
from deepseg.uncertainty.quality import QualityPredictor
from deepseg.uncertainty.recalibration import Recalibration, recalibration_from_json

_SCHEMA = "schemas/deepseg-calibration-1.json"


@dataclass(frozen=True, eq=False)
class SamplerCalibration:
    """For one sampler.

    Attributes:
        sampler, samples: which one, and how many samples it draws.
        method: name of the recalibration, chosen by cross-validation.
        recalibration: of the mean probabilities.
        volumes: by the name of a segment or of a group of them.
        contours: by label value.
        quality: predicts Dice.
        figures: errors of calibration before and after by region, label and measure, with intervals; and reliability curves, whose predicted
            probabilities the file calls 'promised'.
    """

    sampler: str
    samples: int
    method: str
    recalibration: Recalibration
    volumes: dict[str, VolumeScores]
    contours: dict[int, ContourScores]
    quality: QualityPredictor
    figures: dict[str, Any]


@dataclass(frozen=True, eq=False)
class Calibration:
    """All of it.

    Attributes:
        data: which cases it was fitted on, in words.
        cases: how many.
        weights: SHA-256 of the weight files that it belongs to, by name.
        layer: module whose answers the guard looks at; None for none.
        groups: label values by the name of what they make up together.
        guard: what is unlike the training images.
        samplers: that were calibrated.
    """

    data: str
    cases: int
    weights: dict[str, str]
    layer: str | None
    groups: dict[str, tuple[int, ...]]
    guard: Guard
    samplers: tuple[SamplerCalibration, ...]

    def of(self, sampler: str, samples: int) -> SamplerCalibration | None:
        """For a sampler; None where it was not calibrated."""
        return next((item for item in self.samplers if (item.sampler, item.samples) == (sampler, samples)), None)

    def to_json(self) -> dict[str, Any]:
        samplers = [
            {
                **{name: getattr(item, name) for name in ("sampler", "samples", "method", "figures")},
                "recalibration": item.recalibration.to_json(),
                "volumes": {name: asdict(scores) for name, scores in item.volumes.items()},
                "contours": {str(value): asdict(scores) for value, scores in item.contours.items()},
                "quality": item.quality.to_json(),
            }
            for item in self.samplers
        ]
        told = {name: getattr(self, name) for name in ("data", "cases", "weights", "layer", "groups")}
        return {"schema_version": 1, **told, "guard": self.guard.to_json(), "ways": samplers}

    @staticmethod
    def from_json(section: Any, source: str) -> Calibration:
        """Read the file's content.

        Raises:
            ModelError: it is damaged or from a newer DeepSeg.
        """
        import fastjsonschema

        try:
            _validator()(section)
            samplers = tuple(
                SamplerCalibration(
                    **{name: item[name] for name in ("sampler", "samples", "method", "figures")},
                    recalibration=recalibration_from_json(item["recalibration"]),
                    volumes={name: VolumeScores(tuple(scores["log_ratios"])) for name, scores in item["volumes"].items()},
                    contours={int(value): ContourScores(tuple(s["outer"]), tuple(s["inner"])) for value, s in item["contours"].items()},
                    quality=QualityPredictor.from_json(item["quality"]),
                )
                for item in section["ways"]
            )
            groups = {name: tuple(values) for name, values in section["groups"].items()}
            told = {name: section[name] for name in ("data", "cases", "weights", "layer")}
            return Calibration(**told, groups=groups, guard=Guard.from_json(section["guard"]), samplers=samplers)
        except (fastjsonschema.JsonSchemaException, TypeError, ValueError, KeyError) as error:
            raise ModelError(f"{source} is damaged or from a newer DeepSeg ({str(error)[:200]}). Get the model again.") from error


def load_calibration(bundle: ModelBundle) -> Calibration | None:
    """A model's calibration; None where it has none.

    Raises:
        ModelError: the file is missing, altered or damaged, or belongs to other weights.
    """
    if not bundle.spec.calibration_sha256:
        return None
    content = read_calibration(bundle.folder, bundle.spec.calibration_sha256)
    calibration = Calibration.from_json(content, str(bundle.folder / CALIBRATION_FILE))
    if calibration.weights != bundle.spec.weights:
        raise ModelError(
            f"The calibration of the model {bundle.folder} belongs to other weights; its guarantees do not carry over to weights fitted anew. "
            "Calibrate the model again: deepseg-train calibrate."
        )
    return calibration


@cache
def _validator() -> Any:
    import fastjsonschema

    return fastjsonschema.compile(json.loads(resource(_SCHEMA).read_text(encoding="utf-8")))
