"""Random changes that image and label undergo together (geometry) or the image alone (intensity), with MONAI's transforms."""

from __future__ import annotations

import numpy as np
from monai import transforms as mt

from deepseg_train.config import AugmentationSettings

BOTH = ("image", "label")
_MODES = ("bilinear", "nearest")


def training_transform(settings: AugmentationSettings, patch: tuple[int, int, int]) -> mt.Compose:
    """From {'image': (C, I, J, K), 'label': (1, I, J, K)} on the model's grid (RAS) to a random patch of each.

    What lies beyond the image is 0 in both: the mean after z-score, and background.
    """
    affine = settings.affine
    angle = np.deg2rad(affine["rotate_degrees"])
    return mt.Compose(
        [
            *_fit(patch),
            # Crops show one side of the head; the other is its mirror image. Axis 0 is left-right in RAS.
            mt.RandFlipd(BOTH, prob=settings.flip_left_right, spatial_axis=0),
            mt.RandAffined(
                BOTH,
                prob=affine["probability"],
                rotate_range=(angle, angle, angle),
                scale_range=(affine["scale"],) * 3,
                shear_range=(affine["shear"],) * 6,
                translate_range=(affine["translate_voxels"],) * 3,
                mode=_MODES,
                padding_mode="zeros",
            ),
            *_intensity(settings),
        ]
    )


def _fit(patch: tuple[int, int, int]) -> list[mt.Transform]:
    return [mt.SpatialPadd(BOTH, patch), mt.RandSpatialCropd(BOTH, patch, random_size=False)]


def _intensity(settings: AugmentationSettings) -> list[mt.Transform]:
    blur, low, bias = settings.blur, settings.low_resolution, settings.bias_field
    gamma, change, noise = settings.gamma, settings.intensity, settings.noise
    return [
        mt.RandGaussianSmoothd("image", *[(0.3, blur["sigma_voxels"])] * 3, prob=blur["probability"]),
        mt.RandSimulateLowResolutiond("image", prob=low["probability"], zoom_range=(low["lowest_zoom"], 1.0)),
        mt.RandBiasFieldd("image", degree=3, coeff_range=(0.0, bias["strength"]), prob=bias["probability"]),
        mt.RandAdjustContrastd("image", prob=gamma["probability"], gamma=(gamma["lowest"], gamma["highest"]), retain_stats=True),
        mt.RandScaleIntensityd("image", factors=change["scale"], prob=change["probability"]),
        mt.RandShiftIntensityd("image", offsets=change["shift"], prob=change["probability"]),
        mt.RandGaussianNoised("image", prob=noise["probability"], std=noise["deviation"]),
    ]
