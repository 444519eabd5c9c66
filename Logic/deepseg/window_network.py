"""The model's networks as one: members averaged, mirrored answers averaged, slices with their neighbours as channels."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations

import torch
from torch import nn

from deepseg.bundle import ModelBundle
from deepseg.errors import ModelError, is_shortage
from deepseg.fast_network import arranged, optimise
from deepseg.heap import large_blocks_kept
from deepseg.spec import ModelSpec


class WindowNetwork:
    """Windows in, logits out.

    Attributes:
        spec: the model; its window may be smaller than the one it was made with.
        precision: number type the networks compute in.
        device: where they do.
        members: the networks.
        averages: whether what is blended apart is averaged in the end.
    """

    averages = True

    def __init__(self, members: Sequence[nn.Module], spec: ModelSpec, precision: str, mirror: bool = False) -> None:
        """`members` have been through `optimise`; `mirror` averages the answers to windows mirrored along every set of the model's mirror axes."""
        self.spec, self.precision = spec, precision
        self.device = next(members[0].parameters()).device
        self.members = list(members)
        self._dtype = next(members[0].parameters()).dtype
        axes = sorted(spec.output.mirror_axes) if mirror else []
        self._flips = [tuple(axis + 2 for axis in some) for count in range(len(axes) + 1) for some in combinations(axes, count)]

    @staticmethod
    def of(bundle: ModelBundle, spec: ModelSpec, device: torch.device, precision: str, mirror: bool) -> WindowNetwork:
        """All members of a model; the last one asked for is kept, so that the next run need not load it.

        Raises:
            ModelError: the network is unknown here, or the weights do not fit it.
        """
        key = (bundle.folder, bundle.sha256, device, precision)
        members = _KEPT.get(key)
        if members is None:
            _KEPT.clear()
            members = [optimise(bundle.build_network(member, device), precision) for member in range(len(bundle.spec.weights))]
            _KEPT[key] = members
        return WindowNetwork(members, spec, precision, mirror)

    @property
    def blended_apart(self) -> int:
        """How many members' logits come one after the other instead of averaged, because they are blended apart: nnU-Net's way."""
        return len(self.members) if self.spec.window.weight == "nnunet" else 1

    def __call__(self, windows: torch.Tensor) -> torch.Tensor:
        """Logits (N, L, i, j, k) of windows (N, C, i, j, k), averaged over the members, or (N, members * L, i, j, k) where they are blended apart.

        For a 2.5D network the windows hold the neighbouring slices too.

        Raises:
            ModelError: the network cannot take the windows, or answers with another number of channels or another size.
        """
        answers = [self._mean_of_flips(member, windows) for member in self.members]
        return torch.cat(answers, 1) if self.blended_apart > 1 else _mean(answers)

    def _mean_of_flips(self, member: nn.Module, windows: torch.Tensor) -> torch.Tensor:
        windows = windows.to(self.device, self._dtype)
        return _mean([self._answer(member, windows.flip(flip)).flip(flip) if flip else self._answer(member, windows) for flip in self._flips])

    def _answer(self, member: nn.Module, windows: torch.Tensor) -> torch.Tensor:
        across = self.spec.window.slice_axis
        if across is not None:
            # (N, C, slices, h, w) -> (N, C * slices, h, w)
            windows = windows.movedim(across + 2, 2).flatten(1, 2)
        try:
            with large_blocks_kept():
                answer = member(arranged(windows, self.precision))
        except Exception as error:
            if is_shortage(error):
                raise
            reason = (str(error).splitlines() or [type(error).__name__])[0]
            raise ModelError(f"The model {self.spec.id} cannot be run: {reason}. Its network does not fit its inputs or its window.") from error
        if isinstance(answer, (tuple, list)):
            answer = answer[0]
        expected = (len(windows), self.spec.channel_count, *windows.shape[2:])
        if answer.shape != expected:
            raise ModelError(f"The network answers {tuple(answer.shape[1:])}, the model's labels and window need {expected[1:]}; it is damaged.")
        return answer if across is None else answer.unsqueeze(across + 2)


def _mean(answers: list[torch.Tensor]) -> torch.Tensor:
    return answers[0] if len(answers) == 1 else sum(answer.float() for answer in answers) / len(answers)


_KEPT: dict[tuple, list[nn.Module]] = {}
"""The networks of the last model."""
