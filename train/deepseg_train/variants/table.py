"""The table of variants, as Markdown."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from deepseg_train.variants.agreement import GoldenDifference
from deepseg_train.variants.loss import Loss


@dataclass(frozen=True)
class Row:
    """One way to have the model's answer.

    Attributes:
        name: what it is.
        computes_in: number types of its arithmetic.
        size_bytes: of its weight files or its ONNX file.
        milliseconds: for a window.
        loss: on held-out cases; None for the model itself.
        golden: differences from the model's golden file; None for the model itself.
    """

    name: str
    computes_in: str
    size_bytes: int
    milliseconds: float
    loss: Loss | None
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
    """A line for each way."""
    return "\n".join([f"| {' | '.join(_HEADINGS)} |", "|---" * len(_HEADINGS) + "|", *(f"| {' | '.join(_cells(row))} |" for row in rows)])


def change_text(loss: Loss) -> str:
    """Change of Dice with its interval."""
    return f"{loss.change.mean:+.4f} ({loss.change.low:+.4f} to {loss.change.high:+.4f})"


def _cells(row: Row) -> list[str]:
    loss, golden = row.loss, row.golden
    told = ["", "", "", ""]
    if loss:
        largest = "not asked" if loss.largest is None else f"{loss.largest:.2g}"
        told = [change_text(loss), f"{loss.worst:+.4f}", largest, f"{100 * loss.relabelled:.2f}"]
    agreement = f"{golden.mean:.1e} ({golden.largest:.1e})" if golden else ""
    return [row.name, row.computes_in, f"{row.size_bytes / 1e6:.2f}", f"{row.milliseconds:.0f}", *told, agreement]
