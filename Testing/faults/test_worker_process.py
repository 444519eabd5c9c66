"""A run in its own process: the same result, and every way it can end leaves no process and no temporary folder."""

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import pytest

from deepseg.api import Box, DeepSegError, Geometry, Job, Volume, segment
from DeepSegLib import jobs
from DeepSegLib.search_path import logic_folder


class Started:
    """Starts real workers and remembers them and their folders."""

    def __init__(self):
        self.folder = self.process = None

    def __call__(self, folder):
        self.folder, self.process = folder, jobs.start_worker(folder)
        return self.process


@pytest.fixture
def started():
    started = Started()
    yield started
    if started.process and started.process.poll() is None:
        started.process.kill()
        started.process.wait()


@pytest.fixture
def a_short_job(tiny_bundle):
    matrix = np.diag([1.5, -1.2, 2.0, 1.0])
    matrix[:3, 3] = (-20.1, 30.2, 7.0)
    array = np.random.default_rng(3).normal(100, 20, (1, 20, 24, 16)).astype(np.float32)
    return Job(Volume(array, Geometry((20, 24, 16), matrix), ("a.u.",), "noise"), tiny_bundle.folder)


@pytest.fixture
def a_long_job(tiny_bundle):
    array = np.random.default_rng(3).normal(100, 20, (1, 200, 200, 200)).astype(np.float32)
    return Job(Volume(array, Geometry((200, 200, 200), np.diag([1.5, 1.5, 1.5, 1.0])), ("a.u.",), "big noise"), tiny_bundle.folder)


def run_until(job, condition, limit_s=120):
    end = time.monotonic() + limit_s
    while job.poll() and not condition(job):
        assert time.monotonic() < end, f"nothing within {limit_s} s; the last report was {job.progress}"
    assert job.running, job.error


def in_the_network(job):
    return job.progress.stage == "running the network" and job.progress.fraction > 0.05


def assert_nothing_is_left(started):
    assert started.process.poll() is not None
    assert not started.folder.exists()


def test_the_worker_gives_what_the_api_gives(a_short_job, tiny_bundle, started):
    roi = Box((-15.0, 5.0, 10.0), (5.0, 28.0, 35.0))
    expected = segment(a_short_job.volume, tiny_bundle, roi)
    seen = []

    job = jobs.SegmentationJob(Job(a_short_job.volume, a_short_job.model, roi), started)
    labels = job.wait(seen.append)

    np.testing.assert_array_equal(labels.array, expected.labels.array)
    assert labels.geometry.is_close(a_short_job.volume.geometry, 0.0)
    assert labels.labels == expected.labels.labels
    assert labels.attributes == expected.labels.attributes
    assert [progress.fraction for progress in seen] == sorted(progress.fraction for progress in seen)
    assert job.progress.fraction == 1.0
    assert_nothing_is_left(started)


def test_a_killed_worker_is_one_sentence_and_the_next_run_works(a_long_job, a_short_job, started):
    job = jobs.SegmentationJob(a_long_job, started)
    run_until(job, in_the_network)

    started.process.kill()
    while job.poll():
        time.sleep(0.01)

    assert job.error.startswith("The segmentation process ended unexpectedly (status ")
    assert "Close other programs or choose a smaller region of interest" in job.error
    log = Path(job.error.split("Details: ")[1])
    assert log.is_file()
    log.unlink()
    assert_nothing_is_left(started)
    assert jobs.SegmentationJob(a_short_job, started).wait().array.shape == (20, 24, 16)


@pytest.mark.parametrize("moment", ["while Python starts", "in the network"])
def test_cancel_ends_the_run_and_leaves_nothing(a_long_job, started, moment):
    job = jobs.SegmentationJob(a_long_job, started)
    if moment == "in the network":
        run_until(job, in_the_network)

    start = time.monotonic()
    job.cancel()
    seconds = time.monotonic() - start

    print(f"cancelled {moment} in {seconds:.2f} s")
    assert job.cancelled
    assert not job.poll()
    assert job.error is None
    assert_nothing_is_left(started)


def test_cancel_reaches_python_behind_a_launcher(a_long_job, tmp_path):
    """PythonSlicer is a launcher: killing it would leave Python running."""
    launcher = "import subprocess, sys; sys.exit(subprocess.call([sys.executable, '-m', 'deepseg.worker', sys.argv[1]]))"

    def start(folder):
        return subprocess.Popen(
            [sys.executable, "-c", launcher, str(folder)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env={**os.environ, "PYTHONPATH": str(logic_folder())},
        )

    job = jobs.SegmentationJob(a_long_job, start)
    run_until(job, in_the_network)
    python = job._pid

    job.cancel()

    assert_gone(python)


def test_a_worker_that_does_not_listen_is_killed(a_short_job):
    stuck = []

    def start(folder):
        stuck.append(subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"], stdin=subprocess.PIPE, stdout=subprocess.PIPE))
        return stuck[0]

    job = jobs.SegmentationJob(a_short_job, start)

    job.cancel()

    assert stuck[0].poll() is not None


def test_a_worker_does_not_outlive_its_parent(tiny_bundle, tmp_path):
    parent = tmp_path / "parent.py"
    parent.write_text(
        "import os, sys, numpy as np\n"
        "from DeepSegLib import jobs\n"
        "from deepseg.api import Geometry, Job, Volume\n"
        "volume = Volume(np.random.rand(1, 200, 200, 200).astype(np.float32), Geometry((200, 200, 200), np.eye(4)))\n"
        "job = jobs.SegmentationJob(Job(volume, sys.argv[1]))\n"
        "while job.poll() and job.progress.fraction < 0.05: pass\n"
        "print(job._pid, job._folder, flush=True)\n"
        "os._exit(1)\n"
    )
    modules = str(Path(jobs.__file__).resolve().parent.parent)
    said = subprocess.run(
        [sys.executable, str(parent), str(tiny_bundle.folder)], env={**os.environ, "PYTHONPATH": modules}, capture_output=True, text=True, timeout=120
    )
    pid, folder = said.stdout.split(maxsplit=1)

    assert_gone(int(pid))
    assert not Path(folder.strip()).exists()


def test_a_known_error_arrives_as_its_sentence(a_short_job, tmp_path, started):
    (tmp_path / "configs").mkdir()
    (tmp_path / "configs" / "metadata.json").write_text("{}")

    with pytest.raises(DeepSegError, match=r"has no 'deepseg' section: this is a MONAI bundle that DeepSeg cannot run\.$"):
        jobs.SegmentationJob(Job(a_short_job.volume, tmp_path), started).wait()
    assert_nothing_is_left(started)


def test_a_region_without_voxels_arrives_as_its_sentence(a_short_job, started):
    job = jobs.SegmentationJob(Job(a_short_job.volume, a_short_job.model, Box((500.0, 0.0, 0.0), (510.0, 9.0, 9.0))), started)

    with pytest.raises(DeepSegError, match="holds no voxel of the volume"):
        job.wait()
    assert_nothing_is_left(started)


def test_an_unexpected_error_says_what_and_where_its_log_is(a_short_job):
    def start(folder):
        (folder / "input.npy").write_bytes(b"not an array")
        return jobs.start_worker(folder)

    with pytest.raises(DeepSegError, match=r"stopped on an unexpected error \(ValueError: .*\)\. Details: ") as raised:
        jobs.SegmentationJob(a_short_job, start).wait()
    log = Path(str(raised.value).split("Details: ")[1])
    assert "Traceback" in log.read_text()
    log.unlink()


def test_no_pickle_is_read_from_the_job_folder(a_short_job):
    def start(folder):
        np.save(folder / "input.npy", np.array([{"a": 1}], dtype=object), allow_pickle=True)
        return jobs.start_worker(folder)

    with pytest.raises(DeepSegError, match="Object arrays cannot be loaded") as raised:
        jobs.SegmentationJob(a_short_job, start).wait()
    Path(str(raised.value).split("Details: ")[1]).unlink()


def test_prints_of_libraries_do_not_spoil_the_messages(a_short_job):
    """A worker whose libraries print to standard output, from Python and from below it."""
    noisy = (
        "import os; from deepseg import worker; channel = worker.Channel(); print('noise'); os.system('echo more noise')\n"
        "channel.send({'type': 'started', 'pid': 1})"
    )
    environment = {**os.environ, "PYTHONPATH": str(logic_folder())}
    said = subprocess.run([sys.executable, "-c", noisy], capture_output=True, text=True, timeout=60, env=environment)

    assert said.stdout == '{"type": "started", "pid": 1}\n'
    assert "noise" in said.stderr
    assert "more noise" in said.stderr


def test_a_worker_that_cannot_start_leaves_no_folder(a_short_job, monkeypatch, tmp_path):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))

    def start(folder):
        raise FileNotFoundError(2, "No such file or directory", "PythonSlicer")

    with pytest.raises(DeepSegError, match=r"The run cannot be started \(No such file or directory\)"):
        jobs.SegmentationJob(a_short_job, start)
    assert list(tmp_path.iterdir()) == []


def assert_gone(pid, limit_s=30.0):
    end = time.monotonic() + limit_s
    while time.monotonic() < end:
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return
        time.sleep(0.05)
    pytest.fail(f"process {pid} still runs")
