"""The largest patch that trains in a GPU's memory, the network for it, and how many of them: nnU-Net's rules (Isensee et al. 2021)."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from deepseg_train.data.topology import Topology, topology_of
from deepseg_train.errors import ConfigError, DatasetError

_START_SIDE = 256
"""The patch begins with the volume of a cube of this side."""

_REFERENCE_VOXELS, _REFERENCE_GB, _LEAST_BATCH = 560_000_000, 8.0, 2
"""Numbers in the feature maps of one patch, two of which nnU-Net takes to train in 8 GB."""

_MOST_SEEN = 0.05
"""Share of all the dataset's voxels that a batch may hold."""

_MOST_STEPS = 250
"""Of an epoch: as many as each of nnU-Net's has."""

_SMALL_PATCH = 0.25
_LEAST_STAGES = 3


def plan_patch(spacing: np.ndarray, shape: np.ndarray, classes: int, memory_gb: float) -> tuple[Topology, list[str]]:
    """Begin with a patch of the median image's extent and shorten it until the network for it fits.

    Args:
        spacing: voxel size along R, A, S in mm.
        shape: the median image's voxels along R, A, S; may be halves.
        classes: of the answer, background included.
        memory_gb: of the GPU.

    Returns:
        Patch and stages, axes R, A, S, and the reasons.

    Raises:
        ConfigError: no patch fits the memory.
        DatasetError: the image is too small for a network of three stages.
    """
    # The coarsest axis first, then S, A, R: among equals the last is shortened first, as in nnU-Net, which has its axes in this order.
    coarsest = coarsest_axis(spacing)
    order = [coarsest, *(axis for axis in (2, 1, 0) if axis != coarsest)]
    back = [order.index(axis) for axis in range(3)]
    first, found = _fitting(spacing[order], shape[order], classes, memory_gb)
    if len(found.strides) < _LEAST_STAGES:
        raise DatasetError(
            f"The images' median size is {times(shape)} voxels of {times(spacing)} mm, which can be halved {len(found.strides) - 1} times; a network "
            "needs two. Use larger images."
        )
    shortened = first.patch != found.patch
    voxels, found = found.feature_voxels(classes), _turned(found, back)
    return found, _reasons(found, shape, shortened, voxels, memory_gb)


def plan_batch(topology: Topology, dataset_voxels: float, classes: int, memory_gb: float) -> tuple[int, str]:
    """How many patches a batch holds, and why.

    Args:
        topology: the patch and the network for it.
        dataset_voxels: of all images together.
        classes: of the answer, background included.
        memory_gb: of the GPU.
    """
    fitting = round(_budget(memory_gb) / topology.feature_voxels(classes) * _LEAST_BATCH)
    seen = round(dataset_voxels * _MOST_SEEN / float(np.prod(topology.patch, dtype=np.float64)))
    batch = max(min(fitting, seen), _LEAST_BATCH)
    if batch == _LEAST_BATCH:
        return batch, f"Batch: {_LEAST_BATCH} patches, the least."
    if batch == fitting:
        return batch, f"Batch: {batch} patches, as many as fit {memory_gb:g} GB."
    return batch, f"Batch: {batch} patches, no more than {100 * _MOST_SEEN:.0f} % of all the images' voxels."


def plan_steps(topology: Topology, image_voxels: Sequence[float], cases: int, batch: int) -> tuple[int | None, str]:
    """How many batches an epoch has, None for each case once, and why.

    Args:
        topology: the patch.
        image_voxels: of each image that was looked at, on the model's grid.
        cases: to train on.
        batch: patches of a step.
    """
    patch = float(np.prod(topology.patch, dtype=np.float64))
    each = [max(round(voxels / patch), 1) for voxels in image_voxels]
    if max(each) == 1:
        return None, "Epoch: each case once, as a patch covers an image."
    patches = math.ceil(sum(each) * cases / len(each))
    steps = math.ceil(patches / batch)
    why = f"Epoch: the {cases} training cases hold about as many voxels as {patches} patches, which is {steps} steps"
    if steps <= _MOST_STEPS:
        return steps, f"{why}: each voxel is seen about once."
    return _MOST_STEPS, f"{why}; it has {_MOST_STEPS}, as with nnU-Net, so that validation is not too rare."


def coarsest_axis(spacing: np.ndarray) -> int:
    """The axis with the longest voxels; among equals S before A before R."""
    return max((2, 1, 0), key=lambda axis: spacing[axis])


def times(numbers: Sequence[float]) -> str:
    """Numbers along axes in words, for example '1 x 1 x 2.5'."""
    return " x ".join(f"{number:.4g}" for number in numbers)


def _fitting(spacing: np.ndarray, shape: np.ndarray, classes: int, memory_gb: float) -> tuple[Topology, Topology]:
    """The network for the patch to begin with, and the one that fits."""
    inverse = 1 / spacing
    start = [round(side) for side in inverse * (_START_SIDE**3 / np.prod(inverse)) ** (1 / 3)]
    first = found = topology_of([min(side, most) for side, most in zip(start, shape.tolist(), strict=True)], spacing)
    while found.feature_voxels(classes) > _budget(memory_gb):
        axis = int(np.argsort(np.asarray(found.patch) / shape, kind="stable")[-1])
        if found.patch[axis] > found.factors[axis]:
            found = topology_of(_shortened(found, axis, spacing), spacing)
        if found.patch[axis] <= found.factors[axis] or len(found.strides) < _LEAST_STAGES:
            raise ConfigError(f"No patch trains in {memory_gb:g} GB by nnU-Net's estimate; plan for more memory.")
    return first, found


def _shortened(topology: Topology, axis: int, spacing: np.ndarray) -> list[int]:
    """The next smaller patch along one axis: by the factor that the smaller patch's own stages ask for, so that no size is skipped."""
    tried, patch = list(topology.patch), list(topology.patch)
    tried[axis] -= topology.factors[axis]
    patch[axis] -= topology_of(tried, spacing).factors[axis]
    return patch


def _turned(topology: Topology, order: Sequence[int]) -> Topology:
    """The same with its axes in another order."""

    def turned(entry: Sequence[int]) -> tuple[int, ...]:
        return tuple(entry[axis] for axis in order)

    return Topology(turned(topology.patch), tuple(map(turned, topology.strides)), tuple(map(turned, topology.kernels)))


def _reasons(topology: Topology, shape: np.ndarray, shortened: bool, voxels: int, memory_gb: float) -> list[str]:
    how = "shortened along the axis that covers most of the median image until it fits" if shortened else "rounded up to what the strides divide"
    why = [
        f"Patch: as large as the median image (at most {_START_SIDE} cubed), {how}: its feature maps hold {voxels / 1e6:.0f} million numbers, "
        f"and {_budget(memory_gb) / 1e6:.0f} million are taken to train in {memory_gb:g} GB.",
        f"Depth: {len(topology.strides)} stages; an axis is halved while 8 voxels are left and they are less than twice as long as the finest.",
    ]
    if any(1 in kernel for kernel in topology.kernels):
        why.append("Kernels: 1 voxel wide across the slices until the voxels are less than twice as long there, then 3.")
    covered = np.prod(topology.patch) / np.prod(shape)
    if covered < _SMALL_PATCH:
        why.append(
            f"A patch covers {100 * covered:.0f} % of the median image. Below {100 * _SMALL_PATCH:.0f} % nnU-Net would also train a coarser network; "
            "a larger voxel size in the config gives that context here."
        )
    return why


def _budget(memory_gb: float) -> float:
    return _REFERENCE_VOXELS * memory_gb / _REFERENCE_GB
