"""Uncertainty of a run in its job folder: maps as arrays, everything else in the result message."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from deepseg.job_folder import MAPS, write_array
from deepseg.results import Finding, Prediction, SegmentReport, UncertainRegion, Uncertainty, UncertaintyMap
from deepseg.spec import label_from_json


def write_uncertainty(folder: Path, result: Uncertainty, regions: Sequence[UncertainRegion]) -> dict[str, Any]:
    """Put the maps into the folder; returns what the result message says of the rest."""
    maps = [found for name, found in result.maps.items() if name in MAPS]
    for found in maps:
        write_array(folder / _file(found.measure), found.values)
    told = {name: getattr(result, name) for name in ("sampler", "samples", "seed", "calibrated", "notes")}
    return {
        **told,
        "agreement": [[value, dice] for value, dice in result.agreement.items()] if result.agreement else None,
        "reports": [asdict(report) for report in result.reports],
        "findings": [asdict(finding) for finding in result.findings],
        "regions": [asdict(region) for region in regions],
        "maps": [{name: getattr(found, name) for name in ("measure", "title", "unit", "kind", "largest")} for found in maps],
    }


def read_uncertainty(folder: Path, told: dict[str, Any], prediction: Prediction) -> tuple[Uncertainty, tuple[UncertainRegion, ...]]:
    """What `write_uncertainty` wrote, from the folder and what it returned; without probabilities, which stay with the worker."""
    values = {item["measure"]: np.load(folder / _file(item["measure"]), allow_pickle=False) for item in told["maps"]}
    maps = {item["measure"]: UncertaintyMap(values[item["measure"]], prediction.geometry, **item) for item in told["maps"]}
    result = Uncertainty(
        prediction,
        maps,
        dict(map(tuple, told["agreement"])) if told["agreement"] else None,
        told["sampler"],
        told["samples"],
        told["seed"],
        tuple(_report(item) for item in told["reports"]),
        tuple(Finding(**item) for item in told["findings"]),
        told["calibrated"],
        notes=tuple(told["notes"]),
    )
    regions = tuple(
        UncertainRegion(**{**item, "label": label_from_json(item["label"]), "position_ras_mm": tuple(item["position_ras_mm"])})
        for item in told["regions"]
    )
    return result, regions


def _file(measure: str) -> str:
    return f"map-{measure.replace('_', '-')}.npy"


def _report(item: dict[str, Any]) -> SegmentReport:
    """Intervals and flags are tuples again."""
    return SegmentReport(**{key: tuple(value) if isinstance(value, list) else value for key, value in item.items()})
