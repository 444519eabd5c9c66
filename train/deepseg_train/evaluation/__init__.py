"""How well models do: measures, their statistics, subgroups, shift between datasets, and what is written about it."""

from deepseg_train.evaluation.cases import evaluate_cases
from deepseg_train.evaluation.rows import read_rows, write_rows
from deepseg_train.evaluation.summary import summarise
from deepseg_train.evaluation.tables import table

__all__ = ["evaluate_cases", "read_rows", "summarise", "table", "write_rows"]
