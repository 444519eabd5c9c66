"""An ONNX file whose convolutions compute in 8 bits: weights by output channel, activations by ranges seen in training cases.

Post-training static quantisation (Jacob et al. 2018, "Quantization and training of neural networks for efficient integer-arithmetic-only inference")
by ONNX Runtime's own tool. Transposed convolutions, norms and everything else stay in float32: ONNX Runtime has no 8-bit code for them.
"""

from __future__ import annotations

import io
import itertools
import tempfile
from collections.abc import Sequence
from contextlib import redirect_stdout
from pathlib import Path

import numpy as np

from deepseg.inference import pad_to_window, window_at
from deepseg.preprocessing import prepare
from deepseg.spec import ModelSpec
from deepseg.windows import all_starts
from deepseg_train.data.cases import Case, naming
from deepseg_train.errors import ConfigError
from deepseg_train.variants.onnx_export import network_input
from deepseg_train.variants.onnx_network import INPUT

CALIBRATION_CASES = 16

_PERCENTILE = 99.99
"""Of the activations that keep their value; the few beyond are cut. Measured on hippocampus-mr 1.0.1: cutting nothing doubles the differences."""


def calibration_windows(cases: Sequence[Case], spec: ModelSpec) -> list[np.ndarray]:
    """What the network sees, float32 (1, C, ...), of some cases: of each the window with the largest variance, so that none is of air alone.

    Raises:
        ConfigError: there is no case.
        DatasetError: a case cannot be read.
    """
    if not cases:
        raise ConfigError("8-bit ONNX needs cases to learn the range of activations from; the split has none in its part 'train'.")
    places = np.linspace(0, len(cases) - 1, min(len(cases), CALIBRATION_CASES)).round().astype(int)
    return [_telling_window(cases[place], spec) for place in places]


def _telling_window(case: Case, spec: ModelSpec) -> np.ndarray:
    with naming(case):
        image, _ = pad_to_window(prepare(case.read_image(), spec).tensor, spec.window)
    corners = itertools.product(*all_starts(tuple(image.shape[1:]), spec.window))
    window = max((window_at(image, corner, spec.window) for corner in corners), key=lambda window: float(window.var()))
    return network_input(window[None], spec).contiguous().numpy()


def quantise(source: Path, windows: Sequence[np.ndarray], target: Path) -> None:
    """Write the 8-bit form of an ONNX file.

    The convolutions next to the image and to the logits stay in float32: they cost little, and rounding there costs most.

    Args:
        source: ONNX file in float32.
        windows: what its network sees, float32 (1, C, ...).
        target: file to write.
    """
    import onnx
    from onnxruntime.quantization import CalibrationDataReader, CalibrationMethod, QuantFormat, QuantType, quantize_static
    from onnxruntime.quantization.shape_inference import quant_pre_process

    class Reader(CalibrationDataReader):
        """Hands out windows one by one, so that the activations of one alone are in memory."""

        def __init__(self) -> None:
            self._left = list(windows)

        def __len__(self) -> int:
            return len(windows)

        def set_range(self, start_index: int, end_index: int) -> None:
            self._left = list(windows[start_index:end_index])

        def get_next(self) -> dict[str, np.ndarray] | None:
            return {INPUT: self._left.pop(0)} if self._left else None

    with tempfile.TemporaryDirectory(prefix="onnx-") as work, redirect_stdout(io.StringIO()):
        prepared = Path(work) / "prepared.onnx"
        quant_pre_process(str(source), str(prepared))
        quantize_static(
            prepared,
            target,
            Reader(),
            quant_format=QuantFormat.QDQ,
            op_types_to_quantize=["Conv"],
            per_channel=True,
            activation_type=QuantType.QUInt8,
            weight_type=QuantType.QInt8,
            nodes_to_exclude=_outermost(onnx.load(prepared).graph),
            calibrate_method=CalibrationMethod.Percentile,
            extra_options={"CalibPercentile": _PERCENTILE, "CalibStridedMinMax": 1},
        )


def _outermost(graph: object) -> list[str]:
    """Names of the convolutions that read the image or write the logits."""
    ends = {value.name for value in (*graph.input, *graph.output)}
    return [node.name for node in graph.node if node.op_type == "Conv" and ends & {*node.input, *node.output}]
