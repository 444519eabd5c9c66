"""What the network runs on."""

from __future__ import annotations

import torch


def best_device() -> torch.device:
    """A CUDA card if there is one, else Apple's GPU, else the processor."""
    if torch.cuda.is_available():
        return torch.device("cuda")
    if torch.backends.mps.is_available():
        return torch.device("mps")
    return torch.device("cpu")
