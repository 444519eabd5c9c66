"""The explanation of a run in its job folder: the map as an array, everything else in the result message."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from deepseg.geometry import Geometry
from deepseg.job_folder import write_array
from deepseg.results import Explanation, ExplanationCheck

_MAP = "explanation.npy"
_TOLD = ("question", "method", "title", "layer", "number", "provenance", "seconds")


def write_explanation(folder: Path, result: Explanation) -> dict[str, Any]:
    """Put the map into the folder; returns what the result message says of the rest."""
    write_array(folder / _MAP, result.values)
    told = {name: getattr(result, name) for name in _TOLD}
    return {**told, "notes": list(result.notes), "checks": [asdict(check) for check in result.checks]}


def read_explanation(folder: Path, told: dict[str, Any], geometry: Geometry) -> Explanation:
    """What `write_explanation` wrote, on the volume's grid, from the folder and what it returned."""
    values = np.load(folder / _MAP, allow_pickle=False)
    checks = tuple(ExplanationCheck(**{**item, "curve": tuple(map(tuple, item["curve"]))}) for item in told["checks"])
    return Explanation(values, geometry, checks=checks, notes=tuple(told["notes"]), **{name: told[name] for name in _TOLD})
