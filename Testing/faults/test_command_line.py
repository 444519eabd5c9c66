"""Bad input on the command line: one clear sentence, exit code 2, no traceback, no half-written file."""

import json
import shutil
import subprocess
import sys

import nibabel
import numpy as np
import pytest
import SimpleITK as sitk

from deepseg import api, cli

MODEL = "hippocampus-mr"


def write_nifti(path, array):
    nibabel.save(nibabel.Nifti1Image(array, np.eye(4)), path)


@pytest.fixture
def image(tmp_path):
    """A small noise volume with corners at RAS 0 and 39 x 44 x 35 mm."""
    path = tmp_path / "image.nii.gz"
    write_nifti(path, np.random.default_rng(0).normal(100, 20, (40, 45, 36)).astype(np.float32))
    return path


def segment(capsys, image, output, *more, model=MODEL):
    """Run the command; returns exit code and standard error."""
    code = cli.main(["segment", str(image), "-m", str(model), "-o", str(output), *map(str, more)])
    return code, capsys.readouterr().err


def assert_refused(code, said, output, *words):
    assert code == 2
    assert said.startswith("deepseg: ")
    assert said.count("\n") == 1
    assert "Traceback" not in said
    for word in words:
        assert word in said
    assert not output.exists()
    assert not [path for path in output.parent.iterdir() if path.name.startswith(".deepseg")] if output.parent.is_dir() else True


def colour_nrrd(path):
    sitk.WriteImage(sitk.GetImageFromArray(np.zeros((5, 6, 7, 3), np.uint8), isVector=True), str(path))


def flat_png(path):
    sitk.WriteImage(sitk.GetImageFromArray(np.zeros((6, 7), np.uint8)), str(path))


def with_value(value):
    def write(path):
        array = np.ones((8, 9, 10), np.float32)
        array[3, 4, 5] = value
        write_nifti(path, array)

    return write


BAD_IMAGES = {
    "text.nii.gz": (lambda path: path.write_text("hello"), "cannot be read as an image"),
    "empty.nrrd": (lambda path: path.write_bytes(b""), "cannot be read as an image"),
    "flat.png": (flat_png, "2 dimensions"),
    "flat.nii.gz": (lambda path: write_nifti(path, np.zeros((6, 7), np.float32)), "dimensions"),
    "colour.nrrd": (colour_nrrd, "3 values per voxel"),
    "series.nii.gz": (lambda path: write_nifti(path, np.zeros((5, 6, 7, 3), np.float32)), "four dimensions"),
    "nan.nii.gz": (with_value(np.nan), "1 voxels that are not numbers"),
    "infinite.nii.gz": (with_value(np.inf), "1 voxels that are not numbers"),
}


@pytest.mark.parametrize("name", BAD_IMAGES)
def test_an_image_that_is_no_volume_is_refused(capsys, tmp_path, name):
    write, word = BAD_IMAGES[name]
    write(tmp_path / name)
    output = tmp_path / "out.seg.nrrd"
    assert_refused(*segment(capsys, tmp_path / name, output), output, name, word)


def test_a_missing_file_is_refused(capsys, tmp_path):
    output = tmp_path / "out.seg.nrrd"
    assert_refused(*segment(capsys, tmp_path / "nowhere.nii.gz", output), output, "nowhere.nii.gz", "no file")


def test_an_empty_folder_is_refused(capsys, tmp_path):
    (tmp_path / "folder").mkdir()
    output = tmp_path / "out.seg.nrrd"
    assert_refused(*segment(capsys, tmp_path / "folder", output), output, "no DICOM series")


@pytest.mark.parametrize(
    ("corners", "word"),
    [
        ((5, 5, 5, 5, 20, 20), "longer than 0 mm"),
        ((100, 100, 100, 140, 140, 140), "holds no voxel"),
        ((5.2, 5.2, 5.2, 5.8, 5.8, 5.8), "holds no voxel"),
        (("nan", 0, 0, 10, 10, 10), "finite"),
    ],
)
def test_a_region_of_interest_without_voxels_is_refused(capsys, tmp_path, image, corners, word):
    output = tmp_path / "out.seg.nrrd"
    assert_refused(*segment(capsys, image, output, "--roi", *corners), output, word)


def test_an_unknown_ending_is_refused_before_any_work(capsys, tmp_path, image):
    output = tmp_path / "out.docx"
    assert_refused(*segment(capsys, image, output), output, ".seg.nrrd")


def test_the_image_itself_is_never_overwritten(capsys, image):
    before = image.read_bytes()
    code, said = segment(capsys, image, image)
    assert (code, image.read_bytes()) == (2, before)
    assert "is the image itself" in said


def test_a_missing_output_folder_is_refused(capsys, tmp_path, image):
    output = tmp_path / "nowhere" / "out.seg.nrrd"
    assert_refused(*segment(capsys, image, output), output, "does not exist")


def test_an_unknown_model_is_refused_with_those_there_are(capsys, tmp_path, image):
    output = tmp_path / "out.seg.nrrd"
    assert_refused(*segment(capsys, image, output, model="spleen"), output, "no model 'spleen'", MODEL)


def missing_weights(model):
    (model / "models" / "model.safetensors").unlink()


def truncated_weights(model):
    path = model / "models" / "model.safetensors"
    path.write_bytes(path.read_bytes()[:1000])


def altered_weights(model):
    path = model / "models" / "model.safetensors"
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)


def schema_from_the_future(model):
    path = model / "configs" / "metadata.json"
    metadata = json.loads(path.read_text(encoding="utf-8"))
    metadata["deepseg"]["schema_version"] = 99
    path.write_text(json.dumps(metadata), encoding="utf-8")


@pytest.mark.parametrize(
    ("damage", "word"),
    [(missing_weights, "lacks its weight file"), (truncated_weights, "damaged"), (altered_weights, "damaged"), (schema_from_the_future, "schema 99")],
)
def test_a_damaged_model_is_refused(capsys, tmp_path, image, damage, word):
    model = tmp_path / "model"
    shutil.copytree(api.find_model(MODEL), model)
    damage(model)
    output = tmp_path / "out.seg.nrrd"
    assert_refused(*segment(capsys, image, output, model=model), output, word)


def test_a_failed_run_leaves_an_older_result_as_it_was(capsys, tmp_path):
    output = tmp_path / "out.seg.nrrd"
    output.write_bytes(b"an older result")
    code, _ = segment(capsys, tmp_path / "nowhere.nii.gz", output)
    assert code == 2
    assert output.read_bytes() == b"an older result"


def test_the_installed_command_segments_and_says_what_it_wrote(tmp_path, image):
    output = tmp_path / "out.seg.nrrd"
    run = [sys.executable, "-m", "deepseg.cli", "segment", image, "-m", MODEL, "-o", output, "--roi", "2", "2", "2", "37", "42", "33"]
    done = subprocess.run(list(map(str, run)), capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert f"Written: {output}" in done.stdout
    assert "Anterior hippocampus:" in done.stdout
    assert sitk.ReadImage(str(output)).GetSize() == (40, 45, 36)


def test_models_and_info_tell_about_the_shipped_model(capsys):
    assert cli.main(["models"]) == 0
    assert MODEL in capsys.readouterr().out
    assert cli.main(["info", MODEL]) == 0
    told = capsys.readouterr().out
    for word in ("not for clinical use", "CC-BY-SA", "Anterior hippocampus: Dice 0."):
        assert word in told


def test_a_segmentation_that_is_there_is_kept_under_another_name(image, tiny_bundle, tmp_path, capsys):
    output = tmp_path / "mine.seg.nrrd"
    for earlier in ("mine.earlier.seg.nrrd", "mine.earlier-2.seg.nrrd"):
        output.write_bytes(earlier.encode())
        assert cli.main(["segment", str(image), "-m", str(tiny_bundle.folder), "-o", str(output)]) == 0
        assert f"the file that was there is now {earlier}" in capsys.readouterr().out
        assert (tmp_path / earlier).read_bytes() == earlier.encode()
        assert output.stat().st_size > 500


def test_an_empty_segment_is_said_to_be_empty(image, tiny_bundle, tmp_path, capsys, monkeypatch):
    given = api.segment

    def nothing(*arguments, **options):
        found = given(*arguments, **options)
        found.labels.array[...] = 0
        return found

    monkeypatch.setattr(api, "segment", nothing)
    assert cli.main(["segment", str(image), "-m", str(tiny_bundle.folder), "-o", str(tmp_path / "out.seg.nrrd")]) == 0
    assert "0.00 mL, empty" in capsys.readouterr().out
