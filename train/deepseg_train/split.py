"""Which patient is used for what. Each patient is in one part only."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

from deepseg_train.dataset import Case
from deepseg_train.errors import DatasetError

PARTS = {
    "train": "weights are fitted on these",
    "validation": "watched while training, to keep the best weights and to stop early",
    "calibrate": "held out for calibration and guarantees",
    "test": "held out for the figures in the model card",
}


def draw_split(names: list[str], sizes: dict[str, int], seed: int) -> dict[str, list[str]]:
    """Draw patients at random into parts of the given sizes.

    Raises:
        DatasetError: the sizes do not add up to the number of patients.
    """
    if sum(sizes.values()) != len(names):
        raise DatasetError(f"The parts {sizes} add up to {sum(sizes.values())} patients; the dataset has {len(names)}.")
    shuffled = np.random.default_rng(seed).permutation(sorted(names)).tolist()
    split, start = {}, 0
    for part, size in sizes.items():
        split[part] = sorted(shuffled[start : start + size])
        start += size
    return split


def load_split(path: Path, cases: list[Case]) -> dict[str, list[Case]]:
    """Read a split file and look its patients up.

    Raises:
        DatasetError: not readable, an unknown part, a patient in two parts, or one the dataset lacks.
    """
    try:
        named = json.loads(path.read_text(encoding="utf-8"))["parts"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise DatasetError(f"The split {path} cannot be read: {error!r}") from error
    if set(named) != set(PARTS):
        raise DatasetError(f"The split {path} has the parts {sorted(named)}; expected {sorted(PARTS)}.")
    listed = [name for names in named.values() for name in names]
    twice = sorted({name for name in listed if listed.count(name) > 1})
    if twice:
        raise DatasetError(f"The split {path} lists patients more than once: {', '.join(twice)}.")
    known = {case.name: case for case in cases}
    unknown = sorted(set(listed) - set(known))
    if unknown:
        raise DatasetError(f"The split {path} lists {len(unknown)} patients that the dataset lacks: {', '.join(unknown[:10])}.")
    return {part: [known[name] for name in names] for part, names in named.items()}
