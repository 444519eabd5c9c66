"""Factors of lines of k-space as a matrix along an axis."""

from __future__ import annotations

import numpy as np
import torch


def filter_of_lines(factors: np.ndarray) -> torch.Tensor:
    """What multiplying k-space by `factors` does to the image: a circulant matrix, float32 (n, n).

    Args:
        factors: (n,) of the lines in rising frequency, that of frequency 0 at n // 2. The real part of the result is kept, as a magnitude image would
            nearly show.
    """
    kernel = np.fft.ifft(np.fft.ifftshift(factors)).real
    at = np.arange(len(kernel))
    return torch.from_numpy(kernel[(at[:, np.newaxis] - at) % len(kernel)].astype(np.float32))
