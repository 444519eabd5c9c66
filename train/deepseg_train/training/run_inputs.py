"""What a run was made with: versions, the sha256 of every file and model it reads, and the images that were learned from."""

from __future__ import annotations

import json
from collections.abc import Sequence
from functools import reduce
from operator import or_
from pathlib import Path

from deepseg.api import ModelBundle, load_model
from deepseg.errors import ModelError
from deepseg.outputs import write_whole
from deepseg_train.config import TrainConfig
from deepseg_train.data import Case
from deepseg_train.data.seen import Seen, content_sha256, refuse_shared_images
from deepseg_train.errors import ConfigError, DatasetError
from deepseg_train.training.run_folder import DATA, LAST, SEEN, VERSIONS
from deepseg_train.training.versions import versions

_THEN = ", then "
_IMAGE = "/image "


def record_inputs(run: Path, cases: Sequence[Case], config: TrainConfig, processes: int = 1) -> None:
    """Write down versions, the sha256 of every file and model a run reads, and which images it or these models have seen.

    A run that goes on must find the same ones.

    Raises:
        DatasetError: something differs from what the run began with, or a new run has the same image under two patients.
    """
    now = {**versions(), "processes": str(processes)}
    if (run / LAST).exists():
        check_inputs(run, cases, config)
        _add_versions(run, now)
        return
    hashes = _hashes(cases, config)
    refuse_shared_images((case, tuple(hashes[f"{case.name}{_IMAGE}{n}"] for n in range(len(case.images)))) for case in cases)
    seen = Seen.of(digest for name, digest in hashes.items() if _IMAGE in name) | seen_before(config)
    for name, content in ((VERSIONS, now), (SEEN, seen.to_json()), (DATA, hashes)):
        write_whole(run / name, lambda path, content=content: path.write_text(json.dumps(content, indent=1), encoding="utf-8"))


def _add_versions(run: Path, now: dict[str, str]) -> None:
    """A run may go on with other versions than it began with; both are told."""
    told = json.loads((run / VERSIONS).read_text(encoding="utf-8"))
    for name, value in now.items():
        if told.setdefault(name, value).split(_THEN)[-1] != value:
            told[name] += f"{_THEN}{value}"
            print(f"Note: the run goes on with another {name}: {told[name]}.", flush=True)
    write_whole(run / VERSIONS, lambda path: path.write_text(json.dumps(told, indent=1), encoding="utf-8"))


def check_inputs(run: Path, cases: Sequence[Case], config: TrainConfig) -> None:
    """Compare every file and model a run reads with what it was.

    Raises:
        DatasetError: a file differs, is new or is missing.
    """
    known, found = json.loads((run / DATA).read_text(encoding="utf-8")), _hashes(cases, config)
    changed = sorted(key for key in {*known, *found} if known.get(key) != found.get(key))
    if changed:
        raise DatasetError(f"{len(changed)} inputs are not those that {run} was trained on, the first is {changed[0]}. Use what it began with.")


def seen_before(config: TrainConfig) -> Seen:
    """The images that the models it learns from were trained on."""
    return reduce(or_, (Seen.by(model.spec) for model in _models(config).values()), Seen())


def seen_by(run: Path) -> Seen:
    """The images that a run, or a model it learned from, was trained on."""
    return Seen.from_json(json.loads((run / SEEN).read_text(encoding="utf-8")))


def _hashes(cases: Sequence[Case], config: TrainConfig) -> dict[str, str]:
    files = {f"{case.name}{_IMAGE}{n}": path for case in cases for n, path in enumerate(case.images)}
    files |= {f"{case.name}/label": case.label for case in cases}
    return {**{name: content_sha256(path) for name, path in files.items()}, **{key: model.sha256 for key, model in _models(config).items()}}


def _models(config: TrainConfig) -> dict[str, ModelBundle]:
    """The models that a run learns from, by what they are to it.

    Raises:
        ConfigError: one cannot be used.
    """
    named = {"start_from": config.start_from, "teacher": config.distillation and config.distillation.teacher}
    found = {}
    for key, name in named.items():
        if name:
            try:
                found[key] = load_model(name)
            except ModelError as error:
                raise ConfigError(f"The model {name} of the config cannot be used: {error}") from error
    return found
