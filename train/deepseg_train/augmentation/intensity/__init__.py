"""Changes of intensity, which the image alone undergoes, each channel its own: one file a change, one registry line.

A change has settings (frozen, with a `probability`) and what was drawn (frozen, numbers only, so that it can be written down and replayed):
`draw(settings, rng, grid)` draws it, `apply(channel)` gives the changed channel, float32 (I, J, K), and leaves its argument as it was.
"""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np
import torch

from deepseg_train.augmentation.grid import PatchGrid
from deepseg_train.augmentation.intensity.bias_field import BiasField
from deepseg_train.augmentation.intensity.blur import Blur
from deepseg_train.augmentation.intensity.brightness import Brightness
from deepseg_train.augmentation.intensity.contrast import Contrast
from deepseg_train.augmentation.intensity.gamma import Gamma
from deepseg_train.augmentation.intensity.ghosting import Ghosting
from deepseg_train.augmentation.intensity.low_resolution import LowResolution
from deepseg_train.augmentation.intensity.motion import Motion
from deepseg_train.augmentation.intensity.noise import Noise


class IntensityChange(Protocol):
    """What was drawn for one channel of one patch."""

    @classmethod
    def draw(cls, settings: Any, rng: np.random.Generator, grid: PatchGrid) -> IntensityChange: ...

    def apply(self, channel: torch.Tensor) -> torch.Tensor: ...


CHANGES: dict[str, type[IntensityChange]] = {
    "bias_field": BiasField,
    "motion": Motion,
    "ghosting": Ghosting,
    "blur": Blur,
    "low_resolution": LowResolution,
    "brightness": Brightness,
    "contrast": Contrast,
    "gamma": Gamma,
    "inverted_gamma": Gamma,
    "noise": Noise,
}
"""In the order in which they are applied, that of a scan: what the patient and the coil do, then the reconstruction, then the display."""
