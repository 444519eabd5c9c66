"""DeepSeg's door: what panels, command line, worker and scripts use.

Importing it needs numpy alone: SimpleITK is loaded when a file is read or written, PyTorch and MONAI by the first call that runs a model.

    from deepseg import api
    bundle = api.load_model("hippocampus-mr")
    prediction = api.segment(api.read_volume("t1.nii.gz"), bundle, roi=api.Box((10, -40, -30), (45, 15, 5)))
    api.write_label_map(prediction.labels, "t1.seg.nrrd")
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from deepseg.bias_field import correct_bias_field
from deepseg.bundle import ModelBundle, read_spec
from deepseg.errors import Cancelled, DeepSegError, MemoryLimitError, ModelError, OutputError, RegionError, UncertaintyError, VolumeError
from deepseg.geometry import Box, Geometry, reverse_axes
from deepseg.inputs import prepare_inputs, read_inputs
from deepseg.io import read_volume, write_label_frames, write_label_map, write_volume
from deepseg.job_folder import Job, UncertaintyRequest, read_result, remove_folder, write_job
from deepseg.job_uncertainty import read_uncertainty
from deepseg.locations import find_model, list_models, resource
from deepseg.outputs import check_frames_output, check_output, set_aside
from deepseg.progress import Progress, ProgressCallback
from deepseg.results import Finding, Prediction, SegmentReport, UncertainRegion, Uncertainty, UncertaintyMap
from deepseg.segmentation_file import segment_id, terminology_entry
from deepseg.sequences import ImageSequence, read_sequence
from deepseg.spec import ModelSpec, spacing_text
from deepseg.stacking import stack_volumes
from deepseg.staleness import is_stale
from deepseg.volume import Code, Label, LabelMap, Terminology, Volume

__all__ = [
    "Box",
    "Cancelled",
    "Code",
    "DeepSegError",
    "Finding",
    "Geometry",
    "ImageSequence",
    "Job",
    "Label",
    "LabelMap",
    "MemoryLimitError",
    "ModelBundle",
    "ModelError",
    "ModelSpec",
    "OutputError",
    "Prediction",
    "Progress",
    "ProgressCallback",
    "RegionError",
    "SegmentReport",
    "Terminology",
    "UncertainRegion",
    "Uncertainty",
    "UncertaintyError",
    "UncertaintyMap",
    "UncertaintyRequest",
    "Volume",
    "VolumeError",
    "check_frames_output",
    "check_output",
    "contours",
    "correct_bias_field",
    "estimate_uncertainty",
    "find_model",
    "forecast",
    "forecast_uncertainty",
    "import_monai",
    "import_nnunet",
    "is_stale",
    "list_models",
    "load_model",
    "prepare_inputs",
    "read_inputs",
    "read_result",
    "read_sequence",
    "read_spec",
    "read_uncertainty",
    "read_volume",
    "remove_folder",
    "resource",
    "reverse_axes",
    "segment",
    "segment_id",
    "set_aside",
    "spacing_text",
    "stack_volumes",
    "terminology_entry",
    "uncertain_regions",
    "unusual",
    "write_job",
    "write_label_frames",
    "write_label_map",
    "write_volume",
]


def load_model(name: str | Path) -> ModelBundle:
    """Open an installed model by its name, or a model folder by its path.

    Raises:
        ModelError: there is no such model, or its files are damaged, altered or from a newer DeepSeg.
    """
    return ModelBundle.load(find_model(str(name)))


def import_monai(source: str | Path, output: str | Path, *, model_id: str | None = None) -> ModelBundle:
    """Make a DeepSeg model of a segmentation bundle of MONAI, for example one of the Model Zoo. Nothing of the bundle is run.

    Args:
        source: the bundle's folder, or a zip file of it.
        output: the new model's folder; must not exist.
        model_id: the new model's id; made of the bundle's name where None.

    Raises:
        ModelError: it is no bundle, is damaged, or needs what DeepSeg has not or does not run (a class, an expression, ...), which is named.
        OutputError: the new model's folder exists or cannot be written.
    """
    from deepseg.importers import monai_bundle

    return monai_bundle.import_monai(Path(source), Path(output), model_id)


def import_nnunet(
    folder: str | Path,
    output: str | Path,
    *,
    model_id: str | None = None,
    folds: Sequence[str] | None = None,
    checkpoint: str = "checkpoint_final.pth",
) -> ModelBundle:
    """Make a DeepSeg model of a results folder of nnU-Net v2. Nothing in that folder is run.

    Args:
        folder: holds plans.json, dataset.json and the folds; for example `.../Dataset004_Hippocampus/nnUNetTrainer__nnUNetPlans__3d_fullres`.
        output: the new model's folder; must not exist.
        model_id: the new model's id; made of the dataset's and the configuration's name where None.
        folds: which of them become members of the ensemble, for example ('0', '1') or ('all',); all numbered ones where None.
        checkpoint: name of each fold's file.

    Raises:
        ModelError: the folder is not nnU-Net v2's, is damaged, or needs what DeepSeg has not (a cascade, an unknown trainer, ...).
        OutputError: the new model's folder exists or cannot be written.
    """
    from deepseg.importers import nnunet

    return nnunet.import_nnunet(Path(folder), Path(output), model_id, folds, checkpoint)


def forecast(volume: Volume, bundle: ModelBundle, roi: Box | None = None, precision: str = "auto", mirror: bool = False) -> str:
    """What `segment` without probabilities will run on and take, in a sentence: device, memory and time. Nothing is run but one convolution.

    Raises:
        VolumeError: the volume does not fit the model.
        RegionError: the box holds no voxel.
        ModelError: the model's network cannot be built here.
    """
    from deepseg.cost import Extent, mirrored
    from deepseg.cost import forecast as forecast_run

    return forecast_run(_geometry_to_run_on(volume, bundle, roi), bundle.spec, precision, Extent(mirrored(bundle.spec, mirror)))


def forecast_uncertainty(
    volume: Volume, bundle: ModelBundle, roi: Box | None = None, *, sampler: str | None = None, samples: int | None = None
) -> str:
    """What `estimate_uncertainty` will run on and take, in a sentence, as `forecast` tells of `segment`.

    Raises:
        UncertaintyError: the sampler is unknown, cannot work with this model, or not with so many samples.
        VolumeError, RegionError, ModelError: as `forecast`.
    """
    from deepseg.uncertainty import estimate

    return estimate.forecast(_geometry_to_run_on(volume, bundle, roi), bundle, sampler, samples)


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
) -> Uncertainty:
    """Segment a volume and say in each voxel how sure the model is, all in float32.

    Args:
        volume: any orientation and spacing; the model's number of channels.
        bundle: the model.
        roi: only this box is read, normalised and segmented (RAS, mm); the whole volume where None.
        progress: called with a `Progress` several times; raising `Cancelled` in it stops the run.
        sampler: key of `deepseg.uncertainty.samplers.SAMPLERS`; None: the way the model was calibrated for, else test-time augmentation.
        samples: how many are drawn; as many as are usual where None.
        seed: what they are drawn from; the same seed gives the same maps on the same computer.
        level: share of new cases that intervals are to hold; 0.9 where None and this way of sampling was calibrated.

    Returns:
        Labels and probabilities of the samples' mean, and maps of what `deepseg.uncertainty.measures` measures, on the volume's own grid; where the
        model was calibrated, recalibrated probabilities, promises about each segment, and what is unlike the training images.

    Raises:
        VolumeError: the volume does not fit the model.
        RegionError: the box holds no voxel.
        UncertaintyError: the sampler is unknown, cannot work with this model, or not with so many samples; or a level is asked for that was not
            calibrated or cannot be promised.
        ModelError: the model's network cannot be built or run here.
        MemoryLimitError: not enough memory.
        Cancelled: `progress` raised it.
    """
    from deepseg.uncertainty.estimate import estimate

    _refuse_other_types(volume, bundle, roi)
    return estimate(volume, bundle, roi, progress, sampler=sampler, samples=samples, seed=seed, level=level)


def uncertain_regions(result: Uncertainty) -> list[UncertainRegion]:
    """Where to look: connected regions of doubt, those first that could change most."""
    from deepseg.uncertainty import regions

    return regions.uncertain_regions(result)


def contours(result: Uncertainty, bundle: ModelBundle, level: float = 0.9) -> LabelMap:
    """For each segment one contour inside of which it almost surely is, and one outside of which it almost surely is not.

    Args:
        result: of `estimate_uncertainty`.
        bundle: the model that gave it.
        level: share of new cases in which the inner contour holds nothing but the segment, and in which the outer one holds all of it; each but for
            5 % of the voxels.

    Returns:
        Labels that overlap, on the volume's own grid.

    Raises:
        UncertaintyError: the model was not calibrated for this way of sampling, or the level cannot be promised.
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

    _refuse_other_types(volume, bundle, roi)
    calibration = load_calibration(bundle)
    if calibration is None:
        return []
    part = volume.cropped(roi)[0] if roi else volume
    return calibration.guard.before(ImageFacts.of(part, bundle.spec.orientation), bundle.spec)


def segment(
    volume: Volume,
    bundle: ModelBundle,
    roi: Box | None = None,
    progress: ProgressCallback | None = None,
    *,
    probabilities: bool = True,
    precision: str = "auto",
    mirror: bool = False,
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

    Returns:
        Labels and probabilities on the volume's own grid.

    Raises:
        VolumeError: the volume does not fit the model.
        RegionError: the box holds no voxel.
        ModelError: the model's network cannot be built or run here.
        MemoryLimitError: not enough memory.
        Cancelled: `progress` raised it.
        ValueError: `precision` is none of these.
    """
    from deepseg.prediction import predict

    _refuse_other_types(volume, bundle, roi)
    return predict(volume, bundle, roi, progress, probabilities=probabilities, precision=precision, mirror=mirror)


def _geometry_to_run_on(volume: Volume, bundle: ModelBundle, roi: Box | None) -> Geometry:
    from deepseg.preprocessing import refuse_unfit

    _refuse_other_types(volume, bundle, roi)
    refuse_unfit(volume, bundle.spec)
    if roi is None:
        return volume.geometry
    where = volume.geometry.slices_of(roi)
    return volume.geometry.cropped(tuple(s.start for s in where), tuple(s.stop - s.start for s in where))


def _refuse_other_types(volume: Volume, bundle: ModelBundle, roi: Box | None) -> None:
    """What a script hands over by mistake: a path, a name, a tuple.

    Raises:
        TypeError: says how to make what is expected.
    """
    expected = (
        (volume, Volume, "the volume: read one with api.read_volume(path)"),
        (bundle, ModelBundle, "the model: open one with api.load_model(name)"),
        (roi, (Box, type(None)), "roi: make one with api.Box(low, high), its corners in RAS mm"),
    )
    for given, wanted, told in expected:
        if not isinstance(given, wanted):
            raise TypeError(f"{given!r:.80} was given as {told}.")
