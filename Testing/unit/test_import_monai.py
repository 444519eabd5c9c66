"""Bundles of MONAI become DeepSeg models: what each part of a config means, and what is refused by name."""

import copy
import json
import os
import stat
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch

from deepseg import api, cli
from deepseg.errors import ModelError, OutputError
from deepseg.importers import monai_archive
from deepseg.importers.monai_bundle import read_bundle
from deepseg.networks import build_network
from deepseg.spec import IntensityStep, WindowSpec
from zoo_bundles import ZOO, argmax, invert, softmax

NETWORK = {"spatial_dims": 3, "in_channels": 1, "out_channels": 3, "channels": [4, 8, 8], "strides": [2, 2], "num_res_units": 1}


def image(name, **arguments):
    return {"_target_": name, "keys": "image", **arguments}


def pred(name, **arguments):
    return {"_target_": name, "keys": "pred", **arguments}


CONFIG = {
    "bundle_root": "/somewhere/else",
    "network_def": {"_target_": "UNet", **NETWORK},
    "preprocessing": {
        "_target_": "Compose",
        "transforms": [image("LoadImaged"), image("EnsureChannelFirstd"), image("Orientationd", axcodes="LPS"), image("ScaleIntensityd")],
    },
    "inferer": {"_target_": "SlidingWindowInferer", "roi_size": [16, 16, 8]},
    "postprocessing": {"_target_": "Compose", "transforms": [softmax(), invert(), argmax()]},
    "checkpointloader": {"_target_": "CheckpointLoader", "load_path": "$@bundle_root + '/models/model.pt'", "load_dict": {"model": "@network"}},
}
METADATA = {
    "name": "Test bundle",
    "version": "0.2.0",
    "description": "Two things.",
    "copyright": "Copyright (c) somebody",
    "references": ["First.", "Second."],
    "intended_use": "An example.",
    "network_data_format": {
        "inputs": {"image": {"modality": "CT", "format": "hounsfield", "num_channels": 1, "channel_def": {"0": "image"}}},
        "outputs": {"pred": {"channel_def": {"0": "background", "1": "spleen", "2": "liver"}}},
    },
}


@pytest.fixture
def written(tmp_path):
    """Writes a bundle with changes to its config and metadata."""

    def write(name="bundle", metadata=METADATA, state=None, **changes) -> Path:
        folder = tmp_path / name
        for part in ("configs", "models", "docs"):
            (folder / part).mkdir(parents=True)
        (folder / "configs/inference.json").write_text(json.dumps({**CONFIG, **changes}))
        (folder / "configs/metadata.json").write_text(json.dumps(metadata))
        (folder / "LICENSE").write_text("Apache License\nVersion 2.0, January 2004\n")
        (folder / "docs/data_license.txt").write_text("Data: CC-BY.\n")
        torch.save({"model": build_network("UNet", NETWORK).state_dict()} if state is None else state, folder / "models/model.pt")
        return folder

    return write


def spec_of(folder):
    return read_bundle(folder, folder.name)[0]


def preprocessing(*transforms):
    return {"_target_": "Compose", "transforms": [image("LoadImaged"), *transforms]}


def postprocessing(*transforms):
    return {"_target_": "Compose", "transforms": list(transforms)}


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


LAMBDA = pred("Lambdad", func="$lambda x: torch.where(x[[2]] > 0, 4, x[[0]])")


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


def network(**changes):
    return {"network_def": {"_target_": "UNet", **NETWORK, **changes}}


def inferer(**changes):
    return {"inferer": {**CONFIG["inferer"], **changes}}


REFUSED = [
    (network(_target_="scripts.networks.UNesT"), "scripts.networks.UNesT"),
    (network(_target_="DenseNet121"), "DenseNet121"),
    (network(out_channels="$len(os.listdir('.'))"), r"os\.listdir"),
    (network(act={"_target_": "torch.nn.ReLU"}), "argument act = torch.nn.ReLU"),
    (network(spatial_dims=1), "spatial_dims 1, where 2 or 3"),
    (network(out_channels=10**12), "1 to 1000: 1 in, 1000000000000 out"),
    ({"network_def": "$monai.networks.nets.vista3d132(in_channels=1)"}, r"vista3d132\(in_channels=1\)"),
    ({"preprocessing": preprocessing(image("CropForegroundd", source_key="image"))}, "CropForegroundd"),
    ({"preprocessing": preprocessing(image("Resized", spatial_size=[9, 9, 9]))}, "Resized"),
    ({"preprocessing": preprocessing(image("Lambdad", func="$lambda x: x"))}, "Lambdad"),
    ({"preprocessing": preprocessing({"_target_": "scripts.my.Thing"})}, "scripts.my.Thing"),
    ({"preprocessing": preprocessing(image("Spacingd", pixdim=[1, 1, 1], mode="nearest"))}, "'nearest'"),
    ({"preprocessing": preprocessing(image("Spacingd", pixdim=[1, 1, 1], scale_extent=True))}, "scale_extent"),
    ({"preprocessing": preprocessing(image("Spacingd", pixdim=[1, 1, 1], fresh=1))}, "argument 'fresh'"),
    ({"preprocessing": preprocessing(image("Spacingd", pixdim="$[1, 2][5]"))}, "cannot be computed"),
    ({"preprocessing": preprocessing(image("Spacingd", pixdim=[1, 1, 1]), image("Orientationd", axcodes="RAS"))}, "comes after Spacingd"),
    ({"preprocessing": preprocessing(image("Orientationd", axcodes="RLS"))}, "'RLS'"),
    ({"preprocessing": preprocessing(image("EnsureTyped", dtype="$torch.int16"))}, "int16"),
    ({"preprocessing": preprocessing(image("NormalizeIntensityd", subtrahend=3))}, "fixed numbers together"),
    ({"preprocessing": preprocessing(image("ScaleIntensityd", minv=None, maxv=None, factor=2))}, "scales by a factor"),
    ({"preprocessing": preprocessing(image("NormalizeIntensityd"))} | network(in_channels=2), "all 2 channels together"),
    ({"preprocessing": preprocessing(image("ScaleIntensityd"), image("Spacingd", pixdim=1), image("ScaleIntensityd"))}, "before Spacingd and after"),
    (inferer(_target_="SimpleInferer"), "SimpleInferer"),
    (inferer(_target_="scripts.inferer.Mine"), "scripts.inferer.Mine"),
    (inferer(_target_="SliceInferer"), "does not fit a network of 3D images"),
    (inferer(roi_size=[16, 16, -1]), "roi_size"),
    (inferer(overlap=[0.5, 0.5, 0.25]), "overlap"),
    (inferer(padding_mode="reflect"), "reflect"),
    (inferer(mode="gaussian", sigma_scale=0.25), "sigma_scale"),
    (inferer(with_coord=True), "with_coord"),
    ({"postprocessing": postprocessing(invert())}, "neither Activationsd nor argmax"),
    ({"postprocessing": postprocessing(pred("Lambdad", func="$lambda x: x"), argmax())}, "Lambdad"),
    ({"postprocessing": postprocessing(softmax(), argmax(), LAMBDA)}, "rewrites the bundle's labels with a piece of code"),
    ({"postprocessing": postprocessing(argmax(), LAMBDA)}, "rewrites the bundle's labels with a piece of code"),
    ({"postprocessing": postprocessing(pred("AsDiscreted", threshold=0.5))}, "raw answers"),
    ({"postprocessing": postprocessing(pred("Activationsd", sigmoid=True), pred("AsDiscreted", threshold=0.3))}, "threshold 0.3"),
    ({"postprocessing": postprocessing(pred("Activationsd", other="$torch.tanh"), argmax())}, "torch.tanh"),
    ({"postprocessing": postprocessing(softmax(), argmax(), pred("FillHolesd"))}, "FillHolesd"),
    ({"postprocessing": postprocessing(argmax(), pred("KeepLargestConnectedComponentd", applied_labels=[7]))}, r"labels \[7\]"),
    ({"checkpointloader": {**CONFIG["checkpointloader"], "load_path": "/etc/passwd"}}, "does not lie in it"),
    ({"checkpointloader": {**CONFIG["checkpointloader"], "load_path": "$@bundle_root + '/../model.pt'"}}, "does not lie in it"),
]


@pytest.mark.parametrize(("changes", "named"), REFUSED, ids=[f"{n}-{named[:24]}" for n, (_, named) in enumerate(REFUSED)])
def test_what_deepseg_does_not_do_is_refused_by_name(changes, named, written, tmp_path):
    with pytest.raises(ModelError, match=named):
        api.import_monai(written(**changes), tmp_path / "out")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    "changes",
    [
        inferer(roi_size="$['x' * 100] * 900"),
        inferer(padding_mode="$'x' * 90000"),
        {"network_def": "$[1] * 90000"},
        {"inferer": "$[1] * 90000"},
        {"postprocessing": "$[1] * 90000"},
        {"preprocessing": preprocessing(image("Orientationd", axcodes="$'x' * 90000"))},
        {"checkpointloader": {**CONFIG["checkpointloader"], "load_path": "$'/' + 'x' * 90000"}},
    ],
    ids=lambda changes: next(iter(changes)),
)
def test_refusals_are_short_whatever_a_bundle_says(changes, written, tmp_path):
    with pytest.raises(ModelError) as refusal:
        api.import_monai(written(**changes), tmp_path / "out")
    assert len(str(refusal.value)) < 600


class Trap:
    def __reduce__(self):
        return os.system, ("touch trapped",)


def test_weights_are_tensors_and_nothing_else(written, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name, state, told in (
        ("pickle", {"model": {"a": Trap()}}, "cannot be read as tensors and numbers"),
        ("object", {"model": np.array([Trap()], dtype=object)}, "cannot be read as tensors and numbers"),
        ("numbers", {"model": {"a": 1}}, "holds no tensors by name"),
        ("other", {"a": torch.zeros(2)}, "does not fit the bundle's network UNet"),
    ):
        with pytest.raises(ModelError, match=told):
            api.import_monai(written(name, state=state), tmp_path / "out")
    assert not (tmp_path / "trapped").exists()


def test_a_state_dict_alone_and_one_trained_on_several_cards_are_read(written, tmp_path):
    state = build_network("UNet", NETWORK).state_dict()
    assert api.import_monai(written("alone", state=state), tmp_path / "one").spec.weights
    wrapped = {f"module.{name}": tensor for name, tensor in state.items()}
    assert api.import_monai(written("wrapped", state={"state_dict": wrapped, "epoch": 3}), tmp_path / "two").spec.weights


def test_missing_weights_and_torchscript_alone_are_told(written, tmp_path):
    folder = written()
    (folder / "models/model.pt").unlink()
    with pytest.raises(ModelError, match="lacks its weights"):
        api.import_monai(folder, tmp_path / "out")
    (folder / "models/model.ts").write_bytes(b"script")
    with pytest.raises(ModelError, match="TorchScript alone"):
        api.import_monai(folder, tmp_path / "out")


@pytest.mark.parametrize("missing", ["configs/metadata.json", "configs/inference.json"])
def test_a_folder_that_is_no_bundle_is_refused(missing, written, tmp_path):
    folder = written()
    (folder / missing).unlink()
    with pytest.raises(ModelError, match="lacks"):
        api.import_monai(folder, tmp_path / "out")


def test_a_model_that_is_there_is_not_overwritten(written, tmp_path):
    (tmp_path / "out").mkdir()
    with pytest.raises(OutputError, match="exists already"):
        api.import_monai(written(), tmp_path / "out")


def zipped(folder: Path, inside: str = "bundle/") -> Path:
    path = folder.with_suffix(".zip")
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for file in folder.rglob("*"):
            archive.write(file, inside + file.relative_to(folder).as_posix())
    return path


@pytest.mark.parametrize("inside", ["", "bundle/"])
def test_a_zip_file_is_unpacked_and_tidied_away(inside, written, tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "temporary"))
    (tmp_path / "temporary").mkdir()
    bundle = api.import_monai(zipped(written(), inside), tmp_path / "out")
    assert bundle.spec.id == "test-bundle"
    assert list((tmp_path / "temporary").iterdir()) == []


@pytest.mark.parametrize("name", ["../evil.txt", "/evil.txt", "a/../../evil.txt", "..\\evil.txt", "C:evil.txt"])
def test_a_zip_file_cannot_reach_outside_itself(name, written, tmp_path):
    path = zipped(written())
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr(name, "evil")
    with pytest.raises(ModelError, match="lies outside the bundle"):
        api.import_monai(path, tmp_path / "out")
    assert not list(tmp_path.rglob("evil.txt"))


def test_links_in_a_zip_file_are_refused(written, tmp_path):
    path = zipped(written())
    entry = zipfile.ZipInfo("bundle/link")
    entry.external_attr = (stat.S_IFLNK | 0o777) << 16
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr(entry, "/etc/passwd")
    with pytest.raises(ModelError, match="is a link or a device"):
        api.import_monai(path, tmp_path / "out")


def test_a_zip_file_that_unpacks_to_too_much_is_refused(written, tmp_path, monkeypatch):
    path = zipped(written())
    monkeypatch.setattr(monai_archive, "MAX_BYTES", 1000)
    with pytest.raises(ModelError, match="unpacks to more than"):
        api.import_monai(path, tmp_path / "out")


@pytest.mark.parametrize("method", [zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA], ids=["deflate", "bzip2", "LZMA"])
def test_a_zip_file_damaged_inside_is_refused(method, tmp_path):
    path = tmp_path / "bundle.zip"
    with zipfile.ZipFile(path, "w", method) as archive:
        archive.writestr("bundle/weights", np.random.default_rng(0).bytes(9000))
    data = bytearray(path.read_bytes())
    data[200:240] = bytes(40)
    path.write_bytes(data)
    with pytest.raises(ModelError, match="cannot be unpacked"):
        api.import_monai(path, tmp_path / "out")


def test_a_zip_file_whose_names_are_no_text_is_refused(tmp_path):
    path = tmp_path / "bundle.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("bundle/é", "")
    path.write_bytes(path.read_bytes().replace("é".encode(), b"\xff\xff"))
    with pytest.raises(ModelError, match="cannot be unpacked"):
        api.import_monai(path, tmp_path / "out")


def test_what_is_unpacked_lies_in_a_folder_that_no_sweep_of_deepsegs_takes(written, tmp_path):
    with monai_archive.opened(zipped(written())) as folder:
        assert folder.name.startswith("monai-bundle-")


def test_a_damaged_zip_file_and_something_else_are_refused(written, tmp_path):
    path = zipped(written())
    data = bytearray(path.read_bytes())
    data[60:90] = bytes(30)
    path.write_bytes(data)
    with pytest.raises(ModelError, match="cannot be unpacked"):
        api.import_monai(path, tmp_path / "out")
    with pytest.raises(ModelError, match="neither a folder nor a zip file"):
        api.import_monai(written("other") / "LICENSE", tmp_path / "out")
