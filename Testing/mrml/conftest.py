"""A real MRML scene (slicer-core) and an asymmetric phantom, for tests of what DeepSeg puts into a scene."""

import numpy as np
import pytest

from deepseg.api import Volume
from DeepSegLib import nodes
from mrml.phantoms import GRIDS, THICK_OBLIQUE, labels_on


@pytest.fixture(scope="session")
def an_application():
    from trame_slicer.core import SlicerApp

    application = SlicerApp()
    yield application
    application.io_manager.cache_dir.cleanup()


@pytest.fixture
def a_scene(an_application):
    scene = an_application.scene
    scene.Clear(False)
    yield scene
    scene.Clear(False)


@pytest.fixture(params=GRIDS.values(), ids=GRIDS.keys())
def a_geometry(request):
    return request.param


@pytest.fixture
def a_volume(a_geometry):
    """A volume whose six faces differ and whose voxels all differ."""
    i, j, k = np.indices(a_geometry.shape)
    return Volume((1.0 * i + 100.0 * j + 10_000.0 * k).astype(np.float32)[np.newaxis], a_geometry, name="phantom")


@pytest.fixture
def an_oblique_volume():
    i, j, k = np.indices(THICK_OBLIQUE.shape)
    return Volume((1.0 * i + 100.0 * j + 10_000.0 * k).astype(np.float32)[np.newaxis], THICK_OBLIQUE, name="head")


@pytest.fixture
def a_volume_node(a_scene, an_oblique_volume):
    return nodes.node_from_volume(a_scene, an_oblique_volume)


@pytest.fixture
def some_labels(an_oblique_volume):
    return labels_on(an_oblique_volume.geometry)
