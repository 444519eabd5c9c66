"""`python -m monai.bundle run` of stock MONAI, which knows nothing of DeepSeg, gives DeepSeg's probabilities."""

import os
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

from deepseg import api
from deepseg.geometry import Geometry
from deepseg.volume import Volume
from phantoms import turn

TOLERANCE = 1e-4


def blobs(geometry: Geometry) -> np.ndarray:
    """An asymmetric image, fixed in the world, with noise."""
    ras = geometry.ras_from_ijk(np.indices(geometry.shape).transpose(1, 2, 3, 0)) - geometry.center_ras
    array = 900 * np.exp(-((ras - (5.0, 4.0, -3.0)) ** 2).sum(-1) / 120) + 400 * np.exp(-((ras - (-8.0, 2.0, 5.0)) ** 2).sum(-1) / 50)
    return (array + np.random.default_rng(5).normal(200, 20, geometry.shape)).astype(np.float32)


def straight(shape, spacing, directions) -> Geometry:
    matrix = np.eye(4)
    matrix[:3, :3] = np.asarray(directions, float) * spacing
    matrix[:3, 3] = (12.0, -30.0, 7.5)
    return Geometry(shape, matrix)


SYNTHETIC = {
    "models-own-grid": straight((36, 50, 34), (1.0, 1.0, 1.0), np.eye(3)),
    "permuted-flipped-anisotropic": straight((30, 14, 44), (1.3, 2.5, 0.9), [[0, 0, -1], [1, 0, 0], [0, -1, 0]]),
    "thick-slices": straight((48, 58, 9), (0.7, 0.7, 5.0), np.diag([-1.0, 1.0, -1.0])),
    "oblique-1mm": straight((38, 44, 36), (1.0, 1.0, 1.0), turn(8.0, -14.0, 21.0)),
    "rounded-header": straight((40, 42, 38), (0.9996, 1.0003, 1.0), np.diag([-1.0, -1.0, 1.0])),
}


@pytest.fixture(scope="module")
def images(tmp_path_factory) -> Path:
    """Synthetic images, and real ones where there are some."""
    folder = tmp_path_factory.mktemp("images")
    for name, geometry in SYNTHETIC.items():
        nib.save(nib.Nifti1Image(blobs(geometry), geometry.ijk_to_ras), folder / f"{name}.nii.gz")
    return folder


@pytest.fixture(scope="module")
def a_real_image(images, hippocampus_cases) -> Path:
    image = nib.load(hippocampus_cases[3])
    path = images / "real.nii.gz"
    nib.save(nib.Nifti1Image(np.asanyarray(image.dataobj).astype(np.float32), image.affine), path)
    return path


def run_stock_monai(images: Path, output: Path) -> None:
    bundle = api.find_model("hippocampus-mr").resolve()
    # Away from the repository and with no PYTHONPATH: the only model code is MONAI's.
    environment = {key: value for key, value in os.environ.items() if not key.startswith(("DEEPSEG", "PYTHONPATH"))}
    guard = "import sys, runpy; sys.modules['deepseg'] = None; sys.argv[0] = 'monai.bundle'; runpy.run_module('monai.bundle', run_name='__main__')"
    options = {"config_file": bundle / "configs/inference.json", "bundle_root": bundle, "dataset_dir": images, "output_dir": output}
    command = [sys.executable, "-c", guard, "run", *(part for key, value in options.items() for part in (f"--{key}", str(value)))]
    result = subprocess.run(command, capture_output=True, text=True, cwd=output, env=environment, check=False, timeout=600)
    assert result.returncode == 0, result.stderr[-3000:]


@pytest.fixture(scope="module")
def monai_output(images, request, tmp_path_factory) -> Path:
    """One run of stock MONAI over all images."""
    with suppress(pytest.skip.Exception):
        request.getfixturevalue("a_real_image")
    output = tmp_path_factory.mktemp("monai")
    run_stock_monai(images, output)
    return output


def compare(path: Path, output: Path) -> float:
    """Largest difference of a probability, voxel by voxel on the input's grid."""
    (stored,) = output.rglob(f"{path.name.removesuffix('.nii.gz')}_probabilities.nii.gz")
    image = nib.load(stored)
    volume: Volume = api.read_volume(path)
    prediction = api.segment(volume, api.load_model("hippocampus-mr"))
    theirs = np.moveaxis(image.get_fdata(dtype=np.float32), -1, 0)
    np.testing.assert_allclose(image.affine, volume.geometry.ijk_to_ras, atol=1e-3)
    assert theirs.shape == prediction.probabilities.shape
    difference = float(np.abs(theirs - prediction.probabilities).max())
    print(f"{path.name}: largest difference {difference:.2g}, probabilities {theirs[1:].min():.3f} to {theirs[1:].max():.3f}")
    return difference


@pytest.mark.parametrize("name", SYNTHETIC)
def test_a_synthetic_image_gets_the_same_probabilities(name, images, monai_output):
    assert compare(images / f"{name}.nii.gz", monai_output) <= TOLERANCE


def test_a_real_image_gets_the_same_probabilities(a_real_image, monai_output):
    assert compare(a_real_image, monai_output) <= TOLERANCE
