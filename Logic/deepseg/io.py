"""Image files to volumes and label maps to files, through SimpleITK (NIfTI, NRRD, MetaImage and whatever else ITK reads)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from deepseg.dicom import read_dicom_folder
from deepseg.errors import VolumeError
from deepseg.geometry import Geometry, reverse_axes
from deepseg.itk_messages import names_undecoded, quiet_itk, telling_line
from deepseg.nifti import is_nifti, refuse_damaged_nifti
from deepseg.outputs import check_frames_output, check_output, write_whole
from deepseg.segmentation_file import SEGMENTATION_SUFFIX, segmentation_header
from deepseg.volume import LabelMap, Volume

if TYPE_CHECKING:
    import SimpleITK as sitk

_NOTES, _MARK, _NIFTI_LINE = "ITK_FileNotes", "DeepSeg: ", 79
"""ITK's name for the free line of a header, how it begins in a model's result, and how long it may be in NIfTI."""


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


def write_volume(volume: Volume, path: str | Path, attributes: Mapping[str, str] | None = None) -> None:
    """Write a volume's first channel as float32; the file appears whole or not at all.

    `attributes` are those of `Prediction.provenance`, for a file that a model made; see `made_by_model`.

    Raises:
        OutputError: the folder is missing, not writable or full, or the name's ending is unknown.
    """
    _write(volume.array[0], volume.geometry, _made_by(attributes or {}), Path(path))


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
    _write(np.stack([frame.array for frame in frames]), frames[0].geometry, _made_by(frames[0].attributes), path, time=(start, step))


def write_label_map(labels: LabelMap, path: str | Path) -> None:
    """Write a label map; the file appears whole or not at all.

    `.seg.nrrd` keeps names, colours, terminology and attributes, and opens in Slicer as a segmentation. NRRD and MetaImage keep the attributes,
    NIfTI the model and its version alone, in its field 'descrip'. Labels that may overlap become layers
    there, and in every other format a fourth axis: one mask of 0 and 1 a label, in their order.

    Raises:
        OutputError: the folder is missing, not writable or full, or the name's ending is unknown.
    """
    path = Path(path)
    if path.name.endswith(SEGMENTATION_SUFFIX):
        arrays, places = labels.layers()
        _write(arrays[0] if len(arrays) == 1 else np.stack(arrays), labels.geometry, segmentation_header(labels, places), path, layered=True)
    elif labels.overlapping:
        _write(np.stack([labels.mask(label).astype(np.uint8) for label in labels.labels]), labels.geometry, _made_by(labels.attributes), path)
    else:
        _write(labels.array, labels.geometry, _made_by(labels.attributes), path)


def made_by_model(path: Path) -> bool:
    """Whether an image file was written by DeepSeg as a model's result; only its header is read, and what cannot be read was not."""
    try:
        with reading(path):
            reader = open_image(path)
            return reader.HasMetaDataKey(_NOTES) and reader.GetMetaData(_NOTES).startswith(_MARK)
    except VolumeError:
        return False


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


def _made_by(attributes: Mapping[str, str]) -> dict[str, str]:
    """What made a result, for a file's header; NIfTI has room for one line."""
    if "DeepSeg.Model" not in attributes:
        return dict(attributes)
    model, version, sha256 = (attributes.get(f"DeepSeg.Model{part}", "") for part in ("", "Version", "Sha256"))
    line = f"{_MARK}{model} {version} {sha256[:12]}".rstrip()
    return {**attributes, _NOTES: line.encode("ascii", "replace")[:_NIFTI_LINE].decode()}


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
