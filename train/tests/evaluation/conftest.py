"""Cases with known answers: boxes that are predicted one layer short, one beside the other, or not at all."""

import argparse
import csv
import json
from pathlib import Path

import numpy as np
import pytest
import torch

from deepseg.bundle import ModelBundle
from deepseg.geometry import Geometry
from deepseg.io import write_label_map, write_volume
from deepseg.networks import build_network
from deepseg.spec import InputSpec, IntensityStep, ModelSpec, NetworkSpec, WindowSpec
from deepseg.volume import Label, LabelMap, Volume
from small_networks import SMALL_DYNUNET

LABELS = (Label(1, "Front", (0.9, 0.6, 0.0)), Label(2, "Back", (0.0, 0.45, 0.7)))
GRID = Geometry((12, 10, 8), np.diag([1.0, 2.0, 1.5, 1.0]))


def box(start, stop, value=1):
    array = np.zeros(GRID.shape, np.uint8)
    array[tuple(slice(a, b) for a, b in zip(start, stop, strict=True))] = value
    return array


@pytest.fixture(scope="session")
def boxes(tmp_path_factory) -> Path:
    """A folder in MSD layout with `predicted/` beside it: label 1 a box of 6 x 4 x 4 voxels, of which 'short_n' lacks n layers; label 2 a voxel's
    column, missed in case 'short_3'; and `columns.csv` with sex, site and age."""
    folder = tmp_path_factory.mktemp("boxes")
    for name in ("imagesTr", "labelsTr", "predicted"):
        (folder / name).mkdir()
    pairs = []
    for n in range(6):
        name = f"short_{n}"
        reference = box((2, 2, 2), (8, 6, 6)) + box((10, 8, 0), (11, 9, 8), 2)
        predicted = box((2 + n, 2, 2), (8, 6, 6)) + (0 if n == 3 else box((10, 8, 0), (11, 9, 8), 2))
        image = np.random.default_rng(n).normal(0, 1, GRID.shape) + 8 * (reference > 0)
        write_volume(Volume(image[np.newaxis].astype(np.float32), GRID), folder / "imagesTr" / f"{name}.nii.gz")
        write_label_map(LabelMap(reference, GRID, LABELS), folder / "labelsTr" / f"{name}.nii.gz")
        write_label_map(LabelMap(predicted.astype(np.uint8), GRID, LABELS), folder / "predicted" / f"{name}.nii.gz")
        pairs.append({"image": f"./imagesTr/{name}.nii.gz", "label": f"./labelsTr/{name}.nii.gz"})
    described = {"name": "Boxes", "labels": {"0": "background", "1": "Front", "2": "Back"}, "modality": {"0": "MRI"}, "training": pairs}
    (folder / "dataset.json").write_text(json.dumps(described), encoding="utf-8")
    with (folder / "columns.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["name", "sex", "site", "age"])
        writer.writerows([[f"short_{n}", "fm"[n % 2], "north" if n < 3 else "south", 30 + 7 * n] for n in range(6)])
    return folder


@pytest.fixture(scope="session")
def tiny_model(tmp_path_factory) -> Path:
    """A model of both labels with random weights, which runs at once."""
    network = NetworkSpec("DynUNet", SMALL_DYNUNET)
    spec = ModelSpec(
        id="tiny",
        title="Tiny",
        summary="A model with random weights.",
        version="0.0.1",
        inputs=(InputSpec("T1", "MR", "a.u.", (IntensityStep("zscore"),)),),
        labels=LABELS,
        orientation="RAS",
        spacing_mm=(1.0, 1.0, 1.0),
        network=network,
        window=WindowSpec((16, 16, 16)),
        licence="CC0-1.0",
        citation="None.",
        intended_use="For tests.",
        provenance={"data": "Boxes", "split": "6 train", "seed": 5},
    )
    with torch.random.fork_rng():
        torch.manual_seed(7)
        weights = {name: 2.0 * tensor for name, tensor in build_network(network.name, network.kwargs).state_dict().items()}
    return ModelBundle.save(tmp_path_factory.mktemp("models") / "tiny", spec, {"model.safetensors": weights}, "# Tiny\n", "CC0\n").folder


def run_command(module, *arguments):
    """Run a command as `deepseg-train` does, its errors unhandled."""
    parser = argparse.ArgumentParser()
    module.add(parser.add_subparsers())
    options = parser.parse_args([str(argument) for argument in arguments])
    return options.run(options)
