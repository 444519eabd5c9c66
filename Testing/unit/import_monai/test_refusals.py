"""What a bundle of MONAI asks for and DeepSeg does not do is refused by name; weights are tensors and nothing else."""

import os

import numpy as np
import pytest
import torch

from deepseg import api
from deepseg.errors import ModelError, OutputError
from deepseg.networks import build_network
from monai_bundles import CONFIG, LAMBDA, NETWORK, image, postprocessing, pred, preprocessing
from zoo_bundles import argmax, invert, softmax


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
