"""What a run computes on, and what to try next when memory does not suffice."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import torch

from deepseg.blending import raster_order
from deepseg.fast_network import fast_precision
from deepseg.frontier import Frontier
from deepseg.spec import ModelSpec
from deepseg.windows import all_starts

_CPU_VOXELS = 1 << 16
"""Voxels of a batch on the processor: larger ones leave its caches and are slower."""


@dataclass(frozen=True)
class Plan:
    """How a run is carried out.

    Attributes:
        device: what the networks run on.
        precision: key of `deepseg.fast_network.PRECISIONS`.
        batch: windows at a time.
        spec: the model, with a smaller window where memory asked for one.
        held: number type of the sums that wait for further windows.
    """

    device: torch.device
    precision: str
    batch: int
    spec: ModelSpec
    held: torch.dtype = torch.float32

    def described(self) -> str:
        """In words, for messages."""
        window = " x ".join(map(str, self.spec.window.size))
        return f"{device_name(self.device)}, {self.precision}, window {window}, {self.batch} at a time"


def available_devices() -> list[torch.device]:
    """What this computer has, fastest first: CUDA cards by free memory, Apple's GPU, the processor."""
    cards = [torch.device("cuda", n) for n in range(torch.cuda.device_count())] if torch.cuda.is_available() else []
    cards.sort(key=lambda card: -torch.cuda.mem_get_info(card)[0])
    apple = [torch.device("mps")] if torch.backends.mps.is_available() else []
    return [*cards, *apple, torch.device("cpu")]


def device_name(device: torch.device) -> str:
    """A device as a user knows it."""
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    return {"mps": "Apple GPU", "cpu": "processor"}.get(device.type, device.type)


def free_bytes(device: torch.device) -> int | None:
    """Memory that is free on a device; None where nobody tells."""
    if device.type == "cuda":
        return torch.cuda.mem_get_info(device)[0]
    if device.type == "mps":
        return torch.mps.recommended_max_memory() - torch.mps.driver_allocated_memory()
    return _free_main_memory()


def plans(spec: ModelSpec, shape: tuple[int, int, int], precision: str = "auto") -> Iterator[Plan]:
    """What to try, one after the other: each device with ever smaller batches, then smaller windows, the processor last.

    `shape` is that of the image on the model's grid. `precision` 'auto' takes the fastest number type of each device.
    """
    for device in available_devices():
        chosen = fast_precision(device) if precision == "auto" else precision
        voxels = spec.window.size[0] * spec.window.size[1] * spec.window.size[2]
        batch = max(_CPU_VOXELS // voxels, 1) if device.type == "cpu" else max((1 << 21) // voxels, 1)
        plan = Plan(device, chosen, batch, spec, _held_type(spec, shape, device))
        yield plan
        while plan.batch > 1:
            plan = replace(plan, batch=plan.batch // 2)
            yield plan
        if device.type != "cpu":
            for smaller in _smaller_windows(spec):
                yield replace(plan, spec=smaller, held=torch.float16)


def held_bytes(spec: ModelSpec, shape: tuple[int, int, int], bytes_per_value: int = 4) -> int:
    """Memory for the sums that wait for further windows, for an image of `shape` on the model's grid."""
    order = raster_order(shape)
    padded = tuple(max(length, size) for length, size in zip(shape, spec.window.size, strict=True))
    starts = all_starts(padded, spec.window)
    size = tuple(spec.window.size[axis] for axis in order)
    return Frontier.held_bytes(spec.channel_count + 1, size, tuple(starts[axis] for axis in order), bytes_per_value)


def _held_type(spec: ModelSpec, shape: tuple[int, int, int], device: torch.device) -> torch.dtype:
    """float32, unless that would take more than a quarter of the free memory or 2 GB."""
    free = free_bytes(device)
    limit = min(2 << 30, (free or 8 << 30) // 4)
    return torch.float32 if held_bytes(spec, shape) <= limit else torch.float16


def _smaller_windows(spec: ModelSpec) -> Iterator[ModelSpec]:
    """The model with windows of three quarters and of half the size, in steps that networks halve often enough (32 voxels)."""
    for share in (0.75, 0.5):
        size = tuple(max(int(length * share) // 32 * 32, min(length, 32)) for length in spec.window.size)
        if size != spec.window.size:
            yield replace(spec, window=replace(spec.window, size=size))


def _free_main_memory() -> int | None:
    try:
        with open("/proc/meminfo", encoding="ascii") as lines:  # noqa: PTH123
            fields = dict(line.split(":", 1) for line in lines)
        return sum(int(fields[name].split()[0]) * 1024 for name in ("MemAvailable", "SwapFree"))
    except (OSError, KeyError, ValueError):
        return None  # no Linux
