"""The way back block by block against the way back at once."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from deepseg.blending import raster_order
from deepseg.components import keep_largest
from deepseg.geometry import Geometry
from deepseg.preprocessing import prepare
from deepseg.restoring import Restorer, label_codes
from deepseg.spec import OutputSpec, ResamplingSpec
from deepseg.volume import Volume
from phantoms import awkward_grid

GRIDS = {
    "the model's own": Geometry((14, 16, 18), np.diag([-1.5, -1.5, 1.5, 1.0])),
    "finer": Geometry((31, 27, 25), np.diag([0.8, 0.9, 1.1, 1.0])),
    "coarser": Geometry((9, 10, 8), np.diag([3.0, -2.2, 2.5, 1.0])),
    "thick slices": Geometry((40, 38, 7), np.diag([0.7, 0.7, 6.0, 1.0])),
    "one slice": Geometry((20, 22, 1), np.diag([1.0, 1.0, 3.0, 1.0])),
    "oblique": awkward_grid((40, 36, 9)),
}
NNUNET = ResamplingSpec("extent", 3, 1, 0, normalise_first=True)


def spec_like(spec, nnunet, overlapping=False):
    output = OutputSpec("sigmoid") if overlapping else spec.output
    return replace(spec, resampling=NNUNET if nnunet else spec.resampling, output=output, crop="nonzero" if nnunet else "none")


def a_volume(geometry):
    """Noise with an edge of zeros along each axis, where there is room."""
    array = np.random.default_rng(0).normal(100, 20, (1, *geometry.shape)).astype(np.float32)
    if min(geometry.shape) > 4:
        array[:, :2] = array[:, :, -1:] = array[..., :1] = 0
    return Volume(array, geometry)


def blocks_of(shape, order):
    """A tiling by uneven blocks, in raster order of the axes `order`."""
    edges = [sorted({0, length, *(n for n in (1, 5, 6, 13) if n < length)}) for length in shape]
    slow, middle, fast = order
    for a in range(len(edges[slow]) - 1):
        for b in range(len(edges[middle]) - 1):
            for c in range(len(edges[fast]) - 1):
                at = {slow: a, middle: b, fast: c}
                yield tuple(slice(edges[axis][at[axis]], edges[axis][at[axis] + 1]) for axis in range(3))


def by_blocks(prepared, spec, shape, logits, with_probabilities):
    restorer = Restorer(prepared, spec, shape, with_probabilities)
    for where in blocks_of(logits.shape[1:], raster_order(prepared.geometry.shape)):
        restorer.add(tuple(s.start for s in where), logits[(slice(None), *where)])
    return restorer


@pytest.mark.parametrize("overlapping", [False, True], ids=["softmax", "sigmoid"])
@pytest.mark.parametrize("nnunet", [False, True], ids=["MONAI's rule", "nnU-Net's rule"])
@pytest.mark.parametrize("name", GRIDS)
def test_blocks_give_what_the_whole_gives(name, nnunet, overlapping, tiny_spec):
    spec, geometry = spec_like(tiny_spec, nnunet, overlapping), GRIDS[name]
    prepared = prepare(a_volume(geometry), spec)
    logits = 3 * torch.randn(spec.channel_count, *prepared.geometry.shape, generator=torch.Generator().manual_seed(1))

    activation = torch.sigmoid if overlapping else lambda values: torch.softmax(values, 0)
    whole = activation(prepared.back.resample(logits)) if nnunet else prepared.back.resample(activation(logits))
    expected = np.zeros((spec.channel_count, *geometry.shape), np.float32)
    expected[0] = 0.0 if overlapping else 1.0
    prepared.orientation.apply(expected)[(slice(None), *prepared.cut)] = whole.numpy()

    restorer = by_blocks(prepared, spec, geometry.shape, logits, with_probabilities=True)
    np.testing.assert_allclose(restorer.probabilities, expected, atol=1e-6)
    codes = label_codes(torch.from_numpy(restorer.probabilities), spec, 0.5).numpy()
    np.testing.assert_array_equal(restorer.labels, codes)
    alone = by_blocks(prepared, spec, geometry.shape, logits, with_probabilities=False)
    assert alone.probabilities is None
    assert (alone.labels == restorer.labels).mean() > 0.9999, "ties may be broken differently"


def test_labels_alone_on_the_models_grid_need_no_means(tiny_spec):
    prepared = prepare(a_volume(GRIDS["the model's own"]), tiny_spec)
    assert not Restorer(prepared, tiny_spec, (14, 16, 18), False).needs_means
    assert Restorer(prepared, tiny_spec, (14, 16, 18), True).needs_means
    finer = prepare(a_volume(GRIDS["finer"]), tiny_spec)
    assert Restorer(finer, tiny_spec, GRIDS["finer"].shape, False).needs_means


def test_labels_that_overlap_are_bit_fields(tiny_spec):
    spec = spec_like(tiny_spec, False, overlapping=True)
    values = torch.tensor([[0.9, 0.9, 0.1, 0.1], [0.9, 0.1, 0.9, 0.1]]).reshape(2, 4, 1, 1)
    assert label_codes(values, spec, 0.5).flatten().tolist() == [3, 1, 2, 0]
    assert label_codes(values - 0.5, spec, 0.0).flatten().tolist() == [3, 1, 2, 0]


def test_painted_labels_hold_what_the_last_channel_paints(tiny_spec):
    """Channel 1 paints both labels, channel 2 the second alone, over the first."""
    spec = replace(tiny_spec, output=OutputSpec("sigmoid", painting=(0b11, 0b10)))
    values = torch.tensor([[0.9, 0.9, 0.1, 0.1], [0.9, 0.1, 0.9, 0.1]]).reshape(2, 4, 1, 1)
    assert label_codes(values, spec, 0.5).flatten().tolist() == [0b10, 0b11, 0b10, 0]


@pytest.mark.parametrize(("labels", "dtype"), [(2, np.uint8), (255, np.uint8), (256, np.uint16)])
def test_label_maps_are_as_small_as_their_labels_allow(labels, dtype, tiny_spec):
    spec = replace(tiny_spec, labels=tiny_spec.labels[:1] * labels)
    assert Restorer(prepare(a_volume(GRIDS["coarser"]), spec), spec, GRIDS["coarser"].shape, False).labels.dtype == dtype


@pytest.mark.parametrize("overlapping", [False, True])
def test_only_the_largest_part_of_a_label_is_kept(overlapping):
    array = np.zeros((12, 12, 12), np.uint8)
    array[1:3, 1:3, 1:3] = 2
    array[3, 3, 3] = 2  # touches by a corner
    array[8:10, 8, 8] = 2
    array[5:11, 1, 1] = 1
    before = array.copy()
    keep_largest(array, 2, overlapping)
    assert (array[8:10, 8, 8] == 0).all()
    before[8:10, 8, 8] = 0
    np.testing.assert_array_equal(array, before)
