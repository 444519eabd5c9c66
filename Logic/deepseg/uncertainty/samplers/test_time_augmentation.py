"""Answers to changed images: mirrored as the training did, turned and moved a little, in other intensities (Wang et al. 2019,
doi:10.1016/j.neucom.2019.01.103). The first sample is the image as it is, the second, where the training mirrored, the image mirrored.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations

import numpy as np
from torch import nn

from deepseg.errors import UncertaintyError
from deepseg.spec import ModelSpec
from deepseg.uncertainty.samplers.passes import Pass
from deepseg.uncertainty.views import Intensity, Mirror, Motion

_DEGREES, _SCALE, _SHIFT_MM = 5.0, 0.05, 1.0
_FACTOR, _SHIFT, _NOISE = 0.1, 0.1, 0.05
"""Half-widths; intensities in units of the normalised image."""


class TestTimeAugmentation:
    __test__ = False  # no test of pytest's
    title, samples = "test-time augmentation", 8

    def refuse_unfit(self, spec: ModelSpec, network: nn.Module, samples: int) -> None:
        if samples < 2:
            raise UncertaintyError(f"{samples} samples were asked for; test-time augmentation needs at least 2.")

    def passes(self, spec: ModelSpec, samples: int, seed: int, spacing_mm: Sequence[float]) -> list[Pass]:
        axes = sorted(spec.output.mirror_axes)
        mirrors = [(Mirror(some),) for count in range(1, len(axes) + 1) for some in combinations(axes, count)]
        first = [Pass(), *(Pass(views=views) for views in mirrors)][:samples]
        rng = np.random.default_rng(seed)
        return [*first, *(Pass(views=self._changed(rng, mirrors, spec, spacing_mm)) for _ in range(samples - len(first)))]

    def _changed(self, rng: np.random.Generator, mirrors: list[tuple[Mirror]], spec: ModelSpec, spacing_mm: Sequence[float]) -> tuple:
        chosen = ((), *mirrors)[rng.integers(len(mirrors) + 1)]
        # A 2D network sees slices; turning the stack would give it slices it never saw.
        across = spec.window.slice_axis
        degrees = tuple(rng.uniform(-_DEGREES, _DEGREES) if across in (None, axis) else 0.0 for axis in range(3))
        shift = tuple(rng.uniform(-_SHIFT_MM, _SHIFT_MM) if axis != across else 0.0 for axis in range(3))
        motion = Motion(degrees, rng.uniform(1 - _SCALE, 1 + _SCALE), shift, tuple(spacing_mm))
        intensity = Intensity(rng.uniform(1 - _FACTOR, 1 + _FACTOR), rng.uniform(-_SHIFT, _SHIFT), _NOISE, int(rng.integers(2**31)))
        return (*chosen, motion, intensity)
