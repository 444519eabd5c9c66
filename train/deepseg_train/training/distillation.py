"""Learning from a trained model's answers beside the labels (Hinton et al. 2015, arXiv:1503.02531)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from deepseg.api import load_model
from deepseg.errors import ModelError
from deepseg.fast_network import fast_precision, optimise
from deepseg.spec import InputSpec, ModelSpec
from deepseg_train.data.channels import steps_text
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


_COMPARED: dict[str, Callable[[ModelSpec], Any]] = {
    "input": lambda spec: "; ".join(map(_input_text, spec.inputs)),
    "orientation": lambda spec: spec.orientation,
    "spacing_mm": lambda spec: spec.spacing_mm,
    "resampling": lambda spec: spec.resampling,
    "crop": lambda spec: spec.crop,
    "channel_count": lambda spec: spec.channel_count,
}
"""What teacher and student must have alike; the names of inputs and labels are each one's own."""


def _input_text(item: InputSpec) -> str:
    return f"{item.modality} in {item.unit}, normalised by {steps_text(item.steps)}"


class Teacher:
    """Answers for training patches, as they are changed, so that it is asked about more images than there are cases.

    One member drawn at random answers each batch. The loss is linear in the teacher's probabilities, so over many steps
    the student learns the mean of all members at the cost of one.
    """

    def __init__(self, settings: DistillationSettings, student: ModelSpec) -> None:
        """Read the teacher and ask it about a blank window.

        Raises:
            ConfigError: it cannot be read, sees or tells other things than the student, or cannot answer to windows of the student's size.
        """
        try:
            bundle = load_model(settings.teacher)
            networks = [bundle.build_network(member) for member in range(len(bundle.spec.weights))]
        except ModelError as error:
            raise ConfigError(f"The teacher {settings.teacher} cannot be used: {error}") from error
        if bundle.spec.overlapping:
            raise ConfigError(f"The teacher {settings.teacher} cannot teach this model: its labels may overlap; the student's exclude each other.")
        for what, told in _COMPARED.items():
            its, ours = told(bundle.spec), told(student)
            if its != ours:
                raise ConfigError(f"The teacher {settings.teacher} cannot teach this model: its {what} is {its}; the student's is {ours}.")
        _refuse_other_labels(settings.teacher, bundle.spec, student)
        self.temperature = settings.temperature
        device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        self.precision = fast_precision(device)
        self.networks: list[nn.Module] = [optimise(network, self.precision) for network in networks]
        self._loss = DistillationLoss(settings.temperature)
        self._refuse_other_windows(settings.teacher, student, device)

    def __deepcopy__(self, memo: dict) -> Teacher:
        """The moving average copies the module it is of; the teacher is nothing to average."""
        return self

    def loss(self, logits: torch.Tensor, images: torch.Tensor) -> torch.Tensor:
        """Of the student's logits (N, L, I, J, K) for a batch (N, C, I, J, K)."""
        return self._loss(logits, self.answer(images))

    @torch.no_grad()
    def answer(self, images: torch.Tensor) -> torch.Tensor:
        """Probabilities (N, L, I, J, K) in float32 for a batch (N, C, I, J, K)."""
        return self._answer_of(int(torch.randint(len(self.networks), ())), images)

    def _answer_of(self, member: int, images: torch.Tensor) -> torch.Tensor:
        network = self.networks[member].to(images.device)
        # In its own number type: the student's automatic one would round what it says.
        with torch.autocast(images.device.type, enabled=False):
            logits = network(images.to(next(network.parameters()).dtype)).float() / self.temperature
        return logits.softmax(1)

    @torch.no_grad()
    def _refuse_other_windows(self, name: str, student: ModelSpec, device: torch.device) -> None:
        expected = (1, student.channel_count, *student.window.size)
        size = " x ".join(map(str, student.window.size))
        try:
            found = tuple(self._answer_of(0, torch.zeros(1, len(student.inputs), *student.window.size, device=device)).shape)
        except (RuntimeError, ValueError) as error:
            raise ConfigError(f"The teacher {name} cannot answer to the student's windows of {size} voxels: {error}") from error
        if found != expected:
            raise ConfigError(f"The teacher {name} answers to the student's windows of {size} voxels in the shape {found}; expected {expected}.")


def _refuse_other_labels(name: str, teacher: ModelSpec, student: ModelSpec) -> None:
    """Labels are matched by value; where both have the same names, these must have the same values.

    Raises:
        ConfigError: they do not, or only some names are shared.
    """
    theirs, ours = ([label.name.casefold() for label in spec.labels] for spec in (teacher, student))
    if theirs == ours:
        return
    told = [", ".join(f"{label.value} {label.name}" for label in spec.labels) for spec in (teacher, student)]
    if set(theirs) & set(ours):
        raise ConfigError(f"The teacher {name} cannot teach this model: its labels are {told[0]}; the student's are {told[1]}.")
    print(f"Note: the teacher names its labels otherwise; taken by value: {told[0]} for {told[1]}.", flush=True)
