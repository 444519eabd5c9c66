"""What a client and its worker hand each other: a private folder with one run in it, and lines of JSON.

    job.json         model folder, region of interest, the volume's grid, units, modalities and name, what is asked for, and the chosen device
    input.npy        the volume's voxels, float32 (C, I, J, K)
    map-*.npy        maps of doubt where they are asked for, float32 (I, J, K)
    explanation.npy  the map of an explanation where one is asked for, float32 (I, J, K)
    labels.npy       segments unless something else is asked for, uint8 or uint16 (I, J, K); they appear last, and whole or not at all

The client says, each on one line:

    run        folder
    cancel     folder

The worker answers with a `type`; of the last four, exactly one ends each run:

    started    pid
    progress   fraction, stage, seconds_left
    result     seconds, notes; labels, attributes, overlapping of segments; uncertainty, explanation or preview where it is asked for
    cancelled
    error      message; `expected` is false for errors that need the log
    died       (the client's own word: the worker is gone)

An error with `leaving` comes from a worker that ends itself, because it may be in a bad state or hold too much memory.

All of it is strict JSON: what is no finite number is named (`strict_json`).

Arrays are written with plain calls, so that a full disk is an error and not a signal, mapped into memory by the worker, and read without pickle.
"""

from __future__ import annotations

import json
import math
import shutil
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from deepseg.box import Box
from deepseg.geometry import Geometry
from deepseg.job_requests import ExplanationRequest, PreviewRequest, Request, UncertaintyRequest, request_from_json, request_to_json
from deepseg.spec import label_from_json
from deepseg.strict_json import from_strict, to_strict
from deepseg.volume import LabelMap, Volume

JOB, INPUT, LABELS = "job.json", "input.npy", "labels.npy"
_UNFINISHED_LABELS = "unfinished-labels.npy"
MAPS = ("predictive_entropy", "expected_entropy", "mutual_information", "error_probability")
"""Maps of doubt that are handed over, as far as there are any: more would take room and time."""
_LABEL_BYTES = 2
"""Of each voxel, at most."""
_PIECE_BYTES = 64 << 20
"""Written at a time: small enough to cancel between two, large enough that a client's busy thread seldom holds the writing up."""


@dataclass(frozen=True, eq=False)
class Job:
    """One run.

    Attributes:
        volume: what to look at.
        model: the model's folder.
        roi: the box to look at; the whole volume where None.
        request: what is wanted; segments alone where None.
        device: key of the only device to run on, as `deepseg.api.list_devices` gives them; None: the fastest with memory enough.

    Raises:
        TypeError: the request is none.
    """

    volume: Volume
    model: Path
    roi: Box | None = None
    request: Request | None = None
    device: str | None = None

    def __post_init__(self) -> None:
        if not isinstance(self.request, (Request, type(None))):
            raise TypeError(f"{self.request!r:.80} was given as a job's request; expected None or a request of deepseg.api.")

    @property
    def bytes_needed(self) -> int:
        """Room that the run's files take at most."""
        voxels = math.prod(self.volume.geometry.shape)
        match self.request:
            case None:
                each = _LABEL_BYTES
            case UncertaintyRequest():
                each = _LABEL_BYTES + 4 * len(MAPS)
            case ExplanationRequest():
                each = 4
            case PreviewRequest():
                each = 0
        return self.volume.array.nbytes + each * voxels + (1 << 20)


def write_job(folder: Path, job: Job, check: Callable[[], None] = lambda: None) -> None:
    """Put a run into an empty folder; `check` is called now and then, and what it raises ends the writing."""
    description = {
        "model": str(Path(job.model).resolve()),
        "roi_ras_mm": job.roi.to_json() if job.roi else None,
        "ijk_to_ras": job.volume.geometry.ijk_to_ras.tolist(),
        "units": job.volume.units,
        "modalities": job.volume.modalities,
        "name": job.volume.name,
        "request": request_to_json(job.request),
        "device": job.device,
    }
    write_array(folder / INPUT, job.volume.array, check)
    (folder / JOB).write_text(json.dumps(to_strict(description), allow_nan=False), encoding="utf-8")


def read_job(folder: Path) -> Job:
    """Read a run back from its folder; its voxels stay in the file and are mapped, and what is written to them stays in this process."""
    description = from_strict(json.loads((folder / JOB).read_text(encoding="utf-8")))
    array = np.load(folder / INPUT, mmap_mode="c", allow_pickle=False)
    geometry = Geometry(array.shape[1:], np.array(description["ijk_to_ras"]))
    volume = Volume(array, geometry, tuple(description["units"]), description["name"], tuple(description["modalities"]))
    roi = Box.from_json(description["roi_ras_mm"]) if description["roi_ras_mm"] else None
    return Job(volume, Path(description["model"]), roi, request_from_json(description["request"]), description["device"])


def write_labels(folder: Path, labels: LabelMap) -> dict[str, Any]:
    """Put a run's labels into its folder; returns what the result message says of them."""
    unfinished = folder / _UNFINISHED_LABELS
    write_array(unfinished, labels.array)
    unfinished.replace(folder / LABELS)
    return {"labels": [asdict(label) for label in labels.labels], "attributes": labels.attributes, "overlapping": labels.overlapping}


def read_labels(folder: Path, geometry: Geometry, message: dict[str, Any]) -> LabelMap:
    """What `write_labels` wrote, on the volume's grid, from the folder and the result message."""
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
