"""The gradient of the fast instance normalisation, against PyTorch's own in float64, and a prepared network against the plain one."""

from __future__ import annotations

import copy

import pytest
import torch
from torch import nn
from torch.nn import functional

from deepseg.networks import build_network
from deepseg_train.training.fast_network import ChannelsLastNorm, prepare_images, prepare_network
from small_networks import SUPERVISED_DYNUNET

NETWORK = {**SUPERVISED_DYNUNET, "filters": [8, 16, 24]}


@pytest.mark.parametrize("shape", [(3, 5, 12, 11, 10), (2, 4, 5, 4, 3), (2, 6, 40, 30), (2, 6, 7, 5)])
def test_norm_and_its_gradients_are_those_of_float64(shape: tuple[int, ...]) -> None:
    torch.manual_seed(1)
    values, gradient = (torch.randn(shape).mul(3).add(1).bfloat16() for _ in range(2))
    weight, bias = torch.rand(shape[1]) + 0.5, torch.randn(shape[1])
    exact = [tensor.double().requires_grad_() for tensor in (values, weight, bias)]
    expected = functional.instance_norm(exact[0], weight=exact[1], bias=exact[2], eps=1e-5)
    expected.backward(gradient.double())

    last = torch.channels_last if len(shape) == 4 else torch.channels_last_3d
    norm = ChannelsLastNorm(shape[1], shape[1], eps=1e-5)
    norm.weight.data, norm.bias.data = weight, bias
    given = values.contiguous(memory_format=last).requires_grad_()
    result = norm(given)
    result.backward(gradient)  # lies channels first, as the gradient of some layers does

    assert result.dtype == given.grad.dtype == torch.bfloat16
    assert result.is_contiguous(memory_format=last) and given.grad.is_contiguous(memory_format=last)
    rounding = 2**-8
    torch.testing.assert_close(result.double(), expected, rtol=rounding, atol=rounding)
    torch.testing.assert_close(given.grad.double(), exact[0].grad, rtol=rounding, atol=rounding)
    torch.testing.assert_close(norm.weight.grad.double(), exact[1].grad, rtol=1e-4, atol=1e-3)
    torch.testing.assert_close(norm.bias.grad.double(), exact[2].grad, rtol=1e-4, atol=1e-3)


def test_prepared_network_has_the_gradients_of_the_plain_one_in_float32() -> None:
    torch.manual_seed(2)
    plain = build_network("DynUNet", NETWORK).train()
    prepared = copy.deepcopy(plain)
    prepare_network(prepared)
    assert list(prepared.state_dict()) == list(plain.state_dict())
    assert not any(isinstance(part, nn.InstanceNorm3d) for part in prepared.modules())
    image, weights = torch.randn(2, 1, 16, 24, 16), torch.randn(2, 2, 3, 16, 24, 16)

    (plain(image) * weights).mean().backward()
    with torch.autocast("cpu", torch.bfloat16):
        heads = prepared(prepare_images(image))
    (heads.float() * weights).mean().backward()

    ours, theirs = (torch.cat([p.grad.flatten() for p in network.parameters() if p.grad is not None]) for network in (prepared, plain))
    assert functional.cosine_similarity(ours, theirs, dim=0) > 0.99
    assert abs(ours.norm() / theirs.norm() - 1) < 0.05


def test_prepared_network_answers_as_before_when_it_is_not_training() -> None:
    torch.manual_seed(3)
    plain = build_network("DynUNet", NETWORK).eval()
    prepared = copy.deepcopy(plain)
    prepare_network(prepared)
    image = torch.randn(1, 1, 16, 24, 16)
    with torch.inference_mode():
        torch.testing.assert_close(prepared(image), plain(image), rtol=1e-3, atol=2e-3)
