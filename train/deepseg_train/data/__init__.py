"""Datasets: their layouts, their cases, how they are split, checked and summed up, and what training they ask for."""

from deepseg_train.data.cases import Case, Dataset
from deepseg_train.data.opening import open_dataset

__all__ = ["Case", "Dataset", "open_dataset"]
