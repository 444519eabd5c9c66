"""The Lightning module: network, loss, optimiser, and validation the way the model will be served."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import lightning
import torch
from torch import nn

from deepseg.fast_network import replace_instance_norms
from deepseg.inference import infer_logits
from deepseg.metrics import dice
from deepseg.networks import build_network
from deepseg.networks.heads import heads_of
from deepseg.uncertainty.samplers.learned_variance import spread_block
from deepseg_train.config import TrainConfig
from deepseg_train.losses import DeepSupervisionLoss, NoisyLogitsLoss
from deepseg_train.training.distillation import Teacher
from deepseg_train.training.fast_network import prepare_images, prepare_network
from deepseg_train.training.optimizers import check_patterns, freeze, l1_of, optimizer_of
from deepseg_train.training.schedules import rate_of
from deepseg_train.training.start import start_from


class SegmentationModule(lightning.LightningModule):
    """Trains `config.spec.network`; batches hold 'image' (N, C, I, J, K) and 'label' (N, 1, I, J, K).

    Where patches are mixed a batch also holds 'label_mixed' and 'mix' (N,), the second label's share.

    Raises:
        ConfigError: a pattern fits no parameter, or the model to start from or the teacher does not fit.
    """

    def __init__(self, config: TrainConfig, steps_per_epoch: int) -> None:
        super().__init__()
        self.spec = config.spec
        self.settings = config
        self.steps_per_epoch = steps_per_epoch
        self.network = build_network(config.spec.network.name, config.spec.network.kwargs)
        if config.start_from:
            start_from(self.network, config.start_from)
        check_patterns(self.network, config.optimizer)
        self.frozen = freeze(self.network, config.optimizer)
        self.images = _made_ready(self.network, config.training.precision)
        kind = DeepSupervisionLoss if spread_block(self.network) is None else NoisyLogitsLoss
        spacing = tuple(side or 1.0 for side in config.spec.spacing_mm)
        self.loss = kind(config.loss, overlapping=config.spec.overlapping, spacing_mm=spacing)
        # In a list, so that the teacher is none of the parts that are trained, averaged and stored.
        self.teachers = [Teacher(config.distillation, config.spec)] if config.distillation else []

    def on_train_epoch_start(self) -> None:
        """Everything random in an epoch follows from the run's seed and the epoch, so that a run that goes on is the run it would have been."""
        lightning.seed_everything(self.settings.training.seed * 100_003 + self.current_epoch * 101 + self.global_rank, verbose=False)
        self.loss.at_epoch(self.current_epoch)
        for module in self.frozen:
            module.eval()

    def training_step(self, batch: dict[str, torch.Tensor], index: int) -> torch.Tensor:
        loss = self.loss_of(batch)
        self.log("train/loss", loss, on_step=False, on_epoch=True, prog_bar=True, batch_size=len(batch["image"]), sync_dist=True)
        l1 = self.settings.optimizer.l1
        return loss + l1 * l1_of(self.network) if l1 else loss

    def loss_of(self, batch: dict[str, torch.Tensor]) -> torch.Tensor:
        """The loss of a batch, a scalar: of its labels, and of the teacher's answers where there is one."""
        heads = heads_of(self.network(self.images(batch["image"]))).float()
        loss = self._of_labels(heads, batch)
        for teacher in self.teachers:
            weight = self.settings.distillation.weight
            loss = (1 - weight) * loss + weight * teacher.loss(heads[:, 0], batch["image"])
        return loss

    def _of_labels(self, heads: torch.Tensor, batch: dict[str, torch.Tensor]) -> torch.Tensor:
        loss = self.loss(heads, batch["label"].long())
        if "mix" not in batch:
            return loss
        share = batch["mix"].mean()
        return (1 - share) * loss + share * self.loss(heads, batch["label_mixed"].long())

    def validation_step(self, case: dict[str, torch.Tensor], index: int) -> None:
        """Whole cases, one at a time, through DeepSeg's own inference."""
        logits = infer_logits(self.network, case["image"][0], self.spec)
        reference = case["label"][0, 0].cpu().numpy()
        if self.spec.overlapping:
            found = [(logits[n] > 0).cpu().numpy() for n in range(len(self.spec.labels))]
            true = [(reference >> n & 1).astype(bool) for n in range(len(self.spec.labels))]
        else:
            predicted = logits.argmax(0).cpu().numpy()
            found, true = ([array == label.value for label in self.spec.labels] for array in (predicted, reference))
        scores = [dice(a, b) for a, b in zip(found, true, strict=True)]
        for label, score in zip(self.spec.labels, scores, strict=True):
            self.log(f"validation/dice_{label.value}", score, batch_size=1, prog_bar=True, sync_dist=True)
        self.log("validation/dice", sum(scores) / len(scores), batch_size=1, sync_dist=True)

    def configure_optimizers(self) -> dict[str, Any]:
        optimizer = optimizer_of(self.network, self.settings.optimizer, list(self.loss.parameters()))
        rate = rate_of(self.settings.schedule, self.steps_per_epoch, self.settings.training.epochs)
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": torch.optim.lr_scheduler.LambdaLR(optimizer, rate), "interval": "step"}}


def _made_ready(network: nn.Module, precision: str) -> Callable[[torch.Tensor], torch.Tensor]:
    """Make a network train fast where it is; returns what a batch of images must go through before."""
    if torch.cuda.is_available():
        return lambda images: images
    if precision == "bf16-mixed":
        prepare_network(network)
        return prepare_images
    replace_instance_norms(network)
    return lambda images: images
