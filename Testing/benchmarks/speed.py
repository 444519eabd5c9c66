"""Sliding-window inference against MONAI's and nnU-Net's, the same network and weights: `python Testing/benchmarks/speed.py [--size I J K] [--repeats N]`."""

from __future__ import annotations

import argparse
from types import SimpleNamespace
from unittest import mock

import numpy as np
import torch
from monai.inferers import sliding_window_inference
from roofline import roofline_seconds
from table import medians, show
from volumes import ct_like, mosaic

from deepseg import api
from deepseg.devices import plans
from deepseg.inference import run_windows
from deepseg.metrics import dice
from deepseg.preprocessing import prepare
from deepseg.window_network import WindowNetwork
from deepseg.windows import all_starts


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--size", nargs=3, type=int, default=[256, 256, 192])
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--threads", type=int, default=2)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    bundle = api.load_model("hippocampus-mr")
    spec = bundle.spec
    volume = mosaic(tuple(options.size)) or ct_like(tuple(options.size))
    prepared = prepare(volume, spec)
    windows = [len(axis) for axis in all_starts(prepared.geometry.shape, spec.window)]
    plan = next(plans(spec, prepared.geometry.shape))
    fast = WindowNetwork.of(bundle, spec, plan.device, plan.precision, False)
    plain = bundle.build_network()
    one = prepared.tensor[(slice(None), *(slice(0, n) for n in spec.window.size))][None].clone()
    kept: dict[str, np.ndarray] = {}

    def labels_of(name: str, logits: torch.Tensor) -> None:
        kept[name] = logits.argmax(0).numpy()

    def monai() -> None:
        with torch.no_grad():
            labels_of("MONAI", sliding_window_inference(prepared.tensor[None], spec.window.size, 4, plain, 0.5, mode="gaussian")[0])

    def ours(name: str, precision: str) -> None:
        kept[name] = api.segment(volume, bundle, probabilities=False, precision=precision).labels.array

    def bare(network: WindowNetwork) -> None:
        with torch.inference_mode():
            for _ in range(int(np.prod(windows))):
                network(one)

    nnunet = nnunet_predictor(plain, spec)
    runs = {
        "MONAI": monai,
        "nnU-Net": lambda: labels_of("nnU-Net", nnunet.predict_sliding_window_return_logits(prepared.tensor).float()),
        "DeepSeg": lambda: ours("DeepSeg", "auto"),
        "bare forward passes": lambda: bare(fast),
        "DeepSeg, float32": lambda: ours("DeepSeg, float32", "float32"),
    }
    seconds = medians(runs, options.repeats)
    told = f"{' x '.join(map(str, options.size))} voxels ({volume.name}), {np.prod(windows)} windows of {spec.window.size}, overlap 0.5, Gaussian"
    rows = [("what", "seconds", "ratio to MONAI", "ratio to nnU-Net")]
    for name, value in seconds.items():
        rows.append((name, f"{value:.2f}", f"{value / seconds['MONAI']:.3f}", f"{value / seconds['nnU-Net']:.3f}"))
    show(f"Speed: {told}; DeepSeg from volume to labels in {plan.precision}, the others from tensor to logits in float32, MONAI with batches of 4", rows)

    limit = roofline_seconds(WindowNetwork.of(bundle, spec, plan.device, plan.precision, False)._members[0], _as_it_runs(one, plan), plan.precision)
    forward = seconds["bare forward passes"] / np.prod(windows)
    rows = [("what", "ratio", "of what")]
    rows.append(("end to end to bare forward passes", f"{seconds['DeepSeg'] / seconds['bare forward passes']:.3f}", "limit 1.10"))
    rows.append(("forward pass to roofline", f"{forward / limit['seconds']:.3f}", f"limit 1.35; {forward * 1e3:.1f} ms to {limit['seconds'] * 1e3:.1f} ms"))
    rows.append(("  convolutions", f"{limit['flops'] / 1e9:.1f} GFLOP", f"at {limit['flop/s'] / 1e9:.0f} GFLOP/s"))
    rows.append(("  norms and activations", f"{limit['bytes'] / 1e6:.1f} MB", f"at {limit['byte/s'] / 1e9:.1f} GB/s"))
    for label in spec.labels:
        for other in ("MONAI", "nnU-Net", "DeepSeg, float32"):
            score = dice(kept["DeepSeg"] == label.value, kept[other] == label.value)
            rows.append((f"Dice of {label.name} with {other}", f"{score:.5f}", f"{int((kept[other] == label.value).sum())} voxels"))
    show("Limits and agreement", rows)

    half = ct_like(tuple(options.size), air=0.5)
    runs = {
        "half of it air": lambda: api.segment(half, bundle, probabilities=False),
        "no air": lambda: api.segment(volume, bundle, probabilities=False),
    }
    seconds = medians(runs, options.repeats)
    show("Skipping constant windows", [("what", "seconds"), *((name, f"{value:.2f}") for name, value in seconds.items())])


def nnunet_predictor(network: torch.nn.Module, spec: api.ModelSpec) -> object:
    """nnU-Net's own predictor with our network, without mirroring, on the processor."""
    from nnunetv2.inference.predict_from_raw_data import nnUNetPredictor

    with mock.patch("builtins.print"):
        predictor = nnUNetPredictor(use_mirroring=False, perform_everything_on_device=False, device=torch.device("cpu"), allow_tqdm=False)
    predictor.network = network
    predictor.configuration_manager = SimpleNamespace(patch_size=spec.window.size)
    predictor.label_manager = SimpleNamespace(num_segmentation_heads=spec.channel_count)
    predictor.allowed_mirroring_axes = None
    return predictor


def _as_it_runs(window: torch.Tensor, plan: object) -> torch.Tensor:
    from deepseg.fast_network import PRECISIONS, arranged

    return arranged(window.to(PRECISIONS[plan.precision]), plan.precision)


if __name__ == "__main__":
    main()
