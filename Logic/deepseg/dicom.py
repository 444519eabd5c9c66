"""A folder of DICOM slices as one image."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from deepseg.dicom_sequence import first_item
from deepseg.errors import VolumeError
from deepseg.itk_messages import names_undecoded, quiet_itk, telling_line
from deepseg.suv import TRACER_SEQUENCE, is_needed, suv_factor

if TYPE_CHECKING:
    import SimpleITK as sitk

_MODALITY, _RESCALE_TYPE = "0008|0060", "0028|1054"
_POSITION, _ORIENTATION = "0020|0032", "0020|0037"

_SAME = 1e-3
"""Largest difference of direction cosines, or of pixel spacings in mm, that comes from rounding alone."""
_BESIDE_MM = 0.1
"""Largest shift of a slice within its plane that comes from rounding alone."""


@dataclass(frozen=True, eq=False)
class Series:
    """A DICOM series as one image.

    Attributes:
        image: its rescaled pixel values; multiplied by `factor` they are in `unit`.
        unit: 'HU' for CT, 'SUV' (by body weight) for PET, else 'a.u.'.
        modality: DICOM's, for example 'MR'.
    """

    image: sitk.Image
    unit: str
    modality: str
    factor: float = 1.0


def read_dicom_folder(folder: Path) -> Series:
    """Read the one series in `folder`.

    Raises:
        VolumeError: no series, more than one, colour, or slices missing, unevenly spaced, tilted or of different sizes; or a PET series
            whose tags do not tell its SUV.
    """
    if names_undecoded(folder) or any(map(names_undecoded, folder.iterdir())):
        raise VolumeError(f"A name in the folder {folder} is not in UTF-8, so it cannot be opened. Rename the folder and its files.")
    with quiet_itk():
        return _read(folder)


def _read(folder: Path) -> Series:
    import SimpleITK as sitk

    series = sitk.ImageSeriesReader.GetGDCMSeriesIDs(str(folder))
    if not series:
        raise VolumeError(f"The folder {folder} holds no DICOM series. Name an image file or a folder of DICOM slices.")
    files = {uid: sitk.ImageSeriesReader.GetGDCMSeriesFileNames(str(folder), uid) for uid in series}
    if len(series) > 1:
        listing = "; ".join(f"{uid} ({len(names)} files)" for uid, names in files.items())
        raise VolumeError(f"The folder {folder} holds {len(series)} DICOM series: {listing}. Put the one you want in a folder of its own.")
    names = files[series[0]]
    try:
        headers = [_header(name) for name in names]
        _refuse_colour(folder, headers[0])
        if len(names) == 1:
            image = sitk.ReadImage(names[0])
        else:
            _refuse_irregular(folder, headers)
            # In the first slice's own type, slices with a finer scale would be rounded.
            image = sitk.ReadImage(names, sitk.sitkFloat32)
    except RuntimeError as error:
        raise VolumeError(f"The DICOM series in {folder} cannot be read: {telling_line(error)}.") from error
    modality = _tag(headers[0], _MODALITY)
    if modality == "PT":
        tags = [{key: _tag(header, key) for key in header.GetMetaDataKeys() if is_needed(key)} for header in headers]
        return Series(image, "SUV", modality, suv_factor(f"in {folder}", tags, first_item(names[0], TRACER_SEQUENCE)))
    is_hounsfield = modality == "CT" and _tag(headers[0], _RESCALE_TYPE) in ("", "HU")
    return Series(image, "HU" if is_hounsfield else "a.u.", modality)


def _header(name: str) -> sitk.ImageFileReader:
    import SimpleITK as sitk

    reader = sitk.ImageFileReader()
    reader.SetFileName(name)
    reader.LoadPrivateTagsOn()
    reader.ReadImageInformation()
    return reader


def _tag(reader: sitk.ImageFileReader, key: str) -> str:
    return reader.GetMetaData(key).strip() if reader.HasMetaDataKey(key) else ""


def _refuse_colour(folder: Path, header: sitk.ImageFileReader) -> None:
    if header.GetDimension() != 3 or header.GetNumberOfComponents() != 1:
        raise VolumeError(f"The DICOM series in {folder} is not a volume of grey values (colour or multi-frame); expected one value per voxel.")


def _refuse_irregular(folder: Path, headers: list[sitk.ImageFileReader]) -> None:
    """ITK stacks slices as if all lay like the first, evenly and at right angles; refuse those where that would move them."""
    orientations = _numbers(headers, _ORIENTATION, 6)
    positions = _numbers(headers, _POSITION, 3)
    if orientations is None or positions is None:
        raise VolumeError(
            f"The DICOM series in {folder} does not say where its slices lie (no Image Position or Orientation, or a damaged one). Export it again."
        )
    in_plane = np.array([[*h.GetSize()[:2], *h.GetSpacing()[:2]] for h in headers], dtype=float)
    for what, values in (("directions", orientations), ("sizes or pixel spacings", in_plane)):
        if np.abs(values - values[0]).max() > _SAME:
            raise VolumeError(
                f"The slices of the DICOM series in {folder} have different {what}. Put the slices of one stack in a folder of their own."
            )
    normal = np.cross(orientations[0, :3], orientations[0, 3:])
    depths = (positions - positions[0]) @ normal
    beside = float(np.linalg.norm(positions - positions[0] - np.outer(depths, normal), axis=1).max())
    if beside > _BESIDE_MM:
        raise VolumeError(
            f"The slices of the DICOM series in {folder} do not lie straight above each other (they shift by up to {beside:.3g} mm), as with a "
            "tilted CT gantry. Load it in Slicer, which straightens such series, and save the volume as NRRD."
        )
    gaps = np.diff(np.sort(depths))
    usual = float(np.median(gaps))
    if usual <= 0 or np.abs(gaps - usual).max() > 0.05 * usual:
        at = int(np.abs(gaps - usual).argmax())
        raise VolumeError(
            f"The DICOM series in {folder} is not evenly spaced: slices {at + 1} and {at + 2} of {len(depths)} lie {gaps[at]:.3f} mm apart, "
            f"the others {usual:.3f} mm. A slice is missing or doubled; export the series again."
        )


def _numbers(headers: list[sitk.ImageFileReader], key: str, count: int) -> np.ndarray | None:
    """A tag's numbers, one row a slice; None where a slice lacks the tag or has something else there."""
    try:
        rows = [[float(part) for part in _tag(header, key).split("\\")] for header in headers]
    except ValueError:
        return None
    return np.array(rows) if all(len(row) == count and np.isfinite(row).all() for row in rows) else None
