"""A patient is in one part only, whatever the draw; strata and sites are kept in proportion."""

import json
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest

from deepseg_train.commands.split import file_names
from deepseg_train.data import open_dataset
from deepseg_train.data.cases import Case
from deepseg_train.data.split import FRACTIONS, draw_split, k_folds, leave_one_site_out, load_split, save_split
from deepseg_train.errors import DatasetError

from .conftest import hippocampus, needs_hippocampus

SHIPPED = Path(__file__).parents[2] / "configs" / "hippocampus_split.json"
COMMITTED = json.loads(SHIPPED.read_text(encoding="utf-8"))["parts"]


def make(patients: int, scans: int = 1, sites: str = "") -> list[Case]:
    """Cases of patients p00, p01, ...; patient n is of site number n modulo their count."""
    return [
        Case(f"p{n:02}-{scan}", f"p{n:02}", (Path("i"),), Path("l"), {"site": sites[n % len(sites)]} if sites else {})
        for n in range(patients)
        for scan in range(scans)
    ]


def patients_of(parts):
    return {part: {case.patient for case in cases} for part, cases in parts.items()}


def assert_whole(parts, cases):
    """Every case is in one part, and so is every patient."""
    assert sorted(case.name for part in parts.values() for case in part) == sorted(case.name for case in cases)
    assert sum(len(found) for found in patients_of(parts).values()) == len({case.patient for case in cases})


def test_the_committed_split_puts_each_of_208_patients_in_one_part():
    names = [name for part in COMMITTED.values() for name in part]
    assert {part: len(members) for part, members in COMMITTED.items()} == {"train": 134, "validation": 12, "calibrate": 31, "test": 31}
    assert len(set(names)) == 208


def test_the_committed_split_is_the_one_its_seed_draws():
    cases = [Case(name, name, (), Path()) for part in COMMITTED.values() for name in part]
    drawn = draw_split(cases[::-1], {part: len(members) for part, members in COMMITTED.items()}, seed=2026)
    assert {part: [case.name for case in found] for part, found in drawn.items()} == COMMITTED


@needs_hippocampus
def test_the_committed_split_fits_the_dataset():
    parts = load_split(SHIPPED, open_dataset(hippocampus()).cases)
    assert {part: [case.name for case in cases] for part, cases in parts.items()} == COMMITTED


@pytest.mark.parametrize("stratify", [None, "site"])
def test_patients_stay_whole(stratify):
    cases = make(40, 3, "AAB")
    parts = draw_split(cases, FRACTIONS, 1, stratify)
    assert_whole(parts, cases)
    assert {part: len(found) for part, found in patients_of(parts).items()} == {"train": 26, "validation": 2, "calibrate": 6, "test": 6}


def test_another_seed_draws_another_split_and_the_same_one_the_same():
    cases = make(30)
    assert draw_split(cases, FRACTIONS, 1) == draw_split(cases[::-1], FRACTIONS, 1) != draw_split(cases, FRACTIONS, 2)


@pytest.mark.parametrize("seed", range(5))
def test_strata_are_kept_in_proportion(seed):
    parts = draw_split(make(100, 1, "AAABB"), {"train": 0.5, "validation": 0.1, "calibrate": 0.2, "test": 0.2}, seed, "site")
    for part, size in {"train": 50, "validation": 10, "calibrate": 20, "test": 20}.items():
        found = Counter(case.columns["site"] for case in parts[part])
        assert abs(found["A"] - 0.6 * size) <= 1 and found["A"] + found["B"] == size
    # Not only the order of names: a draw without strata is further off for some seed.
    off = [abs(sum(case.columns["site"] == "A" for case in draw_split(make(100, 1, "AAABB"), FRACTIONS, n)["test"]) - 9) for n in range(20)]
    assert max(off) > 1


def test_numbers_that_nearly_every_patient_has_alone_are_kept_in_proportion_by_quarters():
    """Ages 20 to 99, in an order that has nothing to do with the patients' names; those of a patient with two scans count by their mean."""
    ages = {f"p{n:02}": 20 + 37 * n % 80 for n in range(80)}
    cases = [replace(case, columns={"age": str(ages[case.patient])}) for case in make(80)]
    cases += [replace(case, name=f"{case.name}-later", columns={"age": str(int(case.columns["age"]) + 0.5)}) for case in cases[::7]]

    def off(stratify: str | None) -> int:
        """The most patients of a quarter that a part of 20 has too few or too many, in ten draws."""
        sizes = {"train": 0.25, "validation": 0.25, "calibrate": 0.25, "test": 0.25}
        drawn = (part for seed in range(10) for part in patients_of(draw_split(cases, sizes, seed, stratify)).values())
        counts = (Counter((ages[patient] - 20) // 20 for patient in part) for part in drawn)
        return max(abs(count[quarter] - 5) for count in counts for quarter in range(4))

    assert off("age") <= 1 < off(None)


def test_values_that_are_no_numbers_stay_strata_however_many_there_are():
    sites = [replace(case, columns={"site": f"S{n % 30}"}) for n, case in enumerate(make(60))]
    for parts in (draw_split(sites, {"train": 0.5, "test": 0.5}, seed, "site") for seed in range(3)):
        assert len({case.columns["site"] for case in parts["test"]}) == 30


def test_every_part_with_a_fraction_has_a_patient():
    assert {part: len(cases) for part, cases in draw_split(make(5), FRACTIONS, 0).items()} == {"train": 2, "validation": 1, "calibrate": 1, "test": 1}
    with pytest.raises(DatasetError, match="3 patients are too few for 4 parts"):
        draw_split(make(3), FRACTIONS, 0)


@pytest.mark.parametrize(
    "sizes, message",
    [
        ({"train": 5, "test": 4}, "add up to 9 patients; the dataset has 10"),
        ({"train": 0.5, "test": 0.4}, "add up to 0.9; expected 1"),
        ({"train": 1.5, "test": -0.5}, "none below 0"),
        ({"train": 0.5, "tset": 0.5}, "no part tset"),
    ],
)
def test_sizes_that_do_not_fit_are_refused(sizes, message):
    with pytest.raises(DatasetError, match=message):
        draw_split(make(10), sizes, 0)


def test_a_column_that_is_not_there_is_refused():
    with pytest.raises(DatasetError, match=r"no value in the column 'site' \(its columns: none\)"):
        draw_split(make(10), FRACTIONS, 0, "site")


@pytest.mark.parametrize("stratify", [None, "site"])
def test_folds_test_every_patient_once(stratify):
    cases = make(23, 2, "AAB")
    tested = []
    for number, (name, parts) in enumerate(k_folds(cases, 5, 3, stratify), 1):
        assert name == f"fold-{number}"
        assert_whole(parts, cases)
        assert all(parts.values())
        assert len(parts["test"]) in (8, 10)
        tested += [case.name for case in parts["test"]]
        if stratify:
            assert 2 <= len({case.patient for case in parts["test"] if case.columns["site"] == "A"}) <= 4
    assert sorted(tested) == sorted(case.name for case in cases)


def test_folds_need_as_many_patients():
    with pytest.raises(DatasetError, match="6 folds of 5 patients"):
        list(k_folds(make(5), 6, 0))


def test_each_site_is_left_out_once():
    cases = make(30, 2, "ABC")
    found = dict(leave_one_site_out(cases, "site", 0))
    assert list(found) == ["A", "B", "C"]
    for site, parts in found.items():
        assert_whole(parts, cases)
        assert {case.columns["site"] for case in parts["test"]} == {site}
        assert len(parts["test"]) == 20
        for part in ("train", "validation", "calibrate"):
            assert {case.columns["site"] for case in parts[part]} == set("ABC") - {site}


def test_sites_that_cannot_be_left_out_are_refused():
    with pytest.raises(DatasetError, match="the same value of 'site'"):
        list(leave_one_site_out(make(9, 1, "A"), "site", 0))
    moved = [*make(9, 1, "AB"), Case("p00-again", "p00", (), Path(), {"site": "B"})]
    with pytest.raises(DatasetError, match=r"1 patients have several values of 'site'.*p00"):
        list(leave_one_site_out(moved, "site", 0))


def test_a_saved_split_is_loaded_and_never_overwritten(tmp_path):
    cases = make(10, 2)
    parts, path = draw_split(cases, FRACTIONS, 4), tmp_path / "split.json"
    save_split(path, parts, "at random", 4, "Ten patients")
    assert load_split(path, cases[::-1]) == parts
    told = json.loads(path.read_text(encoding="utf-8"))
    assert set(told) == {*json.loads(SHIPPED.read_text(encoding="utf-8")), "patients"}
    assert told["patients"] == {case.name: case.patient for case in cases}
    assert told["drawn"]["seed"] == 4
    assert told["drawn"]["patients"] == {part: len(found) for part, found in patients_of(parts).items()}
    assert told["drawn"]["cases"] == {part: len(found) for part, found in parts.items()}
    with pytest.raises(DatasetError, match="never overwritten"):
        save_split(path, parts, "at random", 5, "Ten patients")


def test_a_split_remembers_its_patients(tmp_path):
    """The dataset is opened again by somebody who does not say whose the cases are."""
    cases = make(10, 2)
    alone = [replace(case, patient=case.name) for case in cases]
    save_split(tmp_path / "split.json", parts := draw_split(cases, FRACTIONS, 4), "at random", 4, "Ten patients")
    assert load_split(tmp_path / "split.json", alone) == parts
    save_split(tmp_path / "alone.json", draw_split(alone, FRACTIONS, 4), "at random", 4, "Twenty patients")
    assert "patients" not in json.loads((tmp_path / "alone.json").read_text(encoding="utf-8"))
    told = json.loads((tmp_path / "split.json").read_text(encoding="utf-8"))
    told["parts"]["test"].append(told["parts"]["train"].pop(0))
    (tmp_path / "moved.json").write_text(json.dumps(told), encoding="utf-8")
    with pytest.raises(DatasetError, match="1 patients in more than one part"):
        load_split(tmp_path / "moved.json", alone)


def test_sites_with_one_file_name_are_numbered():
    assert file_names(["St. A", "St/ A", "St- A", "st. a", "B"]) == {
        "St. A": "St.-A",
        "St/ A": "St--A",
        "St- A": "St--A-2",
        "st. a": "st.-a-2",
        "B": "B",
    }


@pytest.mark.parametrize(
    "train, validation, message",
    [
        (["p00-0", "p01-0"], ["p01-0"], "more than once: p01-0"),
        (["p00-0"], ["p00-1"], r"1 patients in more than one part: p00 \(train, validation\)"),
        (["p77-0"], [], "1 cases that the dataset lacks: p77-0"),
    ],
)
def test_splits_that_leak_or_do_not_fit_are_refused(tmp_path, train, validation, message):
    (tmp_path / "split.json").write_text(json.dumps({"parts": {"train": train, "validation": validation, "calibrate": [], "test": []}}))
    with pytest.raises(DatasetError, match=message):
        load_split(tmp_path / "split.json", make(2, 2))


@pytest.mark.parametrize("text", ["{", "{}", "[]", '{"parts": []}', '{"parts": {}, "patients": 3}', '{"parts": {"train": 3}}'])
def test_files_that_are_no_split_are_refused(tmp_path, text):
    (tmp_path / "split.json").write_text(text)
    with pytest.raises(DatasetError, match="cannot be read"):
        load_split(tmp_path / "split.json", [])


def test_a_split_that_is_not_there_is_named(tmp_path):
    with pytest.raises(DatasetError, match=r"There is no split file .*split\.json\. `deepseg-train plan`"):
        load_split(tmp_path / "split.json", [])
