"""The table of variants, as Markdown."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from deepseg_train.variants.accuracy_change import AccuracyChange
from deepseg_train.variants.agreement import GoldenDifference


@dataclass(frozen=True)
class Row:
    """One setup: the model itself or a variant.

    Attributes:
        name: what it is.
        computes_in: number types of its arithmetic.
        size_bytes: of its weight files or its ONNX file.
        milliseconds: for a window.
        change: of the accuracy on held-out cases; None for the model itself.
        golden: differences from the model's golden file; None for the model itself.
    """

    name: str
    computes_in: str
    size_bytes: int
    milliseconds: float
    change: AccuracyChange | None
    golden: GoldenDifference | None = None


_HEADINGS = (
    "variant",
    "computes in",
    "MB",
    "ms a window",
    "change of mean Dice",
    "worst case",
    "largest difference of a probability",
    "voxels with another label (%)",
    "golden file: mean (largest) difference",
)


def variants_table(rows: Sequence[Row]) -> str:
    """A line for each row."""
    return "\n".join([f"| {' | '.join(_HEADINGS)} |", "|---" * len(_HEADINGS) + "|", *(f"| {' | '.join(_cells(row))} |" for row in rows)])


def dice_change_text(change: AccuracyChange) -> str:
    """Change of mean Dice with its interval."""
    return f"{change.mean_dice.mean:+.4f} ({change.mean_dice.low:+.4f} to {change.mean_dice.high:+.4f})"


def _cells(row: Row) -> list[str]:
    change, golden = row.change, row.golden
    told = ["", "", "", ""]
    if change:
        largest = "not computed: images too large" if change.largest is None else f"{change.largest:.2g}"
        told = [dice_change_text(change), f"{change.worst:+.4f}", largest, f"{100 * change.relabelled:.2f}"]
    agreement = f"{golden.mean:.1e} ({golden.largest:.1e})" if golden else ""
    return [row.name, row.computes_in, f"{row.size_bytes / 1e6:.2f}", f"{row.milliseconds:.0f}", *told, agreement]
