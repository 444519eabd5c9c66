"""The patient moves during an MR scan: parts of k-space come from the head in another place.

As TorchIO's `RandomMotion` (Shaw et al. 2019, "MRI k-space motion artefact augmentation"; Perez-Garcia et al. 2021,
doi:10.1016/j.cmpb.2021.106236): the moves happen between lines along one axis, each rigid.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch

from deepseg_train.augmentation.along_axes import along_axis
from deepseg_train.augmentation.geometry.affine import Affine, AffineSettings, draw_affine
from deepseg_train.augmentation.geometry.sampling import read_linearly, reading_places
from deepseg_train.augmentation.grid import PatchGrid
from deepseg_train.augmentation.intensity.lines import filter_of_lines
from deepseg_train.augmentation.ranges import need_at_least, need_share


@dataclass(frozen=True)
class MotionSettings:
    """How likely and how strong.

    Attributes:
        probability: of any motion.
        moves: how often the patient moves.
        rotate_degrees: largest angle of each move about each axis, to either side.
        translate_mm: its largest way along each axis, to either side.
    """

    probability: float = 0.0
    moves: int = 2
    rotate_degrees: float = 5.0
    translate_mm: float = 3.0

    def __post_init__(self) -> None:
        need_share(self, "probability")
        need_at_least(self, 1, "moves")
        need_at_least(self, 0, "rotate_degrees", "translate_mm")


@dataclass(frozen=True)
class Motion:
    """Moves, and after which share of the lines along `axis` (0 for I) each happens.

    Where the patient lies while the middle of k-space is measured, which holds most of the image, is where the labels are.
    """

    axis: int
    times: tuple[float, ...]
    moves: tuple[Affine, ...]

    @classmethod
    def draw(cls, settings: MotionSettings, rng: np.random.Generator, grid: PatchGrid) -> Motion:
        rigid = AffineSettings(1.0, (settings.rotate_degrees,) * 3, (1.0, 1.0), 0.0, settings.translate_mm)
        times = tuple(sorted(rng.random(settings.moves).tolist()))
        return cls(int(rng.integers(3)), times, tuple(draw_affine(rigid, rng, grid) for _ in range(settings.moves)))

    def apply(self, channel: torch.Tensor) -> torch.Tensor:
        size = tuple(channel.shape)
        lines = size[self.axis]
        borders = [round(time * lines) for time in self.times]
        phase = np.searchsorted(borders, np.arange(lines), side="right")
        middle = phase[lines // 2]
        result = along_axis(channel, filter_of_lines((phase == middle).astype(float)), self.axis)
        others = [n for n in range(len(self.moves) + 1) if n != middle]
        for n, move in zip(others, self.moves, strict=True):
            part = (phase == n).astype(float)
            if part.any():
                places = reading_places((0, 0, 0), size, (False, False, False), move, None)
                result += along_axis(read_linearly(channel[None], places, "border")[0], filter_of_lines(part), self.axis)
        return result
