"""Writing a ModelBundle, the only way a model file comes into being."""

from __future__ import annotations

import hashlib
import json
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import save_file

from deepseg.bundle import CALIBRATION_FILE, ModelBundle, sha256_of
from deepseg.compact_weights import stored_weights
from deepseg.errors import ModelError, OutputError
from deepseg.golden import GOLDEN_FILE, check_golden, write_golden
from deepseg.networks import build_network, stored_names
from deepseg.spec import ModelSpec
from deepseg.stock_monai import inference_config

TRUST_HEADING, STOCK_HEADING = "## How far it can be trusted", "## Stock MONAI"
"""Parts of a model card that are written here."""


def save_bundle(
    folder: Path,
    spec: ModelSpec,
    members: Mapping[str, Mapping[str, torch.Tensor]],
    model_card: str,
    licence: str,
    dtype: torch.dtype = torch.float16,
) -> ModelBundle:
    """Write a model folder and prove it: it is opened again from disk and must reproduce its golden file.

    Args:
        folder: must not exist; it appears whole or not at all.
        spec: its `weights` are filled in here.
        members: state dict by file name, for example 'model.safetensors'.
        model_card: Markdown for docs/README.md; what stock MONAI cannot run is told in it.
        licence: text of LICENSE, which is that of the weights.
        dtype: in which the weights are stored: a float type, or int8 (see `deepseg.compact_weights`).

    Raises:
        OutputError: the folder exists or cannot be written.
        ModelError: the spec is not valid, or the model read back does not give what it gave when written.
    """
    refuse_existing(folder)
    # Names and figures are checked before anything is written; the hashes follow.
    ModelSpec.from_json(replace(spec, weights=dict.fromkeys(members, "0" * 64)).to_json(), "The new model")
    try:
        with _appearing(folder) as work:
            _write(work, spec, members, model_card, licence, dtype)
    # safetensors has an error of its own for a full disk.
    except (OSError, SafetensorError) as error:
        raise OutputError(f"Cannot write the model {folder}: {error}.") from error
    return ModelBundle.load(folder)


def add_calibration(bundle: ModelBundle, calibration: dict[str, Any], folder: Path, told: str = "") -> ModelBundle:
    """Write a copy of a model with what held-out cases taught about its answers; nothing else in it changes.

    Args:
        bundle: the model.
        calibration: content of the file, see `deepseg.uncertainty.calibration`.
        folder: must not exist; it appears whole or not at all.
        told: Markdown for the model card, in place of what an earlier calibration wrote there.

    Raises:
        OutputError: the folder exists or cannot be written.
        ModelError: the copy cannot be read back.
    """
    refuse_existing(folder)
    content = (json.dumps(calibration, ensure_ascii=False) + "\n").encode()
    spec = replace(bundle.spec, calibration_sha256=hashlib.sha256(content).hexdigest())
    try:
        with _appearing(folder) as work:
            shutil.copytree(bundle.folder, work, dirs_exist_ok=True)
            (work / CALIBRATION_FILE).write_bytes(content)
            card = (work / "docs" / "README.md").read_text(encoding="utf-8").partition(TRUST_HEADING)[0].rstrip()
            (work / "docs" / "README.md").write_text(f"{card}\n\n{TRUST_HEADING}\n{told}\n", encoding="utf-8")
            metadata = json.loads((work / "configs" / "metadata.json").read_text(encoding="utf-8"))
            _write_json(work / "configs" / "metadata.json", {**metadata, "deepseg": spec.to_json()})
            check_golden(ModelBundle.load(work))
    except OSError as error:
        raise OutputError(f"Cannot write the model {folder}: {error}.") from error
    return ModelBundle.load(folder)


def refuse_existing(folder: Path) -> None:
    """Refuse to write a model over what is there.

    Raises:
        OutputError: something is there, or the system does not let anyone see.
    """
    try:
        exists = folder.exists()
    except OSError as error:
        raise OutputError(f"Cannot write the model {folder}: {error}.") from error
    if exists:
        raise OutputError(f"{folder} exists already. Remove it or name another folder for the model.")


@contextmanager
def _appearing(folder: Path) -> Iterator[Path]:
    """An empty folder beside, which takes the name of `folder` at the end; what goes wrong leaves nothing."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    work = Path(tempfile.mkdtemp(prefix=".deepseg-", dir=folder.parent))
    try:
        yield work
        work.chmod(0o755)
        work.rename(folder)
    finally:
        shutil.rmtree(work, ignore_errors=True)


def _write(work: Path, spec: ModelSpec, members: Mapping[str, Mapping[str, torch.Tensor]], model_card: str, licence: str, dtype: torch.dtype) -> None:
    """Write the model's files into the empty folder `work` and prove them."""
    for name in ("configs", "models", "docs"):
        (work / name).mkdir()
    stored = stored_names(build_network(spec.network.name, spec.network.kwargs))
    for name, state in members.items():
        kept = {key: value for key, value in state.items() if key in stored}
        save_file(stored_weights(kept, dtype), work / "models" / name)
        # safetensors writes for the owner alone.
        (work / "models" / name).chmod(0o644)
    spec = replace(spec, weights={name: sha256_of(work / "models" / name) for name in members})
    _write_json(work / "configs" / "metadata.json", _metadata(spec))
    try:
        _write_json(work / "configs" / "inference.json", inference_config(spec, dtype == torch.int8))
    except ModelError as error:
        model_card = f"{model_card.rstrip()}\n\n{STOCK_HEADING}\nOnly DeepSeg runs this model, so it has no `configs/inference.json`. {error}\n"
    (work / "docs" / "README.md").write_text(model_card, encoding="utf-8")
    (work / "LICENSE").write_text(licence, encoding="utf-8")
    write_golden(ModelBundle.load(work), work / GOLDEN_FILE)
    check_golden(ModelBundle.load(work))


def _metadata(spec: ModelSpec) -> dict[str, object]:
    """MONAI's metadata keys, with DeepSeg's section."""
    images = {
        f"image{n or ''}": {
            "type": "image",
            "format": "magnitude",
            "modality": item.modality,
            "num_channels": 1,
            "spatial_shape": list(spec.window.size),
            "dtype": "float32",
            "value_range": [],
            "is_patch_data": True,
            "channel_def": {"0": item.name},
        }
        for n, item in enumerate(spec.inputs)
    }
    names = [] if spec.overlapping else ["background"]
    classes = {str(n): name for n, name in enumerate([*names, *(label.name for label in spec.labels)])}
    output = {
        "type": "probabilities",
        "format": "segmentation",
        "num_channels": spec.channel_count,
        "spatial_shape": list(spec.window.size),
        "dtype": "float32",
        "value_range": [0, 1],
        "is_patch_data": True,
        "channel_def": classes,
    }
    return {
        "version": spec.version,
        "changelog": {spec.version: "see docs/README.md"},
        "monai_version": version("monai"),
        "pytorch_version": version("torch").split("+")[0],
        "numpy_version": version("numpy"),
        "required_packages_version": {"safetensors": version("safetensors"), "nibabel": "5", "pytorch-ignite": "0.5"},
        "name": spec.title,
        "task": spec.summary,
        "description": spec.summary,
        "authors": str(spec.provenance.get("authors", "DeepSeg contributors")),
        "copyright": spec.licence,
        "intended_use": spec.intended_use,
        "network_data_format": {"inputs": images, "outputs": {"pred": output}},
        "deepseg": spec.to_json(),
    }


def _write_json(path: Path, content: dict[str, object]) -> None:
    path.write_text(json.dumps(content, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
