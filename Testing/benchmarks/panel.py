"""How late the event loop is during a run, and how long Cancel takes: `python Testing/benchmarks/panel.py [--size I J K]`.

The real panel of DeepSeg Segmentation runs in the stand-in for Slicer's Qt side; a timer of 20 ms beside it tells how late the event loop is,
for the whole run, from the click on Apply to the surfaces in the scene, and for the same time without a run.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from table import show
from volumes import ct_like, mosaic

REPOSITORY = Path(__file__).resolve().parents[2]
sys.path += [str(REPOSITORY / "DeepSegExtension"), str(REPOSITORY / "Testing")]
TICK_MS, LATE_MS = 20, 50


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--size", nargs=3, type=int, default=[256, 256, 192])
    parser.add_argument("--repeats", type=int, default=5)
    options = parser.parse_args()
    size = tuple(options.size)
    os.environ["QT_QPA_PLATFORM"] = "offscreen"
    with tempfile.TemporaryDirectory() as folder:
        slicer_now = a_slicer(Path(folder))
        widget = a_panel(slicer_now, mosaic(size) or ct_like(size))
        busy, seconds = lateness(slicer_now, lambda: widget.ui.applyButton.click(), lambda: not widget.panel.controls.running)
        if not widget.ui.statusLabel.text.startswith("Done"):
            raise SystemExit(widget.ui.statusLabel.text)
        end = time.monotonic() + seconds
        idle, _ = lateness(slicer_now, lambda: None, lambda: time.monotonic() > end)
        cancels = [cancellation(slicer_now, widget) for _ in range(options.repeats)]
        widget.life.cleanup()
    rows = [("", "ticks", "over 50 ms late", "share", "worst ms"), row("no run", idle), row(f"a run of {seconds:.0f} s", busy)]
    show(f"The event loop's lateness, a timer of {TICK_MS} ms, image of {' x '.join(map(str, size))} voxels", rows)
    show("Cancel, from the click to the panel's being ready again", [("", "worst s"), (f"{options.repeats} runs", f"{max(cancels):.3f}")])


def a_slicer(settings: Path) -> Any:
    """The stand-in, put where `import slicer` finds it."""
    from trame_slicer.core import SlicerApp

    from panels.slicer_stand_in.install import StandIn

    application = SlicerApp()
    stand_in = StandIn(application.scene, application.app_logic, settings)
    stand_in.put()
    return stand_in


def a_panel(stand_in: Any, volume: Any) -> Any:
    """The panel of DeepSeg Segmentation with a volume; segments alone, as a whole head has no uncertainty to look at."""
    import slicer

    from DeepSegLib.nodes import node_from_volume

    for name in ("DeepSegSegmentation", "DeepSegUncertainty", "DeepSegExplanation"):
        stand_in.modules.load(REPOSITORY / f"DeepSegExtension/{name}/{name}.py")
    node_from_volume(slicer.mrmlScene, volume)
    slicer.util.selectModule("DeepSegSegmentation")
    widget = slicer.modules.deepsegsegmentation.widgetRepresentation().self()
    widget.ui.withUncertaintyCheckBox.checked = False
    return widget


def lateness(stand_in: Any, begin: Callable[[], None], ended: Callable[[], bool]) -> tuple[list[float], float]:
    """How late each tick was in ms, from `begin` until `ended`, and the seconds that took."""
    from PySide6.QtCore import QCoreApplication, QEventLoop, Qt, QTimer

    late: list[float] = []
    last = [time.perf_counter()]

    def tick() -> None:
        now = time.perf_counter()
        late.append(1000 * (now - last[0]) - TICK_MS)
        last[0] = now

    timer = QTimer()
    timer.setTimerType(Qt.TimerType.PreciseTimer)
    timer.setInterval(TICK_MS)
    timer.timeout.connect(tick)
    start = last[0] = time.perf_counter()
    timer.start()
    QTimer.singleShot(0, begin)
    while len(late) < 3 or not ended():
        QCoreApplication.processEvents(QEventLoop.ProcessEventsFlag.WaitForMoreEvents)
    seconds, count = time.perf_counter() - start, len(late)
    while len(late) < count + 3:  # what came last held up the tick after it
        QCoreApplication.processEvents(QEventLoop.ProcessEventsFlag.WaitForMoreEvents)
    timer.stop()
    return late, seconds


def cancellation(stand_in: Any, widget: Any) -> float:
    """Seconds from the click on Cancel, in mid-run, until Apply can be clicked again."""
    widget.ui.applyButton.click()
    end = time.monotonic() + 60
    while "network" not in widget.ui.statusLabel.text.lower() and time.monotonic() < end:
        stand_in.app.process_for(0.02)
    start = time.perf_counter()
    widget.ui.cancelButton.click()
    while not widget.ui.applyButton.enabled:
        stand_in.app.process_for(0)
    return time.perf_counter() - start


def row(name: str, late: list[float]) -> tuple[str, str, str, str, str]:
    count = sum(value > LATE_MS for value in late)
    return name, str(len(late)), str(count), f"{100 * count / len(late):.2f} %", f"{max(late):.0f}"


if __name__ == "__main__":
    main()
