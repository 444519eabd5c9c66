"""Which cases a batch has: files, folders, patterns and lists, each case with a name of its own."""

from __future__ import annotations

import csv
import glob
import os
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from deepseg import api
from deepseg.io import made_by_model

IMAGE_SUFFIXES = (".nii.gz", ".nii", ".nrrd", ".nhdr", ".mha", ".mhd")
_SEGMENTATION_SUFFIX = ".seg.nrrd"
_LIST_SUFFIX = ".csv"
_CASE_COLUMN = "case"


@dataclass(frozen=True)
class Case:
    """One patient: `name` is unique in the batch and names its result; `inputs` are absolute paths in the model's order."""

    name: str
    inputs: tuple[Path, ...]


def find_cases(given: Sequence[str], out: Path, spec: api.ModelSpec, known: Mapping[tuple[str, ...], str]) -> list[Case]:
    """Find the cases and name them.

    Args:
        given: image files; folders, searched for images and DICOM series, subfolders too; patterns such as 'data/*.nii.gz'; or CSV files with
            a line a case, one column per model input and perhaps a column 'case' with its name. Results of models that lie among the images
            are passed over, unless they are named themselves.
        out: the result folder, which is not searched.
        spec: the model's.
        known: names that cases of an earlier run have, by their input paths; they keep them.

    Raises:
        VolumeError: nothing was found, or the model takes several images and the cases are not listed in a CSV file.
    """
    wanted = list(dict.fromkeys(_all_inputs(given, out.resolve(), spec)))
    if not wanted:
        raise api.VolumeError(f"There is no image in {', '.join(given)}. Name image files, folders, patterns or a CSV file.")
    names = {inputs: known[key] for inputs, _ in wanted if (key := tuple(map(str, inputs))) in known}
    taken = {name.casefold() for name in known.values()}
    for inputs, title in wanted:
        if inputs not in names:
            names[inputs] = _free_name(title, inputs[0], taken)
            taken.add(names[inputs].casefold())
    return [Case(names[inputs], inputs) for inputs in dict.fromkeys(inputs for inputs, _ in wanted)]


def _all_inputs(given: Iterable[str], out: Path, spec: api.ModelSpec) -> Iterator[tuple[tuple[Path, ...], str]]:
    """Each case's absolute paths and the name its list gives it, or ''."""
    for text in given:
        path = Path(text)
        if path.suffix.lower() == _LIST_SUFFIX:
            yield from _listed(path, spec)
            continue
        if len(spec.inputs) > 1:
            names = ", ".join(item.name for item in spec.inputs)
            raise api.VolumeError(
                f"The model {spec.id} takes {len(spec.inputs)} images a case ({names}); list them in a CSV file with a line a case and a column "
                f"for each, and name that file instead of {text}."
            )
        if path.is_dir():
            found: Iterable[Path] = _images_below(path, out)
        elif not path.exists() and glob.has_magic(text):
            matched = map(Path, glob.glob(text, recursive=True))  # noqa: PTH207 (Path.glob takes no absolute pattern)
            found = sorted(match for match in matched if not made_by_model(match))
        else:
            found = [path]
        for image in found:
            yield (image.absolute(),), ""


def _listed(path: Path, spec: api.ModelSpec) -> Iterator[tuple[tuple[Path, ...], str]]:
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            rows = list(csv.reader(file))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise api.VolumeError(f"The list {path} cannot be read ({error}). Save it as a CSV file in UTF-8.") from error
    if not rows:
        raise api.VolumeError(f"The list {path} is empty; expected a line of column names and a line a case.")
    header = [cell.strip().casefold() for cell in rows[0]]
    at = header.index(_CASE_COLUMN) if _CASE_COLUMN in header else None
    if len(header) - (at is not None) != len(spec.inputs):
        names = ", ".join(item.name for item in spec.inputs)
        raise api.VolumeError(
            f"The list {path} has the columns {', '.join(rows[0])}; expected one for each image that the model {spec.id} takes ({names}), in that "
            "order, and perhaps one named 'case'."
        )
    for number, row in enumerate(rows[1:], 2):
        if not any(cell.strip() for cell in row):
            continue
        if len(row) != len(header) or not all(cell.strip() for n, cell in enumerate(row) if n != at):
            raise api.VolumeError(f"Line {number} of the list {path} has {len(row)} cells, some perhaps empty; its first line has {len(header)}.")
        paths = tuple((path.parent / cell.strip()).absolute() for n, cell in enumerate(row) if n != at)
        yield paths, row[at].strip() if at is not None else ""


def _images_below(folder: Path, out: Path) -> Iterator[Path]:
    """Image files and folders of DICOM slices, in order of their paths; a folder that is linked to twice is searched once."""
    seen = {out}
    for root, folders, files in os.walk(folder, followlinks=True):
        if (real := Path(root).resolve()) in seen and root != str(folder):
            folders.clear()
            continue
        seen.add(real)
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        images = [name for name in sorted(files) if _is_image(name)]
        yield from (path for name in images if not made_by_model(path := Path(root) / name))
        if not images and any(_is_dicom(Path(root) / name) for name in sorted(files)[:8]):
            yield Path(root)


def _is_image(name: str) -> bool:
    lower = name.lower()
    return lower.endswith(IMAGE_SUFFIXES) and not lower.endswith(_SEGMENTATION_SUFFIX) and not lower.startswith(".")


def _is_dicom(path: Path) -> bool:
    try:
        with path.open("rb") as file:
            return file.read(132)[128:] == b"DICM"
    except OSError:
        return False


def _free_name(title: str, path: Path, taken: set[str]) -> str:
    """The title or the file's name; where another case has it, with the folder's name before it, then with a number."""
    stem = next((path.name[: -len(suffix)] for suffix in IMAGE_SUFFIXES if path.name.lower().endswith(suffix)), path.name)
    base = _safe(title or stem)
    candidates = [base, _safe(f"{path.parent.name}_{base}"), *(f"{base}-{n}" for n in range(2, 10**6))]
    return next(name for name in candidates if name.casefold() not in taken)


def _safe(text: str) -> str:
    """A file name on every system; lone surrogates stand for bytes that are no text."""
    return re.sub(r'[<>:"/\\|?*\x00-\x1f\ud800-\udfff]', "_", text).strip(" .") or "case"
