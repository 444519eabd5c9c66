"""Sliding-window inference against MONAI's and nnU-Net's, the same network and weights: `speed.py [--size I J K] [--repeats N] [--threads N]`."""

from __future__ import annotations

import argparse
import math
from dataclasses import replace
from types import SimpleNamespace
from unittest import mock

import torch
from monai.inferers import sliding_window_inference
from roofline import compare_with_roofline
from table import medians, show
from volumes import ct_like, mosaic

from deepseg import api
from deepseg.devices import plans
from deepseg.fast_network import PRECISIONS, arranged, optimise
from deepseg.heap import freed_memory_kept, large_blocks_kept
from deepseg.metrics import dice
from deepseg.preprocessing import prepare
from deepseg.windows import all_starts


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--size", nargs=3, type=int, default=[256, 256, 192])
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--threads", type=int, default=2)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    bundle, size = api.load_model("hippocampus-mr"), tuple(options.size)
    spec = bundle.spec
    volume = mosaic(size) or ct_like(size)
    half_air = ct_like(size, air=0.5)
    prepared = prepare(volume, spec)
    windows = math.prod(len(axis) for axis in all_starts(prepared.geometry.shape, spec.window))
    plan = next(plans(spec, prepared.geometry.shape))
    plain = bundle.build_network()
    fast = optimise(bundle.build_network(), plan.precision)
    window = prepared.tensor[(slice(None), *(slice(0, n) for n in spec.window.size))][None].clone()
    half = arranged(window.to(PRECISIONS[plan.precision]), plan.precision)
    nnunet, kept = nnunet_predictor(plain, spec), {}

    def keep(name: str, logits: torch.Tensor) -> None:
        kept[name] = logits.argmax(0).numpy()

    def monai() -> None:
        with torch.no_grad():
            keep("MONAI", sliding_window_inference(prepared.tensor[None], spec.window.size, 4, plain, 0.5, mode="gaussian")[0])

    def ours(name: str, precision: str) -> None:
        kept[name] = api.segment(volume, bundle, probabilities=False, precision=precision).labels.array

    def bare() -> None:
        with torch.inference_mode(), freed_memory_kept(), large_blocks_kept():
            for _ in range(windows):
                fast(half)

    seconds = medians(
        {
            "MONAI": monai,
            "nnU-Net": lambda: keep("nnU-Net", nnunet.predict_sliding_window_return_logits(prepared.tensor).float()),
            "DeepSeg": lambda: ours("DeepSeg", "auto"),
            "bare forward passes": bare,
            "DeepSeg, float32": lambda: ours("DeepSeg, float32", "float32"),
            "DeepSeg, half of the volume air": lambda: api.segment(half_air, bundle, probabilities=False),
        },
        options.repeats,
    )
    rows = [("what", "seconds", "to MONAI", "to nnU-Net", "limit")]
    for name, value in seconds.items():
        rows.append(
            (name, f"{value:.2f}", f"{value / seconds['MONAI']:.3f}", f"{value / seconds['nnU-Net']:.3f}", "0.55" if name == "DeepSeg" else "")
        )
    show(
        f"Speed: {' x '.join(map(str, size))} voxels ({volume.name}), {windows} windows of {' x '.join(map(str, spec.window.size))}, overlap 0.5, "
        f"Gaussian, median of {options.repeats}.\nDeepSeg from volume to labels in {plan.precision}; MONAI (batches of 4) and nnU-Net (no mirroring) "
        "from tensor to logits in float32",
        rows,
    )
    limit = compare_with_roofline(fast, half, plan.precision)
    rows = [("what", "figure", "limit", "from")]
    rows.append(("end to end / bare forward passes", f"{seconds['DeepSeg'] / seconds['bare forward passes']:.3f}", "1.10", ""))
    milliseconds = f"{1e3 * limit['forward']:.1f} ms / {1e3 * limit['limit']:.1f} ms"
    rows.append(("forward pass / roofline", f"{limit['forward'] / limit['limit']:.3f}", "1.35", milliseconds))
    rows.append(("  convolutions", f"{limit['flops'] / 1e9:.1f} GFLOP", "", f"at {limit['flop/s'] / 1e9:.0f} GFLOP/s"))
    rows.append(("  norms and activations", f"{limit['bytes'] / 1e6:.0f} MB", "", f"at {limit['byte/s'] / 1e9:.1f} GB/s"))
    nnunets = replace(spec, window=replace(spec.window, steps="even", weight="nnunet"))
    kept["DeepSeg by nnU-Net's rules"] = api.segment(volume, api.ModelBundle(nnunets, bundle.folder), probabilities=False).labels.array
    for label in spec.labels:
        for mine, other in (("DeepSeg", "MONAI"), ("DeepSeg", "DeepSeg, float32"), ("DeepSeg by nnU-Net's rules", "nnU-Net")):
            score = dice(kept[mine] == label.value, kept[other] == label.value)
            rows.append((f"Dice of {label.name}: {mine} and {other}", f"{score:.5f}", "0.999", f"{int((kept[other] == label.value).sum())} voxels"))
    show("Limits and agreement", rows)


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


if __name__ == "__main__":
    main()
