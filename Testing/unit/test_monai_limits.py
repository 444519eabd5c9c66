"""A few words of a bundle cannot fill the memory, nor a message the screen."""

import numpy as np
import pytest
import torch

from deepseg.errors import ModelError
from deepseg.importers.monai_limits import MAX_ITEMS, count_items, shown
from deepseg.importers.monai_weights import read_arrays, read_state


@pytest.mark.parametrize(
    ("value", "count"),
    [
        (1.5, 1),
        (None, 1),
        ("abc", 4),
        ([], 1),
        ([1, [2, 3]], 5),
        ({"a": [1]}, 5),
        ((1, 2), 3),
        (np.zeros((3, 4)), 13),
        (torch.zeros(2, 5), 11),
    ],
    ids=str,
)
def test_parts_of_parts_are_counted(value, count):
    assert count_items(value) == count


def test_what_is_shared_counts_as_often_as_it_occurs_and_counting_ends():
    nested = [0]
    for _ in range(60):
        nested = [nested, nested]
    assert MAX_ITEMS < count_items(nested) < MAX_ITEMS + 100
    assert count_items([[1] * 1000] * 50) == 50_051


@pytest.mark.parametrize("value", ["x" * 10**6, [1] * 10**6, [["long"] * 900] * 900, dict.fromkeys(range(900), "y" * 500)], ids=type)
def test_messages_stay_short(value):
    assert len(shown(value)) <= 160


def test_what_is_short_is_shown_whole():
    for value in ([16, 16, -1], "nearest", 0.25, None, {"a": [1.5, None]}, "'quoted'"):
        assert shown(value) == repr(value)


def test_arrays_that_a_few_bytes_are_stretched_over_are_not_written_out(tmp_path):
    torch.save({"arch_code_a": torch.zeros(1).expand(10**13)}, tmp_path / "arch.pt")
    with pytest.raises(ModelError, match="holds more than 100000 numbers"):
        read_arrays(tmp_path / "arch.pt")
    torch.save({"a": torch.zeros(1).expand(10**13)}, tmp_path / "model.pt")
    assert read_state(tmp_path / "model.pt")["a"].shape == (10**13,)
