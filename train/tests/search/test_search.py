"""Searches with real training: each trial is a run, and what stops a search is made good by the same command."""

import csv
import re
import signal
import subprocess
import sys
import time

import optuna
import pytest
import yaml
from optuna.trial import TrialState, create_trial

from deepseg_train.cli import main
from deepseg_train.config import load_config
from deepseg_train.config.reading import read_config
from deepseg_train.errors import ConfigError
from deepseg_train.search import trials
from deepseg_train.search.callback import TrialReport
from deepseg_train.search.folder import SearchSettings, find_search, open_folder, open_search
from deepseg_train.search.report import report
from deepseg_train.search.run import search
from deepseg_train.training.fit import fit
from deepseg_train.training.run_folder import CONFIG, FINISHED, end_of

# Lightning's advice.
pytestmark = pytest.mark.filterwarnings("ignore:.*many workers")
PNG = b"\x89PNG\r\n\x1a\n"


def dice_logged(run):
    """Validation Dice of each epoch, from the logs of all starts of a run."""
    found = {}
    for path in sorted(run.glob("logs/version_*/metrics.csv")):
        with path.open(encoding="utf-8") as file:
            found |= {int(row["epoch"]) + 1: float(row["validation/dice"]) for row in csv.DictReader(file) if row.get("validation/dice")}
    return found


@pytest.fixture(scope="module")
def grid(tiny_config, msd_folder, tmp_path_factory):
    """A grid of three windows, one of which is too small for the network, searched by the command; and what it printed."""
    folder = tmp_path_factory.mktemp("grid")
    space = folder / "space.yaml"
    space.write_text(yaml.safe_dump({"model.window.size": {"choices": [[24, 24, 24], [16, 24, 16], [4, 4, 4]]}}), encoding="utf-8")
    given = [*("--config", tiny_config), *("--space", space), *("--data", msd_folder), *("--folder", folder / "windows")]
    assert main(["search", *map(str, given), "--sampler", "grid"]) == 0
    return find_search(folder / "windows", None)


def test_a_grid_is_searched_whole_and_what_cannot_be_trained_is_told_as_failed(grid):
    states = {tuple(yaml.safe_load(t.params["model.window.size"])): t.state for t in grid.study.trials}
    assert states == {(24, 24, 24): TrialState.COMPLETE, (16, 24, 16): TrialState.COMPLETE, (4, 4, 4): TrialState.FAIL}
    failed = next(trial for trial in grid.study.trials if trial.state == TrialState.FAIL)
    assert f"- {failed.number}: The network ChannelDropoutDynUNet cannot be trained on windows of" in report(grid)


def test_a_trial_is_a_run_and_its_value_the_best_dice_of_its_log(grid):
    for trial in grid.study.get_trials(states=(TrialState.COMPLETE,)):
        run = grid.run_of(trial.number)
        logged = dice_logged(run)
        assert trial.intermediate_values == pytest.approx(logged, abs=1e-6)
        assert trial.value == pytest.approx(max(logged.values()), abs=1e-6)
        assert (run / "checkpoints" / "best.ckpt").is_file()
        assert list(load_config(run / "config.yaml").spec.window.size) == yaml.safe_load(trial.params["model.window.size"])


def test_the_best_is_told_drawn_and_written_as_a_config(grid, capsys):
    assert main(["search", "--folder", str(grid.folder), "--show"]) == 0
    told = capsys.readouterr().out
    best = grid.study.best_trial
    rows = re.findall(r"^\| (\d+) \| (0\.\d{4}) \| 2 \| (\[.*\]) \|$", told, re.MULTILINE)
    assert rows[0] == (str(best.number), f"{best.value:.4f}", best.params["model.window.size"])
    assert [float(dice) for _, dice, _ in rows] == sorted((float(dice) for _, dice, _ in rows), reverse=True)
    assert "Trials: 2 finished, 1 failed." in told
    assert (grid.folder / "search.md").read_text(encoding="utf-8") in told
    assert (grid.folder / "search.png").read_bytes().startswith(PNG)
    assert read_config(grid.folder / "best.yaml") == read_config(grid.run_of(best.number) / "config.yaml")
    assert load_config(grid.folder / "best.yaml").split.is_file()


def test_a_search_that_is_done_trains_nothing_more(grid, tiny_config, msd_folder, write_space):
    space = write_space({"model.window.size": {"choices": [[24, 24, 24], [16, 24, 16], [4, 4, 4]]}})
    again = search(tiny_config, space, msd_folder, grid.folder, SearchSettings("grid"))
    assert len(again.study.trials) == 3


def test_a_folder_of_another_search_is_refused(grid, tiny_config, msd_folder, write_space, tmp_path):
    other = write_space({"model.window.size": {"choices": [[24, 24, 24], [16, 24, 16]]}})
    with pytest.raises(ConfigError, match="holds a search with another search space"):
        search(tiny_config, other, msd_folder, grid.folder, SearchSettings("grid"))
    with pytest.raises(ConfigError, match="began with another sampler, seed"):
        search(tiny_config, grid.folder / "space.yaml", msd_folder, grid.folder, SearchSettings("random", seed=1))
    with pytest.raises(ConfigError, match="holds no search"):
        find_search(tmp_path, None)


def test_a_wrong_place_leaves_no_folder(tiny_config, msd_folder, write_space, tmp_path, capsys):
    space = write_space({"optimizer.lr": {"low": 0.1, "high": 0.2}})
    given = [*("--config", tiny_config), *("--space", space), *("--data", msd_folder), *("--folder", tmp_path / "search")]
    assert main(["search", *map(str, given)]) == 2
    assert "unknown key 'lr'" in capsys.readouterr().err
    assert not (tmp_path / "search").exists()
    assert main(["search", "--folder", str(tmp_path / "search")]) == 2
    assert "needs --config" in capsys.readouterr().err


def test_a_trial_that_is_behind_is_stopped_early(tiny_config, msd_folder, write_space, tmp_path):
    """In a database, where five trials were better."""
    config = read_config(tiny_config)
    config["training"]["epochs"] = 4
    path = tmp_path / "four.yaml"
    path.write_text(yaml.safe_dump(config), encoding="utf-8")
    space, folder, storage = write_space({"optimizer.learning_rate": {"low": 1e-5, "high": 1e-4}}), tmp_path / "s", f"sqlite:///{tmp_path}/trials.db"
    open_folder(folder, config, load_config(path).split, space)
    study = open_search(folder, storage, SearchSettings()).study
    rate = {"optimizer.learning_rate": optuna.distributions.FloatDistribution(1e-5, 1e-4)}
    for n in range(1, 6):
        values = dict.fromkeys(range(1, 5), 0.9)
        study.add_trial(create_trial(value=0.9, params={"optimizer.learning_rate": n * 1e-5}, distributions=rate, intermediate_values=values))
    found = search(path, space, msd_folder, folder, storage=storage, trials=6)
    stopped = found.study.trials[5]
    assert stopped.state == TrialState.PRUNED
    assert list(stopped.intermediate_values) == list(dice_logged(found.run_of(5))) == [1]
    assert "1 stopped early" in report(found)
    run = found.run_of(5)
    end = end_of(run)
    assert (end.epochs, end.stopped) == (1, "pruned by its search: at epoch 1 half of the other trials had a higher Dice")
    # As it is where the process is killed between its last checkpoint and its end.
    (run / FINISHED).unlink()
    again = TrialReport(optuna.Trial(found.study, stopped._trial_id), stopped.intermediate_values)
    fit(run / CONFIG, msd_folder, run, extra_callbacks=[again])
    assert end_of(run) == end


def test_a_value_that_the_network_refuses_ends_its_trial_alone(tiny_config, msd_folder, write_space, tmp_path, monkeypatch):
    """MONAI tells some wrong sizes by ValueError, only when the network runs."""

    def refuse(*_, **__):
        raise ValueError("spatial dimensions should be divisible by 32")

    monkeypatch.setattr(trials, "fit", refuse)
    space = write_space({"optimizer.learning_rate": {"low": 0.001, "high": 0.01}})
    found = search(tiny_config, space, msd_folder, tmp_path / "refused", SearchSettings("random"), trials=2)
    assert [trial.state for trial in found.study.trials] == [TrialState.FAIL] * 2
    assert "spatial dimensions should be divisible by 32" in report(found)


def test_a_search_of_which_nothing_can_be_trained_is_an_error(tiny_config, msd_folder, write_space, tmp_path, capsys):
    space = write_space({"model.window.size": {"choices": [[4, 4, 4], [2, 2, 2]]}})
    given = [*("--config", tiny_config), *("--space", space), *("--data", msd_folder), *("--folder", tmp_path / "search"), *("--sampler", "grid")]
    assert main(["search", *map(str, given)]) == 2
    told = capsys.readouterr()
    assert "cannot be trained on windows of" in told.out and "No trial could be trained to its end" in told.err
    assert main(["search", "--folder", str(tmp_path / "search"), "--show"]) == 0


def test_a_search_begins_no_trial_when_its_time_is_over(tiny_config, msd_folder, write_space, tmp_path):
    space = write_space({"training.seed": {"low": 0, "high": 9}})
    found = search(tiny_config, space, msd_folder, tmp_path / "s", minutes=0)
    assert found.study.trials == []
    assert "Trials: none yet." in report(found)


def test_two_machines_share_a_search_and_a_killed_one_goes_on(tiny_config, msd_folder, write_space, tmp_path, capsys):
    """Each has a folder of its own; the journal is what both see. One is held up in a trial and then killed, the other takes the rest meanwhile."""
    space = write_space({"training.epochs": {"choices": [20, 2, 3]}})
    here, there, journal = tmp_path / "here" / "s", tmp_path / "there" / "s", tmp_path / "trials.journal"
    open_folder(there, read_config(tiny_config), load_config(tiny_config).split, space)
    study = open_search(there, str(journal), SearchSettings()).study
    for epochs in (20, 2, 3):
        study.enqueue_trial({"training.epochs": epochs})
    given = [*("--config", tiny_config), *("--space", space), *("--data", msd_folder), *("--folder", there), *("--storage", journal)]
    command = [sys.executable, "-m", "deepseg_train.cli", "search", *map(str, given), "--trials", "3"]
    other = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + 120
    while not (there / "trial-0000" / "checkpoints" / "last.ckpt").exists() and other.poll() is None and time.monotonic() < deadline:
        time.sleep(0.02)
    pause(other, journal)
    found = search(tiny_config, space, msd_folder, here, storage=str(journal), trials=3)
    other.send_signal(signal.SIGKILL)
    assert other.wait() == -signal.SIGKILL
    assert [trial.state for trial in found.study.trials] == [TrialState.RUNNING, TrialState.COMPLETE, TrialState.COMPLETE]
    assert sorted(folder.name for folder in here.glob("trial-*")) == ["trial-0001", "trial-0002"]
    assert [folder.name for folder in there.glob("trial-*")] == ["trial-0000"]

    before = dice_logged(there / "trial-0000")
    capsys.readouterr()
    ended = search(tiny_config, space, msd_folder, there, storage=str(journal), trials=3)
    told = capsys.readouterr().out
    assert "Trial 0 was not finished; going on with it." in told
    assert "Going on from" in told
    assert [trial.state for trial in ended.study.trials] == [TrialState.COMPLETE] * 3
    assert 0 < max(before) < 20
    assert list(ended.study.trials[0].intermediate_values) == list(range(1, 21))
    assert "Trials: 3 finished." in report(ended)


def pause(process, journal):
    """Not while it writes to the journal, whose lock the others would then wait half a minute for."""
    while True:
        assert process.poll() is None, "the process ended before it could be stopped"
        process.send_signal(signal.SIGSTOP)
        time.sleep(0.1)
        if not journal.with_name(f"{journal.name}.lock").exists():
            return
        process.send_signal(signal.SIGCONT)
