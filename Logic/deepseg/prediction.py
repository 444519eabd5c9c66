"""The road of one segmentation: region of interest, preprocessing, networks, back to the input's grid."""

from __future__ import annotations

import math

from deepseg.attempts import Attempts
from deepseg.box import Box
from deepseg.bundle import ModelBundle
from deepseg.components import keep_largest
from deepseg.cost import Extent, mirrored
from deepseg.devices import Plan
from deepseg.fast_network import PRECISIONS
from deepseg.inference import run_windows
from deepseg.preprocessing import prepare
from deepseg.progress import ProgressCallback, Tracker
from deepseg.provenance import provenance
from deepseg.region import labels_in_whole, probabilities_in_whole
from deepseg.restoring import Restorer
from deepseg.results import PROBABILITY_LIMIT_BYTES, Prediction
from deepseg.volume import LabelMap, Volume
from deepseg.window_network import WindowNetwork


def predict(
    volume: Volume,
    bundle: ModelBundle,
    roi: Box | None = None,
    progress: ProgressCallback | None = None,
    *,
    probabilities: bool = True,
    precision: str = "auto",
    mirror: bool = False,
    device: str | None = None,
) -> Prediction:
    """See `deepseg.api.segment`."""
    if precision not in ("auto", *PRECISIONS):
        raise ValueError(f"precision is {precision!r}; expected 'auto', {', '.join(map(repr, PRECISIONS))}.")
    spec = bundle.spec
    tracker = Tracker(progress)
    part, where = volume.cropped(roi) if roi else (volume, (slice(None),) * 3)
    part.refuse_constant()
    wanted = probabilities and 4 * spec.channel_count * math.prod(volume.geometry.shape) <= PROBABILITY_LIMIT_BYTES
    chosen = "float32" if precision == "auto" and wanted else precision

    def run(plan: Plan) -> Restorer:
        tracker.report(0.0, "preparing the image")
        prepared = prepare(part, plan.spec, PRECISIONS[plan.precision])
        tracker.report(0.02, "loading the model")
        network = WindowNetwork.of(bundle, plan.spec, plan.device, plan.precision, mirror)
        restorer = Restorer(prepared, plan.spec, part.geometry.shape, wanted)
        on_window = tracker.steps("running the network", 0.05, 0.98)
        run_windows(network, prepared.tensor, restorer.add, means=restorer.needs_means, batch=plan.batch, held=plan.held, on_window=on_window)
        return restorer

    extent = Extent(mirrored(spec, mirror), 4 * spec.channel_count if wanted else 0)
    restorer, plan, notes = Attempts(part, bundle, run, extent, device).first_that_fits(chosen)
    if probabilities and not wanted:
        size = 4 * spec.channel_count * math.prod(volume.geometry.shape) / 1e9
        notes.append(f"Probabilities would take {size:.1f} GB; up to {PROBABILITY_LIMIT_BYTES / 1e9:.1f} GB are given, so there are labels alone.")
    tracker.report(0.98, "finishing")
    array, whole = labels_in_whole(restorer.labels, roi, where, volume.geometry), restorer.probabilities
    if whole is not None:
        whole = probabilities_in_whole(whole, roi, where, volume.geometry, spec.overlapping)
    for value in spec.output.keep_largest:
        keep_largest(array, value, spec.overlapping)
    made_by = provenance(bundle, roi, plan, mirror=mirror)
    labels = LabelMap(array, volume.geometry, spec.labels, made_by, spec.overlapping)
    return Prediction(labels, whole, made_by, tracker.finish(), tuple(notes))
