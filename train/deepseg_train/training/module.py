"""The Lightning module: network, loss, optimiser, and validation the way the model will be served."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import lightning
import numpy as np
import torch
from torch import nn

from deepseg.errors import ModelError, NotFiniteError
from deepseg.fast_network import replace_instance_norms
from deepseg.inference import infer_logits
from deepseg.metrics import dice
from deepseg.networks import build_network
from deepseg.networks.heads import heads_of
from deepseg.uncertainty.samplers.learned_variance import spread_block
from deepseg_train.config import TrainConfig
from deepseg_train.errors import ConfigError
from deepseg_train.losses import DeepSupervisionLoss, LearnedWeights, NoisyLogitsLoss
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

    def __init__(self, config: TrainConfig) -> None:
        super().__init__()
        self.spec = config.spec
        self.settings = config
        self.network = build_network(config.spec.network.name, config.spec.network.kwargs)
        if config.start_from:
            start_from(self.network, config.start_from)
        check_patterns(self.network, config.optimizer)
        self.frozen = freeze(self.network, config.optimizer)
        self.images = _made_ready(self.network, config.training.precision)
        kind = DeepSupervisionLoss if spread_block(self.network) is None else NoisyLogitsLoss
        spacing = tuple(side or 1.0 for side in config.spec.spacing_mm)
        self.loss = kind(config.loss, spacing_mm=spacing)
        # In a list, so that the teacher is none of the parts that are trained, averaged and stored.
        self.teachers = [Teacher(config.distillation, config.spec)] if config.distillation else []
        self._try_window()

    def on_train_epoch_start(self) -> None:
        """Everything random in an epoch follows from the run's seed and the epoch, so that a run that goes on is the run it would have been."""
        drawn = np.random.SeedSequence([self.settings.training.seed, self.current_epoch, self.global_rank])
        lightning.seed_everything(int(drawn.generate_state(1)[0]), verbose=False)
        self.loss.at_epoch(self.current_epoch)
        if self.current_epoch + 1 == self.settings.training.epochs:
            # The last epoch has the lowest learning rate; its weights are always a candidate.
            self.trainer.check_val_every_n_epoch = 1
        for module in self.frozen:
            module.eval()

    def on_train_epoch_end(self) -> None:
        for part in self.loss.modules():
            if isinstance(part, LearnedWeights):
                self.log_dict({f"train/weight of {name}": weight for name, weight in part.weights.items()}, batch_size=1, sync_dist=True)

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
        try:
            predicted = infer_logits(self.network, case["image"][0], self.spec).argmax(0).cpu().numpy()
        except NotFiniteError as error:
            rate = self.settings.optimizer.learning_rate
            raise ConfigError(
                f"Training diverged in epoch {self.current_epoch + 1}: the network's output is NaN or infinite. "
                f"Lower optimizer.learning_rate (now {rate:g})."
            ) from error
        reference = case["label"][0, 0].cpu().numpy()
        self.scores.append([dice(predicted == label.value, reference == label.value) for label in self.spec.labels])

    def on_validation_epoch_start(self) -> None:
        self.scores: list[list[float]] = []

    def on_validation_epoch_end(self) -> None:
        """Mean over the cases of all processes, which may have validated different numbers of them."""
        scores = torch.tensor(self.scores, dtype=torch.float64, device=self.device)
        count = self.trainer.strategy.reduce(torch.tensor(float(len(scores)), device=self.device), reduce_op="sum")
        mean = self.trainer.strategy.reduce(scores.sum(0), reduce_op="sum") / count
        self.log_dict({f"validation/dice_{label.value}": value for label, value in zip(self.spec.labels, mean, strict=True)})
        self.log("validation/dice", mean.mean(), prog_bar=True)

    def configure_optimizers(self) -> dict[str, Any]:
        optimizer = optimizer_of(self.network, self.settings.optimizer, list(self.loss.parameters()))
        epochs = self.settings.training.epochs
        rate = rate_of(self.settings.schedule, int(self.trainer.estimated_stepping_batches) // epochs, epochs)
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": torch.optim.lr_scheduler.LambdaLR(optimizer, rate), "interval": "step"}}

    def _try_window(self) -> None:
        """Refuse a network, window and loss that do not fit each other before any case is read."""
        spec, count = self.spec, min(self.settings.training.batch_size, 2)
        before = [buffer.clone() for buffer in self.network.buffers()]
        try:
            with torch.no_grad():
                heads = heads_of(self.network(self.images(torch.zeros(count, len(spec.inputs), *spec.window.size))))
                self.loss(heads.float(), torch.zeros(count, 1, *spec.window.size, dtype=torch.long))
                self.network.eval()(torch.zeros(1, len(spec.inputs), *spec.window.size))
        except (RuntimeError, ValueError, ModelError) as error:
            reason = " ".join(str(error).split())
            raise ConfigError(f"The network {spec.network.name} cannot be trained on windows of {spec.window.size} voxels: {reason}") from error
        self.network.train()
        for buffer, value in zip(self.network.buffers(), before, strict=True):
            buffer.copy_(value)


def _made_ready(network: nn.Module, precision: str) -> Callable[[torch.Tensor], torch.Tensor]:
    """Make a network train fast where it is; returns what a batch of images must go through before."""
    if torch.cuda.is_available():
        return lambda images: images
    if precision == "bf16-mixed":
        prepare_network(network)
        return prepare_images
    replace_instance_norms(network)
    return lambda images: images
