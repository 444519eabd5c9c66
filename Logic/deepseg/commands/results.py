"""What a command says of a result."""

from __future__ import annotations

from pathlib import Path

from deepseg import api
from deepseg.flags import flags_of


def measured(labels: api.LabelMap) -> list[str]:
    """A line a segment: its volume, and what to look at."""
    return [", ".join([f"{label.name}: {labels.volume_ml(label):.2f} mL", *flags_of(labels.mask(label))]) for label in labels.labels]


def written(output: Path, earlier: Path | None, *beside: Path) -> str:
    """Where the result is, with what lies beside it, and what became of the file that was there."""
    told = ", ".join([str(output), *(path.name for path in beside)])
    return f"Written: {told}" + (f" (the file that was there is now {earlier.name})" if earlier else "")
