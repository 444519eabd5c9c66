"""The road of one segmentation: region of interest, preprocessing, network, back to the input's grid."""

from __future__ import annotations

import json

import numpy as np
import torch

from deepseg import __version__
from deepseg.bundle import ModelBundle
from deepseg.devices import best_device
from deepseg.errors import MemoryLimitError, ModelError, VolumeError
from deepseg.geometry import Box
from deepseg.inference import infer_logits
from deepseg.preprocessing import prepare, restore
from deepseg.progress import ProgressCallback, Tracker
from deepseg.results import PROBABILITY_LIMIT_BYTES, Prediction
from deepseg.volume import LabelMap, Volume


def predict(volume: Volume, bundle: ModelBundle, roi: Box | None = None, progress: ProgressCallback | None = None) -> Prediction:
    """See `deepseg.api.segment`."""
    try:
        return _predict(volume, bundle, roi, progress)
    except (MemoryError, torch.OutOfMemoryError) as error:
        raise MemoryLimitError(_memory_advice(volume)) from error
    except RuntimeError as error:
        # PyTorch's allocators for the CPU and for Apple's GPU have no exception type of their own.
        if "allocate memory" in str(error) or "out of memory" in str(error):
            raise MemoryLimitError(_memory_advice(volume)) from error
        reason = str(error).splitlines()[0]
        raise ModelError(f"The model {bundle.spec.id} cannot be run: {reason}. Its network does not fit its inputs or its window.") from error


def _predict(volume: Volume, bundle: ModelBundle, roi: Box | None, progress: ProgressCallback | None) -> Prediction:
    spec, device = bundle.spec, best_device()
    tracker = Tracker(progress)
    tracker.report(0.0, "loading the model")
    network = bundle.build_network(device=device)
    tracker.report(0.02, "preparing the image")
    part, where = volume.cropped(roi) if roi else (volume, (slice(None),) * 3)
    _refuse_constant(part)
    prepared = prepare(part, spec)

    def on_window(done: int, count: int) -> None:
        tracker.report(0.05 + 0.85 * done / count, "running the network")

    tracker.report(0.05, "running the network")
    logits = infer_logits(network, prepared.tensor.to(device), spec.patch, spec.overlap, spec.class_count, on_window)
    tracker.report(0.9, "bringing the result to the image's grid")
    probabilities = restore(torch.softmax(logits, 0), prepared)
    labels = np.zeros(volume.geometry.shape, np.uint8 if spec.class_count <= 256 else np.uint16)
    labels[where] = probabilities.argmax(0)
    provenance = {
        "DeepSeg.Model": spec.id,
        "DeepSeg.ModelVersion": spec.version,
        "DeepSeg.ModelSha256": bundle.sha256,
        "DeepSeg.Version": __version__,
        "DeepSeg.Settings": json.dumps({"roi_ras_mm": [roi.minimum_ras, roi.maximum_ras] if roi else None, "device": device.type}),
    }
    whole = _whole_grid(probabilities, where, volume.geometry.shape)
    return Prediction(LabelMap(labels, volume.geometry, spec.labels, provenance), whole, provenance, tracker.finish())


def _refuse_constant(part: Volume) -> None:
    for channel in part.array:
        if channel.min() == channel.max():
            raise VolumeError(
                f"'{part.name}' has the value {channel.min():g} in every voxel to be segmented, so there is nothing to find. "
                "Choose another volume or region of interest."
            )


def _whole_grid(probabilities: np.ndarray, where: tuple[slice, slice, slice], shape: tuple[int, int, int]) -> np.ndarray | None:
    """Probabilities of the region, put into the input's grid, where everything else is background."""
    if probabilities.shape[1:] == shape:
        return probabilities
    if 4 * len(probabilities) * np.prod(shape, dtype=np.int64) > PROBABILITY_LIMIT_BYTES:
        return None
    whole = np.zeros((len(probabilities), *shape), np.float32)
    whole[0] = 1.0
    whole[(slice(None), *where)] = probabilities
    return whole


def _memory_advice(volume: Volume) -> str:
    shape = " x ".join(str(n) for n in volume.geometry.shape)
    return f"There was not enough memory to segment '{volume.name}' ({shape} voxels). Close other programs, or choose a smaller region of interest."
