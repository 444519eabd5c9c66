"""What we plan is what the real nnU-Net plans: voxel size, patch, strides, kernels, batch and normalisation."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from deepseg_train.data import open_dataset
from deepseg_train.data.fingerprint import CaseFingerprint, Fingerprint, Intensities, fingerprint
from deepseg_train.data.plan import plan

from .conftest import hippocampus, needs_hippocampus, write_image, write_labels

pytest.importorskip("nnunetv2", reason="needs nnU-Net: Testing/requirements-nnunet.txt")

FIGURES = Intensities(50.0, 20.0, -10.0, 110.0)


def case(spacing, shape, kept=1.0, number=0):
    return CaseFingerprint(f"case_{number}", tuple(map(float, spacing)), tuple(map(int, shape)), kept, {1: 10})


def cases(count, spacing, shape, vary_spacing=(0, 0, 0), vary_shape=(0, 0, 0), kept=1.0):
    """Cases whose spacing and shape grow evenly from the given ones by the given amounts."""
    return [
        case(np.add(spacing, np.multiply(vary_spacing, n / count)), np.add(shape, np.multiply(vary_shape, n / count)), kept, n) for n in range(count)
    ]


def random_cases(seed):
    rng = np.random.default_rng(seed)
    spacing, shape = rng.uniform(0.4, 1.5, 3), rng.integers(24, 420, 3)
    if seed % 2:
        axis = rng.integers(3)
        spacing[axis], shape[axis] = rng.uniform(2, 8), rng.integers(12, 60)
    return cases(int(rng.integers(5, 400)), spacing, shape, spacing * rng.uniform(0, 0.5, 3), shape * rng.uniform(0, 0.3, 3))


# Figures of well-known public datasets, and such that rules meet at their edges.
PLANNED = {
    "Brain": (cases(40, (1, 1, 1), (150, 190, 160), vary_shape=(10, 10, 10), kept=0.4), "T1", 3),
    "Small": (cases(200, (1, 1, 1), (31, 44, 30), vary_shape=(9, 12, 12)), "MRI", 2),
    "Prostate": (cases(48, (0.6, 0.6, 3.0), (320, 320, 18), (0.1, 0.1, 1.0), (20, 20, 6)), "T2", 2),
    "Cardiac": (cases(100, (1.4, 1.4, 5.0), (210, 230, 8), (0.4, 0.4, 5.0), (40, 40, 6)), "MR", 3),
    "Abdomen": (cases(30, (0.7, 0.7, 2.5), (512, 512, 80), (0.2, 0.2, 1.0), (0, 0, 90)), "CT", 14),
    "Lung": (cases(63, (0.7, 0.7, 1.0), (512, 512, 220), (0.2, 0.2, 0.5), (0, 0, 80)), "CT", 1),
    "Coronal": (cases(20, (0.5, 4.0, 0.5), (256, 30, 256), (0, 1.0, 0)), "T2", 2),
    "Sagittal": (cases(21, (5.0, 0.5, 0.5), (20, 384, 384)), "T2", 7),
    "Halves": ([case((1, 1, 1), (31, 64, 96), number=0), case((1, 1, 1), (32, 65, 97), number=1)], "T1", 1),
    **{f"Random{seed}": (random_cases(seed), "T1", 1 + seed) for seed in range(8)},
}


def write_images(folder, channel, spacing, shapes, border):
    """Cases with two labels, values that differ from label to label, and a border of zeros."""
    rng = np.random.default_rng(0)
    for n, shape in enumerate(shapes):
        labels = np.zeros(shape, np.uint8)
        middle = tuple(slice(side // 3, 2 * side // 3) for side in shape)
        labels[middle] = 1 + (rng.random(labels[middle].shape) > 0.7)
        image = rng.normal(40, 12, shape) + 60 * (labels == 1) - 90 * (labels == 2) + 5 * n
        image[:border], image[:, :border], image[..., -border:] = 0, 0, 0
        write_image(folder / "imagesTr" / f"case_{n}_0000.nii.gz", image, spacing=spacing)
        write_labels(folder / "labelsTr" / f"case_{n}.nii.gz", labels, spacing=spacing)
    describe(folder, channel, 2, len(shapes))


def link_hippocampus(data, folder):
    for part, ending in (("imagesTr", "_0000.nii.gz"), ("labelsTr", ".nii.gz")):
        (folder / part).mkdir(parents=True)
        for path in sorted((data / part).glob("hippocampus_*.nii.gz"))[:20]:
            (folder / part / path.name.replace(".nii.gz", ending)).symlink_to(path)
    describe(folder, "MRI", 2, 20)


def describe(folder, channel, labels, count):
    folder.mkdir(parents=True, exist_ok=True)
    named = {"background": 0, **{f"label {n}": n for n in range(1, labels + 1)}}
    told = {"channel_names": {"0": channel}, "labels": named, "numTraining": count, "file_ending": ".nii.gz"}
    (folder / "dataset.json").write_text(json.dumps(told))


REAL = "Dataset104_Hippocampus"
READ = {"Dataset101_Iso": ("T1", (1.0, 1.1, 1.0), 3), "Dataset102_Aniso": ("T2", (0.6, 0.6, 3.5), 6), "Dataset103_CT": ("CT", (0.8, 0.8, 1.5), 1)}


@pytest.fixture(scope="module")
def work(tmp_path_factory) -> Path:
    """Datasets of images, datasets of figures alone, and what nnU-Net planned for them."""
    work = tmp_path_factory.mktemp("nnunet")
    for name, (channel, spacing, border) in READ.items():
        thin = spacing[2] > 3
        write_images(work / "raw" / name, channel, spacing, [(34, 40, 13 if thin else 33), (40, 44, 10 if thin else 36), (37, 45, 12)], border)
    for number, (name, (found, channel, labels)) in enumerate(PLANNED.items(), 201):
        folder, told = work / "raw" / f"Dataset{number}_{name}", work / "preprocessed" / f"Dataset{number}_{name}"
        describe(folder, channel, labels, len(found))
        for part, ending in (("imagesTr", "_0000.nii.gz"), ("labelsTr", ".nii.gz")):
            (folder / part).mkdir()
            for one in found:
                (folder / part / f"{one.name}{ending}").touch()
        told.mkdir(parents=True)
        figures = {"mean": 50.0, "median": 48.0, "std": 20.0, "min": -20.0, "max": 120.0, "percentile_99_5": 110.0, "percentile_00_5": -10.0}
        content = {
            "spacings": [one.spacing_mm[::-1] for one in found],
            "shapes_after_crop": [one.shape[::-1] for one in found],
            "foreground_intensity_properties_per_channel": {"0": figures},
            "median_relative_size_after_cropping": float(np.median([one.kept for one in found])),
        }
        (told / "dataset_fingerprint.json").write_text(json.dumps(content))
    if hippocampus():
        link_hippocampus(hippocampus(), work / "raw" / REAL)
    script = Path(__file__).parent / "nnunet_plans.py"
    result = subprocess.run([sys.executable, str(script), str(work)], capture_output=True, text=True, env={**os.environ, "OMP_NUM_THREADS": "1"})
    assert result.returncode == 0, result.stdout[-2000:] + result.stderr[-4000:]
    return work


def assert_planned_alike(ours, theirs):
    volume, order = theirs["configurations"]["3d_fullres"], [2 - axis for axis in theirs["transpose_forward"]]
    kernels = volume["architecture"]["arch_kwargs"]

    def turned(entry):
        return [entry[axis] for axis in order]

    assert turned(ours.spacing_mm) == pytest.approx(volume["spacing"], abs=1e-6)
    assert turned(ours.median_shape) == volume["median_image_size_in_voxels"]
    assert turned(ours.topology.patch) == list(volume["patch_size"])
    assert [turned(stride) for stride in ours.topology.strides] == [list(stride) for stride in kernels["strides"]]
    assert [turned(kernel) for kernel in ours.topology.kernels] == [list(kernel) for kernel in kernels["kernel_sizes"]]
    assert list(ours.topology.features) == list(kernels["features_per_stage"])
    assert ours.batch_size == volume["batch_size"]
    scheme = {"CTNormalization": "ct_window", "ZScoreNormalization": ("zscore", "zscore_foreground")[volume["use_mask_for_norm"][0]]}
    assert [item.steps[0].scheme for item in ours.inputs] == [scheme[name] for name in volume["normalization_schemes"]]


@pytest.mark.parametrize("name", PLANNED)
def test_plans_of_figures_are_nnunets(work, name):
    found, channel, labels = PLANNED[name]
    ours = plan(Fingerprint((channel,), {n: str(n) for n in range(1, labels + 1)}, tuple(found), (FIGURES,)))
    theirs = json.loads((work / "plans.json").read_text())
    assert_planned_alike(ours, next(told for dataset, told in theirs.items() if dataset.endswith(f"_{name}")))


@pytest.mark.parametrize("name", READ)
def test_fingerprints_and_plans_of_images_are_nnunets(work, name):
    assert_fingerprints_alike(work / "raw" / name, json.loads((work / "plans.json").read_text())[name])


@needs_hippocampus
def test_fingerprint_and_plan_of_the_hippocampus_are_nnunets(work):
    assert_fingerprints_alike(work / "raw" / REAL, json.loads((work / "plans.json").read_text())[REAL])


def assert_fingerprints_alike(folder, theirs):
    ours, figures = fingerprint(open_dataset(folder)), theirs["fingerprint"]
    np.testing.assert_allclose([one.spacing_mm[::-1] for one in ours.cases], figures["spacings"], rtol=1e-5)
    np.testing.assert_array_equal([one.shape[::-1] for one in ours.cases], figures["shapes_after_crop"])
    assert ours.median_kept == pytest.approx(figures["median_relative_size_after_cropping"])
    told = figures["foreground_intensity_properties_per_channel"]["0"]
    (mine,) = ours.intensities
    # They draw values at random, which leaves a hundredth of a deviation.
    names = {"mean": "mean", "std": "std", "low": "percentile_00_5", "high": "percentile_99_5"}
    for name, their_name in names.items():
        assert getattr(mine, name) == pytest.approx(told[their_name], abs=0.03 * told["std"]), name
    assert_planned_alike(plan(ours), theirs)
