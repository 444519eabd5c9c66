"""MONAI's DiNTS with an architecture that a search has found (He et al. 2021)."""

from __future__ import annotations

import contextlib
import io
from typing import Any

import numpy as np
import torch
from torch import nn


def build_dints(dints_space: dict[str, Any], node_a: list[list[float]], **kwargs: Any) -> nn.Module:
    """MONAI's `DiNTS`; `kwargs` are its own, in JSON types.

    Args:
        dints_space: arguments of MONAI's `TopologyInstance`; its `arch_code` are the lists [paths (blocks, paths), operations (blocks, paths)].
        node_a: which node of which block is active: (blocks + 1, depths).
    """
    from monai.networks.nets import DiNTS, TopologyInstance

    settings = {key: value for key, value in dints_space.items() if key not in ("arch_code", "device")}
    paths, operations = (np.asarray(code) for code in dints_space["arch_code"])
    # It prints advice on the size of the image.
    with contextlib.redirect_stdout(io.StringIO()):
        space = TopologyInstance(arch_code=[paths, operations], device="cpu", **settings)
    return DiNTS(dints_space=space, node_a=torch.as_tensor(node_a), **kwargs)
