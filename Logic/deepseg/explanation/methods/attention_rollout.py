"""Attention rollout (Abnar and Zuidema 2020, arXiv:2005.00928): which tokens the place asked about looks at, through all layers.

It tells where a transformer looks, not what speaks for a label or against it: the map is the same for every label, and never negative.
"""

from __future__ import annotations

import torch
from torch import nn

from deepseg.explanation.attention import attention_kept, flow_of
from deepseg.explanation.methods.method import Asked, Method
from deepseg.inference import window_at


class AttentionRollout(Method):
    title, needs_layer, passes = "Attention rollout", False, 1

    def refuse_unfit(self, network: nn.Module) -> None:
        with attention_kept(network):
            pass

    def attribute(self, asked: Asked) -> torch.Tensor:
        passes, windows = asked.passes, asked.passes.windows
        image, total = windows.pad(asked.image), torch.zeros(windows.shape)
        for corner in windows.corners:
            where = windows.where[windows.place(corner)] * windows.share(corner)
            for member in passes.network.members:
                with attention_kept(member) as kept, torch.no_grad():
                    passes.logits_of(member, window_at(image, corner, windows.window))
                    back, grid = flow_of(member, kept, windows.window.size)
                    weights = nn.functional.adaptive_avg_pool3d(where[None, None], grid)[0, 0]
                    found = back(weights * (where.sum() / weights.sum()).nan_to_num())
                fine = nn.functional.interpolate(found[None, None], windows.window.size, mode="trilinear", align_corners=False)[0, 0]
                total[windows.place(corner)] += fine * (found.sum() / fine.sum()) / len(passes.network.members)
        return windows.unpad(total[None])[0]
