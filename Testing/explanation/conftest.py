"""Networks small enough to do by hand, and questions put to them."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch import nn

from deepseg import networks
from deepseg.explanation.methods import Asked
from deepseg.explanation.passes import Passes
from deepseg.explanation.question import Question
from deepseg.spec import NetworkSpec, WindowSpec
from deepseg.window_network import WindowNetwork

SHAPE = (10, 12, 8)


class OneConvolution(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Conv3d(1, 3, 3, padding=1)

    def forward(self, windows):
        return self.layer(windows)


class OneBlock(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.first, self.relu, self.last = nn.Conv3d(1, 4, 3, padding=1), nn.ReLU(), nn.Conv3d(4, 3, 1)

    def forward(self, windows):
        return self.last(self.relu(self.first(windows)))


@pytest.fixture
def hand(tiny_spec, monkeypatch):
    """Puts a question about label 1 to a network: `hand(network, image, where, window)`; one window as large as the image where None."""

    def ask(network, image, where, window=None, **question):
        monkeypatch.setitem(networks.NETWORKS, "ByHand", lambda: type(network)())
        size = window or tuple(image.shape[1:])
        spec = replace(tiny_spec, spacing_mm=(1.0, 1.0, 1.0), network=NetworkSpec("ByHand", {}), window=WindowSpec(size))
        members = WindowNetwork([network.eval().requires_grad_(False)], spec, "float32")
        return Asked(Passes(members, Question(where / where.sum(), 3, False, **{"channel": 1, **question})), image)

    return ask


@pytest.fixture
def an_image():
    return torch.randn((1, *SHAPE), generator=torch.Generator().manual_seed(1))


@pytest.fixture
def a_place():
    where = torch.zeros(SHAPE)
    where[3:6, 4:8, 2:5] = 1.0
    return where


@pytest.fixture
def convolution():
    with torch.random.fork_rng():
        torch.manual_seed(2)
        return OneConvolution()


@pytest.fixture
def block():
    with torch.random.fork_rng():
        torch.manual_seed(3)
        return OneBlock()
