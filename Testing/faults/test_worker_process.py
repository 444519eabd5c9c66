"""Runs in other processes: the same result as in this one, warm the second time, two at once, and errors in one sentence."""

import os
import shutil
import subprocess
import sys
import tempfile
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import pytest

from deepseg.api import Box, DeepSegError, Job, UncertaintyRequest, estimate_uncertainty, segment, uncertain_regions
from DeepSegLib.jobs import WorkerJob
from DeepSegLib.worker_pool import WorkerPool
from DeepSegLib.worker_process import start_process, start_worker
from faults.workers import patched, run_until, without_log

FAKE = """
import json, os, sys
for n, line in enumerate(sys.stdin):
    if n == {runs}:
        os._exit(0)
    print(json.dumps(dict(type="error", message="{message}", expected=True)), flush=True)
"""


def fake(message, runs):
    """Starts a program that answers so many runs with an error, and ends when it gets another one."""
    return lambda home: start_process([sys.executable, "-c", FAKE.format(message=message, runs=runs)], home)


def test_the_worker_gives_what_the_api_gives(a_short_job, quick_bundle, workers):
    roi = Box((-15.0, 5.0, 10.0), (5.0, 28.0, 35.0))
    expected = segment(a_short_job.volume, quick_bundle, roi, probabilities=False)
    seen = []

    job = WorkerJob(replace(a_short_job, roi=roi), workers.pool)
    result = job.wait(seen.append)

    labels = result.labels
    np.testing.assert_array_equal(labels.array, expected.labels.array)
    assert labels.geometry.is_close(a_short_job.volume.geometry, 0.0)
    assert labels.labels == expected.labels.labels
    assert labels.attributes == expected.labels.attributes
    assert job.result is result
    assert job.notes == result.notes == expected.notes
    assert list(result.seconds) == list(expected.seconds)
    assert (result.uncertainty, result.regions, result.explanation, result.preview) == (None, (), None, None)
    assert [progress.fraction for progress in seen] == sorted(progress.fraction for progress in seen)
    assert job.progress.fraction == 1.0
    workers.assert_nothing_is_left()


@pytest.mark.parametrize("asked", [UncertaintyRequest("augmentation", 3, seed=7), UncertaintyRequest("single-pass")], ids=["drawn", "single"])
def test_the_worker_is_as_sure_as_the_api_bit_for_bit(asked, a_short_job, quick_bundle, workers):
    expected = estimate_uncertainty(a_short_job.volume, quick_bundle, **asdict(asked))

    result = WorkerJob(replace(a_short_job, request=asked), workers.pool).wait()

    labels, found = result.labels, result.uncertainty
    np.testing.assert_array_equal(labels.array, expected.prediction.labels.array)
    assert found.prediction.labels is labels
    assert list(found.prediction.seconds) == list(expected.prediction.seconds)
    assert set(found.maps) == {"predictive_entropy", "expected_entropy", "mutual_information"}, "the model is not calibrated"
    for name, one in found.maps.items():
        np.testing.assert_array_equal(one.values, expected.maps[name].values)
        for told in ("measure", "title", "unit", "kind", "largest"):
            assert getattr(one, told) == getattr(expected.maps[name], told)
    for name in ("agreement", "sampler", "samples", "seed", "findings", "calibrated", "notes"):
        assert getattr(found, name) == getattr(expected, name)
    assert repr(found.reports) == repr(expected.reports), "nan is nan"
    assert result.regions == tuple(uncertain_regions(expected))
    workers.assert_nothing_is_left()


def test_the_second_run_finds_the_worker_warm(a_short_job, workers):
    """It reads neither the weights nor the model's description again."""
    code = "from deepseg.bundle import ModelBundle as M; load = M.load; M.load = lambda folder: (print('model loaded', flush=True), load(folder))[1]"
    workers.starts = [patched(code)]
    first = WorkerJob(a_short_job, workers.pool).wait()
    log = next(workers.temporary.iterdir()) / "worker.log"
    assert log.read_text().count("model loaded") == 1

    second = WorkerJob(a_short_job, workers.pool).wait()

    np.testing.assert_array_equal(first.labels.array, second.labels.array)
    assert log.read_text().count("model loaded") == 1
    assert len(workers.processes) == 1


def test_a_model_that_was_changed_is_read_again(a_short_job, workers, tmp_path):
    model = tmp_path / "model"
    shutil.copytree(a_short_job.model, model)
    job = Job(a_short_job.volume, model)
    WorkerJob(job, workers.pool).wait()
    weights = model / "models" / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1] + b"\x00\x01")

    with pytest.raises(DeepSegError, match="damaged or altered"):
        WorkerJob(job, workers.pool).wait()
    assert len(workers.processes) == 1


@pytest.mark.skipif(not Path("/proc/self/maps").exists(), reason="only Linux lists a process's mapped files")
def test_a_worker_that_waits_holds_no_input(a_short_job, workers):
    WorkerJob(a_short_job, workers.pool).wait()

    assert "input.npy" not in Path(f"/proc/{workers.processes[0].pid}/maps").read_text()


def test_two_runs_at_once_have_a_worker_each_and_one_of_them_stays(a_short_job, workers):
    jobs = [WorkerJob(a_short_job, workers.pool) for _ in range(2)]
    assert [process.poll() for process in workers.processes] == [None, None]

    first, second = [job.wait() for job in jobs]

    np.testing.assert_array_equal(first.labels.array, second.labels.array)
    assert sum(process.poll() is None for process in workers.processes) == 1
    workers.assert_nothing_is_left()


def test_a_worker_leaves_when_nobody_asks_for_it(a_short_job, workers):
    workers.starts = [lambda home: start_worker(home, ["0.1"])]
    WorkerJob(a_short_job, workers.pool).wait()

    assert workers.processes[0].wait(60) == 0

    assert WorkerJob(a_short_job, workers.pool).wait().labels.array.shape == (20, 24, 16)
    assert len(workers.processes) == 2
    workers.assert_nothing_is_left()


def test_a_worker_that_leaves_in_the_moment_it_is_asked_is_replaced(a_short_job, workers):
    workers.starts = [fake("first", runs=1), fake("second", runs=1)]
    for expected in ("first", "second"):
        with pytest.raises(DeepSegError, match=expected):
            WorkerJob(a_short_job, workers.pool).wait()
    workers.assert_nothing_is_left()


def test_a_known_error_arrives_as_its_sentence_and_the_worker_stays(a_short_job, tmp_path, workers):
    (tmp_path / "configs").mkdir()
    (tmp_path / "configs" / "metadata.json").write_text("{}")

    with pytest.raises(DeepSegError, match=r"has no 'deepseg' section: this is a MONAI bundle that DeepSeg cannot run\.$"):
        WorkerJob(Job(a_short_job.volume, tmp_path), workers.pool).wait()
    with pytest.raises(DeepSegError, match="holds no voxel of the volume"):
        WorkerJob(replace(a_short_job, roi=Box((500.0, 0.0, 0.0), (510.0, 9.0, 9.0))), workers.pool).wait()
    assert len(workers.processes) == 1
    workers.assert_nothing_is_left()


def test_an_unexpected_error_says_what_and_where_its_log_is(a_short_job, workers):
    workers.starts = [patched("import deepseg.prediction; deepseg.prediction.predict = lambda *a, **k: 1 / 0")]

    with pytest.raises(DeepSegError, match=r"stopped on an unexpected error \(ZeroDivisionError: division by zero\)\. Details: ") as raised:
        WorkerJob(a_short_job, workers.pool).wait()
    assert "Traceback" in Path(str(raised.value).split("Details: ")[1]).read_text()
    without_log(str(raised.value))
    workers.assert_nothing_is_left()


def test_no_pickle_is_read_from_a_run(a_short_job, workers):
    spoil = "import numpy as np; from deepseg import job_folder; load = np.load\n"
    spoil += "def spoiled(path, **how):\n    np.save(path, np.array([{'a': 1}], dtype=object), allow_pickle=True)\n    return load(path, **how)\n"
    workers.starts = [patched(spoil + "job_folder.np.load = spoiled")]

    with pytest.raises(DeepSegError, match=r"ValueError: .*Python objects") as raised:
        WorkerJob(a_short_job, workers.pool).wait()
    without_log(str(raised.value))


def test_prints_of_libraries_do_not_spoil_the_messages(tmp_path):
    """A worker whose libraries print to standard output, from Python and from below it."""
    noisy = (
        "import os; from pathlib import Path; from deepseg.worker_channel import Channel; channel = Channel(Path())\n"
        "print('noise', flush=True); os.system('echo more noise')\n"
        "channel.send({'type': 'started', 'pid': 1})"
    )
    process = start_process([sys.executable, "-c", noisy], tmp_path)

    assert process.communicate()[0] == b'{"type": "started", "pid": 1}\n'
    assert (tmp_path / "worker.log").read_text() == "noise\nmore noise\n"


def test_a_launcher_that_prints_lines_of_its_own_does_no_harm(a_short_job, workers):
    workers.starts = [
        lambda home: start_process([sys.executable, "-c", "print('[1, 2]'); print('hello'); " + FAKE.format(message="heard", runs=9)], home)
    ]

    with pytest.raises(DeepSegError, match="heard"):
        WorkerJob(a_short_job, workers.pool).wait()


def test_a_worker_that_cannot_start_leaves_no_folder(a_short_job, monkeypatch, tmp_path):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))

    def start(home):
        raise FileNotFoundError(2, "No such file or directory", "PythonSlicer")

    with pytest.raises(DeepSegError, match=r"The run cannot be started \(No such file or directory\)"):
        WorkerJob(a_short_job, WorkerPool(start))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(not hasattr(os, "getpriority"), reason="niceness is POSIX")
def test_the_worker_runs_at_a_lower_priority_than_its_client(a_long_job, workers):
    job = WorkerJob(a_long_job, workers.pool)
    run_until(job, lambda: job.progress.stage != "starting")

    own, its = (os.getpriority(os.PRIO_PROCESS, pid) for pid in (0, workers.processes[0].pid))
    job.cancel()

    assert its == min(own + 10, 19)


def test_the_usage_is_told():
    said = subprocess.run([sys.executable, "-m", "deepseg.worker"], capture_output=True, text=True, timeout=60)

    assert said.returncode == 2
    assert said.stderr == "usage: python -m deepseg.worker HOME [IDLE_SECONDS]\n"
