"""Grids and images that show every mix-up of axes, and readers that are not ours."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from deepseg.geometry import Geometry
from deepseg.volume import Volume


def awkward_grid(shape: tuple[int, int, int], spacing_mm: tuple[float, float, float] = (0.7, 0.7, 5.0)) -> Geometry:
    """An oblique, left-handed grid with permuted and flipped axes, away from the origin."""
    axes = np.array([[0, -1.0, 0], [1.0, 0, 0], [0, 0, -1.0]])
    matrix = np.eye(4)
    matrix[:3, :3] = turn(17.0, -11.0, 23.0) @ axes * spacing_mm
    matrix[:3, 3] = (31.5, -42.25, 18.75)
    return Geometry(shape, matrix)


def turn(*degrees: float) -> np.ndarray:
    """Rotation about x, then y, then z."""
    (cx, cy, cz), (sx, sy, sz) = np.cos(np.deg2rad(degrees)), np.sin(np.deg2rad(degrees))
    about_x = np.array([[1, 0, 0], [0, cx, -sx], [0, sx, cx]])
    about_y = np.array([[cy, 0, sy], [0, 1, 0], [-sy, 0, cy]])
    about_z = np.array([[cz, -sz, 0], [sz, cz, 0], [0, 0, 1]])
    return about_z @ about_y @ about_x


def numbered_volume(geometry: Geometry) -> Volume:
    """Voxels numbered 1, 2, 3, ..."""
    array = np.arange(1, np.prod(geometry.shape) + 1, dtype=np.float32).reshape(1, *geometry.shape)
    return Volume(array, geometry, name="phantom")


def read_with_slicer(path: Path) -> tuple[np.ndarray, np.ndarray]:
    """Slicer's own volume node of a file: voxels (I, J, K) and its IJK-to-RAS matrix."""
    import slicer
    import vtk
    from vtk.util.numpy_support import vtk_to_numpy

    scene = slicer.vtkMRMLScene()
    node = scene.AddNewNodeByClass("vtkMRMLScalarVolumeNode")
    storage = slicer.vtkMRMLNRRDStorageNode() if path.suffix == ".nrrd" else slicer.vtkMRMLVolumeArchetypeStorageNode()
    storage.SetFileName(str(path))
    scene.AddNode(storage)
    assert storage.ReadData(node), f"Slicer cannot read {path}"
    matrix = vtk.vtkMatrix4x4()
    node.GetIJKToRASMatrix(matrix)
    image = node.GetImageData()
    # VTK stores I fastest, so numpy sees (K, J, I).
    voxels = vtk_to_numpy(image.GetPointData().GetScalars()).reshape(image.GetDimensions()[::-1]).T
    return voxels.copy(), np.array([[matrix.GetElement(row, column) for column in range(4)] for row in range(4)])
