"""Peak memory of a labels-only run with many labels on a large volume: `python Testing/benchmarks/memory.py [--size I J K] [--labels N]`."""

from __future__ import annotations

import argparse
import resource
import tempfile
import time
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import torch
from table import show

from deepseg import api
from deepseg.devices import held_bytes
from deepseg.geometry import Geometry
from deepseg.networks import build_network
from deepseg.spec import InputSpec, IntensityStep, ModelSpec, NetworkSpec, WindowSpec
from deepseg.volume import Label, Volume


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--size", nargs=3, type=int, default=[512, 512, 400])
    parser.add_argument("--labels", type=int, default=118)
    options = parser.parse_args()
    shape = tuple(options.size)
    with tempfile.TemporaryDirectory() as work:
        # In a process of its own, whose memory is not this one's.
        with get_context("spawn").Pool(1) as pool:
            folder = pool.apply(a_model, (Path(work) / "many-labels", options.labels))
        bundle = api.load_model(folder)
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
        array = np.random.default_rng(0).normal(40, 300, shape).astype(np.float32)
        volume = Volume(array[None], Geometry(shape, np.eye(4)), ("HU",), "noise")
        begin, last = time.perf_counter(), [0.0]

        def told(progress: api.Progress) -> None:
            if progress.fraction - last[0] > 0.05:
                last[0] = progress.fraction
                left = "?" if progress.seconds_left is None else f"{progress.seconds_left:.0f}"
                print(f"  {100 * progress.fraction:.0f} %, {time.perf_counter() - begin:.0f} s, {left} s left", flush=True)

        prediction = api.segment(volume, bundle, progress=told, probabilities=False)
    seconds, peak = time.perf_counter() - begin, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    voxels = int(np.prod(shape))
    rows = [("what", "GB")]
    rows.append(("peak resident (limit 5)", f"{peak / 1e9:.2f}"))
    rows.append(("  before the volume was made", f"{before / 1e9:.2f}"))
    rows.append(("  the volume itself", f"{4 * voxels / 1e9:.2f}"))
    rows.append(("  sums that wait, float16", f"{held_bytes(bundle.spec, shape, 2) / 1e9:.2f}"))
    rows.append(("float16 probabilities of the whole would be", f"{2 * (options.labels + 1) * voxels / 1e9:.2f}"))
    found = len(np.unique(prediction.labels.array))
    show(f"Memory: {options.labels} labels on {' x '.join(map(str, shape))} voxels, windows of 96, {found} labels found, {seconds:.0f} s", rows)


def a_model(folder: Path, labels: int) -> Path:
    """A small network with random weights."""
    kwargs = {
        "input_channels": 1,
        "num_classes": labels + 1,
        "n_stages": 3,
        "features_per_stage": [8, 16, 32],
        "kernel_sizes": [[3, 3, 3]] * 3,
        "strides": [[1, 1, 1], [2, 2, 2], [2, 2, 2]],
        "n_conv_per_stage": [2, 2, 2],
        "n_conv_per_stage_decoder": [2, 2],
        "conv_op": "Conv3d",
        "conv_bias": True,
        "norm_op": "InstanceNorm3d",
        "norm_op_kwargs": {"eps": 1e-05, "affine": True},
        "nonlin": "LeakyReLU",
        "nonlin_kwargs": {"inplace": True},
    }
    spec = ModelSpec(
        id="many-labels",
        title="Many labels",
        summary="Random weights.",
        version="0",
        inputs=(InputSpec("CT", "CT", "HU", (IntensityStep("ct_window", {"low": -1000.0, "high": 1000.0, "mean": 0.0, "std": 300.0}),)),),
        labels=tuple(Label(n, f"label {n}", (0.5, 0.5, 0.5)) for n in range(1, labels + 1)),
        orientation="RAS",
        spacing_mm=(1.0, 1.0, 1.0),
        network=NetworkSpec("PlainConvUNet", kwargs),
        window=WindowSpec((96, 96, 96)),
        licence="CC0-1.0",
        citation="None.",
        intended_use="For measuring.",
    )
    torch.manual_seed(0)
    state = {name: 2 * value for name, value in build_network("PlainConvUNet", kwargs).state_dict().items()}
    return api.ModelBundle.save(folder, spec, {"model.safetensors": state}, "# Many labels\n", "CC0-1.0\n").folder


if __name__ == "__main__":
    main()
