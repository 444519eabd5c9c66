"""`deepseg-train calibrate`: from a model and held-out cases to a calibrated model."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from tqdm import tqdm

from deepseg import api
from deepseg.bundle_writer import add_calibration
from deepseg.uncertainty.calibration import Calibration, SamplerCalibration
from deepseg.uncertainty.conformal import ContourScores, VolumeScores
from deepseg.uncertainty.deep_features import deepest_layer
from deepseg.uncertainty.facts import Facts
from deepseg.uncertainty.ood import Guard
from deepseg.uncertainty.recalibration import Recalibration
from deepseg_train.calibration.answers import CalibrationAnswer, Sampling, degraded_copies
from deepseg_train.calibration.case_scores import CaseScores, case_scores
from deepseg_train.calibration.figures import figures
from deepseg_train.calibration.fit import METHODS, CrossFit, cross_fit
from deepseg_train.calibration.guard import fit_guard
from deepseg_train.calibration.quality import Row, Rows, fit_quality, quality_rows
from deepseg_train.calibration.region_sums import region_sums
from deepseg_train.calibration.tables import told
from deepseg_train.calibration.voxels import Voxels
from deepseg_train.data import Case
from deepseg_train.data.cases import naming, refuse_overlapping
from deepseg_train.errors import DatasetError

LEAST_CASES, LEAST_TRAINED = 10, 4
TRAINING_DRAWS = 1
"""How often each training case is degraded in each way."""


def calibrate(
    bundle: api.ModelBundle,
    about: str,
    split: dict[str, list[Case]],
    samplers: Sequence[tuple[str, int]],
    groups: dict[str, tuple[int, ...]],
    output: Path,
) -> api.ModelBundle:
    """Calibrate each sampler on the split's part 'calibrate', measure it on its part 'test', and write the model with what was learnt.

    Args:
        bundle: the model; its network was fitted on the split's part 'train' and on neither of the others.
        about: what the dataset is, in words, for the model's card.
        split: cases by part; of each patient to calibrate and to measure on the first case is taken.
        samplers: names and numbers of samples.
        groups: label values by the name of what they make up together.
        output: the new model's folder; must not exist.

    Raises:
        DatasetError: the model's labels may overlap, there are too few cases, or there is one that cannot be read or has nothing to be learnt from.
        UncertaintyError: a sampler cannot work with this model.
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
    for name, samples in samplers:
        sampling = Sampling(name, samples, layer)
        if guard is None:
            guard = _guard(bundle, split, sampling)
        fitted.append(_calibrated(bundle, split, sampling, groups, guard))
    calibration = Calibration(about, len(held), bundle.spec.weights, layer if guard.deep else None, groups, guard, tuple(fitted))
    return add_calibration(bundle, calibration.to_json(), output, told(calibration))


def _one_of_each_patient(cases: Sequence[Case]) -> list[Case]:
    return list({case.patient: case for case in reversed(cases)}.values())[::-1]


def _guard(bundle: api.ModelBundle, split: dict[str, list[Case]], sampling: Sampling) -> Guard:
    def facts_of(part: str) -> list[Facts]:
        bar = tqdm(split[part], desc=f"what is usual: {part}", unit="case")
        # None of the figures that the guard looks at depends on the recalibration.
        return [CalibrationAnswer.of(case, bundle, sampling).facts(None, bundle.spec) for case in bar]

    return fit_guard(facts_of("train"), facts_of("calibrate"), bundle.spec)


def _calibrated(
    bundle: api.ModelBundle, split: dict[str, list[Case]], sampling: Sampling, groups: dict[str, tuple[int, ...]], guard: Guard
) -> SamplerCalibration:
    spec, held = bundle.spec, split["calibrate"]
    fits = _fits(bundle, held, sampling)
    segments = {**{label.name: (label.value,) for label in spec.labels}, **groups}
    bar = tqdm(held, desc=f"{sampling.title}: volumes and quality", unit="case")
    scores = [case_scores(case, n, bundle, sampling, fits.cross.without(n), segments, guard) for n, case in enumerate(bar)]
    rows = Rows.of([case.quality for case in scores], guard)
    if not len(rows.true):
        raise DatasetError(
            f"In none of the {len(held)} cases to calibrate on ({held[0].name}, ...) does the model find a label that is there. Calibrate on cases "
            "that have labels, or train further."
        )
    volumes, contours = _volume_scores(scores), _contour_scores(scores)
    quality = fit_quality(rows, Rows.of(_degraded_training(bundle, split["train"], sampling, fits.used, guard), guard))
    return SamplerCalibration(
        sampling.sampler, fits.samples, fits.method, fits.used, volumes, contours, quality, _figures(bundle, split["test"], sampling, fits)
    )


@dataclass(frozen=True, eq=False)
class _Fits:
    """Recalibrations of one sampler.

    Attributes:
        method: the one that predicts unseen cases best.
        of_methods: fits of all methods to all cases.
        cross: the method's fits without each fold.
        samples: how many the sampler draws.
    """

    method: str
    of_methods: dict[str, Recalibration]
    cross: CrossFit
    samples: int

    @property
    def used(self) -> Recalibration:
        """The one that the model will use."""
        return self.of_methods[self.method]


def _fits(bundle: api.ModelBundle, cases: list[Case], sampling: Sampling) -> _Fits:
    spec, voxels = bundle.spec, []
    for n, case in enumerate(tqdm(cases, desc=f"{sampling.title}: probabilities", unit="case")):
        answer = CalibrationAnswer.of(case, bundle, sampling)
        voxels.append(Voxels.of_case(answer.mean, answer.target(spec), n))
    crossed = {method: cross_fit(method, voxels, spec.overlapping) for method in METHODS}
    print("  cross-validated NLL over the image: " + ", ".join(f"{method} {cross.score:.5f}" for method, cross in crossed.items()))
    chosen, together = min(crossed, key=lambda method: crossed[method].score), Voxels.together(voxels)
    fits = {method: fit(together, spec.overlapping) for method, fit in METHODS.items()}
    return _Fits(chosen, fits, crossed[chosen], answer.samples)


def _degraded_training(bundle: api.ModelBundle, cases: list[Case], sampling: Sampling, recalibration: Recalibration, guard: Guard) -> list[list[Row]]:
    """Segments of degraded training cases; as they are the model does better on them than on others."""
    spec, found = bundle.spec, []
    for n, case in enumerate(tqdm(cases, desc=f"{sampling.title}: quality of degraded training images", unit="case")):
        rows: list[Row] = []
        with naming(case):
            for _, *image in degraded_copies(*case.read(spec), len(cases) + n, TRAINING_DRAWS):
                answer = CalibrationAnswer.to(*image, bundle, sampling)
                rows += quality_rows(answer.facts(recalibration, spec), answer.dice(spec), guard, spec)
        found.append(rows)
    return found


def _volume_scores(scores: Sequence[CaseScores]) -> dict[str, VolumeScores]:
    """Of segments that enough cases have, in truth and by the model; the others get no interval."""
    found = {}
    for name in scores[0].volumes:
        pairs = [case.volumes[name] for case in scores if min(case.volumes[name]) > 0]
        if len(pairs) >= LEAST_CASES:
            found[name] = VolumeScores.of(*zip(*pairs, strict=True))
    return found


def _contour_scores(scores: Sequence[CaseScores]) -> dict[int, ContourScores]:
    """Likewise."""
    found = {}
    for value in sorted({value for case in scores for value in case.contours}):
        pairs = [case.contours[value] for case in scores if value in case.contours]
        if len(pairs) >= LEAST_CASES:
            found[value] = ContourScores(*zip(*pairs, strict=True))
    return found


def _figures(bundle: api.ModelBundle, cases: list[Case], sampling: Sampling, fits: _Fits) -> dict:
    spec, found = bundle.spec, []
    for case in tqdm(cases, desc=f"{sampling.title}: figures on unseen cases", unit="case"):
        answer = CalibrationAnswer.of(case, bundle, sampling)
        methods = {"none": answer.mean, **{name: answer.recalibrated(fit, spec.overlapping) for name, fit in fits.of_methods.items()}}
        target, channel = answer.target(spec), {label.name: label.value - spec.overlapping for label in spec.labels}
        found.append({name: region_sums({method: p[n] for method, p in methods.items()}, target[n]) for name, n in channel.items()})
    return figures(found, fits.method) if found else {}
