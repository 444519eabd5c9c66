"""Workers and clients without memory or disk: one sentence, nothing left, and the next run works."""

import tempfile
from pathlib import Path

import numpy as np
import pytest

from deepseg.api import DeepSegError
from DeepSegLib import private_folders
from DeepSegLib.jobs import WorkerJob
from DeepSegLib.worker_pool import WorkerPool
from faults.workers import follow, patched

resource = pytest.importorskip("resource", reason="limits of a process are POSIX")

WITH_LITTLE_MEMORY = """
import resource
from deepseg import worker
read_job = worker.read_job
def read_and_starve(folder):
    used = int(open("/proc/self/statm").read().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (used + (8 << 20), resource.RLIM_INFINITY))
    return read_job(folder)
worker.read_job = read_and_starve
"""
WITH_A_FULL_DISK = """
import resource
from deepseg import worker
write_result = worker.write_result
def write_and_fail(folder, result):
    resource.setrlimit(resource.RLIMIT_FSIZE, (4096, resource.RLIM_INFINITY))
    return write_result(folder, result)
worker.write_result = write_and_fail
"""


@pytest.fixture
def small_files():
    """Files of this process may not grow over 1 MB, as on a full disk."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 20, hard))
    yield
    resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def assert_the_next_run_works(job, workers):
    assert WorkerJob(job, workers.pool).wait().labels.array.shape == (20, 24, 16)
    workers.assert_nothing_is_left()


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="needs Linux's figures of memory")
def test_too_little_memory_for_a_run_is_one_sentence(a_long_job, a_short_job, workers):
    workers.starts = [patched(WITH_LITTLE_MEMORY)]

    error = follow(WorkerJob(a_long_job, workers.pool)).error

    assert error.startswith("There was not enough memory")
    assert "smaller region of interest" in error
    assert "Details" not in error
    assert_the_next_run_works(a_short_job, workers)


def test_too_little_memory_to_start_is_one_sentence(a_short_job, workers):
    workers.starts = [patched("import resource; resource.setrlimit(resource.RLIMIT_AS, (600 << 20, resource.RLIM_INFINITY))")]

    error = follow(WorkerJob(a_short_job, workers.pool)).error

    sentence, _, log = error.partition(" Details: ")
    if log:
        Path(log).unlink()
    assert sentence.startswith(
        ("There was not enough memory", "The process that runs the model ended unexpectedly", "The run stopped on an unexpected error")
    )
    assert_the_next_run_works(a_short_job, workers)


def test_a_disk_too_full_for_the_result_is_one_sentence(a_short_job, workers):
    workers.starts = [patched(WITH_A_FULL_DISK)]

    error = follow(WorkerJob(a_short_job, workers.pool)).error

    assert error.startswith("There is no room for the result (File too large) in ")
    assert error.endswith("Make room there, then start the run again.")
    workers.processes[0].kill()  # its disk stays full
    assert_the_next_run_works(a_short_job, workers)


def test_disks_too_full_for_the_input_are_one_sentence(a_long_job, workers, small_files):
    error = follow(WorkerJob(a_long_job, workers.pool)).error

    assert error == (
        f"The run needs 49 MB for its files, and there is no room for them in {workers.shared} nor in {workers.temporary} (File too large). "
        "Make room there, then start it again."
    )
    workers.assert_nothing_is_left()


def test_without_shared_memory_the_temporary_folder_serves(a_short_job, workers, tmp_path):
    pool = WorkerPool(workers.start, lambda: [tmp_path / "missing", workers.temporary])

    labels = WorkerJob(a_short_job, pool).wait().labels
    pool.close()

    assert labels.array.shape == (20, 24, 16)
    workers.assert_nothing_is_left()


def test_a_place_with_too_little_room_is_passed_over(tmp_path):
    assert list(private_folders.with_room([tmp_path], 1)) == [tmp_path]
    assert list(private_folders.with_room([tmp_path], 1 << 60)) == []


def test_a_worker_whose_folder_cannot_be_made_is_one_sentence(a_short_job, workers, monkeypatch, tmp_path):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "missing"))

    with pytest.raises(DeepSegError, match="The run cannot be started"):
        WorkerJob(a_short_job, workers.pool)


def test_many_runs_leave_nothing(a_short_job, workers):
    results = [WorkerJob(a_short_job, workers.pool).wait().labels.array for _ in range(5)]

    assert all(np.array_equal(results[0], other) for other in results)
    assert len(workers.processes) == 1
    workers.assert_nothing_is_left()
