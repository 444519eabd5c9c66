"""DeepSeg's logic layer: segmentation of medical volumes with PyTorch and MONAI, free of Slicer and Qt.

The only door for panels, command line and worker is `deepseg.api`.
"""

__version__ = "0.1.0"
