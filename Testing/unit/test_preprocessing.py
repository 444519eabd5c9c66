"""Preprocessing forward and back, against MONAI's transforms and against itself."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from monai.data import MetaTensor
from monai.transforms import (
    Compose,
    NormalizeIntensity,
    NormalizeIntensityd,
    Orientationd,
    ScaleIntensity,
    ScaleIntensityRange,
    ScaleIntensityRanged,
    ScaleIntensityRangePercentiles,
    Spacingd,
)

from deepseg.errors import ModelError, VolumeError
from deepseg.geometry import Geometry
from deepseg.normalisation import NORMALISATIONS, normalise
from deepseg.preprocessing import _grids, prepare, prepare_labels
from deepseg.spec import InputSpec, IntensityStep
from deepseg.volume import Label, LabelMap, Volume
from phantoms import awkward_grid, numbered_volume, turn


def grid(shape, spacing=(1.0, 1.0, 1.0), directions=None):
    matrix = np.eye(4)
    matrix[:3, :3] = (np.eye(3) if directions is None else directions) * spacing
    matrix[:3, 3] = (-30.0, 12.5, 80.0)
    return Geometry(shape, matrix)


GRIDS = {
    "the model's own": grid((14, 16, 18), (1.5, 1.5, 1.5), np.diag([-1.0, -1.0, 1.0])),
    "other orientation": grid((14, 16, 18), (1.5, 1.5, 1.5)),
    "permuted and flipped": grid((14, 16, 18), (1.5, 1.5, 1.5), np.array([[0, 0, -1.0], [1.0, 0, 0], [0, -1.0, 0]])),
    "finer": grid((31, 27, 25), (0.8, 0.9, 1.1)),
    "coarser": grid((9, 10, 8), (3.0, 2.2, 2.5), np.diag([-1.0, 1.0, -1.0])),
    "thick slices": grid((40, 38, 7), (0.7, 0.7, 5.0)),
    "oblique": grid((20, 18, 16), (1.5, 1.5, 1.5), turn(10.0, 20.0, -15.0)),
    "oblique, thick slices, left-handed": awkward_grid((40, 36, 9)),
    "turned far": grid((18, 20, 16), (1.1, 0.9, 2.0), turn(40.0, -35.0, 50.0)),
    "half voxels left over": grid((14, 16, 18), (0.75, 0.75, 0.75)),
    "rounded header on one axis": grid((30, 28, 26), (1.5008, 0.9, 1.4993)),
    "one slice": grid((20, 22, 1), (1.0, 1.0, 3.0)),
    "rounded header": grid((30, 30, 30), (1.4996, 1.5004, 1.5)),
}


def blobs(geometry: Geometry, scale: float = 1.0, shift: float = 0.0) -> Volume:
    """Smooth, asymmetric, fixed in the world."""
    ras = geometry.ras_from_ijk(np.indices(geometry.shape).transpose(1, 2, 3, 0)) - geometry.center_ras
    array = np.exp(-((ras - (4.0, 3.0, -2.0)) ** 2).sum(-1) / 60) + 0.5 * np.exp(-((ras - (-5.0, 1.0, -3.0)) ** 2).sum(-1) / 20) + 0.01 * ras[..., 0]
    return Volume((scale * array + shift)[np.newaxis], geometry, name="blobs")


def restore(values, prepared):
    """Values (L, I, J, K) of the model's grid on the input grid, at once."""
    return np.ascontiguousarray(prepared.orientation.inverse().apply(prepared.back.resample(values.float()).numpy()))


def monai_chain(spec):
    return Compose(
        [
            Orientationd("image", axcodes=spec.orientation, labels=(("L", "R"), ("P", "A"), ("I", "S"))),
            Spacingd("image", pixdim=spec.spacing_mm, mode="bilinear", padding_mode="border"),
            NormalizeIntensityd("image"),
        ]
    )


@pytest.mark.parametrize("name", GRIDS)
def test_forward_and_back_are_those_of_monai(name, tiny_spec):
    volume = blobs(GRIDS[name])
    prepared = prepare(volume, tiny_spec)
    chain = monai_chain(tiny_spec)
    theirs = chain({"image": MetaTensor(torch.from_numpy(volume.array.copy()), affine=torch.from_numpy(volume.geometry.ijk_to_ras.copy()))})

    assert tuple(theirs["image"].shape) == tuple(prepared.tensor.shape)
    forward = float((theirs["image"].as_tensor() - prepared.tensor).abs().max())
    np.testing.assert_allclose(prepared.geometry.ijk_to_ras, theirs["image"].affine.numpy(), atol=1e-6)

    back = chain.inverse(theirs)["image"].as_tensor().numpy()
    backward = float(np.abs(restore(prepared.tensor, prepared) - back).max())
    print(f"{name}: forward {forward:.2g}, back {backward:.2g}")
    assert back.shape == volume.array.shape
    assert forward < 2e-5
    assert backward < 2e-5


@pytest.mark.parametrize("name", ["the model's own", "rounded header"])
def test_a_volume_on_the_models_grid_is_not_resampled(name, tiny_spec):
    volume = blobs(GRIDS[name])
    prepared = prepare(volume, tiny_spec)
    expected = NORMALISATIONS["zscore"](prepared.orientation.apply(volume.array)[0])
    np.testing.assert_array_equal(prepared.tensor[0].numpy(), expected)
    assert prepared.back.changes_nothing
    np.testing.assert_array_equal(restore(torch.from_numpy(prepared.orientation.apply(volume.array).copy()), prepared), volume.array)


def test_a_volume_on_the_models_grid_and_scale_comes_through_unchanged(tiny_spec):
    window = InputSpec("CT", "CT", "HU", (IntensityStep("ct_window", {"low": -1e6, "high": 1e6, "mean": 0.0, "std": 1.0}),))
    volume = numbered_volume(GRIDS["the model's own"])
    prepared = prepare(volume, replace(tiny_spec, inputs=(window,)))
    np.testing.assert_array_equal(prepared.tensor.numpy(), volume.array)
    np.testing.assert_array_equal(prepared.geometry.ijk_to_ras, volume.geometry.ijk_to_ras)
    np.testing.assert_array_equal(restore(prepared.tensor, prepared), volume.array)


@pytest.mark.parametrize("name", GRIDS)
def test_every_voxel_keeps_its_place_in_the_world_forward_and_back(name, tiny_spec):
    """An image of world x, y and z: interpolating it gives the position itself, so any shift, flip or swap shows in mm."""
    geometry = GRIDS[name]
    ras = geometry.ras_from_ijk(np.indices(geometry.shape).transpose(1, 2, 3, 0)).transpose(3, 0, 1, 2)
    plain = InputSpec("x", "other", "a.u.")
    prepared = prepare(Volume(ras, geometry, ("a.u.",) * 3), replace(tiny_spec, inputs=(plain,) * 3))
    there = prepared.geometry.ras_from_ijk(np.indices(prepared.geometry.shape).transpose(1, 2, 3, 0)).transpose(3, 0, 1, 2)
    # Beyond the last voxel's centre the border's value is kept: at most half a voxel of the model's grid.
    last = np.array(geometry.ijk_from_ras(prepared.geometry.corners_ras()))
    beyond = np.maximum(np.abs(last - np.clip(last, 0, np.array(geometry.shape) - 1)).max(0) * geometry.spacing_mm, 0).max()
    forward = np.linalg.norm(prepared.tensor.numpy() - there, axis=0)
    assert beyond <= max(tiny_spec.spacing_mm) / 2 + 1e-6
    assert np.median(forward) < 1e-4
    assert forward.max() < np.sqrt(3) * beyond + 1e-3
    # The far end of the input grid may lie beyond the model's last voxel by half a voxel of the model's grid.
    back = np.linalg.norm(restore(prepared.tensor, prepared) - ras, axis=0)
    inside = back[tuple(slice(1, -1) if n > 4 else slice(None) for n in geometry.shape)]
    assert np.median(inside) < 1e-4
    assert back.max() < np.sqrt(3) * max(*tiny_spec.spacing_mm, *geometry.spacing_mm) / 2 + 1e-3


@pytest.mark.parametrize("name", [n for n in GRIDS if n != "one slice"])
def test_a_segment_comes_back_at_the_same_place_and_side(name, tiny_spec):
    geometry = GRIDS[name]
    ras = geometry.ras_from_ijk(np.indices(geometry.shape).transpose(1, 2, 3, 0)) - geometry.center_ras
    right = (np.linalg.norm(ras - (6.0, 2.0, -1.0), axis=-1) < 5.5).astype(np.uint8)
    left = (np.linalg.norm(ras - (-6.0, -1.0, 2.0), axis=-1) < 4.5).astype(np.uint8)
    labels = LabelMap(right + 2 * left, geometry, ())
    prepared = prepare(blobs(geometry), tiny_spec)
    on_model_grid = torch.nn.functional.one_hot(prepare_labels(labels, tiny_spec).long(), 3).movedim(-1, 0)
    assert tuple(on_model_grid.shape[1:]) == prepared.geometry.shape
    returned = restore(on_model_grid, prepared).argmax(0)
    for value in (1, 2):
        before, after = (geometry.ras_from_ijk(np.argwhere(array == value)).mean(0) for array in (labels.array, returned))
        assert np.linalg.norm(before - after) < 0.4, "mm between the segment's centres"
        overlap = 2 * ((labels.array == value) & (returned == value)).sum() / ((labels.array == value).sum() + (returned == value).sum())
        assert overlap > (0.999 if geometry.spacing_mm == pytest.approx((1.5, 1.5, 1.5), abs=1e-2) else 0.8)


def test_labels_on_the_models_grid_are_only_reordered(tiny_spec):
    geometry = GRIDS["permuted and flipped"]
    array = np.random.default_rng(0).integers(0, 3, geometry.shape).astype(np.uint8)
    moved = prepare_labels(LabelMap(array, geometry, ()), tiny_spec)
    orientation = geometry.orientation_to(tiny_spec.orientation)
    np.testing.assert_array_equal(moved.numpy(), orientation.apply(array))
    assert moved.dtype == torch.uint8


@pytest.mark.parametrize("order", [1, 3])
@pytest.mark.parametrize("name", ["finer", "oblique, thick slices, left-handed"])
def test_labels_resampled_one_by_one_are_those_with_most_weight(name, order, tiny_spec):
    """Against all labels' weights side by side; a label that is nowhere, and a model with more labels than a byte holds."""
    geometry = GRIDS[name]
    array = np.random.default_rng(1).integers(0, 6, geometry.shape).astype(np.uint8)
    array[array == 3] = 0
    labels = tuple(Label(n, f"label {n}", (1.0, 0.0, 0.0)) for n in range(1, 7))
    spec = replace(tiny_spec, labels=labels, resampling=replace(tiny_spec.resampling, order=order))
    orientation = geometry.orientation_to(spec.orientation)
    one_hot = torch.nn.functional.one_hot(torch.from_numpy(orientation.apply(array).astype(np.int64)), 7).movedim(-1, 0).float()
    _, there, _ = _grids(geometry.reoriented(orientation), spec)
    expected = there.resample(one_hot).argmax(0)
    found = prepare_labels(LabelMap(array, geometry, labels), spec)
    assert not there.changes_nothing
    assert found.dtype == torch.uint8
    # Sums of cubic weights are rounded differently side by side.
    assert (found != expected).float().mean() <= (0 if order == 1 else 1e-4)
    many = replace(spec, labels=tuple(Label(n, f"label {n}", (1.0, 0.0, 0.0)) for n in range(1, 301)))
    high = LabelMap(array.astype(np.uint16) * 50, geometry, many.labels)
    assert torch.equal(prepare_labels(high, many), found.to(torch.int32) * 50)


def test_a_label_map_without_labels_stays_empty(tiny_spec):
    geometry = GRIDS["oblique, thick slices, left-handed"]
    assert not prepare_labels(LabelMap(np.zeros(geometry.shape, np.uint8), geometry, ()), tiny_spec).any()


def test_probabilities_still_sum_to_one_after_the_way_back(tiny_spec):
    prepared = prepare(blobs(GRIDS["oblique, thick slices, left-handed"]), tiny_spec)
    probabilities = torch.softmax(torch.randn(3, *prepared.geometry.shape, generator=torch.Generator().manual_seed(0)), 0)
    returned = restore(probabilities, prepared)
    np.testing.assert_allclose(returned.sum(0), 1.0, atol=1e-6)
    assert returned.min() >= 0


def test_a_volume_with_another_number_of_channels_is_refused(tiny_spec):
    geometry = GRIDS["finer"]
    volume = Volume(np.zeros((2, *geometry.shape), np.float32), geometry, ("a.u.",) * 2, "two")
    with pytest.raises(VolumeError, match=r"'two' has 2 channels; the model tiny takes 1: T1 \(MR\)"):
        prepare(volume, tiny_spec)


@pytest.mark.parametrize(("scale", "shift"), [(1e4, 0.0), (1e-4, 0.0), (1.0, 1000.0), (2.5e5, -3e4)])
def test_zscore_forgets_scale_and_shift(scale, shift, tiny_spec):
    plain = prepare(blobs(GRIDS["finer"]), tiny_spec).tensor
    scaled = prepare(blobs(GRIDS["finer"], scale, shift), tiny_spec).tensor
    assert float((plain - scaled).abs().max()) < 2e-3
    assert abs(float(scaled.mean())) < 1e-4
    assert float(scaled.std(correction=0)) == pytest.approx(1.0, abs=1e-4)


@pytest.mark.parametrize("value", [0.0, 0.1, 1 / 3, -1024.0, 1e6, 12345.678])
@pytest.mark.parametrize("size", [7, 10, 13])
def test_zscore_of_a_constant_image_is_zero(value, size):
    channel = np.full((size, size, size), value, np.float32)
    np.testing.assert_array_equal(NORMALISATIONS["zscore"](channel), np.zeros_like(channel))


def test_ct_window_is_that_of_monai():
    parameters = {"low": -160.0, "high": 240.0, "mean": 45.0, "std": 70.0}
    channel = np.linspace(-1500, 2000, 5**3, dtype=np.float32).reshape(5, 5, 5)
    ours = normalise(channel, [IntensityStep("ct_window", parameters)])
    clip = ScaleIntensityRanged("image", a_min=-160.0, a_max=240.0, b_min=-160.0, b_max=240.0, clip=True)
    theirs = Compose([clip, NormalizeIntensityd("image", subtrahend=45.0, divisor=70.0)])({"image": torch.from_numpy(channel[None].copy())})
    np.testing.assert_allclose(ours, theirs["image"][0].numpy(), atol=1e-5)
    assert ours.min() == pytest.approx((-160 - 45) / 70)


@pytest.mark.parametrize(
    ("scheme", "parameters", "says"),
    [
        ("rainbow", {}, "scheme 'rainbow'; this DeepSeg has zscore, "),
        ("ct_window", {"low": 0.0}, "do not fit the intensity scheme 'ct_window'"),
        ("zscore", {"power": 2.0}, "do not fit the intensity scheme 'zscore'"),
        ("ct_window", {"low": 0.0, "high": 1.0, "mean": 0.0, "std": 0.0}, "std must be greater than 0"),
    ],
)
def test_an_unknown_scheme_or_wrong_parameters_are_refused(scheme, parameters, says):
    with pytest.raises(ModelError, match=says):
        normalise(np.ones((2, 2, 2), np.float32), [IntensityStep(scheme, parameters)])


PARAMETERS = {
    "ct_window": {"low": -100.0, "high": 100.0, "mean": 0.0, "std": 50.0},
    "shift_scale": {"shift": 3.0, "scale": 2.0},
    "scale_range": {"low": -500.0, "high": 700.0, "to_low": -1.0, "to_high": 2.0, "clip": True},
    "minmax": {"to_low": -1.0, "to_high": 2.0},
    "percentiles": {"lower": 2.0, "upper": 97.0, "to_low": 0.0, "to_high": 1.0, "clip": False},
}
MONAIS = {
    "zscore": NormalizeIntensity(),
    "zscore_nonzero": NormalizeIntensity(nonzero=True),
    "shift_scale": NormalizeIntensity(subtrahend=3.0, divisor=2.0),
    "scale_range": ScaleIntensityRange(-500.0, 700.0, -1.0, 2.0, clip=True),
    "minmax": ScaleIntensity(-1.0, 2.0),
    "percentiles": ScaleIntensityRangePercentiles(2.0, 97.0, 0.0, 1.0, clip=False),
}


def noise_with_zeros():
    channel = np.random.default_rng(0).normal(0, 1e3, (14, 15, 16)).astype(np.float32)
    channel[:4] = 0
    return channel


@pytest.mark.parametrize("scheme", NORMALISATIONS)
def test_every_scheme_gives_finite_float32_of_the_same_shape(scheme):
    for channel in (noise_with_zeros(), np.zeros((4, 5, 6), np.float32)):
        result = normalise(channel, [IntensityStep(scheme, PARAMETERS.get(scheme, {}))], channel != 0)
        assert result.dtype == np.float32
        assert result.shape == channel.shape
        assert np.isfinite(result).all()


@pytest.mark.parametrize("scheme", MONAIS)
def test_a_scheme_gives_the_numbers_of_its_monai_counterpart(scheme):
    channel = noise_with_zeros()
    theirs = MONAIS[scheme](torch.from_numpy(channel[None].copy()))[0].numpy()
    np.testing.assert_allclose(normalise(channel, [IntensityStep(scheme, PARAMETERS.get(scheme, {}))]), theirs, atol=2e-5)


def test_steps_follow_one_another():
    channel = noise_with_zeros()
    first, second = IntensityStep("minmax", {"to_low": 0.0, "to_high": 1.0}), IntensityStep("zscore")
    np.testing.assert_array_equal(normalise(channel, [first, second]), normalise(normalise(channel, [first]), [second]))
    np.testing.assert_array_equal(normalise(channel, []), channel)


def test_where_monai_differs_an_oblique_resampled_grid_with_a_rounded_header(tiny_spec):
    """MONAI puts first voxel on first voxel, but middle on middle once rounding (float32, as in NIfTI) moves a corner by more than 1e-8 voxels.

    DeepSeg puts first voxel on first voxel always. The two grids lie less than a voxel of the model apart; both go back to the input's own grid.
    """
    exact = awkward_grid((48, 58, 9))
    rounded = Geometry(exact.shape, exact.ijk_to_ras.astype(np.float32))
    origins = []
    for geometry in (exact, rounded):
        volume = blobs(geometry)
        theirs = monai_chain(tiny_spec)(
            {"image": MetaTensor(torch.from_numpy(volume.array.copy()), affine=torch.from_numpy(geometry.ijk_to_ras.copy()))}
        )
        origins.append(prepare(volume, tiny_spec).geometry.ijk_to_ras[:3, 3] - theirs["image"].affine.numpy()[:3, 3])
    assert np.linalg.norm(origins[0]) < 1e-6
    assert 0.01 < np.linalg.norm(origins[1]) < np.linalg.norm(tiny_spec.spacing_mm)


@pytest.mark.parametrize(("modality", "fits"), [("", True), ("MR", True), ("CT", False), ("PT", False)])
def test_an_image_whose_header_names_another_modality_is_refused(modality, fits, tiny_spec):
    volume = Volume(np.arange(8**3, dtype=np.float32).reshape(1, 8, 8, 8), Geometry((8, 8, 8), np.eye(4)), name="scan", modalities=(modality,))
    if fits:
        assert prepare(volume, tiny_spec).tensor.shape[0] == 1
        return
    with pytest.raises(VolumeError, match=rf"'scan' is a {modality} image by its DICOM header; the model tiny takes T1 \(MR\)"):
        prepare(volume, tiny_spec)
