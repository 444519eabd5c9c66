"""The model's networks as a sampler wants them in one pass: one member, dropout at work, or with what else the network gives beside its logits."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import nn

from deepseg.uncertainty.deep_features import DeepFeatures
from deepseg.uncertainty.samplers.deep_supervision import coarser_heads
from deepseg.uncertainty.samplers.learned_variance import spread_block
from deepseg.uncertainty.samplers.monte_carlo_dropout import DROPOUT
from deepseg.uncertainty.samplers.passes import Pass
from deepseg.window_network import WindowNetwork


class SampledNetwork(WindowNetwork):
    """Windows in; out come the logits and, one after the other, what else was asked for: coarser heads' logits, or the logits' deviations."""

    averages = False

    def __init__(self, networks: WindowNetwork, what: Pass, deep: DeepFeatures | None = None) -> None:
        """`deep`, where given, is told what the first member makes of the windows."""
        members = networks.members if what.member is None else [networks.members[what.member]]
        # One network's heads; where there are several, they are averaged head by head.
        super().__init__(members, networks.spec, networks.precision)
        self._what, self._windows, self._deep = what, 0, deep

    @property
    def blended_apart(self) -> int:
        """How many arrays of L channels a pass gives."""
        return 1 + len(self._beside(self.members[0]))

    def __call__(self, windows: torch.Tensor) -> torch.Tensor:
        """Arrays (N, blended_apart * L, i, j, k)."""
        self._windows += 1
        answers = [self._heard(self.members[0], windows), *(self._answers_of(member, windows) for member in self.members[1:])]
        return answers[0] if len(answers) == 1 else torch.stack(answers).float().mean(0)

    def _heard(self, member: nn.Module, windows: torch.Tensor) -> torch.Tensor:
        if self._deep is None:
            return self._answers_of(member, windows)
        # What is usual was learned without dropout; features some of which are dropped would always be unusual.
        with self._deep.listening(member) as heard:
            answers = self._answers_of(member, windows, dropping=False)
        self._deep.add(heard[0], answers[:, : self.spec.channel_count])
        return answers if self._what.dropout_seed is None else self._answers_of(member, windows)

    def _beside(self, member: nn.Module) -> list[nn.Module]:
        """Modules of the network whose outputs are wanted beside its logits."""
        if self._what.noise_seed is not None:
            return [spread_block(member)]
        return coarser_heads(member) if self._what.coarser_heads else []

    def _answers_of(self, member: nn.Module, windows: torch.Tensor, dropping: bool = True) -> torch.Tensor:
        """`dropping`: with dropout at work, where the pass wants it."""
        windows = windows.to(self.device, next(member.parameters()).dtype)
        if beside := self._beside(member):
            with _outputs_of(beside) as outputs:
                answer = self._answer(member, windows)
            size = answer.shape[2:]
            fine = [nn.functional.interpolate(output, size, mode="trilinear", align_corners=False) for output in outputs]
            return torch.cat([answer, *fine], 1)
        if dropping and self._what.dropout_seed is not None:
            with _dropout(member, self._what.dropout_seed, self._windows, self.device):
                return self._answer(member, windows)
        return self._answer(member, windows)


@contextmanager
def _outputs_of(parts: list[nn.Module]) -> Iterator[list[torch.Tensor]]:
    """What these modules give while the block runs, in the order in which they were given."""
    found: dict[int, torch.Tensor] = {}
    outputs: list[torch.Tensor] = []
    hooks = [part.register_forward_hook(lambda module, inputs, output, n=n: found.__setitem__(n, output)) for n, part in enumerate(parts)]
    try:
        yield outputs
        outputs.extend(found[n] for n in range(len(parts)))
    finally:
        for hook in hooks:
            hook.remove()


@contextmanager
def _dropout(network: nn.Module, seed: int, window: int, device: torch.device) -> Iterator[None]:
    """Dropout at work, with masks that depend on the seed and the window's number alone; nobody else's random numbers change."""
    layers = [part for part in network.modules() if isinstance(part, DROPOUT)]
    with torch.random.fork_rng([device] if device.type == "cuda" else []):
        torch.manual_seed((seed * 1_000_003 + window) % 2**63)
        try:
            for layer in layers:
                layer.train()
            yield
        finally:
            for layer in layers:
                layer.eval()
