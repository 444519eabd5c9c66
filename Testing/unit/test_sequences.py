"""Sequences written by nibabel and by hand, read frame by frame; label maps over time read back by nibabel."""

import nibabel as nib
import numpy as np
import pytest
import SimpleITK as sitk

from deepseg import api, cli
from deepseg.errors import OutputError, VolumeError
from deepseg.geometry import Geometry
from deepseg.io import write_label_frames, write_volume
from deepseg.sequences import read_sequence
from deepseg.volume import Label, LabelMap, Volume
from phantoms import awkward_grid

SHAPE, COUNT = (18, 20, 16), 4
GRID = awkward_grid(SHAPE, (1.5, 1.4, 1.6))
FRAMES = np.random.default_rng(0).normal(100, 20, (COUNT, *SHAPE)).astype(np.float32)


def save_nifti(path, step=0.04, start=0.0, units="sec"):
    image = nib.Nifti1Image(np.moveaxis(FRAMES, 0, -1), GRID.ijk_to_ras)
    image.header.set_zooms((1.5, 1.4, 1.6, step))
    image.header.set_xyzt_units("mm", units)
    image.header["toffset"] = start
    nib.save(image, path)
    return path


def save_nrrd(path):
    image = sitk.JoinSeries([_sitk(frame) for frame in FRAMES], 0.25, 0.5)
    sitk.WriteImage(image, str(path))
    return path


def save_slicer_sequence(path, frames_first=True, times="0 0.1 0.3 0.35"):
    """A .seq.nrrd as Slicer writes it: the frames along an axis of the kind 'list'."""
    directions = [f"({','.join(repr(float(v)) for v in column)})" for column in (np.diag([-1, -1, 1]) @ GRID.ijk_to_ras[:3, :3]).T]
    origin = np.diag([-1, -1, 1]) @ GRID.ijk_to_ras[:3, 3]
    lists = [["list", "none", str(COUNT)], *(["domain", d, str(n)] for d, n in zip(directions, SHAPE, strict=True))]
    lists = lists if frames_first else [*lists[1:], lists[0]]
    kinds, vectors, sizes = (" ".join(part[n] for part in lists) for n in range(3))
    header = [
        *("NRRD0005", "type: float", "dimension: 4", "space: left-posterior-superior", f"sizes: {sizes}", f"space directions: {vectors}"),
        *(f"kinds: {kinds}", "endian: little", "encoding: raw", f"space origin: ({','.join(repr(float(v)) for v in origin)})"),
        *("axis 0 index type:=numeric", f"axis 0 index values:={times}"),
    ]
    array = FRAMES if frames_first else np.moveaxis(FRAMES, 0, -1)
    path.write_bytes("\n".join([*header, "", ""]).encode() + array.tobytes(order="F"))
    return path


def _sitk(frame):
    image = sitk.GetImageFromArray(np.ascontiguousarray(frame.T))
    origin, spacing, directions = GRID.to_lps()
    image.SetOrigin(origin)
    image.SetSpacing(spacing)
    image.SetDirection(directions)
    return image


WRITERS = {
    "cine.nii.gz": save_nifti,
    "cine.nii": save_nifti,
    "cine.nrrd": save_nrrd,
    "cine.mha": save_nrrd,
    "frames first.seq.nrrd": save_slicer_sequence,
    "frames last.seq.nrrd": lambda path: save_slicer_sequence(path, frames_first=False),
}


@pytest.mark.parametrize("name", WRITERS)
def test_every_frame_has_its_voxels_and_its_place(name, tmp_path):
    sequence = read_sequence(WRITERS[name](tmp_path / name))
    assert len(sequence) == COUNT
    for n, frame in enumerate(sequence):
        np.testing.assert_array_equal(frame.array[0], FRAMES[n])
        assert frame.geometry.is_close(GRID, 1e-3)
        assert frame.name == f"{name}, frame {n + 1}"


@pytest.mark.parametrize(
    ("write", "times"),
    [
        (save_nifti, (0.0, 0.04, 0.08, 0.12)),
        (lambda path: save_nifti(path, 40.0, 500.0, "msec"), (0.5, 0.54, 0.58, 0.62)),
        (lambda path: save_nrrd(path.with_name("cine.nrrd")), (0.25, 0.75, 1.25, 1.75)),
        (lambda path: save_slicer_sequence(path.with_name("cine.seq.nrrd")), (0.0, 0.1, 0.3, 0.35)),
        (lambda path: save_slicer_sequence(path.with_name("cine.seq.nrrd"), times="systole"), (0.0, 1.0, 2.0, 3.0)),
    ],
    ids=["NIfTI in s", "NIfTI in ms", "NRRD", "Slicer", "Slicer without numbers"],
)
def test_frames_have_the_times_of_the_header(write, times, tmp_path):
    np.testing.assert_allclose(read_sequence(write(tmp_path / "cine.nii.gz")).times, times, atol=1e-6)


def test_a_volume_is_a_sequence_of_one_frame(phantom, tmp_path):
    write_volume(phantom, tmp_path / "head.nrrd")
    (frame,) = read_sequence(tmp_path / "head.nrrd")
    np.testing.assert_array_equal(frame.array, phantom.array)


def test_a_damaged_frame_is_refused(tmp_path):
    frames = np.moveaxis(FRAMES, 0, -1).copy()
    frames[3, 4, 5, 2] = np.nan
    nib.save(nib.Nifti1Image(frames, np.eye(4)), tmp_path / "cine.nii.gz")
    with pytest.raises(VolumeError, match="1 voxels that are not numbers"):
        read_sequence(tmp_path / "cine.nii.gz")


def test_colour_and_missing_files_are_no_sequence(tmp_path):
    sitk.WriteImage(sitk.GetImageFromArray(np.zeros((5, 6, 7, 3), np.uint8), isVector=True), str(tmp_path / "photo.nrrd"))
    with pytest.raises(VolumeError, match="3 values per voxel; expected grey values"):
        read_sequence(tmp_path / "photo.nrrd")
    with pytest.raises(VolumeError, match="There is no file"):
        read_sequence(tmp_path / "nothing.nii.gz")


def labels_over_time(overlapping=False):
    labels = (Label(1, "Front", (1.0, 0.0, 0.0)), Label(2, "Back", (0.0, 1.0, 0.0)))
    arrays = [(FRAMES[n] > 110).astype(np.uint8) + (FRAMES[n] > 130) for n in range(COUNT)]
    return [LabelMap(array.astype(np.uint8), GRID, labels, overlapping=overlapping) for array in arrays]


@pytest.mark.parametrize("suffix", [".nii.gz", ".nrrd", ".mha"])
def test_label_maps_over_time_are_written_as_one_file(suffix, tmp_path):
    frames = labels_over_time()
    write_label_frames(frames, tmp_path / f"labels{suffix}", 0.5, 0.04)
    again = read_sequence(tmp_path / f"labels{suffix}")
    np.testing.assert_allclose(again.times, (0.5, 0.54, 0.58, 0.62), atol=1e-6)
    for frame, expected in zip(again, frames, strict=True):
        np.testing.assert_array_equal(frame.array[0], expected.array)
        assert frame.geometry.is_close(GRID, 1e-3)


def test_nibabel_reads_the_frames_and_their_interval(tmp_path):
    write_label_frames(labels_over_time(), tmp_path / "labels.nii.gz", 0.0, 0.04)
    image = nib.load(tmp_path / "labels.nii.gz")
    assert image.shape == (*SHAPE, COUNT)
    assert image.header.get_zooms()[3] == pytest.approx(0.04)
    assert image.header.get_xyzt_units() == ("mm", "sec")
    np.testing.assert_allclose(image.affine, GRID.ijk_to_ras, atol=1e-4)


def test_what_cannot_hold_frames_is_refused_with_what_to_do(tmp_path):
    with pytest.raises(OutputError, match=r"holds one frame; a sequence's frames go to one file that ends in .nrrd, .nii.gz"):
        write_label_frames(labels_over_time(), tmp_path / "labels.seg.nrrd")
    with pytest.raises(OutputError, match="may overlap"):
        write_label_frames(labels_over_time(overlapping=True), tmp_path / "labels.nii.gz")
    assert not list(tmp_path.iterdir())


def test_the_command_segments_each_frame_as_if_it_came_alone(tiny_bundle, tmp_path, capsys):
    cine, out = save_nifti(tmp_path / "cine.nii.gz"), tmp_path / "labels.nii.gz"
    assert cli.main(["segment", str(cine), "-m", str(tiny_bundle.folder), "-o", str(out), "--precision", "float32"]) == 0
    told = capsys.readouterr().out
    assert f"Written: {out}, {COUNT} frames" in told
    assert "mL over the frames" in told
    again = read_sequence(out)
    np.testing.assert_allclose(again.times, (0.0, 0.04, 0.08, 0.12), atol=1e-6)
    geometry = next(iter(read_sequence(cine))).geometry
    found = [frame.array[0] for frame in again]
    for n in range(COUNT):
        alone = api.segment(Volume(FRAMES[n][np.newaxis], geometry), tiny_bundle, probabilities=False, precision="float32")
        np.testing.assert_array_equal(found[n], alone.labels.array)
    assert any((found[0] != frame).any() for frame in found[1:])


def test_the_command_refuses_a_segmentation_file_and_sequences_of_different_lengths(tiny_bundle, tmp_path, capsys):
    cine = save_nifti(tmp_path / "cine.nii.gz")
    assert cli.main(["segment", str(cine), "-m", str(tiny_bundle.folder), "-o", str(tmp_path / "out.seg.nrrd")]) == 2
    assert f"cine.nii.gz has four dimensions, a sequence of {COUNT} frames. Cannot write" in capsys.readouterr().err
    write_volume(Volume(FRAMES[:1], Geometry(SHAPE, GRID.ijk_to_ras)), tmp_path / "one.nii.gz")
    pair = [str(cine), str(tmp_path / "one.nii.gz")]
    assert cli.main(["segment", *pair, "-m", str(tiny_bundle.folder), "-o", str(tmp_path / "out.nii.gz")]) == 2
    assert "different numbers of frames (cine.nii.gz: 4, one.nii.gz: 1)" in capsys.readouterr().err
    assert not (tmp_path / "out.nii.gz").exists()
