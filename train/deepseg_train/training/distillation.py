"""Learning from a trained model's answers beside the labels (Hinton et al. 2015, arXiv:1503.02531)."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import nn

from deepseg.api import load_model
from deepseg.errors import ModelError
from deepseg.fast_network import fast_precision, optimise
from deepseg.spec import ModelSpec
from deepseg_train.errors import ConfigError
from deepseg_train.losses import DistillationLoss


@dataclass(frozen=True)
class DistillationSettings:
    """The section `distillation` of a config.

    Attributes:
        teacher: name or folder of a model, most often an ensemble.
        weight: share of the loss that the teacher's answers have; the labels have the rest.
        temperature: the logits of both are divided by it before they become probabilities.
    """

    teacher: str
    weight: float = 0.5
    temperature: float = 1.0

    def __post_init__(self) -> None:
        if not 0 < self.weight <= 1:
            raise ConfigError(f"weight is {self.weight}; expected a share above 0 and up to 1.")
        if self.temperature <= 0:
            raise ConfigError(f"temperature is {self.temperature}; expected a number above 0.")


class Teacher:
    """Answers for training patches, as they are changed, so that it is asked about more images than there are cases.

    One member drawn at random answers each batch. The loss is linear in the teacher's probabilities, so over many steps
    the student learns the mean of all members at the cost of one.
    """

    def __init__(self, settings: DistillationSettings, student: ModelSpec) -> None:
        """Raises ConfigError where the teacher cannot be read, or sees or tells other things than the student."""
        try:
            bundle = load_model(settings.teacher)
            networks = [bundle.build_network(member) for member in range(len(bundle.spec.weights))]
        except ModelError as error:
            raise ConfigError(f"The teacher {settings.teacher} cannot be used: {error}") from error
        for what in ("inputs", "orientation", "spacing_mm", "channel_count", "overlapping"):
            its, ours = getattr(bundle.spec, what), getattr(student, what)
            if its != ours:
                raise ConfigError(f"The teacher {settings.teacher} cannot teach this model: its {what} is {its}; the student's is {ours}.")
        self.temperature = settings.temperature
        self.precision = fast_precision(torch.device("cuda" if torch.cuda.is_available() else "cpu"))
        self.networks: list[nn.Module] = [optimise(network, self.precision) for network in networks]
        self.overlapping = student.overlapping
        # Without its Dice part the loss is linear in the teacher's probabilities.
        self._loss = DistillationLoss(student.overlapping, settings.temperature, dice_weight=0)

    def loss(self, logits: torch.Tensor, images: torch.Tensor) -> torch.Tensor:
        """Of the student's logits (N, L, I, J, K) for a batch (N, C, I, J, K)."""
        return self._loss(logits, self.answer(images))

    @torch.no_grad()
    def answer(self, images: torch.Tensor) -> torch.Tensor:
        """Probabilities (N, L, I, J, K) in float32 for a batch (N, C, I, J, K)."""
        network = self.networks[int(torch.randint(len(self.networks), ()))].to(images.device)
        logits = network(images.to(next(network.parameters()).dtype)).float() / self.temperature
        return logits.sigmoid() if self.overlapping else logits.softmax(1)
