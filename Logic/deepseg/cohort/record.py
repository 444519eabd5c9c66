"""What became of each case: a small file each, by which a batch goes on after it was stopped, however that went.

    OUT/<case>.seg.nrrd            the result; it appears whole or not at all
    OUT/<case>.earlier.seg.nrrd    the result that an earlier run made with another model, other settings or other files
    OUT/.deepseg-batch/<case>.json its record: written as 'running' before the case begins, and again when its result is in place
    OUT/.deepseg-batch/in-use      the lock of the batch at work

So a case is finished where its record says so, the inputs, the model and the settings are those of the record, and its result is there.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from deepseg import api
from deepseg.cohort.cases import Case
from deepseg.outputs import set_aside, write_whole

try:
    import fcntl
except ModuleNotFoundError:  # Windows
    fcntl = None

STATE, RESULT_SUFFIX = ".deepseg-batch", ".seg.nrrd"
RUNNING, FINISHED, FAILED = "running", "finished", "failed"
_TEMPORARY_PREFIX = ".deepseg-"
_LOCK = "in-use"
_NO_SLICES = ("thumbs.db", "desktop.ini")


@dataclass(frozen=True)
class Record:
    """One case: `key` tells what it was made from, `rows` holds a segment each, `thumbnail` is an inline SVG or ''."""

    case: str
    key: dict[str, Any]
    status: str
    rows: list[dict[str, Any]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    seconds: float = 0.0
    error: str = ""
    thumbnail: str = ""

    @property
    def inputs(self) -> tuple[str, ...]:
        return tuple(item[0] for item in self.key["inputs"])


def key_of(case: Case, model_sha256: str, settings: dict[str, Any]) -> dict[str, Any]:
    """What a result depends on: the files with their sizes and times of change, the model and the settings."""
    return {"inputs": [[str(path), *_stamp(path)] for path in case.inputs], **made_by(model_sha256, settings)}


def made_by(model_sha256: str, settings: dict[str, Any]) -> dict[str, Any]:
    """The part of a key that is the same for all cases of a run."""
    return {"model": model_sha256, "settings": settings}


def result_path(out: Path, case: str) -> Path:
    return out / f"{case}{RESULT_SUFFIX}"


def read_records(out: Path) -> dict[str, Record]:
    """Records of earlier runs by case; one that cannot be read counts as none."""
    names = [path.name.removesuffix(".json") for path in sorted((out / STATE).glob("*.json"))]
    return {record.case: record for name in names if (record := read_record(out, name))}


def read_record(out: Path, case: str) -> Record | None:
    """A case's record; None where there is none that can be read."""
    try:
        return Record(**json.loads((out / STATE / f"{case}.json").read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError):
        return None


def write_record(out: Path, record: Record) -> None:
    """Put a record into the batch's state; it appears whole or not at all.

    Raises:
        OutputError: it cannot be written.
    """
    # In ASCII: the name of a file in another encoding comes as lone surrogates, which UTF-8 does not hold.
    text = json.dumps(asdict(record))
    write_whole(out / STATE / f"{record.case}.json", lambda path: path.write_text(text, encoding="utf-8"))


def is_finished(record: Record | None, key: dict[str, Any], out: Path) -> bool:
    """Whether a case needs no run any more."""
    return record is not None and record.status == FINISHED and _has_key(record, key) and result_path(out, record.case).is_file()


def refuse_foreign_result(record: Record | None, out: Path, case: str) -> None:
    """Refuse to write over a file that no batch here has begun to make.

    Raises:
        OutputError: there is such a file.
    """
    if record is None and result_path(out, case).exists():
        raise api.OutputError(f"{result_path(out, case)} exists and was not made by this batch. Move it, or name another output folder.")


def begin_case(out: Path, case: str, key: dict[str, Any]) -> None:
    """Write down that a case runs; a result that was made from something else gets another name first, so that it cannot pass for the new one.

    Raises:
        OutputError: the record cannot be written, or that result not be renamed; the record that was there stays.
    """
    old, path = read_record(out, case), result_path(out, case)
    if old is not None and not _has_key(old, key):
        set_aside(path)
    write_record(out, Record(case, key, RUNNING))


@contextmanager
def own_folder(out: Path) -> Iterator[None]:
    """Make the folders of a batch, keep other batches out of them, and remove what a killed run left half-written.

    Raises:
        OutputError: they cannot be made or written to, or another batch works there.
    """
    prepare_folder(out)
    try:
        lock = os.open(out / STATE / _LOCK, os.O_RDWR | os.O_CREAT)
    except OSError as error:
        raise api.OutputError(f"Cannot write to the folder {out / STATE}: {error.strerror}.") from error
    try:
        if not _locked(lock):
            raise api.OutputError(f"Another batch is at work in {out}. Wait until it has ended, or name another output folder.")
        remove_unfinished(out)
        yield
    finally:
        os.close(lock)


def prepare_folder(out: Path) -> None:
    """Make the folders of a batch.

    Raises:
        OutputError: they cannot be made or written to.
    """
    try:
        (out / STATE).mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise api.OutputError(f"Cannot make the folder {out}: {error.strerror}.") from error
    api.check_output(out / "probe.seg.nrrd")


def remove_unfinished(out: Path) -> None:
    for folder in (out, out / STATE):
        for path in folder.glob(f"{_TEMPORARY_PREFIX}*"):
            if path.is_file():
                path.unlink(missing_ok=True)


def _locked(descriptor: int) -> bool:
    """Whether no other process holds the lock; this one lets go of it when it closes the file or dies, however that went."""
    try:
        if fcntl:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        else:
            import msvcrt

            msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
    except (BlockingIOError, PermissionError):
        return False
    except OSError:
        return True  # a network drive without locks: better unguarded than not at all
    return True


def _has_key(record: Record, key: dict[str, Any]) -> bool:
    return record.key == json.loads(json.dumps(key))


def _stamp(path: Path) -> list[int]:
    """Size in bytes and time of the last change in ns; of a folder its files' together; zeros where there is none."""
    try:
        stats = [entry.stat() for entry in (filter(_may_be_slice, path.iterdir()) if path.is_dir() else [path])]
    except OSError:
        return [0, 0]
    return [sum(stat.st_size for stat in stats), max((stat.st_mtime_ns for stat in stats), default=0)]


def _may_be_slice(path: Path) -> bool:
    """Not a file that a file manager leaves in any folder that it shows."""
    return not path.name.startswith(".") and path.name.lower() not in _NO_SLICES
