"""The section `augmentation` of a config: how likely and how strong each random change is."""

from __future__ import annotations

from dataclasses import dataclass, field

from deepseg_train.augmentation.cutout import CutoutSettings
from deepseg_train.augmentation.geometry.affine import AffineSettings
from deepseg_train.augmentation.geometry.elastic import ElasticSettings
from deepseg_train.augmentation.geometry.flip import FlipSettings
from deepseg_train.augmentation.intensity.bias_field import BiasFieldSettings
from deepseg_train.augmentation.intensity.blur import BlurSettings
from deepseg_train.augmentation.intensity.brightness import BrightnessSettings
from deepseg_train.augmentation.intensity.contrast import ContrastSettings
from deepseg_train.augmentation.intensity.gamma import GammaSettings, InvertedGammaSettings
from deepseg_train.augmentation.intensity.ghosting import GhostingSettings
from deepseg_train.augmentation.intensity.low_resolution import LowResolutionSettings
from deepseg_train.augmentation.intensity.motion import MotionSettings
from deepseg_train.augmentation.intensity.noise import NoiseSettings
from deepseg_train.augmentation.mixup import MixupSettings
from deepseg_train.augmentation.ranges import need_share


@dataclass(frozen=True)
class AugmentationSettings:
    """Every section may be left out, and every key in it; what a section leaves out has the value given here.

    The values are near nnU-Net's (Isensee et al. 2021, doi:10.1038/s41592-020-01008-z), which do well on MR and CT. Flips are off because it depends
    on the labels whether a mirror image is right; elastic deformation, bias field, motion, ghosting, cutout and mixup are off because they
    depend on the images: `probability` turns each on.

    Attributes:
        oversample_foreground: share of the patches taken around a voxel of a label, where the image is larger than the patch.
    """

    oversample_foreground: float = 0.33
    flip: FlipSettings = field(default_factory=FlipSettings)
    affine: AffineSettings = field(default_factory=AffineSettings)
    elastic: ElasticSettings = field(default_factory=ElasticSettings)
    bias_field: BiasFieldSettings = field(default_factory=BiasFieldSettings)
    motion: MotionSettings = field(default_factory=MotionSettings)
    ghosting: GhostingSettings = field(default_factory=GhostingSettings)
    blur: BlurSettings = field(default_factory=BlurSettings)
    low_resolution: LowResolutionSettings = field(default_factory=LowResolutionSettings)
    brightness: BrightnessSettings = field(default_factory=BrightnessSettings)
    contrast: ContrastSettings = field(default_factory=ContrastSettings)
    gamma: GammaSettings = field(default_factory=GammaSettings)
    inverted_gamma: InvertedGammaSettings = field(default_factory=InvertedGammaSettings)
    noise: NoiseSettings = field(default_factory=NoiseSettings)
    cutout: CutoutSettings = field(default_factory=CutoutSettings)
    mixup: MixupSettings = field(default_factory=MixupSettings)

    def __post_init__(self) -> None:
        need_share(self, "oversample_foreground")
