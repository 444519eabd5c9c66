"""What a calibration reached, as Markdown: for the terminal and for the model card."""

from __future__ import annotations

from typing import Any

from deepseg.uncertainty.calibration import Calibration, SamplerCalibration

_HEADINGS = {"ece": "ECE", "ace": "ACE", "brier": "Brier", "nll": "NLL"}
_REGIONS = {"band": "within 3 voxels of the boundary", "image": "whole image"}
_LEVEL = 0.9


def told(calibration: Calibration) -> str:
    """Of all samplers."""
    parts = [
        f"Fitted on {calibration.cases} cases of: {calibration.data}. Intervals and contours are cross-fitted: each case was scored with a "
        "recalibration that was not fitted on it."
    ]
    for sampler in calibration.samplers:
        parts.append(f"### {sampler.sampler}, {sampler.samples} sample{'s' * (sampler.samples != 1)}")
        if sampler.figures:
            parts.append(_errors(sampler))
        parts.append(_guarantees(sampler))
    return "\n\n".join(parts)


def _errors(sampler: SamplerCalibration) -> str:
    lines = [f"| region | label | probabilities | {' | '.join(_HEADINGS.values())} |", "|---" * (3 + len(_HEADINGS)) + "|"]
    for region, labels in sampler.figures["regions"].items():
        for label, methods in labels.items():
            for method, scores in methods.items():
                if method == "gain":
                    continue
                name = {"none": "as they are", sampler.method: f"**{sampler.method}**"}.get(method, method)
                lines.append(f"| {_REGIONS[region]} | {label} | {name} | {' | '.join(_cell(scores[key]) for key in _HEADINGS)} |")
    return "\n".join(
        [*lines, "", f"{sampler.figures['cases']} cases that were not fitted on; {sampler.figures['interval']}. Used: {sampler.method}."]
    )


def _guarantees(sampler: SamplerCalibration) -> str:
    lines = []
    for name, scores in sampler.volumes.items():
        low, high = scores.interval_ml(1.0, _LEVEL)
        lines.append(f"- {name}: {100 * _LEVEL:g} % volume interval from {low:.3f} to {high:.3f} times the likeliest volume.")
    quality = sampler.quality
    accept, reject = ("never" if edge is None else f"{edge:.3f}" for edge in (quality.accept, quality.reject))
    lines.append(f"- Good is Dice {quality.acceptable:g}; accepted from an expected Dice of {accept} on, rejected below {reject}.")
    return "\n".join(lines)


def _cell(scores: dict[str, Any]) -> str:
    return f"{scores['value']:.4f} ({scores['low']:.4f} to {scores['high']:.4f})"
