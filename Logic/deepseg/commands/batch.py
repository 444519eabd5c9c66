"""`deepseg batch`: many images with one model, to a folder with a result each, a table and a page."""

from __future__ import annotations

import argparse
import io
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

from deepseg import api
from deepseg.cohort.cases import Case, find_cases
from deepseg.cohort.index import INDEX, write_index
from deepseg.cohort.pool import Work, run_cases
from deepseg.cohort.record import (
    FAILED,
    FINISHED,
    Record,
    is_finished,
    key_of,
    made_by,
    own_folder,
    read_record,
    read_records,
    refuse_foreign_result,
    remove_unfinished,
)
from deepseg.cohort.table import TABLE, write_table
from deepseg.commands.progress_bar import ProgressBar
from deepseg.commands.segment import add_model_options

SOME_FAILED = 3
"""Exit code where a case failed, or the table or the page could not be written; everything else is done."""

_SECONDS_BETWEEN_PAGES = 20.0


def add(commands: argparse._SubParsersAction) -> None:
    parser = commands.add_parser(
        "batch",
        help="segment many images",
        description="Segment many images with one model. Run the same command again after a stop: finished cases are kept, failed ones are tried "
        f"again. Exit code 0: every case is done; {SOME_FAILED}: some failed, see {TABLE}, or {TABLE} or {INDEX} could not be written, for example "
        "because another program holds it open; 2: nothing could be begun.",
    )
    parser.add_argument(
        "inputs",
        metavar="IN",
        nargs="+",
        help="image files, folders (searched for images and DICOM series), patterns, or CSV lists of a model's inputs",
    )
    parser.add_argument("-m", "--model", required=True, help="name of an installed model, or a model's folder")
    parser.add_argument(
        "-o", "--output", metavar="OUT", type=Path, required=True, help=f"folder for the results, {TABLE} and {INDEX}; made if needed"
    )
    parser.add_argument("--jobs", type=int, default=1, metavar="N", help="cases at a time, each in a process of its own (default: 1)")
    add_model_options(parser)
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    if options.jobs < 1:
        raise api.VolumeError(f"--jobs is {options.jobs}; expected at least 1.")
    if isinstance(sys.stdout, io.TextIOWrapper):
        # A file name that the terminal or the log cannot show must not end a long run.
        sys.stdout.reconfigure(errors="backslashreplace")
    bundle = api.load_model(options.model)
    _refuse_unknown(options.device)
    out = options.output.resolve()
    with own_folder(out):
        return _run(options, bundle, out)


def _run(options: argparse.Namespace, bundle: api.ModelBundle, out: Path) -> int:
    settings = {name: getattr(options, name) for name in ("n4", "precision", "mirror")}
    # What a case ran on is no reason to run it again, so no record is held against the device.
    how = {**settings, "device": options.device}
    known = read_records(out)
    cases = find_cases(options.inputs, out, bundle.spec, {record.inputs: name for name, record in known.items()})
    names = [case.name for case in cases]
    # The table covers the folder: cases that an earlier run was given, too.
    earlier = {
        name: old for name, old in known.items() if name not in names and is_finished(old, {**old.key, **made_by(bundle.sha256, settings)}, out)
    }
    records: dict[str, Record | None] = {**earlier, **dict.fromkeys(names)}
    todo: list[tuple[Case, dict[str, Any]]] = []
    for case in cases:
        key, old = key_of(case, bundle.sha256, settings), known.get(case.name)
        if is_finished(old, key, out):
            records[case.name] = old
            continue
        try:
            refuse_foreign_result(old, out, case.name)
            todo.append((case, key))
        except api.OutputError as error:
            records[case.name] = Record(case.name, key, FAILED, error=str(error))
    if len(todo) < len(cases):
        print(f"{_done(records, names)} of {len(cases)} cases are done already.")
    written = time.monotonic()
    try:
        with closing(_with_progress(todo, Work(bundle.folder.resolve(), out, how, min(options.jobs, max(len(todo), 1))))) as run_records:
            for record in run_records:
                records[record.case] = record
                if record.error:
                    print(f"{record.case}: {record.error.splitlines()[-1]}")
                if time.monotonic() - written > _SECONDS_BETWEEN_PAGES:
                    _write(out, records, bundle.spec)  # a table that a spreadsheet holds open is told of at the end
                    written = time.monotonic()
    except KeyboardInterrupt:
        # All processes have ended by now; one may have finished a case that it had no time left to tell of.
        remove_unfinished(out)
        records.update({case.name: left for case, key in todo if is_finished(left := read_record(out, case.name), key, out)})
        _tell(_write(out, records, bundle.spec))
        raise KeyboardInterrupt(f"stopped; {_done(records, names)} of {len(cases)} cases are done. Run the same command again to go on.") from None
    errors = _write(out, records, bundle.spec)
    _tell(errors)
    done = _done(records, names)
    there = " and ".join(str(out / name) for name in (TABLE, INDEX) if name not in errors)
    print(f"{done} of {len(cases)} cases done.{f' Written: {there}' if there else ''}")
    unwritten = any(isinstance(error, api.OutputError) for error in errors.values())
    return SOME_FAILED if unwritten or done < len(cases) else 0


def _refuse_unknown(device: str | None) -> None:
    """Before each case would fail for it; PyTorch is loaded only where a device is named.

    Raises:
        DeviceError: there is no such device.
    """
    if device is not None:
        from deepseg.devices import chosen_devices

        chosen_devices(device)


def _with_progress(todo: Sequence[tuple[Case, dict[str, Any]]], work: Work) -> Iterator[Record]:
    started, count = time.monotonic(), len(todo)
    with ProgressBar() as bar:

        def show(done: float) -> None:
            elapsed = time.monotonic() - started
            left = elapsed * (count - done) / done if done > 0 else None
            bar.show(api.Progress(done / count, f"case {min(int(done) + 1, count)} of {count}", left))

        yield from run_cases(todo, work, show)


def _write(out: Path, records: dict[str, Record | None], spec: api.ModelSpec) -> dict[str, api.DeepSegError]:
    """Write table and page, each whatever becomes of the other; returns what went wrong, by file name."""
    told, errors = [record for record in records.values() if record], {}
    try:
        write_table(out, told)
    except api.DeepSegError as error:
        errors[TABLE] = error
    try:
        write_index(out, told, spec)
    except api.DeepSegError as error:
        errors[INDEX] = error
    return errors


def _tell(errors: dict[str, api.DeepSegError]) -> None:
    for name, error in errors.items():
        print(f"No new {name}: {error} Run the same command again to write it." if isinstance(error, api.OutputError) else f"No {name}: {error}")


def _done(records: dict[str, Record | None], names: Sequence[str]) -> int:
    return sum(record is not None and record.status == FINISHED for record in map(records.get, names))
