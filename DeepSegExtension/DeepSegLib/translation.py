"""The function that translates what users read, as each panel's `_`: Slicer's own, or none where Slicer has none."""

from __future__ import annotations

try:
    # The very function, not one around it: it looks at its caller to know whose words it translates.
    from slicer.i18n import tr as _
except ModuleNotFoundError:  # Slicer's scene without its application

    def _(text: str) -> str:
        return text


__all__ = ["_"]
