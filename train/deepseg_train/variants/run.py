"""All variants of a model: made, held against its golden file, measured on held-out cases, and written with what was measured."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch

from deepseg.bundle import ModelBundle
from deepseg.bundle_writer import refuse_existing
from deepseg.errors import OutputError
from deepseg.fast_network import fast_precision
from deepseg.golden import check_golden
from deepseg_train.data import Case
from deepseg_train.errors import ConfigError
from deepseg_train.variants.accuracy_change import CaseAnswer, RunSetup, accuracy_change, answer_cases, metrics_of
from deepseg_train.variants.drafts import Draft, make_drafts
from deepseg_train.variants.kinds import KINDS, refuse_missing_packages
from deepseg_train.variants.model_folder import save_model_folder
from deepseg_train.variants.onnx_folder import write_onnx_folder
from deepseg_train.variants.speed import milliseconds_per_window
from deepseg_train.variants.table import Row
from deepseg_train.variants.told import card_text, summary

TABLE_FILE = "variants.md"


@dataclass(frozen=True)
class Outcome:
    """What came of it.

    Attributes:
        folder: with a folder for each variant that was written, and the table.
        rows: the model itself, the model in the number type that is fastest here, and the variants.
        told: the table and how to read it, as Markdown.
        refused: why a variant was not written, by its name.
    """

    folder: Path
    rows: tuple[Row, ...]
    told: str
    refused: dict[str, str]


def make_variants(model: ModelBundle, kinds: Sequence[str], cases: Sequence[Case], seen: Sequence[Case], folder: Path) -> Outcome:
    """Make variants of a model.

    Args:
        model: the finished model.
        kinds: keys of `KINDS`.
        cases: held-out, to measure on.
        seen: training cases, from which 8-bit ONNX learns the range of activations.
        folder: must not exist; it appears whole or not at all.

    Raises:
        OutputError: the folder exists or cannot be written.
        ModelError: the model does not reproduce its own golden file.
        ConfigError: there is no case to measure on, packages for ONNX are missing, or no variant could be made.
        DatasetError: a case cannot be read.
    """
    refuse_existing(folder)
    chosen = [KINDS[name] for name in dict.fromkeys(kinds)]
    refuse_missing_packages(chosen)
    if not cases:
        raise ConfigError("There is no case to measure variants on; the split has none in its part 'test'.")
    check_golden(model)
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=".deepseg-", dir=folder.parent) as work:
            drafts, refused = make_drafts(model, chosen, seen, Path(work))
            if not drafts:
                raise ConfigError("No variant could be made. " + " ".join(f"{name}: {reason}" for name, reason in refused.items()))
            rows, answers = _measured(model, drafts, cases)
            made = Path(work) / "made"
            for draft, row in zip(drafts, rows[-len(drafts) :], strict=True):
                _write(model, draft, row, answers[draft.setup.name], made)
            told = summary(model, rows, refused, next(iter(answers.values())))
            (made / TABLE_FILE).write_text(told + "\n", encoding="utf-8")
            made.rename(folder)
    except OSError as error:
        raise OutputError(f"Cannot write the variants {folder}: {error}.") from error
    return Outcome(folder, tuple(rows), told, refused)


def _measured(model: ModelBundle, drafts: Sequence[Draft], cases: Sequence[Case]) -> tuple[list[Row], dict[str, list[CaseAnswer]]]:
    """Rows of the table, those of the drafts last; and the answers by name, the model's own first."""
    own = RunSetup("the model as it is", model)
    fast = fast_precision(torch.device("cpu"))
    others = [RunSetup(f"the model as it is, in {fast}", model, fast)] if fast != own.precision else []
    answers = answer_cases(own, [*others, *(draft.setup for draft in drafts)], cases)
    milliseconds = milliseconds_per_window([own, *others, *(draft.setup for draft in drafts)])
    weights = _size([model.weights_path(name) for name in model.spec.weights])
    rows = [Row(own.name, own.precision, weights, milliseconds[own.name], None)]
    for setup in others:
        change = accuracy_change(answers[setup.name], answers[own.name])
        rows.append(Row(setup.name, setup.precision, weights, milliseconds[setup.name], change))
    for draft in drafts:
        name = draft.setup.name
        change = accuracy_change(answers[name], answers[own.name])
        rows.append(Row(name, draft.kind.computes_in, _size(draft.files), milliseconds[name], change, draft.golden))
    return rows, answers


def _size(files: Sequence[Path]) -> int:
    return sum(file.stat().st_size for file in files)


def _write(model: ModelBundle, draft: Draft, row: Row, answers: Sequence[CaseAnswer], made: Path) -> None:
    """Write a variant with what was measured."""
    told, target = card_text(model, draft, row, len(answers)), made / draft.kind.name
    if draft.kind.is_onnx:
        target.mkdir(parents=True)
        (file,) = draft.files
        write_onnx_folder(model, draft.kind, Path(shutil.copyfile(file, target / "model.onnx")), target, told)
        return
    what = f"{len(answers)} held-out cases, measured with the weights of this variant."
    save_model_folder(model, draft.kind, target, {"what": what, **metrics_of(answers)}, told)
