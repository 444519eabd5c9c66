"""DICOM folders against arithmetic on their tags, read with pydicom."""

import shutil
from pathlib import Path

import numpy as np
import pydicom
import pytest
from pydicom.dataset import FileDataset, FileMetaDataset
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian, generate_uid

from deepseg.errors import VolumeError
from deepseg.io import read_volume
from phantoms import turn

STUDY, SERIES, FRAME = generate_uid(), generate_uid(), generate_uid()
ROWS, COLUMNS, SLICES = 6, 8, 5
ROTATION = turn(12.0, -20.0, 8.0)
NORMAL = np.cross(ROTATION[:, 0], ROTATION[:, 1])


def save_slice(folder: Path, n: int, **changes) -> None:
    """Slice n of an oblique CT stack, 0.7 x 0.9 mm pixels, 2.5 mm apart, stored from the last to the first; `changes` replace tags."""
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = CTImageStorage
    meta.MediaStorageSOPInstanceUID = generate_uid()
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    header = FileDataset(None, {}, file_meta=meta, preamble=b"\0" * 128)
    header.SOPClassUID, header.SOPInstanceUID = CTImageStorage, meta.MediaStorageSOPInstanceUID
    header.StudyInstanceUID, header.SeriesInstanceUID, header.FrameOfReferenceUID = STUDY, SERIES, FRAME
    header.Modality, header.PatientName, header.PatientID = "CT", "Phantom", "1"
    header.InstanceNumber = SLICES - n
    header.ImagePositionPatient = [f"{v:.9g}" for v in np.array([-120.5, 33.25, 710.0]) + 2.5 * n * NORMAL]
    header.ImageOrientationPatient = [f"{v:.9g}" for v in (*ROTATION[:, 0], *ROTATION[:, 1])]
    header.PixelSpacing = [0.9, 0.7]  # between rows, between columns
    header.Rows, header.Columns, header.SamplesPerPixel = ROWS, COLUMNS, 1
    header.PhotometricInterpretation = "MONOCHROME2"
    header.BitsAllocated = header.BitsStored = 16
    header.HighBit, header.PixelRepresentation = 15, 1
    header.RescaleSlope, header.RescaleIntercept, header.RescaleType = 1, -1024, "HU"
    pixels = (100 * n + np.arange(ROWS * COLUMNS)).astype("<i2").reshape(ROWS, COLUMNS)
    for name, value in changes.items():
        setattr(header, name, value)
    if header.SamplesPerPixel == 3:
        pixels = np.stack([pixels % 256] * 3, -1).astype("u1")
    header.PixelData = pixels[: header.Rows, : header.Columns].tobytes()
    header.save_as(folder / f"{SLICES - n:03d}.dcm", enforce_file_format=True)


@pytest.fixture
def a_stack(tmp_path) -> Path:
    folder = tmp_path / "stack"
    folder.mkdir()
    for n in range(SLICES):
        save_slice(folder, n)
    return folder


def position(header, row: int, column: int) -> np.ndarray:
    """RAS of a pixel's centre, from DICOM PS3.3 C.7.6.2.1.1."""
    along_row, along_column = np.array(header.ImageOrientationPatient[:3], float), np.array(header.ImageOrientationPatient[3:], float)
    lps = np.array(header.ImagePositionPatient, float) + along_row * header.PixelSpacing[1] * column + along_column * header.PixelSpacing[0] * row
    return lps * (-1, -1, 1)


def assert_every_slice_lies_where_its_tags_say(folder: Path, pixels: int) -> float:
    """Compare values and places of pixels of each slice; returns the largest distance in mm."""
    volume, worst = read_volume(folder), 0.0
    rng = np.random.default_rng(1)
    paths = sorted(folder.glob("*"))
    assert volume.geometry.shape[2] == len(paths)
    for path in paths:
        header = pydicom.dcmread(path)
        values = header.pixel_array * float(header.RescaleSlope) + float(header.RescaleIntercept)
        corners = [(0, 0), (0, header.Columns - 1), (header.Rows - 1, 0)]
        inside = zip(rng.integers(header.Rows, size=pixels), rng.integers(header.Columns, size=pixels), strict=True)
        for row, column in [*corners, *inside]:
            at = volume.geometry.ijk_from_ras(position(header, row, column))
            nearest = np.rint(at).astype(int)
            worst = max(worst, float(np.linalg.norm(volume.geometry.ras_from_ijk(nearest) - position(header, row, column))))
            assert volume.array[(0, *nearest)] == values[row, column]
    return worst


def test_an_oblique_stack_lies_where_its_tags_say(a_stack):
    assert assert_every_slice_lies_where_its_tags_say(a_stack, 20) < 1e-4
    np.testing.assert_allclose(read_volume(a_stack).geometry.spacing_mm, (0.7, 0.9, 2.5), atol=1e-5)


def test_a_real_ct_series_lies_where_its_tags_say(dicom_folder):
    worst = assert_every_slice_lies_where_its_tags_say(dicom_folder, 10)
    print(f"largest distance {worst:.2g} mm")
    assert worst < 1e-3
    assert read_volume(dicom_folder).units == ("HU",)


def test_slices_with_scales_of_their_own_get_them(a_stack):
    save_slice(a_stack, 2, RescaleSlope=2, RescaleIntercept=-500)
    assert_every_slice_lies_where_its_tags_say(a_stack, 20)


def test_other_files_in_the_folder_do_not_matter(a_stack):
    (a_stack / "README.txt").write_text("not DICOM")
    assert read_volume(a_stack).geometry.shape == (COLUMNS, ROWS, SLICES)


def test_the_unit_is_hounsfield_only_for_ct_in_hu(a_stack):
    assert read_volume(a_stack).units == ("HU",)
    for n in range(SLICES):
        save_slice(a_stack, n, Modality="MR")
    assert read_volume(a_stack).units == ("a.u.",)
    for n in range(SLICES):
        save_slice(a_stack, n, RescaleType="US")
    assert read_volume(a_stack).units == ("a.u.",)


@pytest.mark.parametrize("lacking", [1, 2, 3])
def test_a_stack_that_lacks_a_slice_is_refused(lacking, a_stack):
    (a_stack / f"{SLICES - lacking:03d}.dcm").unlink()
    with pytest.raises(VolumeError, match=r"not evenly spaced: .* lie 5.000 mm apart, the others 2.500 mm. A slice is missing or doubled"):
        read_volume(a_stack)


def test_a_real_series_that_lacks_a_slice_is_refused(dicom_folder, tmp_path):
    shutil.copytree(dicom_folder, tmp_path / "ct")
    sorted((tmp_path / "ct").iterdir())[7].unlink()
    with pytest.raises(VolumeError, match=r"slices \d+ and \d+ of 19 lie 4.000 mm apart, the others 2.000 mm"):
        read_volume(tmp_path / "ct")


def test_a_doubled_slice_is_refused(a_stack):
    path = a_stack / "copy.dcm"
    shutil.copy(a_stack / "003.dcm", path)
    copy = pydicom.dcmread(path)
    copy.SOPInstanceUID = copy.file_meta.MediaStorageSOPInstanceUID = generate_uid()
    copy.save_as(path)
    with pytest.raises(VolumeError, match="A slice is missing or doubled"):
        read_volume(a_stack)


def test_a_tilted_gantry_is_refused(a_stack):
    for n in range(SLICES):
        moved = np.array([-120.5, 33.25, 710.0]) + 2.5 * n * NORMAL + 1.0 * n * ROTATION[:, 1]
        save_slice(a_stack, n, ImagePositionPatient=[f"{v:.9g}" for v in moved])
    with pytest.raises(VolumeError, match=r"do not lie straight above each other \(they shift by up to 4 mm\)"):
        read_volume(a_stack)


def test_a_slice_moved_within_its_plane_is_refused(a_stack):
    moved = np.array([-120.5, 33.25, 710.0]) + 2.5 * 2 * NORMAL + 3.0 * ROTATION[:, 0]
    save_slice(a_stack, 2, ImagePositionPatient=[f"{v:.9g}" for v in moved])
    with pytest.raises(VolumeError, match="do not lie straight above each other"):
        read_volume(a_stack)


def test_slices_in_different_directions_are_refused(a_stack):
    save_slice(a_stack, 2, ImageOrientationPatient=[1, 0, 0, 0, 1, 0])
    with pytest.raises(VolumeError, match="different directions"):
        read_volume(a_stack)


@pytest.mark.parametrize("changes", [{"PixelSpacing": [1.0, 1.0]}, {"Rows": 5}], ids=["spacing", "size"])
def test_slices_of_different_sizes_are_refused(changes, a_stack):
    save_slice(a_stack, 2, **changes)
    with pytest.raises(VolumeError, match="different sizes or pixel spacings"):
        read_volume(a_stack)


def test_slices_without_a_position_are_refused(a_stack):
    save_slice(a_stack, 2)
    path = a_stack / f"{SLICES - 2:03d}.dcm"
    header = pydicom.dcmread(path)
    del header.ImagePositionPatient
    header.save_as(path)
    with pytest.raises(VolumeError, match="does not say where its slices lie"):
        read_volume(a_stack)


@pytest.mark.parametrize("tag", ["ImagePositionPatient", "ImageOrientationPatient"])
@pytest.mark.parametrize("damage", ["empty number", "a number less", "no number", "infinite"])
def test_slices_with_a_damaged_position_are_refused(tag, damage, a_stack):
    path = a_stack / f"{SLICES - 2:03d}.dcm"
    # Byte for byte, as pydicom does not write such tags.
    numbers = "\\".join(str(value) for value in pydicom.dcmread(path)[tag].value)
    first = numbers.rpartition("\\")[0]
    damaged = {"empty number": f"{first}\\", "a number less": first, "no number": f"{first}\\x", "infinite": f"{first}\\inf"}[damage]
    content = path.read_bytes()
    assert content.count(numbers.encode()) == 1
    path.write_bytes(content.replace(numbers.encode(), damaged.ljust(len(numbers)).encode()))
    with pytest.raises(VolumeError, match="does not say where its slices lie"):
        read_volume(a_stack)


def test_two_series_are_refused_and_listed(a_stack):
    other = generate_uid()
    for n in (3, 4):
        save_slice(a_stack, n, SeriesInstanceUID=other)
    with pytest.raises(VolumeError, match=r"holds 2 DICOM series: .*\(3 files\)") as caught:
        read_volume(a_stack)
    assert other in str(caught.value)
    assert SERIES in str(caught.value)


def test_colour_slices_are_refused(a_stack):
    colour = {"SamplesPerPixel": 3, "PhotometricInterpretation": "RGB", "BitsAllocated": 8, "BitsStored": 8, "HighBit": 7, "PixelRepresentation": 0}
    for n in range(SLICES):
        save_slice(a_stack, n, PlanarConfiguration=0, RescaleIntercept=0, **colour)
    with pytest.raises(VolumeError, match="not a volume of grey values"):
        read_volume(a_stack)


@pytest.mark.parametrize("content", [{}, {"note.txt": b"no image"}, {"note.dcm": b"\0" * 128 + b"DICM"}], ids=["empty", "text", "bare preamble"])
def test_a_folder_without_dicom_is_refused(content, tmp_path, capfd):
    for name, text in content.items():
        (tmp_path / name).write_bytes(text)
    with pytest.raises(VolumeError, match="holds no DICOM series"):
        read_volume(tmp_path)
    assert "WARNING" not in "".join(capfd.readouterr())
