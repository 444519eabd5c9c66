"""Everything that is wrong with a dataset, found before anything is trained on it; nothing stops at the first problem."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable

import numpy as np

from deepseg.spec import ModelSpec
from deepseg_train.data.case_check import CheckedCase, check_case
from deepseg_train.data.cases import Case, Dataset
from deepseg_train.data.problems import Problem

FAR_SPACING = 10.0
"""Voxel sizes so many times larger or smaller than the median are hardly meant: metres, micrometres, or a lost header."""

Progress = Callable[[Iterable[Case]], Iterable[Case]]
"""Hands cases on one by one and shows how far it is, like `tqdm.tqdm`."""


def check_dataset(dataset: Dataset, spec: ModelSpec | None = None, progress: Progress = iter) -> list[Problem]:
    """Read every file and find all problems: those of the source, of its cases in their order, and of the dataset as a whole.

    Found are: tables and descriptions that do not fit their files; missing, unreadable, cut-off and skewed files; wrong dimensions; voxels that are
    NaN or infinite; constant images; channels or labels on another grid than the image; label values that are no integers or not declared; empty
    labels; labels that no case has; voxel sizes far off the others'; case names used twice; and one image under two patients, which would leak from
    training to test.

    Args:
        dataset: opened with `complete=False`, so that missing files are problems like others.
        spec: a model that the data is for; its labels are expected, and its inputs.
        progress: shown while files are read.
    """
    if not dataset.cases:
        return list(dataset.problems) or [Problem(dataset.folder, "it has no labelled case", "Name the folder or the table that holds the cases.")]
    declared = declared_values(dataset, spec)
    channels = len(spec.inputs) if spec else len(dataset.channel_names)
    checked = [check_case(case, channels, declared, spec) for case in progress(dataset.cases)]
    problems = [*dataset.problems, *(problem for found in checked for problem in found.problems)]
    pairs = list(zip(dataset.cases, checked, strict=True))
    problems += [*_far_spacings(pairs), *_names_twice(dataset), *_same_images(pairs), *_never_seen(dataset, declared, checked, spec)]
    return [*problems, *(_other_labels(dataset, spec) if spec and dataset.label_names else [])]


def declared_values(dataset: Dataset, spec: ModelSpec | None) -> tuple[int, ...]:
    """Values that label files may hold beside 0: those the dataset names, else the model's; none where nobody tells."""
    return tuple(dataset.label_names) or (tuple(label.value for label in spec.labels) if spec else ())


def _other_labels(dataset: Dataset, spec: ModelSpec) -> list[Problem]:
    """Labels in another number or another order than the model's."""
    names = list(dataset.label_names.values())
    if len(names) != len(spec.labels):
        reason = f"it has {len(names)} labels ({', '.join(names)}), the model {len(spec.labels)}"
        return [Problem(dataset.folder, reason, "Choose another model, or merge labels.")]
    places = {label.name.casefold(): label.value for label in spec.labels}
    swapped = [name for place, name in enumerate(names, 1) if places.get(name.casefold(), place) != place]
    reason = f"the labels {', '.join(swapped)} have other places among the labels than in the model"
    return [Problem(dataset.folder, reason, "Renumber the label files.")] if swapped else []


def _far_spacings(pairs: list[tuple[Case, CheckedCase]]) -> list[Problem]:
    known = [(case, found.spacing_mm) for case, found in pairs if found.spacing_mm]
    if not known:
        return []
    median = np.median([spacing for _, spacing in known], axis=0)
    problems = []
    for case, spacing in known:
        ratio = np.asarray(spacing) / median
        if (ratio > FAR_SPACING).any() or (ratio < 1 / FAR_SPACING).any():
            sides = " x ".join(f"{side:.4g}" for side in spacing)
            reason = f"its voxels are {sides} mm, more than {FAR_SPACING:g} times off the median {' x '.join(f'{side:.4g}' for side in median)} mm"
            problems.append(Problem(case.images[0], reason, "Check the unit: the header must tell millimetres."))
    return problems


def _names_twice(dataset: Dataset) -> list[Problem]:
    by_name = defaultdict(list)
    for case in dataset.cases:
        by_name[case.name].append(case)
    return [
        Problem(cases[1].images[0], f"the case name '{name}' is used {len(cases)} times", "Give each case a name of its own.")
        for name, cases in by_name.items()
        if len(cases) > 1
    ]


def _same_images(pairs: list[tuple[Case, CheckedCase]]) -> list[Problem]:
    by_digest = defaultdict(list)
    for case, found in pairs:
        if found.digest:
            by_digest[found.digest].append(case)
    problems = []
    for cases in by_digest.values():
        first = cases[0]
        for other in cases[1:]:
            if other.patient != first.patient:
                reason = f"the same voxels as {first.images[0]}, but of patient {other.patient} instead of {first.patient}"
                advice = "One patient must be in one part of the split: correct the patient, or remove one of the two."
                problems.append(Problem(other.images[0], reason, advice))
    return problems


def _never_seen(dataset: Dataset, declared: tuple[int, ...], checked: list[CheckedCase], spec: ModelSpec | None) -> list[Problem]:
    seen = frozenset().union(*(found.values for found in checked))
    names = dataset.label_names or {label.value: label.name for label in (spec.labels if spec else ())}
    return [
        Problem(
            dataset.folder, f"the label {value} ({names[value]}) is declared and in no case", "Remove it from the labels, or add cases that have it."
        )
        for value in declared
        if value not in seen
    ]
