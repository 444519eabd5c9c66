"""The windows over an image that a question is about, and how much each of them says."""

from __future__ import annotations

import torch
from torch import nn

from deepseg.inference import Corner, pad_to_window
from deepseg.spec import WindowSpec
from deepseg.windows import all_starts, window_weight

Strides = tuple[int, int, int]


class AskedWindows:
    """Windows whose logits, each weighed by its share, add up to the blended logits wherever the question asks.

    Attributes:
        corners: first voxels (I, J, K) of those that see a voxel that counts, in the padded image.
        shape: of the padded image.
    """

    def __init__(self, window: WindowSpec, where: torch.Tensor, strides: Strides = (1, 1, 1)) -> None:
        """`where` (I, J, K) is the question's; windows begin at multiples of `strides`."""
        self.window, self._strides, self._size = window, strides, tuple(where.shape)
        # A window of the given size, then windows at multiples of the strides, the last of which ends at the border.
        self._more = tuple(
            -max(length - size, 0) % stride if size > 1 else 0 for length, size, stride in zip(where.shape, window.size, strides, strict=True)
        )
        self.where = self.pad(where[None])[0]
        self.shape: Corner = tuple(self.where.shape)
        starts = [sorted({s - s % stride for s in some}) for some, stride in zip(all_starts(self.shape, window), strides, strict=True)]
        self._weight = window_weight(window)
        self._total = torch.zeros(self.shape)
        every = [(i, j, k) for i in starts[0] for j in starts[1] for k in starts[2]]
        for corner in every:
            self._total[self.place(corner)] += self._weight
        self.corners = [corner for corner in every if self.where[self.place(corner)].any()]

    def place(self, corner: Corner) -> tuple[slice, slice, slice]:
        """Where a window lies in the padded image."""
        return tuple(slice(c, c + n) for c, n in zip(corner, self.window.size, strict=True))

    def share(self, corner: Corner) -> torch.Tensor:
        """Share (i, j, k) of a window in the blended logits."""
        return self._weight / self._total[self.place(corner)]

    def pad(self, image: torch.Tensor) -> torch.Tensor:
        """An image (C, I, J, K) as the windows see it."""
        if any(self._more):
            amounts = [part for more in reversed(self._more) for part in (0, more)]
            mode = {"zero": "constant", "replicate": "replicate"}[self.window.padding]
            image = nn.functional.pad(image[None], amounts, mode=mode)[0]
        return pad_to_window(image, self.window)[0]

    def unpad(self, values: torch.Tensor) -> torch.Tensor:
        """The part of (C, I, J, K) that is the image."""
        lengths = [n + more for n, more in zip(self._size, self._more, strict=True)]
        before = [max(size - length, 0) // 2 for size, length in zip(self.window.size, lengths, strict=True)]
        return values[(slice(None), *(slice(b, b + n) for b, n in zip(before, self._size, strict=True)))]

    def region(self) -> tuple[slice, slice, slice]:
        """Smallest box around all the windows."""
        low = [min(corner[axis] for corner in self.corners) for axis in range(3)]
        high = [max(corner[axis] for corner in self.corners) + self.window.size[axis] for axis in range(3)]
        return tuple(slice(a, b) for a, b in zip(low, high, strict=True))

    def asked(self) -> tuple[slice, slice, slice]:
        """Smallest box around the voxels that count."""
        at = torch.nonzero(self.where)
        return tuple(slice(int(a), int(b) + 1) for a, b in zip(at.amin(0), at.amax(0), strict=True))

    def __len__(self) -> int:
        return len(self.corners)
