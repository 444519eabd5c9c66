"""What a run will take, told before it starts: memory and time."""

from __future__ import annotations

import json
import math
import time
import weakref
from dataclasses import dataclass
from functools import cache, lru_cache
from typing import Any

import torch
from torch import nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import FlopCounterMode

from deepseg.devices import Plan, device_name, held_bytes, plans
from deepseg.errors import ModelError
from deepseg.fast_network import PRECISIONS, arranged
from deepseg.free_memory import free_bytes
from deepseg.geometry import Geometry
from deepseg.heap import freed_memory_kept, large_blocks_kept
from deepseg.networks import build_network
from deepseg.preprocessing import grid_of
from deepseg.spec import ModelSpec
from deepseg.windows import all_starts

_RUNTIME_BYTES = 400 << 20
"""PyTorch itself, loaded."""
_OVER_CONVOLUTIONS = 1.3
"""Time of a forward pass over that of its convolutions alone at the speed of a large one, as measured for hippocampus-mr 1.0.1."""


@dataclass(frozen=True)
class Cost:
    """An estimate.

    Attributes:
        present_bytes: main memory that is taken before the run begins: PyTorch and the image.
        result_bytes: main memory for the image on the model's grid, the labels, and what else is kept of each voxel.
        work_bytes: memory of the device the networks run on, at its peak.
        operations: floating-point operations of the networks' passes.
        windows: how many there are.
    """

    present_bytes: int
    result_bytes: int
    work_bytes: int
    operations: float
    windows: int


@dataclass(frozen=True)
class Extent:
    """What a run does beyond one pass of each network for labels alone.

    Attributes:
        passes: of each of the model's networks over the image.
        kept_bytes: main memory for what is kept of each voxel of the image beside its label.
    """

    passes: float = 1.0
    kept_bytes: int = 0


LABELS_ALONE = Extent()


def mirrored(spec: ModelSpec, mirror: bool) -> int:
    """Passes where, if `mirror`, answers to images mirrored along every set of the model's mirror axes are averaged."""
    return 2 ** len(spec.output.mirror_axes) if mirror else 1


def estimate(geometry: Geometry, plan: Plan, extent: Extent = LABELS_ALONE) -> Cost | None:
    """Estimate a run over an image of this grid, without reading the image or the weights.

    None for a network that computes with the values of its tensors, so that it cannot be played through, or that cannot take the plan's windows.

    Raises:
        ModelError: the network cannot be built.
    """
    spec, dtype = plan.spec, PRECISIONS[plan.precision]
    shape = grid_of(geometry, spec).shape
    starts = all_starts(tuple(max(n, s) for n, s in zip(shape, spec.window.size, strict=True)), spec.window)
    windows = math.prod(map(len, starts))
    forward = _forward(_Key(spec), plan.batch, dtype)
    if forward is None:
        return None
    flops, peak, weights = forward
    members, voxels_in, voxels = max(len(spec.weights), 1), math.prod(geometry.shape), math.prod(shape)
    together = members if spec.window.weight == "nnunet" else 1
    blended = together * plan.batch * math.prod(spec.window.size) * spec.channel_count * (dtype.itemsize + plan.held.itemsize)
    work = peak + members * weights * dtype.itemsize + held_bytes(spec, shape, plan.held.itemsize) + blended
    result = 4 * len(spec.inputs) * voxels + (2 + extent.kept_bytes) * voxels_in
    operations = members * extent.passes * windows / plan.batch * flops
    return Cost(_RUNTIME_BYTES + 4 * len(spec.inputs) * voxels_in, result, work, operations, windows)


def seems_to_fit(cost: Cost | None, device: torch.device) -> bool:
    """Whether an estimate is below what is free: the operating system kills whoever takes more instead of refusing it. True where nobody knows."""
    if cost is None:
        return True
    free, free_main = free_bytes(device), free_bytes(torch.device("cpu"))
    beside = cost.result_bytes if device.type == "cpu" else 0
    fits_device = free is None or cost.work_bytes + beside <= free
    return fits_device and (free_main is None or cost.result_bytes <= free_main)


@dataclass(frozen=True)
class Forecast:
    """How a run will be tried, and what it will take.

    Attributes:
        told: in a sentence for people.
        fits: whether there seems to be memory for it.
    """

    told: str
    fits: bool


def forecast(geometry: Geometry, spec: ModelSpec, precision: str = "auto", extent: Extent = LABELS_ALONE, device: str | None = None) -> Forecast:
    """Tell of a run before it starts, on the device of this key where one is given.

    Raises:
        VolumeError: the model would have to see too many windows.
        ModelError: the network cannot be built.
        DeviceError: there is no such device.
    """
    for plan in plans(spec, grid_of(geometry, spec).shape, precision, device):
        cost = estimate(geometry, plan, extent)
        if not seems_to_fit(cost, plan.device):
            continue
        where = f"{device_name(plan.device)} ({plan.precision})"
        if cost is None:
            return Forecast(f"Runs on: {where}.", True)
        memory = (cost.present_bytes + cost.result_bytes + cost.work_bytes) / 1e9
        seconds = _OVER_CONVOLUTIONS * cost.operations / _flops_per_second(plan.device, plan.precision)
        return Forecast(f"Runs on: {where}; takes about {memory:.1f} GB of memory and {_time(seconds)}.", True)
    told = f" on {device_name(plan.device)} ({device}). Choose another device, close" if device else ". Close"
    return Forecast(f"There is not enough memory for this run{told} other programs, or choose a smaller region of interest.", False)


def _time(seconds: float) -> str:
    if seconds < 1:
        return "less than a second"
    return f"{seconds:.0f} s" if seconds < 100 else f"{seconds / 60:.0f} min"


class _Key:
    """A model as the key of a cache: equal where network and window are."""

    def __init__(self, spec: ModelSpec) -> None:
        self.spec = spec
        self._text = json.dumps([spec.network.name, spec.network.kwargs, spec.window.size, spec.window.slice_context, len(spec.inputs)])

    def __hash__(self) -> int:
        return hash(self._text)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Key) and self._text == other._text


@cache
def _flops_per_second(device: torch.device, precision: str) -> float:
    """What one large convolution reaches here, measured once in a fraction of a second."""
    layer = nn.Conv3d(64, 64, 3, padding=1, bias=False, device=device, dtype=PRECISIONS[precision]).requires_grad_(False)
    layer.weight.data = arranged(layer.weight.data, precision)
    values = arranged(torch.randn(1, 64, 32, 32, 32, device=device).to(PRECISIONS[precision]), precision)
    best = float("inf")
    with freed_memory_kept(), large_blocks_kept():
        for _ in range(4):
            begin = time.perf_counter()
            layer(values).flatten()[0].item()
            best = min(best, time.perf_counter() - begin)
    return 2 * 27 * 64**2 * 32**3 / best


@lru_cache(16)
def _forward(key: _Key, batch: int, dtype: torch.dtype) -> tuple[int, int, int] | None:
    """Floating-point operations and peak bytes of one forward pass, played through with tensors that have a shape and no values; and weights.

    None where that fails.
    """
    spec = key.spec
    channels, size = len(spec.inputs), list(spec.window.size)
    if (across := spec.window.slice_axis) is not None:
        channels *= 2 * spec.window.slice_context + 1
        del size[across]
    network = blank_network(spec).to(dtype).eval().requires_grad_(False)
    windows = torch.empty((batch, channels, *size), dtype=dtype, device="meta")
    try:
        with torch.no_grad(), FlopCounterMode(display=False) as flops, _PeakBytes() as peak:
            network(windows)
    except Exception:  # whatever a network says when it meets tensors without values or a window that does not suit it
        return None
    return flops.get_total_flops(), peak.bytes, sum(tensor.numel() for tensor in network.parameters())


def blank_network(spec: ModelSpec) -> nn.Module:
    """A model's network whose tensors have no values and take no memory.

    Raises:
        ModelError: it cannot be built.
    """
    try:
        with torch.device("meta"):
            return build_network(spec.network.name, spec.network.kwargs)
    except ModelError:  # some networks compute with values while they are built, as SwinUNETR does
        return build_network(spec.network.name, spec.network.kwargs).to("meta")


class _PeakBytes(TorchDispatchMode):
    """Adds up the memory of tensors as they come and go."""

    def __init__(self) -> None:
        super().__init__()
        self.bytes = 0
        self._alive = 0
        self._seen: set[int] = set()

    def __torch_dispatch__(self, func: Any, types: Any, args: tuple = (), kwargs: dict | None = None) -> Any:
        result = func(*args, **(kwargs or {}))
        for tensor in result if isinstance(result, (tuple, list)) else [result]:
            if isinstance(tensor, torch.Tensor):
                self._add(tensor.untyped_storage())
        return result

    def _add(self, storage: torch.UntypedStorage) -> None:
        key, size = storage._cdata, storage.nbytes()
        if key in self._seen:
            return
        self._seen.add(key)
        self._alive += size
        self.bytes = max(self.bytes, self._alive)
        weakref.finalize(storage, self._remove, key, size)

    def _remove(self, key: int, size: int) -> None:
        self._seen.discard(key)
        self._alive -= size
