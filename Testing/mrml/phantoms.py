"""Grids and labels for tests: thick slices, oblique, flipped and swapped axes."""

import numpy as np

from deepseg.api import Code, Geometry, Label, LabelMap, Terminology


def rotation(axis, degrees):
    """(3, 3) rotation about a coordinate axis."""
    a, b = [n for n in range(3) if n != axis]
    matrix = np.eye(3)
    cos, sin = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    matrix[a, a], matrix[a, b], matrix[b, a], matrix[b, b] = cos, -sin, sin, cos
    return matrix


def grid(spacing_mm, directions, origin_ras, shape):
    matrix = np.eye(4)
    matrix[:3, :3] = directions * np.asarray(spacing_mm)
    matrix[:3, 3] = origin_ras
    return Geometry(shape, matrix)


THICK_OBLIQUE = grid((0.7, 0.7, 5.0), rotation(0, 23) @ rotation(2, -31) @ rotation(1, 8), (-61.3, 40.7, 12.9), (31, 26, 9))
FLIPPED = grid((0.7, 0.7, 5.0), np.diag([-1.0, 1.0, -1.0]), (55.5, -80.25, 90.125), (31, 26, 9))
OBLIQUE_FLIPPED = grid((0.7, 0.7, 5.0), rotation(1, 12) @ rotation(0, -40) @ np.diag([-1.0, -1.0, 1.0]), (70.1, 30.3, -44.4), (31, 26, 9))
LEFT_HANDED = grid((0.7, 0.7, 5.0), rotation(2, 17)[:, [2, 0, 1]] @ np.diag([1.0, 1.0, -1.0]), (-3.3, 8.8, 101.7), (31, 26, 9))
GRIDS = {"thick oblique": THICK_OBLIQUE, "flipped": FLIPPED, "oblique flipped": OBLIQUE_FLIPPED, "axes swapped, left-handed": LEFT_HANDED}


def labels_on(geometry):
    """Two segments that touch, and one without voxels."""
    array = np.zeros(geometry.shape, np.uint8)
    array[3:9, 4:8, 1:6] = 1
    array[9:20, 5:11, 2:7] = 2
    anatomy = Code("SCT", "123037004", "Anatomical Structure")
    hippocampus = Code("SCT", "5366008", "Hippocampus")
    return LabelMap(
        array,
        geometry,
        (
            Label(1, "Anterior hippocampus", (0.9, 0.62, 0.0), Terminology(anatomy, hippocampus, Code("SCT", "255549009", "Anterior"))),
            Label(2, "Posterior hippocampus", (0.0, 0.45, 0.7), Terminology(anatomy, hippocampus, Code("SCT", "255551008", "Posterior"))),
            Label(3, "Nothing found", (0.3, 0.3, 0.3)),
        ),
        {"DeepSeg.Model": "hippocampus-mr", "DeepSeg.ModelSha256": "ab" * 32, "DeepSeg.Settings": '{"roi_ras_mm": null, "device": "cpu"}'},
    )
