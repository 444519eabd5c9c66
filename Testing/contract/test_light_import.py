"""A Slicer that lacks our packages still loads the modules, and one without SimpleITK still segments its nodes."""

import subprocess
import sys

import pytest

WITHOUT = "import sys; sys.modules.update(dict.fromkeys({names!r})); "


def run_without(names, code):
    """Run Python code in a process of its own where importing `names` fails."""
    return subprocess.run([sys.executable, "-c", WITHOUT.format(names=names) + code], capture_output=True, text=True, check=False)


def test_a_name_that_is_taken_away_cannot_be_imported():
    assert "ModuleNotFoundError" in run_without(["SimpleITK"], "import SimpleITK").stderr


def test_the_door_opens_with_numpy_alone():
    names = ["torch", "monai", "SimpleITK", "safetensors", "fastjsonschema", "scipy", "tqdm"]
    done = run_without(names, "from deepseg import api; print([path.name for path in api.list_models()])")
    assert done.returncode == 0, done.stderr
    assert "hippocampus-mr" in done.stdout


@pytest.mark.parametrize("name", ["SimpleITK", "scipy", "skimage", "nibabel"])
def test_a_volume_in_memory_is_segmented_without(name):
    code = (
        "import numpy; from deepseg import api; "
        "image = numpy.random.default_rng(0).normal(size=(1, 20, 24, 16)).astype('f4'); "
        "volume = api.Volume(image, api.Geometry((20, 24, 16), numpy.eye(4))); "
        "print(api.segment(volume, api.load_model('hippocampus-mr')).labels.array.shape)"
    )
    done = run_without([name], code)
    assert done.returncode == 0, done.stderr
    assert "(20, 24, 16)" in done.stdout
