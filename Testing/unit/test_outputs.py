"""Results are written whole or not at all, and refused before the work where they cannot be."""

import errno
import os
import stat
from pathlib import Path

import numpy as np
import pytest

from deepseg.errors import OutputError
from deepseg.io import read_label_array, write_label_map
from deepseg.outputs import check_output, write_whole
from deepseg.volume import Label, LabelMap


@pytest.fixture
def a_label_map(oblique_grid):
    array = np.zeros(oblique_grid.shape, np.uint8)
    array[1:4, 2:6, 0] = 1
    array[5:, 7:, 4:] = 2
    return LabelMap(array, oblique_grid, (Label(1, "Front", (0.9, 0.6, 0.0)), Label(2, "Back", (0.0, 0.4, 0.7))))


@pytest.mark.parametrize("suffix", [".nii.gz", ".nii", ".nrrd", ".mha", ".seg.nrrd"])
def test_a_label_map_comes_back_as_whole_numbers_on_its_grid(suffix, a_label_map, tmp_path):
    path = tmp_path / f"labels{suffix}"
    write_label_map(a_label_map, path)
    array, geometry = read_label_array(path)
    assert array.dtype == np.uint8
    np.testing.assert_array_equal(array, a_label_map.array)
    assert geometry.is_close(a_label_map.geometry, 1e-4)


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("labels.txt", "its ending must be one of"),
        ("labels", "its ending must be one of"),
        ("labels.mhd", "its ending must be one of"),
        ("nowhere/labels.nrrd", "nowhere does not exist"),
        ("folder.nrrd", "a folder has that name"),
    ],
)
def test_a_result_that_cannot_be_written_is_refused_before_the_work(name, says, a_label_map, tmp_path):
    (tmp_path / "folder.nrrd").mkdir()
    with pytest.raises(OutputError, match=says):
        check_output(tmp_path / name)
    with pytest.raises(OutputError, match=says):
        write_label_map(a_label_map, tmp_path / name)
    assert [path.name for path in tmp_path.iterdir()] == ["folder.nrrd"]


def test_a_failed_write_leaves_the_old_file_and_nothing_else(tmp_path):
    path = tmp_path / "result.nrrd"
    path.write_text("old")

    def fill_and_fail(temporary: Path) -> None:
        temporary.write_text("half")
        raise OSError(28, "No space left on device")

    with pytest.raises(OutputError, match="No space left on device"):
        write_whole(path, fill_and_fail)
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize(
    ("error", "says"),
    [
        (OSError(errno.ENOSPC, "No space left on device"), "No space left on device. Is the disk full?"),
        (OSError(errno.EDQUOT, "Disk quota exceeded"), "Disk quota exceeded. Is the disk full?"),
        (RuntimeError("ITK ERROR: NrrdImageIO(0x1): Write: could not write"), "Write: could not write. Is the disk full?"),
        (PermissionError(errno.EACCES, "Permission denied"), "Permission denied. Is it open in another program?"),
        (OSError(errno.EIO, "Input/output error"), "Input/output error."),
    ],
)
def test_a_failed_write_asks_what_can_be_the_cause(error, says, tmp_path):
    def fail(temporary: Path) -> None:
        raise error

    with pytest.raises(OutputError) as told:
        write_whole(tmp_path / "table.csv", fail)
    assert str(told.value) == f"Cannot write {tmp_path / 'table.csv'}: {says}"


def test_an_interrupted_write_leaves_nothing(tmp_path):
    def stop(temporary: Path) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_whole(tmp_path / "result.nrrd", stop)
    assert list(tmp_path.iterdir()) == []


def test_a_result_replaces_the_old_one_and_can_be_read_by_others(a_label_map, tmp_path):
    path = tmp_path / "labels.nrrd"
    path.write_text("old")
    umask = os.umask(0o022)
    try:
        write_label_map(a_label_map, path)
    finally:
        os.umask(umask)
    assert stat.S_IMODE(path.stat().st_mode) == 0o644
    np.testing.assert_array_equal(read_label_array(path)[0], a_label_map.array)
    assert list(tmp_path.iterdir()) == [path]
