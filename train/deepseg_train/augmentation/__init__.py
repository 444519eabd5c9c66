"""Random changes of training patches: what is drawn is apart from what is done with it.

Geometry (`geometry/`) hits image and label alike and is composed into one sampling; intensity (`intensity/`) hits the image alone.
"""

from deepseg_train.augmentation.drawing import Draw, apply, draw
from deepseg_train.augmentation.grid import PatchGrid
from deepseg_train.augmentation.settings import AugmentationSettings

__all__ = ["AugmentationSettings", "Draw", "PatchGrid", "apply", "draw"]
