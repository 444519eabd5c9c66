"""Each time point of a sequence segmented, one after the other, in the same warm worker."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import numpy as np

from deepseg.api import DeepSegError, Job, LabelMap, Progress
from DeepSegLib.jobs import WorkerJob
from DeepSegLib.nodes import grid_shape, ijk_to_parent, volume_from_node
from DeepSegLib.runs.segmentation import SegmentationRequest
from DeepSegLib.scene.change import SceneChange
from DeepSegLib.scene.sequences import frame, sequence_of, write_segmentation_sequence
from DeepSegLib.translation import _
from DeepSegLib.worker_pool import WorkerPool

if TYPE_CHECKING:
    from slicer import vtkMRMLScene, vtkMRMLSegmentationNode


class SequenceRun:
    """As a `Run`: its result is the segmentation node that plays along with the images. Segments alone; nothing is written before the last."""

    def __init__(self, scene: vtkMRMLScene, request: SegmentationRequest, pool: WorkerPool | None = None) -> None:
        """Read the first time point and take a worker.

        Raises:
            DeepSegError: the volume belongs to no sequence, the model has several inputs, or the worker cannot be started.
        """
        found = sequence_of(scene, request.volumes[0])
        if found is None:
            raise DeepSegError(_("The volume '{name}' belongs to no sequence.").format(name=request.volumes[0].GetName()))
        if len(request.volumes) > 1:
            raise DeepSegError(_("Sequences are segmented by models with one input; this one has {count}.").format(count=len(request.volumes)))
        self.result: vtkMRMLSegmentationNode | None = None
        self.error: str | None = None
        self.change: SceneChange | None = None
        self.notes: tuple[str, ...] = ()
        self.cancelled = False
        self._scene, self._request, self._pool = scene, request, pool
        self._browser, self._sequence = found
        self._count, self._frames = self._sequence.GetNumberOfDataNodes(), list[LabelMap]()
        self._box, self._began = request.box(), time.monotonic()
        self._job = self._start()

    @property
    def progress(self) -> Progress:
        inner, done = self._job.progress, len(self._frames)
        share = (done + inner.fraction) / self._count
        left = (time.monotonic() - self._began) / share * (1 - share) if done else None
        stage = _("time point {number} of {count}: {stage}").format(number=min(done + 1, self._count), count=self._count, stage=inner.stage)
        return Progress(share, stage, left)

    def poll(self) -> bool:
        """Take in news, begin with the next time point, and write the result after the last; returns whether the run goes on."""
        if self.result is not None or self.error is not None or self.cancelled:
            return False
        here = self._scene.IsNodePresent(self._sequence) and self._scene.IsNodePresent(self._request.volumes[0])
        if self._job.poll() and here:
            return True
        try:
            if not here:
                self._job.cancel()
                raise DeepSegError(_("The sequence was removed from the scene before the result was ready; nothing was changed."))
            if self._job.error or self._job.result is None:
                raise DeepSegError(self._job.error or _("The run ended without a result."))
            self._frames.append(self._job.result.labels)
            if len(self._frames) < self._count:
                self._job = self._start()
                return True
            self._write()
        except DeepSegError as refused:
            self.error, self.change = str(refused), None
        return False

    def wait(self) -> vtkMRMLSegmentationNode:
        """Block until the run ends.

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
        if self.result is None and self.error is None:
            self._job.cancel()
            self.cancelled = True

    def _start(self) -> WorkerJob:
        shown, image = self._request.volumes[0], frame(self._sequence, len(self._frames))
        if grid_shape(image) != grid_shape(shown) or not np.allclose(ijk_to_parent(image), ijk_to_parent(shown), atol=1e-3):
            raise DeepSegError(
                _("Time point {number} of '{name}' lies on another voxel grid than the one shown. Bring them to one grid first.").format(
                    number=len(self._frames) + 1, name=shown.GetName()
                )
            )
        volume = volume_from_node(image, placed_like=shown)
        return WorkerJob(Job(volume, self._request.model, self._box, None, self._request.device), self._pool)

    def _write(self) -> None:
        with SceneChange(self._scene) as self.change:
            self.result = write_segmentation_sequence(self._scene, self._frames, self._request.volumes[0], self._browser, self._sequence)
