"""Image files to volumes and label maps to files, through SimpleITK (NIfTI, NRRD, MetaImage and whatever else ITK reads)."""

from __future__ import annotations

import errno
import os
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from deepseg.dicom import read_dicom_folder
from deepseg.errors import OutputError, VolumeError
from deepseg.geometry import Geometry, reverse_axes
from deepseg.itk_messages import names_undecoded, quiet_itk, telling_line
from deepseg.nifti import is_nifti, refuse_damaged_nifti
from deepseg.segmentation_file import SEGMENTATION_SUFFIX, segmentation_header
from deepseg.volume import LabelMap, Volume

if TYPE_CHECKING:
    import SimpleITK as sitk

LABEL_SUFFIXES = (SEGMENTATION_SUFFIX, ".nrrd", ".nii.gz", ".nii", ".mha")
"""Formats of one file: a pair of files could not appear in one step."""


def read_volume(path: str | Path) -> Volume:
    """Read one grey-value volume from an image file or a folder with one DICOM series.

    Raises:
        VolumeError: the path does not exist, is no image, or is not one scalar volume in three dimensions.
    """
    path = Path(path)
    if not path.exists():
        raise VolumeError(f"There is no file or folder {path}. Check the spelling.")
    if not path.is_dir():
        image = _read_image(path)
        return Volume(array_of(image)[np.newaxis], geometry_of(image), name=path.name)
    series = read_dicom_folder(path)
    array = array_of(series.image)
    if series.factor != 1.0:
        array = array * np.float32(series.factor)
    return Volume(array[np.newaxis], geometry_of(series.image), (series.unit,), path.name, (series.modality,))


def read_label_array(path: str | Path) -> tuple[np.ndarray, Geometry]:
    """Read a label image: its values (I, J, K) as stored, and its grid.

    Raises:
        VolumeError: as `read_volume`.
    """
    path = Path(path)
    if not path.is_file():
        raise VolumeError(f"There is no file {path}. Check the spelling.")
    image = _read_image(path)
    return array_of(image), geometry_of(image)


def write_volume(volume: Volume, path: str | Path) -> None:
    """Write a volume's first channel as float32; the file appears whole or not at all.

    Raises:
        OutputError: the folder is missing, not writable or full, or the name's ending is unknown.
    """
    _write(volume.array[0], volume.geometry, {}, Path(path))


def write_label_frames(frames: Sequence[LabelMap], path: str | Path, start: float = 0.0, step: float = 1.0) -> None:
    """Write the label maps of a sequence's frames, all on one grid, as one file of four dimensions; it appears whole or not at all.

    Args:
        frames: at least one; their labels must not overlap.
        path: any ending but `.seg.nrrd`, which holds no sequence.
        start, step: time of the first frame and between two, in the unit of the image's header.

    Raises:
        OutputError: as `write_label_map`; or the ending is `.seg.nrrd`, or labels may overlap.
    """
    path = Path(path)
    check_frames_output(path, frames[0].overlapping)
    _write(np.stack([frame.array for frame in frames]), frames[0].geometry, {}, path, time=(start, step))


def write_label_map(labels: LabelMap, path: str | Path) -> None:
    """Write a label map; the file appears whole or not at all.

    `.seg.nrrd` keeps names, colours, terminology and attributes, and opens in Slicer as a segmentation. Labels that may overlap become layers
    there, and in every other format a fourth axis: one mask of 0 and 1 a label, in their order.

    Raises:
        OutputError: the folder is missing, not writable or full, or the name's ending is unknown.
    """
    path = Path(path)
    if path.name.endswith(SEGMENTATION_SUFFIX):
        arrays, places = labels.layers()
        _write(arrays[0] if len(arrays) == 1 else np.stack(arrays), labels.geometry, segmentation_header(labels, places), path, layered=True)
    elif labels.overlapping:
        _write(np.stack([labels.mask(label).astype(np.uint8) for label in labels.labels]), labels.geometry, {}, path)
    else:
        _write(labels.array, labels.geometry, {}, path)


def check_output(path: Path, suffixes: tuple[str, ...] = LABEL_SUFFIXES) -> None:
    """Refuse, before any work is done, a path that cannot be written.

    Raises:
        OutputError: the ending is unknown, the folder is missing or not writable, or the path is a folder.
    """
    if not path.name.endswith(suffixes):
        raise OutputError(f"Cannot write {path}: its ending must be one of {', '.join(suffixes)}.")
    if names_undecoded(path):
        raise OutputError(f"Cannot write {path}: the name is not in UTF-8. Choose another file or folder.")
    if path.is_dir():
        raise OutputError(f"Cannot write {path}: a folder has that name.")
    if not path.parent.is_dir():
        raise OutputError(f"Cannot write {path}: the folder {path.parent} does not exist. Make it first.")
    if not os.access(path.parent, os.W_OK):
        raise OutputError(f"Cannot write {path}: the folder {path.parent} is not writable.")


def check_frames_output(path: Path, overlapping: bool) -> None:
    """Refuse, before any work is done, a path that cannot take the labels of a sequence's frames.

    Raises:
        OutputError: as `check_output`; or the ending is `.seg.nrrd`, or labels may overlap.
    """
    check_output(path)
    if path.name.endswith(SEGMENTATION_SUFFIX):
        others = ", ".join(suffix for suffix in LABEL_SUFFIXES if suffix != SEGMENTATION_SUFFIX)
        raise OutputError(f"Cannot write {path}: a segmentation file holds one frame; a sequence's frames go to one file that ends in {others}.")
    if overlapping:
        raise OutputError(f"Cannot write {path}: the labels may overlap, which a file of several frames cannot hold. Segment the frames one by one.")


def write_whole(path: Path, write: Callable[[Path], None]) -> None:
    """Let `write` fill a temporary file beside `path`, then put it in place in one step.

    Raises:
        OutputError: writing failed; no half-written file is left.
    """
    suffix = next((s for s in LABEL_SUFFIXES if path.name.endswith(s)), path.suffix)
    try:
        handle, name = tempfile.mkstemp(prefix=".deepseg-", suffix=suffix, dir=path.parent)
        os.close(handle)
    except OSError as error:
        raise OutputError(f"Cannot write {path}: {error.strerror}.") from error
    try:
        write(Path(name))
        # mkstemp makes files for the owner alone; a result gets the rights any new file would have.
        mask = os.umask(0)
        os.umask(mask)
        Path(name).chmod(0o666 & ~mask)
        Path(name).replace(path)
    except (OSError, RuntimeError) as error:
        # ITK does not say why it could not write; most often the disk is full.
        full = isinstance(error, RuntimeError) or error.errno in (errno.ENOSPC, errno.EDQUOT)
        question = " Is the disk full?" if full else " Is it open in another program?" if isinstance(error, PermissionError) else ""
        raise OutputError(f"Cannot write {path}: {getattr(error, 'strerror', None) or telling_line(error)}.{question}") from error
    finally:
        Path(name).unlink(missing_ok=True)


def _read_image(path: Path) -> sitk.Image:
    with reading(path):
        reader = open_image(path)
        _refuse_other_than_volume(path, reader.GetSize(), reader.GetNumberOfComponents())
        refuse_damaged(path, reader)
        if reader.GetDimension() == 4:
            reader.SetExtractSize([*reader.GetSize()[:3], 0])
        return reader.Execute()


@contextmanager
def reading(path: Path) -> Iterator[None]:
    """Turn what ITK says about a file into one sentence.

    Raises:
        VolumeError: ITK cannot read it.
    """
    if names_undecoded(path):
        raise VolumeError(f"The name {path} is not in UTF-8, so it cannot be opened. Rename the file or its folder.")
    try:
        with quiet_itk():
            yield
    except RuntimeError as error:
        if "orthonormal" in str(error):
            raise VolumeError(
                f"The axes of {path} are not perpendicular (its sform is sheared and there is no qform). Resample it to a rectangular grid first."
            ) from error
        raise VolumeError(f"{path} cannot be read as an image ({telling_line(error)}). Expected NIfTI, NRRD, MetaImage or DICOM.") from error


def open_image(path: Path) -> sitk.ImageFileReader:
    """A reader that has read the file's header alone."""
    import SimpleITK as sitk

    reader = sitk.ImageFileReader()
    reader.SetFileName(str(path))
    reader.ReadImageInformation()
    return reader


def _refuse_other_than_volume(path: Path, size: tuple[int, ...], components: int) -> None:
    shape = " x ".join(str(n) for n in size)
    if components != 1:
        raise VolumeError(
            f"{path} has {components} values per voxel (colour or vectors); expected grey values. Save one component as its own volume."
        )
    if len(size) == 4 and size[3] > 1:
        raise VolumeError(
            f"{path} has four dimensions ({shape}); expected one volume of three. Read it as a sequence, or save one time point or channel as its "
            "own file."
        )
    if len(size) not in (3, 4):
        raise VolumeError(f"{path} has {len(size)} dimensions ({shape}); expected a volume with three.")


def refuse_damaged(path: Path, reader: sitk.ImageFileReader) -> None:
    """Look for what ITK's readers hide; the reader has read the header.

    Raises:
        VolumeError: the file is cut off, or voxels are NaN or infinite.
    """
    if is_nifti(path) and reader.HasMetaDataKey("vox_offset"):
        count = int(np.prod(reader.GetSize(), dtype=np.int64))
        datatype, bits, offset = (int(float(reader.GetMetaData(key))) for key in ("datatype", "bitpix", "vox_offset"))
        refuse_damaged_nifti(path, datatype, bits, offset, count)


def array_of(image: sitk.Image) -> np.ndarray:
    """Voxels (I, J, K) of a grey-value image."""
    import SimpleITK as sitk

    return reverse_axes(sitk.GetArrayFromImage(image))


def geometry_of(image: sitk.Image) -> Geometry:
    """Grid of a volume."""
    return Geometry.from_lps(image.GetSize(), image.GetOrigin(), image.GetSpacing(), image.GetDirection())


def _write(
    array: np.ndarray, geometry: Geometry, header: dict[str, str], path: Path, layered: bool = False, time: tuple[float, float] = (0.0, 1.0)
) -> None:
    """Write (I, J, K), or (N, I, J, K) as N values a voxel where it is `layered` and else with a fourth axis, which begins and goes on by `time`."""
    import SimpleITK as sitk

    check_output(path)
    if array.ndim == 3:
        image = sitk.GetImageFromArray(np.ascontiguousarray(reverse_axes(array)))
    else:
        volumes = np.stack([reverse_axes(volume) for volume in array], axis=-1 if layered else 0)
        image = sitk.GetImageFromArray(volumes, isVector=layered)
    origin, spacing, directions = geometry.to_lps()
    if image.GetDimension() == 4:
        turned = np.eye(4)
        turned[:3, :3] = np.reshape(directions, (3, 3))
        origin, spacing, directions = [*origin, time[0]], [*spacing, time[1]], turned.ravel().tolist()
    image.SetOrigin(origin)
    image.SetSpacing(spacing)
    image.SetDirection(directions)
    for key, value in header.items():
        image.SetMetaData(key, value)
    write_whole(path, lambda temporary: sitk.WriteImage(image, str(temporary), useCompression=True))
