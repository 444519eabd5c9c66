"""What can be wrong with a dataset, in one form for every check."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Problem:
    """What is wrong with a file (or the folder, for what concerns the dataset as a whole), why, and what to do about it.

    `harmless`: nothing needs to be done where it is meant so.
    """

    file: Path
    reason: str
    advice: str
    harmless: bool = False

    def __str__(self) -> str:
        return f"{'Note: ' if self.harmless else ''}{self.file}: {self.reason}. {self.advice}"
