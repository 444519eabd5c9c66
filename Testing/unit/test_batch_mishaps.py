"""What befalls batches: odd names, tables held open, a second batch, another model, files that others leave behind."""

import csv
import os
import subprocess
import sys

import numpy as np
import pytest

from deepseg import cli
from deepseg.cohort import record as records
from deepseg.cohort.cases import Case, find_cases
from deepseg.cohort.record import FINISHED, RUNNING, Record, begin_case, key_of, own_folder, read_record, result_path, write_record
from deepseg.cohort.table import write_table
from deepseg.errors import OutputError
from deepseg.geometry import Geometry
from deepseg.io import write_volume
from deepseg.volume import Volume

SETTINGS = {"n4": False, "precision": "auto", "mirror": False}
KEY = {"inputs": [["/data/scan.nii.gz", 1, 2]], "model": "a", "settings": SETTINGS}
LATIN_1 = os.fsdecode(b"M\xfcller.nii.gz")


@pytest.fixture
def an_image(tmp_path):
    array = np.random.default_rng(0).normal(100, 20, (1, 24, 20, 22)).astype(np.float32)
    write_volume(Volume(array, Geometry((24, 20, 22), np.diag([1.5, 1.5, 1.5, 1.0]))), tmp_path / "scan.nii.gz")
    return tmp_path / "scan.nii.gz"


@pytest.fixture
def a_badly_named_image(an_image, tmp_path):
    """A file whose name is in Latin-1 on a system of UTF-8."""
    try:
        (tmp_path / LATIN_1).write_bytes(an_image.read_bytes())
    except (OSError, UnicodeEncodeError):
        pytest.skip("this file system takes no such name")
    return tmp_path / LATIN_1


def table(out):
    with (out / "segments.csv").open(newline="", encoding="utf-8-sig") as file:
        return list(csv.DictReader(file))


def words(images, bundle, out):
    return ["batch", str(images), "-m", str(bundle.folder), "-o", str(out)]


def test_a_badly_encoded_name_costs_its_case_alone(a_badly_named_image, tiny_bundle, tmp_path):
    (tmp_path / "\u6f22.nii.gz").write_text("no image")
    command = [sys.executable, "-m", "deepseg.cli", *words(tmp_path, tiny_bundle, tmp_path / "out")]
    batch = subprocess.run(command, capture_output=True, env=os.environ | {"PYTHONIOENCODING": "cp1252"}, timeout=300)
    assert batch.returncode == 3, batch.stderr
    assert b"Traceback" not in batch.stderr
    assert b"1 of 3 cases done." in batch.stdout
    assert b"\\u6f22: " in batch.stdout, "a terminal that lacks the letters shows their numbers"
    errors = {row["case"]: row["error"] for row in table(tmp_path / "out")}
    assert set(errors) == {"scan", "M_ller", "\u6f22"}
    assert errors["scan"] == ""
    assert "M\\udcfcller.nii.gz is not in UTF-8, so it cannot be opened. Rename" in errors["M_ller"]
    assert "M\\udcfcller.nii.gz" in (tmp_path / "out" / "index.html").read_text(encoding="utf-8")


def test_one_image_with_a_badly_encoded_name_is_refused_in_a_sentence(a_badly_named_image, tiny_bundle, tmp_path):
    """ITK would end the process; a subprocess shows that it does not."""
    out = str(tmp_path / "out.nii.gz").encode()
    segment = [sys.executable.encode(), b"-m", b"deepseg.cli", b"segment", os.fsencode(a_badly_named_image), b"-m", str(tiny_bundle.folder).encode()]
    for command in ([*segment, b"-o", out], [*segment, b"-o", str(tmp_path).encode() + b"/\xfc.nii.gz"]):
        done = subprocess.run(command, capture_output=True, timeout=300)
        assert done.returncode == 2, done.stderr
        assert b"is not in UTF-8" in done.stderr
        assert b"Traceback" not in done.stderr


def test_a_badly_encoded_name_is_kept_in_the_record(a_badly_named_image, tiny_spec, tmp_path):
    (case,) = find_cases([str(a_badly_named_image)], tmp_path, tiny_spec, {})
    assert case.name == "M_ller"
    with own_folder(tmp_path):
        write_record(tmp_path, Record(case.name, key_of(case, "a", SETTINGS), FINISHED))
    assert read_record(tmp_path, "M_ller").inputs == (str(a_badly_named_image),)


@pytest.mark.parametrize("lost", ["segments.csv", "index.html"])
def test_a_table_or_page_that_cannot_be_written_costs_neither_the_other_nor_the_count(lost, an_image, tiny_bundle, tmp_path, capsys):
    out = tmp_path / "out"
    (out / lost).mkdir(parents=True)
    assert cli.main(words(an_image, tiny_bundle, out)) == 3
    told = capsys.readouterr().out
    (kept,) = {"segments.csv", "index.html"} - {lost}
    assert f"No new {lost}: Cannot write {out / lost}" in told
    assert f"1 of 1 cases done. Written: {out / kept}\n" in told
    assert (out / kept).is_file()

    (out / lost).rmdir()
    assert cli.main(words(an_image, tiny_bundle, out)) == 0
    assert "1 of 1 cases are done already" in capsys.readouterr().out
    assert (out / lost).is_file()


def test_a_folder_that_a_batch_works_in_is_refused_until_it_has_ended(an_image, tiny_bundle, tmp_path, capsys):
    out = tmp_path / "out"
    with own_folder(out):
        (out / ".deepseg-half.nrrd").write_text("half")
        assert cli.main(words(an_image, tiny_bundle, out)) == 2
        assert (out / ".deepseg-half.nrrd").exists(), "the first batch writes this file"
    assert "Another batch is at work in" in capsys.readouterr().err
    with own_folder(out):
        assert not (out / ".deepseg-half.nrrd").exists(), "a dead batch left this file"


def test_no_text_of_others_becomes_a_formula(tmp_path):
    texts = ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1"]
    rows = [{"segment": text, "value": 1, "voxels": 8, "volume_ml": -0.5, "flags": []} for text in texts]
    name = '=HYPERLINK("x")'
    write_table(tmp_path, [Record(name, {"inputs": [["@x.nii.gz", 1, 2]]}, FINISHED, rows, ["-note"], 1.5), Record("M\u00fcller", KEY, RUNNING)])
    *dangerous, plain = table(tmp_path)
    assert [row["segment"] for row in dangerous] == [f"'{text}" for text in texts]
    for row in dangerous:
        assert (row["case"], row["input"], row["notes"], row["result"]) == (f"'{name}", "'@x.nii.gz", "'-note", f"'{name}.seg.nrrd")
        assert (row["value"], row["volume_ml"], row["seconds"]) == ("1", "-0.5", "1.5"), "numbers stay numbers"
    assert (plain["case"], plain["error"]) == ("M\u00fcller", "not finished")
    assert (tmp_path / "segments.csv").read_bytes().startswith(b"\xef\xbb\xbfcase,"), "the mark by which spreadsheets know UTF-8"


def test_a_result_of_another_file_or_model_does_not_pass_for_one_that_failed(an_image, tiny_bundle, tmp_path, capsys):
    out = tmp_path / "out"
    assert cli.main(words(an_image, tiny_bundle, out)) == 0
    first = result_path(out, "scan").read_bytes()
    an_image.write_text("no image")
    for _ in range(2):
        assert cli.main(words(an_image, tiny_bundle, out)) == 3
        assert not result_path(out, "scan").exists()
        assert (out / "scan.earlier.seg.nrrd").read_bytes() == first
    capsys.readouterr()
    (row,) = table(out)
    assert "cannot be read as an image" in row["error"]


def test_results_that_are_set_aside_are_all_kept_and_a_run_that_goes_on_sets_none_aside(tmp_path):
    with own_folder(tmp_path):
        for model in ("a", "b", "c"):
            begin_case(tmp_path, "scan", {**KEY, "model": model})
            result_path(tmp_path, "scan").write_text(model)
        begin_case(tmp_path, "scan", {**KEY, "model": "c"})
    assert {path.name: path.read_text() for path in tmp_path.glob("*.seg.nrrd")} == {
        "scan.earlier.seg.nrrd": "a",
        "scan.earlier-2.seg.nrrd": "b",
        "scan.seg.nrrd": "c",
    }


def test_a_result_that_cannot_be_set_aside_costs_its_case_alone_and_keeps_its_record(an_image, tiny_bundle, tmp_path, capsys, monkeypatch):
    def held_open(path):
        raise OutputError(f"Cannot rename {path}: Permission denied. Is it open in another program?")

    out = tmp_path / "out"
    with own_folder(out):
        write_record(out, Record("scan", {**KEY, "inputs": [[str(an_image), 1, 2]]}, FINISHED))
        result_path(out, "scan").write_text("earlier")
    (tmp_path / "other.nii.gz").write_bytes(an_image.read_bytes())
    monkeypatch.setattr(records, "set_aside", held_open)
    assert cli.main(words(tmp_path / "*.nii.gz", tiny_bundle, out)) == 3
    assert "scan: Cannot rename" in capsys.readouterr().out
    assert {row["case"] for row in table(out) if not row["error"]} == {"other"}
    assert result_path(out, "scan").read_text() == "earlier"
    assert read_record(out, "scan").key["model"] == "a", "so the next run tries to set it aside again"


def test_what_file_managers_leave_in_a_folder_changes_no_case(tmp_path):
    (tmp_path / "series").mkdir()
    (tmp_path / "series" / "1.dcm").write_bytes(b"slice")
    case = Case("series", (tmp_path / "series",))
    before = key_of(case, "", SETTINGS)
    for name in (".DS_Store", "._1.dcm", "Thumbs.db", "desktop.ini"):
        (tmp_path / "series" / name).write_bytes(b"x")
    assert key_of(case, "", SETTINGS) == before
    (tmp_path / "series" / "2.dcm").write_bytes(b"slice")
    assert key_of(case, "", SETTINGS) != before
