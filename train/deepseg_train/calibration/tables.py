"""What a calibration reached, as Markdown: for the terminal and for the model card."""

from __future__ import annotations

from typing import Any

from deepseg.uncertainty.calibration import Calibration, WayCalibration

_HEADINGS = {"ece": "ECE", "ace": "ACE", "brier": "Brier", "nll": "NLL"}
_REGIONS = {"band": "within 3 voxels of the boundary", "image": "whole image"}
_LEVEL = 0.9


def told(calibration: Calibration) -> str:
    """All ways."""
    parts = [f"Fitted on {calibration.cases} cases of: {calibration.data}."]
    for way in calibration.ways:
        parts.append(f"### {way.sampler}, {way.samples} sample{'s' * (way.samples != 1)}")
        if way.figures:
            parts.append(_errors(way))
        parts.append(_promises(way))
    return "\n\n".join(parts)


def _errors(way: WayCalibration) -> str:
    lines = [f"| region | label | probabilities | {' | '.join(_HEADINGS.values())} |", "|---" * (3 + len(_HEADINGS)) + "|"]
    for region, labels in way.figures["regions"].items():
        for label, methods in labels.items():
            for method, scores in methods.items():
                if method == "gain":
                    continue
                name = {"none": "as they are", way.method: f"**{way.method}**"}.get(method, method)
                lines.append(f"| {_REGIONS[region]} | {label} | {name} | {' | '.join(_cell(scores[key]) for key in _HEADINGS)} |")
    return "\n".join([*lines, "", f"{way.figures['cases']} cases that were not fitted on; {way.figures['interval']}. Used: {way.method}."])


def _promises(way: WayCalibration) -> str:
    lines = []
    for name, scores in way.volumes.items():
        low, high = scores.interval_ml(1.0, _LEVEL)
        lines.append(f"- {name}: {100 * _LEVEL:g} % volume interval from {low:.3f} to {high:.3f} times the likeliest volume.")
    quality = way.quality
    accept, reject = ("never" if edge is None else f"{edge:.3f}" for edge in (quality.accept, quality.reject))
    lines.append(f"- Good is Dice {quality.acceptable:g}; accepted from an expected Dice of {accept} on, rejected below {reject}.")
    return "\n".join(lines)


def _cell(scores: dict[str, Any]) -> str:
    return f"{scores['value']:.4f} ({scores['low']:.4f} to {scores['high']:.4f})"
