"""How sure a model is of one segmentation, as nodes beside it: estimated with the segments or later, for anybody's segments."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from deepseg.api import Box, Job, JobResult, UncertainRegion, Uncertainty, UncertaintyRequest, reliability
from DeepSegLib.runs.run import Run, volume_of
from DeepSegLib.scene.change import SceneChange
from DeepSegLib.scene.maps import DOUBT_MAP, write_doubt_map
from DeepSegLib.scene.origin import nodes_about, remarks_on_model
from DeepSegLib.scene.plots import RELIABILITY, RELIABILITY_PART, write_reliability
from DeepSegLib.scene.segments import SEGMENTS_DIGEST, segments_digest
from DeepSegLib.scene.tables import REGIONS_TABLE, SEGMENTS_TABLE, write_regions_table, write_segments_table
from DeepSegLib.worker_pool import WorkerPool

if TYPE_CHECKING:
    from slicer import vtkMRMLScalarVolumeNode, vtkMRMLScene, vtkMRMLSegmentationNode, vtkMRMLTableNode


@dataclass(frozen=True)
class DoubtRequest:
    """Whose doubt about what.

    Attributes:
        segmentation: what the maps and tables are to speak of; its segments stay as they are.
        volumes: in the order of the model's inputs.
        model: folder of the model that is asked.
        box: what the model is to look at (RAS, mm); the whole volume where None.
        uncertainty: how to ask.
        device: key of a device; the best one where None.
    """

    segmentation: vtkMRMLSegmentationNode
    volumes: Sequence[vtkMRMLScalarVolumeNode]
    model: Path
    box: Box | None = None
    uncertainty: UncertaintyRequest = field(default_factory=UncertaintyRequest)
    device: str | None = None


class DoubtRun(Run["vtkMRMLTableNode"]):
    """Its result is the table of segments."""

    def __init__(self, scene: vtkMRMLScene, request: DoubtRequest, pool: WorkerPool | None = None) -> None:
        """Read the nodes and take a worker.

        Raises:
            DeepSegError: a node cannot be used, or the worker cannot be started.
        """
        self._request = request
        nodes = [*request.volumes, request.segmentation]
        super().__init__(scene, Job(volume_of(request.volumes), request.model, request.box, request.uncertainty, request.device), nodes, pool)

    def changed_segmentation(self) -> vtkMRMLSegmentationNode | None:
        return None

    def write(self, found: JobResult) -> vtkMRMLTableNode:
        request = self._request
        return write_doubt(self.change, found.uncertainty, found.regions, request.segmentation, request.volumes[0], request.model)

    def remarks(self, found: JobResult) -> tuple[str, ...]:
        return remarks_on_model(self._request.segmentation, found.uncertainty.prediction.provenance)


def write_doubt(
    change: SceneChange,
    found: Uncertainty,
    regions: Sequence[UncertainRegion],
    segmentation: vtkMRMLSegmentationNode,
    volume_node: vtkMRMLScalarVolumeNode,
    model: Path,
) -> vtkMRMLTableNode:
    """Maps, the tables of segments and regions, and the model's reliability plot; returns the table of segments.

    Earlier ones of the same segmentation are retired: two answers about one segmentation would contradict each other.
    """
    scene = change.scene
    for role in (DOUBT_MAP, SEGMENTS_TABLE, REGIONS_TABLE, RELIABILITY, RELIABILITY_PART):
        for earlier in nodes_about(scene, segmentation, role):
            change.retire(earlier)
    attributes = {**found.prediction.labels.attributes, SEGMENTS_DIGEST: segments_digest(segmentation)}
    for one in found.maps.values():
        write_doubt_map(scene, one, segmentation, volume_node, attributes)
    write_regions_table(scene, regions, segmentation, attributes)
    if found.calibrated and (curves := reliability(model)):
        write_reliability(scene, curves, segmentation)
    return write_segments_table(scene, found, segmentation, attributes)
