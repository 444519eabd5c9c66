"""Workers and clients that die or are cancelled at any moment: one sentence, no process, no folder, and the next run works."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from DeepSegLib import jobs
from DeepSegLib.jobs import WorkerJob
from DeepSegLib.search_path import logic_folder
from DeepSegLib.worker_process import start_process
from faults.workers import assert_gone, follow, holding, in_the_network, patched, run_until, without_log

IMPORTING = """
class Finder:
    def find_spec(self, name, path=None, target=None):
        if name == "torch":
            hold()

sys.meta_path.insert(0, Finder())
"""
SENDING = """
send = worker.Channel.send
worker.Channel.send = lambda channel, message: hold() if {when} else send(channel, message)
"""
HALF_WRITTEN = """
def half(path, array):
    path.write_bytes(b"half")
    hold()

from deepseg import job_folder
job_folder.write_array = half
"""
MOMENTS = {
    "Python starts": {"prepare": "hold()"},
    "PyTorch loads": {"prepare": IMPORTING},
    "waiting for the run": {"patch": "worker.Channel.next_run = hold"},
    "reading the image": {"patch": "worker.read_job = hold"},
    "opening the model": {"patch": "import deepseg.api; deepseg.api.load_model = hold"},
    "preparing the image": {"patch": SENDING.format(when="message.get('stage') == 'preparing the image'")},
    "building the network": {"patch": "from deepseg.bundle import ModelBundle; ModelBundle.build_network = hold"},
    "first windows": {"patch": SENDING.format(when="message.get('fraction', 0) > 0.05")},
    "last windows": {"patch": SENDING.format(when="message.get('fraction', 0) > 0.8")},
    "writing the result": {"patch": HALF_WRITTEN},
    "telling the result": {"patch": SENDING.format(when="message['type'] == 'result'")},
}


def wait_for(job, reached):
    run_until(job, reached.exists)


@pytest.mark.parametrize("moment", MOMENTS)
def test_a_killed_worker_is_one_sentence_and_the_next_run_works(a_short_job, workers, tmp_path, moment):
    reached = tmp_path / "reached"
    workers.starts = [holding(reached, **MOMENTS[moment])]
    job = WorkerJob(a_short_job, workers.pool)
    wait_for(job, reached)

    os.kill(workers.processes[0].pid, getattr(signal, "SIGKILL", signal.SIGTERM))
    error = without_log(follow(job).error)

    assert error.startswith("The process that runs the model ended unexpectedly (status ")
    assert error.endswith("Close other programs or choose a smaller region of interest, then start it again.")
    assert job.result is None
    assert WorkerJob(a_short_job, workers.pool).wait().labels.array.shape == (20, 24, 16)
    workers.assert_nothing_is_left()


def test_a_worker_killed_while_it_waits_is_not_noticed(a_short_job, workers):
    WorkerJob(a_short_job, workers.pool).wait()
    workers.processes[0].kill()

    assert WorkerJob(a_short_job, workers.pool).wait().labels.array.shape == (20, 24, 16)
    assert len(workers.processes) == 2
    workers.assert_nothing_is_left()


@pytest.mark.skipif(not hasattr(signal, "SIGPIPE"), reason="needs signals of POSIX")
def test_speaking_to_a_dead_worker_does_not_kill_a_client_without_pythons_signal_handlers(tmp_path):
    client = (
        "import signal, sys; from pathlib import Path; from DeepSegLib.worker_process import WorkerProcess, start_process\n"
        "signal.signal(signal.SIGPIPE, signal.SIG_DFL)\n"
        "worker = WorkerProcess(lambda home: start_process([sys.executable, '-c', ''], home)); worker.process.wait()\n"
        "worker.send({'type': 'run', 'folder': 'x'}); print(worker.listen()); worker.end()"
    )
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(Path(jobs.__file__).resolve().parent.parent), str(logic_folder())])}

    said = subprocess.run([sys.executable, "-c", client], env=environment, cwd=tmp_path, capture_output=True, text=True, timeout=120)

    assert said.returncode == 0, said.stderr
    assert said.stdout == "{'type': 'died', 'status': 0}\n"


@pytest.mark.parametrize("moment", ["Python starts", "opening the model", "building the network", "writing the result"])
def test_a_worker_that_does_not_answer_a_cancellation_is_killed(a_short_job, workers, tmp_path, moment):
    reached = tmp_path / "reached"
    workers.starts = [holding(reached, **MOMENTS[moment])]
    job = WorkerJob(a_short_job, workers.pool)
    wait_for(job, reached)

    job.cancel()

    assert job.cancelled
    assert not job.poll()
    assert (job.error, job.result) == (None, None)
    assert workers.processes[0].wait(60) != 0
    workers.pool.close()
    workers.assert_nothing_is_left()


def test_a_cancelled_worker_stays_warm(a_long_job, a_short_job, workers, monkeypatch):
    monkeypatch.setattr(jobs, "_ANSWER_S", 60)  # on a busy computer a window may take longer than a user would wait
    job = WorkerJob(a_long_job, workers.pool)
    run_until(job, in_the_network(job))

    job.cancel()

    assert (job.cancelled, job.error, job.result) == (True, None, None)
    assert list(workers.shared.iterdir()) == []
    assert WorkerJob(a_short_job, workers.pool).wait().labels.array.shape == (20, 24, 16)
    assert len(workers.processes) == 1
    workers.assert_nothing_is_left()


def test_a_run_cancelled_before_its_worker_is_ready_does_not_cost_the_worker(a_short_job, workers, monkeypatch, tmp_path):
    monkeypatch.setattr(jobs, "_ANSWER_S", 60)
    reached, go_on = tmp_path / "reached", tmp_path / "go-on"
    pause = f"def pause(*a):\n    Path({str(reached)!r}).touch()\n    while not Path({str(go_on)!r}).exists(): time.sleep(0.01)\n"
    workers.starts = [patched(pause + "from deepseg import worker; worker.Worker.load = pause")]
    job = WorkerJob(a_short_job, workers.pool)
    run_until(job, lambda: reached.exists() and job._worker.runs)

    job.cancel()
    go_on.touch()

    assert job.cancelled
    assert WorkerJob(a_short_job, workers.pool).wait().labels.array.shape == (20, 24, 16)
    assert len(workers.processes) == 1
    workers.assert_nothing_is_left()


def test_cancel_reaches_python_behind_a_launcher(a_short_job, workers, tmp_path):
    """PythonSlicer is a launcher: killing it would leave Python running."""
    reached, pid = tmp_path / "reached", tmp_path / "pid"
    code = "import os, sys; from pathlib import Path; from deepseg import worker\n"
    code += f"def hold(*a):\n    Path({str(pid)!r}).write_text(str(os.getpid())); Path({str(reached)!r}).touch()\n    import time; time.sleep(600)\n"
    code += "worker.write_result = hold; worker.main([sys.argv[1]])"
    launcher = f"import subprocess, sys; sys.exit(subprocess.call([sys.executable, '-c', {code!r}, sys.argv[1]]))"
    workers.starts = [lambda home: start_process([sys.executable, "-c", launcher, str(home)], home)]
    job = WorkerJob(a_short_job, workers.pool)
    wait_for(job, reached)

    job.cancel()

    assert_gone(int(pid.read_text()))
    workers.pool.close()
    workers.assert_nothing_is_left()


CLIENT = """
import sys, tempfile, numpy as np
from pathlib import Path
from DeepSegLib.jobs import WorkerJob
from DeepSegLib.worker_pool import WorkerPool
from deepseg.api import Geometry, Job, Volume
tempfile.tempdir = sys.argv[3]
volume = Volume(np.random.rand(1, 200, 200, 200).astype(np.float32), Geometry((200, 200, 200), np.eye(4)))
pool = WorkerPool(roots=lambda: [Path(sys.argv[2])])
job = WorkerJob(Job(volume, sys.argv[1]), pool)
while job.poll() and job.progress.stage != "running the network":
    pass
print(job._worker._pid, flush=True)
sys.stdin.read()
"""


@pytest.fixture
def a_client(a_short_job, workers):
    """Another client, in the midst of a run: its process and its worker's number."""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(Path(jobs.__file__).resolve().parent.parent), str(logic_folder())])}
    command = [sys.executable, "-c", CLIENT, str(a_short_job.model), str(workers.shared), str(workers.temporary)]
    client = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment)
    yield client, int(client.stdout.readline())
    client.kill()
    client.wait()
    client.stdin.close()
    client.stdout.close()


def test_a_worker_does_not_outlive_its_client(a_client, workers):
    client, worker = a_client
    assert list(workers.shared.iterdir()) != []

    client.kill()
    client.wait()

    assert_gone(worker)
    assert [*workers.shared.iterdir(), *workers.temporary.iterdir()] == []


@pytest.mark.skipif(not hasattr(signal, "SIGSTOP"), reason="needs signals of POSIX")
def test_what_a_killed_client_and_its_killed_worker_left_is_swept_by_the_next(a_client, a_short_job, workers):
    client, worker = a_client
    os.kill(client.pid, signal.SIGSTOP)
    os.kill(worker, signal.SIGKILL)
    client.kill()
    client.wait()
    left = [*workers.shared.iterdir(), *workers.temporary.iterdir()]
    assert len(left) == 2

    WorkerJob(a_short_job, workers.pool).wait()

    assert not any(folder.exists() for folder in left)
    workers.assert_nothing_is_left()


def test_a_client_that_is_at_work_is_left_alone(a_client, a_short_job, workers):
    client, _ = a_client
    theirs = [*workers.shared.iterdir(), *workers.temporary.iterdir()]

    labels = WorkerJob(a_short_job, workers.pool).wait().labels

    assert np.prod(labels.array.shape) == 20 * 24 * 16
    assert len(theirs) == 2
    assert all(folder.exists() for folder in theirs)
    assert client.poll() is None


def test_a_client_that_ends_in_the_midst_of_a_run_leaves_nothing(a_client, workers):
    client, worker = a_client

    client.stdin.close()

    assert client.wait(60) == 0
    assert_gone(worker)
    end = time.monotonic() + 60
    while [*workers.shared.iterdir(), *workers.temporary.iterdir()]:
        assert time.monotonic() < end
        time.sleep(0.05)
