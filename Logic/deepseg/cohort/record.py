"""What became of each case: a small file each, by which a batch goes on after it was stopped, however that went.

    OUT/<case>.seg.nrrd            the result; it appears whole or not at all
    OUT/.deepseg-batch/<case>.json its record: written as 'running' before the case begins, and again when its result is in place

So a case is finished where its record says so, the inputs, the model and the settings are those of the record, and its result is there.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from deepseg import api
from deepseg.cohort.cases import Case
from deepseg.io import write_whole

STATE, RESULT_SUFFIX = ".deepseg-batch", ".seg.nrrd"
RUNNING, FINISHED, FAILED = "running", "finished", "failed"
_TEMPORARY_PREFIX = ".deepseg-"


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
    text = json.dumps(asdict(record), ensure_ascii=False)
    write_whole(out / STATE / f"{record.case}.json", lambda path: path.write_text(text, encoding="utf-8"))


def is_finished(record: Record | None, key: dict[str, Any], out: Path) -> bool:
    """Whether a case needs no run any more."""
    return record is not None and record.status == FINISHED and record.key == json.loads(json.dumps(key)) and result_path(out, record.case).is_file()


def refuse_foreign_result(record: Record | None, out: Path, case: str) -> None:
    """Refuse to write over a file that no batch here has begun to make.

    Raises:
        OutputError: there is such a file.
    """
    if record is None and result_path(out, case).exists():
        raise api.OutputError(f"{result_path(out, case)} exists and was not made by this batch. Move it, or name another output folder.")


def prepare_folder(out: Path) -> None:
    """Make the folders of a batch and remove what a killed run left half-written.

    Raises:
        OutputError: they cannot be made or written to.
    """
    try:
        (out / STATE).mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise api.OutputError(f"Cannot make the folder {out}: {error.strerror}.") from error
    api.check_output(out / "probe.seg.nrrd")
    remove_unfinished(out)


def remove_unfinished(out: Path) -> None:
    for folder in (out, out / STATE):
        for path in folder.glob(f"{_TEMPORARY_PREFIX}*"):
            if path.is_file():
                path.unlink(missing_ok=True)


def _stamp(path: Path) -> list[int]:
    """Size in bytes and time of the last change in ns; of a folder its files' together; zeros where there is none."""
    try:
        stats = [entry.stat() for entry in (sorted(path.iterdir()) if path.is_dir() else [path])]
    except OSError:
        return [0, 0]
    return [sum(stat.st_size for stat in stats), max((stat.st_mtime_ns for stat in stats), default=0)]
