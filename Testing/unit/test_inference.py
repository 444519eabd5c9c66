"""Our sliding window against MONAI's and nnU-Net's, and its blending in bounded memory."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from monai.inferers import SliceInferer, sliding_window_inference
from monai.inferers.utils import compute_importance_map
from nnunetv2.inference.sliding_window_prediction import compute_gaussian, compute_steps_for_sliding_window

from deepseg.blending import raster_order
from deepseg.errors import ModelError, PrecisionError
from deepseg.inference import infer_logits, run_windows
from deepseg.networks import build_network
from deepseg.spec import WindowSpec
from deepseg.window_network import WindowNetwork
from deepseg.windows import window_starts, window_weight

PATCH = (8, 12, 10)
SIZES = [(8, 12, 10), (5, 7, 3), (4, 30, 10), (21, 12, 6), (17, 13, 31), (9, 13, 11), (1, 1, 1), (8, 24, 9)]
KINDS = ["equal", "smaller", "smaller, larger, equal", "larger, equal, smaller", "larger", "one more", "one voxel", "twice"]


class Answer(torch.nn.Module):
    """Answers that depend on where in the window a voxel lies, so that placing and blending of windows show."""

    def __init__(self, patch=PATCH):
        super().__init__()
        place = torch.randn(3, *patch, generator=torch.Generator().manual_seed(1))
        self.place = torch.nn.Parameter(place, requires_grad=False)

    def forward(self, image):
        return image[:, :1] * self.place.unsqueeze(0) + self.place.unsqueeze(0) + image[:, 1:].sum()


@pytest.fixture
def a_spec(tiny_spec):
    """A model with the window of `Answer`."""

    def make(**changes):
        return replace(tiny_spec, window=WindowSpec(**{"size": PATCH, **changes}))

    return make


def random_image(*size, channels=1, seed=2):
    return torch.randn(channels, *size, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("overlap", [0.0, 0.25, 0.5, 0.8, 0.99])
@pytest.mark.parametrize("size", SIZES, ids=KINDS)
def test_blended_windows_are_those_of_monai(size, overlap, a_spec):
    image = random_image(*size)
    ours = infer_logits(Answer(), image, a_spec(overlap=overlap))
    theirs = sliding_window_inference(image[None], PATCH, 1, Answer(), overlap, mode="gaussian", sigma_scale=0.125, padding_mode="constant")[0]
    difference = float((ours - theirs).abs().max())
    print(f"size {size}, overlap {overlap}: {difference:.2g}")
    assert ours.shape == (3, *size)
    assert difference < 1e-5


@pytest.mark.parametrize("size", SIZES, ids=KINDS)
def test_constant_weights_and_repeated_borders_are_those_of_monai(size, a_spec):
    image = random_image(*size)
    ours = infer_logits(Answer(), image, a_spec(overlap=0.3, weight="constant", padding="replicate"))
    theirs = sliding_window_inference(image[None], PATCH, 4, Answer(), 0.3, mode="constant", padding_mode="replicate")[0]
    assert float((ours - theirs).abs().max()) < 1e-5


def test_a_real_network_gives_what_it_gives_in_monai(tiny_spec, tiny_weights):
    network = build_network(tiny_spec.network.name, tiny_spec.network.kwargs)
    network.load_state_dict(tiny_weights)
    network.eval()
    image = random_image(30, 14, 21)
    ours = infer_logits(network, image, tiny_spec)
    with torch.inference_mode():
        theirs = sliding_window_inference(image[None], tiny_spec.window.size, 1, network, 0.5, mode="gaussian", padding_mode="constant")[0]
    assert float((ours - theirs).abs().max()) < 1e-4
    assert float(ours.std()) > 0.1


@pytest.mark.parametrize("patch", [(8, 12, 10), (40, 56, 40), (1, 1, 1), (3, 128, 5)])
def test_blending_weight_is_that_of_monai(patch):
    theirs = compute_importance_map(patch, mode="gaussian", sigma_scale=0.125)
    torch.testing.assert_close(window_weight(WindowSpec(patch)), theirs.clamp(min=max(float(theirs.min()), 1e-3)), rtol=0, atol=1e-6)


@pytest.mark.parametrize("patch", [(8, 12, 10), (40, 56, 40), (20, 96, 64), (128, 128, 128)])
def test_blending_weight_is_that_of_nnunet(patch):
    theirs = compute_gaussian(patch, 1 / 8, 10, torch.float16, torch.device("cpu")).float()
    torch.testing.assert_close(window_weight(WindowSpec(patch, weight="nnunet")), theirs, rtol=2e-3, atol=1e-7)


@pytest.mark.parametrize("step", [0.3, 0.5, 1.0])
@pytest.mark.parametrize("size", [(50, 37, 41), (8, 12, 10), (9, 100, 21)])
def test_even_windows_are_those_of_nnunet(size, step):
    ours = [window_starts(length, patch, 1 - step, "even") for length, patch in zip(size, PATCH, strict=True)]
    assert ours == compute_steps_for_sliding_window(size, PATCH, step)


@pytest.mark.parametrize("steps", ["fixed", "even"])
@pytest.mark.parametrize("overlap", [0.0, 0.5, 0.9])
@pytest.mark.parametrize("length", [1, 9, 10, 11, 19, 20, 21, 57])
def test_windows_cover_every_voxel_and_stay_inside(length, overlap, steps):
    starts = window_starts(length, 10, overlap, steps)
    covered = set()
    for start in starts:
        covered |= set(range(start, start + 10))
        assert start >= 0
        assert start + 10 <= max(length, 10)
    assert covered >= set(range(length))
    assert starts == sorted(starts)


@pytest.mark.parametrize("means", [True, False])
@pytest.mark.parametrize("size", SIZES, ids=KINDS)
def test_blocks_tile_the_image_in_raster_order(size, means, a_spec):
    seen, corners = torch.zeros(size), []

    def emit(corner, block):
        corners.append(tuple(corner[axis] for axis in raster_order(size)))
        assert block.shape[0] == 3
        seen[tuple(slice(c, c + n) for c, n in zip(corner, block.shape[1:], strict=True))] += 1

    run_windows(WindowNetwork([Answer()], a_spec(overlap=0.4), "float32"), random_image(*size), emit, means=means)
    assert (seen == 1).all()
    assert corners == sorted(corners)


def test_without_means_the_largest_logit_is_the_same(a_spec):
    image, plain, scaled = random_image(17, 23, 31), torch.empty(3, 17, 23, 31), torch.empty(3, 17, 23, 31)
    for means, to in ((True, plain), (False, scaled)):

        def emit(corner, block, to=to):
            to[(slice(None), *(slice(c, c + n) for c, n in zip(corner, block.shape[1:], strict=True)))] = block

        run_windows(WindowNetwork([Answer()], a_spec(), "float32"), image, emit, means=means)
    assert (plain.argmax(0) == scaled.argmax(0)).all()
    assert not torch.allclose(plain, scaled)


class Counting(Answer):
    """Counts the windows it sees."""

    def __init__(self):
        super().__init__()
        self.seen = 0

    def forward(self, image):
        self.seen += len(image)
        return super().forward(image)


def test_constant_windows_are_computed_once_and_nothing_changes(a_spec):
    image = random_image(40, 36, 30)
    image[:, 12:] = -1.5
    network = Counting()
    ours = infer_logits(network, image, a_spec())
    windows = int(np.prod([len(window_starts(n, p, 0.5, "fixed")) for n, p in zip((40, 36, 30), PATCH, strict=True)]))
    theirs = sliding_window_inference(image[None], PATCH, 1, Answer(), 0.5, mode="gaussian", padding_mode="constant")[0]
    assert float((ours - theirs).abs().max()) < 1e-5
    assert network.seen == windows * 3 / 9 + 1, "the first three rows of nine reach into the noise"


@pytest.mark.parametrize("batch", [1, 3, 8])
def test_batches_of_windows_give_the_same(batch, a_spec):
    results, image = [], random_image(20, 36, 30)
    image[:, 6:15] = 0.0
    for count in (1, batch):
        result = torch.empty(3, 20, 36, 30)

        def emit(corner, block, result=result):
            result[(slice(None), *(slice(c, c + n) for c, n in zip(corner, block.shape[1:], strict=True)))] = block

        run_windows(WindowNetwork([Answer()], a_spec(), "float32"), image, emit, batch=count)
        results.append(result)
    torch.testing.assert_close(*results, rtol=0, atol=1e-6)


def test_each_window_is_reported_and_a_raised_error_stops_the_run(a_spec):
    seen, network, image = [], WindowNetwork([Answer()], a_spec(overlap=0.0), "float32"), random_image(16, 24, 10)
    run_windows(network, image, lambda *_: None, on_window=lambda done, count: seen.append((done, count)))
    assert seen == [(n, 4) for n in range(1, 5)]

    def stop(done: int, count: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run_windows(network, image, lambda *_: None, on_window=stop)


def test_a_network_with_another_number_of_classes_is_refused(a_spec):
    spec = a_spec()
    with pytest.raises(ModelError, match="the model's labels and window need"):
        infer_logits(Answer(), torch.zeros(1, *PATCH), replace(spec, labels=spec.labels[:1]))


def test_inference_keeps_no_gradients_and_leaves_the_image_alone(a_spec):
    image = random_image(16, 24, 10)
    before = image.clone()
    assert not infer_logits(Answer(), image, a_spec()).requires_grad
    torch.testing.assert_close(image, before, rtol=0, atol=0)


class Slices(torch.nn.Module):
    """A 2D network: each output channel is a weighted sum of the input channels."""

    def __init__(self, channels):
        super().__init__()
        self.layer = torch.nn.Conv2d(channels, 3, 3, padding=1)
        torch.nn.init.normal_(self.layer.weight, generator=torch.Generator().manual_seed(5))

    def forward(self, image):
        assert image.ndim == 4
        return self.layer(image)


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_a_2d_network_sees_slice_by_slice_as_in_monai(axis, a_spec):
    size = [12, 10]
    size.insert(axis, 1)
    network, image = Slices(1), random_image(19, 17, 15)
    ours = infer_logits(network, image, a_spec(size=tuple(size), weight="constant", slice_context=0))
    with torch.inference_mode():
        theirs = SliceInferer(roi_size=(12, 10), spatial_dim=axis, overlap=0.5)(image[None], network)[0]
    assert float((ours - theirs).abs().max()) < 1e-5


def test_a_slice_comes_with_its_neighbours_as_channels(a_spec):
    """Channels are ordered by input, then by slice; beyond the border the last slice is repeated."""

    class Pick(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.shift = torch.nn.Parameter(torch.zeros(1))

        def forward(self, image):
            assert image.shape[1] == 6
            return image[:, [0, 2, 5]] + self.shift

    image = random_image(12, 7, 10, channels=2)
    logits = infer_logits(Pick(), image, a_spec(size=(12, 1, 10), slice_context=1))
    torch.testing.assert_close(logits[0, :, 1:], image[0, :, :-1])
    torch.testing.assert_close(logits[0, :, 0], image[0, :, 0])
    torch.testing.assert_close(logits[1, :, :-1], image[0, :, 1:])
    torch.testing.assert_close(logits[2, :, :-1], image[1, :, 1:])
    torch.testing.assert_close(logits[2, :, -1], image[1, :, -1])


def test_members_and_mirrored_answers_are_averaged(a_spec):
    spec = a_spec()
    spec = replace(spec, output=replace(spec.output, mirror_axes=(0, 2)))
    members, windows = [Answer(), Answer()], torch.randn(2, 1, *PATCH)
    members[1].place.data *= -3
    flips = [(), (2,), (4,), (2, 4)]
    expected = sum(member(windows.flip(flip)).flip(flip) for member in members for flip in flips) / 8
    torch.testing.assert_close(WindowNetwork(members, spec, "float32", mirror=True)(windows), expected)
    assert not torch.allclose(WindowNetwork(members, spec, "float32")(windows), expected)


def test_numbers_too_large_for_float16_are_noticed(a_spec):
    network = Answer().half()
    network.place.data *= 1e4
    with pytest.raises(PrecisionError):
        run_windows(WindowNetwork([network], a_spec(), "float16"), 1e2 * random_image(16, 24, 10), lambda *_: None)
