"""Passes of a model's networks over the windows that a question is about: forwards for its number, back for its gradient."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import torch
from torch import nn

from deepseg.explanation.asked_windows import AskedWindows, Strides
from deepseg.explanation.question import Question
from deepseg.inference import Corner, window_at
from deepseg.window_network import WindowNetwork

OnPass = Callable[[], None]


class Passes:
    """A question put to a model about images of one grid.

    Attributes:
        question, network: what is asked, and who.
        windows: where to look.
        count: passes of the network over one window so far, there and back counted as one.
        on_window: called after each of them.
    """

    def __init__(self, network: WindowNetwork, question: Question, on_window: OnPass | None = None, strides: Strides = (1, 1, 1)) -> None:
        self.network, self.question, self.count = network, question, 0
        self.windows = AskedWindows(network.spec.window, question.where, strides)
        self._strides, self.on_window = strides, on_window
        self._members = [WindowNetwork([member], network.spec, network.precision) for member in network.members]

    def aligned(self, strides: Strides) -> Passes:
        """The same with windows that begin at multiples of `strides`."""
        return self if strides == self._strides else Passes(self.network, self.question, self.on_window, strides)

    def number(self, image: torch.Tensor) -> float:
        """The question's number for an image float32 (C, I, J, K)."""
        with torch.inference_mode():
            image = self.windows.pad(image)
            if not self.question.linear:
                return float(self.question.number(self._asked_logits(image), self.windows.where[self.windows.asked()]))
            return sum(float(self.local(window_at(image, corner, self.windows.window), corner)) for corner in self.windows.corners)

    def asked_logits(self, image: torch.Tensor) -> torch.Tensor:
        """Blended logits float32 (L, i, j, k) of the box around the voxels that count, of an image (C, I, J, K)."""
        with torch.inference_mode():
            return self._asked_logits(self.windows.pad(image))

    def certainty(self, image: torch.Tensor) -> float:
        """`Question.certainty` for an image (C, I, J, K)."""
        return float(self.question.certainty(self.asked_logits(image), self.windows.where[self.windows.asked()]))

    def gradient(self, image: torch.Tensor) -> tuple[float, torch.Tensor]:
        """The number, and what a small change of each voxel adds to it, float32 (C, I, J, K)."""
        image = self.windows.pad(image)
        total, gradient = 0.0, torch.zeros_like(image)
        for corner, slope in self._slopes(image):
            window = window_at(image, corner, self.windows.window).clone().requires_grad_(True)
            with torch.enable_grad():
                local = (slope * self.logits(window)).sum()
            found = torch.autograd.grad(local, window)[0]
            total += float(local.detach())
            self._add(gradient, corner, found)
        return total if self.question.linear else float("nan"), self.windows.unpad(gradient)

    def at_layer(self, image: torch.Tensor, layer: str) -> Iterator[tuple[Corner, torch.Tensor, torch.Tensor]]:
        """For each window the layer's activations (K, a, b, c) and what a small change of each adds to the number, mean over the members."""
        image = self.windows.pad(image)
        for corner, slope in self._slopes(image):
            found = []
            for member in self._members:
                with _leaf(member.members[0], layer) as heard, torch.enable_grad():
                    local = (slope * self._of(member, window_at(image, corner, self.windows.window))).sum()
                found.append((heard[0].detach()[0], torch.autograd.grad(local, heard[0])[0][0]))
            yield corner, *(torch.stack(parts).mean(0) for parts in zip(*found, strict=True))

    def local(self, window: torch.Tensor, corner: Corner) -> torch.Tensor:
        """What one window (C, i, j, k) of the padded image adds to a linear question's number."""
        return self.question.number(self.logits(window), self.windows.where[self.windows.place(corner)] * self.windows.share(corner))

    def logits(self, window: torch.Tensor) -> torch.Tensor:
        """Mean logits (L, i, j, k) of the members for one window (C, i, j, k)."""
        return torch.stack([self._of(member, window) for member in self._members]).mean(0)

    def logits_of(self, member: nn.Module, window: torch.Tensor) -> torch.Tensor:
        """Logits (L, i, j, k) of one of the networks for one window (C, i, j, k)."""
        return self._of(WindowNetwork([member], self.network.spec, self.network.precision), window)

    def _of(self, member: WindowNetwork, window: torch.Tensor) -> torch.Tensor:
        answer = member(window[None])[0]
        self.count += 1
        if self.on_window:
            self.on_window()
        return answer.cpu()

    def _slopes(self, image: torch.Tensor) -> Iterator[tuple[Corner, torch.Tensor]]:
        """For each window, what each of its logits (L, i, j, k) adds to the number; `image` is padded."""
        windows, question = self.windows, self.question
        if question.linear:
            for corner in windows.corners:
                yield corner, question.weights[:, None, None, None] * (windows.where[windows.place(corner)] * windows.share(corner))
            return
        box = windows.asked()
        with torch.inference_mode():
            logits = self._asked_logits(image)
        with torch.inference_mode(False), torch.enable_grad():
            logits = logits.clone().requires_grad_(True)
            slope = torch.autograd.grad(question.number(logits, windows.where[box]), logits)[0]
        for corner in windows.corners:
            local = torch.zeros((len(slope), *windows.window.size))
            here, there = _overlap(windows.place(corner), box)
            local[(slice(None), *here)] = slope[(slice(None), *there)]
            yield corner, local * windows.share(corner)

    def _asked_logits(self, image: torch.Tensor) -> torch.Tensor:
        box = self.windows.asked()
        total = torch.zeros((self.network.spec.channel_count, *(s.stop - s.start for s in box)))
        for corner in self.windows.corners:
            here, there = _overlap(self.windows.place(corner), box)
            weighed = self.logits(window_at(image, corner, self.windows.window)) * self.windows.share(corner)
            total[(slice(None), *there)] += weighed[(slice(None), *here)]
        return total

    def _add(self, gradient: torch.Tensor, corner: Corner, found: torch.Tensor) -> None:
        """Add a window's gradient (C, i, j, k) where it lies; a 2.5D network's window holds neighbouring slices."""
        window = self.windows.window
        if not window.slice_context:
            gradient[(slice(None), *self.windows.place(corner))] += found
            return
        across = window.slice_axis
        into = gradient[(slice(None), *(s if axis != across else slice(None) for axis, s in enumerate(self.windows.place(corner))))].movedim(
            across + 1, 0
        )
        for n, part in enumerate(found.movedim(across + 1, 0)):
            at = corner[across] - window.slice_context + n
            into[min(max(at, 0), len(into) - 1)] += part


@contextmanager
def _leaf(network: nn.Module, layer: str) -> Iterator[list[torch.Tensor]]:
    """While the block runs, the layer's output is cut off from what gave it, and kept."""
    heard: list[torch.Tensor] = []

    def cut(module: nn.Module, inputs: object, output: torch.Tensor) -> torch.Tensor:
        heard.append(output.detach().requires_grad_(True))
        # A copy, because what follows may write into its input (an activation, a sum).
        return heard[-1].clone()

    hook = dict(network.named_modules())[layer].register_forward_hook(cut)
    try:
        yield heard
    finally:
        hook.remove()


def _overlap(first: tuple[slice, ...], second: tuple[slice, ...]) -> tuple[tuple[slice, ...], tuple[slice, ...]]:
    """Where two boxes overlap, counted from the first voxel of each."""
    both = [(max(a.start, b.start), max(min(a.stop, b.stop), max(a.start, b.start))) for a, b in zip(first, second, strict=True)]
    return tuple(tuple(slice(low - box.start, high - box.start) for (low, high), box in zip(both, one, strict=True)) for one in (first, second))
