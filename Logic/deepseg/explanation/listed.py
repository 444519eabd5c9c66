"""Ways to explain as a panel or the command line lists them: importing `deepseg.explanation.methods` would load PyTorch."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class ListedMethod:
    """What a user must know to choose one.

    Attributes:
        key: of `deepseg.explanation.methods.METHODS`.
        title: for people.
        needs_layer: whether it looks at one of the network's layers.
        usual: whether it is taken where none is named.
    """

    key: str
    title: str
    needs_layer: bool
    usual: bool = False


LISTED = (
    ListedMethod("grad-cam", "Grad-CAM", True),
    ListedMethod("grad-cam++", "Grad-CAM++", True),
    ListedMethod("hires-cam", "HiRes-CAM", True),
    ListedMethod("integrated-gradients", "Integrated gradients", False, usual=True),
    ListedMethod("smooth-grad", "SmoothGrad", False),
    ListedMethod("gradient-times-input", "Gradient x input", False),
    ListedMethod("relevance", "Layer-wise relevance propagation", False),
    ListedMethod("occlusion", "Occlusion", False),
    ListedMethod("coarse-occlusion", "Occlusion, coarse to fine", False),
    ListedMethod("attention-rollout", "Attention rollout", False),
)
"""All that are registered, in the same order."""
