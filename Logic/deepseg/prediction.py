"""The road of one segmentation: region of interest, preprocessing, networks, back to the input's grid."""

from __future__ import annotations

import json

import numpy as np
import torch

from deepseg import __version__
from deepseg.bundle import ModelBundle
from deepseg.components import keep_largest
from deepseg.devices import Plan, plans
from deepseg.errors import MemoryLimitError, PrecisionError, VolumeError
from deepseg.geometry import Box
from deepseg.inference import run_windows
from deepseg.preprocessing import Prepared, prepare
from deepseg.progress import ProgressCallback, Tracker
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
    array = _whole_grid(restorer.labels, where, volume.geometry.shape)
    whole = None if restorer.probabilities is None else _whole_probabilities(restorer.probabilities, where, volume.geometry.shape, spec.overlapping)
    for value in spec.output.keep_largest:
        keep_largest(array, value, spec.overlapping)
    settings = {
        "roi_ras_mm": [roi.minimum_ras, roi.maximum_ras] if roi else None,
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
    notes: list[str] = []
    ways = list(plans(bundle.spec, prepared.geometry.shape, precision))
    for n, plan in enumerate(ways):
        try:
            restorer = _run(bundle, prepared, part, wanted, plan, mirror, tracker)
        except PrecisionError:
            told = f"The network's numbers are too large for {plan.precision}; it ran in float32, which takes longer."
            restorer, plan, notes = _run_first_that_fits(bundle, prepared, part, wanted, "float32", mirror, tracker)
            return restorer, plan, [told, *notes]
        except (MemoryError, torch.OutOfMemoryError) as error:
            if n + 1 == len(ways):
                raise MemoryLimitError(_memory_advice(part)) from error
            _release(plan)
            notes = [f"There was not enough memory for the usual way, so it ran on: {ways[n + 1].described()}."]
        else:
            return restorer, plan, notes
    raise AssertionError("there is always the processor")


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


def _whole_grid(labels: np.ndarray, where: tuple[slice, slice, slice], shape: tuple[int, int, int]) -> np.ndarray:
    """Labels of the region, put into the input's grid."""
    if labels.shape == shape:
        return labels
    whole = np.zeros(shape, labels.dtype)
    whole[where] = labels
    return whole


def _whole_probabilities(probabilities: np.ndarray, where: tuple[slice, slice, slice], shape: tuple[int, int, int], overlapping: bool) -> np.ndarray:
    """Probabilities of the region, put into the input's grid, where everything else is background."""
    if probabilities.shape[1:] == shape:
        return probabilities
    whole = np.zeros((len(probabilities), *shape), np.float32)
    if not overlapping:
        whole[0] = 1.0
    whole[(slice(None), *where)] = probabilities
    return whole


def _release(plan: Plan) -> None:
    if plan.device.type == "cuda":
        torch.cuda.empty_cache()


def _memory_advice(volume: Volume) -> str:
    shape = " x ".join(str(n) for n in volume.geometry.shape)
    return f"There was not enough memory to segment '{volume.name}' ({shape} voxels). Close other programs, or choose a smaller region of interest."
