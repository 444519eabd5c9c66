"""Cases and their names, records, the table and the page of a batch."""

import csv
import os
from dataclasses import replace
from html.parser import HTMLParser

import numpy as np
import pytest

from deepseg import cli
from deepseg.bundle import ModelBundle
from deepseg.cohort import index
from deepseg.cohort.cases import Case, find_cases
from deepseg.cohort.record import FAILED, FINISHED, Record, is_finished, key_of, prepare_folder, read_records, result_path, write_record
from deepseg.cohort.run_case import run_case
from deepseg.cohort.table import write_table
from deepseg.cohort.thumbnail import thumbnail
from deepseg.errors import DeepSegError, VolumeError
from deepseg.geometry import Geometry
from deepseg.io import read_volume, write_volume
from deepseg.volume import Label, LabelMap, Volume

SETTINGS = {"n4": False, "precision": "auto", "mirror": False}


def save_noise(path, shape=(24, 20, 22), seed=0):
    path.parent.mkdir(parents=True, exist_ok=True)
    array = np.random.default_rng(seed).normal(100, 20, (1, *shape)).astype(np.float32)
    write_volume(Volume(array, Geometry(shape, np.diag([1.5, 1.5, 1.5, 1.0]))), path)
    return path


@pytest.fixture
def two_inputs(tiny_spec):
    return replace(tiny_spec, inputs=(tiny_spec.inputs[0], replace(tiny_spec.inputs[0], name="FLAIR")))


def names(cases):
    return [case.name for case in cases]


def test_folders_are_searched_for_images_and_dicom_but_not_for_segmentations_or_results(tiny_spec, tmp_path):
    for name in ("b/scan.nii.gz", "a/scan.nrrd", "a/scan.seg.nrrd", "a/notes.txt", "out/old.nii.gz", ".hidden/x.nii.gz"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(b"x")
    (tmp_path / "series").mkdir()
    (tmp_path / "series" / "1").write_bytes(b"\0" * 128 + b"DICM")
    cases = find_cases([str(tmp_path)], tmp_path / "out", tiny_spec, {})
    assert [case.inputs for case in cases] == [(tmp_path / "a/scan.nrrd",), (tmp_path / "b/scan.nii.gz",), (tmp_path / "series",)]
    assert names(cases) == ["scan", "b_scan", "series"]


def test_linked_folders_are_searched_once(tiny_spec, tmp_path):
    (tmp_path / "store").mkdir()
    (tmp_path / "store" / "scan.nii.gz").write_bytes(b"x")
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "link").symlink_to(tmp_path / "store")
    (tmp_path / "store" / "back").symlink_to(tmp_path / "in")
    cases = find_cases([str(tmp_path / "in")], tmp_path / "out", tiny_spec, {})
    assert [case.inputs for case in cases] == [(tmp_path / "in" / "link" / "scan.nii.gz",)]


def test_images_beside_their_results_are_found(tiny_spec, tmp_path):
    for name in ("scan.nii.gz", "scan.seg.nrrd"):
        (tmp_path / name).write_bytes(b"x")
    assert names(find_cases([str(tmp_path)], tmp_path, tiny_spec, {})) == ["scan"]


def test_patterns_and_files_give_each_case_once(tiny_spec, tmp_path, monkeypatch):
    for name in ("1.nii.gz", "2.nii.gz", "3.nrrd"):
        (tmp_path / name).write_bytes(b"x")
    monkeypatch.chdir(tmp_path)
    cases = find_cases(["*.nii.gz", "2.nii.gz", str(tmp_path / "missing.nii.gz")], tmp_path / "out", tiny_spec, {})
    assert names(cases) == ["1", "2", "missing"], "a missing file is a case that will fail, not the end"
    with pytest.raises(VolumeError, match="There is no image in nothing"):
        find_cases(["nothing*"], tmp_path / "out", tiny_spec, {})


def test_cases_of_one_name_get_names_of_their_own_and_keep_them(tiny_spec, tmp_path):
    paths = [tmp_path / folder / "scan.nii.gz" for folder in ("a", "b", "c/a", "B")]
    first = find_cases(list(map(str, paths)), tmp_path, tiny_spec, {})
    assert names(first) == ["scan", "b_scan", "a_scan", "scan-2"], "names that differ in capitals alone are one on some systems"
    known = {tuple(map(str, case.inputs)): case.name for case in first}
    again = find_cases([str(tmp_path / "z/scan.nii.gz"), *map(str, reversed(paths))], tmp_path, tiny_spec, known)
    assert names(again) == ["z_scan", "scan-2", "a_scan", "b_scan", "scan"]


def test_a_list_names_cases_of_several_inputs(two_inputs, tmp_path):
    (tmp_path / "cases.csv").write_text("case,T1,FLAIR\nJané/1,t1.nii.gz,sub/flair.nrrd\n\n,t1.nii.gz,other.nrrd\n", encoding="utf-8-sig")
    cases = find_cases([str(tmp_path / "cases.csv")], tmp_path / "out", two_inputs, {})
    assert cases == [
        Case("Jané_1", (tmp_path / "t1.nii.gz", tmp_path / "sub/flair.nrrd")),
        Case("t1", (tmp_path / "t1.nii.gz", tmp_path / "other.nrrd")),
    ]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("T1\nx.nii.gz\n", r"has the columns T1; expected one for each image that the model tiny takes \(T1, FLAIR\)"),
        ("T1,FLAIR\nx.nii.gz\n", "Line 2 of the list .* has 1 cells"),
        ("T1,FLAIR\nx.nii.gz,\n", "Line 2 of the list .* some perhaps empty"),
        ("", "is empty"),
    ],
)
def test_a_list_that_does_not_fit_the_model_is_refused(text, says, two_inputs, tmp_path):
    (tmp_path / "cases.csv").write_text(text)
    with pytest.raises(VolumeError, match=says):
        find_cases([str(tmp_path / "cases.csv")], tmp_path, two_inputs, {})


def test_a_model_of_several_inputs_needs_a_list(two_inputs, tmp_path):
    with pytest.raises(VolumeError, match=r"takes 2 images a case \(T1, FLAIR\); list them in a CSV file"):
        find_cases([str(tmp_path)], tmp_path, two_inputs, {})


def test_a_case_is_done_as_long_as_its_files_model_settings_and_result_are_the_same(tiny_bundle, tmp_path):
    out, image = tmp_path / "out", save_noise(tmp_path / "scan.nii.gz")
    prepare_folder(out)
    case = Case("scan", (image,))
    key = key_of(case, tiny_bundle.sha256, SETTINGS)
    record = run_case(case, key, tiny_bundle, out, SETTINGS)
    assert (record.status, record.error) == (FINISHED, "")
    assert read_records(out) == {"scan": record}
    assert is_finished(record, key_of(case, tiny_bundle.sha256, SETTINGS), out)
    assert not is_finished(record, key_of(case, "another", SETTINGS), out)
    assert not is_finished(record, key_of(case, tiny_bundle.sha256, {**SETTINGS, "n4": True}), out)
    os.utime(image, ns=(1, 1))
    assert not is_finished(record, key_of(case, tiny_bundle.sha256, SETTINGS), out)
    result_path(out, "scan").unlink()
    assert not is_finished(record, key, out)


def test_a_record_that_cannot_be_read_counts_as_none(tmp_path):
    prepare_folder(tmp_path)
    (tmp_path / ".deepseg-batch" / "x.json").write_text('{"case": "x"')
    (tmp_path / ".deepseg-batch" / "y.json").write_text('{"case": "y", "of a newer DeepSeg": 1}')
    assert read_records(tmp_path) == {}


def test_flags_tell_empty_segments_and_those_at_the_border(tiny_bundle, tmp_path):
    prepare_folder(tmp_path)
    case = Case("scan", (save_noise(tmp_path / "scan.nii.gz"),))
    record = run_case(case, key_of(case, "", SETTINGS), tiny_bundle, tmp_path, SETTINGS)
    labels = np.asarray(read_volume(result_path(tmp_path, "scan")).array[0], int)
    for row in record.rows:
        mask = labels == row["value"]
        inner = mask[1:-1, 1:-1, 1:-1].sum()
        expected = ["empty"] if not mask.any() else ["touches the border"] if mask.sum() > inner else []
        assert row["flags"] == expected
        assert row["voxels"] == mask.sum()
        assert row["volume_ml"] == pytest.approx(mask.sum() * 1.5**3 / 1000, abs=1e-4)


@pytest.fixture
def records(tmp_path):
    prepare_folder(tmp_path)
    volume = Volume(np.arange(3000, dtype=np.float32).reshape(1, 10, 20, 15), Geometry((10, 20, 15), np.eye(4)))
    array = np.zeros((10, 20, 15), np.uint8)
    array[3:6, 4:9, 2:8] = 1
    picture = thumbnail(volume, LabelMap(array, volume.geometry, (Label(1, "<b>Front</b>", (1.0, 0.0, 0.0)),)))
    row = {"segment": "<b>Front</b>", "value": 1, "voxels": 90, "volume_ml": 0.09, "flags": ["touches the border"]}
    key = {"inputs": [['/data/<i>"x", y</i>.nii.gz', 1, 2]], "model": "", "settings": {}}
    good = Record('<script>alert("1")</script>', key, FINISHED, [row], ["A note & more."], 1.5, "", picture)
    return [good, Record("bad", key, FAILED, error="It is <broken>,\nquite.")]


def test_the_table_has_a_row_per_segment_and_one_per_failure(records, tmp_path):
    write_table(tmp_path, records)
    with (tmp_path / "segments.csv").open(newline="", encoding="utf-8-sig") as file:
        good, bad = csv.DictReader(file)
    assert (good["segment"], good["voxels"], good["volume_ml"], good["flags"]) == ("<b>Front</b>", "90", "0.09", "touches the border")
    assert (good["seconds"], good["error"], good["notes"]) == ("1.5", "", "A note & more.")
    assert (bad["case"], bad["segment"], bad["error"]) == ("bad", "", "It is <broken>,\nquite.")


class Page(HTMLParser):
    """Tags, texts and what would be loaded."""

    def __init__(self):
        super().__init__()
        self.tags, self.loaded, self.text = [], [], ""

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.loaded += [value for name, value in attrs if name in ("src", "href", "xlink:href") and tag not in ("a",)]

    def handle_data(self, data):
        self.text += data


def test_the_page_stands_alone_and_escapes_every_name(records, tiny_spec, tmp_path):
    index.write_index(tmp_path, records, tiny_spec)
    page = Page()
    page.feed((tmp_path / "index.html").read_text(encoding="utf-8"))
    assert not {"script", "i", "b", "broken", "link", "iframe"} & set(page.tags)
    assert "svg" in page.tags
    assert all(value.startswith("data:image/png;base64,") for value in page.loaded)
    for words in ('<script>alert("1")</script>', "<b>Front</b>", "0.09 mL", "touches the border", "A note & more.", "It is <broken>,"):
        assert words in page.text


def test_a_thumbnail_of_a_large_volume_stays_small():
    array = np.random.default_rng(0).normal(size=(1, 700, 600, 3)).astype(np.float32)
    volume = Volume(array, Geometry((700, 600, 3), np.diag([0.5, 0.5, 2.0, 1.0])))
    empty = LabelMap(np.zeros((700, 600, 3), np.uint8), volume.geometry, (Label(1, "x", (1.0, 0.0, 0.0)),))
    assert 1000 < len(thumbnail(volume, empty)) < 60_000


def test_without_the_report_extra_there_is_a_table_and_a_sentence(tiny_bundle, tmp_path, monkeypatch, capsys):
    def lacking(module):
        raise DeepSegError(f"A report needs the Python package {module}, which is missing. Install DeepSeg with its 'report' extra.")

    monkeypatch.setattr(index, "need", lacking)
    image = save_noise(tmp_path / "scan.nii.gz")
    assert cli.main(["batch", str(image), "-m", str(tiny_bundle.folder), "-o", str(tmp_path / "out")]) == 0
    assert "No index.html: A report needs the Python package jinja2" in capsys.readouterr().out
    assert (tmp_path / "out" / "segments.csv").exists()
    assert not (tmp_path / "out" / "index.html").exists()


def test_a_file_that_no_batch_made_is_never_overwritten(tiny_bundle, tmp_path, capsys):
    image = save_noise(tmp_path / "scan.nii.gz")
    (tmp_path / "scan.seg.nrrd").write_text("drawn by hand")
    assert cli.main(["batch", str(image), "-m", str(tiny_bundle.folder), "-o", str(tmp_path)]) == 3
    capsys.readouterr()
    assert (tmp_path / "scan.seg.nrrd").read_text() == "drawn by hand"
    assert "was not made by this batch" in (tmp_path / "segments.csv").read_text(encoding="utf-8-sig")


def test_a_model_of_two_inputs_runs_from_a_list_and_tells_what_was_resampled(two_inputs, tiny_weights, tmp_path, capsys):
    kwargs = {**two_inputs.network.kwargs, "in_channels": 2}
    spec = replace(two_inputs, network=replace(two_inputs.network, kwargs=kwargs))
    weights = {
        name: tensor.repeat(1, 2, 1, 1, 1) if tensor.shape[1:2] == (1,) and tensor.ndim == 5 else tensor for name, tensor in tiny_weights.items()
    }
    bundle = ModelBundle.save(tmp_path / "model", spec, {"model.safetensors": weights}, "# Two\n", "CC0\n")
    save_noise(tmp_path / "t1.nii.gz")
    save_noise(tmp_path / "flair.nii.gz", (30, 30, 20), seed=1)
    (tmp_path / "cases.csv").write_text("T1,FLAIR\nt1.nii.gz,flair.nii.gz\nt1.nii.gz,missing.nii.gz\n")
    assert cli.main(["batch", str(tmp_path / "cases.csv"), "-m", str(bundle.folder), "-o", str(tmp_path / "out")]) == 3
    table = (tmp_path / "out" / "segments.csv").read_text(encoding="utf-8-sig")
    assert "'flair.nii.gz' (30 x 30 x 20 voxels of 1.5 x 1.5 x 1.5 mm) was resampled to the grid of 't1.nii.gz'" in table
    assert "There is no file or folder" in table

    one = [str(tmp_path / "t1.nii.gz"), "-m", str(bundle.folder), "-o", str(tmp_path / "one.seg.nrrd")]
    assert cli.main(["segment", *one]) == 2
    assert "1 image was given; the model tiny takes 2, in this order: T1 (MR), FLAIR (MR)." in capsys.readouterr().err
    assert cli.main(["segment", str(tmp_path / "t1.nii.gz"), str(tmp_path / "flair.nii.gz"), "--n4", *one[1:]]) == 0
    told = capsys.readouterr().out
    assert "Note: 'flair.nii.gz'" in told
    assert "Note: The bias field was corrected by N4." in told
    header = (tmp_path / "one.seg.nrrd").read_bytes().split(b"\n\n", 1)[0].decode()
    assert "DeepSeg.Preparation:='flair.nii.gz' (30 x 30 x 20 voxels" in header
    assert header.count("The bias field was corrected by N4.") == 1
    batch, single = read_volume(tmp_path / "out" / "t1.seg.nrrd"), read_volume(tmp_path / "one.seg.nrrd")
    assert batch.geometry.is_close(single.geometry)


def test_a_record_is_written_and_read_back(tmp_path, records):
    write_record(tmp_path, replace(records[1], case="plain"))
    assert read_records(tmp_path)["plain"].error == "It is <broken>,\nquite."
