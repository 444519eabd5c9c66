"""Prepared balls, and a model of two labels for them."""

from dataclasses import replace

import pytest

from deepseg.api import load_model
from deepseg.spec import ModelSpec
from deepseg_train.augmentation import AugmentationSettings, PatchGrid
from deepseg_train.data import Case, open_dataset
from deepseg_train.loading.prepared import PreparedCases
from deepseg_train.loading.samples import TrainingSamples


@pytest.fixture(scope="session")
def spec() -> ModelSpec:
    shipped = load_model("hippocampus-mr").spec
    return replace(shipped, window=replace(shipped.window, size=(12, 16, 14)))


@pytest.fixture(scope="session")
def cases(msd_folder) -> tuple[Case, ...]:
    return open_dataset(msd_folder).cases


@pytest.fixture(scope="session")
def prepared(cases, spec) -> PreparedCases:
    return PreparedCases(cases, spec)


@pytest.fixture
def samples(prepared, spec) -> TrainingSamples:
    """Five steps of four patches an epoch: two turns of the ten cases."""
    return TrainingSamples(prepared, PatchGrid.of(spec), AugmentationSettings(), seed=3, batch_size=4, steps=5)
