"""What the images of a dataset are like: voxel sizes, shapes, intensities of what is outlined, sizes of the labels.

After nnU-Net's dataset fingerprint (Isensee et al. 2021, doi:10.1038/s41592-020-01008-z). Axes are R, A, S, however a file stores them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np
from monai.transforms import generate_spatial_bounding_box

from deepseg.errors import VolumeError
from deepseg.io import read_label_array
from deepseg_train.data.cases import Case, Dataset, refuse_problems
from deepseg_train.errors import DatasetError

QUANTILES = 10_000
"""Values that stand for a case's labelled voxels, evenly spread over their ranks, so that each case has the same weight."""


@dataclass(frozen=True)
class Intensities:
    """Of one channel within the labels, in the file's unit; percentiles 0.5 and 99.5 are `low` and `high`."""

    mean: float
    std: float
    low: float
    high: float


@dataclass(frozen=True)
class CaseFingerprint:
    """Figures of one case.

    Attributes:
        spacing_mm: voxel size along R, A, S.
        shape: voxels along R, A, S of the box around what is not 0 in any channel.
        kept: that box's share of the image's voxels.
        voxels: number of voxels by label value as the files have it, only of labels that are there.
    """

    name: str
    spacing_mm: tuple[float, float, float]
    shape: tuple[int, int, int]
    kept: float
    voxels: dict[int, int]


@dataclass(frozen=True)
class Fingerprint:
    """Figures of a dataset.

    Attributes:
        channel_names: of the inputs.
        label_names: by value as the files have it; those that the dataset does not name are called 'Label 1' and so on.
        cases: their figures.
        intensities: of each channel within the labels of all cases, each case having the same weight.
    """

    channel_names: tuple[str, ...]
    label_names: dict[int, str]
    cases: tuple[CaseFingerprint, ...]
    intensities: tuple[Intensities, ...]

    @property
    def median_shape(self) -> tuple[float, float, float]:
        """Along R, A, S, axis by axis, on the cases' own grids."""
        return tuple(np.median([case.shape for case in self.cases], axis=0).tolist())

    @property
    def median_kept(self) -> float:
        """Share of an image's voxels within the box around what is not 0."""
        return float(np.median([case.kept for case in self.cases]))

    def sizes_ml(self, value: int) -> list[float]:
        """Of a label, in each of the cases that have it."""
        return [case.voxels[value] * float(np.prod(case.spacing_mm)) / 1000 for case in self.cases if value in case.voxels]


def fingerprint(dataset: Dataset, progress: Callable[[Iterable[Case]], Iterable[Case]] = iter) -> Fingerprint:
    """Read all cases and sum them up.

    Args:
        dataset: whose cases all can be read.
        progress: shown while files are read, like `tqdm.tqdm`.

    Raises:
        DatasetError: cases cannot be read (all are named), nothing is outlined, or unnamed labels do not count up from 1.
    """
    found, quantiles, problems = [], [], []
    for case in progress(dataset.cases):
        try:
            figures, values = _of_case(case, len(dataset.channel_names))
        except VolumeError as error:
            problems.append(f"{case.name}: {error}")
            continue
        found.append(figures)
        if values.size:
            quantiles.append(values)
    refuse_problems(problems, len(dataset.cases))
    if not quantiles:
        raise DatasetError(f"Nothing is outlined in the {len(found)} cases of {dataset.folder}.")
    pooled = np.concatenate(quantiles, axis=1)
    return Fingerprint(dataset.channel_names, _label_names(dataset, found), tuple(found), tuple(_intensities(values) for values in pooled))


def _of_case(case: Case, channels: int) -> tuple[CaseFingerprint, np.ndarray]:
    """A case's figures, and for each channel `QUANTILES` values of the labelled voxels (C, QUANTILES), none where nothing is labelled."""
    volume = case.read_image()
    if len(volume.array) != channels:
        raise VolumeError(f"the image has {len(volume.array)} channels, the dataset names {channels}")
    labels, geometry = read_label_array(case.label)
    if not volume.geometry.is_close(geometry):
        raise VolumeError(f"image grid {volume.geometry.shape} and label grid {geometry.shape} differ in shape or place")
    orientation = geometry.orientation_to("RAS")
    array, labelled = orientation.apply(volume.array), orientation.apply(labels) > 0
    box = _nonzero_box(array)
    shape = tuple(side.stop - side.start for side in box)
    inside = array[(slice(None), *box)][:, labelled[box]]
    ranks = (np.arange(QUANTILES) + 0.5) / QUANTILES
    # Values that are there, not between them, so that mean and deviation stay those of the case.
    values = np.quantile(inside, ranks, axis=1, method="inverted_cdf").T if inside.size else np.empty((channels, 0))
    counts = {int(value): int(count) for value, count in zip(*np.unique(labels, return_counts=True), strict=True) if value > 0}
    figures = CaseFingerprint(
        case.name,
        geometry.reoriented(orientation).spacing_mm,
        shape,
        float(np.prod(shape) / np.prod(geometry.shape)),
        counts,
    )
    return figures, values


def _nonzero_box(array: np.ndarray) -> tuple[slice, slice, slice]:
    """Smallest box around what is not 0 in any channel (C, I, J, K); the whole image where all is 0."""
    start, end = generate_spatial_bounding_box(array, lambda image: image != 0, margin=0)
    return tuple(slice(first, last) if last else slice(0, side) for first, last, side in zip(start, end, array.shape[1:], strict=True))


def _intensities(values: np.ndarray) -> Intensities:
    low, high = np.percentile(values, (0.5, 99.5))
    return Intensities(float(values.mean(dtype=np.float64)), float(values.std(dtype=np.float64)), float(low), float(high))


def _label_names(dataset: Dataset, found: list[CaseFingerprint]) -> dict[int, str]:
    if dataset.label_names:
        return dataset.label_names
    values = sorted({value for case in found for value in case.voxels})
    if values != list(range(1, len(values) + 1)):
        raise DatasetError(f"The label values {values} have no names and do not count up from 1. Name them in the dataset, or renumber the files.")
    return {value: f"Label {value}" for value in values}
