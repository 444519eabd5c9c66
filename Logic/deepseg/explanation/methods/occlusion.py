"""What the number loses when a box of the image is blurred away (Zeiler and Fergus 2014, arXiv:1311.2901)."""

from __future__ import annotations

import math
from collections.abc import Callable
from itertools import product

import numpy as np
import torch

from deepseg.explanation.blurring import blurred
from deepseg.explanation.methods.method import Asked, Method
from deepseg.explanation.passes import Passes
from deepseg.inference import window_at
from deepseg.windows import window_starts

Boxed = tuple[slice, slice, slice]
Size = tuple[int, int, int]
Fill = Callable[[torch.Tensor], torch.Tensor]


class Occlusion(Method):
    title, needs_layer, passes = "Occlusion", False, 0

    def __init__(self, size: Size = (12, 12, 12), overlap: float = 0.75, fill: Fill | None = None) -> None:
        """Boxes of `size` voxels, of which neighbours share `overlap`; `fill` makes of an image what lies in covered boxes (None: it is blurred)."""
        self._size, self._overlap, self._fill = size, overlap, fill

    def passes_over(self, shape: Size) -> int:
        return math.prod(Lattice(shape, self._size, self._overlap).shape) + 1

    def attribute(self, asked: Asked) -> torch.Tensor:
        covered, lattice = self._begin(asked)
        losses = np.empty(lattice.shape)
        for at in np.ndindex(lattice.shape):
            losses[at] = covered.loss(lattice.box(at))
        return lattice.mean_over(losses)

    def _begin(self, asked: Asked) -> tuple[Covered, Lattice]:
        fill = self._fill(asked.image) if self._fill else blurred(asked.image, asked.passes.network.spec)
        return Covered(asked.passes, asked.image, fill), Lattice(tuple(asked.image.shape[1:]), self._size, self._overlap)


class CoarseToFineOcclusion(Occlusion):
    """A tenth of the passes: boxes evenly over the image, then those beside the most telling ones; between them losses are interpolated."""

    title = "Occlusion, coarse to fine"

    def passes_over(self, shape: Size) -> int:
        return super().passes_over(shape) // _SAVED

    def attribute(self, asked: Asked) -> torch.Tensor:
        covered, lattice = self._begin(asked)
        coarse = [_evenly(count, max(int(count / _SAVED ** (1 / 3)), 2)) for count in lattice.shape]
        losses = np.array([covered.loss(lattice.box(at)) for at in product(*coarse)]).reshape([len(some) for some in coarse])
        for axis, (some, count) in enumerate(zip(coarse, lattice.shape, strict=True)):
            losses = np.apply_along_axis(lambda line, some=some, count=count: np.interp(np.arange(count), some, line), axis, losses)
        fine = [at for at in np.ndindex(lattice.shape) if any(n not in some for n, some in zip(at, coarse, strict=True))]
        left = max((losses.size + 1) // _SAVED - 1 - math.prod(map(len, coarse)), 0)
        for at in sorted(fine, key=lambda at: -abs(losses[at]))[:left]:
            losses[at] = covered.loss(lattice.box(at))
        return lattice.mean_over(losses)


_SAVED = 10
"""One in so many passes is left, the one over the image as it is among them; a few more where only a few boxes fit into the image."""


def _evenly(count: int, some: int) -> list[int]:
    """So many of the numbers below `count`, or all of them, the first and the last included."""
    return sorted({round(n) for n in np.linspace(0, count - 1, min(some, count)).tolist()})


class Lattice:
    """Where boxes lie over an image, as MONAI's sliding window lays them.

    Attributes:
        shape: boxes along each axis.
    """

    def __init__(self, image: Size, size: Size, overlap: float) -> None:
        """An image of so many voxels; boxes of `size`, no larger than it is."""
        self._image, self._size = image, tuple(min(n, s) for n, s in zip(image, size, strict=True))
        self._starts = [window_starts(n, s, overlap, "fixed") for n, s in zip(image, self._size, strict=True)]
        self.shape = tuple(map(len, self._starts))

    def box(self, at: Size) -> Boxed:
        corner = (starts[n] for starts, n in zip(self._starts, at, strict=True))
        return tuple(slice(c, c + s) for c, s in zip(corner, self._size, strict=True))

    def mean_over(self, losses: np.ndarray) -> torch.Tensor:
        """For each voxel (I, J, K) the mean of the losses of the boxes that cover it."""
        total, count = torch.zeros(self._image), torch.zeros(self._image)
        for at in np.ndindex(self.shape):
            total[self.box(at)] += float(losses[at])
            count[self.box(at)] += 1
        return total / count


class Covered:
    """An image of which boxes are covered, one at a time. Windows that do not see a box are not asked again."""

    def __init__(self, passes: Passes, image: torch.Tensor, fill: torch.Tensor) -> None:
        self._passes, self._linear = passes, passes.question.linear
        self._image, self._fill = image, fill
        self._padded = passes.windows.pad(image)
        # Voxel numbers tell which part of the padded image a box is.
        self._first = [max(size - n, 0) // 2 for size, n in zip(passes.windows.window.size, image.shape[1:], strict=True)]
        self._locals = self._ask(range(len(passes.windows)), self._padded) if self._linear else []
        self.before = sum(self._locals) if self._linear else passes.number(image)

    def loss(self, box: Boxed) -> float:
        """How much less the number is without what lies in the box."""
        if not self._linear:
            image = self._image.clone()
            image[(slice(None), *box)] = self._fill[(slice(None), *box)]
            return self.before - self._passes.number(image)
        at = (slice(None), *(slice(s.start + b, s.stop + b) for s, b in zip(box, self._first, strict=True)))
        kept = self._padded[at].clone()
        seeing = [n for n, corner in enumerate(self._passes.windows.corners) if _meet(self._passes.windows.place(corner), at[1:])]
        self._padded[at] = self._fill[(slice(None), *box)]
        after = self._ask(seeing, self._padded)
        self._padded[at] = kept
        return sum(self._locals[n] for n in seeing) - sum(after)

    def _ask(self, which: object, image: torch.Tensor) -> list[float]:
        """What some of the windows add to the number."""
        windows = self._passes.windows
        with torch.inference_mode():
            return [float(self._passes.local(window_at(image, windows.corners[n], windows.window), windows.corners[n])) for n in which]


def _meet(first: Boxed, second: Boxed) -> bool:
    return all(a.start < b.stop and b.start < a.stop for a, b in zip(first, second, strict=True))
