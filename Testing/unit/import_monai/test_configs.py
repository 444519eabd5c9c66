"""Bundles of MONAI become DeepSeg models: what each part of a config means."""

import copy
import json

import numpy as np
import pytest
import torch

from deepseg import api, cli
from deepseg.importers.monai_bundle import read_bundle
from deepseg.spec import IntensityStep, WindowSpec
from monai_bundles import LAMBDA, METADATA, NETWORK, image, postprocessing, pred, preprocessing
from zoo_bundles import ZOO, invert


def spec_of(folder):
    return read_bundle(folder, folder.name)[0]


def test_a_bundle_becomes_a_model_that_stays_float32(written, tmp_path):
    bundle = api.import_monai(written(), tmp_path / "out", model_id="my-model")
    spec = bundle.spec
    assert (spec.id, spec.title, spec.version, spec.summary) == ("my-model", "Test bundle", "0.2.0", "Two things.")
    assert [(item.name, item.modality, item.unit) for item in spec.inputs] == [("CT", "CT", "HU")]
    assert [label.name for label in spec.labels] == ["spleen", "liver"]
    assert spec.labels[0].color != spec.labels[1].color
    assert (spec.orientation, spec.spacing_mm) == ("LPS", (None, None, None))
    assert spec.window == WindowSpec((16, 16, 8), 0.25, "fixed", "constant", "zero")
    assert spec.licence.startswith("Apache-2.0; Copyright (c) somebody; the data")
    assert (spec.citation, spec.intended_use) == ("First. Second.", "For research, not for clinical use. An example.")
    assert "Data: CC-BY." in (bundle.folder / "LICENSE").read_text()
    original = torch.load(tmp_path / "bundle/models/model.pt", weights_only=True)["model"]
    built = bundle.build_network().state_dict()
    assert all(torch.equal(built[name], tensor) for name, tensor in original.items())


def test_the_command_line_imports_and_refuses(written, tmp_path, capsys):
    assert cli.main(["import", "monai", str(written()), "-o", str(tmp_path / "out"), "--id", "x"]) == 0
    assert "Test bundle: spleen, liver" in capsys.readouterr().out
    assert cli.main(["import", "monai", str(tmp_path / "bundle"), "-o", str(tmp_path / "out")]) == 2
    assert "exists already" in capsys.readouterr().err
    assert cli.main(["import", "monai", str(tmp_path / "nothing"), "-o", str(tmp_path / "other")]) == 2
    assert "does not exist" in capsys.readouterr().err


def test_the_command_line_tells_where_deepseg_differs_a_line_each(written, tmp_path, capsys):
    chain = postprocessing(pred("Activationsd", sigmoid=True), pred("AsDiscreted", threshold=0.5), LAMBDA, invert())
    metadata = {key: value for key, value in METADATA.items() if key != "network_data_format"}
    assert cli.main(["import", "monai", str(written(metadata=metadata, postprocessing=chain)), "-o", str(tmp_path / "out")]) == 0
    notes = [line.removeprefix("Note: ") for line in capsys.readouterr().out.splitlines() if line.startswith("Note: ")]
    assert [note.split(",")[0] for note in notes] == [
        "The bundle brings labels back to the image's grid",
        "The bundle makes a label map of its channels with a piece of code",
        "The bundle does not name its channels 0",
    ]
    assert "'$lambda x: torch.where(x[[2]] > 0, 4, x[[0]])', which is not run: here each channel is a segment of its own" in notes[1]
    card = (tmp_path / "out/docs/README.md").read_text()
    assert all(card.count(f"- {note}\n") == 1 for note in notes)
    assert api.load_model(tmp_path / "out").spec.provenance["differences"] == notes


def test_a_bundle_without_differences_has_no_notes(written, tmp_path, capsys):
    assert cli.main(["import", "monai", str(written()), "-o", str(tmp_path / "out")]) == 0
    assert "Note:" not in capsys.readouterr().out


def test_the_imported_model_runs_in_stock_monais_own_config(written, tmp_path):
    """Its inference.json names MONAI's classes and weights that are there."""
    bundle = api.import_monai(written(), tmp_path / "out")
    config = json.loads((bundle.folder / "configs/inference.json").read_text())
    assert config["network_def"] == {"_target_": "UNet", **NETWORK}
    assert config["inferer"]["roi_size"] == [16, 16, 8]


@pytest.mark.parametrize("name", ZOO)
def test_configurations_of_the_model_zoo_are_understood(name, tmp_path):
    case = ZOO[name]
    spec = spec_of(case.write(tmp_path / name))
    assert spec.output.activation == case.activation
    assert [label.name for label in spec.labels] == case.channels[case.activation == "softmax" :]
    assert sorted(set(spec.window.size) - {1}) == sorted(set(case.window or case.zoo_window))


def test_facts_of_the_model_zoo(tmp_path):
    spec = {name: spec_of(case.write(tmp_path / name)) for name, case in ZOO.items()}
    assert spec["prostate_mri_anatomy"].output.keep_largest == (1, 2)
    assert spec["prostate_mri_anatomy"].inputs[0].steps == (IntensityStep("minmax", {"to_low": 0, "to_high": 1}), IntensityStep("zscore"))
    assert [item.name for item in spec["brats_mri_segmentation"].inputs] == ["T1c", "T1", "T2", "FLAIR"]
    assert [item.steps for item in spec["brats_mri_segmentation"].inputs] == [(IntensityStep("zscore_nonzero"),)] * 4
    assert spec["brats_mri_segmentation"].orientation == "IJK"
    assert spec["wholeBody_ct_segmentation"].window == WindowSpec((48, 48, 48), 0.25, "fixed", "gaussian", "replicate")
    assert spec["wholeBody_ct_segmentation"].spacing_mm == (1.5, 1.5, 1.5)
    assert spec["ventricular_short_axis_3label"].window == WindowSpec((256, 256, 1), 0.25, "fixed", "constant", "zero", 0)
    assert "img_size" not in spec["swin_unetr_btcv_segmentation"].network.kwargs
    assert np.shape(spec["pancreas_ct_dints_segmentation"].network.kwargs["dints_space"]["arch_code"]) == (2, 12, 10)


STEPS = [
    (image("ScaleIntensityRanged", a_min=-57, a_max=164, b_min=0, b_max=1, clip=True), "scale_range", (-57, 164, 0, 1, True)),
    (image("ScaleIntensityRanged", a_min=0, a_max=10), "scale_range", (0, 10, 0.0, 1.0, False)),
    (image("ScaleIntensityd"), "minmax", (0.0, 1.0)),
    (image("NormalizeIntensityd"), "zscore", ()),
    (image("NormalizeIntensityd", nonzero="True", channel_wise="True"), "zscore_nonzero", ()),
    (image("NormalizeIntensityd", subtrahend=100, divisor=50), "shift_scale", (100, 50)),
    (image("ShiftIntensityd", offset=1024), "shift_scale", (-1024, 1.0)),
    (image("ScaleIntensityRangePercentilesd", lower=1, upper=99, b_min=0, b_max=1), "percentiles", (1, 99, 0, 1, False)),
    (image("ScaleIntensityRangePercentilesd", lower=10, upper=90, b_min=0, b_max=200, relative=True), "percentiles", (10, 90, 20, 180, False)),
    (image("monai.transforms.NormalizeIntensityDict", dtype="$np.float32"), "zscore", ()),
]


@pytest.mark.parametrize(("transform", "scheme", "values"), STEPS, ids=[f"{n}-{step[1]}" for n, step in enumerate(STEPS)])
def test_an_intensity_transform_becomes_a_step(transform, scheme, values, written):
    (step,) = spec_of(written(preprocessing=preprocessing(transform))).inputs[0].steps
    assert step.scheme == scheme
    assert tuple(step.parameters.values()) == pytest.approx(values)


@pytest.mark.parametrize(
    ("pixdim", "spacing"),
    [([1, 1, 2.5], (1, 1, 2.5)), ([1.5, 1.5, -1], (1.5, 1.5, None)), (2.0, (2, 2, 2)), ([1, 3], (1, 3, 3)), ([0, None, 0], (None, None, None))],
)
def test_spacing_follows_monais_rules(pixdim, spacing, written):
    assert spec_of(written(preprocessing=preprocessing(image("Spacingd", pixdim=pixdim, mode=["bilinear"])))).spacing_mm == spacing


def test_intensities_before_spacing_are_normalised_first(written):
    first = preprocessing(image("NormalizeIntensityd"), image("Spacingd", pixdim=[1, 1, 1]))
    last = preprocessing(image("Spacingd", pixdim=[1, 1, 1]), image("NormalizeIntensityd"))
    assert spec_of(written("first", preprocessing=first)).resampling.normalise_first
    assert not spec_of(written("last", preprocessing=last)).resampling.normalise_first


def test_images_of_their_own_are_joined_in_order(written):
    both = {"keys": ["t2", "adc"]}
    transforms = [
        {"_target_": "LoadImaged", **both},
        {"_target_": "NormalizeIntensityd", "keys": "t2"},
        {"_target_": "ScaleIntensityd", "keys": "adc"},
        {"_target_": "ConcatItemsd", **both, "name": "image"},
    ]
    metadata = copy.deepcopy(METADATA)
    metadata["network_data_format"]["inputs"]["image"] |= {"modality": "MRI", "channel_def": {"0": "T2w", "1": "ADC"}}
    network = {"_target_": "UNet", **NETWORK, "in_channels": 2}
    spec = spec_of(written(metadata=metadata, network_def=network, preprocessing={"_target_": "Compose", "transforms": transforms}))
    assert [(item.name, item.modality, item.steps[0].scheme) for item in spec.inputs] == [("T2w", "MR", "zscore"), ("ADC", "MR", "minmax")]


def test_sigmoid_labels_may_overlap_and_keep_their_largest_part(written):
    transforms = [pred("Activationsd", sigmoid=True), invert(), pred("AsDiscreted", threshold=0.5), pred("KeepLargestConnectedComponentd")]
    spec = spec_of(written(postprocessing=postprocessing(*transforms)))
    assert spec.overlapping
    assert [label.name for label in spec.labels] == ["background", "spleen", "liver"]
    assert spec.output.keep_largest == (1, 2, 3)


def test_missing_names_are_numbered_and_told(written):
    spec = spec_of(written(metadata={"name": "No names"}))
    assert [label.name for label in spec.labels] == ["segment 1", "segment 2"]
    assert any("does not name its channels 1, 2" in note for note in spec.provenance["differences"])
    assert spec.citation == "unknown; ask whoever made the bundle"
