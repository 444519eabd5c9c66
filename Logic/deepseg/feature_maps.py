"""Which of a network's modules give a map over the window, found without values and without memory for them."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import nn

from deepseg.cost import blank_network
from deepseg.spec import ModelSpec


def feature_maps(spec: ModelSpec) -> dict[str, tuple[int, ...]]:
    """Shape of the map that each module gives for one window, by the module's name, outer modules before what they are made of.

    Two axes for a 2D network. Empty for a network that computes with the values of its tensors.
    """
    size, channels = list(spec.window.size), len(spec.inputs)
    if (across := spec.window.slice_axis) is not None:
        del size[across]
        channels *= 2 * spec.window.slice_context + 1
    key = repr((spec.network, size, channels))
    found = _KEPT.get(key)
    if found is None:
        found = _found(blank_network(spec).eval(), (1, channels, *size))
        _KEPT.clear()
        _KEPT[key] = found
    return dict(found)


def _found(network: nn.Module, shape: tuple[int, ...]) -> dict[str, tuple[int, ...]]:
    found: dict[str, tuple[int, ...]] = {}

    def noted(name: str) -> Callable[[nn.Module, object, object], None]:
        def note(module: nn.Module, inputs: object, output: object) -> None:
            if isinstance(output, torch.Tensor) and output.ndim == len(shape):
                found[name] = tuple(output.shape[2:])

        return note

    hooks = [module.register_forward_hook(noted(name)) for name, module in network.named_modules() if name]
    try:
        with torch.no_grad():
            network(torch.empty(shape, device="meta"))
    except Exception:  # whatever a network says when it meets tensors without values
        return {}
    finally:
        for hook in hooks:
            hook.remove()
    return {name: found[name] for name, _ in network.named_modules() if name in found}


_KEPT: dict[str, dict[str, tuple[int, ...]]] = {}
"""Those of the last model: finding them costs a tenth of a pass of a small network, and every map asks for them."""
