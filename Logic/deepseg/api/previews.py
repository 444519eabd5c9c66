"""What can be said of a run before it starts."""

from __future__ import annotations

from deepseg.api.arguments import geometry_to_run_on
from deepseg.api.explanation import explanation_layers, usual_explanation_layer
from deepseg.api.uncertainty import unusual
from deepseg.box import Box
from deepseg.bundle import ModelBundle
from deepseg.results import Device, Preview
from deepseg.volume import Volume


def preview(volume: Volume, bundle: ModelBundle, roi: Box | None = None, *, uncertainty: bool = False, device: str | None = None) -> Preview:
    """Say of `segment` without probabilities, or of `estimate_uncertainty`, what it will take, and of the image what is unusual.

    Nothing is run but one convolution.

    Args:
        volume: any orientation and spacing; the model's number of channels.
        bundle: the model.
        roi: the box that will be looked at (RAS, mm); the whole volume where None.
        uncertainty: the run will be an estimate, as the model was calibrated for it.
        device: key of the only device to run on; None: the fastest with memory enough.

    Raises:
        VolumeError: the volume does not fit the model, or has one value in every voxel.
        RegionError: the box holds no voxel.
        ModelError: the model's network cannot be built here, or its calibration is damaged.
        DeviceError: there is no such device.
    """
    from deepseg.cost import forecast
    from deepseg.explanation.fitting import fitting_methods
    from deepseg.uncertainty import estimate

    geometry = geometry_to_run_on(volume, bundle, roi)
    (volume.cropped(roi)[0] if roi else volume).refuse_constant()
    told = estimate.forecast(geometry, bundle, device=device) if uncertainty else forecast(geometry, bundle.spec, device=device)
    return Preview(
        told.told,
        told.fits,
        tuple(unusual(volume, bundle, roi)),
        list_devices(),
        explanation_layers(bundle),
        usual_explanation_layer(bundle),
        estimate.fitting_samplers(bundle),
        fitting_methods(bundle.spec),
    )


def list_devices() -> tuple[Device, ...]:
    """What networks can run on here, fastest first: CUDA cards by free memory, Apple's GPU, the processor. Loads PyTorch."""
    from deepseg.devices import listed_devices

    return listed_devices()
