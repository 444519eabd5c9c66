"""How sure a model is, and where it is not."""

from __future__ import annotations

from deepseg.api.arguments import geometry_to_run_on, refuse_other_types
from deepseg.box import Box
from deepseg.bundle import ModelBundle
from deepseg.progress import ProgressCallback
from deepseg.results import Finding, UncertainRegion, Uncertainty
from deepseg.volume import LabelMap, Volume


def estimate_uncertainty(
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
    """Segment a volume and say in each voxel how sure the model is, all in float32.

    Args:
        volume: any orientation and spacing; the model's number of channels.
        bundle: the model.
        roi: only this box is read, normalised and segmented (RAS, mm); the whole volume where None.
        progress: called with a `Progress` several times; raising `Cancelled` in it stops the run.
        sampler: key of `deepseg.uncertainty.samplers.SAMPLERS`; None: the way the model was calibrated for, else test-time augmentation.
        samples: how many are drawn; None: as many as the model was calibrated for, else as are usual.
        seed: what they are drawn from; the same seed gives the same maps on the same computer.
        level: share of new cases that intervals are to hold; 0.9 where None and this sampler was calibrated.
        device: key of the only device to run on, as `list_devices` gives them; None: the fastest with memory enough.

    Returns:
        Labels and probabilities of the samples' mean, and maps of what `deepseg.uncertainty.measures` measures, on the volume's own grid; where the
        model was calibrated, recalibrated probabilities, promises about each segment, and what is unlike the training images.

    Raises:
        VolumeError: the volume does not fit the model.
        RegionError: the box holds no voxel.
        UncertaintyError: the sampler is unknown, cannot work with this model, or not with so many samples; or a level is asked for that was not
            calibrated or cannot be promised.
        ModelError: the model's network cannot be built or run here.
        DeviceError: there is no such device.
        MemoryLimitError: not enough memory, of the device where one is named.
        Cancelled: `progress` raised it.
    """
    from deepseg.uncertainty.estimate import estimate

    refuse_other_types(volume, bundle, roi)
    return estimate(volume, bundle, roi, progress, sampler=sampler, samples=samples, seed=seed, level=level, device=device)


def forecast_uncertainty(
    volume: Volume,
    bundle: ModelBundle,
    roi: Box | None = None,
    *,
    sampler: str | None = None,
    samples: int | None = None,
    device: str | None = None,
) -> str:
    """What `estimate_uncertainty` will run on and take, in a sentence, as `forecast` tells of `segment`.

    Raises:
        UncertaintyError: the sampler is unknown, cannot work with this model, or not with so many samples.
        VolumeError, RegionError, ModelError, DeviceError: as `forecast`.
    """
    from deepseg.uncertainty import estimate

    return estimate.forecast(geometry_to_run_on(volume, bundle, roi), bundle, sampler, samples, device).told


def uncertain_regions(result: Uncertainty) -> list[UncertainRegion]:
    """Where to look: connected regions of doubt, those first that could change most."""
    from deepseg.uncertainty import regions

    return regions.uncertain_regions(result)


def contours(result: Uncertainty, bundle: ModelBundle, level: float = 0.9) -> LabelMap:
    """For each segment two contours: of what is inside the inner one 95 % is the segment's, and 95 % of the segment is inside the outer one.

    Args:
        result: of `estimate_uncertainty`.
        bundle: the model that gave it.
        level: share of new cases in which each of them keeps that promise.

    Returns:
        Labels that overlap, on the volume's own grid.

    Raises:
        UncertaintyError: the model was not calibrated for this sampler, or the level cannot be promised.
    """
    from deepseg.uncertainty import contours as drawing
    from deepseg.uncertainty.calibration import load_calibration

    calibration = load_calibration(bundle)
    return drawing.contours(result, calibration.of(result.sampler, result.samples) if calibration else None, level)


def unusual(volume: Volume, bundle: ModelBundle, roi: Box | None = None) -> list[Finding]:
    """What about an image is unlike the images that a model was trained on, most unusual first; nothing is run.

    Empty where all is usual, or where the model was not calibrated, so that nobody knows.

    Raises:
        RegionError: the box holds no voxel.
        ModelError: the model's calibration is damaged.
    """
    from deepseg.uncertainty.calibration import load_calibration
    from deepseg.uncertainty.facts import ImageFacts

    refuse_other_types(volume, bundle, roi)
    calibration = load_calibration(bundle)
    if calibration is None:
        return []
    part = volume.cropped(roi)[0] if roi else volume
    return calibration.guard.before(ImageFacts.of(part, bundle.spec.orientation), bundle.spec)
