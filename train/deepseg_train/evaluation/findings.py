"""Everything that one evaluation found, for the report and the checklist."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from deepseg import api
from deepseg_train.data import Case, Dataset
from deepseg_train.evaluation.cases import Answers
from deepseg_train.evaluation.subgroups import Subgroups


@dataclass(frozen=True, eq=False)
class Findings:
    """What was evaluated, and what came out.

    Attributes:
        name: of the model, or of the folder of predictions.
        dataset: what was evaluated on.
        part: which of its cases, in words.
        cases: these.
        answers: who answered, so that cases can be shown.
        rows: of `rows_of`.
        summary: of `summarise`.
        bundle: the model; None where predictions came from elsewhere.
        subgroups: by column.
        others: rows of other models on the same cases, by their names.
        parts: number of cases in each part of the split; empty without one.
        calibration: of `calibration_of`; empty where there are no probabilities.
    """

    name: str
    dataset: Dataset
    part: str
    cases: Sequence[Case]
    answers: Answers
    rows: list[dict[str, Any]]
    summary: dict[str, Any]
    bundle: api.ModelBundle | None = None
    subgroups: tuple[Subgroups, ...] = ()
    others: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    parts: dict[str, int] = field(default_factory=dict)
    calibration: dict[str, Any] = field(default_factory=dict)
