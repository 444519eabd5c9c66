"""Distances of voxels from the boundaries of labels."""

from __future__ import annotations

import torch
from monai.transforms.utils import distance_transform_edt


@torch.no_grad()
def signed_distances(masks: torch.Tensor, spacing_mm: tuple[float, float, float]) -> torch.Tensor:
    """Distance in mm of each voxel's centre from the nearest one on the other side of the label's boundary; negative inside.

    `masks` (N, F, I, J, K), 0 or 1; the result is like it. Where a mask is empty or full there is no boundary, and the result is 0.
    """
    found = torch.zeros_like(masks)
    for image, distances in zip(masks > 0.5, found, strict=True):
        bounded = image.any((1, 2, 3)) & ~image.all((1, 2, 3))
        for inside, distance in zip(image[bounded], bounded.nonzero()[:, 0], strict=True):
            both = torch.stack([~inside, inside])
            outer, inner = distance_transform_edt(both, sampling=list(spacing_mm))
            distances[distance] = (outer - inner).to(distances)
    return found
