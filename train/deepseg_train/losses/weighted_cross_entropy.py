"""Cross-entropy in which labels weigh differently."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from deepseg_train.errors import ConfigError
from deepseg_train.losses.overlap import of_all_processes
from deepseg_train.losses.voxel_loss import Answer, Reference, Spacing, VoxelLoss


class WeightedCrossEntropyLoss(VoxelLoss):
    """Cross-entropy as the weighted mean over voxels, each with the weight of its true label.

    A batch whose voxels all weigh nothing has a loss of 0.
    """

    def __init__(self, class_weights: Sequence[float], *, spacing_mm: Spacing = (1.0, 1.0, 1.0)) -> None:
        """`class_weights`: one number a channel, the background first; not negative.

        Raises:
            ConfigError: one is negative, or none is more than 0.
        """
        super().__init__(spacing_mm=spacing_mm)
        if isinstance(class_weights, (int, float)) or min(class_weights, default=0.0) < 0 or not sum(class_weights) > 0:
            raise ConfigError(f"class_weights is {class_weights}; expected a list of numbers that are not negative, and one that is more than 0.")
        self.register_buffer("class_weights", torch.tensor(class_weights, dtype=torch.float32), persistent=False)

    def of(self, answer: Answer, reference: Reference) -> torch.Tensor:
        """Raises ConfigError where there are more or fewer weights than channels."""
        channels = answer.logits.shape[1]
        if len(self.class_weights) != channels:
            raise ConfigError(f"class_weights has {len(self.class_weights)} numbers; this model has {channels} channels. Give one each.")
        likelihood, weights = answer.log_likelihood(reference), self.class_weights.to(answer.logits)
        of_voxels = weights[reference.target]
        weighted, total = of_all_processes(torch.stack([(of_voxels * likelihood).sum(), of_voxels.sum()])).unbind()
        return -weighted / total.clamp_min(torch.finfo(weights.dtype).tiny)
