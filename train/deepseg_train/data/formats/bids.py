"""BIDS with derivatives: images sub-*/[ses-*/]anat/*_T1w.nii.gz, labels derivatives/*/sub-*/[ses-*/]anat/*_dseg.nii.gz.

After the Brain Imaging Data Structure, https://bids-specification.readthedocs.io (derivatives: imaging, "Discrete segmentations").
"""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from deepseg_train.data.cases import Case, Dataset
from deepseg_train.data.problems import Problem
from deepseg_train.data.tables import add_columns, read_table
from deepseg_train.errors import DatasetError

_NIFTI = (".nii.gz", ".nii")
_NO_IMAGES = frozenset({"dseg", "probseg", "mask", "defacemask"})
_OWN_GRID = frozenset({"", "orig", "individual", "scanner"})
"""Values of the entity 'space' that mean the grid of the image itself."""

_DERIVED = frozenset({"space", "seg", "atlas", "scale", "res", "den", "label", "desc"})
"""Entities that a derivative's name has beyond those of its source."""


@dataclass(frozen=True)
class _File:
    """A file by its name's parts, for example sub-01_ses-2_run-1_T1w.nii.gz."""

    path: Path
    entities: dict[str, str] = field(hash=False)
    suffix: str

    @property
    def space(self) -> str:
        """Its entity 'space', '' for the image's own grid."""
        space = self.entities.get("space", "")
        return "" if space in _OWN_GRID else space

    @property
    def source(self) -> tuple[tuple[str, str], ...]:
        """Those of its entities that came from the image it was derived from."""
        return tuple((key, value) for key, value in self.entities.items() if key not in _DERIVED)

    @property
    def stem(self) -> str:
        return self.path.name.split(".")[0]


def is_bids(path: Path) -> bool:
    """Whether a folder, or the one that its derivatives lie in, has folders of subjects and a dataset_description.json."""
    return path.is_dir() and bool(_labels(path)) and any((folder / "dataset_description.json").is_file() for folder in (path, _root(path)))


def open_bids(folder: Path) -> Dataset:
    """The cases that have a discrete segmentation; `folder` is the dataset, or one pipeline's folder below its derivatives.

    A channel is a suffix (T1w, FLAIR, ...) that every segmented session has, in alphabetical order. Its file is the one whose entities
    the segmentation's name repeats, beside the segmentation where that is in a space of its own, else in the dataset. A patient is a subject.
    Label names come from dseg.tsv beside a segmentation or at the top of its pipeline. Told as problems are: segmentations without an image, several
    of one image, a channel whose file is not the only one, participants.tsv without a subject, and segmentations that are named differently.

    Raises:
        DatasetError: there is no segmentation, no kind of image that every segmentation has, or a table that cannot be read.
    """
    root, labels = _root(folder), _labels(folder)
    if not labels:
        raise DatasetError(f"{folder} holds no segmentation of a BIDS dataset (derivatives/PIPELINE/sub-*/anat/*_dseg.nii.gz).")
    problems = _several(labels)
    images = {label.path: _images(label, root) for label in labels}
    bare = [label.path for label in labels if not images[label.path]]
    problems += [Problem(path, f"the segmentation has no image in {root}", "Put the image there, or remove the segmentation.") for path in bare]
    labels = [label for label in labels if label.path not in bare]
    images = {path: found for path, found in images.items() if found}
    everywhere = set.intersection(*(set(found) for found in images.values())) if images else set()
    if images and not everywhere:
        raise DatasetError(f"No kind of image is there for every segmentation of {root}; found {_counted(images)}.")
    channels = tuple(sorted(everywhere))
    notes = []
    if any(set(found) != everywhere for found in images.values()):
        notes.append(f"Channels are {', '.join(channels)}, which every segmented session has; found {_counted(images)}.")
    cases = tuple(case for label in labels if (case := _case(label, images[label.path], channels, problems)))
    participants = root / "participants.tsv"
    if participants.is_file():
        try:
            cases = add_columns(cases, participants, ("participant_id",))
        except DatasetError as error:
            problems.append(Problem(participants, str(error).removesuffix("."), "Correct the table, or remove it."))
    names = _label_names(labels, folder, root, problems)
    if not names:
        notes.append("The labels have no names: there is no dseg.tsv beside the segmentations or at the top of their pipeline.")
    told = _description(root)
    reference = told.get("HowToAcknowledge") or told.get("DatasetDOI", "")
    texts = (told.get("Name", root.name), "", told.get("License", ""))
    return Dataset(root, "bids", *texts, channels, names, cases, tuple(notes), reference, tuple(problems))


def _case(label: _File, images: dict[str, list[_File]], channels: tuple[str, ...], problems: list[Problem]) -> Case | None:
    """None where the segmentation may be of several images, which is a problem."""
    chosen = []
    for channel in channels:
        if len(images[channel]) > 1:
            several = ", ".join(str(image.path) for image in images[channel])
            advice = "Repeat the image's entities in its name (for example run-1), or list the cases in a CSV table."
            problems.append(Problem(label.path, f"it does not tell which image it belongs to: {several}", advice))
            return None
        chosen.append(images[channel][0].path)
    name = "_".join(f"{key}-{value}" for key, value in label.source)
    return Case(name, f"sub-{label.entities['sub']}", tuple(chosen), label.path)


def _images(label: _File, root: Path) -> dict[str, list[_File]]:
    """Images that a segmentation may belong to, by suffix: of its space, and of these the ones whose entities its name repeats."""
    below = label.path.parent.relative_to(_pipeline(label.path))
    folder = label.path.parent if label.space else root / below
    files = [file for file in _files(folder) if file.suffix not in _NO_IMAGES and file.space == label.space]
    found: dict[str, list[_File]] = {}
    for suffix in sorted({file.suffix for file in files}):
        same = [file for file in files if file.suffix == suffix]
        repeated = [file for file in same if file.entities.items() <= label.entities.items()]
        # A name that repeats more entities is the nearer one: acq-a_run-1 before run-1.
        most = max((len(file.entities) for file in repeated), default=0)
        found[suffix] = [file for file in repeated if len(file.entities) == most] or same
    return found


def _several(labels: list[_File]) -> list[Problem]:
    """A problem for each segmentation of an image that has more than one."""
    counts = Counter(label.source for label in labels)
    advice = "Name one pipeline's folder below derivatives as the dataset, or list the cases in a CSV table."
    return [
        Problem(label.path, f"it is one of {counts[label.source]} segmentations of an image", advice) for label in labels if counts[label.source] > 1
    ]


def _counted(images: dict[Path, dict[str, list[_File]]]) -> str:
    counts = Counter(suffix for found in images.values() for suffix in found)
    return ", ".join(f"{suffix} for {count} of {len(images)}" for suffix, count in sorted(counts.items()))


def _label_names(labels: list[_File], folder: Path, root: Path, problems: list[Problem]) -> dict[int, str]:
    """The first table's, as others must say the same."""
    named: dict[Path, dict[int, str]] = {}
    for label in labels:
        pipeline = _pipeline(label.path)
        own = label.path.with_name(f"{label.stem}.tsv")
        table = next((path for path in (own, pipeline / "dseg.tsv", root / "dseg.tsv") if path.is_file()), None)
        if table and table not in named:
            named[table] = _look_up(table)
    differing = [table for table, names in named.items() if names != next(iter(named.values()))]
    reason = f"its label names differ from those of {next(iter(named), '')}"
    problems += [Problem(table, reason, "Use the same values and names for all cases.") for table in differing]
    return next(iter(named.values()), {})


def _look_up(table: Path) -> dict[int, str]:
    rows = read_table(table)
    try:
        found = {int(row["index"]): row["name"] for row in rows}
    except (KeyError, ValueError) as error:
        raise DatasetError(f"The table {table} must have the columns 'index' (whole numbers) and 'name': {error!r}") from error
    return {value: name for value, name in sorted(found.items()) if value}


def _description(root: Path) -> dict[str, str]:
    path = root / "dataset_description.json"
    try:
        told = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
    except (OSError, ValueError) as error:
        raise DatasetError(f"{path} cannot be read: {error}") from error
    return {key: str(value) for key, value in told.items()} if isinstance(told, dict) else {}


def _root(folder: Path) -> Path:
    """The dataset that a pipeline's folder belongs to; the folder itself where it is the dataset."""
    return folder.parent.parent if folder.absolute().parent.name == "derivatives" else folder


def _pipeline(label: Path) -> Path:
    """The folder that holds the label file's subject."""
    subject = next(parent for parent in label.parents if parent.name.startswith("sub-"))
    return subject.parent


def _labels(folder: Path) -> list[_File]:
    patterns = ("sub-*/*/*_dseg.nii*", "sub-*/ses-*/*/*_dseg.nii*")
    tops = [folder, *sorted(path for path in (folder / "derivatives").glob("*") if path.is_dir())]
    paths = sorted({path for top in tops for pattern in patterns for path in top.glob(pattern)})
    return [file for path in paths if (file := _parse(path)) and file.suffix == "dseg" and "sub" in file.entities]


def _files(folder: Path) -> list[_File]:
    return [file for path in sorted(folder.glob("sub-*")) if (file := _parse(path))] if folder.is_dir() else []


def _parse(path: Path) -> _File | None:
    """The parts of a NIfTI file's name; None where it is no such name."""
    ending = next((ending for ending in _NIFTI if path.name.endswith(ending)), None)
    if ending is None:
        return None
    *pairs, suffix = path.name.removesuffix(ending).split("_")
    if not pairs or not all("-" in pair for pair in pairs) or "." in suffix:
        return None
    return _File(path, dict(pair.split("-", 1) for pair in pairs), suffix)
