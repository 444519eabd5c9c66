"""What a segment's shape alone tells."""

import numpy as np

from deepseg.flags import flags_of


def test_nothing_and_what_reaches_the_border_are_flagged():
    mask = np.zeros((6, 7, 8), bool)
    assert flags_of(mask) == ["empty"]
    mask[2:4, 2:4, 2:4] = True
    assert flags_of(mask) == []
    mask[3, 3, 7] = True
    assert flags_of(mask) == ["touches the border"]


def test_a_single_slice_has_no_border_across_it():
    mask = np.zeros((6, 7, 1), bool)
    mask[2:4, 2:4] = True
    assert flags_of(mask) == []
    mask[0, 3] = True
    assert flags_of(mask) == ["touches the border"]
