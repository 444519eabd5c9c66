"""Cases are worked on at once as memory allows."""

import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest

from deepseg_train.loading.room import Room, working_bytes


def at_once(room, wanted, count=6):
    """How many threads were inside together, at most."""
    inside, most, lock = 0, 0, threading.Lock()
    together = threading.Event()

    def work(_):
        nonlocal inside, most
        with room.taken(wanted):
            with lock:
                inside += 1
                most = max(most, inside)
            together.wait(0.02)
            with lock:
                inside -= 1

    with ThreadPoolExecutor(count) as pool:
        list(pool.map(work, range(count)))
    return most


@pytest.mark.parametrize(("total", "wanted", "expected"), [(100, 30, 3), (100, 100, 1), (100, 500, 1), (0, 30, 1), (100, 0, 6)])
def test_as_many_as_fit(total, wanted, expected):
    assert at_once(Room(total), wanted) == expected


def test_room_comes_back_after_an_error():
    room = Room(10)
    with pytest.raises(ValueError, match="bad"), room.taken(10):
        raise ValueError("bad")
    assert at_once(room, 10) == 1


def test_what_a_case_takes_follows_its_header(cases, spec):
    voxels = 20 * 24 * 18
    assert working_bytes(cases[0], spec) == pytest.approx(36 * 2 * voxels)
    assert working_bytes(cases[0], replace(spec, spacing_mm=(0.5, 1.0, None))) == pytest.approx(36 * 3 * voxels)
    assert working_bytes(replace(cases[0], images=(cases[0].label.with_name("none.nii"),)), spec) == 0
