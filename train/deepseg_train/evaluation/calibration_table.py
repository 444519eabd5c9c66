"""Do a model's probabilities hold? Errors of calibration on the evaluated cases, measured as `deepseg-train calibrate` does."""

from __future__ import annotations

from typing import Any

from deepseg_train.calibration.figures import figures
from deepseg_train.calibration.region_sums import BAND, MEASURES, RegionSums

NOTE = (
    "Probabilities as the network gives them, within three voxels of the true boundary: expected calibration error in 15 bins of equal width (ECE) "
    "and of equal mass (ACE), Brier score, negative log-likelihood; 95 % bootstrap intervals over cases."
)
_AS_GIVEN = "none"
"""The method of recalibration."""


def calibration_of(sums: list[dict[str, dict[str, dict[str, RegionSums]]]]) -> dict[str, Any]:
    """Errors and reliability curves by label; empty where nothing gave probabilities.

    Args:
        sums: for each case by label's name, see `deepseg_train.calibration.region_sums.region_sums`.
    """
    found = figures(sums, _AS_GIVEN) if sums else {}
    return found if found and found["regions"][BAND] else {}


def calibration_cells(calibration: dict[str, Any]) -> tuple[list[str], list[list[str]]]:
    """Heads and a line per label."""
    lines = [
        [label, *(f"{error['value']:.4f} ({error['low']:.4f} to {error['high']:.4f})" for error in (methods[_AS_GIVEN][name] for name in MEASURES))]
        for label, methods in calibration["regions"][BAND].items()
    ]
    return ["label", *(name.upper() if len(name) < 4 else name.title() for name in MEASURES)], lines
