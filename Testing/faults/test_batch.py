"""Batches that are killed, stopped or lose a process: no case is lost, none is done twice, nobody is left behind."""

import csv
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk

from deepseg.geometry import Geometry
from deepseg.io import write_volume
from deepseg.volume import Volume

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="looks for processes in /proc")

PATIENCE_S = 120
SHAPE = (50, 40, 45)
CASES = [f"patient {n}" for n in range(6)]


@pytest.fixture
def images(tmp_path) -> Path:
    """Six volumes of noise and one file that is no image."""
    folder = tmp_path / "images"
    folder.mkdir()
    for n, name in enumerate(CASES):
        array = np.random.default_rng(n).normal(100, 20, (1, *SHAPE)).astype(np.float32)
        write_volume(Volume(array, Geometry(SHAPE, np.diag([1.5, 1.5, 1.5, 1.0]))), folder / f"{name}.nii.gz")
    (folder / "bad.nii.gz").write_text("no image")
    return folder


@pytest.fixture
def start(images, tiny_bundle, tmp_path):
    """Starts the batch; whatever still runs at the end is ended."""
    begun = []

    def begin(*more: str) -> subprocess.Popen:
        words = [sys.executable, "-m", "deepseg.cli", "batch", images, "-m", tiny_bundle.folder, "-o", tmp_path / "out", *more]
        environment = os.environ | {"OMP_NUM_THREADS": "1"}
        pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
        batch = subprocess.Popen(list(map(str, words)), **pipes, env=environment, preexec_fn=_listen_to_ctrl_c)
        begun.append(batch)
        return batch

    yield begin
    for batch in begun:
        batch.kill()
        batch.communicate()


def _listen_to_ctrl_c() -> None:
    """A shell's background jobs, the tests perhaps among them, and what they start are deaf to it."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def until(condition) -> None:
    """Wait for something to become true; what never does fails the test."""
    end = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < end, "nothing happened"
        time.sleep(0.005)


def records(out: Path) -> dict[str, str]:
    """Case to status, read without DeepSeg's own code."""
    found = {}
    for path in (out / ".deepseg-batch").glob("[!.]*.json"):
        content = json.loads(path.read_text(encoding="utf-8"))
        found[content["case"]] = content["status"]
    return found


def finished(out: Path) -> dict[str, int]:
    """Result files of finished cases and when they were written."""
    return {case: (out / f"{case}.seg.nrrd").stat().st_mtime_ns for case, status in records(out).items() if status == "finished"}


def children(pid: int) -> list[int]:
    try:
        return [int(word) for word in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except OSError:
        return []


def lives(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False


def is_worker(pid: int) -> bool:
    try:
        return b"spawn_main" in Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return False


def rows(out: Path) -> list[dict[str, str]]:
    with (out / "segments.csv").open(newline="", encoding="utf-8-sig") as file:
        return list(csv.DictReader(file))


def assert_complete(out: Path) -> None:
    """Every good case has its result and two rows, the bad one its error, and nothing half-written is left."""
    assert sorted(path.name for path in out.iterdir()) == sorted(
        [".deepseg-batch", "index.html", "segments.csv", *(f"{case}.seg.nrrd" for case in CASES)]
    )
    table = rows(out)
    for case in CASES:
        assert [row["segment"] for row in table if row["case"] == case] == ["Front", "Back"]
        assert sitk.ReadImage(str(out / f"{case}.seg.nrrd")).GetSize() == SHAPE
    (bad,) = [row for row in table if row["case"] == "bad"]
    assert "cannot be read as an image" in bad["error"]
    assert len(table) == 2 * len(CASES) + 1


def test_a_batch_killed_again_and_again_loses_no_case_and_redoes_none(start, tmp_path):
    """Killed as a case begins, as a result is being written, and after three cases."""
    out = tmp_path / "out"
    moments = [
        lambda: "running" in records(out).values(),
        lambda: any(path.name.startswith(".deepseg-") and path.is_file() for path in out.iterdir()),
        lambda: len(finished(out)) >= 3,
    ]
    kept: dict[str, int] = {}
    for moment in moments:
        batch = start("--jobs", "2")
        until(lambda moment=moment, batch=batch: moment() or batch.poll() is not None)
        family = children(batch.pid)
        batch.send_signal(signal.SIGKILL)
        batch.communicate()
        until(lambda family=family: not any(map(lives, family)))
        now = finished(out)
        assert {case: now.get(case) for case in kept} == kept, "a finished case was done again or lost"
        kept = now

    last = start("--jobs", "2")
    told, said = last.communicate(timeout=PATIENCE_S)
    assert last.returncode == 3, said
    assert f"{len(kept)} of 7 cases are done already" in told
    assert f"6 of 7 cases done. Written: {out / 'segments.csv'}" in told
    assert {case: finished(out)[case] for case in kept} == kept
    assert_complete(out)


def test_a_process_that_is_killed_costs_one_case_which_the_next_run_mends(start, tmp_path):
    out = tmp_path / "out"
    batch = start()
    until(lambda: len(finished(out)) >= 1)
    (worker,) = [pid for pid in children(batch.pid) if is_worker(pid)]

    def caught_at_work():
        """Stopped in the midst of a case; one that is between two goes on."""
        os.kill(worker, signal.SIGSTOP)
        if "running" in records(out).values():
            return True
        os.kill(worker, signal.SIGCONT)
        return False

    until(caught_at_work)
    os.kill(worker, signal.SIGKILL)
    _, said = batch.communicate(timeout=PATIENCE_S)
    assert batch.returncode == 3, said
    lost = [row for row in rows(out) if "was ended by signal 9" in row["error"]]
    assert len(lost) == 1
    assert len(finished(out)) == len(CASES) - 1
    before = finished(out)

    again = start()
    again.communicate(timeout=PATIENCE_S)
    assert {case: finished(out)[case] for case in before} == before
    assert_complete(out)


def test_a_second_batch_into_the_same_folder_is_refused_and_harms_none(start, tmp_path):
    first = start()
    until(lambda: "running" in records(tmp_path / "out").values())
    second = start()
    told, said = second.communicate(timeout=PATIENCE_S)
    assert first.poll() is None, "the first had ended before the second came"
    assert (second.returncode, told) == (2, "")
    assert f"Another batch is at work in {tmp_path / 'out'}. Wait until it has ended, or name another output folder." in said
    _, said = first.communicate(timeout=PATIENCE_S)
    assert first.returncode == 3, said
    assert_complete(tmp_path / "out")


def test_ctrl_c_ends_cleanly_where_the_table_cannot_be_written(start, tmp_path):
    out = tmp_path / "out"
    (out / "segments.csv").mkdir(parents=True)
    batch = start()
    until(lambda: len(finished(out)) >= 1)
    batch.send_signal(signal.SIGINT)
    told, said = batch.communicate(timeout=PATIENCE_S)
    assert batch.returncode == 130
    assert "of 7 cases are done. Run the same command again to go on." in said
    assert f"No new segments.csv: Cannot write {out / 'segments.csv'}" in told
    assert (out / "index.html").exists()


def test_ctrl_c_ends_cleanly_and_says_how_to_go_on(start, tmp_path):
    out = tmp_path / "out"
    batch = start("--jobs", "2")
    until(lambda: len(finished(out)) >= 2)
    family = children(batch.pid)
    # Held for a moment, so that a case is finished of which the batch has not heard yet when it is told to stop.
    batch.send_signal(signal.SIGSTOP)
    before = len(finished(out))
    until(lambda: len(finished(out)) > before or before == len(CASES))
    batch.send_signal(signal.SIGINT)
    batch.send_signal(signal.SIGCONT)
    _, said = batch.communicate(timeout=PATIENCE_S)
    assert batch.returncode == 130
    assert "of 7 cases are done. Run the same command again to go on." in said
    assert "Traceback" not in said
    until(lambda: not any(map(lives, family)))
    assert not [path for path in out.iterdir() if path.name.startswith(".deepseg-") and path.is_file()]
    assert {row["case"] for row in rows(out)} >= set(finished(out))
