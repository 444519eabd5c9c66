"""What all runs have in common: nodes are read when one starts and written when its result is whole."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from deepseg.api import DeepSegError, Job, JobResult, Progress, Volume, VolumeError, stack_volumes
from DeepSegLib.jobs import WorkerJob
from DeepSegLib.nodes import volume_from_node
from DeepSegLib.scene.change import SceneChange
from DeepSegLib.translation import _
from DeepSegLib.worker_pool import WorkerPool

if TYPE_CHECKING:
    from slicer import vtkMRMLNode, vtkMRMLScalarVolumeNode, vtkMRMLScene, vtkMRMLSegmentationNode

Result = TypeVar("Result")
_GONE = _("What the run is about was removed from the scene before its result was ready; nothing was changed.")


class Run(ABC, Generic[Result]):
    """A run that a panel polls or a script waits for.

    Attributes:
        result: what it made, once it has succeeded: nodes, or words.
        error: one sentence for the user, once it has failed; the scene is then as it was.
        change: what it changed in the scene, once it has succeeded.
        notes: what a user should know of it, a sentence each, once it has succeeded.
        about: nodes without which the result means nothing.
    """

    def __init__(self, scene: vtkMRMLScene, job: Job, about: Sequence[vtkMRMLNode], pool: WorkerPool | None = None) -> None:
        """Take a worker from `pool`, the one all modules share where None.

        Raises:
            DeepSegError: the worker cannot be started.
        """
        self.result: Result | None = None
        self.error: str | None = None
        self.change: SceneChange | None = None
        self.notes: tuple[str, ...] = ()
        self.scene, self.about = scene, list(about)
        self._job = WorkerJob(job, pool)

    @property
    def progress(self) -> Progress:
        return self._job.progress

    @property
    def cancelled(self) -> bool:
        return self._job.cancelled

    def poll(self) -> bool:
        """Take in news, and write the result once it is there; returns whether the run goes on."""
        if self._job.poll():
            if all(map(self.scene.IsNodePresent, self.about)):
                return True
            self._job.cancel()
            self.error = _GONE
        if self.result is None and self.error is None and not self.cancelled:
            if self._job.error or self._job.result is None:
                self.error = self._job.error or _("The run ended without a result.")
            else:
                self._finish(self._job.result)
        return False

    def wait(self) -> Result:
        """Block until the run ends, without Qt's event loop.

        Raises:
            DeepSegError: it failed.
        """
        try:
            while self.poll():
                continue
        finally:
            self.cancel()
        if self.result is None:
            raise DeepSegError(self.error or _("The run was cancelled."))
        return self.result

    def cancel(self) -> None:
        """Stop within a second and leave the scene as it is; does nothing after the end."""
        self._job.cancel()

    @abstractmethod
    def changed_segmentation(self) -> vtkMRMLSegmentationNode | None:
        """The segmentation in the scene that the result will change; None where it changes none."""

    @abstractmethod
    def write(self, found: JobResult) -> Result:
        """Put the result into the scene; what it has done there is taken back if it raises."""

    def remarks(self, found: JobResult) -> tuple[str, ...]:
        """What else a user should know of the result."""
        return ()

    def _finish(self, found: JobResult) -> None:
        if not all(map(self.scene.IsNodePresent, self.about)):
            self.error = _GONE
            return
        try:
            with SceneChange(self.scene, self.changed_segmentation()) as self.change:
                self.result = self.write(found)
        except DeepSegError as refused:
            self.error, self.change = str(refused), None
        except MemoryError:
            self.error, self.change = (
                _("There is not enough memory to show the result; nothing was changed. Close other data and start it again."),
                None,
            )
        else:
            self.notes = (*self.remarks(found), *found.notes)


def volume_of(volume_nodes: Sequence[vtkMRMLScalarVolumeNode]) -> Volume:
    """The volumes of one patient as one, on the first one's grid.

    Raises:
        VolumeError: one cannot be used, or they do not overlap.
    """
    if not volume_nodes or any(node is None for node in volume_nodes):
        raise VolumeError(_("Choose a volume first."))
    volumes: list[Any] = [volume_from_node(node) for node in volume_nodes]
    return stack_volumes(volumes)[0]
