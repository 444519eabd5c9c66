"""Our sliding window against MONAI's."""

import pytest
import torch
from monai.inferers import sliding_window_inference
from monai.inferers.utils import compute_importance_map

from deepseg.errors import ModelError
from deepseg.inference import gaussian_weight, infer_logits, window_starts
from deepseg.networks import build_network

PATCH = (8, 12, 10)


class Answer(torch.nn.Module):
    """Answers that depend on where in the window a voxel lies, so that placing and blending of windows show."""

    def __init__(self, patch=PATCH):
        super().__init__()
        self.place = torch.randn(3, *patch, generator=torch.Generator().manual_seed(1))

    def forward(self, image):
        return image * self.place.unsqueeze(0) + self.place.unsqueeze(0)


@pytest.mark.parametrize("overlap", [0.0, 0.25, 0.5, 0.8, 0.99])
@pytest.mark.parametrize(
    "size",
    [(8, 12, 10), (5, 7, 3), (4, 30, 10), (21, 12, 6), (17, 13, 31), (9, 13, 11), (1, 1, 1), (8, 24, 9)],
    ids=["equal", "smaller", "smaller, larger, equal", "larger, equal, smaller", "larger", "one more", "one voxel", "twice"],
)
def test_blended_windows_are_those_of_monai(size, overlap):
    image = torch.randn(1, *size, generator=torch.Generator().manual_seed(2))
    ours = infer_logits(Answer(), image, PATCH, overlap, 3)
    theirs = sliding_window_inference(image[None], PATCH, 1, Answer(), overlap, mode="gaussian", sigma_scale=0.125, padding_mode="constant")[0]
    difference = float((ours - theirs).abs().max())
    print(f"size {size}, overlap {overlap}: {difference:.2g}")
    assert ours.shape == (3, *size)
    assert difference < 1e-5


def test_a_real_network_gives_what_it_gives_in_monai(tiny_spec, tiny_weights):
    network = build_network(tiny_spec.network.name, tiny_spec.network.kwargs)
    network.load_state_dict(tiny_weights)
    network.eval()
    image = torch.randn(1, 30, 14, 21, generator=torch.Generator().manual_seed(3))
    ours = infer_logits(network, image, tiny_spec.patch, 0.5, 3)
    with torch.inference_mode():
        theirs = sliding_window_inference(image[None], tiny_spec.patch, 1, network, 0.5, mode="gaussian", padding_mode="constant")[0]
    assert float((ours - theirs).abs().max()) < 1e-4
    assert float(ours.std()) > 0.1


@pytest.mark.parametrize("patch", [(8, 12, 10), (40, 56, 40), (1, 1, 1), (3, 128, 5)])
def test_blending_weight_is_that_of_monai(patch):
    theirs = compute_importance_map(patch, mode="gaussian", sigma_scale=0.125)
    torch.testing.assert_close(gaussian_weight(patch), theirs.clamp(min=max(float(theirs.min()), 1e-3)), rtol=0, atol=1e-6)


@pytest.mark.parametrize("overlap", [0.0, 0.5, 0.99])
@pytest.mark.parametrize("length", [1, 9, 10, 11, 19, 20, 21, 57])
def test_windows_cover_every_voxel_and_stay_inside(length, overlap):
    starts = window_starts(length, 10, overlap)
    covered = set()
    for start in starts:
        covered |= set(range(start, start + 10))
        assert start >= 0
        assert start + 10 <= max(length, 10)
    assert covered >= set(range(length))
    assert len(set(starts)) == len(starts), "no window twice"


def test_each_window_is_reported_and_a_raised_error_stops_the_run():
    seen = []
    infer_logits(Answer(), torch.zeros(1, 16, 24, 10), PATCH, 0.0, 3, lambda done, count: seen.append((done, count)))
    assert seen == [(n, 4) for n in range(1, 5)]

    def stop(done: int, count: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        infer_logits(Answer(), torch.zeros(1, 16, 24, 10), PATCH, 0.0, 3, stop)


def test_a_network_with_another_number_of_classes_is_refused():
    with pytest.raises(ModelError, match="the model's labels and window need"):
        infer_logits(Answer(), torch.zeros(1, *PATCH), PATCH, 0.5, 4)


def test_inference_keeps_no_gradients_and_leaves_the_image_alone():
    image = torch.randn(1, 16, 24, 10)
    before = image.clone()
    assert not infer_logits(Answer(), image, PATCH, 0.5, 3).requires_grad
    torch.testing.assert_close(image, before, rtol=0, atol=0)
