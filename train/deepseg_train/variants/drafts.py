"""Variants that reproduce their model's golden file, not yet measured."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from deepseg.bundle import ModelBundle
from deepseg.errors import ModelError, OutputError
from deepseg_train.data import Case
from deepseg_train.errors import ConfigError
from deepseg_train.variants.accuracy_change import RunSetup
from deepseg_train.variants.agreement import GoldenDifference, golden_difference
from deepseg_train.variants.kinds import Kind
from deepseg_train.variants.model_folder import save_model_folder
from deepseg_train.variants.onnx_export import export_onnx
from deepseg_train.variants.onnx_int8 import calibration_windows, quantise
from deepseg_train.variants.onnx_network import OnnxBundle


@dataclass(frozen=True)
class Draft:
    """A variant.

    Attributes:
        kind: which.
        setup: to run it.
        golden: differences from the model's golden file.
        logits: largest difference of a logit between ONNX Runtime and PyTorch; None where none is stored in float32 ONNX.
    """

    kind: Kind
    setup: RunSetup
    golden: GoldenDifference
    logits: float | None = None

    @property
    def files(self) -> list[Path]:
        """What its numbers are stored in."""
        bundle = self.setup.bundle
        return [bundle.file] if isinstance(bundle, OnnxBundle) else [bundle.weights_path(name) for name in bundle.spec.weights]


def make_drafts(model: ModelBundle, kinds: Sequence[Kind], seen: Sequence[Case], work: Path) -> tuple[list[Draft], dict[str, str]]:
    """Make variants below `work`, which exists.

    Args:
        model: the finished model.
        kinds: which variants.
        seen: training cases, from which 8-bit ONNX learns the range of activations.
        work: folder to make them in.

    Returns:
        Those that reproduce the model's golden file; and by name, why the others could not be made or do not.

    Raises:
        OutputError: files cannot be written.
        DatasetError: a training case cannot be read.
    """
    drafts, refused = [], {}
    onnx = _OnnxFiles(model, seen, work)
    for kind in kinds:
        logits = None
        try:
            if kind.dtype is not None:
                bundle = save_model_folder(model, kind, work / kind.name, {}, "")
            elif kind.name == "onnx":
                file, logits = onnx.full
                bundle = OnnxBundle.of(model, file)
            else:
                bundle = OnnxBundle.of(model, onnx.eight_bits())
            drafts.append(Draft(kind, RunSetup(kind.name, bundle), golden_difference(model, bundle, kind), logits))
        except OutputError:
            raise
        except (ConfigError, ModelError) as error:
            refused[kind.name] = str(error)
    return drafts, refused


class _OnnxFiles:
    """Writes a model's ONNX files, the one in float32 once for both."""

    def __init__(self, model: ModelBundle, seen: Sequence[Case], work: Path) -> None:
        self._model, self._seen, self._work = model, seen, work

    @cached_property
    def full(self) -> tuple[Path, float]:
        """The file in float32, and the largest difference of a logit."""
        file = self._work / "float32.onnx"
        return file, export_onnx(self._model, file)

    def eight_bits(self) -> Path:
        """The file whose convolutions compute in 8 bits."""
        windows = calibration_windows(self._seen, self._model.spec)
        file = self._work / "int8.onnx"
        quantise(self.full[0], windows, file)
        return file
