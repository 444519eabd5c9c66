"""Pictures of each panel with results in it, on light and on dark: kept in the folder that DEEPSEG_PICTURES names, to be looked at."""

import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from panels.panels import MODULES, a_head, finish, load_modules, show


@pytest.fixture
def pictures(tmp_path):
    named = os.environ.get("DEEPSEG_PICTURES")
    return Path(named) if named else tmp_path


def test_each_panel_can_be_read_on_light_and_on_dark(a_slicer, pictures):
    widgets = load_modules(a_slicer)
    a_head(a_slicer.scene, "MNI152 left hippocampus")
    show(MODULES[0])
    a_slicer.mouse_click(widgets[MODULES[0]].ui.applyButton)
    finish(a_slicer, widgets[MODULES[0]])
    for name in MODULES:
        show(name)
        for dark in (False, True):
            a_slicer.dark = dark
            a_slicer.process_events(0.3)
            path = pictures / f"{name}-{'dark' if dark else 'light'}.png"
            a_slicer.grab(widgets[name].parent, path)
            grey = np.asarray(Image.open(path).convert("L"), float)
            ground = float(np.median(grey))
            assert (ground < 100) == dark, path
            # Letters stand out from the ground, and on dark none of them is as black as it would be on light.
            ink = grey[np.abs(grey - ground) > 90]
            assert ink.size > 2000, path
            assert (ink.mean() > ground) == dark, path
    a_slicer.dark = False
