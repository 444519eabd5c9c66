"""Colours for segments of models that bring none."""

from __future__ import annotations

import colorsys

_GOLDEN_RATIO = 0.618034
"""Turning the hue by this share each time keeps any number of colours apart."""


def distinct_color(number: int) -> tuple[float, float, float]:
    """RGB in 0..1 of the segment with this number, counted from 0; always the same."""
    hue = (0.08 + number * _GOLDEN_RATIO) % 1.0
    red, green, blue = colorsys.hsv_to_rgb(hue, 0.55 + 0.2 * (number % 3 == 0), 0.95 - 0.15 * (number % 2))
    return round(red, 3), round(green, 3), round(blue, 3)
