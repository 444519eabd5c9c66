"""The report's section on explanations: each map, whether it can be believed, and the curves that say so."""

from __future__ import annotations

import html
import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from deepseg.pictures import CORONAL, SAGITTAL, Frame, Screen, need, slice_picture, svg
from deepseg.results import Explanation, ExplanationCheck
from deepseg.volume import LabelMap, Volume

_SIDE = 100.0
"""Length of a diagram's axes, in its own unit."""
_BRIGHTEST = 99.5
"""Percentile of what speaks for it that is drawn in full."""


def explanation_section(explanations: Sequence[Explanation], volume: Volume, labels: LabelMap) -> str:
    """The section as HTML.

    Raises:
        DeepSegError: a package of the 'report' extra is missing.
    """
    jinja2 = need("jinja2")
    source = Path(__file__).with_name("report_explanation.html.jinja").read_text(encoding="utf-8")
    environment = jinja2.Environment(autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    screen = Screen.of(volume, labels)
    return environment.from_string(source).render(parts=[_part(explanation, screen, volume) for explanation in explanations])


def _part(explanation: Explanation, screen: Screen, volume: Volume) -> dict[str, object]:
    heat = volume.geometry.orientation_to("LPI").apply(explanation.values).clip(0)
    speaking = heat[heat > 0]
    heat = heat / (np.percentile(speaking, _BRIGHTEST) if speaking.size else 1.0)
    peak = np.unravel_index(heat.argmax(), heat.shape)
    values = [label.value for label in screen.labels]
    pictures = []
    for plane in (CORONAL, SAGITTAL):
        index = int(peak[plane.normal])
        pictures.append(
            (f"{plane.name}, {screen.position(plane, index)}", slice_picture(screen, plane, index, screen.frame_around(plane, values), heat=heat))
        )
    drawn = {check.name: check for check in explanation.checks if check.curve}
    return {
        "question": explanation.question,
        "by": f"{explanation.title}{f', layer {explanation.layer}' if explanation.layer else ''}",
        "failed": len(explanation.failed),
        "checks": [(check.name, check.told, check.passed) for check in explanation.checks],
        "pictures": pictures,
        "diagram": curves_diagram(drawn) if drawn else "",
    }


def curves_diagram(checks: dict[str, ExplanationCheck]) -> str:
    """Certainty over the share of voxels that were blurred away ('deletion', full) or brought back ('insertion', dashed): an inline SVG."""
    shares = [share for share, _ in next(iter(checks.values())).curve]
    least = math.log(shares[1] / 2)
    highest = max(1.0, *(height for check in checks.values() for _, height in check.curve))

    def at(share: float) -> float:
        return _SIDE * (1 - math.log(max(share, shares[1] / 2)) / least)

    parts = [f'<path class="frame" d="M0 0V{_SIDE}H{_SIDE}"/>']
    for name, check in checks.items():
        kind = "after" if name == "deletion" else "before"
        points = [(at(share), _SIDE * (1 - height / highest)) for share, height in check.curve]
        parts.append(f'<path class="{kind}" d="M{"L".join(f"{x:.2f} {y:.2f}" for x, y in points)}"><title>{html.escape(name)}</title></path>')
        parts += [f'<circle class="{kind}" cx="{x:.2f}" cy="{y:.2f}" r="1.3"/>' for x, y in points]
    for share in (shares[1], 0.04, 0.32):
        parts.append(f'<text x="{at(share):.1f}" y="{_SIDE + 9}" font-size="6">{100 * share:g} %</text>')
    for height in (0.0, 0.5, 1.0):
        parts.append(f'<text x="-10" y="{_SIDE * (1 - height / highest) + 2:.1f}" font-size="6">{height:g}</text>')
    parts.append('<text x="50" y="118" font-size="6">share of the voxels</text>')
    parts.append('<text x="-20" y="50" font-size="6" transform="rotate(-90 -20 50)">certainty</text>')
    return svg(Frame(-28.0, -6.0, 146.0, 126.0), "".join(parts), "Certainty while what the map marks is blurred away or brought back", "curve")
