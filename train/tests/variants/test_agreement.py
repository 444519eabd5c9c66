"""A variant is written only where it reproduces the golden file of its model."""

import numpy as np
import pytest
import torch

from deepseg.bundle import ModelBundle
from deepseg.errors import ModelError
from deepseg.golden import golden_case
from deepseg.prediction import predict
from deepseg_train.variants.agreement import golden_difference
from deepseg_train.variants.drafts import make_drafts
from deepseg_train.variants.kinds import KINDS


def test_differences_are_those_of_the_stored_probabilities(model, tmp_path):
    variant = ModelBundle.save(tmp_path / "v", model.spec, {"m.safetensors": model.build_network().state_dict()}, "", "", dtype=torch.bfloat16)
    volume, expected = golden_case(model)
    differences = np.abs(predict(volume, variant).probabilities - expected)
    found = golden_difference(model, variant, KINDS["bfloat16"])
    assert found.mean == pytest.approx(differences.mean(), rel=1e-4)
    assert found.largest == pytest.approx(differences.max(), rel=1e-4)
    assert found.mean > 1e-6


def test_other_weights_are_refused(model, make_model, spec):
    with pytest.raises(ModelError, match=r"Stored or computed as int8 it is not the same model: .* on average, allowed 0.005"):
        golden_difference(model, make_model(spec, seeds=(8,)), KINDS["int8"])


def test_weights_that_no_half_precision_holds_are_refused_and_the_others_made(model, tmp_path):
    """1e6 is more than float16 has, and nothing to bfloat16; the norm behind it takes it back."""
    state = model.build_network().state_dict()
    name = "input_block.conv1.conv.weight"
    state[name] = state[name] * 1e6
    large = ModelBundle.save(tmp_path / "large", model.spec, {"model.safetensors": state}, "", "", dtype=torch.float32)
    (tmp_path / "work").mkdir()
    drafts, refused = make_drafts(large, [KINDS["float16"], KINDS["bfloat16"], KINDS["int8"]], [], tmp_path / "work")
    assert [draft.kind.name for draft in drafts] == ["bfloat16", "int8"]
    assert list(refused) == ["float16"]
    assert f"'{name}'" in refused["float16"]
    assert "which float16 cannot store" in refused["float16"]
