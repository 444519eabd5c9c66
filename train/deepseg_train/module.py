"""The Lightning module: network, loss, optimiser, and validation the way the model will be served."""

from __future__ import annotations

import math
from typing import Any

import lightning
import torch

from deepseg.fast_network import replace_instance_norms
from deepseg.inference import infer_logits
from deepseg.metrics import dice
from deepseg.networks import build_network
from deepseg.spec import ModelSpec
from deepseg.uncertainty.samplers.learned_variance import spread_block
from deepseg_train.config import TrainingSettings
from deepseg_train.losses import DeepSupervisionLoss, NoisyLogitsLoss


class SegmentationModule(lightning.LightningModule):
    """Trains `spec.network`; batches hold 'image' (N, C, I, J, K) and 'label' (N, 1, I, J, K)."""

    def __init__(self, spec: ModelSpec, settings: TrainingSettings, steps_per_epoch: int) -> None:
        super().__init__()
        self.spec = spec
        self.settings = settings
        self.steps_per_epoch = steps_per_epoch
        self.network = build_network(spec.network.name, spec.network.kwargs)
        if not torch.cuda.is_available():
            replace_instance_norms(self.network)
        self.loss = DeepSupervisionLoss() if spread_block(self.network) is None else NoisyLogitsLoss()

    def training_step(self, batch: dict[str, torch.Tensor], index: int) -> torch.Tensor:
        heads = self.network(batch["image"])
        if heads.ndim == 5:  # a network without deep supervision has one head
            heads = heads.unsqueeze(1)
        loss = self.loss(heads.float(), batch["label"].long())
        self.log("train/loss", loss, on_step=False, on_epoch=True, prog_bar=True, batch_size=len(batch["image"]))
        return loss

    def validation_step(self, case: dict[str, torch.Tensor], index: int) -> None:
        """Whole cases, one at a time, through DeepSeg's own inference."""
        logits = infer_logits(self.network, case["image"][0], self.spec)
        predicted, reference = logits.argmax(0).numpy(), case["label"][0, 0].cpu().numpy()
        scores = [dice(predicted == label.value, reference == label.value) for label in self.spec.labels]
        for label, score in zip(self.spec.labels, scores, strict=True):
            self.log(f"validation/dice_{label.value}", score, batch_size=1, prog_bar=True)
        self.log("validation/dice", sum(scores) / len(scores), batch_size=1)

    def configure_optimizers(self) -> dict[str, Any]:
        s = self.settings
        optimizer = torch.optim.AdamW(self.parameters(), lr=s.learning_rate, weight_decay=s.weight_decay)
        warmup, total = s.warmup_epochs * self.steps_per_epoch, s.max_epochs * self.steps_per_epoch

        def factor(step: int) -> float:
            if step < warmup:
                return (step + 1) / warmup
            done = min((step - warmup) / max(total - warmup, 1), 1.0)
            return (1 + math.cos(math.pi * done)) / 2 if s.schedule == "cosine" else (1 - done) ** 0.9

        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": torch.optim.lr_scheduler.LambdaLR(optimizer, factor), "interval": "step"}}
