"""The road of one segmentation: region of interest, preprocessing, networks, back to the input's grid."""

from __future__ import annotations

import json

import numpy as np
import torch

from deepseg import __version__
from deepseg.box import Box
from deepseg.bundle import ModelBundle
from deepseg.components import keep_largest
from deepseg.cost import Cost, estimate
from deepseg.devices import Plan, free_bytes, plans
from deepseg.errors import MemoryLimitError, PrecisionError, VolumeError
from deepseg.inference import run_windows
from deepseg.preprocessing import Prepared, prepare
from deepseg.progress import ProgressCallback, Tracker
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
) -> Prediction:
    """See `deepseg.api.segment`."""
    spec = bundle.spec
    tracker = Tracker(progress)
    tracker.report(0.0, "preparing the image")
    part, where = volume.cropped(roi) if roi else (volume, (slice(None),) * 3)
    _refuse_constant(part)
    try:
        prepared = prepare(part, spec)
    except MemoryError as error:
        raise MemoryLimitError(_memory_advice(part)) from error
    wanted = probabilities and 4 * spec.channel_count * int(np.prod(volume.geometry.shape, dtype=np.int64)) <= PROBABILITY_LIMIT_BYTES
    chosen = "float32" if precision == "auto" and wanted else precision
    restorer, plan, notes = _run_first_that_fits(bundle, prepared, part, wanted, chosen, mirror, tracker)
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


def _run_first_that_fits(
    bundle: ModelBundle, prepared: Prepared, part: Volume, wanted: bool, precision: str, mirror: bool, tracker: Tracker
) -> tuple[Restorer, Plan, list[str]]:
    """Try one plan after the other until one has memory enough; a later one is told of in a note."""
    ways = list(plans(bundle.spec, prepared.geometry.shape, precision))
    for plan in ways:
        if not _seems_to_fit(bundle, part, plan):
            continue
        try:
            restorer = _run(bundle, prepared, part, wanted, plan, mirror, tracker)
        except PrecisionError:
            told = f"The network's numbers are too large for {plan.precision}; it ran in float32, which takes longer."
            restorer, plan, notes = _run_first_that_fits(bundle, prepared, part, wanted, "float32", mirror, tracker)
            return restorer, plan, [told, *notes]
        except (MemoryError, torch.OutOfMemoryError):
            _release(plan)
        else:
            notes = [f"There was not enough memory for the usual way, so it ran on: {plan.described()}."] if plan != ways[0] else []
            return restorer, plan, notes
    raise MemoryLimitError(_memory_advice(part, estimate(part.geometry, ways[-1], len(bundle.spec.weights))))


def _run(bundle: ModelBundle, prepared: Prepared, part: Volume, wanted: bool, plan: Plan, mirror: bool, tracker: Tracker) -> Restorer:
    tracker.report(0.02, "loading the model")
    restorer = Restorer(prepared, plan.spec, part.geometry.shape, wanted)
    network = WindowNetwork.of(bundle, plan.spec, plan.device, plan.precision, mirror)
    on_window = tracker.steps("running the network", 0.05, 0.98)
    run_windows(network, prepared.tensor, restorer.add, means=restorer.needs_means, batch=plan.batch, held=plan.held, on_window=on_window)
    return restorer


def _refuse_constant(part: Volume) -> None:
    for channel in part.array:
        if channel.min() == channel.max():
            raise VolumeError(
                f"'{part.name}' has the value {channel.min():g} in every voxel to be segmented, so there is nothing to find. "
                "Choose another volume or region of interest."
            )


def _seems_to_fit(bundle: ModelBundle, part: Volume, plan: Plan) -> bool:
    """Whether the estimate is below what is free: the operating system kills whoever takes more instead of refusing it."""
    cost, free = estimate(part.geometry, plan, len(bundle.spec.weights)), free_bytes(plan.device)
    return cost is None or free is None or cost.work_bytes <= free


def _release(plan: Plan) -> None:
    if plan.device.type == "cuda":
        torch.cuda.empty_cache()


def _memory_advice(volume: Volume, cost: Cost | None = None) -> str:
    shape = " x ".join(str(n) for n in volume.geometry.shape)
    needed = f"; the run needs about {cost.work_bytes / 1e9:.1f} GB" if cost else ""
    return (
        f"There was not enough memory to segment '{volume.name}' ({shape} voxels{needed}). "
        "Close other programs, or choose a smaller region of interest."
    )
