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
from deepseg.geometry import Geometry
from deepseg.networks import build_network
from deepseg.preprocessing import grid_of
from deepseg.spec import ModelSpec
from deepseg.windows import all_starts

_RUNTIME_BYTES = 400 << 20
"""PyTorch itself, loaded."""
_OVER_CONVOLUTIONS = 1.3
"""Time of a forward pass over that of its convolutions alone at the speed of a large one, as measured for the shipped model."""


@dataclass(frozen=True)
class Cost:
    """An estimate.

    Attributes:
        image_bytes: main memory for PyTorch, the image, the image on the model's grid and the label map.
        work_bytes: memory of the device the networks run on, at its peak.
        seconds: time of the networks' passes.
        windows: how many there are.
    """

    image_bytes: int
    work_bytes: int
    seconds: float
    windows: int


def estimate(geometry: Geometry, plan: Plan, members: int = 1) -> Cost | None:
    """Estimate a labels-only run over an image of this grid, without reading the image or the weights.

    None for a network that computes with the values of its tensors, so that it cannot be played through.

    Raises:
        ModelError: the network cannot be built.
    """
    spec, dtype = plan.spec, PRECISIONS[plan.precision]
    shape = grid_of(geometry, spec).shape
    starts = all_starts(tuple(max(n, s) for n, s in zip(shape, spec.window.size, strict=True)), spec.window)
    windows = len(starts[0]) * len(starts[1]) * len(starts[2])
    try:
        flops, peak, weights = _forward(_Key(spec), plan.batch, dtype)
    except (RuntimeError, NotImplementedError):
        return None
    voxels_in, voxels = _count(geometry.shape), _count(shape)
    blended = plan.batch * _count(spec.window.size) * spec.channel_count * (dtype.itemsize + plan.held.itemsize)
    work = peak + members * weights * dtype.itemsize + held_bytes(spec, shape, plan.held.itemsize) + blended
    image = len(spec.inputs) * 4 * (voxels_in + voxels) + 2 * voxels_in
    seconds = _OVER_CONVOLUTIONS * members * windows * flops / plan.batch / _flops_per_second(plan.device, plan.precision)
    return Cost(_RUNTIME_BYTES + image, work, seconds, windows)


def forecast(geometry: Geometry, spec: ModelSpec, precision: str = "auto", mirror: bool = False) -> str:
    """The first way a run would be tried, and what it will take, in a sentence for people.

    Raises:
        ModelError: the network cannot be built.
    """
    plan = next(plans(spec, grid_of(geometry, spec).shape, precision))
    cost = estimate(geometry, plan, len(spec.weights))
    where = f"{device_name(plan.device)} ({plan.precision})"
    if cost is None:
        return f"Runs on: {where}."
    seconds = cost.seconds * (2 ** len(spec.output.mirror_axes) if mirror else 1)
    memory = (cost.image_bytes + cost.work_bytes) / 1e9
    return f"Runs on: {where}; takes about {memory:.1f} GB of memory and {_time(seconds)}."


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


def _count(shape: tuple[int, ...]) -> int:
    return math.prod(shape)


@cache
def _flops_per_second(device: torch.device, precision: str) -> float:
    """What one large convolution reaches here, measured once in a fraction of a second."""
    layer = nn.Conv3d(64, 64, 3, padding=1, bias=False, device=device, dtype=PRECISIONS[precision]).requires_grad_(False)
    layer.weight.data = arranged(layer.weight.data, precision)
    values = arranged(torch.randn(1, 64, 32, 32, 32, device=device).to(PRECISIONS[precision]), precision)
    best = float("inf")
    for _ in range(4):
        begin = time.perf_counter()
        layer(values).flatten()[0].item()
        best = min(best, time.perf_counter() - begin)
    return 2 * 27 * 64**2 * 32**3 / best


@lru_cache(16)
def _forward(key: _Key, batch: int, dtype: torch.dtype) -> tuple[int, int, int]:
    """Floating-point operations and peak bytes of one forward pass, played through with tensors that have a shape and no values; and weights."""
    spec = key.spec
    channels, size = len(spec.inputs), list(spec.window.size)
    if (across := spec.window.slice_axis) is not None:
        channels *= 2 * spec.window.slice_context + 1
        del size[across]
    try:
        with torch.device("meta"):
            network = build_network(spec.network.name, spec.network.kwargs)
    except ModelError:  # some networks compute with values while they are built, as SwinUNETR does
        network = build_network(spec.network.name, spec.network.kwargs).to("meta")
    network = network.to(dtype).eval().requires_grad_(False)
    windows = torch.empty((batch, channels, *size), dtype=dtype, device="meta")
    with torch.no_grad(), FlopCounterMode(display=False) as flops, _PeakBytes() as peak:
        network(windows)
    return flops.get_total_flops(), peak.bytes, sum(tensor.numel() for tensor in network.parameters())


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
