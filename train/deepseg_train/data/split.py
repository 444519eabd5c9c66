"""Which patient is used for what. Each patient is in one part only."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from deepseg.outputs import write_whole
from deepseg_train.data.cases import Case
from deepseg_train.data.strata import strata_of, value_of
from deepseg_train.errors import DatasetError

PARTS = {
    "train": "weights are fitted on these",
    "validation": "watched while training, to keep the best weights and to stop early",
    "calibrate": "held out for calibration and guarantees",
    "test": "held out for the figures in the model card",
}

FRACTIONS = {"train": 0.64, "validation": 0.06, "calibrate": 0.15, "test": 0.15}
"""How patients are usually divided."""

HELD = {"validation": 0.1, "calibrate": 0.15}
"""What is usually held back from those that are not in a fold or at a site."""

Parts = dict[str, list[Case]]
"""Cases by part."""


def draw_split(cases: Sequence[Case], sizes: Mapping[str, float], seed: int, stratify: str | None = None) -> Parts:
    """Draw whole patients at random into parts.

    Args:
        cases: all of them are used.
        sizes: for each part the number of patients, or (all below 1) its fraction of them; a part with a fraction gets at least one.
        seed: of the draw; cases may come in any order.
        stratify: a column whose values shall be as frequent in each part as in all, up to a patient or two of each; see `strata_of`.

    Raises:
        DatasetError: a part is unknown, the sizes do not add up, there are too few patients, or a case lacks the column's value.
    """
    unknown = sorted(set(sizes) - set(PARTS))
    if unknown:
        raise DatasetError(f"There is no part {', '.join(unknown)}; the parts of a split are {', '.join(PARTS)}.")
    by_patient = _by_patient(cases)
    counts = _counts(sizes, len(by_patient))
    order = _shuffled(by_patient, seed, stratify)
    parts, start = {part: [] for part in PARTS}, 0
    for part, count in counts.items():
        parts[part] = _cases_of(order[start : start + count], by_patient)
        start += count
    return parts


def k_folds(cases: Sequence[Case], k: int, seed: int, stratify: str | None = None, held: Mapping[str, float] = HELD) -> Iterator[tuple[str, Parts]]:
    """Complete splits whose test parts are k folds of nearly one size, so that each patient is tested on once.

    Args:
        cases: all of them.
        k: number of folds.
        seed: of all draws.
        stratify: as of `draw_split`, for folds and parts.
        held: fractions of those outside the fold for validation and calibration; train has the rest.

    Yields:
        A fold's name, 'fold-1' and so on, and its split.

    Raises:
        DatasetError: there are fewer patients than folds, or too few outside a fold.
    """
    by_patient = _by_patient(cases)
    if not 2 <= k <= len(by_patient):
        raise DatasetError(f"{k} folds of {len(by_patient)} patients; expected 2 to {len(by_patient)}.")
    order = _shuffled(by_patient, seed, stratify)
    for number, fold in enumerate(np.array_split(np.arange(len(order)), k), 1):
        tested = [order[place] for place in fold]
        yield f"fold-{number}", _held_out(by_patient, tested, held, seed + number, stratify)


def leave_one_site_out(cases: Sequence[Case], column: str, seed: int, held: Mapping[str, float] = HELD) -> Iterator[tuple[str, Parts]]:
    """Complete splits whose test part is all cases of one site; the sites of the others are as frequent in each part as in all.

    Yields:
        A site, as the column tells it, and its split.

    Raises:
        DatasetError: there is one site only, a case has none, or a patient was at two.
    """
    by_patient = _by_patient(cases)
    sites = {patient: value_of(own, column) for patient, own in by_patient.items()}
    both = sorted(patient for patient, own in by_patient.items() if len({case.columns[column] for case in own}) > 1)
    if both:
        raise DatasetError(f"{len(both)} patients have several values of '{column}', so that none can be left out: {', '.join(both[:10])}.")
    if len(set(sites.values())) < 2:
        raise DatasetError(f"All cases have the same value of '{column}'; leaving one out needs at least two.")
    for number, site in enumerate(sorted(set(sites.values())), 1):
        tested = [patient for patient, at in sites.items() if at == site]
        yield site, _held_out(by_patient, tested, held, seed + number, column)


def save_split(path: Path, parts: Parts, how: str, seed: int, dataset: str) -> None:
    """Write a split as JSON, with the patients of cases that are not patients of their own.

    Args:
        path: must not exist.
        parts: cases by part.
        how: how it was drawn, in words.
        seed: of the draw.
        dataset: what it is a split of, in words.

    Raises:
        DatasetError: the file exists.
        OutputError: it cannot be written.
    """
    if path.exists():
        raise DatasetError(f"{path} exists already, and a split is never overwritten. Remove it or choose another name.")
    told = {
        "dataset": dataset,
        "drawn": {
            "how": how,
            "seed": seed,
            "patients": {part: len({case.patient for case in cases}) for part, cases in parts.items()},
            "cases": {part: len(cases) for part, cases in parts.items()},
        },
        "meaning": PARTS,
        "parts": {part: [case.name for case in parts[part]] for part in PARTS},
    }
    patients = {case.name: case.patient for part in PARTS for case in parts[part] if case.patient != case.name}
    if patients:
        told["patients"] = patients
    write_whole(path, lambda temporary: temporary.write_text(json.dumps(told, indent=1) + "\n", encoding="utf-8"))


def load_split(path: Path, cases: Sequence[Case]) -> Parts:
    """Read a split file and look its cases up; the dataset may have more. The cases' patients are those that it was drawn by, where it tells them.

    Raises:
        DatasetError: not readable, an unknown part, a case or a patient in two parts, or a case that the dataset lacks.
    """
    try:
        told = json.loads(path.read_text(encoding="utf-8"))
        named, patients = told["parts"], dict(told.get("patients", {}))
        listed = [name for names in named.values() for name in names]
    except FileNotFoundError as error:
        raise DatasetError(f"There is no split file {path}. `deepseg-train plan` and `deepseg-train split` write one.") from error
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise DatasetError(f"The split {path} cannot be read: {error!r}") from error
    if set(named) != set(PARTS):
        raise DatasetError(f"The split {path} has the parts {sorted(named)}; expected {sorted(PARTS)}.")
    twice = sorted({name for name in listed if listed.count(name) > 1})
    if twice:
        raise DatasetError(f"The split {path} lists cases more than once: {', '.join(twice)}.")
    known = {case.name: case for case in cases}
    unknown = sorted(set(listed) - set(known))
    if unknown:
        raise DatasetError(f"The split {path} lists {len(unknown)} cases that the dataset lacks: {', '.join(unknown[:10])}.")
    of_split = {name: replace(known[name], patient=str(patients.get(name, known[name].patient))) for name in listed}
    parts = {part: [of_split[name] for name in names] for part, names in named.items()}
    refuse_shared_patients(parts, str(path))
    return parts


def refuse_shared_patients(parts: Parts, source: str) -> None:
    """Refuse a split that would test on whom it was fitted on.

    Raises:
        DatasetError: a patient is in two parts; each is named with them.
    """
    of: dict[str, list[str]] = {}
    for part, cases in parts.items():
        for patient in {case.patient for case in cases}:
            of.setdefault(patient, []).append(part)
    shared = [f"{patient} ({', '.join(found)})" for patient, found in sorted(of.items()) if len(found) > 1]
    if shared:
        raise DatasetError(
            f"The split {source} has {len(shared)} patients in more than one part: {'; '.join(shared[:10])}. Draw it anew by patients."
        )


def _held_out(by_patient: dict[str, list[Case]], tested: list[str], held: Mapping[str, float], seed: int, stratify: str | None) -> Parts:
    rest = [case for patient, cases in by_patient.items() if patient not in set(tested) for case in cases]
    parts = draw_split(rest, {"train": 1 - sum(held.values()), **held}, seed, stratify)
    return {**parts, "test": _cases_of(tested, by_patient)}


def _by_patient(cases: Sequence[Case]) -> dict[str, list[Case]]:
    found: dict[str, list[Case]] = {}
    for case in sorted(cases, key=lambda case: (case.patient, case.name)):
        found.setdefault(case.patient, []).append(case)
    return found


def _cases_of(patients: Sequence[str], by_patient: dict[str, list[Case]]) -> list[Case]:
    return sorted((case for patient in patients for case in by_patient[patient]), key=lambda case: case.name)


def _shuffled(by_patient: dict[str, list[Case]], seed: int, stratify: str | None) -> list[str]:
    """Patients in random order; any stretch of it holds each stratum in proportion, where there are strata."""
    rng = np.random.default_rng(seed)
    order = rng.permutation(sorted(by_patient)).tolist()
    if stratify is None:
        return order
    strata: dict[str, list[str]] = {}
    of_patient = strata_of(by_patient, stratify)
    for patient in order:
        strata.setdefault(of_patient[patient], []).append(patient)
    # Each stratum is spread evenly over 0..1, shifted at random so that small ones do not always fall into the largest part.
    place = {}
    for _, patients in sorted(strata.items()):
        shift = rng.random()
        place |= {patient: (number + shift) / len(patients) for number, patient in enumerate(patients)}
    return sorted(order, key=place.__getitem__)


def _counts(sizes: Mapping[str, float], patients: int) -> dict[str, int]:
    """Numbers of patients: as given, or of fractions by largest remainder with at least one each."""
    if all(isinstance(size, int) for size in sizes.values()):
        if sum(sizes.values()) != patients or min(sizes.values()) < 0:
            raise DatasetError(f"The parts {dict(sizes)} add up to {sum(sizes.values())} patients; the dataset has {patients}.")
        return dict(sizes)
    if abs(sum(sizes.values()) - 1) > 1e-6 or min(sizes.values()) < 0:
        raise DatasetError(f"The fractions {dict(sizes)} add up to {sum(sizes.values()):g}; expected 1, and none below 0.")
    wanted = {part: size for part, size in sizes.items() if size > 0}
    if patients < len(wanted):
        raise DatasetError(f"{patients} patients are too few for {len(wanted)} parts ({', '.join(wanted)}); at least one each is needed.")
    counts = {part: max(int(size * patients + 1e-9), 1) for part, size in wanted.items()}
    while sum(counts.values()) != patients:
        step = 1 if sum(counts.values()) < patients else -1
        open_parts = [part for part in wanted if step > 0 or counts[part] > 1]
        part = max(open_parts, key=lambda part: step * (wanted[part] * patients - counts[part]))
        counts[part] += step
    return {part: counts.get(part, 0) for part in sizes}
