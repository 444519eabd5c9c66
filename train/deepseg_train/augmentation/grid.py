"""The patch that training asks for: its size, its voxels and which way its axes run."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from deepseg.spec import ModelSpec

Direction = Literal["left_right", "anterior_posterior", "superior_inferior"]
_LETTERS: dict[str, Direction] = {
    "L": "left_right",
    "R": "left_right",
    "A": "anterior_posterior",
    "P": "anterior_posterior",
    "S": "superior_inferior",
    "I": "superior_inferior",
}


@dataclass(frozen=True)
class PatchGrid:
    """A patch on the model's grid.

    Attributes:
        size: voxels along I, J, K.
        spacing_mm: along I, J, K; 1 where the model keeps each image's own.
        orientation: which way I, J and K run, for example RAS.
    """

    size: tuple[int, int, int]
    spacing_mm: tuple[float, float, float] = (1.0, 1.0, 1.0)
    orientation: str = "RAS"

    @classmethod
    def of(cls, spec: ModelSpec) -> PatchGrid:
        """The patch of a model: its window."""
        return cls(tuple(spec.window.size), tuple(1.0 if mm is None else mm for mm in spec.spacing_mm), spec.orientation)

    @property
    def directions(self) -> tuple[Direction, Direction, Direction]:
        """What I, J and K run along in the body."""
        first, second, third = (_LETTERS[letter] for letter in self.orientation)
        return first, second, third
