"""Probabilities of logits that are noisy (Kendall and Gal 2017, arXiv:1703.04977, equation 12)."""

from __future__ import annotations

import torch

from deepseg.uncertainty.recalibration import as_probabilities

_DRAWS = 32


def deviations(spread: torch.Tensor) -> torch.Tensor:
    """Standard deviations of logits, not negative, from what the network's spread block gives."""
    return torch.nn.functional.softplus(spread)


def without_noise(logits: torch.Tensor, spread: torch.Tensor, seed: int, overlapping: bool) -> torch.Tensor:
    """Mean probabilities (L, I, J, K) of logits with independent Gaussian noise, of which `spread` (L, I, J, K) tells the deviations."""
    generator, total = torch.Generator().manual_seed(seed), torch.zeros_like(logits)
    width = deviations(spread)
    for _ in range(_DRAWS):
        total += as_probabilities(logits + width * torch.randn(logits.shape, generator=generator), overlapping)
    return total / _DRAWS
