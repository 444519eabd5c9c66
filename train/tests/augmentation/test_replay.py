"""What was drawn can be written down and replayed to the bit."""

import json
from dataclasses import fields, replace

import numpy as np
import pytest
import torch

from deepseg_train.augmentation import AugmentationSettings, Draw, apply, draw
from deepseg_train.augmentation.cutout import Cutout, CutoutSettings, draw_cutout
from deepseg_train.augmentation.intensity import CHANGES
from deepseg_train.augmentation.mixup import Mixup, MixupSettings, draw_mixup
from deepseg_train.config.checking import build
from deepseg_train.errors import ConfigError


@pytest.fixture
def everything(off) -> AugmentationSettings:
    sections = {f.name: getattr(off, f.name) for f in fields(off)}
    return replace(off, **{name: replace(part, probability=1.0) for name, part in sections.items() if hasattr(part, "probability")})


def test_a_draw_that_was_written_down_gives_the_same_patch(everything, grid, phantom):
    two = torch.cat([phantom[0], phantom[0]])
    for seed in range(3):
        drawn = draw(everything, np.random.default_rng(seed), grid, two.shape)
        assert len(drawn.intensity[0]) == len(drawn.intensity[1]) == len(CHANGES)
        first = apply(drawn, two, phantom[1])
        read = Draw.from_json(json.loads(json.dumps(drawn.to_json())))
        assert read == drawn
        assert hash(read) == hash(drawn)
        for was, now in zip(first, apply(read, two, phantom[1]), strict=True):
            assert torch.equal(was, now)


def test_the_same_random_numbers_give_the_same_draw_and_others_another(everything, grid):
    drawn = [draw(everything, np.random.default_rng(seed), grid, (1, 50, 50, 50)) for seed in (1, 1, 2)]
    assert drawn[0] == drawn[1] != drawn[2]


@pytest.mark.parametrize("change", ["affine", "elastic", "cutout"])
def test_changes_that_may_stay_away_come_as_often_as_asked(off, grid, change):
    def drawn(probability):
        settings = replace(off, **{change: replace(getattr(off, change), probability=probability)})
        return [getattr(draw(settings, np.random.default_rng(seed), grid, (1, 50, 50, 50)), change) for seed in range(300)]

    assert sum(found is not None for found in drawn(0.3)) == pytest.approx(90, abs=24)  # three standard deviations
    assert None not in drawn(1.0)
    assert set(drawn(0.0)) == {None}


def test_nothing_on_is_the_plain_patch(off, grid, phantom):
    drawn = draw(off, np.random.default_rng(0), grid, phantom[0].shape)
    assert drawn == Draw(grid.size, drawn.start, (False,) * 3, None, None, ((),), None)


def test_cutout_hides_boxes_in_all_channels_and_keeps_the_label(off, grid, phantom):
    image = torch.cat([phantom[0] + 1, phantom[0] + 2])
    plain = draw(off, np.random.default_rng(0), grid, image.shape)
    (was, label), (now, kept) = (apply(d, image, phantom[1]) for d in (plain, replace(plain, cutout=Cutout((((2, 3, 4), (5, 6, 7)),)))))
    inside = torch.zeros(grid.size, dtype=torch.bool)
    inside[2:7, 3:9, 4:11] = True
    assert (now[:, inside] == 0).all()
    assert torch.equal(now[:, ~inside], was[:, ~inside])
    assert torch.equal(kept, label)


def test_boxes_lie_in_the_patch(grid, rng):
    drawn = [draw_cutout(CutoutSettings(1.0, 3, (0.1, 1.0)), rng, grid) for _ in range(200)]
    assert {len(cutout.boxes) for cutout in drawn} == {1, 2, 3}
    for start, size in (box for cutout in drawn for box in cutout.boxes):
        assert all(s >= 0 and n > 0 and s + n <= have and 0.1 * have - 0.5 <= n for s, n, have in zip(start, size, grid.size, strict=True))


def test_mixup_blends_images_and_keeps_both_labels():
    one, other = ({"image": torch.full((1, 2, 2, 2), value), "label": torch.full((1, 2, 2, 2), int(value))} for value in (1.0, 5.0))
    mixed = Mixup(0.25).apply(one, other)
    assert mixed["image"].unique().tolist() == [2.0]
    assert mixed["label"].unique().tolist() == [1]
    assert mixed["label_mixed"].unique().tolist() == [5]
    assert float(mixed["mix"]) == 0.25


def test_mixups_share_is_half_at_most_and_comes_as_often_as_asked(rng):
    drawn = [draw_mixup(MixupSettings(0.4, 1.0), rng) for _ in range(500)]
    shares = [mixup.share for mixup in drawn if mixup]
    assert len(shares) == pytest.approx(200, abs=30)
    assert 0 <= min(shares) < 0.05
    assert 0.45 < max(shares) <= 0.5
    assert draw_mixup(MixupSettings(0.0), rng) is None


def test_a_config_need_not_name_anything_and_names_what_is_wrong():
    assert build(AugmentationSettings, {}, "augmentation") == AugmentationSettings()
    read = build(AugmentationSettings, {"flip": {"left_right": 0.5}, "noise": {"deviation": [0, 0.1]}}, "augmentation")
    assert read.flip.left_right == 0.5
    assert (read.noise.probability, read.noise.deviation) == (AugmentationSettings().noise.probability, (0.0, 0.1))


@pytest.mark.parametrize(
    ("section", "key", "value", "said"),
    [
        ("flip", "left_right", 1.5, "left_right is 1.5; expected a number from 0 to 1"),
        ("affine", "scale", [1.4, 0.7], r"scale is \[1.4, 0.7\]; expected the lower number first, both at least 0.1"),
        ("affine", "rotate_degrees", [10, 10, 270], "expected three angles from 0 to 180"),
        ("elastic", "displacement_mm", [0, 12], r"expected at most 0.403 of control_mm \(9.7 mm\)"),
        ("low_resolution", "zoom", [0.5, 2], "both from 0.05 to 1.0"),
        ("ghosting", "ghosts", [1, 4], "both at least 2"),
        ("noise", "deviation", [-1, 0.1], "both at least 0.0"),
        ("motion", "moves", 0, "moves is 0; expected at least 1"),
        ("cutout", "share", [0.2, 1.2], "both from 0.0 to 1.0"),
        ("mixup", "alpha", 0, "alpha is 0.0; expected a number above 0"),
        ("gamma", "probability", -0.1, "probability is -0.1"),
    ],
)
def test_a_number_out_of_range_is_refused(section, key, value, said):
    with pytest.raises(ConfigError, match=f"augmentation.{section}: .*{said}"):
        build(AugmentationSettings, {section: {key: value}}, "augmentation")


def test_a_wrong_share_of_foreground_is_refused():
    with pytest.raises(ConfigError, match="oversample_foreground is 33"):
        AugmentationSettings(oversample_foreground=33)
