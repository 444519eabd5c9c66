"""A plan tells its reasons, and becomes a config that a run takes as it is."""

import argparse
import itertools
import json
from dataclasses import astuple, replace
from math import dist

import numpy as np
import pytest
import torch
import yaml

from deepseg.networks import build_network
from deepseg_train.augmentation import PatchGrid
from deepseg_train.augmentation.geometry.affine import draw_affine
from deepseg_train.augmentation.geometry.sampling import reading_places
from deepseg_train.commands import plan as plan_command
from deepseg_train.commands import split as split_command
from deepseg_train.config import load_config, parse_config
from deepseg_train.data import open_dataset
from deepseg_train.data.channels import modality_of
from deepseg_train.data.fingerprint import CaseFingerprint, Fingerprint, Intensities, fingerprint
from deepseg_train.data.plan import plan
from deepseg_train.data.proposal import color, config_of, write_config
from deepseg_train.data.split import load_split
from deepseg_train.data.topology import topology_of
from deepseg_train.errors import ConfigError, DatasetError
from deepseg_train.training.settings import TrainingSettings

from .conftest import write_bids, write_image, write_labels, write_msd, write_nnunet

LARGE = (24, 20, 22)


def enlarge(folder):
    """Images large enough for a network, in place of those of an MSD folder."""
    for n, path in enumerate(sorted((folder / "imagesTr").iterdir())):
        labels = np.zeros(LARGE, np.uint8)
        labels[4:10, 4:10, 4:10], labels[12:16, 4:10, 4:10] = 1, 2
        write_image(path, np.random.default_rng(n).normal(100, 10, LARGE) + 30 * labels)
        write_labels(folder / "labelsTr" / path.name, labels)
    return folder


def figures(shape, spacing=(1.0, 1.0, 1.0), channel="T1", kept=1.0, count=10):
    seen = Intensities(50.0, 20.0, -10.0, 110.0)
    cases = tuple(CaseFingerprint(str(n), spacing, shape, kept, {1: 9}) for n in range(count))
    return Fingerprint((channel,), {1: "a", 2: "b"}, cases, (seen,))


def test_a_fingerprint_is_counted_by_hand(tmp_path):
    """Two cases: 4 and 2 labelled voxels, values known, each case with the same weight; axes stored as A, L, S."""
    folder = write_msd(tmp_path / "msd", 2)
    inside = ([1.0, 2.0, 3.0, 6.0], [10.0, 20.0])
    for n, values in enumerate(inside):
        image, labels = np.zeros((4, 5, 6)), np.zeros((4, 5, 6), np.uint8)
        image[1, 2, 2 : 2 + len(values)], labels[1, 2, 2 : 2 + len(values)] = values, 1
        labels[1, 2, 2] = 2
        write_image(folder / "imagesTr" / f"case_0{n}.nii.gz", image, spacing=(1.0, 2.0, 3.0 + n))
        write_labels(folder / "labelsTr" / f"case_0{n}.nii.gz", labels, spacing=(1.0, 2.0, 3.0 + n))
    found = fingerprint(open_dataset(folder))
    assert [case.shape for case in found.cases] == [(1, 1, 4), (1, 1, 2)]
    assert [case.spacing_mm for case in found.cases] == [pytest.approx((1, 2, 3)), pytest.approx((1, 2, 4))]
    assert [case.voxels for case in found.cases] == [{1: 3, 2: 1}, {1: 1, 2: 1}]
    # Of 1 x 2 x 3 mm and of 1 x 2 x 4 mm.
    assert found.sizes_ml(1) == pytest.approx([0.018, 0.008]) and found.sizes_ml(3) == []
    assert "Median sizes of the labels: a 0.009 mL in 10 of 10 cases, b in no case." in plan(figures((40, 48, 40))).explain()
    assert found.median_kept == pytest.approx((4 + 2) / 2 / 120)
    # Means 3 and 15, mean squares 12.5 and 250; half of the values are at most 6, the other half at least 10.
    assert astuple(found.intensities[0]) == pytest.approx((9.0, np.sqrt((12.5 + 250) / 2 - 81), 1.0, 20.0))


def test_stored_axes_do_not_matter(tmp_path):
    """The same image stored with its axes in another order has the same fingerprint."""
    import nibabel

    folder = enlarge(write_msd(tmp_path / "msd", 2))
    before = fingerprint(open_dataset(folder))
    for part, name in itertools.product(("imagesTr", "labelsTr"), ("case_00", "case_01")):
        path = folder / part / f"{name}.nii.gz"
        image = nibabel.load(path)
        turned = image.as_reoriented(nibabel.orientations.axcodes2ornt("SLA"))
        nibabel.save(nibabel.Nifti1Image(np.asarray(turned.dataobj), turned.affine), path)
    after = fingerprint(open_dataset(folder))
    assert after == before
    assert plan(after) == plan(before)


def test_cases_that_cannot_be_read_are_all_named(msd):
    for name in ("case_00", "case_02"):
        (msd / "imagesTr" / f"{name}.nii.gz").write_bytes(b"no image")
    with pytest.raises(DatasetError, match=r"2 of 4 cases have problems:\n  case_00: .*\n  case_02: "):
        fingerprint(open_dataset(msd))


def test_labels_without_names_are_numbered_or_refused(tmp_path):
    folder = write_bids(tmp_path / "bids")
    (folder / "derivatives" / "manual" / "dseg.tsv").unlink()
    with pytest.raises(DatasetError, match=r"\[100, 101\] have no names and do not count up from 1"):
        fingerprint(open_dataset(folder))
    for path in folder.glob("derivatives/**/*_dseg.nii.gz"):
        write_labels(path, values=(1, 2))
    assert fingerprint(open_dataset(folder)).label_names == {1: "Label 1", 2: "Label 2"}


def test_stages_are_counted_by_hand():
    """64 x 64 x 12 voxels of 1 x 1 x 4 mm: two halvings within the slices bring them to 4 mm, then 16 x 16 x 12 is halved once, 8 x 8 x 6 twice
    within the slices."""
    found = topology_of((64, 64, 12), (1.0, 1.0, 4.0))
    assert found.strides == ((1, 1, 1), (2, 2, 1), (2, 2, 1), (2, 2, 2), (2, 2, 1))
    assert found.kernels == ((3, 3, 1), (3, 3, 1), (3, 3, 3), (3, 3, 3), (3, 3, 3))
    assert found.patch == (64, 64, 12)
    assert found.factors == (16, 16, 2)
    assert found.features == (32, 64, 128, 256, 320)
    # 63, 50 and 11 are 8, 7 and 6 after three halvings; one axis of 8 is not halved alone.
    assert topology_of((63, 50, 11), (1.0, 1.0, 4.0)).patch == (64, 56, 12)


def test_feature_maps_are_counted_by_hand():
    """16 voxels cubed: 32 channels of 4096, 64 of 512 and 128 of 64, two convolutions each; then a transposed one and two a step up."""
    found = topology_of((16, 16, 16), (1.0, 1.0, 1.0))
    assert len(found.strides) == 3
    down = 2 * (32 * 4096 + 64 * 512 + 128 * 64)
    assert found.feature_voxels(3) == down + 3 * (32 * 4096 + 64 * 512) + 3 * 4096


def test_less_memory_means_a_smaller_patch():
    large, small = plan(figures((200, 200, 200)), 8.0), plan(figures((200, 200, 200)), 2.0)
    assert large.topology.patch == (128, 128, 128) and np.prod(small.topology.patch) < np.prod(large.topology.patch) / 2
    assert small.topology.feature_voxels(3) <= 140e6 < large.topology.feature_voxels(3) <= 560e6
    with pytest.raises(ConfigError, match="expected more than 0"):
        plan(figures((200, 200, 200)), 0.0)
    with pytest.raises(ConfigError, match=r"No patch trains in 0\.001 GB"):
        plan(figures((200, 200, 200)), 0.001)


def test_images_too_small_for_a_network_are_refused():
    with pytest.raises(DatasetError, match="6 x 8 x 10 voxels of 1 x 1 x 1 mm, which can be halved"):
        plan(figures((6, 8, 10)))


def test_each_decision_has_its_reason():
    told = plan(figures((320, 320, 20), (0.5, 0.5, 4.0), "T2", kept=0.5)).explain()
    for words in (
        "0.5 x 0.5 x 4 mm",
        "T2 (MR): zscore_foreground",
        "stage 0             32 channels, kernel 3 x 3 x 1, stride 1 x 1 x 1",
        "Along S voxels are more than 3 times longer (median 4 mm)",
        "10th percentile",
        "50 % of the median image",
        "shortened along the axis",
        "Kernels: 1 voxel wide across the slices",
        "Batch: 2 patches, the least.",
    ):
        assert words in told
    told = plan(figures((40, 48, 40), channel="CT", count=500)).explain()
    for words in ("CT (CT): ct_window (low -10, high 110, mean 50, std 20)", "is in Hounsfield units", "rounded up to what the strides divide"):
        assert words in told
    assert "coarser network" in plan(figures((512, 512, 400))).explain()


@pytest.mark.parametrize(
    "name, modality",
    [("CT", "CT"), ("T1w", "MR"), ("T2-FLAIR", "MR"), ("PET", "PT"), ("Contrast", "other"), ("ductal", "other"), ("image_0", "other"), ("MRI", "MR")],
)
def test_modalities_are_told_by_words_not_by_letters(name, modality):
    assert modality_of(name) == modality


def test_colours_differ():
    colors = [color(n) for n in range(60)]
    assert min(dist(one, other) for one, other in itertools.combinations(colors, 2)) > 0.03
    assert all(0 <= part <= 1 for each in colors for part in each)


def command(module, name, *words):
    parser = argparse.ArgumentParser()
    module.add(parser.add_subparsers())
    options = parser.parse_args([name, *map(str, words)])
    return options.run(options)


@pytest.fixture
def planned(tmp_path, capsys):
    """An MSD folder of 8 cases, where the command wrote what it planned for it, and what it printed."""
    data = enlarge(write_msd(tmp_path / "Task 99: Balls", 8, name="Two Balls", licence="CC0", reference="Somebody"))
    path = tmp_path / "balls.yaml"
    command(plan_command, "plan", data, "-o", path, "--seed", 3)
    return data, path, capsys.readouterr().out


def test_the_command_writes_a_config_that_is_read_and_builds_its_network(planned):
    data, path, printed = planned
    config = load_config(path)
    spec = config.spec
    assert (spec.id, spec.title, spec.licence) == ("two-balls", "Two Balls", "CC0")
    assert "Somebody" in spec.citation
    assert [(label.value, label.name) for label in spec.labels] == [(1, "Front"), (2, "Back")]
    assert spec.window.size == (24, 20, 24)
    assert config.split == path.with_name("balls_split.json")
    assert {part: len(cases) for part, cases in load_split(config.split, open_dataset(data).cases).items()} == {
        "train": 5,
        "validation": 1,
        "calibrate": 1,
        "test": 1,
    }
    network = build_network(spec.network.name, spec.network.kwargs)
    with torch.no_grad():
        assert network.eval()(torch.zeros(1, 1, *spec.window.size)).shape == (1, 3, *spec.window.size)
    assert "patch               24 x 20 x 24 voxels" in printed and "Read for this: the 6 cases" in printed
    text = path.read_text(encoding="utf-8")
    assert text.count("\n# - ") >= 5 and "&id" not in text


def test_nothing_is_overwritten(planned):
    data, path, _ = planned
    with pytest.raises(DatasetError, match=r"balls\.yaml exists already"):
        command(plan_command, "plan", data, "-o", path)
    path.unlink()
    with pytest.raises(DatasetError, match=r"balls_split\.json exists already"):
        command(plan_command, "plan", data, "-o", path)
    assert not path.exists()


def test_patients_of_a_table_are_kept_whole_and_left_out_of_the_config(tmp_path, capsys):
    data = enlarge(write_msd(tmp_path / "msd", 10))
    (tmp_path / "t.csv").write_text("name,who,site\n" + "".join(f"case_{n:02},p{n // 2},{'AB'[n // 2 % 2]}\n" for n in range(10)))
    command(plan_command, "plan", data, "-o", tmp_path / "c.yaml", "--table", tmp_path / "t.csv", "--patient", "who", "--stratify", "site")
    assert "does not name 'who'" in capsys.readouterr().out
    assert load_config(tmp_path / "c.yaml").patient is None
    cases = open_dataset(data, "who", tmp_path / "t.csv").cases
    assert all(len(part) % 2 == 0 for part in load_split(tmp_path / "c_split.json", cases).values())


def test_label_values_and_patients_reach_the_config(tmp_path):
    dataset = open_dataset(enlarge(write_msd(tmp_path / "msd", 4, labels={"0": "background", "1": "Front", "2": "Back"})))
    made = config_of(dataset, plan(fingerprint(dataset)), "split.json", "(case_.)")
    assert made["patient"] == "(case_.)" and made["split"] == "split.json"
    assert made["model"]["labels"][0]["color"] != made["model"]["labels"][1]["color"]
    write_config(tmp_path / "config.yaml", made, plan(fingerprint(dataset)))
    assert yaml.safe_load((tmp_path / "config.yaml").read_text()) == made
    assert load_config(tmp_path / "config.yaml").patient == "(case_.)"


def test_two_channels_reach_the_config(tmp_path):
    folder = write_nnunet(tmp_path / "nnunet", 2)
    for path in (folder / "imagesTr").iterdir():
        write_image(path, np.random.default_rng(len(path.name)).normal(100, 10, LARGE))
    for path in (folder / "labelsTr").iterdir():
        labels = np.zeros(LARGE, np.uint8)
        labels[:9], labels[9:12] = 1, 2
        write_labels(path, labels)
    dataset = open_dataset(folder)
    write_config(tmp_path / "c.yaml", config_of(dataset, proposed := plan(fingerprint(dataset)), "s.json"), proposed)
    spec = load_config(tmp_path / "c.yaml").spec
    assert [(item.name, item.modality) for item in spec.inputs] == [("T1", "MR"), ("T2", "MR")]
    assert spec.network.kwargs["in_channels"] == 2
    assert spec.id == "nnunet"


def test_the_split_command_writes_folds_sites_and_fractions(tmp_path):
    data = write_msd(tmp_path / "msd", 12)
    table = tmp_path / "sites.csv"
    table.write_text("name,site\n" + "".join(f"case_{n:02},{'North & Co' if n % 3 else 'South'}\n" for n in range(12)))
    cases = open_dataset(data).cases
    command(split_command, "split", data, "-o", tmp_path / "folds", "--folds", 3, "--table", table, "--stratify", "site")
    folds = [load_split(path, cases) for path in sorted((tmp_path / "folds").iterdir())]
    assert sorted(case.name for parts in folds for case in parts["test"]) == [case.name for case in cases]
    command(split_command, "split", data, "-o", tmp_path / "sites", "--leave-out", "site", "--table", table)
    assert sorted(path.name for path in (tmp_path / "sites").iterdir()) == ["North---Co.json", "South.json"]
    assert len(load_split(tmp_path / "sites" / "South.json", cases)["test"]) == 4
    command(split_command, "split", data, "-o", tmp_path / "one", "--fractions", 0.5, 0, 0, 0.5)
    assert {part: len(found) for part, found in load_split(tmp_path / "one" / "split.json", cases).items()} == {
        "train": 6,
        "validation": 0,
        "calibrate": 0,
        "test": 6,
    }
    assert json.loads((tmp_path / "one" / "split.json").read_text())["drawn"]["seed"] == 0
    with pytest.raises(DatasetError, match="never overwritten"):
        command(split_command, "split", data, "-o", tmp_path / "one", "--fractions", 0.5, 0, 0, 0.5)


def test_an_epoch_covers_the_training_images_once():
    """256 cubed in patches of 128 cubed: 8 a case."""
    small = plan(figures((256, 256, 256), count=20))
    assert small.topology.patch == (128, 128, 128) and small.batch_size == 2
    assert small.steps_per_epoch == 20 * 8 / 2
    assert plan(figures((256, 256, 256), count=20), training_cases=13).steps_per_epoch == 13 * 8 / 2
    # A box of an eighth of the image: the patch is taken from all of it.
    assert plan(figures((128, 128, 128), kept=1 / 8, count=20)).steps_per_epoch == 20 * 8 / 2
    many = plan(figures((256, 256, 256), count=500))
    assert many.steps_per_epoch == 250
    assert "500 training cases hold about as many voxels as 4000 patches, which is 2000 steps; it has 250" in many.explain()
    assert "80 steps: each voxel is seen about once" in small.explain()
    whole = plan(figures((40, 48, 40), count=500))
    assert whole.steps_per_epoch is None
    assert "each case once, as a patch covers an image" in whole.explain()


def test_the_length_of_an_epoch_reaches_the_config(tmp_path):
    dataset = open_dataset(enlarge(write_msd(tmp_path / "msd", 4)))
    assert "steps_per_epoch" not in config_of(dataset, plan(fingerprint(dataset)), "s.json")["training"]
    made = config_of(dataset, plan(figures((256, 256, 256), count=20)), "s.json")
    assert made["training"] == {"epochs": TrainingSettings().epochs, "batch_size": 2, "steps_per_epoch": 80}


def beyond_slices(config, path, draws=40):
    """Share of a patch's voxels that are read from more than half a voxel beyond its own slices by turning alone, over many draws."""
    parsed = parse_config(config, path)
    grid = PatchGrid.of(parsed.spec)
    settings = replace(parsed.augmentation.affine, scale=(1.0, 1.0))
    rng, shares, axis = np.random.default_rng(0), [], int(np.argmax(grid.spacing_mm))
    small = replace(
        grid,
        size=tuple(n if n < 32 else 32 for n in grid.size),
        spacing_mm=tuple(mm * max(n / 32, 1) for mm, n in zip(grid.spacing_mm, grid.size, strict=True)),
    )
    for _ in range(draws):
        places = reading_places((0, 0, 0), small.size, (False,) * 3, draw_affine(settings, rng, small), None)[axis]
        shares.append(float(((places < -0.5) | (places > small.size[axis] - 0.5)).float().mean()))
    return np.mean(shares)


@pytest.mark.parametrize(
    ("shape", "spacing", "angles"),
    [
        ((320, 320, 20), (0.5, 0.5, 4.0), [0.0, 0.0, 30.0]),
        ((320, 20, 320), (0.5, 4.0, 0.5), [0.0, 30.0, 0.0]),
        ((200, 200, 200), (1.0, 1.0, 1.0), None),
    ],
)
def test_patches_of_thick_slices_turn_within_them(tmp_path, shape, spacing, angles):
    dataset = open_dataset(enlarge(write_msd(tmp_path / "msd", 4)))
    proposed = plan(figures(shape, spacing))
    made = config_of(dataset, proposed, "s.json")
    if angles is None:
        assert "augmentation" not in made and "Rotation" not in proposed.explain()
        return
    assert made["augmentation"] == {"affine": {"rotate_degrees": angles}}
    assert f"Rotation: only within the slices, because along {'RAS'[proposed.thick_axis]} voxels are 8 times longer" in proposed.explain()
    assert beyond_slices(made, tmp_path / "c.yaml") == 0
    del made["augmentation"]
    assert beyond_slices(made, tmp_path / "c.yaml") > 0.1


def test_patches_of_few_slices_turn_within_them():
    proposed = plan(figures((320, 320, 24)))
    assert proposed.thick_axis == 2 and "along S the patch is" in proposed.explain()
