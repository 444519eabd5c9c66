"""The bundle's inference.json: lets stock MONAI run the model (`python -m monai.bundle run`). DeepSeg writes it and never reads it."""

from __future__ import annotations

from typing import Any

from deepseg.errors import ModelError
from deepseg.spec import InputSpec, ModelSpec
from deepseg.windows import GAUSSIAN_SIGMA


def inference_config(spec: ModelSpec) -> dict[str, Any]:
    """MONAI's config that does what `deepseg.preprocessing` and `deepseg.inference` do, with MONAI's own parts.

    Run it with `--dataset_dir FOLDER` (images `*.nii.gz`) and `--output_dir FOLDER`; it writes probabilities on each input's grid.

    Raises:
        ModelError: MONAI cannot express what the spec asks for.
    """
    if len(spec.inputs) != 1:
        raise ModelError(f"Only models with one input channel can be written as a MONAI bundle so far; {spec.id} has {len(spec.inputs)}.")
    name = next(iter(spec.weights))
    return {
        "imports": ["$import glob", "$from safetensors.torch import load_file"],
        "bundle_root": ".",
        "dataset_dir": "$@bundle_root + '/input'",
        "output_dir": "$@bundle_root + '/eval'",
        "device": "$torch.device('cuda' if torch.cuda.is_available() else 'cpu')",
        "datalist": "$[{'image': path} for path in sorted(glob.glob(@dataset_dir + '/*.nii.gz'))]",
        "network_def": {"_target_": spec.network.name, **spec.network.kwargs},
        "network": "$@network_def.to(@device)",
        "weights": f"$load_file(@bundle_root + '/models/{name}')",
        "preprocessing": {"_target_": "Compose", "transforms": _preprocessing(spec)},
        "dataset": {"_target_": "Dataset", "data": "@datalist", "transform": "@preprocessing"},
        "dataloader": {"_target_": "DataLoader", "dataset": "@dataset", "batch_size": 1, "shuffle": False, "num_workers": 0},
        "inferer": {
            "_target_": "SlidingWindowInferer",
            "roi_size": list(spec.window.size),
            "sw_batch_size": 1,
            "overlap": spec.window.overlap,
            "mode": "gaussian",
            "sigma_scale": GAUSSIAN_SIGMA,
            "padding_mode": "constant",
        },
        "postprocessing": {
            "_target_": "Compose",
            "transforms": [
                {"_target_": "Activationsd", "keys": "pred", "softmax": True},
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


def _preprocessing(spec: ModelSpec) -> list[dict[str, Any]]:
    return [
        {"_target_": "LoadImaged", "keys": "image", "reader": "NibabelReader"},
        {"_target_": "EnsureChannelFirstd", "keys": "image"},
        {"_target_": "EnsureTyped", "keys": "image", "dtype": "$torch.float32"},
        {"_target_": "Orientationd", "keys": "image", "axcodes": spec.orientation, "labels": [["L", "R"], ["P", "A"], ["I", "S"]]},
        {"_target_": "Spacingd", "keys": "image", "pixdim": list(spec.spacing_mm), "mode": "bilinear", "padding_mode": "border"},
        *_intensity(spec.inputs[0]),
    ]


def _intensity(item: InputSpec) -> list[dict[str, Any]]:
    schemes = [step.scheme for step in item.steps]
    if schemes == ["zscore"]:
        return [{"_target_": "NormalizeIntensityd", "keys": "image"}]
    if schemes == ["ct_window"]:
        p = item.steps[0].parameters
        clip = {"_target_": "ScaleIntensityRanged", "keys": "image", "a_min": p["low"], "a_max": p["high"], "b_min": p["low"], "b_max": p["high"]}
        return [{**clip, "clip": True}, {"_target_": "NormalizeIntensityd", "keys": "image", "subtrahend": p["mean"], "divisor": p["std"]}]
    raise ModelError(f"The intensity schemes {schemes} have no counterpart in the MONAI bundle yet.")
