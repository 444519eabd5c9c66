"""The loss of a batch: of labels, of blended labels, and of a teacher."""

from dataclasses import replace
from types import SimpleNamespace

import pytest
import torch

from deepseg import api
from deepseg.spec import NetworkSpec
from deepseg_train.config import load_config
from deepseg_train.errors import ConfigError
from deepseg_train.losses import LossSettings
from deepseg_train.training.distillation import DistillationSettings
from deepseg_train.training.module import SegmentationModule
from deepseg_train.training.optimizers import OptimizerSettings, l1_of, optimizer_of


@pytest.fixture(scope="module")
def config(small_config):
    loaded = load_config(small_config)
    return replace(loaded, training=replace(loaded.training, precision="32-true"))


@pytest.fixture
def batch():
    generator = torch.Generator().manual_seed(0)
    label, other = (torch.randint(0, 3, (2, 1, 16, 16, 16), generator=generator) for _ in range(2))
    return {"image": torch.randn(2, 1, 16, 16, 16, generator=generator), "label": label, "label_mixed": other}


def made(config):
    torch.manual_seed(0)
    return SegmentationModule(config)


def test_blended_patches_have_the_loss_of_both_labels_by_their_shares(config, batch):
    module, mixed = made(config), batch.pop("label_mixed")
    of_label, of_mixed = (module.loss_of({**batch, "label": label}).item() for label in (batch["label"], mixed))
    both = module.loss_of({**batch, "label_mixed": mixed, "mix": torch.tensor([0.25, 0.25])}).item()
    assert abs(of_label - of_mixed) > 1e-4
    assert both == pytest.approx(0.75 * of_label + 0.25 * of_mixed, rel=1e-5)


def test_a_teacher_has_its_share_of_the_loss_and_is_no_part_of_the_student(config, batch, tmp_path):
    del batch["label_mixed"]
    plain = made(config)
    api.ModelBundle.save(tmp_path / "teacher", config.spec, {"model.safetensors": plain.network.state_dict()}, "card", "licence")
    taught = made(replace(config, distillation=DistillationSettings(str(tmp_path / "teacher"), weight=0.25)))
    alone = made(replace(config, distillation=DistillationSettings(str(tmp_path / "teacher"), weight=1.0)))
    # The teacher has the student's own weights but for their storage in half precision, so that its part of the loss is nearly nothing.
    assert alone.loss_of(batch).item() == pytest.approx(0, abs=1e-3)
    assert taught.loss_of(batch).item() == pytest.approx(0.75 * plain.loss_of(batch).item(), abs=1e-3)
    assert taught.state_dict().keys() == plain.state_dict().keys()


def test_frozen_layers_have_no_gradient_and_go_on_in_evaluation_mode(config, batch):
    del batch["label_mixed"]
    module = made(replace(config, optimizer=OptimizerSettings(freeze=("input_block.*",))))
    module.loss_of(batch).backward()
    named = dict(module.network.named_parameters())
    assert named["input_block.conv1.conv.weight"].grad is None
    assert named["bottleneck.conv1.conv.weight"].grad.abs().max() > 0
    assert module.network.input_block.conv1.conv in module.frozen
    optimizer = optimizer_of(module.network, module.settings.optimizer)
    trained = sum(len(group["params"]) for group in optimizer.param_groups)
    assert trained == sum(not name.startswith("input_block.") for name in named)


def test_a_network_that_does_not_fit_its_window_is_refused_before_any_case_is_read(config):
    window = replace(config.spec.window, size=(22, 22, 22))
    with pytest.raises(ConfigError, match=r"The network ChannelDropoutDynUNet cannot be trained on windows of \(22, 22, 22\) voxels: "):
        made(replace(config, spec=replace(config.spec, window=window)))
    with pytest.raises(ConfigError, match="head_weights has 4 numbers, but the network has 2 heads"):
        made(replace(config, loss=LossSettings(head_weights=(1.0, 0.5, 0.2, 0.1))))


def test_trying_a_window_leaves_the_network_as_it_was(config):
    kwargs = {**config.spec.network.kwargs, "norm_name": "BATCH"}
    module = made(replace(config, spec=replace(config.spec, network=NetworkSpec("DynUNet", kwargs))))
    counted = [buffer for name, buffer in module.network.named_buffers() if name.endswith("num_batches_tracked")]
    assert counted and all(count == 0 for count in counted)


def test_learned_weights_of_losses_are_logged(config, monkeypatch):
    module, seen = made(replace(config, loss=LossSettings(weighting="learned"))), {}
    monkeypatch.setattr(module, "log_dict", lambda values, **_: seen.update(values))
    module.on_train_epoch_end()
    assert seen == {"train/weight of cross-entropy": 1.0, "train/weight of dice": 1.0}


def test_what_the_loss_learns_is_trained_and_not_held_back(config, batch):
    del batch["label_mixed"]
    module = made(replace(config, loss=LossSettings(weighting="learned"), optimizer=OptimizerSettings(weight_decay=0.5)))
    module.trainer = SimpleNamespace(estimated_stepping_batches=36)
    optimizer = module.configure_optimizers()["optimizer"]
    (learned,) = module.loss.parameters()
    (decay,) = [group["weight_decay"] for group in optimizer.param_groups if any(p is learned for p in group["params"])]
    assert decay == 0
    module.loss_of(batch).backward()
    optimizer.step()
    assert (learned != 0).all()


def test_the_sum_of_absolute_weights_is_trained_on(config, batch, monkeypatch):
    del batch["label_mixed"]
    module, logged = made(replace(config, optimizer=OptimizerSettings(l1=0.01))), {}
    monkeypatch.setattr(module, "log", lambda name, value, **_: logged.update({name: float(value.detach())}))
    plain, trained_on = module.loss_of(batch).item(), module.training_step(batch, 0)
    assert trained_on.item() == pytest.approx(plain + 0.01 * l1_of(module.network).item(), rel=1e-5)
    assert logged == {"train/loss": pytest.approx(plain, rel=1e-5)}


def test_a_training_that_diverges_is_told_so(config):
    module = made(config)
    case = {"image": torch.randn(1, 1, 24, 24, 24), "label": torch.zeros(1, 1, 24, 24, 24, dtype=torch.int64)}
    module.eval()
    module.on_validation_epoch_start()
    module.validation_step(case, 0)
    with torch.no_grad():
        next(module.network.parameters()).fill_(float("inf"))
    said = r"^Training diverged in epoch 1: the network's output is NaN or infinite\. Lower optimizer\.learning_rate \(now 0\.01\)\.$"
    with pytest.raises(ConfigError, match=said):
        module.validation_step(case, 0)
