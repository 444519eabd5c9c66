"""The demo: both hippocampi of a real head, with nothing to download. Run it as `python -m deepseg.demo [OUT_FOLDER]`.

The head is the MNI152 T1 template, the average of 152 healthy adults, which comes inside the Python package nilearn. The model was
made for a box around one hippocampus, so it runs once a side; the two results become one segmentation with four segments.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from deepseg import api
from deepseg.cli import BAD_INPUT
from deepseg.commands.progress_bar import ProgressBar
from deepseg.progress import Tracker
from deepseg.report import milliliters, write_report
from deepseg.report_doubt import Doubt
from deepseg.staleness import SEGMENTS, segments_sha256

MODEL = "hippocampus-mr"
BRAIN = api.Code("SCT", "12738006", "Brain")
BOX_SIZE_MM = (38.0, 54.0, 44.0)
"""R x A x S. The model's training crops measure 35 x 50 x 36 mm (median); MNI152 is larger than life, and its hippocampi alone rise 36 mm."""
EXPLAINED_BY = "gradient-times-input"
"""The quickest of the ways that pass their tests."""
EXPLAINED_BOX_MM = (38.0, 54.0, 38.0)
"""What the network sees at once, so that one pass tells everything."""


@dataclass(frozen=True)
class Side:
    """One side of the head: its name and code, and the middle of its hippocampus in MNI152 space (RAS, mm)."""

    name: str
    code: api.Code
    center_ras: tuple[float, float, float]

    @property
    def box(self) -> api.Box:
        return api.Box.from_center(self.center_ras, BOX_SIZE_MM)


LEFT = Side("Left", api.Code("SCT", "7771000", "Left"), (-26.0, -21.0, -13.0))
RIGHT = Side("Right", api.Code("SCT", "24028007", "Right"), (26.0, -21.0, -13.0))


def load_head() -> api.Volume:
    """The MNI152 T1 template at 1 mm, brain only, intensities 0..1.

    Raises:
        DeepSegError: nilearn is missing.
    """
    try:
        from nilearn.datasets import load_mni152_template
    except ImportError as error:
        raise api.DeepSegError(
            "The demo's head comes with the Python package nilearn, which is missing. Install DeepSeg with its 'demo' extra."
        ) from error
    image = load_mni152_template(resolution=1)
    array = np.asarray(image.dataobj, dtype=np.float32)
    return api.Volume(array[np.newaxis], api.Geometry(array.shape, image.affine), name="MNI152 T1 template, 1 mm")


def merge_sides(predictions: dict[Side, api.Prediction]) -> api.Prediction:
    """Put predictions of one volume into one, each side with segments of its own.

    Args:
        predictions: by side, on one grid, from boxes that do not overlap.

    Returns:
        Labels numbered on from side to side, named and coded with their side, the second side in lighter colours; seconds added up;
        settings by side. No probabilities: those of two runs over different boxes do not belong together.
    """
    first = next(iter(predictions.values()))
    merged = np.zeros_like(first.labels.array)
    labels: list[api.Label] = []
    seconds: dict[str, float] = {}
    settings: dict[str, object] = {}
    for n, (side, prediction) in enumerate(predictions.items()):
        array = prediction.labels.array
        merged = np.where(array > 0, array + len(labels), merged).astype(merged.dtype)
        labels += [_on_side(label, side, len(labels), lighter=0.4 * n) for label in prediction.labels.labels]
        for stage, value in prediction.seconds.items():
            seconds[stage] = seconds.get(stage, 0.0) + value
        own = json.loads(prediction.provenance["DeepSeg.Settings"])
        settings |= {**own, f"{side.name.lower()}_roi_ras_mm": own["roi_ras_mm"]}
    del settings["roi_ras_mm"]
    whole = api.LabelMap(merged, first.geometry, tuple(labels))
    provenance = first.provenance | {"DeepSeg.Settings": json.dumps(settings), SEGMENTS: segments_sha256(whole)}
    return api.Prediction(replace(whole, attributes=provenance), None, provenance, seconds)


def run(folder: Path, head: api.Volume, bundle: api.ModelBundle, progress: api.ProgressCallback | None = None) -> api.Prediction:
    """Segment both sides of `head` and write t1.nii.gz, segmentation.seg.nrrd and report.html into `folder`.

    Raises:
        DeepSegError: any of those of `api.segment` and `write_report`.
    """
    tracker = Tracker(progress)

    def share(start: float, stop: float, side: Side) -> api.ProgressCallback:
        return lambda state: tracker.report(start + (stop - start) * state.fraction, f"{side.name.lower()} side: {state.stage}")

    shares = {LEFT: (0.0, 0.15), RIGHT: (0.15, 0.3)}
    results = {side: api.estimate_uncertainty(head, bundle, side.box, share(*shares[side], side)) for side in (LEFT, RIGHT)}
    box = api.Box.from_center(LEFT.center_ras, EXPLAINED_BOX_MM)
    why = api.explain(head, bundle, bundle.spec.labels[0].name, box, share(0.3, 0.92, LEFT), method=EXPLAINED_BY)
    why = replace(why, question=f"{LEFT.name} side: {why.question[:1].lower()}{why.question[1:]}")
    merged = merge_sides({side: result.prediction for side, result in results.items()})
    doubt = Doubt.together({side.name: Doubt.of(result, bundle) for side, result in results.items()})
    tracker.report(0.92, "writing image and segmentation")
    started = time.monotonic()
    api.write_volume(head, folder / "t1.nii.gz")
    api.write_label_map(merged.labels, folder / "segmentation.seg.nrrd")
    merged = replace(merged, seconds=merged.seconds | {"writing image and segmentation": time.monotonic() - started})
    tracker.report(0.95, "drawing the report")
    about = "The image is the MNI152 T1 template, the average of 152 healthy adults; it is larger than life, and so are the volumes."
    write_report(folder / "report.html", head, merged, bundle, [side.box for side in (LEFT, RIGHT)], about, doubt, [why])
    tracker.finish()
    return merged


def main(arguments: list[str] | None = None) -> int:
    """Run the demo with a progress bar; returns the exit code, 2 with one sentence on the error stream where it fails."""
    parser = argparse.ArgumentParser(prog="python -m deepseg.demo", description="Segment both hippocampi of the MNI152 T1 template.")
    parser.add_argument("folder", nargs="?", type=Path, default=Path("demo-out"), help="where to write (default: %(default)s)")
    folder = parser.parse_args(arguments).folder
    started = time.monotonic()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        bundle = api.load_model(MODEL)
        with ProgressBar() as bar:
            bar.show(api.Progress(0.0, "reading the image", None))
            result = run(folder, load_head(), bundle, bar.show)
    except api.DeepSegError as error:
        sys.stderr.write(f"deepseg: {error}\n")
        return BAD_INPUT
    except OSError as error:
        sys.stderr.write(f"deepseg: cannot write into {folder}: {error.strerror}.\n")
        return BAD_INPUT
    except KeyboardInterrupt:
        sys.stderr.write("deepseg: stopped.\n")
        return 130
    lines = [f"{label.name:<28} {milliliters(volume):>6} mL" for label, volume in result.volumes_ml()]
    lines += [f"Wrote {folder / name}" for name in ("t1.nii.gz", "segmentation.seg.nrrd", "report.html")]
    sys.stdout.write("\n".join([*lines, f"Done in {time.monotonic() - started:.0f} seconds. For research, not for clinical use."]) + "\n")
    return 0


def _on_side(label: api.Label, side: Side, offset: int, lighter: float) -> api.Label:
    """The label as a segment of one side; `lighter` is the share of white in its colour."""
    color = tuple(round(v + (1 - v) * lighter, 3) for v in label.color)
    coded = replace(label.terminology, region=BRAIN, region_modifier=side.code) if label.terminology else None
    name = f"{side.name} {label.name[:1].lower()}{label.name[1:]}"
    return api.Label(label.value + offset, name, color, coded)


if __name__ == "__main__":
    sys.exit(main())
