"""README's picture of the panels and of what slice views show: `python Testing/pictures/panels_and_views.py [--to FILE]`.

The real panels in the stand-in for Slicer's Qt side, on the sample image; below them Slicer's own slice views, rendered without a display.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import vtk
from PIL import Image
from vtkmodules.util.numpy_support import vtk_to_numpy

REPOSITORY = Path(__file__).resolve().parents[2]
sys.path += [str(REPOSITORY / "DeepSegExtension"), str(REPOSITORY / "Testing")]
# Where a view is cut, and its size in pixels.
VIEWS = {"Coronal": (143, 190), "Sagittal": (220, 190), "Axial": (165, 190)}
GAP, LONGEST_FORECAST_S = 8, 60


def main() -> None:
    """Write the picture."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--to", type=Path, default=REPOSITORY / "Resources/Screenshots/panels.png")
    options = parser.parse_args()
    os.environ["QT_QPA_PLATFORM"] = "offscreen"
    with tempfile.TemporaryDirectory() as folder:
        application, stand_in, views = a_slicer(Path(folder))
        panels, slices = worked_through(stand_in, views, Path(folder))
        for view in views:
            view.finalize()
        application.io_manager.cache_dir.cleanup()
    ground = panels[0].getpixel((2, 2))
    above = beside(panels, ground)
    below = beside([beside(row, ground) for row in slices], ground, above.width)
    whole = Image.new("RGB", (above.width, above.height + below.height + 2 * GAP), ground)
    whole.paste(above, (0, 0))
    whole.paste(below, (0, above.height + GAP))
    whole.save(options.to, optimize=True)
    print(f"Wrote {options.to}")


def a_slicer(settings: Path) -> tuple[Any, Any, list[Any]]:
    """The scene's application, whose end would take the colours with it; the stand-in, put where `import slicer` finds it; slice views."""
    from trame_slicer.core import SlicerApp
    from trame_slicer.views import SliceView

    from panels.slicer_stand_in.install import StandIn

    application = SlicerApp()
    stand_in = StandIn(application.scene, application.app_logic, settings)
    stand_in.put()
    views = []
    for orientation, size in VIEWS.items():
        view = SliceView(application.scene, application.app_logic, orientation)
        view.render_window().SetSize(*size)
        view.set_orientation(orientation)
        views.append(view)
    return application, stand_in, views


def worked_through(stand_in: Any, views: Sequence[Any], folder: Path) -> tuple[list[Image.Image], list[list[Image.Image]]]:
    """Segment, look at the doubt, explain; the three panels, and the views of the doubt and of the explanation."""
    import slicer

    from panels.panels import EXTENSION, MODULES, a_head
    from panels.slicer_stand_in import hands

    for name in MODULES:
        stand_in.modules.load(EXTENSION / name / f"{name}.py")
    widgets = {name: getattr(slicer.modules, name.lower()).widgetRepresentation().self() for name in MODULES}
    head = a_head(slicer.mrmlScene, "MNI152 left hippocampus")
    panels, slices = [], []
    for name in MODULES:
        slicer.util.selectModule(name)
        if name != "DeepSegUncertainty":
            hands.mouse_click(widgets[name].ui.applyButton)
            while widgets[name].panel.controls.running:
                stand_in.app.process_for(0.05)
        else:
            hands.click_cell(widgets[name].ui.regionsTable, 0, 0)
        waited_until = time.monotonic() + LONGEST_FORECAST_S
        while name != "DeepSegExplanation" and not widgets[name].ui.forecastLabel.text and time.monotonic() < waited_until:
            stand_in.app.process_for(0.05)
        stand_in.app.process_for(0.5)
        hands.grab(widgets[name].parent, folder / f"{name}.png")
        panels.append(Image.open(folder / f"{name}.png").convert("RGB"))
        if name != "DeepSegSegmentation":
            slices.append([drawn(view, head) for view in views])
    return panels, slices


def drawn(view: Any, head: Any) -> Image.Image:
    """What a slice view shows, at the place where it is."""
    import slicer

    view.set_background_volume_id(head.GetID())
    for legend in slicer.util.getNodesByClass("vtkMRMLColorLegendDisplayNode"):
        legend.SetVisibility(False)  # it would cover views as small as these
    offset = view.get_slice_value()
    view.fit_view_to_content()
    view.set_slice_value(offset)
    view.render()
    pixels = vtk.vtkWindowToImageFilter()
    pixels.SetInput(view.render_window())
    pixels.ReadFrontBufferOff()
    pixels.Update()
    image = pixels.GetOutput()
    width, height, _ = image.GetDimensions()
    return Image.fromarray(vtk_to_numpy(image.GetPointData().GetScalars()).reshape(height, width, 3)[::-1].copy())


def beside(pictures: Sequence[Image.Image], ground: tuple[int, int, int], width: int = 0) -> Image.Image:
    """The pictures in a row; with a width, each in the middle of its share of it."""
    share = width // len(pictures) if width else 0
    wide = width or sum(picture.width for picture in pictures) + GAP * (len(pictures) - 1)
    row, left = Image.new("RGB", (wide, max(picture.height for picture in pictures)), ground), 0
    for picture in pictures:
        row.paste(picture, (left + max(share - picture.width, 0) // 2, 0))
        left += share or picture.width + GAP
    return row


if __name__ == "__main__":
    main()
