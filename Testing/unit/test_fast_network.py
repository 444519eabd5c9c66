"""A network made ready for inference answers as it did before."""

import pytest
import torch
from torch import nn

from deepseg.fast_network import PRECISIONS, arranged, optimise

SHAPES = {2: [(1, 6, 8, 9), (2, 6, 40, 40)], 3: [(1, 6, 5, 7, 5), (2, 6, 4, 4, 4), (1, 6, 12, 14, 10)]}


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
@pytest.mark.parametrize(("axes", "shape"), [(axes, shape) for axes, shapes in SHAPES.items() for shape in shapes])
def test_instance_norm_of_any_size_keeps_numbers_and_layout(axes, shape, precision):
    norm = {2: nn.InstanceNorm2d, 3: nn.InstanceNorm3d}[axes](6, affine=True)
    nn.init.normal_(norm.weight, generator=torch.Generator().manual_seed(0))
    nn.init.normal_(norm.bias, generator=torch.Generator().manual_seed(1))
    values = (3 + 2 * torch.randn(shape, generator=torch.Generator().manual_seed(2))).to(PRECISIONS[precision])
    with torch.no_grad():
        norm.weight.copy_(norm.weight.to(PRECISIONS[precision]))
        norm.bias.copy_(norm.bias.to(PRECISIONS[precision]))
        expected = norm(values.float())
        given = arranged(values, precision)
        answer = optimise(nn.Sequential(norm), precision)(given)
    assert answer.stride() == given.stride()
    error = float((answer.float() - expected).abs().max())
    print(f"{shape}, {precision}: {error:.2g}")
    assert error < {"float32": 1e-5, "bfloat16": 0.05}[precision]


def test_one_channel_makes_the_first_convolution_answer_channels_last():
    window = arranged(torch.randn(1, 1, 8, 10, 12).bfloat16(), "bfloat16")
    network = optimise(nn.Sequential(nn.Conv3d(1, 16, 3, padding=1)), "bfloat16")
    answer = network(window)
    assert answer.is_contiguous(memory_format=torch.channels_last_3d)
    assert not answer.is_contiguous()
    assert torch.allclose(answer.float(), network.float()(window.float().contiguous()), atol=0.02)
