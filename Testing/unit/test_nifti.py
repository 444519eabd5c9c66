"""What ITK would repair in silence is refused."""

import gzip

import nibabel
import numpy as np
import pytest

from deepseg.errors import VolumeError
from deepseg.io import read_volume


def saved(path, array):
    nibabel.save(nibabel.Nifti1Image(array, np.eye(4)), path)
    return path


@pytest.fixture
def array():
    return np.random.default_rng(0).normal(size=(60, 70, 50))


@pytest.mark.parametrize("name", ["image.nii", "image.nii.gz"])
@pytest.mark.parametrize("kind", ["<f4", ">f4", "<f8", "<i2", "u1"])
def test_a_whole_file_is_read(tmp_path, array, name, kind):
    read = read_volume(saved(tmp_path / name, (array * 10 + 100).astype(kind)))
    np.testing.assert_allclose(read.array[0], (array * 10 + 100).astype(kind), rtol=1e-6)


@pytest.mark.parametrize("name", ["image.nii", "image.nii.gz"])
@pytest.mark.parametrize("kind", ["<f4", ">f4", "<f8"])
@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_voxels_that_are_not_numbers_are_counted(tmp_path, array, name, kind, value):
    array[3, 4, 5] = array[-1, -1, -1] = value
    with pytest.raises(VolumeError, match="holds 2 voxels that are not numbers"):
        read_volume(saved(tmp_path / name, array.astype(kind)))


def test_a_file_cut_off_before_packing_is_refused(tmp_path, array):
    whole = gzip.decompress(saved(tmp_path / "image.nii.gz", array.astype(np.float32)).read_bytes())
    (tmp_path / "short.nii.gz").write_bytes(gzip.compress(whole[:-4000]))
    (tmp_path / "short.nii").write_bytes(whole[:-4000])
    for name in ("short.nii.gz", "short.nii"):
        with pytest.raises(VolumeError, match="is cut off: it holds 836000 bytes of voxels, its header announces 840000"):
            read_volume(tmp_path / name)


def test_a_packed_file_cut_off_is_refused(tmp_path, array):
    packed = saved(tmp_path / "image.nii.gz", array.astype(np.float32)).read_bytes()
    (tmp_path / "short.nii.gz").write_bytes(packed[: len(packed) // 2])
    with pytest.raises(VolumeError, match="damaged"):
        read_volume(tmp_path / "short.nii.gz")


@pytest.mark.parametrize("name", ["IMAGE.NII", "IMAGE.NII.GZ"])
def test_capital_letters_in_the_name_change_nothing(tmp_path, array, name):
    array[3, 4, 5] = np.nan
    saved(tmp_path / name.lower(), array.astype(np.float32)).rename(tmp_path / name)
    with pytest.raises(VolumeError, match="holds 1 voxels that are not numbers"):
        read_volume(tmp_path / name)


@pytest.mark.parametrize("asked", ["image.hdr", "image.img"])
@pytest.mark.parametrize("kind", ["<f4", ">f4"])
def test_a_pair_of_files_is_checked_too(tmp_path, array, asked, kind):
    nibabel.Nifti1Pair(array.astype(kind), np.eye(4)).to_filename(tmp_path / "image.img")
    np.testing.assert_allclose(read_volume(tmp_path / asked).array[0], array.astype(kind), rtol=1e-6)
    array[3, 4, 5] = np.nan
    nibabel.Nifti1Pair(array.astype(kind), np.eye(4)).to_filename(tmp_path / "image.img")
    with pytest.raises(VolumeError, match="holds 1 voxels that are not numbers"):
        read_volume(tmp_path / asked)
