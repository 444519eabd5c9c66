"""`deepseg-train calibrate`: from a model and held-out cases to a calibrated model."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from tqdm import tqdm

from deepseg import api
from deepseg.bundle_writer import add_calibration
from deepseg.uncertainty.calibration import Calibration, WayCalibration
from deepseg.uncertainty.conformal import ContourScores, VolumeScores
from deepseg.uncertainty.deep_features import deepest_layer
from deepseg.uncertainty.facts import Facts
from deepseg.uncertainty.ood import Guard
from deepseg.uncertainty.recalibration import Recalibration
from deepseg_train.calibration.answers import Answer, Way, spoilt
from deepseg_train.calibration.figures import figures, promises_of
from deepseg_train.calibration.fit import METHODS, cross_validated
from deepseg_train.calibration.guard import fit_guard
from deepseg_train.calibration.quality import Rows, fit_quality
from deepseg_train.calibration.tables import told
from deepseg_train.calibration.voxels import Voxels
from deepseg_train.data import Case, open_dataset
from deepseg_train.data.cases import naming, refuse_overlapping
from deepseg_train.errors import DatasetError

LEAST_CASES, LEAST_TRAINED = 10, 4
DRAWS, TRAINING_DRAWS = 3, 1
"""How often each held-out case is spoilt in each way, and each training case."""


def calibrate(
    bundle: api.ModelBundle,
    data: Path,
    split: dict[str, list[Case]],
    ways: Sequence[tuple[str, int]],
    groups: dict[str, tuple[int, ...]],
    output: Path,
) -> api.ModelBundle:
    """Calibrate each way of sampling on the split's part 'calibrate', measure it on its part 'test', and write the model with what was learnt.

    Args:
        bundle: the model; its network was fitted on the split's part 'train' and on neither of the others.
        data: the dataset's folder.
        split: cases by part; of each patient to calibrate and to measure on the first case is taken.
        ways: samplers and numbers of samples.
        groups: label values by the name of what they make up together.
        output: the new model's folder; must not exist.

    Raises:
        DatasetError: the model's labels may overlap, there are too few cases, or there is one that cannot be read or has nothing to be learnt from.
        UncertaintyError: a way cannot work with this model.
        OutputError: the folder exists or cannot be written.
    """
    refuse_overlapping(bundle.spec)
    # Several cases of a patient are no independent evidence, on which intervals and thresholds rest.
    split = {part: _one_of_each_patient(cases) if part in ("calibrate", "test") else cases for part, cases in split.items()}
    held = split["calibrate"]
    if len(held) < LEAST_CASES:
        raise DatasetError(f"There are {len(held)} cases to calibrate on, of a patient each; at least {LEAST_CASES} are needed.")
    if len(split["train"]) < LEAST_TRAINED:
        raise DatasetError(
            f"There are {len(split['train'])} cases in the part train, which tell what images are usual; at least {LEAST_TRAINED} are needed. For a "
            "model that was trained elsewhere, name images like those it was trained on."
        )
    # What an earlier calibration says, perhaps of other weights, plays no part.
    bundle = replace(bundle, spec=replace(bundle.spec, calibration_sha256=""))
    layer, fitted, guard = deepest_layer(bundle.spec), [], None
    for sampler, samples in ways:
        way = Way(sampler, samples, layer)
        method, recalibration, all_methods = _recalibration(bundle, held, way)
        if guard is None:
            guard = _guard(bundle, split, way, recalibration)
        fitted.append(_calibrated(bundle, split, way, method, recalibration, all_methods, groups, guard))
    source = open_dataset(data).about
    calibration = Calibration(source, len(held), bundle.spec.weights, layer if guard.deep else None, groups, guard, tuple(fitted))
    return add_calibration(bundle, calibration.to_json(), output, told(calibration))


def _one_of_each_patient(cases: Sequence[Case]) -> list[Case]:
    return list({case.patient: case for case in reversed(cases)}.values())[::-1]


def _recalibration(bundle: api.ModelBundle, cases: list[Case], way: Way) -> tuple[str, Recalibration, dict[str, Recalibration]]:
    """The method that foretells unseen cases best, its fit to all, and the fits of all methods."""
    spec, voxels = bundle.spec, []
    for n, case in enumerate(tqdm(cases, desc=f"{way.title}: probabilities", unit="case")):
        answer = Answer.of(case, bundle, way)
        voxels.append(Voxels.of_case(answer.mean, answer.target(spec), n))
    scores = {method: cross_validated(method, voxels, spec.overlapping) for method in METHODS}
    print("  cross-validated NLL over the image: " + ", ".join(f"{method} {score:.5f}" for method, score in scores.items()))
    chosen, together = min(scores, key=scores.get), Voxels.together(voxels)
    fits = {method: fit(together, spec.overlapping) for method, fit in METHODS.items()}
    return chosen, fits[chosen], fits


def _guard(bundle: api.ModelBundle, split: dict[str, list[Case]], way: Way, recalibration: Recalibration) -> Guard:
    def facts_of(part: str) -> list[Facts]:
        bar = tqdm(split[part], desc=f"what is usual: {part}", unit="case")
        return [Answer.of(case, bundle, way).facts(recalibration, bundle.spec) for case in bar]

    return fit_guard(facts_of("train"), facts_of("calibrate"), bundle.spec)


def _calibrated(
    bundle: api.ModelBundle,
    split: dict[str, list[Case]],
    way: Way,
    method: str,
    recalibration: Recalibration,
    methods: dict[str, Recalibration],
    groups: dict[str, tuple[int, ...]],
    guard: Guard,
) -> WayCalibration:
    spec = bundle.spec
    segments = {**{label.name: (label.value,) for label in spec.labels}, **groups}
    true, likeliest = {name: [] for name in segments}, {name: [] for name in segments}
    contours = {label.value: ([], []) for label in spec.labels}
    rows = Rows(guard, spec)
    for n, case in enumerate(tqdm(split["calibrate"], desc=f"{way.title}: volumes and quality", unit="case")):
        with naming(case):
            images = [("", *case.read(spec)), *spoilt(case, spec, n, DRAWS)]
        for place, (_, volume, reference) in enumerate(images):
            with naming(case):
                answer = Answer.to(volume, reference, bundle, way)
            facts = answer.facts(recalibration, spec)
            rows.add(facts, answer.dice(spec), n)
            if place:
                continue
            mended = answer.mended(recalibration, spec.overlapping)
            for name, values in segments.items():
                true[name].append(float(np.isin(answer.reference, values).sum()) * volume.geometry.voxel_volume_ml)
                likeliest[name].append(sum(facts.segments[value].likeliest_volume_ml for value in values))
            for value, (probabilities, present) in contours.items():
                keep = np.s_[value - spec.overlapping]
                probabilities.append(mended[keep])
                present.append(answer.reference == value)
    if not len(rows.true):
        raise DatasetError(
            f"In none of the {len(split['calibrate'])} cases to calibrate on ({split['calibrate'][0].name}, ...) does the model find a label that is "
            "there. Calibrate on cases that have labels, or train further."
        )
    return WayCalibration(
        way.sampler,
        answer.samples,
        method,
        recalibration,
        _volume_scores(true, likeliest),
        _contour_scores(contours),
        fit_quality(rows, _spoilt_training(bundle, split["train"], way, recalibration, guard)),
        _figures(bundle, split["test"], way, method, methods),
    )


def _spoilt_training(bundle: api.ModelBundle, cases: list[Case], way: Way, recalibration: Recalibration, guard: Guard) -> Rows:
    """Segments of training cases, spoilt; as they are the model does better on them than on others."""
    rows = Rows(guard, bundle.spec)
    for n, case in enumerate(tqdm(cases, desc=f"{way.title}: quality of spoilt training images", unit="case")):
        for _, volume, reference in spoilt(case, bundle.spec, len(cases) + n, TRAINING_DRAWS):
            with naming(case):
                answer = Answer.to(volume, reference, bundle, way)
            rows.add(answer.facts(recalibration, bundle.spec), answer.dice(bundle.spec), n)
    return rows


def _volume_scores(true: dict[str, list[float]], likeliest: dict[str, list[float]]) -> dict[str, VolumeScores]:
    """Of segments that enough cases have, in truth and by the model; of the others nothing is promised."""
    scores = {}
    for name in true:
        pairs = [pair for pair in zip(true[name], likeliest[name], strict=True) if min(pair) > 0]
        if len(pairs) >= LEAST_CASES:
            scores[name] = VolumeScores.of(*zip(*pairs, strict=True))
    return scores


def _contour_scores(contours: dict[int, tuple[list[np.ndarray], list[np.ndarray]]]) -> dict[int, ContourScores]:
    """Likewise."""
    scores = {}
    for value, pairs in contours.items():
        kept = [(probabilities, present) for probabilities, present in zip(*pairs, strict=True) if present.any()]
        if len(kept) >= LEAST_CASES:
            scores[value] = ContourScores.of(*zip(*kept, strict=True))
    return scores


def _figures(bundle: api.ModelBundle, cases: list[Case], way: Way, chosen: str, methods: dict[str, Recalibration]) -> dict:
    spec, found = bundle.spec, []
    for case in tqdm(cases, desc=f"{way.title}: figures on unseen cases", unit="case"):
        answer = Answer.of(case, bundle, way)
        mended = {"none": answer.mean, **{name: answer.mended(fit, spec.overlapping) for name, fit in methods.items()}}
        channel = {label.name: label.value - spec.overlapping for label in spec.labels}
        target = answer.target(spec)
        found.append({name: promises_of({way: p[n] for way, p in mended.items()}, target[n]) for name, n in channel.items()})
    return figures(found, chosen) if found else {}
