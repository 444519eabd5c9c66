"""From nodes to nodes: one segmentation of a scene's volume. Nodes are read when it starts and written when it is whole."""

from __future__ import annotations

from typing import TYPE_CHECKING

from deepseg.api import DeepSegError, Job, OutputError, Progress, find_model
from DeepSegLib.jobs import SegmentationJob
from DeepSegLib.nodes import box_from_roi, volume_from_node, write_segmentation
from DeepSegLib.worker_pool import WorkerPool

if TYPE_CHECKING:
    from slicer import vtkMRMLMarkupsROINode, vtkMRMLScalarVolumeNode, vtkMRMLScene, vtkMRMLSegmentationNode


class SegmentationRun:
    """A run that a panel polls or a script waits for.

    Attributes:
        node: the segmentation node, once the run has succeeded.
        error: one sentence for the user, once it has failed.
    """

    def __init__(
        self,
        scene: vtkMRMLScene,
        volume_node: vtkMRMLScalarVolumeNode,
        model: str,
        output_node: vtkMRMLSegmentationNode | None = None,
        roi_node: vtkMRMLMarkupsROINode | None = None,
        pool: WorkerPool | None = None,
    ) -> None:
        """Read the nodes and take a worker from `pool`, the one all modules share where None.

        Raises:
            DeepSegError: a node cannot be used, there is no such model, or the worker cannot be started.
        """
        job = Job(volume_from_node(volume_node), find_model(model), box_from_roi(roi_node) if roi_node else None)
        self.node: vtkMRMLSegmentationNode | None = None
        self.error: str | None = None
        self._scene, self._volume_node, self._output_node = scene, volume_node, output_node
        self._job = SegmentationJob(job, pool)

    @property
    def progress(self) -> Progress:
        return self._job.progress

    @property
    def notes(self) -> tuple[str, ...]:
        """What a user should know of the run, a sentence each, once it has succeeded."""
        return self._job.notes

    @property
    def cancelled(self) -> bool:
        return self._job.cancelled

    def poll(self) -> bool:
        """Take in news, and write the result once it is there; returns whether the run goes on."""
        if self._job.poll():
            return True
        if self.node is None and self.error is None and not self.cancelled:
            self.error = self._job.error or self._finish()
        return False

    def wait(self) -> vtkMRMLSegmentationNode:
        """Block until the run ends, without Qt's event loop.

        Raises:
            DeepSegError: it failed.
        """
        try:
            while self.poll():
                continue
        finally:
            self.cancel()
        if self.node is None:
            raise DeepSegError(self.error or "The run was cancelled.")
        return self.node

    def cancel(self) -> None:
        """Stop within a second and leave the scene as it is; does nothing after the end."""
        self._job.cancel()

    def _finish(self) -> str | None:
        """Write the result to the scene; returns what went wrong."""
        if not self._scene.IsNodePresent(self._volume_node):
            return "The volume was removed from the scene before its segmentation was ready; nothing was changed."
        output = self._output_node if self._output_node and self._scene.IsNodePresent(self._output_node) else None
        try:
            self.node = write_segmentation(self._scene, self._job.labels, self._volume_node, output)
        except OutputError as error:
            return str(error)
        return None
