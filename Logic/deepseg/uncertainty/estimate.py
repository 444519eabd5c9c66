"""The road of one estimate: the image prepared once, the network's passes as the sampler wants them, measures, back to the input's grid."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import torch

from deepseg.attempts import Attempts
from deepseg.box import Box
from deepseg.bundle import ModelBundle
from deepseg.components import keep_largest
from deepseg.cost import blank_network
from deepseg.devices import Plan
from deepseg.errors import UncertaintyError
from deepseg.inference import OnWindow, run_windows
from deepseg.preprocessing import Prepared, prepare
from deepseg.progress import ProgressCallback, Tracker
from deepseg.provenance import provenance
from deepseg.region import labels_in_whole, probabilities_in_whole
from deepseg.restoring import label_codes
from deepseg.results import Prediction, Uncertainty, UncertaintyMap
from deepseg.uncertainty.measures import MEASURES, Tally, largest_value
from deepseg.uncertainty.sampled_network import SampledNetwork
from deepseg.uncertainty.samplers import Pass, sampler_named
from deepseg.volume import LabelMap, Volume
from deepseg.window_network import WindowNetwork


def estimate(
    volume: Volume,
    bundle: ModelBundle,
    roi: Box | None = None,
    progress: ProgressCallback | None = None,
    *,
    sampler: str,
    samples: int | None = None,
    seed: int = 0,
    measures: Sequence[str] = tuple(MEASURES),
) -> Uncertainty:
    """See `deepseg.api.estimate_uncertainty`."""
    spec, chosen = bundle.spec, sampler_named(sampler)
    count = chosen.samples if samples is None else samples
    chosen.refuse_unfit(spec, blank_network(spec), count)
    if seed < 0:
        raise UncertaintyError(f"The seed is {seed}; expected a whole number from 0 up.")
    tracker = Tracker(progress)
    part, where = volume.cropped(roi) if roi else (volume, (slice(None),) * 3)
    part.refuse_constant()

    def run(plan: Plan) -> tuple[Tally, Prepared]:
        tracker.report(0.0, "preparing the image")
        prepared = prepare(part, plan.spec)
        tracker.report(0.02, "loading the model")
        networks = WindowNetwork.of(bundle, plan.spec, plan.device, plan.precision, mirror=False)
        passes = chosen.passes(spec, count, seed, prepared.geometry.spacing_mm)
        on_window, tally = tracker.steps("drawing samples", 0.05, 0.9), Tally(spec.overlapping)
        for n, what in enumerate(passes):

            def of_all(done: int, of: int, n: int = n) -> None:
                on_window(n * of + done, len(passes) * of)

            for probabilities in _samples(prepared.tensor, SampledNetwork(networks, what), what, plan, of_all):
                tally.add(probabilities)
        return tally, prepared

    (tally, prepared), plan, notes = Attempts(part, bundle, run, probabilities=True).first_that_fits("float32")
    tracker.report(0.9, "measuring")
    mean = _on_part(tally.mean(), prepared, part.geometry.shape)
    if not spec.overlapping:
        mean[0] += 1 - mean.sum(0)  # background where nothing was seen
    array = labels_in_whole(label_codes(torch.from_numpy(mean), spec, 0.5).numpy(), roi, where, volume.geometry)
    for value in spec.output.keep_largest:
        keep_largest(array, value, spec.overlapping)
    maps = {}
    for name in measures:
        values = _on_part(tally.measure(name)[None], prepared, part.geometry.shape)[0]
        described, largest = MEASURES[name], largest_value(name, spec.channel_count, spec.overlapping)
        values = labels_in_whole(values, roi, where, volume.geometry)
        maps[name] = UncertaintyMap(values, volume.geometry, name, described.title, described.unit, described.kind, largest)
    drawn = seed if chosen.seeded else None
    made_by = provenance(bundle, roi, plan, sampler=sampler, samples=tally.count, seed=drawn)
    labels = LabelMap(array, volume.geometry, spec.labels, made_by, spec.overlapping)
    whole = probabilities_in_whole(mean, roi, where, volume.geometry, spec.overlapping)
    agreement = dict(zip([label.value for label in spec.labels], tally.pairwise_dice(), strict=True)) if tally.count > 1 else None
    prediction = Prediction(labels, whole, made_by, tracker.finish(), tuple(notes))
    return Uncertainty(prediction, maps, agreement, sampler, tally.count, drawn)


def _samples(image: torch.Tensor, network: SampledNetwork, what: Pass, plan: Plan, on_window: OnWindow) -> Iterator[torch.Tensor]:
    """The samples of one pass: probabilities (L, I, J, K) on the model's grid."""
    for view in what.views:
        image = view.apply(image)
    channels = network.spec.channel_count
    logits = torch.empty((network.samples * channels, *image.shape[1:]))

    def keep(corner: tuple[int, int, int], block: torch.Tensor) -> None:
        logits[(slice(None), *(slice(c, c + n) for c, n in zip(corner, block.shape[1:], strict=True)))] = block.cpu()

    # With dropout each window has masks of its own, however many the network could take at a time.
    batch = 1 if what.dropout_seed is not None else plan.batch
    run_windows(network, image, keep, batch=batch, held=plan.held, on_window=on_window)
    for answer in logits.split(channels):
        probabilities = torch.sigmoid(answer) if network.spec.overlapping else torch.softmax(answer, 0)
        for view in reversed(what.views):
            probabilities = view.invert(probabilities)
        yield probabilities


def _on_part(values: torch.Tensor, prepared: Prepared, shape: tuple[int, int, int]) -> np.ndarray:
    """Values (C, I, J, K) of the model's grid on the grid that was segmented; 0 where nothing was seen."""
    result = np.zeros((len(values), *shape), np.float32)
    into = prepared.orientation.apply(result)[(slice(None), *prepared.cut)]
    for channel, to in zip(values, into, strict=True):
        to[...] = prepared.back.resample(channel[None])[0].numpy()
    return result
