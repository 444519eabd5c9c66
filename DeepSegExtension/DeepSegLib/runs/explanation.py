"""Why a model answered as it did, as a map and curves beside the segmentation."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from deepseg.api import Box, ExplanationRequest, Job, JobResult
from DeepSegLib.runs.run import Run, volume_of
from DeepSegLib.scene.maps import write_evidence_map
from DeepSegLib.scene.origin import remarks_on_model
from DeepSegLib.scene.plots import write_faithfulness
from DeepSegLib.worker_pool import WorkerPool

if TYPE_CHECKING:
    from slicer import vtkMRMLScalarVolumeNode, vtkMRMLScene, vtkMRMLSegmentationNode


@dataclass(frozen=True)
class WhyRequest:
    """What is asked of which model.

    Attributes:
        segmentation: what the map is to speak of; its segments stay as they are.
        volumes: in the order of the model's inputs.
        model: folder of the model that is asked.
        question: label, place, method.
        box: what the model is to look at (RAS, mm); the whole volume where None.
        device: key of a device; the best one where None.
    """

    segmentation: vtkMRMLSegmentationNode
    volumes: Sequence[vtkMRMLScalarVolumeNode]
    model: Path
    question: ExplanationRequest
    box: Box | None = None
    device: str | None = None


class ExplanationRun(Run["vtkMRMLScalarVolumeNode"]):
    """Its result is the map's node."""

    def __init__(self, scene: vtkMRMLScene, request: WhyRequest, pool: WorkerPool | None = None) -> None:
        """Read the nodes and take a worker.

        Raises:
            DeepSegError: a node cannot be used, or the worker cannot be started.
        """
        self._request = request
        nodes = [*request.volumes, request.segmentation]
        super().__init__(scene, Job(volume_of(request.volumes), request.model, request.box, request.question, request.device), nodes, pool)

    def changed_segmentation(self) -> vtkMRMLSegmentationNode | None:
        return None

    def write(self, found: JobResult) -> vtkMRMLScalarVolumeNode:
        segmentation, volume_node = self._request.segmentation, self._request.volumes[0]
        node = write_evidence_map(self.scene, found.explanation, segmentation, volume_node)
        write_faithfulness(self.scene, found.explanation, segmentation, node)
        return node

    def remarks(self, found: JobResult) -> tuple[str, ...]:
        return remarks_on_model(self._request.segmentation, found.explanation.provenance)
