"""Whatever form a network answers in, the training sees (N, heads, L, I, J, K), the served answer first."""

import pytest
import torch

from deepseg.errors import ModelError
from deepseg.networks import build_network
from deepseg.networks.heads import heads_of
from small_networks import WINDOW, a_task, small_kwargs


def test_one_head_gets_an_axis():
    logits = torch.arange(48.0).reshape(2, 3, 2, 2, 2)
    assert torch.equal(heads_of(logits)[:, 0], logits)


def test_stacked_heads_stay():
    heads = torch.rand(2, 4, 3, 2, 2, 2)
    assert heads_of(heads) is heads
    slices = torch.rand(2, 4, 3, 2, 2)
    assert heads_of(slices, spatial_dims=2) is slices


def test_coarser_heads_of_a_list_are_brought_to_the_full_grid_by_nearest_neighbours():
    fine, coarse = torch.zeros(1, 1, 4, 2, 2), torch.tensor([1.0, 2.0]).reshape(1, 1, 2, 1, 1)
    heads = heads_of([fine, coarse])
    assert heads.shape == (1, 2, 1, 4, 2, 2)
    assert heads[0, 1, 0, :, 0, 0].tolist() == [1, 1, 2, 2]
    assert heads[0, 1, 0, :, 1, 1].tolist() == [1, 1, 2, 2]


@pytest.mark.parametrize("output", [[], {"pred": torch.zeros(1, 1, 2, 2, 2)}, [torch.zeros(1, 2, 2)], torch.zeros(2, 2), None])
def test_anything_else_is_refused(output):
    with pytest.raises(ModelError, match="network answers"):
        heads_of(output)


@pytest.mark.parametrize("name", ["BasicUNetPlusPlus", "DynUNet", "MedNeXt", "PlainConvUNet", "ResidualEncoderUNet", "SegResNetDS", "SeparableUNet"])
def test_the_first_head_is_the_answer_that_is_served(name):
    """In training mode, too: but for dropout and batch norms, of which there are none here."""
    network = build_network(name, small_kwargs(name, **({"norm": "instance"} if name == "SegResNetDS" else {})))
    images, _ = a_task(WINDOW)
    with torch.inference_mode():
        heads, served = heads_of(network.train()(images)), network.eval()(images)
    assert heads.shape[1] > 1
    torch.testing.assert_close(heads[:, 0], served)
    assert not torch.allclose(heads[:, 1], served)
