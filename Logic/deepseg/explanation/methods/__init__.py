"""Ways to explain, by name."""

from __future__ import annotations

from deepseg.errors import ExplanationError
from deepseg.explanation.methods.attention_rollout import AttentionRollout
from deepseg.explanation.methods.grad_cam import GradCam
from deepseg.explanation.methods.grad_cam_plus_plus import GradCamPlusPlus
from deepseg.explanation.methods.gradient_times_input import GradientTimesInput
from deepseg.explanation.methods.hires_cam import HiResCam
from deepseg.explanation.methods.integrated_gradients import IntegratedGradients
from deepseg.explanation.methods.method import Asked, Method
from deepseg.explanation.methods.occlusion import CoarseToFineOcclusion, Occlusion
from deepseg.explanation.methods.relevance_propagation import RelevancePropagation
from deepseg.explanation.methods.smooth_grad import SmoothGrad

METHODS: dict[str, Method] = {
    "grad-cam": GradCam(),
    "grad-cam++": GradCamPlusPlus(),
    "hires-cam": HiResCam(),
    "integrated-gradients": IntegratedGradients(),
    "smooth-grad": SmoothGrad(),
    "gradient-times-input": GradientTimesInput(),
    "relevance": RelevancePropagation(),
    "occlusion": Occlusion(),
    "coarse-occlusion": CoarseToFineOcclusion(),
    "attention-rollout": AttentionRollout(),
}


def method_named(name: str) -> Method:
    """A registered method.

    Raises:
        ExplanationError: there is none of this name.
    """
    if name not in METHODS:
        raise ExplanationError(f"There is no way of explaining named '{name}'; there are {', '.join(METHODS)}.")
    return METHODS[name]


__all__ = ["METHODS", "Asked", "Method", "method_named"]
