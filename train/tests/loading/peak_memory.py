"""Prints the bytes a voxel (of file and model's grid) that preparing a case of 14 labels takes; run in a process of its own, argument: a folder."""

import resource
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np

from deepseg.api import load_model
from deepseg.geometry import Geometry
from deepseg.io import write_label_map, write_volume
from deepseg.volume import Label, LabelMap, Volume
from deepseg_train.data import Case
from deepseg_train.loading.prepared import _prepared

shape = (160, 160, 120)
geometry = Geometry(shape, np.diag([0.8, 0.8, 1.25, 1.0]))
labels = tuple(Label(n, f"label {n}", (1.0, 0.0, 0.0)) for n in range(1, 15))
array = np.zeros(shape, np.uint8)
for n in range(14):
    array[10 * n : 10 * n + 10, 40:120, 20:100] = n + 1
image, label = (Path(sys.argv[1]) / name for name in ("image.nii", "label.nii"))
write_volume(Volume(np.linspace(0, 1, array.size, dtype=np.float32).reshape(1, *shape), geometry), image)
write_label_map(LabelMap(array, geometry, labels), label)
del array
spec = replace(load_model("hippocampus-mr").spec, labels=labels, spacing_mm=(1.0, 1.0, 1.0))
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
made = _prepared(Case("case", "case", (image,), label), spec)
taken = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) * 1024
print(taken / (np.prod(shape) + made.label.numel()))
