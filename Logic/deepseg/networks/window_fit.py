"""Which windows suit a network: sides that can be halved often enough, and how often nnU-Net would halve them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from deepseg.errors import ModelError

LEAST_SIDE = 4
"""Voxels that an axis keeps at the coarsest stage (Isensee et al. 2021)."""
_MOST_STAGES, _LEAST_STAGES = 6, 3


@dataclass(frozen=True)
class Stages:
    """Stages of a U-Net from fine to coarse; each has an entry for each axis.

    Attributes:
        kernels: sides of the convolutions, 3, or 1 across slices that are still too thick.
        strides: 1 or 2; those of the first stage are 1.
    """

    kernels: tuple[tuple[int, ...], ...]
    strides: tuple[tuple[int, ...], ...]

    def __len__(self) -> int:
        return len(self.strides)

    def factors(self) -> tuple[int, ...]:
        """What each side of the window must be a multiple of."""
        factors = [1] * len(self.strides[0])
        for stride in self.strides:
            factors = [factor * step for factor, step in zip(factors, stride, strict=True)]
        return tuple(factors)


def plan_stages(name: str, window: Sequence[int], spacing_mm: Sequence[float | None]) -> Stages:
    """nnU-Net's rule: halve the axes of the finest voxels until all are alike, convolve across thick slices only from then on.

    There are as many stages as leave each axis 4 voxels and divide the window's sides, six at most.

    Args:
        name: of the network, for messages.
        window: voxels along the axes, three or two of them.
        spacing_mm: voxel sizes along them; None is taken for the smallest one that is known.

    Raises:
        ModelError: there are fewer than three stages.
    """
    stages = _wished(window, spacing_mm)
    if len(stages) < _LEAST_STAGES:
        raise ModelError(f"{_asked(name, window)}, which is too small to be halved twice; give it 16 voxels or more along its finest axes.")
    while len(stages) > _LEAST_STAGES and any(n % factor for n, factor in zip(window, stages.factors(), strict=True)):
        stages = Stages(stages.kernels[:-1], stages.strides[:-1])
    require_multiples(name, window, stages.factors())
    return stages


def axes_to_halve(sizes: Sequence[float], spacing_mm: Sequence[float]) -> list[int]:
    """Axes of the next halving in nnU-Net (Isensee et al. 2021): those that keep the least side, of voxels less than twice as thick as the thinnest.

    A single axis is halved only while it has three times the least side.
    """
    able = [axis for axis, size in enumerate(sizes) if size >= 2 * LEAST_SIDE]
    finest = min((spacing_mm[axis] for axis in able), default=0.0)
    halved = [axis for axis in able if spacing_mm[axis] < 2 * finest]
    return [] if len(halved) == 1 and sizes[halved[0]] < 3 * LEAST_SIDE else halved


def kernel_sides(spacing_mm: Sequence[float], finer: Sequence[int] = ()) -> tuple[int, ...]:
    """Of a stage's convolutions: 3, or 1 across slices that are at least twice as thick as the pixels are wide; 3 where the `finer` stage has 3."""
    before = finer or [1] * len(spacing_mm)
    return tuple(3 if known == 3 or side < 2 * min(spacing_mm) else 1 for known, side in zip(before, spacing_mm, strict=True))


def require_multiples(name: str, window: Sequence[int], factors: Sequence[int], least: int = 1) -> None:
    """Refuse a window for a network that halves it.

    Args:
        name: of the network, for messages.
        window: voxels along the axes.
        factors: what each side must be a multiple of.
        least: smallest side.

    Raises:
        ModelError: a side does not suit; the message names the nearest windows that do.
    """
    if all(n % factor == 0 and n >= least for n, factor in zip(window, factors, strict=True)):
        return
    smallest = [-(-least // factor) * factor for factor in factors]
    below = [max(n // factor * factor, low) for n, factor, low in zip(window, factors, smallest, strict=True)]
    above = [max(-(-n // factor) * factor, low) for n, factor, low in zip(window, factors, smallest, strict=True)]
    nearest = _sides(below) if below == above else f"{_sides(below)} and {_sides(above)}"
    of_what = str(factors[0]) if len(set(factors)) == 1 else _sides(factors)
    at_least = f" and at least {least}" if least > 1 else ""
    raise ModelError(f"{_asked(name, window)}; its sides must be multiples of {of_what}{at_least}. The nearest that suit are {nearest}.")


def _wished(window: Sequence[int], spacing_mm: Sequence[float | None]) -> Stages:
    known = [side for side in spacing_mm if side]
    sizes, spacing = list(window), [side or min(known, default=1.0) for side in spacing_mm]
    kernels, strides = [kernel_sides(spacing)], [(1,) * len(sizes)]
    while len(strides) < _MOST_STAGES:
        halved = axes_to_halve(sizes, spacing)
        if not halved:
            break
        for axis in halved:
            sizes[axis], spacing[axis] = sizes[axis] // 2, 2 * spacing[axis]
        kernels.append(kernel_sides(spacing, kernels[-1]))
        strides.append(tuple(2 if axis in halved else 1 for axis in range(len(sizes))))
    return Stages(tuple(kernels), tuple(strides))


def _asked(name: str, window: Sequence[int]) -> str:
    return f"The network {name} was asked for a window of {_sides(window)} voxels"


def _sides(values: Sequence[int]) -> str:
    return " x ".join(map(str, values))
