"""Memory that is freed within a run stays with the process, and is given back after it."""

import resource
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from deepseg import heap
from deepseg.heap import freed_memory_kept, large_blocks_kept

pytestmark = pytest.mark.skipif(heap._libc is None, reason="this C library is not glibc")

MEGABYTES = 80
"""More than glibc ever keeps by itself."""
FEW = 20
"""Pages; such a block has 40 where the system has pages of 2 MB, and thousands of the usual ones."""


def faults_of_a_pass() -> int:
    """How many pages the system had to provide for a block that is taken, filled and freed."""
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    np.empty(MEGABYTES << 20, np.uint8).fill(1)
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before


def resident_megabytes() -> float:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * resource.getpagesize() / (1 << 20)


def a_later_pass_finds_its_memory_there():
    with freed_memory_kept(), large_blocks_kept():
        faults = [faults_of_a_pass() for _ in range(4)]
    print(f"pages provided: {faults}")
    assert max(faults[-2:]) < FEW < faults[0]


def a_pass_that_belongs_to_no_run_is_left_alone():
    with large_blocks_kept():
        assert min(faults_of_a_pass() for _ in range(3)) > FEW


def a_run_within_a_run_does_not_end_it():
    with freed_memory_kept():
        with freed_memory_kept():
            pass
        with large_blocks_kept():
            with large_blocks_kept():
                pass
            assert min(faults_of_a_pass() for _ in range(3)) < FEW


def all_of_it_goes_back_at_the_end_even_of_a_run_that_failed():
    before = resident_megabytes()
    with pytest.raises(ValueError, match="stopped"), freed_memory_kept(), large_blocks_kept():
        faults_of_a_pass()
        assert resident_megabytes() > before + MEGABYTES / 2
        raise ValueError("stopped")
    assert resident_megabytes() < before + MEGABYTES / 4
    assert faults_of_a_pass() > FEW


@pytest.mark.parametrize(
    "what",
    [
        a_later_pass_finds_its_memory_there,
        a_pass_that_belongs_to_no_run_is_left_alone,
        a_run_within_a_run_does_not_end_it,
        all_of_it_goes_back_at_the_end_even_of_a_run_that_failed,
    ],
    ids=lambda what: what.__name__,
)
def test_memory_is_kept_and_given_back(what):
    """Each in a process of its own: what other tests left free in this one's heap would be taken without the system's help."""
    done = subprocess.run([sys.executable, __file__, what.__name__], capture_output=True, text=True, check=False)
    print(done.stdout)
    assert done.returncode == 0, done.stderr


if __name__ == "__main__":
    globals()[sys.argv[1]]()
