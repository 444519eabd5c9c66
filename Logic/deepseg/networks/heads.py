"""One form for what networks answer in training: deep supervision (Lee et al. 2015, arXiv:1409.5185) comes as one array, or as a list of them."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from deepseg.errors import ModelError


def heads_of(output: torch.Tensor | Sequence[torch.Tensor], spatial_dims: int = 3) -> torch.Tensor:
    """The logits (N, H, L, I, J, K) of all heads of a network, the one that will be served first, then from fine to coarse.

    Args:
        output: logits (N, L, I, J, K) of a network with one head, (N, H, L, I, J, K) as DynUNet answers in training, or a sequence of (N, L, ...)
            whose first is on the full grid, as SegResNetDS and MedNeXt answer. Coarser ones are brought to the full grid by nearest neighbours, as
            DynUNet does it.
        spatial_dims: 2 for a network of slices, whose arrays lack the last axis.

    Raises:
        ModelError: the output has another form.
    """
    if isinstance(output, torch.Tensor):
        if output.ndim == spatial_dims + 2:
            return output.unsqueeze(1)
        if output.ndim == spatial_dims + 3:
            return output
        raise ModelError(f"The network answers an array of shape {tuple(output.shape)}; expected {spatial_dims + 2} or {spatial_dims + 3} axes.")
    alike = isinstance(output, (list, tuple)) and len(output) > 0 and all(isinstance(head, torch.Tensor) for head in output)
    if not alike or any(head.ndim != spatial_dims + 2 for head in output):
        raise ModelError(f"The network answers a {type(output).__name__} that is no sequence of logits with {spatial_dims + 2} axes each.")
    size = output[0].shape[2:]
    fine = [head if head.shape[2:] == size else torch.nn.functional.interpolate(head, size) for head in output]
    return torch.stack(fine, 1)
