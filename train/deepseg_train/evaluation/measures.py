"""What is measured of one label in one case (definitions: Maier-Hein et al. 2024, "Metrics reloaded", doi:10.1038/s41592-023-02151-z).

Where a mask is empty:

| measure | both empty | only the reference | only the prediction |
|---|---|---|---|
| Dice, IoU, surface Dice | 1 | 0 | 0 |
| HD95, ASSD | 0 | infinite | infinite |
| volume error in mL | 0 | the predicted volume | minus the volume |
| volume error in % | undefined | undefined | -100 |
| sensitivity, AUROC, AUPRC | undefined | undefined | 0; the areas as they are |
| specificity | 1 | as it is | 1 |
| precision | undefined | 0 | undefined |

Undefined is nan: such a case is left out of the mean, and the number of cases that are in it is told. An infinite case is not left out: the
mean is then infinite, since a label that is missed altogether must not make a model look better.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from deepseg.metrics import SurfaceDistances, dice, iou
from deepseg_train.evaluation.ranking import ranking_areas

SURFACE_TOLERANCE_MM = 1.0
NAN = float("nan")


@dataclass(frozen=True)
class Measure:
    """One measure.

    Attributes:
        title: to show, with its unit.
        best: whether the largest value is best, the smallest, or 0.
        decimals: that mean something.
    """

    title: str
    best: Literal["high", "low", "zero"]
    decimals: int = 3

    def badness(self, values: np.ndarray) -> np.ndarray:
        """The same values so that a larger one is worse."""
        return {"high": -values, "low": values, "zero": np.abs(values)}[self.best]


MEASURES = {
    "dice": Measure("Dice", "high"),
    "iou": Measure("IoU", "high"),
    "hd95_mm": Measure("HD95 (mm)", "low", 2),
    "assd_mm": Measure("ASSD (mm)", "low", 2),
    "surface_dice_1mm": Measure("surface Dice at 1 mm", "high"),
    "volume_error_percent": Measure("volume error (%)", "zero", 1),
    "volume_error_ml": Measure("volume error (mL)", "zero"),
    "sensitivity": Measure("sensitivity", "high"),
    "specificity": Measure("specificity", "high", 4),
    "precision": Measure("precision", "high"),
    "auroc": Measure("AUROC", "high"),
    "auprc": Measure("AUPRC", "high"),
}
"""By the name in rows and in a model's file."""

VOLUMES = ("predicted_ml", "reference_ml", "image_ml")
"""What a row holds besides: volumes of the two masks and of the whole image, in mL."""


def measured(
    predicted: np.ndarray, reference: np.ndarray, spacing_mm: tuple[float, float, float], probability: np.ndarray | None = None
) -> dict[str, float]:
    """All measures of one label, and `VOLUMES`.

    Args:
        predicted, reference: bool (I, J, K).
        spacing_mm: along those axes.
        probability: of the label, 0..1 (I, J, K); without it there are no AUROC and AUPRC (nan).
    """
    voxel_ml = float(np.prod(spacing_mm)) / 1000
    predicted_voxels, reference_voxels, voxels = int(predicted.sum()), int(reference.sum()), reference.size
    both = int((predicted & reference).sum())
    neither = voxels - predicted_voxels - reference_voxels + both
    surfaces = SurfaceDistances.between(predicted, reference, spacing_mm)
    auroc, auprc = (NAN, NAN) if probability is None else ranking_areas(probability, reference)
    excess = predicted_voxels - reference_voxels
    return {
        "dice": dice(predicted, reference),
        "iou": iou(predicted, reference),
        "hd95_mm": surfaces.hausdorff_95_mm(),
        "assd_mm": surfaces.average_mm(),
        "surface_dice_1mm": surfaces.surface_dice(SURFACE_TOLERANCE_MM),
        "volume_error_percent": 100 * excess / reference_voxels if reference_voxels else NAN,
        "volume_error_ml": excess * voxel_ml,
        "sensitivity": both / reference_voxels if reference_voxels else NAN,
        "specificity": neither / (voxels - reference_voxels) if reference_voxels < voxels else NAN,
        "precision": both / predicted_voxels if predicted_voxels else NAN,
        "auroc": auroc,
        "auprc": auprc,
        "predicted_ml": predicted_voxels * voxel_ml,
        "reference_ml": reference_voxels * voxel_ml,
        "image_ml": voxels * voxel_ml,
    }
