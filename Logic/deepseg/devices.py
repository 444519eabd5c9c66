"""What a run computes on, and what to try next when memory does not suffice."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace

import torch

from deepseg.blending import raster_order
from deepseg.errors import DeviceError, VolumeError
from deepseg.fast_network import fast_precision
from deepseg.frontier import Frontier
from deepseg.results import Device
from deepseg.spec import ModelSpec, spacing_text
from deepseg.windows import all_starts

_HELD_BYTES = 2 << 30
"""Sums that wait take at most this much in float32."""
_MOST_WINDOWS = 10**5
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
        frugal: memory goes before speed: sums that wait for further windows are held in half precision, and freed memory goes back at once.
    """

    device: torch.device
    precision: str
    batch: int
    spec: ModelSpec
    frugal: bool = False

    @property
    def held(self) -> torch.dtype:
        """Number type of the sums that wait for further windows; nnU-Net's models are blended as nnU-Net does it."""
        return torch.float16 if self.frugal or self.spec.window.weight == "nnunet" else torch.float32

    def described(self) -> str:
        """In words, for messages."""
        window = " x ".join(map(str, self.spec.window.size))
        return f"{device_name(self.device)}, {self.precision}, window {window}, {self.batch} at a time{', with little memory' if self.frugal else ''}"


def available_devices() -> list[torch.device]:
    """What this computer has and can be used, fastest first: CUDA cards by free memory, Apple's GPU, the processor."""
    cards = [torch.device("cuda", n) for n in range(torch.cuda.device_count())] if torch.cuda.is_available() else []
    cards = sorted(filter(_works, cards), key=lambda card: -torch.cuda.mem_get_info(card)[0])
    apple = [torch.device("mps")] if torch.backends.mps.is_available() else []
    return [*cards, *apple, torch.device("cpu")]


def chosen_devices(key: str | None) -> list[torch.device]:
    """All devices, fastest first; or the one of this `Device.key` alone, so that nothing falls back to another.

    Raises:
        DeviceError: there is none of this key, or it cannot be used.
    """
    if key == "cpu":  # nobody who wants it waits for a card to wake up
        return [torch.device("cpu")]
    found = available_devices()
    if key is None:
        return found
    chosen = [device for device in found if str(device) == key]
    if not chosen:
        told = ", ".join(f"{device} ({device_name(device)})" for device in found)
        raise DeviceError(f"This computer has no device '{key}' that can be used; it has {told}. Choose one of these, or none to take the fastest.")
    return chosen


def listed_devices() -> tuple[Device, ...]:
    """What a user may choose from, fastest first; cards of one name are told apart by their keys."""
    found = [(str(device), device_name(device)) for device in available_devices()]
    names = [name for _, name in found]
    return tuple(Device(key, name if names.count(name) == 1 else f"{name} ({key})") for key, name in found)


def device_name(device: torch.device) -> str:
    """A device as a user knows it."""
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    return {"mps": "Apple GPU", "cpu": "processor"}.get(device.type, device.type)


def _works(card: torch.device) -> bool:
    """Whether a card computes anything: it may be full, locked, or too old or too new for this PyTorch."""
    try:
        return bool((torch.zeros(8, device=card) + 1).sum() == 8)
    except RuntimeError:
        return False


def plans(spec: ModelSpec, shape: tuple[int, int, int], precision: str = "auto", key: str | None = None) -> Iterator[Plan]:
    """What to try, one after the other: each device with ever smaller batches, then smaller windows, the processor last.

    `shape` is that of the image on the model's grid. `precision` 'auto' takes the fastest number type of each device. `key` names the only
    device to try; all of them where None.

    Raises:
        VolumeError: the model would have to see too many windows.
        DeviceError: there is no device of this key.
    """
    _refuse_endless(spec, shape)
    frugal = held_bytes(spec, shape) > _HELD_BYTES
    for device in chosen_devices(key):
        chosen = fast_precision(device) if precision == "auto" else precision
        voxels = spec.window.size[0] * spec.window.size[1] * spec.window.size[2]
        batch = max(_CPU_VOXELS // voxels, 1) if device.type == "cpu" else max((1 << 21) // voxels, 1)
        plan = Plan(device, chosen, batch, spec, frugal)
        yield plan
        while plan.batch > 1:
            plan = replace(plan, batch=plan.batch // 2)
            yield plan
        if not frugal:
            yield replace(plan, frugal=True)
        if device.type != "cpu":
            for smaller in _smaller_windows(spec):
                yield replace(plan, spec=smaller, frugal=True)


def held_bytes(spec: ModelSpec, shape: tuple[int, int, int], bytes_per_value: int = 4) -> int:
    """Memory for the sums that wait for further windows, for an image of `shape` on the model's grid."""
    order = raster_order(shape)
    padded = tuple(max(length, size) for length, size in zip(shape, spec.window.size, strict=True))
    starts = all_starts(padded, spec.window)
    size = tuple(spec.window.size[axis] for axis in order)
    members = max(len(spec.weights), 1) if spec.window.weight == "nnunet" else 1
    return Frontier.held_bytes(members * spec.channel_count + 1, size, tuple(starts[axis] for axis in order), bytes_per_value)


def _refuse_endless(spec: ModelSpec, shape: tuple[int, int, int]) -> None:
    windows = math.prod(math.ceil(length / size) for length, size in zip(shape, spec.window.size, strict=True))
    if windows > _MOST_WINDOWS:
        raise VolumeError(
            f"The image has {' x '.join(map(str, shape))} voxels on the grid of the model {spec.id} ({spacing_text(spec.spacing_mm)}), "
            f"at least {windows:.0e} windows; expected at most {_MOST_WINDOWS:.0e}. Check the image's and the model's voxel size, or choose a box."
        )


def _smaller_windows(spec: ModelSpec) -> Iterator[ModelSpec]:
    """The model with windows of three quarters and of half the size, in steps that networks halve often enough (32 voxels)."""
    for share in (0.75, 0.5):
        size = tuple(max(int(length * share) // 32 * 32, min(length, 32)) for length in spec.window.size)
        if size != spec.window.size:
            yield replace(spec, window=replace(spec.window, size=size))
