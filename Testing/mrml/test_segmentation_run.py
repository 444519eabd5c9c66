"""From nodes to nodes through a worker process: what becomes of the scene however the run ends."""

import json
import sys

import numpy as np
import pytest

from deepseg.api import DeepSegError, RegionError
from DeepSegLib import nodes
from DeepSegLib.runs.segmentation import SegmentationRequest, SegmentationRun
from DeepSegLib.worker_pool import WorkerPool
from DeepSegLib.worker_process import start_process
from mrml.scenes import bending_transform, voxels_of

LABELS = [
    {"value": 1, "name": "Bright", "color": [1, 0.5, 0], "terminology": None},
    {"value": 2, "name": "Very bright", "color": [0, 0.5, 1], "terminology": None},
]
# A worker of a few lines that needs no PyTorch: it labels by thresholds, waits for a while, and answers as the real one does.
WORKER = """
import json, sys, threading, os, time
import numpy as np
pause = float(sys.argv[1])
say = lambda **message: print(json.dumps(message), flush=True)
say(type="started", pid=os.getpid())
folder = json.loads(sys.stdin.readline())["folder"]
threading.Thread(target=lambda: (sys.stdin.buffer.read(), os._exit(3)), daemon=True).start()
voxels = np.load(folder + "/input.npy")[0]
say(type="progress", fraction=0.5, stage="thresholding", seconds_left=pause)
time.sleep(pause)
np.save(folder + "/labels.npy", ((voxels > 30000).astype(np.uint8) + (voxels > 60000)))
notes = ["It was quick."]
say(type="result", labels=json.loads(sys.argv[2]), attributes={"DeepSeg.Model": "thresholds"}, overlapping=False, seconds={}, notes=notes)
"""


@pytest.fixture
def a_worker():
    pools = []

    def a_pool(pause=0.0):
        command = [sys.executable, "-c", WORKER, str(pause), json.dumps(LABELS)]
        pools.append(WorkerPool(lambda home: start_process(command, home)))
        return pools[-1]

    yield a_pool
    for pool in pools:
        pool.close()


@pytest.fixture
def a_model_folder(tmp_path):
    (tmp_path / "configs").mkdir()
    return tmp_path


@pytest.fixture
def a_run(a_scene, a_volume_node, a_model_folder):
    return lambda output=None, pool=None, **more: SegmentationRun(a_scene, SegmentationRequest([a_volume_node], a_model_folder, output, **more), pool)


def segmentations_in(scene):
    return scene.GetNumberOfNodesByClass("vtkMRMLSegmentationNode")


def test_a_run_ends_in_a_segmentation_node(a_scene, an_oblique_volume, a_run, a_worker):
    run = a_run(pool=a_worker())
    node = run.wait()

    assert node.GetSegmentation().GetSegment("thresholds_2").GetName() == "Very bright"
    assert run.notes == ("It was quick.",)
    assert node.GetAttribute("DeepSeg.Model") == "thresholds"
    np.testing.assert_array_equal(voxels_of(node, "thresholds_2", an_oblique_volume.geometry), an_oblique_volume.array[0] > 60000)


def test_nothing_is_in_the_scene_before_the_end(a_scene, a_volume_node, a_run, a_worker):
    run = a_run(pool=a_worker(pause=0.5))

    while run.poll():
        assert segmentations_in(a_scene) == 0
    assert run.progress.stage == "thresholding"
    assert segmentations_in(a_scene) == 1
    assert run.error is None


def test_a_cancelled_run_leaves_the_scene_as_it_was(a_scene, a_volume_node, a_run, a_worker):
    run = a_run(pool=a_worker(pause=60))
    while run.poll() and run.progress.fraction == 0:
        continue

    run.cancel()

    assert not run.poll()
    assert run.cancelled
    assert run.error is None
    assert segmentations_in(a_scene) == 0


def test_a_volume_removed_meanwhile_is_said_and_changes_nothing(a_scene, a_volume_node, a_run, a_worker):
    run = a_run(pool=a_worker())
    a_scene.RemoveNode(a_volume_node)

    with pytest.raises(DeepSegError, match="was removed from the scene before its result was ready"):
        run.wait()
    assert segmentations_in(a_scene) == 0


def test_a_chosen_segmentation_removed_meanwhile_is_made_anew(a_scene, a_volume_node, a_run, a_worker):
    chosen = a_scene.AddNewNodeByClass("vtkMRMLSegmentationNode", "chosen")
    run = a_run(chosen, pool=a_worker())
    a_scene.RemoveNode(chosen)

    assert run.wait().GetName() == "head segmentation"


def test_a_chosen_segmentation_is_written_to(a_scene, a_volume_node, a_run, a_worker):
    chosen = a_scene.AddNewNodeByClass("vtkMRMLSegmentationNode", "chosen")

    assert a_run(chosen, pool=a_worker()).wait() is chosen
    assert segmentations_in(a_scene) == 1


def test_bad_inputs_are_refused_before_a_process_starts(a_scene, a_volume_node, a_run):
    pool = WorkerPool(lambda home: pytest.fail("a worker was started"))
    region = a_scene.AddNewNodeByClass("vtkMRMLMarkupsROINode", "R")
    with pytest.raises(RegionError, match="not drawn yet"):
        a_run(pool=pool, region=region)
    a_volume_node.SetAndObserveTransformNodeID(bending_transform(a_scene).GetID())
    with pytest.raises(DeepSegError, match="not linear"):
        a_run(pool=pool)


def test_a_real_worker_and_model_segment_a_node_under_a_transform(a_scene, a_volume_node, tiny_bundle):
    from deepseg.api import segment
    from mrml.scenes import linear_transform

    a_volume_node.SetAndObserveTransformNodeID(linear_transform(a_scene, 25, (30, -4, 5)).GetID())
    volume = nodes.volume_from_node(a_volume_node)
    expected = segment(volume, tiny_bundle, probabilities=False).labels

    node = SegmentationRun(a_scene, SegmentationRequest([a_volume_node], tiny_bundle.folder)).wait()

    for label in expected.labels:
        np.testing.assert_array_equal(voxels_of(node, f"{tiny_bundle.spec.id}_{label.value}", volume.geometry), expected.array == label.value)
    assert node.GetAttribute("DeepSeg.ModelSha256") == tiny_bundle.sha256
