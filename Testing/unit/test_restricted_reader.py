"""A checkpoint is opened only by a PyTorch whose restricted reader has no known hole."""

import os

import pytest
import torch
from safetensors.torch import save_file
from torch.torch_version import TorchVersion

from deepseg.errors import ModelError
from deepseg.importers import restricted_reader
from deepseg.importers.monai_weights import read_arrays, read_state
from deepseg.importers.nnunet_checkpoint import read_checkpoint

READERS = {"weights of MONAI": read_state, "arrays of MONAI": read_arrays, "checkpoint of nnU-Net": read_checkpoint}


class Trap:
    def __reduce__(self):
        return os.mkdir, ("code was run",)


@pytest.fixture
def pytorch(monkeypatch):
    """Takes the place of the installed version's number."""
    return lambda version: monkeypatch.setattr(restricted_reader.torch, "__version__", TorchVersion(version))


@pytest.mark.parametrize("version", ["2.4.1+cpu", "2.5.1", "2.6.0", "2.9.1+cu126"])
@pytest.mark.parametrize("reader", READERS)
def test_an_older_pytorch_does_not_open_a_checkpoint(reader, version, pytorch, tmp_path):
    torch.save({"a": torch.zeros(2)}, tmp_path / "model.pt")
    pytorch(version)
    with pytest.raises(ModelError, match=r"model\.pt is not opened: PyTorch .* Install PyTorch 2\.10 or newer"):
        READERS[reader](tmp_path / "model.pt")


@pytest.mark.parametrize("version", ["2.10.0", "2.10.0+cpu", "2.13.1", "3.0.0"])
def test_a_newer_pytorch_opens_it(version, pytorch, tmp_path):
    torch.save({"a": torch.arange(3)}, tmp_path / "model.pt")
    pytorch(version)
    assert read_state(tmp_path / "model.pt")["a"].tolist() == [0, 1, 2]


def test_weights_in_safetensors_need_no_newer_pytorch(pytorch, tmp_path):
    save_file({"a": torch.arange(3)}, tmp_path / "model.safetensors")
    pytorch("2.4.0")
    assert read_state(tmp_path / "model.safetensors")["a"].tolist() == [0, 1, 2]


@pytest.mark.parametrize("reader", READERS)
def test_what_could_run_code_is_refused_and_not_made(reader, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    torch.save({"a": Trap()}, tmp_path / "model.pt")
    with pytest.raises(ModelError, match=r"asks for '?(posix|nt)\.mkdir"):
        READERS[reader](tmp_path / "model.pt")
    assert not (tmp_path / "code was run").exists()


def test_the_list_of_safe_names_is_as_before(tmp_path):
    torch.save({"a": Trap()}, tmp_path / "model.pt")
    before = set(torch.serialization.get_safe_globals())
    for read in READERS.values():
        with pytest.raises(ModelError):
            read(tmp_path / "model.pt")
    assert set(torch.serialization.get_safe_globals()) == before
