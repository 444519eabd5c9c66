"""What a model's inference.json can say, stock MONAI does: inputs, intensity schemes, windows, outputs; what it cannot say is refused by name."""

import json
import os
import subprocess
import sys
from dataclasses import replace

import nibabel as nib
import numpy as np
import pytest
import torch

from deepseg import api
from deepseg.bundle import ModelBundle
from deepseg.errors import ModelError
from deepseg.geometry import Geometry
from deepseg.networks import build_network
from deepseg.spec import InputSpec, IntensityStep, NetworkSpec, OutputSpec, ResamplingSpec, WindowSpec
from deepseg.stock_monai import inference_config
from deepseg.volume import Volume

TOLERANCE = 1e-4
UNET = {"spatial_dims": 3, "in_channels": 1, "out_channels": 3, "channels": [4, 8, 8], "strides": [2, 2], "num_res_units": 1}
PATHS = np.zeros((4, 7))
PATHS[:, [0, 3]] = 1
DINTS = {
    "in_channels": 1,
    "num_classes": 3,
    "use_downsample": True,
    "node_a": np.tile([1, 1, 0], (5, 1)).tolist(),
    "dints_space": {"channel_mul": 0.2, "num_blocks": 4, "num_depths": 3, "use_downsample": True}
    | {"arch_code": [PATHS.tolist(), np.ones((4, 7), int).tolist()]},
}


def taking(*steps, count=1):
    return tuple(InputSpec(f"input {n}", "MR", "a.u.", steps) for n in range(count))


CHANGES = {
    "two-inputs-sigmoid-constant-as-stored": {
        "inputs": taking(IntensityStep("zscore_nonzero"), count=2),
        "orientation": "IJK",
        "spacing_mm": (None, None, None),
        "network": NetworkSpec("UNet", {**UNET, "in_channels": 2, "out_channels": 2}),
        "window": WindowSpec((16, 16, 16), 0.25, weight="constant"),
        "output": OutputSpec("sigmoid"),
    },
    "percentiles-first-replicated-one-axis-kept": {
        "inputs": taking(IntensityStep("percentiles", {"lower": 2.0, "upper": 98.0, "to_low": -1.0, "to_high": 1.0, "clip": True})),
        "spacing_mm": (1.5, None, 2.0),
        "resampling": ResamplingSpec(normalise_first=True),
        "network": NetworkSpec("UNet", UNET),
        "window": WindowSpec((24, 24, 24), 0.5, padding="replicate"),
    },
    "two-inputs-shifted-by-their-own": {
        "inputs": tuple(
            InputSpec(f"input {n}", "MR", "a.u.", (IntensityStep("shift_scale", {"shift": 100.0 * n, "scale": 50.0 + n}),)) for n in range(2)
        ),
        "network": NetworkSpec("UNet", {**UNET, "in_channels": 2}),
    },
    "slices-minmax": {
        "inputs": taking(IntensityStep("minmax", {"to_low": 0.0, "to_high": 1.0}), IntensityStep("zscore")),
        "network": NetworkSpec("UNet", {**UNET, "spatial_dims": 2}),
        "window": WindowSpec((16, 1, 16), 0.5, slice_context=0),
    },
    "dints-ct-window": {
        "inputs": taking(IntensityStep("ct_window", {"low": 0.0, "high": 300.0, "mean": 100.0, "std": 60.0})),
        "network": NetworkSpec("DiNTS", DINTS),
    },
    "weights-in-8-bits": {},
}
STORED = {"weights-in-8-bits": torch.int8}


def grid(shape=(22, 30, 20)) -> Geometry:
    matrix = np.eye(4)
    matrix[:3, :3] = np.array([[0, 0, -1], [1, 0, 0], [0, -1, 0]]) * (1.2, 1.7, 1.4)
    matrix[:3, 3] = (12.0, -30.0, 7.5)
    return Geometry(shape, matrix)


def images(count) -> np.ndarray:
    rng = np.random.default_rng(count)
    ramp = np.indices(grid().shape).sum(0) * 4.0
    return np.stack([np.where(ramp > 40, ramp + rng.normal(0, 30, grid().shape), 0) for _ in range(count)]).astype(np.float32)


STOCK = """
import json, runpy, sys
sys.modules["deepseg"] = None
for arguments in json.loads(sys.argv[1]):
    sys.argv = ["monai.bundle", *arguments]
    runpy.run_module("monai.bundle", run_name="__main__", alter_sys=True)
"""


@pytest.fixture(scope="module")
def models(tiny_spec, tmp_path_factory):
    """Each model with its image in its own folder, after one run of stock MONAI over all of them."""
    folder, bundles, runs = tmp_path_factory.mktemp("schemes"), {}, []
    for name, changes in CHANGES.items():
        spec = replace(tiny_spec, id=name, **changes)
        with torch.random.fork_rng():
            torch.manual_seed(5)
            state = build_network(spec.network.name, spec.network.kwargs).state_dict()
        bundle = ModelBundle.save(folder / name, spec, {"model.safetensors": state}, "# Model\n", "CC0\n", dtype=STORED.get(name, torch.float32))
        (folder / name / "in").mkdir()
        for n, image in enumerate(images(len(spec.inputs))):
            nib.save(nib.Nifti1Image(image, grid().ijk_to_ras), folder / name / f"in/case_{n:04d}.nii.gz")
        options = {"config_file": bundle.folder / "configs/inference.json", "bundle_root": bundle.folder}
        options |= {"dataset_dir": bundle.folder / "in", "output_dir": bundle.folder / "out"}
        runs.append(["run", *(part for key, value in options.items() for part in (f"--{key}", str(value)))])
        bundles[name] = bundle
    environment = {key: value for key, value in os.environ.items() if not key.startswith(("DEEPSEG", "PYTHONPATH"))}
    command = [sys.executable, "-c", STOCK, json.dumps(runs)]
    done = subprocess.run(command, capture_output=True, text=True, cwd=folder, env=environment, check=False, timeout=600)
    assert done.returncode == 0, done.stderr[-3000:]
    return bundles


@pytest.mark.parametrize("name", CHANGES)
def test_stock_monai_gives_the_same_probabilities(name, models):
    bundle = models[name]
    array = images(len(bundle.spec.inputs))
    ours = api.segment(Volume(array, grid(), ("a.u.",) * len(array)), bundle).probabilities
    (stored,) = bundle.folder.glob("out/*_probabilities.nii.gz")
    theirs = np.moveaxis(nib.load(stored).get_fdata(dtype=np.float32), -1, 0)
    difference, spread = float(np.abs(theirs - ours).max()), float(np.ptp(theirs, axis=(1, 2, 3)).max())
    print(f"{name}: largest difference {difference:.2g}, a label's probability varies by {spread:.2f}")
    assert spread > 0.02
    assert difference <= TOLERANCE


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"weights": {"a.safetensors": "0", "b.safetensors": "0"}}, "an ensemble of 2 members"),
        ({"crop": "nonzero"}, "cropping to 'nonzero'"),
        ({"resampling": ResamplingSpec("extent", 3, 1)}, "nnU-Net's rule"),
        ({"window": WindowSpec((16, 16, 16), steps="even")}, "the rule 'even'"),
        ({"window": WindowSpec((16, 16, 16), weight="nnunet")}, "weighed by 'nnunet'"),
        ({"window": WindowSpec((16, 16, 1), slice_context=1)}, "1 neighbouring slices"),
        ({"orientation": "KJI"}, "the axes KJI"),
        ({"output": OutputSpec("sigmoid", (1, 3))}, "painted over each other"),
        ({"network": NetworkSpec("PlainConvUNet", {})}, "the network PlainConvUNet"),
        ({"inputs": taking(IntensityStep("zscore_foreground"))}, "the intensity scheme 'zscore_foreground'"),
        ({"inputs": (*taking(IntensityStep("zscore")), *taking(IntensityStep("zscore_nonzero")))}, "differ from input to input"),
        (
            {"inputs": tuple(InputSpec("x", "MR", "a.u.", (IntensityStep("minmax", {"to_low": n, "to_high": 1.0}),)) for n in (0.0, 0.5))},
            "'minmax' with other numbers for each input",
        ),
    ],
)
def test_what_monai_has_not_is_refused_by_name(changes, named, tiny_spec):
    spec = replace(tiny_spec, weights={"model.safetensors": "0"})
    inference_config(spec)
    with pytest.raises(ModelError, match=f"Stock MONAI cannot express .*{named}"):
        inference_config(replace(spec, **changes))
