"""Bundles of MONAI in zip files, good and bad."""

import stat
import zipfile
from pathlib import Path

import numpy as np
import pytest

from deepseg import api
from deepseg.errors import ModelError
from deepseg.importers import monai_archive


def zipped(folder: Path, inside: str = "bundle/") -> Path:
    path = folder.with_suffix(".zip")
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for file in folder.rglob("*"):
            archive.write(file, inside + file.relative_to(folder).as_posix())
    return path


@pytest.mark.parametrize("inside", ["", "bundle/"])
def test_a_zip_file_is_unpacked_and_tidied_away(inside, written, tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "temporary"))
    (tmp_path / "temporary").mkdir()
    bundle = api.import_monai(zipped(written(), inside), tmp_path / "out")
    assert bundle.spec.id == "test-bundle"
    assert list((tmp_path / "temporary").iterdir()) == []


@pytest.mark.parametrize("name", ["../evil.txt", "/evil.txt", "a/../../evil.txt", "..\\evil.txt", "C:evil.txt"])
def test_a_zip_file_cannot_reach_outside_itself(name, written, tmp_path):
    path = zipped(written())
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr(name, "evil")
    with pytest.raises(ModelError, match="lies outside the bundle"):
        api.import_monai(path, tmp_path / "out")
    assert not list(tmp_path.rglob("evil.txt"))


def test_links_in_a_zip_file_are_refused(written, tmp_path):
    path = zipped(written())
    entry = zipfile.ZipInfo("bundle/link")
    entry.external_attr = (stat.S_IFLNK | 0o777) << 16
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr(entry, "/etc/passwd")
    with pytest.raises(ModelError, match="is a link or a device"):
        api.import_monai(path, tmp_path / "out")


def test_a_zip_file_that_unpacks_to_too_much_is_refused(written, tmp_path, monkeypatch):
    path = zipped(written())
    monkeypatch.setattr(monai_archive, "MAX_BYTES", 1000)
    with pytest.raises(ModelError, match="unpacks to more than"):
        api.import_monai(path, tmp_path / "out")


@pytest.mark.parametrize("method", [zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA], ids=["deflate", "bzip2", "LZMA"])
def test_a_zip_file_damaged_inside_is_refused(method, tmp_path):
    path = tmp_path / "bundle.zip"
    with zipfile.ZipFile(path, "w", method) as archive:
        archive.writestr("bundle/weights", np.random.default_rng(0).bytes(9000))
    data = bytearray(path.read_bytes())
    data[200:240] = bytes(40)
    path.write_bytes(data)
    with pytest.raises(ModelError, match="cannot be unpacked"):
        api.import_monai(path, tmp_path / "out")


def test_a_zip_file_whose_names_are_no_text_is_refused(tmp_path):
    path = tmp_path / "bundle.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("bundle/é", "")
    path.write_bytes(path.read_bytes().replace("é".encode(), b"\xff\xff"))
    with pytest.raises(ModelError, match="cannot be unpacked"):
        api.import_monai(path, tmp_path / "out")


def test_what_is_unpacked_lies_in_a_folder_that_no_sweep_of_deepsegs_takes(written, tmp_path):
    with monai_archive.opened(zipped(written())) as folder:
        assert folder.name.startswith("monai-bundle-")


def test_a_damaged_zip_file_and_something_else_are_refused(written, tmp_path):
    path = zipped(written())
    data = bytearray(path.read_bytes())
    data[60:90] = bytes(30)
    path.write_bytes(data)
    with pytest.raises(ModelError, match="cannot be unpacked"):
        api.import_monai(path, tmp_path / "out")
    with pytest.raises(ModelError, match="neither a folder nor a zip file"):
        api.import_monai(written("other") / "LICENSE", tmp_path / "out")
