"""From a model's networks to an ONNX file, checked with ONNX Runtime against PyTorch."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import torch
from torch import nn

from deepseg.bundle import ModelBundle
from deepseg.errors import ModelError
from deepseg.inference import window_at
from deepseg.spec import ModelSpec
from deepseg_train.errors import ConfigError
from deepseg_train.variants.onnx_network import INPUT, OUTPUT, OnnxNetwork

LOGIT_LIMIT = 1e-3
"""Largest difference of a logit, as a share of the largest logit, that still counts as rounding."""

_FILE_LIMIT_BYTES = 2_000_000_000
"""An ONNX file is one message of Protocol Buffers, which cannot be larger."""

_BATCHES = (1, 3)


class _Logits(nn.Module):
    """The members' evaluation networks as one: the mean of their logits."""

    def __init__(self, members: list[nn.Module]) -> None:
        super().__init__()
        self.members = nn.ModuleList(members)

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        answers = [member(image) for member in self.members]
        answers = [answer[0] if isinstance(answer, (tuple, list)) else answer for answer in answers]
        return sum(answers[1:], answers[0]) / len(answers) if len(answers) > 1 else answers[0]


def network_input(window: torch.Tensor, spec: ModelSpec) -> torch.Tensor:
    """What the network sees of windows (N, C, i, j, k): for a 2D one its slices as channels, (N, C * slices, h, w)."""
    across = spec.window.slice_axis
    return window if across is None else window.movedim(across + 2, 2).flatten(1, 2)


def random_windows(spec: ModelSpec, count: int) -> torch.Tensor:
    """Windows (N, C, i, j, k), with the neighbouring slices of a 2.5D network, of noise that is always the same."""
    noise = torch.randn((count, len(spec.inputs), *spec.window.size), generator=torch.Generator().manual_seed(0))
    return torch.stack([window_at(image, (0, 0, 0), spec.window) for image in noise])


def export_onnx(bundle: ModelBundle, path: Path) -> float:
    """Write the evaluation network of a model, members averaged, as one ONNX file for its window and any number of windows at a time.

    Input 'image', float32 (batch, C, i, j, k) of normalised intensities, output 'logits', float32 (batch, L, i, j, k).

    Returns:
        The largest difference of a logit between ONNX Runtime and PyTorch, for one window and for several at a time.

    Raises:
        ConfigError: the network cannot be expressed in ONNX, or is too large for one file.
        ModelError: the file does not answer as the network does.
    """
    spec = bundle.spec
    network = _Logits([bundle.build_network(member) for member in range(len(spec.weights))]).eval()
    size = sum(tensor.numel() * tensor.element_size() for tensor in network.state_dict().values())
    if size > _FILE_LIMIT_BYTES:
        raise ConfigError(f"The networks of {spec.id} take {size / 1e9:.1f} GB; an ONNX file holds at most {_FILE_LIMIT_BYTES / 1e9:.0f} GB.")
    try:
        with _quiet():
            torch.onnx.export(
                network,
                # Of a single window the exporter would conclude that there is never more than one.
                (network_input(random_windows(spec, 2), spec),),
                path,
                input_names=[INPUT],
                output_names=[OUTPUT],
                dynamic_shapes={"image": {0: torch.export.Dim("batch")}},
                dynamo=True,
                external_data=False,
                verbose=False,
            )
    except Exception as error:  # an exporter may fail in any way on what it does not know
        reason = " ".join(str(error).split())[:300]
        raise ConfigError(
            f"The network {spec.network.name} cannot be written as ONNX ({type(error).__name__}: {reason}). Name other kinds."
        ) from error
    return _checked(network, OnnxNetwork(path), spec)


def _checked(network: nn.Module, exported: OnnxNetwork, spec: ModelSpec) -> float:
    worst = 0.0
    for count in _BATCHES:
        image = network_input(random_windows(spec, count), spec)
        with torch.inference_mode():
            expected, answer = network(image), exported(image)
        if answer.shape != expected.shape:
            raise ModelError(f"The ONNX file of {spec.id} answers {tuple(answer.shape)} where the network answers {tuple(expected.shape)}.")
        difference = float((answer - expected).abs().max())
        if not difference <= LOGIT_LIMIT * max(float(expected.abs().max()), 1.0):
            raise ModelError(f"The ONNX file of {spec.id} does not answer as the network does: logits differ by {difference:.2g}.")
        worst = max(worst, difference)
    return worst


@contextmanager
def _quiet() -> Iterator[None]:
    """The exporter warns of its own parts and of packages that nothing here needs."""
    log = logging.getLogger("torch.onnx")
    before = log.level
    log.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        log.setLevel(before)
