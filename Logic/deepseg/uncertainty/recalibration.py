"""Recalibration of probabilities after training, learned from held-out cases. All of it works on the logarithms of a sampler's mean
probabilities, so that means over samples are recalibrated as a single answer is.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

import torch

_SMALLEST = 1e-6
_AT_A_TIME = 1 << 20
"""Voxels; what is held beside them is a few times as much."""


class Recalibration(Protocol):
    """A fitted method of recalibration."""

    def apply(self, probabilities: torch.Tensor, overlapping: bool) -> torch.Tensor:
        """Recalibrated probabilities of float32 (L, ...); `overlapping`: each channel is a label against its absence."""

    def to_json(self) -> dict[str, Any]:
        """JSON types, to be read by `recalibration_from_json`."""


@dataclass(frozen=True, eq=False)
class Temperature:
    """Softens (above 1) or sharpens (below 1) (Guo et al. 2017, arXiv:1706.04599).

    Attributes:
        temperatures: (1) for all channels or (L), one for each.
    """

    temperatures: torch.Tensor

    def apply(self, probabilities: torch.Tensor, overlapping: bool) -> torch.Tensor:
        temperatures = self.temperatures.to(probabilities).reshape(-1, *[1] * (probabilities.ndim - 1))
        return as_probabilities(as_logits(probabilities, overlapping) / temperatures, overlapping)

    def to_json(self) -> dict[str, Any]:
        return {"method": "temperature", "temperatures": self.temperatures.tolist()}


@dataclass(frozen=True, eq=False)
class LearnedMap:
    """A small network on the logits of one voxel, with one hidden layer, added to them: what a label's 0.7 is worth depends on which label is
    the runner-up. Without the hidden layer it would be Dirichlet calibration (Kull et al. 2019, arXiv:1910.12656).

    Attributes:
        center, scale: (L), to normalise logits.
        hidden, hidden_bias: (H, L) and (H).
        output, output_bias: (L, H) and (L).
    """

    center: torch.Tensor
    scale: torch.Tensor
    hidden: torch.Tensor
    hidden_bias: torch.Tensor
    output: torch.Tensor
    output_bias: torch.Tensor

    def apply(self, probabilities: torch.Tensor, overlapping: bool) -> torch.Tensor:
        flat, result = probabilities.reshape(len(probabilities), -1), torch.empty_like(probabilities)
        parts = zip(flat.split(_AT_A_TIME, 1), result.view(len(result), -1).split(_AT_A_TIME, 1), strict=True)
        for part, into in parts:
            into[...] = as_probabilities(self.logits(as_logits(part, overlapping)), overlapping)
        return result

    def logits(self, logits: torch.Tensor) -> torch.Tensor:
        """Recalibrated logits of logits (L, N)."""
        inner = torch.nn.functional.silu(self.hidden @ ((logits.T - self.center) / self.scale).T + self.hidden_bias[:, None])
        return logits + self.output @ inner + self.output_bias[:, None]

    def to_json(self) -> dict[str, Any]:
        return {"method": "learned map", **{name: getattr(self, name).tolist() for name in self.__dataclass_fields__}}


def as_logits(probabilities: torch.Tensor, overlapping: bool) -> torch.Tensor:
    """Logarithms of exclusive classes' probabilities (L, ...), or log-odds of labels that may overlap; kept finite."""
    return torch.logit(probabilities, _SMALLEST) if overlapping else probabilities.clamp_min(_SMALLEST).log()


def as_probabilities(logits: torch.Tensor, overlapping: bool) -> torch.Tensor:
    """The way back from `as_logits`."""
    return torch.sigmoid(logits) if overlapping else torch.softmax(logits, 0)


def recalibration_from_json(section: dict[str, Any]) -> Recalibration:
    """The opposite of `to_json`; the section has been checked against the schema."""
    values = {name: torch.tensor(numbers, dtype=torch.float32) for name, numbers in section.items() if name != "method"}
    return {"temperature": Temperature, "learned map": LearnedMap}[section["method"]](**values)
