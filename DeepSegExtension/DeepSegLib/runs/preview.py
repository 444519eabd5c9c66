"""What a run would take and what about its image is unusual, told before it starts; the scene is not touched."""

from __future__ import annotations

from typing import TYPE_CHECKING

from deepseg.api import Job, JobResult, Preview, PreviewRequest
from DeepSegLib.runs.run import Run, volume_of
from DeepSegLib.runs.segmentation import SegmentationRequest
from DeepSegLib.worker_pool import WorkerPool

if TYPE_CHECKING:
    from slicer import vtkMRMLScene, vtkMRMLSegmentationNode


class PreviewRun(Run[Preview]):
    """Its result is what is to be told."""

    def __init__(self, scene: vtkMRMLScene, request: SegmentationRequest, pool: WorkerPool | None = None) -> None:
        """Read the nodes and take a worker.

        Raises:
            DeepSegError: a node cannot be used, or the worker cannot be started.
        """
        asked = PreviewRequest(uncertainty=request.uncertainty is not None)
        super().__init__(scene, Job(volume_of(request.volumes), request.model, request.box(), asked, request.device), request.volumes, pool)

    def changed_segmentation(self) -> vtkMRMLSegmentationNode | None:
        return None

    def write(self, found: JobResult) -> Preview:
        return found.preview
