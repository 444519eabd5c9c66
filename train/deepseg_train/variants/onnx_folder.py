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

_ORDER = [
    "reorder and flip the image's axes to 'orientation' (anatomical: the direction in which each axis runs; IJK or KJI: as the file stores them)",
    "cut away what 'crop' says",
    "resample to 'spacing_mm' by 'resampling' (None: the image's own spacing; rule first_voxel: the centres of the first voxels coincide)",
    "normalise the intensities of each input by its steps, over the whole image (before resampling where 'normalise_first')",
    "pad with 'window.padding' on both sides to at least the window, run the network over windows that overlap by 'window.overlap', "
    "average their logits with the weights 'window.weight', cut the padding off",
    "apply 'output.activation' over the channels and bring the probabilities back to the image's grid",
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
        "order": _ORDER,
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
    steps = "\n".join(f"{n}. {step}" for n, step in enumerate(_ORDER, 1))
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
