"""Images over time: files of four dimensions and Slicer's sequence files, one frame after the other."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from deepseg.errors import VolumeError
from deepseg.io import array_of, geometry_of, open_image, reading, refuse_damaged
from deepseg.volume import Volume

_SLICER_TIMES = "axis 0 index values"


@dataclass(frozen=True, eq=False)
class ImageSequence:
    """A file's frames, each read when it is asked for, so that memory holds one (of a Slicer sequence file: all, as its frames are interleaved).

    Attributes:
        path: the file.
        times: of each frame, in the header's unit (NIfTI: seconds); 0, 1, 2, ... where it tells none.
    """

    path: Path
    times: tuple[float, ...]
    interleaved: bool = False

    def __len__(self) -> int:
        return len(self.times)

    def __iter__(self) -> Iterator[Volume]:
        """Frames in order, named after the file and their number from 1.

        Raises:
            VolumeError: a frame cannot be read.
        """
        with reading(self.path):
            whole = open_image(self.path).Execute() if self.interleaved else None
        for n in range(len(self)):
            yield self._frame(n, whole)

    def _frame(self, n: int, whole: object) -> Volume:
        import SimpleITK as sitk

        name = f"{self.path.name}, frame {n + 1}"
        with reading(self.path):
            if whole is not None:
                image = sitk.VectorIndexSelectionCast(whole, n)
            else:
                reader = open_image(self.path)
                if reader.GetDimension() == 4:
                    reader.SetExtractIndex([0, 0, 0, n])
                    reader.SetExtractSize([*reader.GetSize()[:3], 0])
                image = reader.Execute()
        return Volume(array_of(image)[np.newaxis], geometry_of(image), name=name)


def read_sequence(path: str | Path) -> ImageSequence:
    """Open an image file with frames: NIfTI, NRRD or MetaImage of four dimensions, or Slicer's .seq.nrrd; a volume is a sequence of one frame.

    Raises:
        VolumeError: the file does not exist, is damaged, or is neither a sequence nor a volume of grey values.
    """
    path = Path(path)
    if not path.is_file():
        raise VolumeError(f"There is no file {path}. A sequence is one file of four dimensions; a DICOM folder is read as one volume.")
    with reading(path):
        reader = open_image(path)
        size, components = reader.GetSize(), reader.GetNumberOfComponents()
        is_slicers = len(size) == 3 and components > 1 and _key(reader, "NRRD_kinds[pixel]") == "list"
        if len(size) not in (3, 4) or (components > 1 and not is_slicers):
            raise VolumeError(
                f"{path} has {len(size)} dimensions ({' x '.join(map(str, size))}) and {components} values per voxel; expected grey values in three "
                "dimensions, or in four for a sequence."
            )
        refuse_damaged(path, reader)
        if is_slicers:
            return ImageSequence(path, _slicers_times(_key(reader, _SLICER_TIMES), components), interleaved=True)
        if len(size) == 3:
            return ImageSequence(path, (0.0,))
        start, step = reader.GetOrigin()[3], reader.GetSpacing()[3]
    return ImageSequence(path, tuple(start + step * n for n in range(size[3])))


def _key(reader: object, key: str) -> str:
    return reader.GetMetaData(key).strip() if reader.HasMetaDataKey(key) else ""


def _slicers_times(text: str, count: int) -> tuple[float, ...]:
    try:
        times = tuple(float(word) for word in text.split())
    except ValueError:
        times = ()
    return times if len(times) == count else tuple(float(n) for n in range(count))
