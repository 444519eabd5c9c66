"""`deepseg import monai`: a segmentation bundle of MONAI becomes a DeepSeg model that gives stock MONAI's probabilities.

configs/inference.json (or .yaml)   network, preprocessing, inferer, postprocessing; read, never run
configs/metadata.json               what goes in and comes out
models/model.pt                     weights, read as tensors and numbers alone
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from deepseg import __version__
from deepseg.bundle import ModelBundle, sha256_of
from deepseg.bundle_writer import refuse_existing
from deepseg.errors import ModelError
from deepseg.importers.monai_archive import bundle_root, opened
from deepseg.importers.monai_arguments import transforms_of
from deepseg.importers.monai_card import licence_of, model_card
from deepseg.importers.monai_config import BundleConfig, read_config
from deepseg.importers.monai_limits import shown
from deepseg.importers.monai_metadata import kept_labels, model_id, read_inputs, read_labels, text
from deepseg.importers.monai_network import channel_counts, read_network, spatial_dims
from deepseg.importers.monai_output import read_output, read_window
from deepseg.importers.monai_transforms import read_preprocessing
from deepseg.importers.monai_weights import read_arrays, read_state
from deepseg.networks import build_network, stored_names
from deepseg.spec import ModelSpec, OutputSpec, ResamplingSpec

_CONFIGS = ("inference.json", "inference.yaml", "inference.yml")


def import_monai(source: Path, output: Path, wanted_id: str | None = None) -> ModelBundle:
    """Write the model of a bundle; see `deepseg.api.import_monai`."""
    refuse_existing(output)
    if not source.exists():
        raise ModelError(f"{source} does not exist; name the folder or zip file of a MONAI bundle.")
    with opened(source) as folder:
        root = bundle_root(folder)
        name = root.name if root != folder else source.stem
        spec, weights = read_bundle(root, name, wanted_id)
        state = _fitting(read_state(weights), spec, weights)
        _, licence = licence_of(root, {})
        return ModelBundle.save(output, spec, {"model.safetensors": state}, model_card(spec, root), licence, dtype=torch.float32)


def read_bundle(root: Path, name: str, wanted_id: str | None = None) -> tuple[ModelSpec, Path]:
    """A bundle's spec, whose provenance tells where DeepSeg differs, and its weight file; `name` is the folder's or the archive's.

    Raises:
        ModelError: the bundle is damaged, or needs what DeepSeg does not have; the part is named.
    """
    metadata = read_config(root / "configs" / "metadata.json")
    path = next((path for file in _CONFIGS if (path := root / "configs" / file).is_file()), None)
    if path is None:
        raise ModelError(f"{root} lacks configs/inference.json (or .yaml), which tells how the bundle segments; get the bundle again.")
    if not isinstance(metadata, dict):
        raise ModelError(f"{root / 'configs' / 'metadata.json'} does not hold a dictionary; get the bundle again.")
    content = read_config(path)
    if isinstance(content, dict):
        # Paths in the config begin at the bundle, wherever it was when the config was written.
        content = {**content, "_meta_": metadata, "bundle_root": "."}
    config = BundleConfig(content, f"configs/{path.name}", lambda named: read_arrays(_inside(root, named)))

    network = read_network(config)
    inputs, answers = channel_counts(network)
    preprocessing = read_preprocessing(transforms_of(_optional(config, "preprocessing"), "preprocessing"), inputs)
    window = read_window(_optional(config, "inferer"), spatial_dims(network))
    output = read_output(transforms_of(_optional(config, "postprocessing"), "postprocessing"), answers)
    labels, unnamed = read_labels(metadata, output, answers)
    differences = [*output.notes, *unnamed]
    weights = _inside(root, _checkpoint(config))
    told = ("authors", "data_source", "eval_metrics", "monai_version")
    spec = ModelSpec(
        id=wanted_id or model_id(metadata, name),
        title=text(metadata, "name", name),
        summary=text(metadata, "description", text(metadata, "task", f"Segments {', '.join(label.name for label in labels)}.")),
        version=text(metadata, "version", "1"),
        inputs=read_inputs(metadata, preprocessing),
        labels=labels,
        orientation=preprocessing.orientation,
        spacing_mm=preprocessing.spacing_mm,
        network=network,
        window=window,
        licence=licence_of(root, metadata)[0],
        citation=text(metadata, "references"),
        intended_use=f"For research, not for clinical use. {text(metadata, 'intended_use', '')}".strip(),
        resampling=ResamplingSpec(normalise_first=preprocessing.normalise_first),
        output=OutputSpec(output.activation, keep_largest=kept_labels(output, labels)),
        provenance={
            "bundle": f"MONAI bundle {name}, version {text(metadata, 'version')}",
            **{key.replace("_", " "): text(metadata, key) for key in told if metadata.get(key)},
            "weights": f"{weights.name}, SHA-256 {sha256_of(weights)}" if weights.is_file() else weights.name,
            "imported by": f"DeepSeg {__version__}; weights as float32",
            **({"differences": differences} if differences else {}),
        },
    )
    return spec, weights


def _optional(config: BundleConfig, identity: str) -> Any:
    return config.get(identity) if identity in config else None


def _checkpoint(config: BundleConfig) -> str:
    """Path of the weights, as the bundle's CheckpointLoader has it; models/model.pt where it has none."""
    places = ["checkpointloader"]
    if "handlers" in config:
        places += [f"handlers::{n}" for n in range(100) if f"handlers::{n}" in config]
    for place in places:
        if f"{place}::load_path" in config:
            loader = config.raw(place)
            if isinstance(loader, dict) and str(loader.get("_target_")).rpartition(".")[2] == "CheckpointLoader":
                path = config.get(f"{place}::load_path")
                if isinstance(path, str):
                    return path
                raise ModelError(f"{config.source} has the checkpoint {shown(path)}, where a file's path was expected; it cannot be imported.")
    return "models/model.pt"


def _inside(root: Path, named: Any) -> Path:
    """A file that the config names, which must lie in the bundle.

    Raises:
        ModelError: it does not.
    """
    path = (root / str(named)).resolve()
    if not isinstance(named, str) or not path.is_relative_to(root.resolve()):
        raise ModelError(f"The bundle names the file {shown(named)}, which does not lie in it; it is not opened.")
    return path


def _fitting(state: Mapping[str, torch.Tensor], spec: ModelSpec, path: Path) -> dict[str, torch.Tensor]:
    """The state dict's part that the network stores.

    Raises:
        ModelError: the checkpoint lacks a tensor, has one of another shape, or is of another network.
    """
    network = build_network(spec.network.name, spec.network.kwargs)
    expected = network.state_dict()
    wrong = [name for name in expected if name not in state or state[name].shape != expected[name].shape]
    wrong += [name for name in state if name not in expected]
    if wrong:
        raise ModelError(
            f"{path.name} does not fit the bundle's network {spec.network.name}: {len(wrong)} tensors are missing, unknown or of another shape, "
            f"the first is '{wrong[0]}'. Get the bundle again, or import it with the MONAI version it was made for."
        )
    return {name: state[name] for name in stored_names(network)}
