"""Layers that write into their input, batch norms, empty short cuts: what they change of a map, and what they do not."""

import copy
from dataclasses import replace

import pytest
import torch
from torch import nn

from deepseg.errors import ExplanationError
from deepseg.explanation.methods import METHODS
from deepseg.explanation.relevance_rules import relevance_rules
from deepseg.networks import build_network
from small_networks import small_kwargs


def with_layer(block, layer):
    """The network with another layer in place of its ReLU."""
    block = copy.deepcopy(block)
    block.relu = layer
    return block


@pytest.fixture
def relevance(hand, an_image, a_place):
    """The map of a network, and its number."""

    def propagate(network):
        asked = hand(network, an_image, a_place)
        return METHODS["relevance"].attribute(asked), asked.passes.number(an_image)

    return propagate


def test_relevance_of_a_batch_norm_is_that_of_a_convolution_with_the_norm_folded_in(block, relevance):
    norm = nn.BatchNorm3d(4).eval()
    generator = torch.Generator().manual_seed(6)
    with torch.no_grad():
        norm.weight.copy_(torch.tensor([1.5, -0.7, 0.3, 2.0]))
        for tensor in (norm.bias, norm.running_mean):
            tensor.copy_(torch.randn(4, generator=generator))
        norm.running_var.copy_(torch.tensor([0.2, 1.0, 3.0, 0.5]))
    folded = copy.deepcopy(block)
    folded.first = nn.utils.fuse_conv_bn_eval(block.first.eval(), norm)
    found, number = relevance(with_layer(block, nn.Sequential(norm, nn.ReLU())))
    expected, same_number = relevance(folded)
    assert number == pytest.approx(same_number, abs=1e-5)
    torch.testing.assert_close(found, expected, atol=1e-4, rtol=1e-2)
    assert float(found.sum()) == pytest.approx(number, rel=0.01)


@pytest.mark.parametrize("layer", [nn.ReLU, nn.ELU, nn.SiLU])
def test_relevance_is_the_same_where_an_activation_writes_into_its_input(layer, block, relevance):
    found, number = relevance(with_layer(block, layer(inplace=True)))
    expected, _ = relevance(with_layer(block, layer()))
    torch.testing.assert_close(found, expected)
    assert float(found.sum()) == pytest.approx(number, rel=0.01)


def test_an_empty_short_cut_passes_all_relevance(block, relevance):
    found, _ = relevance(with_layer(block, nn.Sequential(nn.ReLU(), nn.Sequential())))
    torch.testing.assert_close(found, relevance(block)[0])


def test_networks_that_let_cancelling_parts_grow_are_refused_by_name():
    network = build_network("MedNeXt", small_kwargs("MedNeXt")).eval()
    with pytest.raises(ExplanationError, match=r"'enc_stages\.0\.0' \(MedNeXtBlock\)"), relevance_rules(network):
        pass


@pytest.mark.parametrize("name", ["grad-cam", "grad-cam++", "hires-cam"])
def test_a_layer_whose_output_is_written_into_is_looked_at_as_it_was(name, block, hand, an_image, a_place):
    expected, found = (
        METHODS[name].attribute(replace(hand(with_layer(block, nn.ReLU(inplace=inplace)), an_image, a_place), layer="first"))
        for inplace in (False, True)
    )
    assert expected.abs().max() > 0
    torch.testing.assert_close(found, expected)
