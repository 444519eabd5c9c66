"""The road of one estimate: the image prepared once, the network's passes as the sampler wants them, then back to the input's grid and measured."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch

from deepseg.attempts import Attempts
from deepseg.box import Box
from deepseg.bundle import ModelBundle
from deepseg.cost import Extent, Forecast, blank_network
from deepseg.cost import forecast as forecast_run
from deepseg.devices import Plan
from deepseg.errors import UncertaintyError
from deepseg.geometry import Geometry
from deepseg.inference import OnWindow, run_windows
from deepseg.preprocessing import Prepared, prepare
from deepseg.progress import ProgressCallback, Tracker
from deepseg.provenance import provenance
from deepseg.results import SamplingWay, Uncertainty
from deepseg.spec import ModelSpec
from deepseg.uncertainty.assembly import USUAL_LEVEL, Assembly, promise
from deepseg.uncertainty.calibration import Calibration, load_calibration
from deepseg.uncertainty.conformal import refuse_level
from deepseg.uncertainty.deep_features import DeepFeatures
from deepseg.uncertainty.logit_noise import without_noise
from deepseg.uncertainty.measures import MEASURES, Tally
from deepseg.uncertainty.recalibration import as_probabilities
from deepseg.uncertainty.sampled_network import SampledNetwork
from deepseg.uncertainty.samplers import SAMPLERS, Pass, Sampler, sampler_named
from deepseg.volume import Volume
from deepseg.window_network import WindowNetwork

USUAL_SAMPLER = "augmentation"
"""Where a model was not calibrated; it works with every model."""


@dataclass(frozen=True, eq=False)
class Drawn:
    """What the passes gave, on the model's grid."""

    tally: Tally
    prepared: Prepared
    deep: np.ndarray | None


def estimate(
    volume: Volume,
    bundle: ModelBundle,
    roi: Box | None = None,
    progress: ProgressCallback | None = None,
    *,
    sampler: str | None = None,
    samples: int | None = None,
    seed: int = 0,
    level: float | None = None,
    device: str | None = None,
) -> Uncertainty:
    """See `deepseg.api.estimate_uncertainty`."""
    calibration = load_calibration(bundle)
    sampler, count = way_of(bundle, calibration, sampler, samples)
    if level is not None:  # before minutes are spent on it
        if calibration is None or calibration.of(sampler, count) is None:
            told = promise(bundle.spec, calibration, None, sampler, count, level, False)
            raise UncertaintyError(f"Nothing can be promised at {100 * level:g} %. {told}")
        refuse_level(level, calibration.cases)
    drawn = assemble(volume, bundle, roi, progress, sampler=sampler, samples=count, seed=seed, device=device)
    return drawn.uncertainty(USUAL_LEVEL if level is None else level)


def assemble(
    volume: Volume,
    bundle: ModelBundle,
    roi: Box | None = None,
    progress: ProgressCallback | None = None,
    *,
    sampler: str | None = None,
    samples: int | None = None,
    seed: int = 0,
    deep_layer: str | None = None,
    device: str | None = None,
) -> Assembly:
    """Draw the samples; `deep_layer` is listened to where the model was not calibrated yet."""
    spec, calibration = bundle.spec, load_calibration(bundle)
    sampler, count = way_of(bundle, calibration, sampler, samples)
    chosen = sampler_named(sampler)
    if seed < 0:
        raise UncertaintyError(f"The seed is {seed}; expected a whole number from 0 up.")
    layer = calibration.layer if calibration else deep_layer
    tracker = Tracker(progress)
    part, where = volume.cropped(roi) if roi else (volume, (slice(None),) * 3)
    part.refuse_constant()

    def run(plan: Plan) -> Drawn:
        tracker.report(0.0, "preparing the image")
        prepared = prepare(part, plan.spec)
        tracker.report(0.02, "loading the model")
        networks = WindowNetwork.of(bundle, plan.spec, plan.device, plan.precision, mirror=False)
        on_window = tracker.steps("drawing samples" if count > 1 else "running the network", 0.05, 0.9)
        return _draw(networks, prepared, chosen, count, seed, plan, on_window, layer)

    spacing = spec.spacing_mm
    by_chance = chosen.passes(spec, count, seed, spacing) != chosen.passes(spec, count, seed + 1, spacing)
    drawn, plan, notes = Attempts(part, bundle, run, _extent(spec, chosen, count), device).first_that_fits("float32")
    tracker.report(0.9, "measuring")
    made_by = provenance(bundle, roi, plan, sampler=sampler, samples=drawn.tally.count, seed=seed if by_chance else None)
    samples_of = (drawn.tally, drawn.prepared, drawn.deep, seed if by_chance else None)
    return Assembly(volume, part, where, roi, spec, calibration, sampler, *samples_of, made_by, tuple(notes), tracker)


def fitting_samplers(bundle: ModelBundle) -> tuple[SamplingWay, ...]:
    """Ways of sampling that suit a model, in the order in which they are registered.

    Raises:
        ModelError: the model's network cannot be built here, or its calibration is damaged.
    """
    calibration, found = load_calibration(bundle), []
    for key, sampler in SAMPLERS.items():
        try:
            way_of(bundle, calibration, key, None)
        except UncertaintyError:
            continue
        found.append(SamplingWay(key, sampler.title))
    return tuple(found)


def way_of(bundle: ModelBundle, calibration: Calibration | None, sampler: str | None, samples: int | None) -> tuple[str, int]:
    """The sampler and the number of samples where not everything is said.

    Raises:
        UncertaintyError: the sampler is unknown or cannot work with this model, or not with so many samples.
    """
    if sampler is None:
        # The sampler the model was calibrated for in the first place.
        sampler = calibration.samplers[0].sampler if calibration else USUAL_SAMPLER
    chosen = sampler_named(sampler)
    if samples is None:
        usual = [item.samples for item in calibration.samplers if item.sampler == sampler] if calibration else []
        samples = usual[0] if usual else chosen.samples
    count = samples
    chosen.refuse_unfit(bundle.spec, blank_network(bundle.spec), count)
    return sampler, count


def forecast(geometry: Geometry, bundle: ModelBundle, sampler: str | None = None, samples: int | None = None, device: str | None = None) -> Forecast:
    """See `deepseg.api.forecast_uncertainty`."""
    sampler, count = way_of(bundle, load_calibration(bundle), sampler, samples)
    return forecast_run(geometry, bundle.spec, "float32", _extent(bundle.spec, sampler_named(sampler), count), device)


def _extent(spec: ModelSpec, sampler: Sampler, count: int) -> Extent:
    """How many passes of all members, and what is held of each voxel at the end: probabilities, raw and recalibrated, sums and maps."""
    passes = sampler.passes(spec, count, 0, spec.spacing_mm)
    members = max(len(spec.weights), 1)
    kept = 4 * (4 * spec.channel_count + 2 * len(MEASURES))
    # The first pass is made once more without dropout, by the first member, for the guard.
    plain = 1 / members if passes[0].dropout_seed is not None else 0
    return Extent(plain + sum(1 if what.member is None else 1 / members for what in passes), kept)


def _draw(
    networks: WindowNetwork, prepared: Prepared, sampler: Sampler, count: int, seed: int, plan: Plan, on_window: OnWindow, layer: str | None
) -> Drawn:
    """All passes of a sampler; the first one is listened to."""
    spec, tally = networks.spec, Tally(networks.spec.overlapping)
    passes = sampler.passes(spec, count, seed, prepared.geometry.spacing_mm)
    deep = DeepFeatures(layer, spec.overlapping) if layer else None
    for n, what in enumerate(passes):

        def of_all(done: int, of: int, n: int = n) -> None:
            on_window(n * of + done, len(passes) * of)

        network = SampledNetwork(networks, what, deep if n == 0 else None)
        for probabilities in _samples(prepared.tensor, network, what, plan, of_all):
            tally.add(probabilities)
    return Drawn(tally, prepared, deep.mean() if deep else None)


def _samples(image: torch.Tensor, network: SampledNetwork, what: Pass, plan: Plan, on_window: OnWindow) -> Iterator[torch.Tensor]:
    """The samples of one pass: probabilities (L, I, J, K) on the model's grid."""
    for view in what.views:
        image = view.apply(image)
    channels = network.spec.channel_count
    logits = torch.empty((network.blended_apart * channels, *image.shape[1:]))

    def keep(corner: tuple[int, int, int], block: torch.Tensor) -> None:
        logits[(slice(None), *(slice(c, c + n) for c, n in zip(corner, block.shape[1:], strict=True)))] = block.cpu()

    # With dropout each window has masks of its own, however many the network could take at a time.
    batch = 1 if what.dropout_seed is not None else plan.batch
    run_windows(network, image, keep, batch=batch, held=plan.held, on_window=on_window)
    answers = logits.split(channels)
    if what.noise_seed is None:
        found = (as_probabilities(answer, network.spec.overlapping) for answer in answers)
    else:
        found = iter([without_noise(*answers, what.noise_seed, network.spec.overlapping)])
    for probabilities in found:
        for view in reversed(what.views):
            probabilities = view.invert(probabilities)
        yield probabilities
