"""One segmentation of a scene's volume, with its uncertainty where it is asked for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from deepseg.api import Box, Job, JobResult, UncertaintyRequest
from DeepSegLib.nodes import box_from_roi
from DeepSegLib.runs.doubt import write_doubt
from DeepSegLib.runs.run import Run, volume_of
from DeepSegLib.scene.segments import write_segmentation
from DeepSegLib.worker_pool import WorkerPool

if TYPE_CHECKING:
    from slicer import vtkMRMLMarkupsROINode, vtkMRMLScalarVolumeNode, vtkMRMLScene, vtkMRMLSegmentationNode


@dataclass(frozen=True)
class SegmentationRequest:
    """What to segment.

    Attributes:
        volumes: in the order of the model's inputs.
        model: its folder.
        output: where the segments go; a new node where None.
        region: a markups ROI node, or a box (RAS, mm); the whole volume where None.
        uncertainty: how sure the result is, too; None for segments alone.
        device: key of a device; the best one where None.
    """

    volumes: Sequence[vtkMRMLScalarVolumeNode]
    model: Path
    output: vtkMRMLSegmentationNode | None = None
    region: vtkMRMLMarkupsROINode | Box | None = None
    uncertainty: UncertaintyRequest | None = None
    device: str | None = None

    def box(self) -> Box | None:
        """The region as a box.

        Raises:
            RegionError: it is not drawn, or bent.
        """
        return self.region if self.region is None or isinstance(self.region, Box) else box_from_roi(self.region)


class SegmentationRun(Run["vtkMRMLSegmentationNode"]):
    """Its result is the segmentation node."""

    def __init__(self, scene: vtkMRMLScene, request: SegmentationRequest, pool: WorkerPool | None = None) -> None:
        """Read the nodes and take a worker.

        Raises:
            DeepSegError: a node cannot be used, or the worker cannot be started.
        """
        job = Job(volume_of(request.volumes), request.model, request.box(), request.uncertainty, request.device)
        self._request = request
        super().__init__(scene, job, request.volumes, pool)

    def changed_segmentation(self) -> vtkMRMLSegmentationNode | None:
        output = self._request.output
        return output if output and self.scene.IsNodePresent(output) else None

    def write(self, found: JobResult) -> vtkMRMLSegmentationNode:
        node = write_segmentation(self.scene, found.labels, self._request.volumes, self.changed_segmentation())
        if found.uncertainty:
            write_doubt(self.change, found.uncertainty, found.regions, node, self._request.volumes[0], self._request.model)
        return node
