"""ModelBundle: a model's folder, in the layout of a MONAI Bundle. Opening one reads numbers and text and runs nothing.

configs/metadata.json    MONAI's keys and DeepSeg's ModelSpec (key 'deepseg')
configs/inference.json   for stock MONAI alone; DeepSeg never reads it
models/*.safetensors     weights, each with its sha256 in the spec
models/golden.npz        a phantom and the probabilities the model must give for it
configs/calibration.json what held-out cases taught about its answers, where it was calibrated; its sha256 is in the spec
docs/README.md, LICENSE  model card and licence of the weights
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from deepseg.errors import ModelError
from deepseg.spec import ModelSpec

if TYPE_CHECKING:
    import torch
    from torch import nn

METADATA_FILE = Path("configs/metadata.json")
CALIBRATION_FILE = Path("configs/calibration.json")


@dataclass(frozen=True)
class ModelBundle:
    """An opened model: its spec and where its files lie."""

    spec: ModelSpec
    folder: Path

    @staticmethod
    def load(folder: str | Path) -> ModelBundle:
        """Open a model and check that its weight files are those it was made with.

        Raises:
            ModelError: a file is missing or altered, the spec is not valid, or it is from a newer DeepSeg.
        """
        folder = Path(folder)
        bundle = ModelBundle(read_spec(folder), folder)
        for name, expected in bundle.spec.weights.items():
            path = bundle.weights_path(name)
            if not path.is_file():
                raise ModelError(lacks(folder, f"weight file models/{name}"))
            if sha256_of(path) != expected:
                raise ModelError(
                    f"The weight file models/{name} of the model {folder} is damaged or altered: its SHA-256 is not the one the model was made with. "
                    "Get the model again."
                )
        return bundle

    @staticmethod
    def save(
        folder: Path, spec: ModelSpec, members: Mapping[str, Mapping[str, torch.Tensor]], model_card: str, licence: str, **settings: Any
    ) -> ModelBundle:
        """Write a new model folder and prove it against its golden file; see `deepseg.bundle_writer.save_bundle`."""
        from deepseg.bundle_writer import save_bundle

        return save_bundle(folder, spec, members, model_card, licence, **settings)

    @property
    def sha256(self) -> str:
        """Hash of the spec, which holds the hashes of the weights: equal for equal models."""
        return hashlib.sha256(json.dumps(self.spec.to_json(), sort_keys=True).encode()).hexdigest()

    def weights_path(self, name: str) -> Path:
        return self.folder / "models" / name

    def build_network(self, member: int = 0, device: str | torch.device = "cpu") -> nn.Module:
        """The network with the weights of one member, float32, in evaluation mode.

        Raises:
            ModelError: the network is unknown here, or the weights do not fit it.
        """
        from safetensors import SafetensorError
        from safetensors.torch import load_file

        from deepseg.compact_weights import full_weights
        from deepseg.networks import build_network, load_stored

        name = list(self.spec.weights)[member]
        network = build_network(self.spec.network.name, self.spec.network.kwargs)
        try:
            load_stored(network, full_weights(load_file(self.weights_path(name))))
        except (SafetensorError, OSError) as error:
            raise ModelError(f"The weight file models/{name} of the model {self.folder} cannot be read: {str(error).splitlines()[0]}") from error
        except ModelError as error:
            raise ModelError(f"The model {self.folder} is damaged. {error}") from error
        return network.to(device).eval()


def read_spec(folder: Path) -> ModelSpec:
    """Read and check a model's spec alone.

    Raises:
        ModelError: there is no such model, or its metadata is damaged or from a newer DeepSeg.
    """
    return ModelSpec.from_json(read_section(folder), str(folder / METADATA_FILE))


def read_section(folder: Path) -> Any:
    """The `deepseg` section of a model's metadata as it is, unchecked; needs nothing but Python.

    Raises:
        ModelError: there is no such model, or its metadata cannot be read.
    """
    path = folder / METADATA_FILE
    if not path.is_file():
        raise ModelError(f"{folder} is not a DeepSeg model: it lacks the file configs/metadata.json.")
    try:
        metadata = json.loads(path.read_text(encoding="utf-8"), parse_constant=_refuse_constant)
    except (OSError, ValueError, RecursionError) as error:
        raise ModelError(f"{path} cannot be read: {error}. Get the model again.") from error
    if not isinstance(metadata, dict) or "deepseg" not in metadata:
        raise ModelError(f"{path} has no 'deepseg' section: this is a MONAI bundle that DeepSeg cannot run.")
    return metadata["deepseg"]


def lacks(folder: Path, what: str) -> str:
    """The sentence about a file that is not there."""
    return f"The model {folder} lacks its {what}. Get the model again."


def read_calibration(folder: Path, sha256: str) -> Any:
    """The content of a model's calibration file, unchecked but for its hash; needs nothing but Python.

    Raises:
        ModelError: the file is missing, altered, or no JSON.
    """
    path = folder / CALIBRATION_FILE
    try:
        content = path.read_bytes()
        if hashlib.sha256(content).hexdigest() != sha256:
            raise ModelError(f"{path} is damaged or altered: its SHA-256 is not the one the model was made with. Get the model again.")
        return json.loads(content)
    except (OSError, ValueError, RecursionError) as error:
        raise ModelError(f"{path} cannot be read: {error}. Get the model again.") from error


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is not a number")


def sha256_of(path: Path) -> str:
    """SHA-256 of a file, as hexadecimal text."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()
