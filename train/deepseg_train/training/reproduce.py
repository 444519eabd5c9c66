"""`deepseg-train reproduce`: a run repeated from its folder, and compared."""

from __future__ import annotations

import json
from pathlib import Path

import torch

from deepseg_train.config import TrainConfig
from deepseg_train.data import open_dataset
from deepseg_train.data.split import load_split
from deepseg_train.errors import ConfigError
from deepseg_train.training.fit import fit
from deepseg_train.training.run_folder import BEST, CONFIG, DATA, FINISHED, SPLIT, VERSIONS, end_of, open_finished
from deepseg_train.training.run_inputs import check_inputs
from deepseg_train.training.stopping import EndAfter
from deepseg_train.training.versions import versions


def reproduce(run: Path, data: Path, again: Path) -> bool:
    """Repeat `run` in the folder `again` with its own config, split and data; tells what differs, and whether its weights are the same to the bit.

    On one machine with the versions of the run they are; other processors, numbers of threads or versions of PyTorch round differently.
    A run that was ended before the last epoch of its config is repeated up to there.

    Raises:
        ConfigError: `run` is no finished run, or `again` is one: it would be compared without having been repeated.
        DatasetError: the data is not that of the run.
    """
    config = open_finished(run)
    if (again / FINISHED).exists():
        which = "the run itself" if again.resolve() == run.resolve() else "a finished run already"
        raise ConfigError(f"The folder for the repeated run, {again}, holds {which}, so nothing would be repeated. Name a new one with --output.")
    split = load_split(run / SPLIT, open_dataset(data, patient=config.patient).cases)
    check_inputs(run, [*split["train"], *split["validation"]], config)
    print(f"The data is that of {run}: {len(json.loads((run / DATA).read_text(encoding='utf-8')))} files with the same sha256.", flush=True)
    for line in _differences(run):
        print(line, flush=True)
    fit(run / CONFIG, data, again, extra_callbacks=_ended(run, config))
    before, after = (torch.load(folder / BEST, map_location="cpu", weights_only=True)["state_dict"] for folder in (run, again))
    if all(torch.equal(before[name], after[name]) for name in before):
        print(f"The weights of {again} are those of {run}, to the bit.")
        return True
    # By PyTorch's maximum, which is NaN where a difference is.
    largest = torch.stack([(before[name].float() - after[name].float()).abs().max() for name in before]).max()
    print(f"The weights of {again} differ from those of {run} by up to {float(largest):.3g}.")
    return False


def _ended(run: Path, config: TrainConfig) -> list[EndAfter]:
    """What a search has ended, nothing in the config would."""
    end = end_of(run)
    return [EndAfter(end.epochs, end.stopped)] if end.stopped and end.epochs < config.training.epochs else []


def _differences(run: Path) -> list[str]:
    then, now = json.loads((run / VERSIONS).read_text(encoding="utf-8")), {**versions(), "processes": "1"}
    return [
        f"{name} was {then.get(name, 'not there')} and is {now.get(name, 'not there')} now."
        for name in {**then, **now}
        if then.get(name) != now.get(name)
    ]
