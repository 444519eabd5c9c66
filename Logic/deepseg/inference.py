"""Sliding-window inference: the networks over the whole of a volume, window by window, blended with weights, in bounded memory.

The windows, weights and padding are those of MONAI's `SlidingWindowInferer` or of nnU-Net's predictor, so that both compute the same.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
import torch
from torch import nn

from deepseg.blending import Blender
from deepseg.errors import NotFiniteError, PrecisionError
from deepseg.frontier import Emit
from deepseg.spec import ModelSpec, WindowSpec
from deepseg.window_network import WindowNetwork

Corner = tuple[int, int, int]
OnWindow = Callable[[int, int], None]
"""Called with (windows done, windows in all) after each that the network has seen."""


def run_windows(
    network: WindowNetwork,
    image: torch.Tensor,
    emit: Emit,
    *,
    means: bool = True,
    batch: int = 1,
    held: torch.dtype = torch.float32,
    on_window: OnWindow | None = None,
) -> None:
    """Run the network over `image` and hand out the blended logits block by block.

    A window that is constant in every channel (air) is computed once: the network's answer to the next one is the same.

    Args:
        network: the model's networks.
        image: (C, I, J, K) on the processor, in any number type; smaller than the window, it is padded on both sides.
        emit: gets the first voxel and the logits (L, i, j, k) of blocks that tile the image, of type `held`, in raster order of `raster_order`; what
            the network gives apart and does not average comes one after the other in L.
        means: divide by the sum of weights; without it, logits are right up to a positive factor that differs from voxel to voxel.
        batch: windows the network sees at a time.
        held: number type of the sums that wait for further windows.
        on_window: told of progress; what it raises ends the run.

    Raises:
        ModelError: the network answers with another number of channels or another size.
        NotFiniteError: it answers with NaN or infinity.
        PrecisionError: they are not in its half precision.
    """
    padded, before = pad_to_window(image, network.spec.window)
    size = tuple(image.shape[1:])

    def without_padding(corner: Corner, block: torch.Tensor) -> None:
        emit(*_without_padding(corner, block, before, size))

    blender = Blender(network.spec, tuple(padded.shape[1:]), without_padding, network.blended_apart, network.averages, means, held, network.device)
    with torch.inference_mode():
        for logits in _answers(network, padded, blender.corners, batch, on_window):
            blender.add(logits)
            del logits
            blender.push()


def infer_logits(network: nn.Module, image: torch.Tensor, spec: ModelSpec) -> torch.Tensor:
    """A network's blended logits, float32 (L, I, J, K) on the processor, of a prepared image float32 (C, I, J, K); for training.

    `network` should be in evaluation mode; it is used as it is.
    """
    result = torch.empty((spec.channel_count, *image.shape[1:]))

    def keep(corner: Corner, block: torch.Tensor) -> None:
        result[(slice(None), *(slice(c, c + n) for c, n in zip(corner, block.shape[1:], strict=True)))] = block.cpu()

    run_windows(WindowNetwork([network], spec, "float32"), image.cpu(), keep)
    return result


def _answers(network: WindowNetwork, image: torch.Tensor, corners: list[Corner], batch: int, on_window: OnWindow | None) -> Iterator[torch.Tensor]:
    """Logits (L, i, j, k) of each window in turn."""
    constants = [_constant(window_at(image, corner, network.spec.window)) for corner in corners]
    remembered: tuple[tuple[float, ...], torch.Tensor] | None = None
    count = sum(constant is None for constant in constants)
    done, n = 0, 0
    while n < len(corners):
        if constants[n] is not None:
            if remembered is None or remembered[0] != constants[n]:
                remembered = (constants[n], _finite(network, torch.stack([window_at(image, corners[n], network.spec.window)]))[0])
            yield remembered[1]
            n += 1
            continue
        stop = n
        while stop < len(corners) and stop - n < batch and constants[stop] is None:
            stop += 1
        answers = list(_finite(network, torch.stack([window_at(image, corner, network.spec.window) for corner in corners[n:stop]])))
        while answers:
            yield answers.pop(0)
        done, n = done + stop - n, stop
        if on_window:
            on_window(done, count)


def _finite(network: WindowNetwork, windows: torch.Tensor) -> torch.Tensor:
    logits = network(windows)
    # A few planes at a time, because PyTorch looks at a copy.
    if not all(bool(torch.isfinite(torch.stack(planes.aminmax())).all()) for planes in logits.split(16, 2)):
        if network.precision == "float32":
            raise NotFiniteError(f"The network of the model {network.spec.id} answers with numbers that are not finite; its weights are damaged.")
        raise PrecisionError(f"The network's numbers are too large for {network.precision}.")
    return logits


def window_at(image: torch.Tensor, corner: Corner, window: WindowSpec) -> torch.Tensor:
    """View of one window (C, i, j, k); for a 2.5D network with its neighbouring slices, the border repeated."""
    where = [slice(c, c + s) for c, s in zip(corner, window.size, strict=True)]
    if window.slice_context:
        across = window.slice_axis
        near = np.arange(corner[across] - window.slice_context, corner[across] + window.slice_context + 1)
        where[across] = near.clip(0, image.shape[across + 1] - 1).tolist()
    return image[(slice(None), *where)]


def _constant(window: torch.Tensor) -> tuple[float, ...] | None:
    """Each channel's value where it has but one; None otherwise. Most windows are told by three of their voxels."""
    last, middle = tuple(n - 1 for n in window.shape[1:]), tuple(n // 2 for n in window.shape[1:])
    values = []
    for channel in window:
        value = channel[0, 0, 0].item()
        if channel[middle].item() != value or channel[last].item() != value or not bool((channel == value).all()):
            return None
        values.append(value)
    return tuple(values)


def pad_to_window(image: torch.Tensor, window: WindowSpec) -> tuple[torch.Tensor, Corner]:
    """The image at least as large as the window, and how much was added in front along each axis."""
    missing = [max(size - length, 0) for size, length in zip(window.size, image.shape[1:], strict=True)]
    before = tuple(amount // 2 for amount in missing)
    if not any(missing):
        return image, before
    amounts = [part for first, amount in zip(reversed(before), reversed(missing), strict=True) for part in (first, amount - first)]
    mode = {"zero": "constant", "replicate": "replicate"}[window.padding]
    return nn.functional.pad(image[None], amounts, mode=mode)[0], before


def _without_padding(corner: Corner, block: torch.Tensor, before: Corner, size: tuple[int, int, int]) -> tuple[Corner, torch.Tensor]:
    kept, place = [slice(None)], []
    for c, n, b, s in zip(corner, block.shape[1:], before, size, strict=True):
        first, last = max(c - b, 0), min(c + n - b, s)
        kept.append(slice(first + b - c, max(last, first) + b - c))
        place.append(first)
    return tuple(place), block[tuple(kept)]
