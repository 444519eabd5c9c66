"""Segmenting a volume."""

from __future__ import annotations

from deepseg.api.arguments import geometry_to_run_on, refuse_other_types
from deepseg.box import Box
from deepseg.bundle import ModelBundle
from deepseg.progress import ProgressCallback
from deepseg.results import Prediction
from deepseg.volume import Volume


def segment(
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
    """Segment a volume.

    Args:
        volume: any orientation and spacing; the model's number of channels.
        bundle: the model.
        roi: only this box is read, normalised and segmented (RAS, mm); the whole volume where None.
        progress: called with a `Progress` several times; raising `Cancelled` in it stops the run.
        probabilities: give them too. Without them a run takes less time and memory.
        precision: number type of the networks: 'float32', 'bfloat16', 'float16' or 'auto', which is float32 where probabilities are asked for
            and otherwise the fastest that this computer has.
        mirror: average the answers to mirrored images, along the axes the model's training mirrored: 2 to 8 times the time.
        device: key of the only device to run on, as `list_devices` gives them; None: the fastest with memory enough.

    Returns:
        Labels and probabilities on the volume's own grid.

    Raises:
        VolumeError: the volume does not fit the model.
        RegionError: the box holds no voxel.
        ModelError: the model's network cannot be built or run here.
        DeviceError: there is no such device.
        MemoryLimitError: not enough memory, of the device where one is named.
        Cancelled: `progress` raised it.
        ValueError: `precision` is none of these.
    """
    from deepseg.prediction import predict

    refuse_other_types(volume, bundle, roi)
    return predict(volume, bundle, roi, progress, probabilities=probabilities, precision=precision, mirror=mirror, device=device)


def forecast(
    volume: Volume, bundle: ModelBundle, roi: Box | None = None, precision: str = "auto", mirror: bool = False, *, device: str | None = None
) -> str:
    """What `segment` without probabilities will run on and take, in a sentence: device, memory and time. Nothing is run but one convolution.

    Raises:
        VolumeError: the volume does not fit the model.
        RegionError: the box holds no voxel.
        ModelError: the model's network cannot be built here.
        DeviceError: there is no such device.
    """
    from deepseg.cost import Extent, mirrored
    from deepseg.cost import forecast as forecast_run

    return forecast_run(geometry_to_run_on(volume, bundle, roi), bundle.spec, precision, Extent(mirrored(bundle.spec, mirror)), device).told
