"""What the user interface and a worker process hand each other: a private folder with one run in it, and lines of JSON.

    job.json    model folder, region of interest, and the volume's grid, units and name
    input.npy   the volume's voxels, float32 (C, I, J, K)
    labels.npy  the result, uint8 or uint16 (I, J, K); it appears whole or not at all
    worker.log  what the worker and its libraries print

Each message of the worker is one line of JSON with a `type`:

    started   pid
    progress  fraction, stage, seconds_left
    result    labels, attributes, seconds
    error     message; `expected` is false for errors that need the log

Arrays are read without pickle.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from deepseg.geometry import Box, Geometry
from deepseg.results import Prediction
from deepseg.spec import label_from_json
from deepseg.volume import LabelMap, Volume

JOB, INPUT, LABELS, LOG = "job.json", "input.npy", "labels.npy", "worker.log"
_UNFINISHED_LABELS = "unfinished-labels.npy"


@dataclass(frozen=True, eq=False)
class Job:
    """One run: what to segment, with which model folder, where."""

    volume: Volume
    model: Path
    roi: Box | None = None


def write_job(folder: Path, job: Job) -> None:
    """Put a run into an empty folder."""
    description = {
        "model": str(Path(job.model).resolve()),
        "roi_ras_mm": [job.roi.minimum_ras, job.roi.maximum_ras] if job.roi else None,
        "ijk_to_ras": job.volume.geometry.ijk_to_ras.tolist(),
        "units": job.volume.units,
        "name": job.volume.name,
    }
    np.save(folder / INPUT, job.volume.array, allow_pickle=False)
    (folder / JOB).write_text(json.dumps(description), encoding="utf-8")


def read_job(folder: Path) -> Job:
    """Read a run back from its folder."""
    description = json.loads((folder / JOB).read_text(encoding="utf-8"))
    array = np.load(folder / INPUT, allow_pickle=False)
    geometry = Geometry(array.shape[1:], np.array(description["ijk_to_ras"]))
    volume = Volume(array, geometry, tuple(description["units"]), description["name"])
    corners = description["roi_ras_mm"]
    return Job(volume, Path(description["model"]), Box(*(tuple(corner) for corner in corners)) if corners else None)


def write_result(folder: Path, prediction: Prediction) -> dict[str, Any]:
    """Put the label array into the folder; returns the message that says the rest."""
    unfinished = folder / _UNFINISHED_LABELS
    np.save(unfinished, prediction.labels.array, allow_pickle=False)
    unfinished.replace(folder / LABELS)
    return {
        "type": "result",
        "labels": [asdict(label) for label in prediction.labels.labels],
        "attributes": prediction.labels.attributes,
        "seconds": prediction.seconds,
    }


def read_result(folder: Path, geometry: Geometry, message: dict[str, Any]) -> LabelMap:
    """The result of a run on the volume's grid, from its folder and its result message."""
    array = np.load(folder / LABELS, allow_pickle=False)
    return LabelMap(array, geometry, tuple(label_from_json(item) for item in message["labels"]), dict(message["attributes"]))


def remove_job(folder: Path) -> None:
    """Remove a run's folder, as far as the operating system lets go of its files; other files in it are left alone."""
    try:
        for name in (JOB, INPUT, LABELS, _UNFINISHED_LABELS, LOG):
            (folder / name).unlink(missing_ok=True)
        folder.rmdir()
    except OSError:
        # On Windows an open file stays; the system's cleaning of temporary files takes what is left.
        return
