"""Errors of calibration before and after recalibration, on cases that no fit saw, with bootstrap intervals over cases."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from deepseg.uncertainty.reliability import Reliability
from deepseg_train.calibration.region_sums import BAND, MEASURES, RegionSums, errors, pooled_voxels, resampled_errors

_DRAWS = 1000


def figures(cases: Sequence[dict[str, dict[str, dict[str, RegionSums]]]], chosen: str) -> dict[str, Any]:
    """By region, label, method and measure: value and 95 % interval; the gain of the chosen method over none, paired; reliability curves.

    Args:
        cases: for each case by label name, region and method; in a region without voxels, as around a segment that is not there, a case plays no
            part, and a label that no case has is left out.
        chosen: the method whose gain and curve are told; 'none' is the network as it is.
    """
    result: dict[str, Any] = {"cases": len(cases), "interval": "95 % bootstrap over cases", "regions": {}, "curves": {}}
    for region in next(iter(cases[0].values())):
        of_region = result["regions"][region] = {}
        for label in cases[0]:
            found = [case[label][region] for case in cases if case[label][region][chosen].count.any()]
            if not found:
                continue
            draws = np.random.default_rng(0).integers(0, len(found), (_DRAWS, len(found)))
            of_region[label] = _of_label(found, chosen, draws)
            if region == BAND:
                result["curves"][label] = {method: _curve(found, method) for method in dict.fromkeys(("none", chosen))}
    return result


def _of_label(found: Sequence[dict[str, RegionSums]], chosen: str, draws: np.ndarray) -> dict[str, Any]:
    told: dict[str, Any] = {}
    resampled = {}
    for method in found[0]:
        sums = [case[method] for case in found]
        drawn, exact = resampled_errors(sums, draws), errors(sums)
        told[method] = {}
        for name in MEASURES:
            ends = {end: max(value, 0.0) for end, value in _ends(drawn[name], exact[name]).items()}
            told[method][name] = _rounded({"value": exact[name], **ends})
            resampled[method, name] = drawn[name]
    gains = {name: resampled["none", name] - resampled[chosen, name] for name in MEASURES}
    told["gain"] = {
        name: _rounded({"value": gain, **_ends(values, gain)})
        for name, values in gains.items()
        for gain in [told["none"][name]["value"] - told[chosen][name]["value"]]
    }
    return told


def _curve(found: Sequence[dict[str, RegionSums]], method: str) -> dict[str, list[float]]:
    curve = Reliability.of(*pooled_voxels([case[method] for case in found]))
    # Stored files call the predicted probability 'promised'.
    return {name: [round(float(x), 5) for x in values] for name, values in (("promised", curve.predicted), ("observed", curve.observed))}


def _ends(values: np.ndarray, estimate: float) -> dict[str, float]:
    """Basic bootstrap: cases drawn anew have larger errors of calibration than those they are drawn from, which percentiles would double."""
    low, high = np.percentile(values, [2.5, 97.5])
    return {"low": 2 * estimate - high, "high": 2 * estimate - low}


def _rounded(told: dict[str, float]) -> dict[str, float]:
    return {name: float(f"{value:.4g}") for name, value in told.items()}
