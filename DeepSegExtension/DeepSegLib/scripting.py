"""What the modules' logics share: names to folders, what a script leaves out filled in by what made a segmentation, runs begun."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from deepseg.api import Box, DeepSegError, ExplanationRequest, UncertaintyRequest, VolumeError
from DeepSegLib import dependencies, log
from DeepSegLib.models import ModelStore
from DeepSegLib.nodes import box_from_roi, grid_shape
from DeepSegLib.runs.doubt import DoubtRequest, DoubtRun
from DeepSegLib.runs.explanation import ExplanationRun, WhyRequest
from DeepSegLib.runs.preview import PreviewRun
from DeepSegLib.runs.segmentation import SegmentationRequest, SegmentationRun
from DeepSegLib.runs.sequence import SequenceRun
from DeepSegLib.scene.origin import input_volumes, origin_of
from DeepSegLib.scene.places import position_of
from DeepSegLib.settings import Settings
from DeepSegLib.translation import _


def model_store() -> ModelStore:
    """The models of this Slicer's user."""
    import qt

    return ModelStore(Settings(qt.QSettings()))


def preview(scene: Any, volume_nodes: Any, model: Any, region: Any, uncertainty: bool, device: str | None) -> PreviewRun:
    """Begin to find out what a run would take; see the logics."""
    asked = UncertaintyRequest() if uncertainty else None
    return PreviewRun(scene, SegmentationRequest(_listed(volume_nodes), _folder(model), None, region, asked, device))


def start_segmentation(
    scene: Any, volume_nodes: Any, model: Any, output: Any, region: Any, uncertainty: bool, device: str | None, whole_sequence: bool
) -> SegmentationRun | SequenceRun:
    """Begin a segmentation; see `DeepSegSegmentationLogic.start`."""
    dependencies.require()
    asked = UncertaintyRequest() if uncertainty and not whole_sequence else None
    request = SegmentationRequest(_listed(volume_nodes), _folder(model), output, region, asked, device)
    _note("segmentation", request.volumes, request.model, device, with_uncertainty=bool(asked), of_a_sequence=whole_sequence)
    return (SequenceRun if whole_sequence else SegmentationRun)(scene, request)


def start_doubt(
    scene: Any, segmentation: Any, volume_nodes: Any, model: Any, region: Any, request: UncertaintyRequest, device: str | None
) -> DoubtRun:
    """Begin an estimate; see `DeepSegUncertaintyLogic.start`."""
    dependencies.require()
    volumes, folder, box = _completed(segmentation, volume_nodes, model, region)
    _note("uncertainty", volumes, folder, device, sampler=request.sampler)
    return DoubtRun(scene, DoubtRequest(segmentation, volumes, folder, box, request, device))


def start_explanation(
    scene: Any, segmentation: Any, volume_nodes: Any, model: Any, region: Any, question: ExplanationRequest, device: str | None
) -> ExplanationRun:
    """Begin an explanation; see `DeepSegExplanationLogic.start`."""
    dependencies.require()
    volumes, folder, box = _completed(segmentation, volume_nodes, model, region)
    _note("explanation", volumes, folder, device, method=question.method, layer=question.layer, doubt=question.doubt)
    return ExplanationRun(scene, WhyRequest(segmentation, volumes, folder, question, box, device))


def place_of(place: Any) -> Any:
    """A place as `deepseg.api.explain` takes it: a point list's first point, a markups ROI's box, or what was given (RAS, mm)."""
    if hasattr(place, "IsA"):
        return box_from_roi(place) if place.IsA("vtkMRMLMarkupsROINode") else position_of(place)
    return place


def _completed(segmentation: Any, volume_nodes: Any, model: Any, region: Any) -> tuple[list[Any], Path, Box | None]:
    """Volumes, model folder and box, those that are left out taken from what made the segmentation."""
    origin = origin_of(segmentation)
    if model is None and origin is None:
        raise DeepSegError(
            _("DeepSeg did not make the segmentation '{name}'. Name the model that is to be asked.").format(name=segmentation.GetName())
        )
    volumes = _listed(volume_nodes) if volume_nodes is not None else input_volumes(segmentation)
    if not volumes:
        raise VolumeError(_("The volume that '{name}' was made from is not in the scene. Name it.").format(name=segmentation.GetName()))
    given = origin.roi if region is None and origin is not None else region
    box = given if given is None or isinstance(given, Box) else box_from_roi(given)
    return volumes, _folder(model if model is not None else origin.model), box


def _listed(volume_nodes: Any) -> list[Any]:
    """One volume node, or several, as a list."""
    return list(volume_nodes) if isinstance(volume_nodes, Sequence) else [volume_nodes]


def _folder(model: Any) -> Path:
    """Folder of a model given by its name, its id or its path."""
    folder = Path(model)
    return folder if (folder / "configs").is_dir() else model_store().find(str(model)).folder


def _note(kind: str, volumes: Sequence[Any], model: Path, device: str | None, **settings: Any) -> None:
    shapes = " + ".join(" x ".join(map(str, grid_shape(node) or ())) or "no image" for node in volumes if node is not None)
    told = ", ".join(f"{name.replace('_', ' ')}: {value}" for name, value in settings.items() if value)
    log.note(f"Start {kind} of {shapes} voxels by {model.name} on {device or 'the best device'}{f' ({told})' if told else ''}")
