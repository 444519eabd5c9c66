"""The section of each panel with what to do, the tutorial, and the log for a bug report."""

from __future__ import annotations

from typing import Any

from DeepSegLib import log
from DeepSegLib.translation import _

TUTORIAL_URL = "https://github.com/deepseg/SlicerDeepSeg/blob/main/TUTORIAL.md"


class HelpSection:
    """Fills `helpLabel` and lets `copyLogButton` copy the log."""

    def __init__(self, ui: Any, first_steps: str) -> None:
        """`first_steps` says in a sentence or two how the panel is used."""
        self._ui = ui
        link = _('<a href="{url}">Tutorial</a> with sample data; sample data is in the module Sample Data, too.').format(url=TUTORIAL_URL)
        ui.helpLabel.text = f"<p>{first_steps}</p><p>{link}</p>"
        ui.copyLogButton.connect("clicked(bool)", self._on_copy)

    def _on_copy(self, checked: bool = False) -> None:
        import slicer

        slicer.app.clipboard().setText(log.report())
        self._ui.statusLabel.text = _("Copied: paste the log into the bug report, after a look at what it says.")
