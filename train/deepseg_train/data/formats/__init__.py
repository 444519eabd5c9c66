"""Layouts of datasets, one file each: how one is told from the others, and how it is read."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from deepseg_train.data.cases import Dataset
from deepseg_train.data.formats.bids import is_bids, open_bids
from deepseg_train.data.formats.csv_table import is_table, open_table
from deepseg_train.data.formats.msd import is_msd, open_msd
from deepseg_train.data.formats.nnunet import is_nnunet, open_nnunet

FORMATS: dict[str, tuple[Callable[[Path], bool], Callable[[Path], Dataset]]] = {
    "csv": (is_table, open_table),
    "msd": (is_msd, open_msd),
    "nnunet": (is_nnunet, open_nnunet),
    "bids": (is_bids, open_bids),
}
"""By name: whether a path is of this layout, and how to open it; the first that knows a path opens it."""
