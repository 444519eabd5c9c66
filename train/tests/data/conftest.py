"""Small datasets in every layout, written to disk, and a model that fits them."""

import json
import os
from pathlib import Path

import numpy as np
import pytest

from deepseg.geometry import Geometry
from deepseg.io import write_label_map, write_volume
from deepseg.spec import InputSpec, IntensityStep, ModelSpec, NetworkSpec, WindowSpec
from deepseg.volume import Label, LabelMap, Volume

SHAPE = (6, 8, 10)


def hippocampus() -> Path | None:
    """Real images, in DEEPSEG_DATA, else in ../shared/data beside the repository; None where they are not there."""
    named = os.environ.get("DEEPSEG_DATA")
    folder = (Path(named) if named else Path(__file__).resolve().parents[4] / "shared" / "data") / "msd_hippocampus"
    return folder if folder.is_dir() else None


needs_hippocampus = pytest.mark.skipif(hippocampus() is None, reason="needs real data: set DEEPSEG_DATA to a folder with msd_hippocampus")


def grid(shape=SHAPE, spacing=(1.0, 1.0, 1.0), origin=(0.0, 0.0, 0.0)) -> Geometry:
    matrix = np.diag([*spacing, 1.0])
    matrix[:3, 3] = origin
    return Geometry(tuple(shape), matrix)


def write_image(path: Path, array=None, seed=0, **place) -> Path:
    """Noise (6, 8, 10), or the given voxels."""
    array = np.random.default_rng(seed).normal(100, 10, SHAPE) if array is None else array
    path.parent.mkdir(parents=True, exist_ok=True)
    write_volume(Volume(np.asarray(array, np.float32)[None], grid(array.shape, **place)), path)
    return path


def write_labels(path: Path, array=None, values=(1, 2), **place) -> Path:
    """Two blocks of the given values, or the given voxels."""
    if array is None:
        array = np.zeros(SHAPE, np.uint8)
        array[1:3, 2:5, 2:6], array[3:5, 2:5, 2:6] = values
    path.parent.mkdir(parents=True, exist_ok=True)
    write_label_map(LabelMap(array, grid(array.shape, **place), ()), path)
    return path


def write_msd(folder: Path, count: int = 4, **description) -> Path:
    pairs = []
    for n in range(count):
        write_image(folder / "imagesTr" / f"case_{n:02}.nii.gz", seed=n)
        write_labels(folder / "labelsTr" / f"case_{n:02}.nii.gz")
        pairs.append({"image": f"./imagesTr/case_{n:02}.nii.gz", "label": f"./labelsTr/case_{n:02}.nii.gz"})
    told = {"modality": {"0": "MRI"}, "labels": {"0": "background", "1": "Front", "2": "Back"}, "training": pairs, **description}
    (folder / "dataset.json").write_text(json.dumps(told), encoding="utf-8")
    return folder


def write_nnunet(folder: Path, count: int = 3, channels=("T1", "T2"), **description) -> Path:
    for n in range(count):
        for channel in range(len(channels)):
            write_image(folder / "imagesTr" / f"scan_{n}_{channel:04}.nii.gz", seed=10 * n + channel)
        write_labels(folder / "labelsTr" / f"scan_{n}.nii.gz")
    told = {
        "channel_names": {str(n): name for n, name in enumerate(channels)},
        "labels": {"background": 0, "Front": 1, "Back": 2},
        "numTraining": count,
        "file_ending": ".nii.gz",
    }
    (folder / "dataset.json").write_text(json.dumps({**told, **description}), encoding="utf-8")
    return folder


def write_bids(folder: Path) -> Path:
    """Three subjects, one of them with two sessions; labels 100 and 101."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "dataset_description.json").write_text(json.dumps({"Name": "Brains", "BIDSVersion": "1.9.0", "License": "CC0"}), encoding="utf-8")
    (folder / "participants.tsv").write_text("participant_id\tsex\tsite\nsub-01\tF\tA\nsub-02\tn/a\tB\nsub-03\tM\tB\n", encoding="utf-8")
    labels = folder / "derivatives" / "manual"
    for n, (place, name) in enumerate(
        [
            ("sub-01/ses-1/anat", "sub-01_ses-1"),
            ("sub-01/ses-2/anat", "sub-01_ses-2"),
            ("sub-02/anat", "sub-02"),
            ("sub-03/anat", "sub-03_run-2"),
        ]
    ):
        write_image(folder / place / f"{name}_T1w.nii.gz", seed=n)
        write_labels(labels / place / f"{name}_dseg.nii.gz", values=(100, 101))
    write_image(folder / "sub-03/anat/sub-03_run-1_T1w.nii.gz", seed=9)
    write_image(folder / "sub-02/anat/sub-02_FLAIR.nii.gz", seed=8)
    (labels / "dseg.tsv").write_text("index\tname\tabbreviation\n100\tGray Matter\tGM\n101\tWhite Matter\tWM\n", encoding="utf-8")
    return folder


def model(channels: int = 1) -> ModelSpec:
    """A model of two labels."""
    return ModelSpec(
        id="two",
        title="Two",
        summary="Two labels.",
        version="0.0.1",
        inputs=tuple(InputSpec(f"channel {n}", "MR", "a.u.", (IntensityStep("zscore"),)) for n in range(channels)),
        labels=(Label(1, "Front", (1.0, 0.0, 0.0)), Label(2, "Back", (0.0, 0.0, 1.0))),
        orientation="RAS",
        spacing_mm=(1.0, 1.0, 1.0),
        network=NetworkSpec("DynUNet", {}),
        window=WindowSpec((8, 8, 8)),
        licence="CC0",
        citation="none",
        intended_use="tests",
    )


@pytest.fixture
def msd(tmp_path) -> Path:
    return write_msd(tmp_path / "msd")


@pytest.fixture
def nnunet(tmp_path) -> Path:
    return write_nnunet(tmp_path / "nnunet")


@pytest.fixture
def bids(tmp_path) -> Path:
    return write_bids(tmp_path / "bids")


@pytest.fixture
def table(tmp_path) -> Path:
    """Three cases of two patients, two channels each, with a column of sites."""
    rows = ["name,patient,image_0,image_1,label,site"]
    for n, (patient, site) in enumerate([("p1", "A"), ("p1", "A"), ("p2", "B")]):
        write_image(tmp_path / "files" / f"{n}-t1.nii.gz", seed=n)
        write_image(tmp_path / "files" / f"{n}-t2.nii.gz", seed=n + 10)
        write_labels(tmp_path / "files" / f"{n}-labels.nii.gz")
        rows.append(f"scan{n},{patient},files/{n}-t1.nii.gz,files/{n}-t2.nii.gz,files/{n}-labels.nii.gz,{site}")
    path = tmp_path / "cases.csv"
    path.write_text("\n".join(rows) + "\n", encoding="utf-8")
    return path
