"""What was measured, in the words of a variant's card and of the summary."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch

from deepseg.bundle import ModelBundle
from deepseg_train.variants.accuracy_change import CaseAnswer
from deepseg_train.variants.drafts import Draft
from deepseg_train.variants.table import Row, dice_change_text, variants_table


def card_text(model: ModelBundle, draft: Draft, row: Row, cases: int) -> str:
    """The part of a variant's card that tells how it differs from its model, as Markdown."""
    change, golden = row.change, row.golden
    measured = [f"Change of mean Dice: {dice_change_text(change)}, 95 % bootstrap interval over patients; worst case {change.worst:+.4f}."]
    if change.largest is not None:
        measured.append(f"Largest difference of a probability in any voxel: {change.largest:.2g}.")
    measured.append(f"Voxels with another label: {100 * change.relabelled:.2f} % of those that are not background.")
    measured.append(
        f"Probabilities of the model's golden file: {golden.mean:.1e} on average, {golden.largest:.1e} at most "
        f"(limit {draft.kind.golden_limit:g} on average)."
    )
    if draft.kind.name == "onnx":
        measured.append(f"Logits of windows of noise, ONNX Runtime against PyTorch: {draft.logits:.1e} at most.")
    measured.append(f"Size: {row.size_bytes / 1e6:.2f} MB.")
    lines = "\n".join(f"- {line}" for line in measured)
    trust = "\n\nA calibration belongs to the weights it was fitted with; this variant has none (`deepseg-train calibrate`)."
    return f"""## This variant
These are the weights of {model.spec.id} {model.spec.version}, {draft.kind.told}. Other figures on this card were measured with that model itself.
Against it, on {cases} held-out cases:

{lines}{"" if draft.kind.is_onnx else trust}"""


def summary(model: ModelBundle, rows: Sequence[Row], refused: Mapping[str, str], own: Sequence[CaseAnswer]) -> str:
    """The table and how to read it, as Markdown.

    Args:
        model: the model.
        rows: of the table.
        refused: why a variant was not written, by its name.
        own: the model's own answers.
    """
    mean = sum(answer.mean_dice for answer in own) / len(own)
    return "\n\n".join(
        [
            variants_table(rows),
            f"{len(own)} held-out cases of {model.spec.id} {model.spec.version}, whose own mean Dice is {mean:.4f}. Changes are variant minus model, "
            "with 95 % bootstrap intervals over patients; voxels are those that are not background.",
            f"Time: median of passes over one window on the processor with {torch.get_num_threads()} threads, taking turns.",
            *(f"Not written: {name}. {reason}" for name, reason in refused.items()),
        ]
    )
