"""Nouns the tests speak of: real data, an asymmetric phantom on an awkward grid, a tiny model."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
import torch

from deepseg.bundle import ModelBundle
from deepseg.geometry import Geometry
from deepseg.networks import build_network
from deepseg.spec import InputSpec, IntensityStep, ModelSpec, NetworkSpec, WindowSpec
from deepseg.volume import Code, Label, Terminology, Volume
from phantoms import awkward_grid, numbered_volume
from small_networks import SMALL_DYNUNET

ANATOMY = Code("SCT", "123037004", "Anatomical Structure")


@pytest.fixture(scope="session")
def data_folder() -> Path:
    """Real images: DEEPSEG_DATA, else ../shared/data beside the repository."""
    named = os.environ.get("DEEPSEG_DATA")
    folder = Path(named) if named else Path(__file__).resolve().parents[2] / "shared" / "data"
    if not folder.is_dir():
        pytest.skip(f"needs real data: set DEEPSEG_DATA to a folder with msd_hippocampus and ct_torso ({folder} does not exist)")
    return folder


@pytest.fixture(scope="session")
def hippocampus_cases(data_folder: Path) -> list[Path]:
    """MR crops around one hippocampus, sorted by name."""
    cases = sorted((data_folder / "msd_hippocampus" / "imagesTr").glob("hippocampus_*.nii.gz"))
    if not cases:
        pytest.skip(f"needs real data: {data_folder} has no msd_hippocampus/imagesTr")
    return cases


@pytest.fixture(scope="session")
def dicom_folder(data_folder: Path) -> Path:
    """A CT series."""
    folder = data_folder / "ct_torso" / "dicom"
    if not folder.is_dir():
        pytest.skip(f"needs real data: {data_folder} has no ct_torso/dicom")
    return folder


@pytest.fixture(scope="session")
def oblique_grid() -> Geometry:
    """0.7 x 0.7 x 5 mm, turned about all three axes, axes running A, L, I, left-handed."""
    return awkward_grid((9, 11, 7))


@pytest.fixture(scope="session")
def phantom(oblique_grid: Geometry) -> Volume:
    """Every voxel has a value of its own, so its six faces differ and no flip or swap of axes goes unseen."""
    return numbered_volume(oblique_grid)


@pytest.fixture(scope="session")
def tiny_spec() -> ModelSpec:
    """A model of two labels on a 1.5 mm LPS grid, small enough to run at once."""
    terminology = Terminology(ANATOMY, Code("SCT", "5366008", "Hippocampus"), Code("SCT", "255549009", "Anterior"))
    return ModelSpec(
        id="tiny",
        title="Tiny",
        summary="A model with random weights.",
        version="0.0.1",
        inputs=(InputSpec("T1", "MR", "a.u.", (IntensityStep("zscore"),)),),
        labels=(Label(1, "Front", (0.9, 0.6, 0.0), terminology), Label(2, "Back", (0.0, 0.45, 0.7))),
        orientation="LPS",
        spacing_mm=(1.5, 1.5, 1.5),
        network=NetworkSpec("DynUNet", SMALL_DYNUNET),
        window=WindowSpec((16, 16, 16)),
        licence="CC0-1.0",
        citation="None.",
        intended_use="For tests.",
    )


@pytest.fixture(scope="session")
def tiny_weights(tiny_spec: ModelSpec) -> dict[str, torch.Tensor]:
    """Random weights of the tiny model, large enough that its answers differ from place to place."""
    with torch.random.fork_rng():
        torch.manual_seed(7)
        state = build_network(tiny_spec.network.name, tiny_spec.network.kwargs).state_dict()
    return {name: 2.0 * tensor for name, tensor in state.items()}


@pytest.fixture(scope="session")
def tiny_bundle(tmp_path_factory: pytest.TempPathFactory, tiny_spec: ModelSpec, tiny_weights: dict[str, torch.Tensor]) -> ModelBundle:
    """The tiny model as a folder; copy it before you damage it."""
    folder = tmp_path_factory.mktemp("models") / "tiny"
    return ModelBundle.save(folder, tiny_spec, {"model.safetensors": tiny_weights}, "# Tiny\n", "CC0\n")
