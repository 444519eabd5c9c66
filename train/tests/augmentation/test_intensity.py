"""Each change of intensity does what it says, in numbers."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy import ndimage

from deepseg_train.augmentation import PatchGrid, apply, draw
from deepseg_train.augmentation.geometry.affine import Affine
from deepseg_train.augmentation.intensity import CHANGES
from deepseg_train.augmentation.intensity.bias_field import BiasField
from deepseg_train.augmentation.intensity.blur import Blur
from deepseg_train.augmentation.intensity.brightness import Brightness
from deepseg_train.augmentation.intensity.contrast import Contrast
from deepseg_train.augmentation.intensity.gamma import Gamma, GammaSettings, InvertedGammaSettings
from deepseg_train.augmentation.intensity.ghosting import Ghosting, GhostingSettings
from deepseg_train.augmentation.intensity.low_resolution import LowResolution, LowResolutionSettings
from deepseg_train.augmentation.intensity.motion import Motion, MotionSettings
from deepseg_train.augmentation.intensity.noise import Noise, NoiseSettings

GRID = PatchGrid((24, 30, 20))


def only(off, *names):
    return replace(off, **{name: replace(getattr(off, name), probability=1.0) for name in names})


def in_k_space(channels, kept, axis):
    """The sum of images, each with the planes of its k-space that `kept` says, by whole Fourier transforms."""
    total = np.zeros(channels[0].shape, complex)
    for channel, factors in zip(channels, kept, strict=True):
        spectrum = np.moveaxis(np.fft.fftshift(np.fft.fftn(channel)), axis, 0)
        total += np.fft.ifftn(np.fft.ifftshift(np.moveaxis(spectrum * factors[:, None, None], 0, axis)))
    return total.real


@pytest.mark.parametrize("name", CHANGES)
def test_a_change_leaves_label_and_argument_alone(off, phantom, name):
    image, label = phantom
    before = image.clone()
    plain = draw(off, np.random.default_rng(0), GRID, image.shape)
    changed = draw(only(off, name), np.random.default_rng(0), GRID, image.shape)
    assert [type(change) for change in changed.intensity[0]] == [CHANGES[name]]
    (was, of), (now, still) = apply(plain, image, label), apply(replace(plain, intensity=changed.intensity), image, label)
    assert torch.equal(of, still)
    assert (was != now).float().mean() > 0.5
    assert now.dtype == torch.float32
    assert torch.equal(image, before)
    assert torch.isfinite(now).all()


@pytest.mark.parametrize("name", CHANGES)
def test_a_change_happens_as_often_as_asked(off, name):
    settings = replace(off, **{name: replace(getattr(off, name), probability=0.3)})
    counts = [len(draw(settings, np.random.default_rng(seed), GRID, (1, 30, 30, 30)).intensity[0]) for seed in range(300)]
    assert np.mean(counts) == pytest.approx(0.3, abs=0.08)


def test_channels_have_changes_of_their_own(off, phantom):
    both = torch.cat([phantom[0], phantom[0]])
    drawn = draw(only(off, "noise", "gamma"), np.random.default_rng(0), GRID, both.shape)
    assert drawn.intensity[0] != drawn.intensity[1]
    image, _ = apply(drawn, both, phantom[1])
    assert not torch.allclose(image[0], image[1], atol=0.01)


def test_noise_has_its_deviation():
    channel = torch.linspace(-2, 2, 30**3).reshape(30, 30, 30)
    added = Noise(0.2, 7).apply(channel) - channel
    assert float(added.std()) == pytest.approx(0.2, rel=0.02)
    assert float(added.mean()) == pytest.approx(0, abs=0.005)
    assert abs(float((added[1:] * added[:-1]).mean())) < 0.001  # white
    drawn = [Noise.draw(NoiseSettings(1.0, (0.1, 0.4)), np.random.default_rng(seed), GRID).deviation for seed in range(200)]
    assert (min(drawn), max(drawn)) == (pytest.approx(0.1, abs=0.01), pytest.approx(0.4, abs=0.01))


def test_blur_is_a_gaussian(a_channel):
    sigma = (0.5, 1.0, 1.4)
    found = Blur(sigma).apply(a_channel).numpy()
    expected = ndimage.gaussian_filter(a_channel.numpy().astype(float), sigma, truncate=8)
    inside = (slice(7, -7),) * 3
    assert np.abs(found - expected)[inside].max() < 1e-4
    assert np.allclose(Blur((0.0, 0.0, 0.0)).apply(a_channel), a_channel, atol=1e-6)
    # At the border nothing comes in from outside.
    assert np.allclose(Blur(sigma).apply(torch.full((8, 9, 7), 3.0)), 3.0)


def test_low_resolution_loses_what_is_fine_and_keeps_what_is_coarse():
    change = LowResolution(0.5, (1,))
    at = torch.arange(40.0)
    fine, coarse, ramp = torch.cos(np.pi * at), torch.cos(2 * np.pi * at / 40), at
    line = {name: change.apply(values.view(1, 40, 1).expand(3, 40, 2))[1, :, 1] for name, values in (("f", fine), ("c", coarse), ("r", ramp))}
    assert float(line["f"].abs().max()) < 1e-5
    assert float((line["c"] - coarse).abs().max()) < 0.03
    assert torch.allclose(line["r"][2:-2], ramp[2:-2], atol=1e-4)
    across = torch.cos(np.pi * at).view(40, 1, 1).expand(40, 6, 2)
    assert torch.allclose(change.apply(across), across, atol=1e-6)  # other axes keep their voxels


def test_low_resolution_is_of_all_axes_or_of_one():
    axes = [LowResolution.draw(LowResolutionSettings(1.0, (0.5, 1.0), 0.5), np.random.default_rng(seed), GRID).axes for seed in range(300)]
    assert np.mean([a == (0, 1, 2) for a in axes]) == pytest.approx(0.5, abs=0.08)
    assert {a for a in axes if len(a) == 1} == {(0,), (1,), (2,)}


def test_bias_field_is_smooth_and_multiplies(a_channel):
    found = BiasField(0.4, 3).apply(a_channel)
    low = a_channel.min()
    bright = a_channel - low > 0.2
    logarithm = torch.log((found - low)[bright] / (a_channel - low)[bright]).numpy().astype(float)
    assert np.abs(logarithm).max() == pytest.approx(0.4, abs=0.02)
    # Twenty polynomials of degree 3 at most say all of it.
    at = [2 * index[bright.numpy()] / (n - 1) - 1 for index, n in zip(np.indices(a_channel.shape), a_channel.shape, strict=True)]
    powers = [p for p in np.ndindex(4, 4, 4) if sum(p) <= 3]
    terms = np.stack([at[0] ** i * at[1] ** j * at[2] ** k for i, j, k in powers], axis=1)
    fitted = terms @ np.linalg.lstsq(terms, logarithm, rcond=None)[0]
    assert len(powers) == 20
    assert np.abs(fitted - logarithm).max() < 1e-4
    assert float(BiasField(0.4, 3).logarithm(a_channel.shape).mean()) == pytest.approx(0, abs=1e-5)


def test_brightness_and_contrast():
    channel = torch.tensor([0.0, 1.0, 2.0, 3.0, 4.0]).view(1, 1, 5)
    assert Brightness(1.5, -0.5).apply(channel).flatten().tolist() == [-0.5, 1.0, 2.5, 4.0, 5.5]
    assert Contrast(0.5).apply(channel).flatten().tolist() == [1.0, 1.5, 2.0, 2.5, 3.0]
    assert Contrast(1.5).apply(channel).flatten().tolist() == [0.0, 0.5, 2.0, 3.5, 4.0]  # cut to the range there was


def test_gamma_keeps_mean_deviation_and_order(a_channel):
    for inverted in (False, True):
        found = Gamma(0.6, inverted).apply(a_channel)
        assert float(found.mean()) == pytest.approx(float(a_channel.mean()), abs=1e-4)
        assert float(found.std()) == pytest.approx(float(a_channel.std()), rel=1e-4)
        order = a_channel.flatten().argsort()
        assert (found.flatten()[order].diff() >= -1e-5).all()
    # By hand: 0, 0.25, 1 to the power of 2 is 0, 0.0625, 1, whatever scale follows; inverted, 1, 0.75, 0 becomes 1, 0.5625, 0.
    three = torch.tensor([2.0, 3.0, 6.0]).view(1, 1, 3)
    for inverted, share in ((False, 0.0625), (True, 1 - 0.5625)):
        low, middle, high = Gamma(2.0, inverted).apply(three).flatten().tolist()
        assert (middle - low) / (high - low) == pytest.approx(share, abs=1e-5)
    assert torch.equal(Gamma(2.0, False).apply(torch.full((2, 2, 2), 5.0)), torch.full((2, 2, 2), 5.0))


def test_gamma_is_as_often_below_one_as_above(rng):
    for settings, inverted in ((GammaSettings(1.0), False), (InvertedGammaSettings(1.0), True)):
        drawn = [Gamma.draw(settings, rng, GRID) for _ in range(300)]
        assert np.mean([change.exponent < 1 for change in drawn]) == pytest.approx(0.5, abs=0.08)
        assert {change.inverted for change in drawn} == {inverted}
    assert Gamma.draw(GammaSettings(1.0, (2.0, 2.0)), np.random.default_rng(0), GRID).exponent == 2.0


@pytest.mark.parametrize("axis", range(3))
def test_ghosts_are_periodic_copies(a_channel, axis):
    change = Ghosting(4, 0.6, axis, 0.0)
    spot = torch.zeros(24, 24, 24)
    spot[5, 6, 7] = 1
    line = change.apply(spot).movedim(axis, 0).flatten(1).sum(1)
    # Weakening each fourth line by 0.6 takes 0.6 / 4 from the spot and puts as much, dark, at each quarter of the axis;
    # the line of frequency 0 stays, which gives 0.6 / 24 back everywhere.
    place = 5 + axis
    expected = torch.full((24,), 0.6 / 24)
    expected[place % 6 :: 6] -= 0.6 / 4
    expected[place] += 1
    assert torch.allclose(line, expected, atol=1e-6)

    size = a_channel.shape[axis]
    lines = np.arange(size) - size // 2
    change = Ghosting(3, 0.5, axis, 0.2)
    kept = np.where((lines % 3 == 0) & (np.abs(lines) > 0.1 * size), 0.5, 1.0)
    assert np.abs(change.apply(a_channel).numpy() - in_k_space([a_channel.numpy()], [kept], axis)).max() < 1e-4


def test_ghosts_are_drawn_along_each_axis():
    drawn = [Ghosting.draw(GhostingSettings(1.0, (2, 4)), np.random.default_rng(seed), GRID) for seed in range(100)]
    assert {change.axis for change in drawn} == {0, 1, 2}
    assert {change.ghosts for change in drawn} == {2, 3, 4}


@pytest.mark.parametrize("axis", range(3))
def test_motion_joins_the_k_spaces_of_moved_images(a_channel, axis):
    moves = tuple(Motion.draw(MotionSettings(1.0, 2, 8.0, 4.0), np.random.default_rng(4), GRID).moves)
    found = Motion(axis, (0.3, 0.7), moves).apply(a_channel).numpy()
    size = a_channel.shape[axis]
    phase = np.searchsorted([round(0.3 * size), round(0.7 * size)], np.arange(size), side="right")
    middle = (np.array(a_channel.shape) - 1) / 2
    moved = []
    for move in moves:
        matrix = np.array(move.matrix)
        offset = middle + move.translation - matrix @ middle
        moved.append(ndimage.affine_transform(a_channel.numpy(), matrix, offset, order=1, mode="nearest"))
    places = [moved[0], a_channel.numpy(), moved[1]]  # the labels are where the patient lies in the middle of the scan
    expected = in_k_space(places, [(phase == n).astype(float) for n in range(3)], axis)
    assert np.abs(found - expected).max() < 1e-3
    assert np.abs(found - a_channel.numpy()).max() > 0.1


def test_motion_without_a_move_changes_nothing(a_channel):
    still = Affine(((1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0)), (0.0, 0.0, 0.0))
    assert torch.allclose(Motion(1, (0.2, 0.6), (still, still)).apply(a_channel), a_channel, atol=1e-4)


def test_moves_of_a_motion_are_rigid():
    change = Motion.draw(MotionSettings(1.0, 3), np.random.default_rng(0), GRID)
    assert len(change.times) == len(change.moves) == 3
    assert list(change.times) == sorted(change.times)
    for move in change.moves:
        assert np.array(move.matrix) @ np.array(move.matrix).T == pytest.approx(np.eye(3), abs=1e-9)
        assert max(np.abs(move.translation)) <= 3
