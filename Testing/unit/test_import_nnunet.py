"""What becomes of nnU-Net's plans, labels and folds, compared with nnU-Net's own parts; and what is refused, by name."""

import warnings

import numpy as np
import pytest
import torch

from deepseg import api, cli
from deepseg.errors import ModelError, OutputError
from deepseg.golden import phantom as golden_phantom
from deepseg.importers.nnunet_architecture import network_of
from deepseg.importers.nnunet_labels import read_labels
from deepseg.importers.nnunet_plans import configuration_of, grid_of, inputs_of, orientation_of
from deepseg.normalisation import normalise
from deepseg.restoring import label_codes
from deepseg.spec import IntensityStep, OutputSpec, ResamplingSpec
from nnunet_folders import DATASET, PLANS, changed, write_folder

pytest.importorskip("nnunetv2", reason="needs nnU-Net: Testing/requirements-nnunet.txt")

FULLRES = "configurations/3d_fullres"
ARCHITECTURE = f"{FULLRES}/architecture/arch_kwargs"


@pytest.fixture(scope="module", autouse=True)
def nnunet():
    """nnU-Net and what it needs warn of their own old ways when they are imported."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import nnunetv2.imageio.nibabel_reader_writer
        import nnunetv2.preprocessing.normalization.default_normalization_schemes
        import nnunetv2.utilities.plans_handling.plans_handler
    return nnunetv2


@pytest.fixture
def a_folder(tmp_path):
    return write_folder(tmp_path / "nnUNetTrainer__nnUNetPlans__3d_fullres")


def imported(folder, tmp_path, **choices):
    return api.import_nnunet(folder, tmp_path / "model", **choices)


def test_a_results_folder_becomes_a_model(a_folder, tmp_path):
    bundle = imported(a_folder, tmp_path)
    spec = bundle.spec
    assert api.load_model(tmp_path / "model").sha256 == bundle.sha256
    assert (spec.id, spec.title) == ("dataset123_two_parts-3d_fullres", "Two Parts (nnU-Net 3d_fullres)")
    assert [(label.value, label.name) for label in spec.labels] == [(1, "Front"), (2, "Back")]
    assert (spec.orientation, spec.spacing_mm, spec.crop) == ("KJI", (3.0, 2.0, 2.5), "nonzero")
    assert spec.output == OutputSpec("softmax", mirror_axes=(0, 2))
    assert spec.resampling == ResamplingSpec("extent", 3, 1, 0, normalise_first=True)
    assert (spec.window.size, spec.window.overlap, spec.window.steps, spec.window.weight) == ((8, 16, 16), 0.5, "even", "nnunet")
    assert spec.provenance["dataset's licence"] == "CC-BY-SA 4.0"
    assert "CC-BY-SA" not in spec.licence, "the licence of the images is not that of the weights"


def test_all_numbered_folds_are_members_unless_some_are_chosen(tmp_path):
    folder = write_folder(tmp_path / "folder", folds=("all", "0", "3"))
    for number, (folds, members) in enumerate(((None, ["fold_0", "fold_3"]), (("all",), ["fold_all"]), (("3", "0", "3"), ["fold_3", "fold_0"]))):
        bundle = api.import_nnunet(folder, tmp_path / f"model {number}", folds=folds, model_id=f"mine.{number}")
        assert list(bundle.spec.weights) == [f"{member}.safetensors" for member in members]
        assert bundle.spec.id == f"mine.{number}"
    with pytest.raises(ModelError, match=r"has no fold '4' with a checkpoint_final.pth; it has 0, 3, all"):
        imported(folder, tmp_path, folds=("4",))


def test_fold_all_is_taken_where_there_is_no_other(tmp_path):
    assert list(imported(write_folder(tmp_path / "folder", folds=("all",)), tmp_path).spec.weights) == ["fold_all.safetensors"]


def test_a_model_is_not_written_over_another(a_folder, tmp_path):
    (tmp_path / "model").mkdir()
    with pytest.raises(OutputError, match="exists already"):
        imported(a_folder, tmp_path)


def test_the_command_tells_what_came_of_it(a_folder, tmp_path, capsys):
    assert cli.main(["import", "nnunet", str(a_folder), "-o", str(tmp_path / "model"), "--id", "two-parts", "--folds", "0"]) == 0
    told = capsys.readouterr().out
    assert "Front, Back" in told
    assert "Licence: unknown" in told
    assert api.load_model(tmp_path / "model").spec.id == "two-parts"
    assert cli.main(["import", "nnunet", str(a_folder), "-o", str(tmp_path / "model")]) == cli.BAD_INPUT
    assert capsys.readouterr().err.startswith("deepseg: ")


@pytest.mark.parametrize("order", [[0, 1, 2], [1, 0, 2], [2, 0, 1]], ids=str)
@pytest.mark.parametrize("reader", ["SimpleITKIO", "NibabelIO", "NibabelIOWithReorient", "SimpleITKIOWithReorient"])
def test_axes_are_those_of_nnunets_reader(reader, order, nnunet, phantom, tmp_path):
    api.write_volume(phantom, tmp_path / "image.nii.gz")
    module = nnunet.imageio.nibabel_reader_writer if reader.startswith("Nibabel") else nnunet.imageio.simpleitk_reader_writer
    expected, properties = getattr(module, reader)().read_images([str(tmp_path / "image.nii.gz")])
    orientation = phantom.geometry.orientation_to(orientation_of(changed(PLANS, {"image_reader_writer": reader, "transpose_forward": order})))
    np.testing.assert_array_equal(orientation.apply(phantom.array), expected.transpose(0, *(axis + 1 for axis in order)))
    spacing = phantom.geometry.reoriented(orientation).spacing_mm
    np.testing.assert_allclose(spacing, [properties["spacing"][axis] for axis in order], rtol=1e-5)


@pytest.mark.parametrize("masked", [False, True])
@pytest.mark.parametrize("scheme", ["CTNormalization", "ZScoreNormalization", "NoNormalization", "RescaleTo01Normalization", "RGBTo01Normalization"])
def test_intensities_are_normalised_as_nnunet_does(scheme, masked, nnunet):
    plans = changed(PLANS, {f"{FULLRES}/normalization_schemes": [scheme], f"{FULLRES}/use_mask_for_norm": [masked]})
    image = np.random.default_rng(4).gamma(2.0, 25.0, (9, 8, 7)).clip(0, 255).astype(np.float32)
    image[:2, 3:] = 0
    foreground = image != 0
    theirs = getattr(nnunet.preprocessing.normalization.default_normalization_schemes, scheme)
    figures = PLANS["foreground_intensity_properties_per_channel"]["0"]
    expected = theirs(use_mask_for_norm=masked, intensityproperties=figures).run(image.copy(), np.where(foreground, 0, -1))
    (item,) = inputs_of(plans, configuration_of(plans, "3d_fullres"), DATASET)
    np.testing.assert_allclose(normalise(image, item.steps, foreground), expected, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        *[("CT", ("CT", "HU")), ("ct", ("CT", "HU")), ("T1", ("MR", "a.u.")), ("MRI", ("MR", "a.u.")), ("T2-FLAIR", ("MR", "a.u."))],
        *[("PET", ("PT", "a.u.")), ("zscore", ("other", "a.u.")), ("noNorm", ("other", "a.u.")), ("direct", ("other", "a.u."))],
    ],
)
def test_a_channels_name_tells_its_modality(name, kind):
    (item,) = inputs_of(PLANS, PLANS["configurations"]["3d_fullres"], changed(DATASET, {"channel_names": {"0": name}}))
    assert (item.name, item.modality, item.unit) == (name, *kind)


@pytest.mark.parametrize(("name", "unit", "fits"), [("zscore", "HU", True), ("PET", "SUV", True), ("CT", "HU", True), ("T1", "HU", False)])
def test_a_channel_that_does_not_tell_its_unit_takes_any(name, unit, fits, tmp_path):
    bundle = imported(write_folder(tmp_path / "folder", dataset=changed(DATASET, {"channel_names": {"0": name}})), tmp_path)
    image = golden_phantom(1)
    volume = api.Volume(image.array, image.geometry, (unit,))
    if fits:
        assert api.segment(volume, bundle).labels.array.any()
    else:
        with pytest.raises(api.VolumeError, match=f"is in {unit}"):
            api.segment(volume, bundle)


def test_channels_keep_their_numbers_and_old_names_are_read():
    plans = changed(PLANS, {f"{FULLRES}/normalization_schemes": ["NoNormalization"] * 11, f"{FULLRES}/use_mask_for_norm": [False] * 11})
    plans["configurations"]["3d_fullres"]["normalization_schemes"][10] = "CTNormalization"
    figures = plans.pop("foreground_intensity_properties_per_channel")
    plans["foreground_intensity_properties_by_modality"] = {"10": figures["0"]}
    dataset = changed(DATASET, {"channel_names": ..., "modality": {str(n): f"channel {n}" for n in (*range(9, -1, -1), 10)}})
    inputs = inputs_of(plans, configuration_of(plans, "3d_fullres"), dataset)
    assert [item.name for item in inputs] == [f"channel {n}" for n in range(11)]
    assert inputs[10].steps == (IntensityStep("ct_window", {"low": -50.0, "high": 90.0, "mean": 30.0, "std": 12.5}),)


def test_a_2d_model_goes_slice_by_slice_across_the_first_axis():
    plans = changed(PLANS, {f"{FULLRES}/patch_size": [64, 48], f"{FULLRES}/spacing": [0.5, 0.75]})
    spacing, _, window = grid_of(configuration_of(plans, "3d_fullres"))
    assert spacing == (None, 0.5, 0.75)
    assert (window.size, window.slice_axis) == ((1, 64, 48), 0)


def test_a_configuration_inherits():
    lowres, fullres = (configuration_of(PLANS, name) for name in ("3d_lowres", "3d_fullres"))
    assert lowres["spacing"] == [4.0, 4.0, 4.0]
    assert lowres["patch_size"] == fullres["patch_size"]


@pytest.mark.parametrize(
    ("there", "back", "expected"),
    [
        ({}, {}, (3, 1, None)),
        ({"order": 1, "force_separate_z": None, "order_z": 1}, {"order": 0, "force_separate_z": None, "order_z": 1}, (1, 0, 1)),
        ({"force_separate_z": False, "order_z": 1}, {"force_separate_z": False}, (3, 1, None)),
    ],
    ids=str,
)
def test_orders_of_resampling(there, back, expected):
    changes = {f"{FULLRES}/resampling_fn_data_kwargs": there, f"{FULLRES}/resampling_fn_probabilities_kwargs": {"order": 1, **back}}
    _, rule, _ = grid_of(configuration_of(changed(PLANS, changes), "3d_fullres"))
    assert (rule.order, rule.back_order, rule.slice_order) == expected


def test_a_model_that_does_not_resample_keeps_the_images_grid():
    names = {f"{FULLRES}/resampling_fn_{what}": "no_resampling_hack" for what in ("data", "probabilities")}
    spacing, _, _ = grid_of(configuration_of(changed(PLANS, names), "3d_fullres"))
    assert spacing == (None, None, None)


@pytest.mark.parametrize("name", ["PlainConvUNet", "ResidualEncoderUNet"])
@pytest.mark.parametrize("dimensions", [2, 3])
def test_plans_of_the_first_releases_name_the_network_that_nnunet_builds(name, dimensions, nnunet):
    old = {
        "patch_size": [32] * dimensions,
        "UNet_class_name": name,
        "UNet_base_num_features": 32,
        "unet_max_num_features": 100,
        "n_conv_per_stage_encoder": [1, 2, 3],
        "n_conv_per_stage_decoder": [2, 1],
        "num_pool_per_axis": [2] * dimensions,
        "pool_op_kernel_sizes": [[1] * dimensions, [2] * dimensions, [2] * dimensions],
        "conv_kernel_sizes": [[3] * dimensions] * 3,
    }
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        new = nnunet.utilities.plans_handling.plans_handler.ConfigurationManager(dict(old)).configuration
    assert network_of(old, "nnUNetTrainer", 2, 4) == network_of(new, "nnUNetTrainer", 2, 4)
    assert network_of(old, "nnUNetTrainer", 2, 4).kwargs["features_per_stage"] == [32, 64, 100]


def test_the_trainer_with_batch_normalisation_changes_the_network():
    kwargs = network_of(PLANS["configurations"]["3d_fullres"], "nnUNetTrainerBN", 1, 3).kwargs
    assert (kwargs["norm_op"], kwargs["norm_op_kwargs"]) == ("BatchNorm3d", {"eps": 1e-5, "affine": True})


def trainers_of_nnunet(nnunet):
    """Names of all classes below nnU-Net's folder of trainers, read from the source, nothing is run."""
    import ast
    from pathlib import Path

    for path in (Path(nnunet.__path__[0]) / "training" / "nnUNetTrainer").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ClassDef):
                yield node.name


def test_every_trainer_of_nnunet_is_known_but_those_of_other_networks(nnunet):
    known, refused = set(), set()
    for name in trainers_of_nnunet(nnunet):
        try:
            network_of(PLANS["configurations"]["3d_fullres"], name, 1, 3)
            known.add(name)
        except ModelError as error:
            assert f"'{name}'" in str(error)
            refused.add(name)
    assert len(known) > 40
    assert {name for name in refused if "Primus" not in name} <= {"nnUNet_Trainer_BS8"}


REGIONS = [
    ({"whole": [1, 2, 3], "core": [2, 3], "inner": 3}, [1, 2, 3]),
    ({"inner": [3], "core": [3, 2], "whole": [3, 2, 1]}, [3, 2, 1]),
    ({"left": [1, 3], "right": [2, 3], "both": [1, 2, 3], "ignore": 4}, [1, 2, 3]),
    ({"a": [1, 2], "b": 2, "c": [4, 5]}, [1, 2, 4]),
]


@pytest.mark.parametrize(("described", "order"), REGIONS, ids=str)
def test_regions_are_painted_as_nnunet_paints_them(described, order, nnunet):
    dataset = {"labels": {"background": 0, **described}, "regions_class_order": order}
    theirs = nnunet.utilities.label_handling.label_handling.LabelManager(dataset["labels"], order)
    labels, painting = read_labels(dataset)
    probabilities = torch.rand(len(labels), 12, 13, 14, generator=torch.Generator().manual_seed(2))
    expected = theirs.convert_probabilities_to_segmentation(probabilities.numpy())
    spec = type("Spec", (), {"labels": labels, "overlapping": True, "output": OutputSpec("sigmoid", painting)})
    codes = label_codes(probabilities, spec, 0.5).numpy()
    assert [label.name for label in labels] == [name for name in described if name != "ignore"]
    for label in labels:
        held = described[label.name]
        where = np.isin(expected, held)
        assert where.any()
        np.testing.assert_array_equal((codes >> (label.value - 1)) & 1, where)


def test_exclusive_labels_are_sorted_and_the_ignore_label_is_none():
    labels, painting = read_labels({"labels": {"background": 0, "second": [2], "ignore": 3, "first": 1}})
    assert [(label.value, label.name) for label in labels] == [(1, "first"), (2, "second")]
    assert painting == ()
    assert len({label.color for label in labels}) == 2
