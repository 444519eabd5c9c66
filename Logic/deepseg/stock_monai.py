"""The bundle's inference.json: lets stock MONAI run the model (`python -m monai.bundle run`). DeepSeg writes it and never reads it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from deepseg.compact_weights import SCALE
from deepseg.errors import ModelError
from deepseg.networks.monai_networks import MONAI_NETWORKS
from deepseg.spec import InputSpec, IntensityStep, ModelSpec, WindowSpec
from deepseg.windows import GAUSSIAN_SIGMA

_THEIRS = {"ChannelDropoutDynUNet": ("DynUNet", ("dropout",))}
"""Networks of our own that differ from one of MONAI's in training only: that one, and the settings it has not or means otherwise."""


def inference_config(spec: ModelSpec, eight_bits: bool = False) -> dict[str, Any]:
    """MONAI's config that does what `deepseg.preprocessing` and `deepseg.inference` do, with MONAI's own parts.

    Run it with `--dataset_dir FOLDER` and `--output_dir FOLDER`; it writes probabilities on each input's grid. Images are `*.nii.gz`; for a model
    of several inputs they are `<case>_0000.nii.gz`, `<case>_0001.nii.gz`, ..., in the order of the inputs.

    Args:
        spec: the model.
        eight_bits: its weights are stored as `deepseg.compact_weights` does it, so that they are multiplied by their scales.

    Raises:
        ModelError: MONAI cannot express what the spec asks for, which is named.
    """
    _refuse_what_monai_has_not(spec)
    name = next(iter(spec.weights))
    return {
        "imports": ["$import glob", "$from safetensors.torch import load_file"],
        "bundle_root": ".",
        "dataset_dir": "$@bundle_root + '/input'",
        "output_dir": "$@bundle_root + '/eval'",
        "device": "$torch.device('cuda' if torch.cuda.is_available() else 'cpu')",
        "datalist": _datalist(len(spec.inputs)),
        **_network(spec),
        "network": "$@network_def.to(@device)",
        "weights": _weights(name, eight_bits),
        "preprocessing": {"_target_": "Compose", "transforms": _preprocessing(spec)},
        "dataset": {"_target_": "Dataset", "data": "@datalist", "transform": "@preprocessing"},
        "dataloader": {"_target_": "DataLoader", "dataset": "@dataset", "batch_size": 1, "shuffle": False, "num_workers": 0},
        "inferer": _inferer(spec.window),
        "postprocessing": {
            "_target_": "Compose",
            "transforms": [
                {"_target_": "Activationsd", "keys": "pred", spec.output.activation: True},
                {
                    "_target_": "Invertd",
                    "keys": "pred",
                    "transform": "@preprocessing",
                    "orig_keys": "image",
                    "nearest_interp": False,
                    "to_tensor": True,
                },
                {
                    "_target_": "SaveImaged",
                    "keys": "pred",
                    "output_dir": "@output_dir",
                    "output_postfix": "probabilities",
                    "output_dtype": "$np.float32",
                    "resample": False,
                    "separate_folder": False,
                },
            ],
        },
        "evaluator": {
            "_target_": "SupervisedEvaluator",
            "device": "@device",
            "val_data_loader": "@dataloader",
            "network": "@network",
            "inferer": "@inferer",
            "postprocessing": "@postprocessing",
            "amp": False,
        },
        "run": ["$@network.load_state_dict(@weights, strict=False)", "$@evaluator.run()"],
    }


def _refuse_what_monai_has_not(spec: ModelSpec) -> None:
    window, rule = spec.window, spec.resampling
    reasons = {
        f"the network {spec.network.name}, which is not one of its own": spec.network.name not in (*MONAI_NETWORKS, "DiNTS", "DynUNet", *_THEIRS),
        f"an ensemble of {len(spec.weights)} members": len(spec.weights) > 1,
        f"cropping to '{spec.crop}'": spec.crop != "none",
        "resampling by nnU-Net's rule": any(spec.spacing_mm) and (rule.rule, rule.order, rule.back_order) != ("first_voxel", 1, 1),
        f"windows that are spread by the rule '{window.steps}'": window.steps != "fixed",
        f"windows weighed by '{window.weight}'": window.weight not in ("gaussian", "constant"),
        f"a 2.5D network with {window.slice_context} neighbouring slices": bool(window.slice_context),
        f"the axes {spec.orientation}": spec.orientation != "IJK" and not set(spec.orientation) <= set("RLAPSI"),
        "labels that are painted over each other": bool(spec.output.painting),
    }
    found = next((reason for reason, true in reasons.items() if true), None)
    if found:
        raise ModelError(f"Stock MONAI cannot express {found}.")


def _weights(name: str, eight_bits: bool) -> str:
    stored = f"load_file(@bundle_root + '/models/{name}')"
    if not eight_bits:
        return f"${stored}"
    full = f"value.float() * stored[name + '{SCALE}'].float() if name + '{SCALE}' in stored else value"
    return f"$(lambda stored: {{name: {full} for name, value in stored.items() if not name.endswith('{SCALE}')}})({stored})"


def _datalist(input_count: int) -> str:
    if input_count == 1:
        return "$[{'image': path} for path in sorted(glob.glob(@dataset_dir + '/*.nii.gz'))]"
    files = f"[path[:-11] + '%04d.nii.gz' % n for n in range({input_count})]"
    return f"$[{{'image': {files}}} for path in sorted(glob.glob(@dataset_dir + '/*_0000.nii.gz'))]"


def _network(spec: ModelSpec) -> dict[str, Any]:
    name, without = _THEIRS.get(spec.network.name, (spec.network.name, ()))
    kwargs = {key: value for key, value in spec.network.kwargs.items() if key not in without}
    if name != "DiNTS":
        return {"network_def": {"_target_": name, **kwargs}}
    space = dict(kwargs.pop("dints_space"))
    arrays = {"dints_paths": space.pop("arch_code"), "dints_nodes": kwargs.pop("node_a")}
    code = [f"$np.asarray(@dints_paths[{n}])" for n in range(2)]
    return {
        **arrays,
        "dints_space": {"_target_": "TopologyInstance", **space, "arch_code": code, "device": "cpu"},
        "network_def": {"_target_": "DiNTS", **kwargs, "dints_space": "@dints_space", "node_a": "$torch.as_tensor(@dints_nodes)"},
    }


def _inferer(window: WindowSpec) -> dict[str, Any]:
    padding = {"zero": "constant", "replicate": "replicate"}[window.padding]
    common = {"sw_batch_size": 1, "overlap": window.overlap, "mode": window.weight, "padding_mode": padding}
    if window.slice_axis is not None:
        size = [side for axis, side in enumerate(window.size) if axis != window.slice_axis]
        return {"_target_": "SliceInferer", "spatial_dim": window.slice_axis, "roi_size": size, **common}
    return {"_target_": "SlidingWindowInferer", "roi_size": list(window.size), "sigma_scale": GAUSSIAN_SIGMA, **common}


def _preprocessing(spec: ModelSpec) -> list[dict[str, Any]]:
    # Several files are joined as channels when they are read.
    channels_first = [{"_target_": "EnsureChannelFirstd", "keys": "image"}] if len(spec.inputs) == 1 else []
    labels = [["L", "R"], ["P", "A"], ["I", "S"]]
    orient = [] if spec.orientation == "IJK" else [{"_target_": "Orientationd", "keys": "image", "axcodes": spec.orientation, "labels": labels}]
    # MONAI keeps the image's own voxel size where it is told 0.
    pixdim = [side or 0.0 for side in spec.spacing_mm]
    space = [{"_target_": "Spacingd", "keys": "image", "pixdim": pixdim, "mode": "bilinear", "padding_mode": "border"}] if any(pixdim) else []
    intensities = _intensities(spec.inputs)
    return [
        {"_target_": "LoadImaged", "keys": "image", "reader": "NibabelReader"},
        *channels_first,
        {"_target_": "EnsureTyped", "keys": "image", "dtype": "$torch.float32"},
        *orient,
        *(intensities + space if spec.resampling.normalise_first else space + intensities),
    ]


def _intensities(inputs: Sequence[InputSpec]) -> list[dict[str, Any]]:
    """MONAI's transforms for all channels together: the same schemes, with numbers of their own only where MONAI has them."""
    schemes = {tuple(step.scheme for step in item.steps) for item in inputs}
    if len(schemes) > 1:
        raise ModelError("Stock MONAI cannot express intensity schemes that differ from input to input.")
    return [transform for steps in zip(*(item.steps for item in inputs), strict=True) for transform in _transforms(steps)]


def _transforms(steps: Sequence[IntensityStep]) -> list[dict[str, Any]]:
    scheme, parameters = steps[0].scheme, steps[0].parameters
    if scheme != "shift_scale" and any(step.parameters != parameters for step in steps):
        raise ModelError(f"Stock MONAI cannot express the intensity scheme '{scheme}' with other numbers for each input.")
    image = {"keys": "image"}
    several = {"channel_wise": True} if len(steps) > 1 else {}
    p = parameters
    if scheme in ("zscore", "zscore_nonzero"):
        nonzero = {"nonzero": True} if scheme == "zscore_nonzero" else {}
        return [{"_target_": "NormalizeIntensityd", **image, **nonzero, **several}]
    if scheme == "shift_scale":
        return _shift_scale([(step.parameters["shift"], step.parameters["scale"]) for step in steps])
    if scheme == "ct_window":
        low, high, mean, std = (parameters[name] for name in ("low", "high", "mean", "std"))
        clip = {"_target_": "ScaleIntensityRanged", **image, "a_min": low, "a_max": high, "b_min": low, "b_max": high, "clip": True}
        return [clip, *_shift_scale([(mean, std)] * len(steps))]
    if scheme == "scale_range":
        limits = {"a_min": p["low"], "a_max": p["high"], "b_min": p["to_low"], "b_max": p["to_high"]}
        return [{"_target_": "ScaleIntensityRanged", **image, **limits, "clip": p["clip"]}]
    if scheme == "minmax":
        return [{"_target_": "ScaleIntensityd", **image, "minv": p["to_low"], "maxv": p["to_high"], **several}]
    if scheme == "percentiles":
        limits = {"lower": p["lower"], "upper": p["upper"], "b_min": p["to_low"], "b_max": p["to_high"]}
        return [{"_target_": "ScaleIntensityRangePercentilesd", **image, **limits, "clip": p["clip"], **several}]
    raise ModelError(f"Stock MONAI cannot express the intensity scheme '{scheme}'.")


def _shift_scale(pairs: list[tuple[float, float]]) -> list[dict[str, Any]]:
    """Subtract and divide, by numbers of each channel's own."""
    shift, scale = ([pair[n] for pair in pairs] for n in range(2))
    numbers = {"subtrahend": shift, "divisor": scale, "channel_wise": True} if len(pairs) > 1 else {"subtrahend": shift[0], "divisor": scale[0]}
    return [{"_target_": "NormalizeIntensityd", "keys": "image", **numbers}]
