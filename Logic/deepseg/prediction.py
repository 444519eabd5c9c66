"""The road of one segmentation: region of interest, preprocessing, networks, back to the input's grid."""

from __future__ import annotations

import json
import math

from deepseg import __version__
from deepseg.attempts import Attempts
from deepseg.box import Box
from deepseg.bundle import ModelBundle
from deepseg.components import keep_largest
from deepseg.errors import VolumeError
from deepseg.fast_network import PRECISIONS
from deepseg.progress import ProgressCallback, Tracker
from deepseg.region import labels_in_whole, probabilities_in_whole
from deepseg.results import PROBABILITY_LIMIT_BYTES, Prediction
from deepseg.volume import LabelMap, Volume


def predict(
    volume: Volume,
    bundle: ModelBundle,
    roi: Box | None = None,
    progress: ProgressCallback | None = None,
    *,
    probabilities: bool = True,
    precision: str = "auto",
    mirror: bool = False,
) -> Prediction:
    """See `deepseg.api.segment`."""
    if precision not in ("auto", *PRECISIONS):
        raise ValueError(f"precision is {precision!r}; expected 'auto', {', '.join(map(repr, PRECISIONS))}.")
    spec = bundle.spec
    tracker = Tracker(progress)
    part, where = volume.cropped(roi) if roi else (volume, (slice(None),) * 3)
    _refuse_constant(part)
    wanted = probabilities and 4 * spec.channel_count * math.prod(volume.geometry.shape) <= PROBABILITY_LIMIT_BYTES
    chosen = "float32" if precision == "auto" and wanted else precision
    restorer, plan, notes = Attempts(part, bundle, wanted, mirror, tracker).first_that_fits(chosen)
    if probabilities and not wanted:
        size = 4 * spec.channel_count * math.prod(volume.geometry.shape) / 1e9
        notes.append(f"Probabilities would take {size:.1f} GB; up to {PROBABILITY_LIMIT_BYTES / 1e9:.1f} GB are given, so there are labels alone.")
    tracker.report(0.98, "finishing")
    array, whole = labels_in_whole(restorer.labels, roi, where, volume.geometry), restorer.probabilities
    if whole is not None:
        whole = probabilities_in_whole(whole, roi, where, volume.geometry, spec.overlapping)
    for value in spec.output.keep_largest:
        keep_largest(array, value, spec.overlapping)
    settings = {
        "roi_ras_mm": roi.to_json() if roi else None,
        "device": plan.device.type,
        "precision": plan.precision,
        "window": plan.spec.window.size,
        "sums": str(plan.held).removeprefix("torch."),
        "mirror": mirror,
    }
    provenance = {
        "DeepSeg.Model": spec.id,
        "DeepSeg.ModelVersion": spec.version,
        "DeepSeg.ModelSha256": bundle.sha256,
        "DeepSeg.Version": __version__,
        "DeepSeg.Settings": json.dumps(settings),
    }
    labels = LabelMap(array, volume.geometry, spec.labels, provenance, spec.overlapping)
    return Prediction(labels, whole, provenance, tracker.finish(), tuple(notes))


def _refuse_constant(part: Volume) -> None:
    for channel in part.array:
        if channel.min() == channel.max():
            raise VolumeError(
                f"'{part.name}' has the value {channel.min():g} in every voxel to be segmented, so there is nothing to find. "
                "Choose another volume or region of interest."
            )
