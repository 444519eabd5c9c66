"""Mixup (Zhang et al. 2018, arXiv:1710.09412): each image of a batch blended with another one; the loss is blended alike."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch

from deepseg_train.augmentation.ranges import need_share
from deepseg_train.errors import ConfigError


@dataclass(frozen=True)
class MixupSettings:
    """How likely and how strong; `alpha` is both parameters of the beta distribution that the share is drawn from."""

    probability: float = 0.0
    alpha: float = 0.4

    def __post_init__(self) -> None:
        need_share(self, "probability")
        if not self.alpha > 0:
            raise ConfigError(f"alpha is {self.alpha}; expected a number above 0.")


@dataclass(frozen=True)
class Mixup:
    """What was drawn for a batch; `share` is the second image's, at most one half."""

    share: float

    def apply(self, sample: dict[str, torch.Tensor], other: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
        """Blend two samples of 'image' (C, I, J, K) and 'label' (1, I, J, K).

        The other's label is added as 'label_mixed', its share as 'mix', a float32 scalar.
        """
        return {
            "image": torch.lerp(sample["image"], other["image"], self.share),
            "label": sample["label"],
            "label_mixed": other["label"],
            "mix": torch.tensor(self.share, dtype=torch.float32),
        }


def draw_mixup(settings: MixupSettings, rng: np.random.Generator) -> Mixup | None:
    """For one batch; None where it stays as it is."""
    if rng.random() >= settings.probability:
        return None
    share = float(rng.beta(settings.alpha, settings.alpha))
    return Mixup(min(share, 1 - share))
