"""A small model with fixed random weights, whose answers differ from place to place, for the small dataset."""

import pytest
import torch

from deepseg.bundle import ModelBundle
from deepseg.networks import build_network
from deepseg.spec import InputSpec, IntensityStep, ModelSpec, NetworkSpec, WindowSpec
from deepseg.volume import Label
from deepseg_train.data import open_dataset
from small_networks import SUPERVISED_DYNUNET


@pytest.fixture(scope="session")
def spec():
    return ModelSpec(
        id="ball",
        title="Ball",
        summary="Finds both halves of a ball.",
        version="0.0.1",
        inputs=(InputSpec("T1", "MR", "a.u.", (IntensityStep("zscore"),)),),
        labels=(Label(1, "Front", (1.0, 0.0, 0.0)), Label(2, "Back", (0.0, 0.0, 1.0))),
        orientation="RAS",
        spacing_mm=(1.0, 1.0, 1.0),
        network=NetworkSpec("DynUNet", SUPERVISED_DYNUNET),
        window=WindowSpec((16, 16, 16)),
        licence="CC0-1.0",
        citation="None.",
        intended_use="For tests.",
        provenance={"seed": 7},
        metrics={"cases": 1, "what": "The model's own figures.", "labels": {}},
    )


def random_weights(name, kwargs, seed):
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        return build_network(name, kwargs).state_dict()


@pytest.fixture(scope="session")
def make_model(tmp_path_factory):
    """A model folder of a spec: one member of random weights for each seed."""

    def make(spec, seeds=(7,), dtype=torch.float32):
        members = {f"member-{seed}.safetensors": random_weights(spec.network.name, spec.network.kwargs, seed) for seed in seeds}
        folder = tmp_path_factory.mktemp("models") / spec.id
        return ModelBundle.save(folder, spec, members, "# Ball\n\n## How far it can be trusted\nVery far.\n", "CC0\n", dtype=dtype)

    return make


@pytest.fixture(scope="session")
def model(make_model, spec):
    return make_model(spec)


@pytest.fixture(scope="session")
def cases(msd_folder):
    return open_dataset(msd_folder).cases
