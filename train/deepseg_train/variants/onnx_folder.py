"""An ONNX variant as a folder: the file, and what someone without DeepSeg must know to use it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from deepseg.bundle import ModelBundle, sha256_of
from deepseg.normalisation import NORMALISATIONS
from deepseg.spec import ModelSpec, spacing_text
from deepseg_train.variants.kinds import Kind
from deepseg_train.variants.model_folder import variant_of
from deepseg_train.variants.onnx_export import network_input, random_windows
from deepseg_train.variants.onnx_network import INPUT, OUTPUT

DESCRIPTION_FILE = "preprocessing.json"

_BEFORE = [
    "reorder and flip the image's axes to 'orientation' (anatomical: the direction in which each axis runs; IJK or KJI: as the file stores them)",
    "cut away what 'crop' says",
]
_WEIGHTS = {
    "constant": "1 everywhere",
    "gaussian": "along each axis exp(-d^2 / (2 (0.125 n)^2)) of the distance d in voxels to the window's middle (n - 1) / 2, n voxels long, "
    "multiplied over the axes, at least 0.001",
    "nnunet": "along each axis exp(-d^2 / (2 (0.125 n)^2)) of the distance d in voxels to voxel n // 2, 0 beyond four deviations, multiplied over "
    "the axes and by 10, in float16, with the smallest number that is not 0 in place of 0",
}
_STEPS = {
    "fixed": "every int(n (1 - overlap)) voxels along each axis, n voxels long, the last one moved back to end at the border",
    "even": "ceil((length - n) / (n (1 - overlap))) + 1 of them along each axis, n voxels long, evenly from border to border, rounded",
}
_RULES = {
    "first_voxel": "the centres of the first voxels coincide",
    "extent": "their outer faces coincide",
}


def _order(spec: ModelSpec) -> list[str]:
    """What is done, step by step, from image to labels."""
    place = f"pad with 'window.padding' on both sides to at least the window; windows begin {_STEPS[spec.window.steps]}"
    blend = f"average the windows' logits weighted by 'window.weight' ({_WEIGHTS[spec.window.weight]}), cut the padding off"
    activate, back = "apply 'output.activation' over the channels", "to the image's grid, by splines of 'resampling.back_order'"
    # nnU-Net brings logits back, MONAI probabilities.
    ends = [f"bring the logits back {back}", activate] if spec.resampling.rule == "extent" else [activate, f"bring the probabilities back {back}"]
    labels = "every label whose probability is above 0.5" if spec.overlapping else "the label with the largest probability (0: background)"
    painted = ", as the bit field that the last such channel has in 'output.painting'" if spec.output.painting else ""
    largest = "; of the labels in 'output.keep_largest' only the largest connected part stays" if spec.output.keep_largest else ""
    return [
        *_BEFORE,
        f"resample to 'spacing_mm' by 'resampling' (None: the image's own spacing; {_RULES[spec.resampling.rule]})",
        "normalise the intensities of each input by its steps, over the whole image (before resampling where 'normalise_first')",
        place,
        blend,
        *ends,
        f"each voxel gets {labels}{painted}{largest}",
    ]


def description(model: ModelBundle, kind: Kind, file: Path) -> dict[str, Any]:
    """Everything around the network, in JSON types; words and values are those of the model's own metadata."""
    spec, told = model.spec, model.spec.to_json()
    return {
        "description_version": 1,
        "model": {key: told[key] for key in ("id", "title", "version", "intended_use", "licence", "citation")} | {"variant": variant_of(model, kind)},
        "file": {"name": file.name, "sha256": sha256_of(file)},
        "network_input": {"name": INPUT, "dtype": "float32", "shape": ["batch", *network_input(random_windows(spec, 1), spec).shape[1:]]},
        "network_output": {"name": OUTPUT, "dtype": "float32", "channels": _channels(spec)},
        "order": _order(spec),
        **{key: told[key] for key in ("inputs", "orientation", "spacing_mm", "crop", "resampling", "window", "output", "labels")},
        "schemes": {scheme: _meaning(scheme) for scheme in sorted({step.scheme for item in spec.inputs for step in item.steps})},
    }


def write_onnx_folder(model: ModelBundle, kind: Kind, file: Path, folder: Path, measured: str) -> None:
    """Write the files beside `file`, which lies in `folder` already: description, card and licence."""
    told = description(model, kind, file)
    (folder / DESCRIPTION_FILE).write_text(json.dumps(told, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    (folder / "README.md").write_text(_card(model.spec, told, measured), encoding="utf-8")
    (folder / "LICENSE").write_bytes((model.folder / "LICENSE").read_bytes())


def _channels(spec: ModelSpec) -> list[str]:
    names = [label.name for label in spec.labels]
    return names if spec.overlapping else ["background", *names]


def _meaning(scheme: str) -> str:
    return " ".join((NORMALISATIONS[scheme].__doc__ or "").split())


def _card(spec: ModelSpec, told: dict[str, Any], measured: str) -> str:
    shape = " x ".join(map(str, told["network_input"]["shape"]))
    steps = "\n".join(f"{n}. {step}" for n, step in enumerate(told["order"], 1))
    return f"""# {spec.title}: ONNX

**For research, not for clinical use.** {spec.summary}

`{told["file"]["name"]}` takes `{INPUT}` (float32, {shape}) and gives `{OUTPUT}` of the channels {", ".join(told["network_output"]["channels"])}.
Axes {spec.orientation}, {spacing_text(spec.spacing_mm)}. What is done before and after is in `{DESCRIPTION_FILE}`:

{steps}

{measured}

## Licence and attribution
{spec.licence}

{spec.citation}
"""
