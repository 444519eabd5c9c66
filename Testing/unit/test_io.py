"""Files written by nibabel or by hand, read by us, by nibabel and by Slicer's own volume node."""

import gzip
from itertools import permutations, product
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
import SimpleITK as sitk

from deepseg.errors import VolumeError
from deepseg.geometry import Geometry
from deepseg.io import read_label_array, read_volume, write_volume
from deepseg.volume import Volume
from phantoms import awkward_grid, numbered_volume, read_with_slicer

ORIENTATIONS = [(order, signs) for order in permutations(range(3)) for signs in product((1, -1), repeat=3)]


def save_nifti(path: Path, array: np.ndarray, affine: np.ndarray) -> Path:
    nib.save(nib.Nifti1Image(array, affine), path)
    return path


def save_nrrd_by_hand(path: Path, volume: Volume, space: str = "left-posterior-superior") -> Path:
    """An NRRD file from its published description alone."""
    matrix = np.diag([-1.0, -1, 1, 1]) @ volume.geometry.ijk_to_ras if space == "left-posterior-superior" else volume.geometry.ijk_to_ras
    vectors = " ".join("(" + ",".join(repr(float(v)) for v in matrix[:3, axis]) + ")" for axis in range(3))
    header = [
        "NRRD0004",
        "type: float",
        "dimension: 3",
        f"space: {space}",
        "sizes: " + " ".join(str(n) for n in volume.geometry.shape),
        f"space directions: {vectors}",
        "kinds: domain domain domain",
        "endian: little",
        "encoding: raw",
        "space origin: (" + ",".join(repr(float(v)) for v in matrix[:3, 3]) + ")",
    ]
    path.write_bytes("\n".join([*header, "", ""]).encode() + volume.array[0].astype("<f4").tobytes(order="F"))
    return path


def save_meta_image_by_hand(path: Path, volume: Volume) -> Path:
    """A MetaImage file from its published description alone; TransformMatrix lists the direction of each axis in turn."""
    matrix = np.diag([-1.0, -1, 1, 1]) @ volume.geometry.ijk_to_ras
    spacing = np.linalg.norm(matrix[:3, :3], axis=0)
    rows = {
        "ObjectType": "Image",
        "NDims": "3",
        "BinaryData": "True",
        "BinaryDataByteOrderMSB": "False",
        "CompressedData": "False",
        "TransformMatrix": " ".join(repr(float(v)) for v in (matrix[:3, :3] / spacing).T.ravel()),
        "Offset": " ".join(repr(float(v)) for v in matrix[:3, 3]),
        "CenterOfRotation": "0 0 0",
        "ElementSpacing": " ".join(repr(float(v)) for v in spacing),
        "DimSize": " ".join(str(n) for n in volume.geometry.shape),
        "ElementType": "MET_FLOAT",
        "ElementDataFile": "LOCAL",
    }
    header = "".join(f"{key} = {value}\n" for key, value in rows.items())
    path.write_bytes(header.encode() + volume.array[0].astype("<f4").tobytes(order="F"))
    return path


def assert_same_voxels_at_the_same_places(volume: Volume, array: np.ndarray, matrix: np.ndarray, atol_mm: float) -> None:
    """Every corner voxel, and one inside, has the same value and lies at the same RAS point in both."""
    last = np.array(array.shape) - 1
    assert array.size == volume.array.size
    for ijk in [*(np.array(pick) * last for pick in product((0, 1), repeat=3)), last // 2]:
        ras = nib.affines.apply_affine(matrix, ijk)
        at = volume.geometry.ijk_from_ras(ras)
        np.testing.assert_allclose(volume.geometry.ras_from_ijk(np.rint(at)), ras, atol=atol_mm)
        assert volume.array[(0, *np.rint(at).astype(int))] == array[tuple(ijk)]


@pytest.mark.parametrize(("order", "signs"), ORIENTATIONS)
def test_nifti_in_each_of_48_orientations_lies_where_nibabel_says(order, signs, phantom, tmp_path):
    source = nib.Nifti1Image(phantom.array[0], awkward_grid((9, 11, 7)).ijk_to_ras)
    image = source.as_reoriented(np.stack([order, signs], axis=1))
    volume = read_volume(save_nifti(tmp_path / "image.nii.gz", np.asanyarray(image.dataobj), image.affine))
    stored = nib.load(tmp_path / "image.nii.gz")
    np.testing.assert_array_equal(volume.array[0], stored.get_fdata())
    np.testing.assert_allclose(volume.geometry.ijk_to_ras, stored.affine, atol=1e-4)
    assert_same_voxels_at_the_same_places(phantom, volume.array[0], volume.geometry.ijk_to_ras, 1e-4)


def test_nifti_lies_where_slicer_puts_it(phantom, tmp_path):
    path = save_nifti(tmp_path / "image.nii.gz", phantom.array[0], phantom.geometry.ijk_to_ras)
    volume, (voxels, matrix) = read_volume(path), read_with_slicer(path)
    assert_same_voxels_at_the_same_places(volume, voxels, matrix, 1e-4)
    assert_same_voxels_at_the_same_places(phantom, voxels, matrix, 1e-4)


@pytest.mark.parametrize("space", ["left-posterior-superior", "right-anterior-superior"])
def test_nrrd_lies_where_its_header_and_slicer_say(space, phantom, tmp_path):
    path = save_nrrd_by_hand(tmp_path / "image.nrrd", phantom, space)
    volume, (voxels, matrix) = read_volume(path), read_with_slicer(path)
    np.testing.assert_array_equal(volume.array, phantom.array)
    np.testing.assert_allclose(volume.geometry.ijk_to_ras, phantom.geometry.ijk_to_ras, atol=1e-9)
    assert_same_voxels_at_the_same_places(volume, voxels, matrix, 1e-9)


def test_meta_image_lies_where_its_header_and_slicer_say(phantom, tmp_path):
    path = save_meta_image_by_hand(tmp_path / "image.mha", phantom)
    volume, (voxels, matrix) = read_volume(path), read_with_slicer(path)
    np.testing.assert_array_equal(volume.array, phantom.array)
    np.testing.assert_allclose(volume.geometry.ijk_to_ras, phantom.geometry.ijk_to_ras, atol=1e-9)
    assert_same_voxels_at_the_same_places(volume, voxels, matrix, 1e-9)


@pytest.mark.parametrize(("suffix", "atol_mm"), [(".nii.gz", 1e-4), (".nii", 1e-4), (".nrrd", 1e-9), (".mha", 1e-9)])
def test_no_voxel_moves_on_the_way_through_a_file(suffix, atol_mm, tmp_path):
    volume = numbered_volume(awkward_grid((64, 80, 30)))
    path = tmp_path / f"image{suffix}"
    write_volume(volume, path)
    again = read_volume(path)
    voxels, matrix = read_with_slicer(path)
    np.testing.assert_array_equal(again.array, volume.array)
    ijk = np.indices(volume.geometry.shape).reshape(3, -1).T
    here = volume.geometry.ras_from_ijk(ijk)
    # Slicer may turn a left-handed grid over; the voxels' numbers tell which is which.
    in_slicer = np.argwhere(voxels)[np.argsort(voxels, axis=None)]
    for reader, there in (("DeepSeg", again.geometry.ras_from_ijk(ijk)), ("Slicer", nib.affines.apply_affine(matrix, in_slicer))):
        distance = np.linalg.norm(here - there, axis=1)
        print(f"{suffix} read by {reader}: median {np.median(distance):.2g} mm, worst {distance.max():.2g} mm")
        assert distance.max() < atol_mm


@pytest.mark.parametrize("suffix", [".nii.gz", ".nii"])
def test_a_nifti_we_write_lies_where_nibabel_says(suffix, phantom, tmp_path):
    write_volume(phantom, tmp_path / f"image{suffix}")
    stored = nib.load(tmp_path / f"image{suffix}")
    np.testing.assert_allclose(stored.affine, phantom.geometry.ijk_to_ras, atol=1e-4)
    np.testing.assert_array_equal(stored.get_fdata(), phantom.array[0])
    np.testing.assert_allclose(stored.get_qform(), stored.get_sform(), atol=1e-4)


def test_stored_numbers_are_scaled_as_the_header_says(phantom, tmp_path):
    image = nib.Nifti1Image(phantom.array[0], phantom.geometry.ijk_to_ras)
    image.set_data_dtype(np.int16)
    image.header.set_slope_inter(0.5, -1024.0)
    nib.save(image, tmp_path / "scaled.nii.gz")
    stored = nib.load(tmp_path / "scaled.nii.gz")
    assert stored.dataobj.slope == 0.5
    np.testing.assert_allclose(read_volume(tmp_path / "scaled.nii.gz").array[0], stored.get_fdata(), atol=1e-6)


@pytest.mark.parametrize("dtype", ["u1", "i1", "u2", "i2", "i4", "f4", "f8"])
@pytest.mark.parametrize("order", ["<", ">"])
def test_numbers_of_every_usual_type_are_read(dtype, order, tmp_path):
    array = np.arange(60).reshape(3, 4, 5).astype(np.dtype(dtype).newbyteorder(order))
    path = tmp_path / "image.nii"
    header = nib.Nifti1Header(endianness=order)
    nib.save(nib.Nifti1Image(array, np.eye(4), header, dtype=array.dtype), path)
    np.testing.assert_array_equal(read_volume(path).array[0], array)


@pytest.mark.parametrize("shape", [(6, 7, 1), (6, 7, 8, 1)], ids=["one slice", "one time point"])
def test_a_volume_with_one_slice_or_one_time_point_is_read(shape, tmp_path):
    array = np.arange(np.prod(shape), dtype=np.float32).reshape(shape)
    volume = read_volume(save_nifti(tmp_path / "image.nii.gz", array, awkward_grid((6, 7, 8)).ijk_to_ras))
    np.testing.assert_array_equal(volume.array[0], array.reshape(shape[:3]))
    np.testing.assert_allclose(volume.geometry.ijk_to_ras, awkward_grid((6, 7, 8)).ijk_to_ras, atol=1e-4)


def not_a_number(bad, suffix, dtype="<f4"):
    def make(folder):
        array = np.ones((4, 5, 6), dtype)
        array[1, 2, 3] = bad
        if suffix in (".nii.gz", ".nii"):
            header = nib.Nifti1Header(endianness=dtype[0])
            nib.save(nib.Nifti1Image(array, np.eye(4), header), folder / f"bad{suffix}")
        else:
            sitk.WriteImage(sitk.GetImageFromArray(array), str(folder / f"bad{suffix}"))
        return folder / f"bad{suffix}"

    return make


def flat_nifti(folder):
    return save_nifti(folder / "flat.nii.gz", np.ones((4, 5), np.float32), np.eye(4))


def flat_picture(folder):
    sitk.WriteImage(sitk.Image([5, 6], sitk.sitkUInt8), str(folder / "picture.png"))
    return folder / "picture.png"


def colour_volume(folder):
    sitk.WriteImage(sitk.Image([5, 6, 7], sitk.sitkVectorUInt8, 3), str(folder / "colour.nrrd"))
    return folder / "colour.nrrd"


def colour_picture(folder):
    sitk.WriteImage(sitk.Image([5, 6], sitk.sitkVectorUInt8, 3), str(folder / "colour.png"))
    return folder / "colour.png"


def complex_volume(folder):
    return save_nifti(folder / "complex.nii.gz", np.ones((4, 5, 6), np.complex64), np.eye(4))


def time_series(folder):
    return save_nifti(folder / "series.nii.gz", np.ones((4, 5, 6, 2), np.float32), np.eye(4))


def five_dimensions(folder):
    return save_nifti(folder / "five.nii.gz", np.ones((4, 5, 6, 1, 2), np.float32), np.eye(4))


def sheared(folder):
    affine = np.eye(4)
    affine[0, 1] = 0.2
    return save_nifti(folder / "sheared.nii.gz", np.ones((4, 5, 6), np.float32), affine)


def sheared_nrrd(folder):
    path = save_nrrd_by_hand(folder / "sheared.nrrd", numbered_volume(Geometry((4, 5, 6), np.eye(4))))
    path.write_bytes(path.read_bytes().replace(b"(0.0,-1.0,0.0)", b"(0.2,-1.0,0.0)"))
    assert b"(0.2," in path.read_bytes()
    return path


def text(folder):
    (folder / "text.nii.gz").write_text("not an image")
    return folder / "text.nii.gz"


def packed_text(folder):
    (folder / "packed.nii.gz").write_bytes(gzip.compress(b"not an image"))
    return folder / "packed.nii.gz"


def nothing(folder):
    (folder / "empty.nii.gz").touch()
    return folder / "empty.nii.gz"


def cut_off(suffix, share):
    def make(folder):
        volume = numbered_volume(awkward_grid((20, 21, 22)))
        path = folder / f"cut{suffix}"
        write_volume(volume, path)
        path.write_bytes(path.read_bytes()[: int(path.stat().st_size * share)])
        return path

    return make


def altered_gzip(folder):
    path = save_nifti(folder / "altered.nii.gz", np.random.default_rng(0).normal(size=(50, 60, 70)).astype(np.float32), np.eye(4))
    content = bytearray(path.read_bytes())
    content[-6] ^= 0xFF  # in the checksum at the end
    path.write_bytes(content)
    return path


def missing(folder):
    return folder / "nowhere.nii.gz"


def empty_folder(folder):
    return folder


BAD_FILES = [
    (not_a_number(np.nan, ".nii.gz"), r"'bad.nii.gz' holds 1 voxels that are not numbers"),
    (not_a_number(-np.inf, ".nii"), r"'bad.nii' holds 1 voxels that are not numbers"),
    (not_a_number(np.inf, ".nii.gz", ">f8"), r"'bad.nii.gz' holds 1 voxels that are not numbers"),
    (not_a_number(np.nan, ".nrrd"), r"'bad.nrrd' holds 1 voxels that are not numbers"),
    (not_a_number(np.inf, ".mha"), r"'bad.mha' holds 1 voxels that are not numbers"),
    (flat_nifti, r"has 2 dimensions \(4 x 5\); expected a volume with three"),
    (flat_picture, r"has 2 dimensions \(5 x 6\)"),
    (colour_volume, r"has 3 values per voxel \(colour or vectors\); expected grey values"),
    (colour_picture, r"has 3 values per voxel"),
    (complex_volume, r"has 2 values per voxel"),
    (time_series, r"has four dimensions \(4 x 5 x 6 x 2\); expected one volume of three"),
    (five_dimensions, r"has 5 dimensions"),
    (sheared, r"axes of .*sheared.nii.gz are not perpendicular"),
    (sheared_nrrd, r"axes are not perpendicular"),
    (text, r"text.nii.gz cannot be read as an image"),
    (packed_text, r"packed.nii.gz cannot be read as an image"),
    (nothing, r"empty.nii.gz cannot be read as an image"),
    (cut_off(".nii.gz", 0.5), r"cut.nii.gz is damaged \(Compressed file ended"),
    (cut_off(".nii.gz", 0.999), r"cut.nii.gz is damaged \(Compressed file ended"),
    (cut_off(".nii", 0.5), r"cut.nii is cut off: it holds \d+ bytes of voxels, its header announces 36960"),
    (cut_off(".nrrd", 0.5), r"cut.nrrd cannot be read as an image"),
    (cut_off(".mha", 0.5), r"cut.mha cannot be read as an image \(File cannot be read"),
    (altered_gzip, r"altered.nii.gz is damaged \(CRC check failed"),
    (missing, r"There is no file or folder .*nowhere.nii.gz"),
    (empty_folder, r"holds no DICOM series"),
]


@pytest.mark.parametrize(("make", "says"), BAD_FILES, ids=[f"{n} {says[:25]}" for n, (_, says) in enumerate(BAD_FILES)])
def test_a_bad_image_is_refused_in_one_sentence(make, says, tmp_path, capfd):
    with pytest.raises(VolumeError, match=says) as caught:
        read_volume(make(tmp_path))
    message = str(caught.value)
    assert "\n" not in message
    assert "0x" not in message, "no memory addresses"
    assert "WARNING" not in "".join(capfd.readouterr()), "ITK talks to the terminal"


def test_a_label_file_must_exist_and_be_an_image(tmp_path):
    with pytest.raises(VolumeError, match="There is no file"):
        read_label_array(tmp_path)
    with pytest.raises(VolumeError, match="cannot be read"):
        read_label_array(text(tmp_path))
