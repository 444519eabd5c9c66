"""What the number loses when a box of the image is blurred away (Zeiler and Fergus 2014, arXiv:1311.2901)."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from itertools import product

import torch

from deepseg.explanation.blurring import blurred
from deepseg.explanation.methods.method import Asked
from deepseg.explanation.passes import Passes
from deepseg.inference import window_at
from deepseg.windows import window_starts

Boxed = tuple[slice, slice, slice]
Size = tuple[int, int, int]
Fill = Callable[[torch.Tensor], torch.Tensor]


class Occlusion:
    title, needs_layer, passes = "Occlusion", False, 0

    def __init__(self, size: Size = (8, 8, 8), overlap: float = 0.5, fill: Fill | None = None) -> None:
        """Boxes of `size` voxels, of which neighbours share `overlap`; `fill` makes of an image what lies in covered boxes (None: it is blurred)."""
        self._size, self._overlap, self._fill = size, overlap, fill

    def attribute(self, asked: Asked) -> torch.Tensor:
        shape = asked.image.shape[1:]
        covered = Covered(asked.passes, asked.image, self._fill(asked.image) if self._fill else blurred(asked.image, asked.passes.network.spec))
        total, count = torch.zeros(shape), torch.zeros(shape)
        for box in boxes(tuple(shape), self._size, self._overlap):
            total[box] += covered.loss(box)
            count[box] += 1
        return total / count


class CoarseToFineOcclusion:
    """Large boxes first; the most telling of them are split, until a tenth of the passes that `Occlusion` needs is spent.

    The map holds what a box of `size` loses: measured in split boxes, elsewhere the large box's loss shared out among those in it.
    """

    title, needs_layer, passes = "Occlusion, coarse to fine", False, 0

    def __init__(self, size: Size = (6, 6, 6), overlap: float = 0.5, fill: Fill | None = None) -> None:
        """As `Occlusion`, whose number of boxes it stays a tenth below."""
        self._size, self._overlap, self._fill = size, overlap, fill

    def attribute(self, asked: Asked) -> torch.Tensor:
        shape = tuple(asked.image.shape[1:])
        covered = Covered(asked.passes, asked.image, self._fill(asked.image) if self._fill else blurred(asked.image, asked.passes.network.spec))
        left = len(list(boxes(shape, self._size, self._overlap))) // 10
        large = list(_tiles(shape, tuple(2 * s for s in self._size)))
        result, losses, small = torch.zeros(shape), [], math.prod(self._size)
        for box in large:
            losses.append(covered.loss(box))
            result[box] = losses[-1] * min(small / math.prod(s.stop - s.start for s in box), 1.0)
        left -= len(large)
        for n in sorted(range(len(large)), key=lambda n: -abs(losses[n])):
            parts = list(_halves(large[n]))
            left -= len(parts)
            if left < 0:
                break
            for part in parts:
                result[part] = covered.loss(part)
        return result


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


def boxes(shape: tuple[int, int, int], size: tuple[int, int, int], overlap: float) -> Iterator[Boxed]:
    """Boxes over an image, as MONAI's sliding window lays them."""
    size = tuple(min(n, s) for n, s in zip(shape, size, strict=True))
    for corner in product(*(window_starts(n, s, overlap, "fixed") for n, s in zip(shape, size, strict=True))):
        yield tuple(slice(c, c + s) for c, s in zip(corner, size, strict=True))


def _meet(first: Boxed, second: Boxed) -> bool:
    return all(a.start < b.stop and b.start < a.stop for a, b in zip(first, second, strict=True))


def _tiles(shape: Size, size: Size) -> Iterator[Boxed]:
    """Boxes side by side, cut off at the border."""
    for corner in product(*(range(0, n, s) for n, s in zip(shape, size, strict=True))):
        yield tuple(slice(c, min(c + s, n)) for c, s, n in zip(corner, size, shape, strict=True))


def _halves(box: Boxed) -> Iterator[Boxed]:
    """The eight parts of a box."""
    for sides in product(*(((s.start, (s.start + s.stop + 1) // 2), ((s.start + s.stop + 1) // 2, s.stop)) for s in box)):
        if all(a < b for a, b in sides):
            yield tuple(slice(a, b) for a, b in sides)
