"""How long a window takes in each setup, on the processor."""

from __future__ import annotations

import statistics
import time
from collections.abc import Sequence

import torch

from deepseg.fast_network import full_float32, optimise
from deepseg.window_network import WindowNetwork
from deepseg_train.variants.accuracy_change import RunSetup
from deepseg_train.variants.onnx_export import random_windows

_ROUNDS = 7


def milliseconds_per_window(setups: Sequence[RunSetup]) -> dict[str, float]:
    """Median time of a pass over one window, by the name of the setup; they take turns, so that whatever else the computer does slows all of them."""
    networks = {setup.name: _network(setup) for setup in setups}
    windows = random_windows(setups[0].bundle.spec, 1)
    seconds: dict[str, list[float]] = {name: [] for name in networks}
    with torch.inference_mode(), full_float32():
        for turn in range(_ROUNDS + 1):
            for name, network in networks.items():
                start = time.perf_counter()
                network(windows)
                if turn:  # the first pass makes things ready
                    seconds[name].append(time.perf_counter() - start)
    return {name: 1000 * statistics.median(taken) for name, taken in seconds.items()}


def _network(setup: RunSetup) -> WindowNetwork:
    spec = setup.bundle.spec
    members = [optimise(setup.bundle.build_network(member), setup.precision) for member in range(len(spec.weights))]
    return WindowNetwork(members, spec, setup.precision)
