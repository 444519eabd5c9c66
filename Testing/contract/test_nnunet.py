"""The real nnU-Net plans, trains and predicts; the imported models must give its answers."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from deepseg import api
from deepseg.volume import Volume
from nnunet_reference import DATASETS, MIRRORED_CASES, MODELS, TEST_CASES, folder_name

pytest.importorskip("nnunetv2", reason="needs nnU-Net: Testing/requirements-nnunet.txt")

REGIONS = {"hippocampus": (1, 2), "posterior": (2,)}
"""Values of nnU-Net's label map that each region of the second dataset holds."""


@pytest.fixture(scope="module")
def work(tmp_path_factory: pytest.TempPathFactory, data_folder: Path) -> Path:
    """What the real nnU-Net left; see nnunet_reference.py."""
    work = tmp_path_factory.mktemp("nnunet")
    script = Path(__file__).parents[1] / "nnunet_reference.py"
    command = [sys.executable, str(script), str(work), str(data_folder / "msd_hippocampus")]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    result = subprocess.run(command, capture_output=True, text=True, env=environment, check=False, timeout=840)
    assert result.returncode == 0, result.stdout[-2000:] + result.stderr[-4000:]
    return work


@pytest.fixture(scope="module", params=MODELS)
def model(request: pytest.FixtureRequest, work: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[str, api.ModelBundle]:
    """Each model's name and what it became."""
    return request.param, api.import_nnunet(work / "results" / folder_name(request.param), tmp_path_factory.mktemp("imported") / "model")


def cases(work: Path, name: str) -> list[tuple[Volume, dict[str, np.ndarray]]]:
    """Test images, read by DeepSeg, with nnU-Net's answers."""
    found = []
    for path in sorted((work / "answers" / name).glob("*.npz")):
        channels = [api.read_volume(file) for file in sorted((work / "images" / MODELS[name][0]).glob(f"{path.stem}_*.nii.gz"))]
        array = np.concatenate([channel.array for channel in channels])
        with np.load(path) as answers:
            found.append((Volume(array, channels[0].geometry, ("a.u.",) * len(channels), path.stem), dict(answers)))
    return found


def their_mask(answer: np.ndarray, label: api.Label, bundle: api.ModelBundle) -> np.ndarray:
    return np.isin(answer, REGIONS[label.name]) if bundle.spec.overlapping else answer == label.value


def dice(pairs: list[tuple[np.ndarray, np.ndarray]]) -> float:
    """Over all voxels of all pairs of masks together."""
    both = sum(int((ours & theirs).sum()) for ours, theirs in pairs)
    return 2 * both / sum(int(ours.sum()) + int(theirs.sum()) for ours, theirs in pairs)


@pytest.mark.parametrize("mirror", [False, True], ids=["plain", "mirrored"])
def test_an_imported_model_answers_as_nnunet_does(model, mirror, work):
    name, bundle = model
    kind = "mirrored" if mirror else "plain"
    pairs: dict[str, list] = {label.name: [] for label in bundle.spec.labels}
    compared = [(volume, answers) for volume, answers in cases(work, name) if f"{kind} labels" in answers]
    assert len(compared) == (MIRRORED_CASES if mirror else TEST_CASES)
    for volume, answers in compared:
        prediction = api.segment(volume, bundle, precision="float32", mirror=mirror)
        theirs = answers[f"{kind} probabilities"]
        assert prediction.probabilities.shape == theirs.shape
        assert np.abs(prediction.probabilities - theirs).max() < 1e-2
        for label in bundle.spec.labels:
            pairs[label.name].append((prediction.labels.mask(label), their_mask(answers[f"{kind} labels"], label, bundle)))
    for label_name, masks in pairs.items():
        voxels = sum(int(theirs.sum()) for _, theirs in masks)
        assert voxels > (0 if mirror else 1000), f"nnU-Net must have learnt to find {label_name}"
        # One voxel of fewer is more than a thousandth.
        assert dice(masks) >= 0.999 or (mirror and voxels < 1000)


def test_mirroring_changes_the_answer(work):
    """So that the agreement above says something."""
    for name in MODELS:
        _, answers = cases(work, name)[0]
        assert np.abs(answers["mirrored probabilities"] - answers["plain probabilities"]).max() > 0.05


def test_weights_are_stored_once_and_as_they_were(model, work):
    name, bundle = model
    folds = MODELS[name][3]
    assert list(bundle.spec.weights) == [f"fold_{fold}.safetensors" for fold in folds]
    for member, fold in enumerate(folds):
        trained = torch.load(work / "results" / folder_name(name) / f"fold_{fold}" / "checkpoint_final.pth", weights_only=False)["network_weights"]
        stored = load_file(bundle.weights_path(f"fold_{fold}.safetensors"))
        assert {tensor.dtype for tensor in stored.values()} == {torch.float32}
        # Every tensor of the training is there, and none twice.
        assert len({tensor.data_ptr() for tensor in trained.values()}) == len(stored)
        for key, tensor in bundle.build_network(member).state_dict().items():
            torch.testing.assert_close(tensor, trained[key], rtol=0, atol=0)


def test_the_datasets_are_unlike_the_models_grid(model, work):
    """Axes are permuted, images resampled, slices thick and borders cut, so that the agreement above covers all of it."""
    name, bundle = model
    volume, _ = cases(work, name)[0]
    spec = bundle.spec
    assert spec.orientation == {"plain": "JKI", "regions": "ASR"}[MODELS[name][0]]
    assert spec.resampling.slice_order == 0
    assert spec.output.mirror_axes == (1, 2)
    grid = volume.geometry.reoriented(volume.geometry.orientation_to(spec.orientation))
    wanted = [side for side, own in zip(spec.spacing_mm, grid.spacing_mm, strict=True) if side is not None and abs(side - own) > 0.05]
    assert len(wanted) >= 1
    if MODELS[name][0] == "regions":
        assert max(grid.spacing_mm) > 3 * min(grid.spacing_mm)
        assert not volume.array[:, 0].any()
        assert len({cased.geometry.directions.round().tobytes() for cased, _ in cases(work, name)}) == TEST_CASES
        assert [step.scheme for item in spec.inputs for step in item.steps] == ["zscore_foreground", "ct_window"]
    assert (spec.window.slice_context == 0) == (name == "2d")


def test_the_folder_says_what_is_not_known(model):
    _, bundle = model
    card = (bundle.folder / "docs/README.md").read_text(encoding="utf-8")
    assert not (bundle.folder / "configs/inference.json").exists(), "stock MONAI has no such network"
    assert "Only DeepSeg runs this model" in card
    for text in (card, (bundle.folder / "LICENSE").read_text(encoding="utf-8"), bundle.spec.licence, bundle.spec.citation, bundle.spec.intended_use):
        assert "unknown; ask whoever trained it" in text
    assert "10.1038/s41592-020-01008-z" in bundle.spec.citation


def test_a_model_is_named_after_its_dataset_and_configuration(model):
    name, bundle = model
    assert bundle.spec.id == f"{DATASETS[MODELS[name][0]].lower()}-{MODELS[name][2]}"
