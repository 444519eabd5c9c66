"""A checkpoint is a pickle. Numbers and text come out of it; whatever else is in it is not run."""

import builtins
import importlib
import os
import pickle
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch

from deepseg import api, cli
from deepseg.errors import ModelError
from deepseg.importers.nnunet_checkpoint import read_checkpoint
from nnunet_folders import PLANS, their_network, write_checkpoint, write_folder

pytest.importorskip("nnunetv2", reason="needs nnU-Net: Testing/requirements-nnunet.txt")


class Trap:
    """Unpickling it calls a function."""

    def __init__(self, function, *arguments) -> None:
        self.call = function, arguments

    def __reduce__(self):
        return self.call


@pytest.fixture
def marker(tmp_path) -> Path:
    """A file that must not come into being."""
    return tmp_path / "code was run"


@pytest.fixture
def network():
    return their_network(PLANS["configurations"]["3d_fullres"], 1, 3)


def globals_of(path: Path) -> set[str]:
    """What a checkpoint's pickle asks for, read from its opcodes."""
    import pickletools

    with zipfile.ZipFile(path) as archive:
        (name,) = (name for name in archive.namelist() if name.endswith("data.pkl"))
        return {argument.replace(" ", ".") for opcode, argument, _ in pickletools.genops(archive.read(name)) if opcode.name == "GLOBAL"}


def rewritten(path: Path, old: bytes, new: bytes) -> None:
    """The same checkpoint with other words in its pickle."""
    with zipfile.ZipFile(path) as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    assert any(old in content for name, content in parts.items() if name.endswith("data.pkl"))
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as archive:
        for name, content in parts.items():
            archive.writestr(name, content.replace(old, new) if name.endswith("data.pkl") else content)


@pytest.mark.parametrize("module", ["numpy._core", "numpy.core"], ids=["NumPy 2", "NumPy 1"])
def test_a_checkpoint_with_numpys_numbers_in_its_log_is_read(module, network, tmp_path):
    path = tmp_path / "checkpoint_final.pth"
    write_checkpoint(path, network)
    rewritten(path, b"numpy._core", module.encode())
    assert {f"{module}.multiarray.scalar", "numpy.dtype", "torch.device"} <= globals_of(path)
    checkpoint = read_checkpoint(path)
    assert (checkpoint.trainer, checkpoint.configuration, checkpoint.mirror_axes) == ("nnUNetTrainer", "3d_fullres", (0, 2))
    for name, tensor in network.state_dict().items():
        torch.testing.assert_close(checkpoint.weights[name], tensor, rtol=0, atol=0)


def test_pytorchs_list_of_safe_names_is_as_before(network, tmp_path):
    write_checkpoint(tmp_path / "checkpoint.pth", network)
    torch.save(Trap(os.getcwd), tmp_path / "trap.pth")
    with torch.serialization.safe_globals([Trap]):
        before = set(torch.serialization.get_safe_globals())
        assert Trap in before
        read_checkpoint(tmp_path / "checkpoint.pth")
        assert set(torch.serialization.get_safe_globals()) == before
        with pytest.raises(ModelError):
            read_checkpoint(tmp_path / "trap.pth")
        assert set(torch.serialization.get_safe_globals()) == before


def test_a_trap_works_where_it_is_opened_carelessly(marker, tmp_path):
    torch.save(Trap(Path.touch, marker), tmp_path / "trap.pth")
    torch.load(tmp_path / "trap.pth", weights_only=False)
    assert marker.exists()


@pytest.mark.parametrize("where", ["trainer_name", "logging", "optimizer_state", "network_weights", "init_args", "nowhere else"])
@pytest.mark.parametrize(
    ("function", "named"),
    [
        ("os.system", r"(posix|nt)\.system"),
        ("builtins.eval", "eval"),
        ("builtins.exec", "exec"),
        ("builtins.__import__", "__import__"),
        ("subprocess.getoutput", r"(subprocess|commands)\.getoutput"),
        ("importlib.import_module", r"importlib\.import_module"),
        ("numpy.load", "numpy.load"),
        ("torch.load", r"torch\.serialization\.load"),
    ],
)
def test_a_malicious_checkpoint_is_refused_by_the_name_of_what_it_asks_for(function, named, where, network, marker, tmp_path):
    module, name = function.rsplit(".", 1)
    arguments = {"eval": f"open({str(marker)!r}, 'w')", "exec": f"open({str(marker)!r}, 'w')"}.get(name, f"touch '{marker}'")
    trap = Trap(getattr(builtins if module == "builtins" else importlib.import_module(module), name), arguments)
    if where == "nowhere else":
        torch.save(trap, tmp_path / "checkpoint.pth")
    else:
        write_checkpoint(tmp_path / "checkpoint.pth", network, **{where: trap})
    with pytest.raises(ModelError, match=rf"checkpoint\.pth is refused: it asks for '{named}'") as caught:
        read_checkpoint(tmp_path / "checkpoint.pth")
    assert not marker.exists()
    assert "\n" not in str(caught.value)


def test_a_plain_pickle_is_refused_and_not_opened(marker, tmp_path):
    """As PyTorch wrote them before 1.6."""
    (tmp_path / "checkpoint.pth").write_bytes(pickle.dumps(Trap(Path.touch, marker)))
    with pytest.raises(ModelError, match=r"checkpoint\.pth"):
        read_checkpoint(tmp_path / "checkpoint.pth")
    assert not marker.exists()


@pytest.mark.parametrize("attribute", ["dtype", "_core.multiarray.scalar"])
def test_what_stands_in_for_numpys_numbers_does_nothing(attribute, network, marker, tmp_path, monkeypatch):
    """Even where somebody put a trap in NumPy's own place."""
    write_checkpoint(tmp_path / "checkpoint.pth", network)
    owner, _, name = attribute.rpartition(".")
    original = getattr(np._core.multiarray if owner else np, name)
    monkeypatch.setattr(np._core.multiarray if owner else np, name, lambda *given: marker.touch() or original(*given))
    read_checkpoint(tmp_path / "checkpoint.pth")
    assert not marker.exists()


def test_a_stand_in_is_not_taken_for_a_value(network, tmp_path):
    for changes, reason in (
        ({"trainer_name": np.float64(1)}, "lacks the network's weights, its trainer"),
        ({"init_args": {"configuration": np.float64(1)}}, "its configuration"),
        ({"network_weights": {"encoder": np.float64(1)}}, "weights are not all tensors"),
        ({"inference_allowed_mirroring_axes": (np.int64(1),)}, "mirror axes"),
    ):
        write_checkpoint(tmp_path / "checkpoint.pth", network, **changes)
        with pytest.raises(ModelError, match=reason):
            read_checkpoint(tmp_path / "checkpoint.pth")


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04", b"no checkpoint at all", b"\x80\x02]."], ids=["empty", "half a zip", "text", "a list"])
def test_what_is_no_checkpoint_is_refused(content, tmp_path):
    (tmp_path / "checkpoint.pth").write_bytes(content)
    with pytest.raises(ModelError, match=r"checkpoint\.pth (cannot be read as|is not) a checkpoint"):
        read_checkpoint(tmp_path / "checkpoint.pth")


def test_a_checkpoint_cut_short_is_refused(network, tmp_path):
    path = tmp_path / "checkpoint.pth"
    write_checkpoint(path, network)
    path.write_bytes(path.read_bytes()[:-2000])
    with pytest.raises(ModelError, match="cannot be read as a checkpoint"):
        read_checkpoint(path)


def test_the_command_refuses_a_malicious_model_and_writes_nothing(marker, tmp_path, capsys):
    folder = write_folder(tmp_path / "folder", logging=Trap(Path.touch, marker))
    assert cli.main(["import", "nnunet", str(folder), "-o", str(tmp_path / "model")]) == cli.BAD_INPUT
    assert "fold_0/checkpoint_final.pth is refused: it asks for 'getattr'" in capsys.readouterr().err.replace(os.sep, "/")
    assert not marker.exists()
    assert not (tmp_path / "model").exists()
    with pytest.raises(ModelError):
        api.load_model(tmp_path / "model")
