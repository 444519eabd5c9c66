"""A Slicer that lacks our packages still loads the modules, and one without SimpleITK still segments its nodes, with models that keep all pieces."""

import subprocess
import sys
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[2]

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
def test_a_volume_in_memory_is_segmented_without(name, tiny_bundle):
    code = (
        "import numpy; from deepseg import api; "
        "image = numpy.random.default_rng(0).normal(size=(1, 20, 24, 16)).astype('f4'); "
        "volume = api.Volume(image, api.Geometry((20, 24, 16), numpy.eye(4))); "
        f"print(api.segment(volume, api.load_model({str(tiny_bundle.folder)!r})).labels.array.shape)"
    )
    done = run_without([name], code)
    assert done.returncode == 0, done.stderr
    assert "(20, 24, 16)" in done.stdout


def test_models_are_described_before_any_package_is_there():
    """What a panel shows on a Slicer that lacks PyTorch, and what checks a model's description."""
    names = ["torch", "monai", "SimpleITK", "safetensors", "fastjsonschema", "scipy", "tqdm"]
    code = (
        "from deepseg import api; folder = api.find_model('hippocampus-mr'); card = api.describe_model(folder); "
        "assert card.problem == '', card.problem; "
        "print(card.title, card.calibrated, len(card.accuracy), len(api.reliability(folder)), len(api.explanation_methods()))"
    )
    done = run_without(names, code)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == "Hippocampus in MR (anterior and posterior) True 2 4 10"


def test_a_panels_questions_load_no_pytorch():
    code = (
        "import sys; sys.path.append('DeepSegExtension'); from deepseg import api; import DeepSegLib.jobs; "
        "folder = api.find_model('hippocampus-mr'); api.describe_model(folder); api.reliability(folder); api.explanation_methods(); "
        "api.Job(api.Volume(__import__('numpy').zeros((1, 2, 2, 2)), api.Geometry((2, 2, 2), __import__('numpy').eye(4))), folder, "
        "request=api.ExplanationRequest(1)).bytes_needed; "
        "print([name for name in ('torch', 'monai', 'SimpleITK') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, cwd=REPOSITORY)
    assert (done.returncode, done.stdout.strip()) == (0, "[]"), done.stderr


def test_a_damaged_model_is_described_even_then(tmp_path):
    folder = tmp_path / "model" / "configs"
    folder.mkdir(parents=True)
    (folder / "metadata.json").write_text('{"deepseg": {"title": "Half", "labels": [1], "schema_version": 2}}')
    done = run_without(["fastjsonschema", "torch"], f"from deepseg import api; print(api.describe_model({str(tmp_path / 'model')!r}))")
    assert done.returncode == 0, done.stderr
    assert "cannot be read" in done.stdout and "title='Half'" in done.stdout
