"""Every registered network is trained by its name alone: the config's preset, the module's preparations and the loss fit each other."""

import pytest
import torch
import yaml

from deepseg.networks import NETWORKS
from deepseg_train.config import parse_config
from deepseg_train.training.module import SegmentationModule
from small_networks import window_of

from ..conftest import SHIPPED_CONFIG


@pytest.mark.parametrize("precision", ["32-true", "bf16-mixed"])
@pytest.mark.parametrize("name", sorted(NETWORKS))
def test_a_step_reaches_every_weight(name, precision):
    model = yaml.safe_load(SHIPPED_CONFIG.read_text(encoding="utf-8"))["model"]
    model |= {"network": {"name": name}, "window": {"size": list(window_of(name))}}
    config = parse_config({"model": model, "split": "split.json", "training": {"batch_size": 1, "precision": precision}}, SHIPPED_CONFIG)
    torch.manual_seed(0)
    module = SegmentationModule(config)
    batch = {"image": torch.randn(1, 1, *window_of(name)), "label": torch.randint(0, 3, (1, 1, *window_of(name)), dtype=torch.uint8)}
    # As Lightning does it.
    with torch.autocast("cpu", torch.bfloat16, enabled=precision == "bf16-mixed"):
        loss = module.loss_of(batch)
    loss.backward()
    trained = {key: parameter for key, parameter in module.network.named_parameters() if parameter.requires_grad}
    # Where one gets none, training on several devices would wait for it for ever.
    assert [key for key, parameter in trained.items() if parameter.grad is None or not parameter.grad.isfinite().all()] == []
    assert loss.isfinite() and len(trained) > 10
