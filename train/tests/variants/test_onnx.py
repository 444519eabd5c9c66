"""The ONNX file answers as the model does, for someone who has nothing but the file and the JSON beside it."""

import json
from dataclasses import replace

import numpy as np
import pytest
import torch

pytest.importorskip("onnx", reason="needs the extra 'onnx' of deepseg-train")
ort = pytest.importorskip("onnxruntime", reason="needs the extra 'onnx' of deepseg-train")
pytest.importorskip("onnxscript", reason="needs the extra 'onnx' of deepseg-train")

import onnx  # noqa: E402

from deepseg.errors import ModelError  # noqa: E402
from deepseg.prediction import predict  # noqa: E402
from deepseg.spec import NetworkSpec, WindowSpec  # noqa: E402
from deepseg_train.errors import ConfigError  # noqa: E402
from deepseg_train.variants.kinds import KINDS  # noqa: E402
from deepseg_train.variants.onnx_export import export_onnx  # noqa: E402
from deepseg_train.variants.onnx_folder import DESCRIPTION_FILE, write_onnx_folder  # noqa: E402
from deepseg_train.variants.onnx_int8 import calibration_windows, quantise  # noqa: E402
from deepseg_train.variants.onnx_network import OnnxBundle, OnnxNetwork  # noqa: E402


@pytest.fixture(scope="module")
def exported(model, tmp_path_factory):
    path = tmp_path_factory.mktemp("onnx") / "model.onnx"
    assert export_onnx(model, path) < 1e-3
    return path


def session(path):
    return ort.InferenceSession(path, providers=["CPUExecutionProvider"])


@pytest.mark.parametrize("count", [1, 2, 5])
def test_any_number_of_windows_at_a_time_gives_pytorchs_logits(count, model, exported):
    windows = torch.randn((count, 1, 16, 16, 16), generator=torch.Generator().manual_seed(3))
    (logits,) = session(exported).run(["logits"], {"image": windows.numpy()})
    with torch.inference_mode():
        expected = model.build_network()(windows).numpy()
    assert np.ptp(expected) > 1
    np.testing.assert_allclose(logits, expected, atol=1e-4)


def test_the_file_is_one_file_that_onnx_finds_valid(exported):
    assert [path.name for path in exported.parent.iterdir()] == ["model.onnx"]
    onnx.checker.check_model(str(exported), full_check=True)


def test_the_json_and_the_file_suffice_for_the_models_probabilities(model, exported, cases):
    """Read with numpy and ONNX Runtime alone: an image on the model's own grid, smaller than twice the window."""
    write_onnx_folder(model, KINDS["onnx"], exported, exported.parent, "## This variant\n")
    told = json.loads((exported.parent / DESCRIPTION_FILE).read_text(encoding="utf-8"))
    for name in (DESCRIPTION_FILE, "README.md", "LICENSE"):
        (exported.parent / name).rename(exported.parent.parent / name)
    volume, _ = cases[0].read(model.spec)
    assert (told["orientation"], told["spacing_mm"], told["crop"]) == ("RAS", [1.0, 1.0, 1.0], "none")
    assert told["inputs"][0]["steps"] == [{"scheme": "zscore", "parameters": {}}]
    assert "Mean 0 and standard deviation 1" in told["schemes"]["zscore"]
    image = (volume.array - volume.array.mean()) / volume.array.std()
    size, overlap = told["window"]["size"], told["window"]["overlap"]
    assert told["network_input"]["shape"] == ["batch", 1, *size]
    weight = np.ones(())
    for length in size:
        at = np.arange(length) - (length - 1) / 2
        weight = np.multiply.outer(weight, np.exp(-(at**2) / 2 / (0.125 * length) ** 2))
    weight = np.maximum(weight, 1e-3)
    total, weights = np.zeros((3, *image.shape[1:])), np.zeros(image.shape[1:])
    steps = [
        [min(n, length - s) for n in range(0, length - s + round(s * (1 - overlap)), round(s * (1 - overlap)))]
        for length, s in zip(image.shape[1:], size, strict=True)
    ]
    for corner in np.array(np.meshgrid(*steps)).reshape(3, -1).T:
        where = tuple(slice(c, c + s) for c, s in zip(corner, size, strict=True))
        (logits,) = session(exported).run(["logits"], {"image": image[(slice(None), *where)][None].astype(np.float32)})
        total[(slice(None), *where)] += weight * logits[0]
        weights[where] += weight
    exponents = np.exp(total / weights)
    np.testing.assert_allclose(exponents / exponents.sum(0), predict(volume, model, precision="float32").probabilities, atol=1e-4)


def test_it_runs_on_deepsegs_own_road(model, exported, cases):
    volume, _ = cases[1].read(model.spec)
    ours = predict(volume, model, precision="float32").probabilities
    theirs = predict(volume, OnnxBundle.of(model, exported), precision="float32", device="cpu").probabilities
    np.testing.assert_allclose(theirs, ours, atol=1e-4)


@pytest.fixture(scope="module")
def slices(make_model, spec):
    """Two members, each of which sees a slice and its two neighbours."""
    kwargs = {"spatial_dims": 2, "in_channels": 3, "out_channels": 3, "channels": [4, 8], "strides": [2]}
    return make_model(replace(spec, id="slices", network=NetworkSpec("UNet", kwargs), window=WindowSpec((16, 16, 1), slice_context=1)), seeds=(1, 2))


@pytest.fixture(scope="module")
def exported_slices(slices, tmp_path_factory):
    path = tmp_path_factory.mktemp("onnx") / "slices.onnx"
    export_onnx(slices, path)
    return path


def test_members_of_an_ensemble_are_averaged(slices, exported_slices):
    windows = torch.randn((2, 3, 16, 16), generator=torch.Generator().manual_seed(3))
    (logits,) = session(exported_slices).run(["logits"], {"image": windows.numpy()})
    with torch.inference_mode():
        first, second = (slices.build_network(member)(windows).numpy() for member in range(2))
    assert np.abs(first - second).max() > 0.1
    np.testing.assert_allclose(logits, (first + second) / 2, atol=1e-4)


def test_a_network_of_slices_takes_its_neighbours_as_channels(slices, exported_slices, cases):
    assert [side.dim_value for side in onnx.load(exported_slices).graph.input[0].type.tensor_type.shape.dim[1:]] == [3, 16, 16]
    volume, _ = cases[0].read(slices.spec)
    theirs = predict(volume, OnnxBundle.of(slices, exported_slices), precision="float32", device="cpu").probabilities
    np.testing.assert_allclose(theirs, predict(volume, slices, precision="float32").probabilities, atol=1e-4)
    assert calibration_windows(cases[:1], slices.spec)[0].shape == (1, 3, 16, 16)


def test_a_file_that_is_none_is_refused(tmp_path):
    (tmp_path / "model.onnx").write_bytes(b"nothing")
    with pytest.raises(ModelError, match="cannot be opened"):
        OnnxNetwork(tmp_path / "model.onnx")


@pytest.fixture(scope="module")
def quantised(model, exported, cases, tmp_path_factory):
    path = tmp_path_factory.mktemp("int8") / "model.onnx"
    quantise(exported, calibration_windows(cases, model.spec), path)
    return path


def test_inner_convolutions_are_in_8_bits_and_the_outermost_are_not(exported, quantised):
    before, after = (onnx.load(path).graph for path in (exported, quantised))
    stored = {tensor.name: tensor.data_type for tensor in after.initializer}
    made = {node.output[0]: node for node in after.node}
    eight_bits = []
    for node in after.node:
        if node.op_type == "Conv":
            source = made.get(node.input[1])
            eight_bits.append(source is not None and stored.get(source.input[0]) == onnx.TensorProto.INT8)
    outermost = sum(node.op_type == "Conv" and bool({"image", "logits"} & {*node.input, *node.output}) for node in before.node)
    assert outermost >= 2
    assert eight_bits.count(False) == outermost
    assert eight_bits.count(True) == sum(node.op_type == "Conv" for node in before.node) - outermost > 4


def test_it_answers_nearly_as_the_model(model, quantised, cases):
    volume, _ = cases[5].read(model.spec)
    ours = predict(volume, model, precision="float32").probabilities
    theirs = predict(volume, OnnxBundle.of(model, quantised), precision="float32", device="cpu").probabilities
    assert 0 < np.abs(theirs - ours).mean() < 0.02


def test_ranges_are_percentiles_of_the_activations_in_the_windows(model, exported, quantised, cases, tmp_path):
    """The first map that is rounded, computed by the float32 file."""
    graph = onnx.load(quantised).graph
    first = next(node for node in graph.node if node.op_type == "QuantizeLinear" and node.input[0] == "leaky_relu")
    constants = {tensor.name: onnx.numpy_helper.to_array(tensor) for tensor in graph.initializer}
    scale, zero = (float(constants[name]) for name in first.input[1:])
    told = onnx.load(exported)
    told.graph.output.append(onnx.helper.make_tensor_value_info("leaky_relu", onnx.TensorProto.FLOAT, None))
    onnx.save(told, tmp_path / "told.onnx")
    seen = session(tmp_path / "told.onnx")
    maps = [seen.run(["leaky_relu"], {"image": window})[0] for window in calibration_windows(cases, model.spec)]
    low, high = np.percentile(np.stack(maps), [0.01, 99.99])
    # 0 must be one of the 256 steps, which moves both ends by up to one.
    assert -zero * scale == pytest.approx(low, abs=scale)
    assert (255 - zero) * scale == pytest.approx(high, abs=2 * scale)


def test_calibration_takes_the_window_that_tells_most(model, cases, tmp_path):
    windows = calibration_windows(cases[:3], model.spec)
    assert [window.shape for window in windows] == [(1, 1, 16, 16, 16)] * 3
    volume, _ = cases[0].read(model.spec)
    image = (volume.array - volume.array.mean()) / volume.array.std()
    assert windows[0].var() > image[0, :16, :16, :16].var()
    assert windows[0].max() == pytest.approx(image.max(), abs=0.5)


def test_calibration_needs_a_case(model):
    with pytest.raises(ConfigError, match="needs cases to learn the range"):
        calibration_windows([], model.spec)
