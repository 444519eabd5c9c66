"""What the settings of a config do to the steps of a training."""

import json

import lightning
import pytest
import torch
from lightning.pytorch.callbacks import Callback

from deepseg_train.config import load_config
from deepseg_train.training.module import SegmentationModule
from deepseg_train.training.run_folder import BEST, CONFIG, FINISHED, LAST
from deepseg_train.training.schedules import ScheduleSettings, rate_of

# Lightning's advice.
pytestmark = pytest.mark.filterwarnings("ignore:.*many workers")

PLAIN_SGD = {"optimizer.name": "sgd", "optimizer.momentum": 0, "optimizer.weight_decay": 0, "schedule.name": "constant"}


class Steps(Callback):
    """Remembers the learning rate of each step of the optimiser, and a weight after each batch."""

    def __init__(self):
        self.rates, self.weights = [], []

    def on_before_optimizer_step(self, trainer, pl_module, optimizer):
        self.rates.append(optimizer.param_groups[0]["lr"])

    def on_train_batch_end(self, trainer, pl_module, outputs, batch, batch_idx):
        self.weights.append(pl_module.network.bottleneck.conv1.conv.weight.detach().clone())


WATCHED = "network.bottleneck.conv1.conv.weight"


def checkpoint(run, name=LAST):
    return torch.load(run / name, map_location="cpu", weights_only=True)


def at_start(run):
    config = load_config(run / CONFIG)
    lightning.seed_everything(config.training.seed, verbose=False)
    return SegmentationModule(config)


def test_the_schedule_goes_by_steps_of_the_optimiser(train):
    steps = Steps()
    schedule = {"schedule.name": "cosine", "schedule.warmup_epochs": 1}
    train({"training.epochs": 3, "training.steps_per_epoch": 3, "training.accumulate": 2, "optimizer.learning_rate": 0.01, **schedule}, steps)
    # Three batches make two steps.
    rate = rate_of(ScheduleSettings("cosine", warmup_epochs=1), 2, 3)
    assert steps.rates == pytest.approx([0.01 * rate(n) for n in range(6)])


def test_a_step_is_as_long_as_the_clipped_gradient_lets_it_be(train):
    run = train({**PLAIN_SGD, "optimizer.learning_rate": 0.1, "training.gradient_clip": 0.01})
    after = checkpoint(run)["state_dict"]
    # Not by the names of the state, where the network's layers are told twice.
    distance = torch.stack([(after[name] - before.detach()).square().sum() for name, before in at_start(run).named_parameters()]).sum().sqrt()
    assert float(distance) == pytest.approx(0.1 * 0.01, rel=1e-3)


def test_gradients_of_several_batches_make_one_step(train):
    run = train({"training.steps_per_epoch": 4, "training.accumulate": 3})
    assert checkpoint(run)["global_step"] == 2, "one of three batches, and one of what is left of the epoch"


def test_the_average_of_the_weights_is_stored_beside_the_weights(train):
    steps = Steps()
    kept = checkpoint(train({"training.steps_per_epoch": 3, "training.ema_decay": 0.9}, steps))
    average = steps.weights[0]
    for count, weight in enumerate(steps.weights[1:], 1):
        kept_share = min(0.9, (1 + count) / (10 + count))
        average = kept_share * average + (1 - kept_share) * weight
    assert torch.equal(kept["current_model_state"][WATCHED], steps.weights[-1])
    assert not torch.allclose(kept["state_dict"][WATCHED], steps.weights[-1], atol=1e-4)
    assert torch.allclose(kept["state_dict"][WATCHED], average, atol=1e-6)


@pytest.mark.parametrize(
    "precision", ["bf16-mixed", pytest.param("16-mixed", marks=pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU of NVIDIA"))]
)
def test_half_precision_ends_with_finite_weights(train, precision):
    run = train({"training.precision": precision, "training.steps_per_epoch": 3})
    before, after = at_start(run).state_dict(), checkpoint(run, BEST)["state_dict"]
    assert not torch.equal(before[WATCHED], after[WATCHED])
    assert all(bool(torch.isfinite(tensor).all()) for tensor in after.values())


@pytest.mark.parametrize(("patience", "every", "epochs"), [(2, 1, 3), (3, 2, 6)], ids=["in whole validations", "rounded up"])
def test_a_training_that_makes_no_progress_ends_and_stays_ended(train, capsys, patience, every, epochs):
    """The first validation is the best; a rate next to nothing brings no better one."""
    values = {"training.epochs": 12, "training.early_stopping_epochs": patience, "training.validate_every_epochs": every}
    values |= {"optimizer.learning_rate": 1e-12, "optimizer.weight_decay": 0}
    run = train(values)
    told = json.loads((run / FINISHED).read_text(encoding="utf-8"))
    assert (told["epochs"], told["stopped"]) == (epochs, f"no better validation Dice in {epochs - every} epochs")
    assert f"Ended after {epochs} of 12 epochs" in capsys.readouterr().out
    # As it is where the process is killed between its last checkpoint and its end.
    (run / FINISHED).unlink()
    before = (run / LAST).read_bytes()
    train(values)
    assert json.loads((run / FINISHED).read_text(encoding="utf-8")) == told
    assert (run / LAST).read_bytes() == before


@pytest.mark.parametrize("norm", ["BATCH", ["BATCH", {"affine": False}]], ids=["with parameters", "without"])
def test_frozen_normalisations_keep_their_statistics(train, norm):
    run = train({"model.network.kwargs.norm_name": norm, "optimizer.freeze": ["input_block.*"], "training.steps_per_epoch": 2})
    after = checkpoint(run)["state_dict"]
    kept = {name for name, before in at_start(run).named_buffers() if torch.equal(before, after[name])}
    parts = ("running_mean", "running_var", "num_batches_tracked")
    assert kept == {f"network.input_block.norm{n}.{part}" for n in (1, 2, 3) for part in parts}
