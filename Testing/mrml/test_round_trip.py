"""File -> Volume -> node -> file: every voxel stays where it was, checked against readers that are not DeepSeg's."""

import nibabel
import numpy as np
import pytest
import SimpleITK as sitk

from deepseg.api import read_volume, write_volume
from DeepSegLib import nodes
from mrml.scenes import ijk_to_ras_of

TOLERANCE_MM = {".nii.gz": 1e-4, ".nrrd": 1e-9, ".mha": 1e-9}


def write_file(volume, path):
    """The phantom as a file, written without DeepSeg's converters: nibabel for NIfTI, plain ITK with axes turned by hand otherwise."""
    matrix = volume.geometry.ijk_to_ras
    if path.name.endswith(".nii.gz"):
        image = nibabel.Nifti1Image(volume.array[0], matrix)
        image.header.set_xyzt_units("mm")
        nibabel.save(image, path)
        return
    spacing = np.linalg.norm(matrix[:3, :3], axis=0)
    turn = np.diag([-1.0, -1.0, 1.0])
    image = sitk.GetImageFromArray(np.ascontiguousarray(volume.array[0].transpose(2, 1, 0)))
    image.SetSpacing(spacing.tolist())
    image.SetOrigin((turn @ matrix[:3, 3]).tolist())
    image.SetDirection((turn @ matrix[:3, :3] / spacing).ravel().tolist())
    sitk.WriteImage(image, str(path))


def header_ras(path):
    """Voxel-to-RAS matrix from the file's own header: nibabel for NIfTI, the text of the header otherwise."""
    if path.name.endswith(".nii.gz"):
        return nibabel.load(path).affine
    text = path.read_bytes()[:4000].decode("latin-1")
    lines = dict(
        line.split(": " if path.suffix == ".nrrd" else " = ", 1) for line in text.splitlines() if (": " if path.suffix == ".nrrd" else " = ") in line
    )
    matrix = np.eye(4)
    if path.suffix == ".nrrd":
        assert lines["space"] == "left-posterior-superior"
        vectors = [[float(v) for v in part.strip("()").split(",")] for part in lines["space directions"].split()]
        matrix[:3, :3] = np.array(vectors).T
        matrix[:3, 3] = [float(v) for v in lines["space origin"].strip("()").split(",")]
    else:
        directions = np.array([float(v) for v in lines["TransformMatrix"].split()]).reshape(3, 3).T
        matrix[:3, :3] = directions * np.array([float(v) for v in lines["ElementSpacing"].split()])
        matrix[:3, 3] = [float(v) for v in lines["Offset"].split()]
    return np.diag([-1.0, -1.0, 1.0, 1.0]) @ matrix


def positions(matrix, shape):
    ijk = np.indices(shape).reshape(3, -1).T
    return ijk @ matrix[:3, :3].T + matrix[:3, 3]


@pytest.mark.parametrize("suffix", TOLERANCE_MM)
def test_every_voxel_keeps_its_place_from_file_to_node_to_file(a_volume, a_scene, tmp_path, suffix):
    before, after = tmp_path / f"before{suffix}", tmp_path / f"after{suffix}"
    write_file(a_volume, before)

    node = nodes.node_from_volume(a_scene, read_volume(before))
    write_volume(nodes.volume_from_node(node), after)

    shape = a_volume.geometry.shape
    distances = {
        "original header to node": positions(header_ras(before), shape) - positions(ijk_to_ras_of(node), shape),
        "original header to new header": positions(header_ras(before), shape) - positions(header_ras(after), shape),
    }
    for step, difference in distances.items():
        length = np.linalg.norm(difference, axis=1)
        print(f"{suffix:8} {step:30} {len(length)} voxels: median {np.median(length):.2e} mm, worst {length.max():.2e} mm")
        assert length.max() < TOLERANCE_MM[suffix]
    np.testing.assert_array_equal(read_volume(after).array, a_volume.array)


def positions_by_value(array, matrix):
    """World positions of all voxels, in order of their (distinct) values: equal for two orders of the same voxels."""
    return positions(matrix, array.shape)[np.argsort(array.ravel())]


@pytest.mark.parametrize("suffix", TOLERANCE_MM)
def test_slicer_reads_each_written_voxel_at_the_same_place(a_volume, a_scene, tmp_path, suffix):
    """Slicer reverses an axis of a left-handed file as it reads it, so voxels are matched by value."""
    path = tmp_path / f"phantom{suffix}"
    write_volume(a_volume, path)

    node = a_scene.AddNewNodeByClass("vtkMRMLScalarVolumeNode")
    storage = a_scene.AddNewNodeByClass("vtkMRMLVolumeArchetypeStorageNode")
    storage.SetFileName(str(path))
    assert storage.ReadData(node)

    volume = nodes.volume_from_node(node)
    np.testing.assert_array_equal(np.sort(volume.array.ravel()), np.sort(a_volume.array.ravel()))
    read = positions_by_value(volume.array[0], ijk_to_ras_of(node))
    assert np.linalg.norm(read - positions_by_value(a_volume.array[0], a_volume.geometry.ijk_to_ras), axis=1).max() < TOLERANCE_MM[suffix]
    read_by_deepseg = positions_by_value(volume.array[0], volume.geometry.ijk_to_ras)
    assert np.linalg.norm(read_by_deepseg - read, axis=1).max() < 1e-9


def test_a_node_written_by_slicer_is_read_by_deepseg_at_the_same_place(a_volume, a_scene, tmp_path):
    node = nodes.node_from_volume(a_scene, a_volume)
    storage = a_scene.AddNewNodeByClass("vtkMRMLVolumeArchetypeStorageNode")
    storage.SetFileName(str(tmp_path / "by_slicer.nrrd"))
    assert storage.WriteData(node)

    volume = read_volume(tmp_path / "by_slicer.nrrd")

    read = positions_by_value(volume.array[0], volume.geometry.ijk_to_ras)
    assert np.linalg.norm(read - positions_by_value(a_volume.array[0], a_volume.geometry.ijk_to_ras), axis=1).max() < 1e-9
