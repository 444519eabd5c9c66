"""What a client and its worker hand each other: a private folder with one run in it, and lines of JSON.

    job.json    model folder, region of interest, the volume's grid, units, modalities and name, and what is asked of uncertainty
    input.npy   the volume's voxels, float32 (C, I, J, K)
    map-*.npy   maps of doubt where they are asked for, float32 (I, J, K)
    labels.npy  the result, uint8 or uint16 (I, J, K); it appears last, and whole or not at all

The client says, each on one line:

    run        folder
    cancel     folder

The worker answers with a `type`; of the last four, exactly one ends each run:

    started    pid
    progress   fraction, stage, seconds_left
    result     labels, attributes, overlapping, seconds, notes, and uncertainty where it is asked for
    cancelled
    error      message; `expected` is false for errors that need the log
    died       (the client's own word: the worker is gone)

An error with `leaving` comes from a worker that ends itself, because it may be in a bad state or hold too much memory.

Arrays are written with plain calls, so that a full disk is an error and not a signal, mapped into memory by the worker, and read without pickle.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from deepseg.box import Box
from deepseg.geometry import Geometry
from deepseg.results import Prediction
from deepseg.spec import label_from_json
from deepseg.volume import LabelMap, Volume

JOB, INPUT, LABELS = "job.json", "input.npy", "labels.npy"
_UNFINISHED_LABELS = "unfinished-labels.npy"
MAPS = ("predictive_entropy", "expected_entropy", "mutual_information", "error_probability")
"""Maps of doubt that are handed over, as far as there are any: more would take room and time."""
_PIECE_BYTES = 64 << 20
"""Written at a time: small enough to cancel between two, large enough that a client's busy thread seldom holds the writing up."""


@dataclass(frozen=True)
class UncertaintyRequest:
    """How a run is to say how sure it is: what `deepseg.api.estimate_uncertainty` takes."""

    sampler: str | None = None
    samples: int | None = None
    seed: int = 0
    level: float | None = None


@dataclass(frozen=True, eq=False)
class Job:
    """One run: what to segment, with which model folder, where, and whether it is to say how sure it is."""

    volume: Volume
    model: Path
    roi: Box | None = None
    uncertainty: UncertaintyRequest | None = None

    @property
    def bytes_needed(self) -> int:
        """Room that the run's files take at most."""
        voxels = self.volume.array.size // len(self.volume.array)
        maps = 4 * len(MAPS) * voxels if self.uncertainty else 0
        return self.volume.array.nbytes + 2 * voxels + maps + (1 << 20)


def write_job(folder: Path, job: Job, check: Callable[[], None] = lambda: None) -> None:
    """Put a run into an empty folder; `check` is called now and then, and what it raises ends the writing."""
    description = {
        "model": str(Path(job.model).resolve()),
        "roi_ras_mm": job.roi.to_json() if job.roi else None,
        "ijk_to_ras": job.volume.geometry.ijk_to_ras.tolist(),
        "units": job.volume.units,
        "modalities": job.volume.modalities,
        "name": job.volume.name,
        "uncertainty": asdict(job.uncertainty) if job.uncertainty else None,
    }
    write_array(folder / INPUT, job.volume.array, check)
    (folder / JOB).write_text(json.dumps(description), encoding="utf-8")


def read_job(folder: Path) -> Job:
    """Read a run back from its folder; its voxels stay in the file and are mapped, and what is written to them stays in this process."""
    description = json.loads((folder / JOB).read_text(encoding="utf-8"))
    array = np.load(folder / INPUT, mmap_mode="c", allow_pickle=False)
    geometry = Geometry(array.shape[1:], np.array(description["ijk_to_ras"]))
    volume = Volume(array, geometry, tuple(description["units"]), description["name"], tuple(description["modalities"]))
    box, asked = description["roi_ras_mm"], description["uncertainty"]
    return Job(volume, Path(description["model"]), Box.from_json(box) if box else None, UncertaintyRequest(**asked) if asked else None)


def write_result(folder: Path, prediction: Prediction) -> dict[str, Any]:
    """Put a run's labels into its folder; returns the message that goes with them."""
    unfinished = folder / _UNFINISHED_LABELS
    write_array(unfinished, prediction.labels.array)
    unfinished.replace(folder / LABELS)
    return {
        "type": "result",
        "labels": [asdict(label) for label in prediction.labels.labels],
        "attributes": prediction.labels.attributes,
        "overlapping": prediction.labels.overlapping,
        "seconds": prediction.seconds,
        "notes": list(prediction.notes),
    }


def read_result(folder: Path, geometry: Geometry, message: dict[str, Any]) -> LabelMap:
    """The result of a run on the volume's grid, from its folder and its result message."""
    array = np.load(folder / LABELS, allow_pickle=False)
    labels = tuple(label_from_json(item) for item in message["labels"])
    return LabelMap(array, geometry, labels, dict(message["attributes"]), message["overlapping"])


def write_array(path: Path, array: np.ndarray, check: Callable[[], None] = lambda: None) -> None:
    """Write an array as .npy, in pieces; numpy's own writing does not say why it failed.

    Raises:
        OSError: with its `errno`, when there is no room for it.
    """
    header = np.lib.format.header_data_from_array_1_0(array)
    data = memoryview(array.T if header["fortran_order"] else np.ascontiguousarray(array)).cast("B")
    with path.open("wb", buffering=0) as file:
        np.lib.format.write_array_header_1_0(file, header)
        done = 0
        while done < len(data):
            check()
            done += file.write(data[done : done + _PIECE_BYTES])


def remove_folder(folder: Path) -> None:
    """Remove a private folder, as far as the operating system lets go of its files; does nothing where it is gone already."""
    renamed = folder.with_name(f"{folder.name}-gone")
    with suppress(OSError):
        folder.rename(renamed)  # from here on, whoever still works in it cannot add a file
        folder = renamed
    shutil.rmtree(folder, ignore_errors=True)
