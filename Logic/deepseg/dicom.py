"""A folder of DICOM slices as one image."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import SimpleITK as sitk

from deepseg.errors import VolumeError

_MODALITY, _RESCALE_TYPE = "0008|0060", "0028|1054"
_POSITION, _ORIENTATION = "0020|0032", "0020|0037"


def read_dicom_folder(folder: Path) -> tuple[sitk.Image, str]:
    """Read the one series in `folder`; returns the image and its unit ('HU' for CT, else 'a.u.').

    Raises:
        VolumeError: no series, more than one, colour, or slices missing or unevenly spaced.
    """
    series = sitk.ImageSeriesReader.GetGDCMSeriesIDs(str(folder))
    if not series:
        raise VolumeError(f"The folder {folder} holds no DICOM series. Name an image file or a folder of DICOM slices.")
    files = {uid: sitk.ImageSeriesReader.GetGDCMSeriesFileNames(str(folder), uid) for uid in series}
    if len(series) > 1:
        listing = "; ".join(f"{uid} ({len(names)} files)" for uid, names in files.items())
        raise VolumeError(f"The folder {folder} holds {len(series)} DICOM series: {listing}. Put the one you want in a folder of its own.")
    names = files[series[0]]
    first = _header(names[0])
    try:
        if len(names) == 1:
            image = sitk.ReadImage(names[0])
        else:
            _refuse_uneven(folder, [_header(name) for name in names])
            image = sitk.ReadImage(names)
    except RuntimeError as error:
        raise VolumeError(f"The DICOM series in {folder} cannot be read: {str(error).splitlines()[-1].strip()}") from error
    if image.GetDimension() != 3 or image.GetNumberOfComponentsPerPixel() != 1:
        raise VolumeError(f"The DICOM series in {folder} is not a volume of grey values (colour or multi-frame); expected one value per voxel.")
    is_hounsfield = _tag(first, _MODALITY) == "CT" and _tag(first, _RESCALE_TYPE) in ("", "HU")
    return image, "HU" if is_hounsfield else "a.u."


def _header(name: str) -> sitk.ImageFileReader:
    reader = sitk.ImageFileReader()
    reader.SetFileName(name)
    reader.ReadImageInformation()
    return reader


def _tag(reader: sitk.ImageFileReader, key: str) -> str:
    return reader.GetMetaData(key).strip() if reader.HasMetaDataKey(key) else ""


def _refuse_uneven(folder: Path, headers: list[sitk.ImageFileReader]) -> None:
    """ITK stacks slices with the first gap throughout; a missing slice would shift all that follow."""
    texts = [(_tag(h, _ORIENTATION), _tag(h, _POSITION)) for h in headers]
    if any(not orientation or not position for orientation, position in texts):
        raise VolumeError(f"The DICOM series in {folder} does not say where its slices lie (no Image Position or Orientation). Export it again.")
    row = np.array([float(v) for v in texts[0][0].split("\\")])
    normal = np.cross(row[:3], row[3:])
    depths = np.sort([np.array([float(v) for v in position.split("\\")]) @ normal for _, position in texts])
    gaps = np.diff(depths)
    usual = float(np.median(gaps))
    if usual <= 0 or np.abs(gaps - usual).max() > 0.05 * usual:
        at = int(np.abs(gaps - usual).argmax())
        raise VolumeError(
            f"The DICOM series in {folder} is not evenly spaced: slices {at + 1} and {at + 2} of {len(depths)} lie {gaps[at]:.3f} mm apart, "
            f"the others {usual:.3f} mm. A slice is missing or doubled; export the series again."
        )
