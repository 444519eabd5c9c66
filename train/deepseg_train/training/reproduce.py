"""`deepseg-train reproduce`: a run repeated from its folder, and compared."""

from __future__ import annotations

import json
from pathlib import Path

import torch

from deepseg_train.data import open_dataset
from deepseg_train.data.split import load_split
from deepseg_train.training.fit import fit
from deepseg_train.training.run_folder import BEST, CONFIG, DATA, SPLIT, VERSIONS, check_inputs, open_finished
from deepseg_train.training.versions import versions


def reproduce(run: Path, data: Path, again: Path) -> bool:
    """Repeat `run` in the folder `again` with its own config, split and data; tells what differs, and whether its weights are the same to the bit.

    On one machine with the versions of the run they are; other processors, numbers of threads or versions of PyTorch round differently.

    Raises:
        ConfigError: `run` is no finished run.
        DatasetError: the data is not that of the run.
    """
    config = open_finished(run)
    split = load_split(run / SPLIT, open_dataset(data, patient=config.patient).cases)
    check_inputs(run, [*split["train"], *split["validation"]], config)
    print(f"The data is that of {run}: {len(json.loads((run / DATA).read_text(encoding='utf-8')))} files with the same sha256.", flush=True)
    for line in _differences(run):
        print(line, flush=True)
    fit(run / CONFIG, data, again)
    before, after = (torch.load(folder / BEST, map_location="cpu", weights_only=True)["state_dict"] for folder in (run, again))
    largest = max(float((before[name].float() - after[name].float()).abs().max()) for name in before)
    if largest == 0:
        print(f"The weights of {again} are those of {run}, to the bit.")
    else:
        print(f"The weights of {again} differ from those of {run} by up to {largest:.3g}.")
    return largest == 0


def _differences(run: Path) -> list[str]:
    then, now = json.loads((run / VERSIONS).read_text(encoding="utf-8")), {**versions(), "processes": "1"}
    return [
        f"{name} was {then.get(name, 'not there')} and is {now.get(name, 'not there')} now."
        for name in {**then, **now}
        if then.get(name) != now.get(name)
    ]
