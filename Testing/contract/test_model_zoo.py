"""Configurations of MONAI's Model Zoo give DeepSeg's probabilities in stock MONAI too: `python -m monai.bundle run`, with random weights.

`DEEPSEG_ZOO_WINDOWS=1` runs the heavy networks with the Model Zoo's own windows, which takes many minutes.
"""

import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

from deepseg import api, bundle_writer
from deepseg.volume import Volume
from zoo_bundles import ZOO

TOLERANCE = 1e-4

STOCK = """
import json, runpy, sys
sys.modules["deepseg"] = None  # the only model code is MONAI's
for arguments in json.loads(sys.argv[1]):
    sys.argv = ["monai.bundle", *arguments]
    runpy.run_module("monai.bundle", run_name="__main__", alter_sys=True)
"""
"""All bundles in one process, because loading MONAI takes longer than most of them."""


def cases():
    full = os.environ.get("DEEPSEG_ZOO_WINDOWS")
    return {name: replace(case, window=None) if full else case for name, case in ZOO.items()}


@pytest.fixture(scope="module")
def bundles(tmp_path_factory) -> dict[str, Path]:
    """The bundles' folders, each with its image beside it."""
    folder = tmp_path_factory.mktemp("zoo")
    found = {}
    for name, case in cases().items():
        found[name] = case.write(folder / name)
        for n, image in enumerate(case.images()):
            nib.save(nib.Nifti1Image(image, case.geometry().ijk_to_ras), folder / f"{name}-{n}.nii.gz")
    return found


@pytest.fixture(scope="module")
def monai_output(bundles) -> Path:
    """What stock MONAI wrote."""
    runs, output = [], next(iter(bundles.values())).parent / "monai"
    for name, case in cases().items():
        config = next(bundles[name].glob("configs/inference.*"))
        changes = bundles[name] / "configs/stock.json"
        images = [str(path) for path in image_files(bundles[name])]
        datalist = [{"image": images if len(images) > 1 else images[0]}]
        changes.write_text(json.dumps({**case.for_stock_monai(output), "datalist": datalist}))
        runs.append(["run", "--config_file", json.dumps([str(config), str(changes)]), "--bundle_root", str(bundles[name])])
    environment = {key: value for key, value in os.environ.items() if not key.startswith(("DEEPSEG", "PYTHONPATH"))}
    command = [sys.executable, "-c", STOCK, json.dumps(runs)]
    done = subprocess.run(command, capture_output=True, text=True, cwd=output.parent, env=environment, check=False, timeout=7200)
    assert done.returncode == 0, done.stderr[-3000:]
    return output


def image_files(bundle: Path) -> list[Path]:
    return sorted(bundle.parent.glob(f"{bundle.name}-*.nii.gz"))


@pytest.mark.parametrize("name", ZOO)
def test_a_bundle_gives_the_same_probabilities(name, bundles, monai_output, tmp_path, monkeypatch):
    # The golden file runs the network two times more; it is tested on smaller ones.
    monkeypatch.setattr(bundle_writer, "write_golden", lambda *_: None)
    monkeypatch.setattr(bundle_writer, "check_golden", lambda *_: None)
    bundle = api.import_monai(bundles[name], tmp_path / name)
    files = image_files(bundles[name])
    read = [api.read_volume(path) for path in files]
    volume = Volume(np.concatenate([part.array for part in read]), read[0].geometry, ("a.u.",) * len(read))
    ours = api.segment(volume, bundle).probabilities

    (stored,) = monai_output.rglob(f"{files[0].name.removesuffix('.nii.gz')}_p.nii.gz")
    image = nib.load(stored)
    theirs = np.moveaxis(image.get_fdata(dtype=np.float32), -1, 0)
    np.testing.assert_allclose(image.affine, volume.geometry.ijk_to_ras, atol=1e-3)
    assert theirs.shape == ours.shape
    difference, spread = float(np.abs(theirs - ours).max()), float(np.ptp(theirs, axis=(1, 2, 3)).max())
    print(f"{name}: largest difference {difference:.2g}, a label's probability varies by {spread:.2f}")
    assert spread > 0.02, "the network's answer must differ from place to place, or the comparison shows nothing"
    assert difference <= TOLERANCE
