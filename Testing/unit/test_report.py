"""The report: outlines lie where the segments are, letters tell the truth, and the file stands alone."""

from __future__ import annotations

import base64
import io
import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from xml.etree import ElementTree

import nibabel
import numpy as np
import pytest
from PIL import Image

from deepseg.bundle import ModelBundle
from deepseg.errors import DeepSegError, OutputError, VolumeError
from deepseg.geometry import Box, Geometry
from deepseg.pictures import AXIAL, CORONAL, SAGITTAL, Plane, Screen, need, slice_picture
from deepseg.report import headline, metric_table, render, side_of, volume_rows, write_report
from deepseg.results import Prediction
from deepseg.surface import Camera, surface_picture, surfaces
from deepseg.volume import Code, Label, LabelMap, Terminology, Volume

SPACING = np.array([0.7, 0.8, 3.0])
SHAPE = (60, 50, 16)
FIRST_RAS = np.array([-22.0, -31.0, -12.0])
RIGHT_BLOCK = (slice(36, 52), slice(10, 20), slice(3, 8))
LEFT_BLOCK = (slice(8, 18), slice(22, 40), slice(5, 12))
RIGHT_COLOR, LEFT_COLOR = "#ff0000", "#0000ff"


def sided(value: int, name: str, color: tuple[float, float, float], code: str) -> Label:
    hippocampus = Code("SCT", "5366008", "Hippocampus")
    terminology = Terminology(Code("SCT", "123037004", "Anatomical Structure"), hippocampus, region_modifier=Code("SCT", code, name))
    return Label(value, name, color, terminology)


LABELS = (sided(1, "Right <block>", (1.0, 0.0, 0.0), "24028007"), sided(2, "Left & block", (0.0, 0.0, 1.0), "7771000"))


def blocks(code: str = "RAS") -> tuple[Volume, LabelMap]:
    """A block on the right, posterior and low, and one on the left, anterior and high; bright in the image; stored with axes `code` by nibabel."""
    affine = np.diag([*SPACING, 1.0])
    affine[:3, 3] = FIRST_RAS
    segments = np.zeros(SHAPE, np.uint8)
    segments[RIGHT_BLOCK], segments[LEFT_BLOCK] = 1, 2
    image = nibabel.Nifti1Image(segments, affine)
    turn = nibabel.orientations.ornt_transform(nibabel.orientations.axcodes2ornt("RAS"), nibabel.orientations.axcodes2ornt(code))
    stored = image.as_reoriented(turn)
    assert nibabel.aff2axcodes(stored.affine) == tuple(code)
    array, geometry = np.asarray(stored.dataobj), Geometry(stored.shape, stored.affine)
    grey = np.where(array > 0, 100.0, np.arange(array.size).reshape(array.shape) % 7).astype(np.float32)
    return Volume(grey[np.newaxis], geometry, name="blocks"), LabelMap(array, geometry, LABELS)


def edges_ras(block: tuple[slice, ...]) -> tuple[np.ndarray, np.ndarray]:
    """Outer faces of a block of voxels, RAS in mm."""
    low, high = np.array([s.start for s in block]), np.array([s.stop for s in block])
    return FIRST_RAS + (low - 0.5) * SPACING, FIRST_RAS + (high - 0.5) * SPACING


def path_points(picture: str, color: str) -> np.ndarray:
    path = next(p for p in ElementTree.fromstring(picture).iter("path") if p.get("stroke") == color)
    return np.array(re.findall(r"(-?[\d.]+) (-?[\d.]+)", path.get("d")), float)


def letters(picture: str) -> dict[str, tuple[float, float]]:
    texts = ElementTree.fromstring(picture).iter("text")
    return {text.text: (float(text.get("x")), float(text.get("y"))) for text in texts if len(text.text) == 1}


def picture_of(code: str, plane: Plane, label: int) -> str:
    screen = Screen.of(*blocks(code))
    return slice_picture(screen, plane, screen.slice_through(plane, [label]), screen.whole_frame(plane))


@pytest.fixture
def a_prediction() -> tuple[Volume, Prediction]:
    volume, labels = blocks("PIR")
    provenance = {"DeepSeg.Model": "tiny", "DeepSeg.Settings": '{"roi_ras_mm": [[-10, -20, -3], [5, 6, 7]], "device": "cpu"}'}
    return volume, Prediction(labels, None, provenance, {"running the network": 1.25, "preparing the image": 0.5})


@pytest.mark.parametrize("code", ["RAS", "LPI", "PIR", "SAL", "ILP"])
@pytest.mark.parametrize(("plane", "across", "down"), [(AXIAL, 0, 1), (CORONAL, 0, 2), (SAGITTAL, 1, 2)])
def test_outlines_lie_on_the_segment_in_radiological_convention(code: str, plane: Plane, across: int, down: int) -> None:
    """The picture's origin is the grid's outer right (or anterior), anterior (or superior) corner, and mm count away from it."""
    corner = FIRST_RAS + (np.array(SHAPE) - 0.5) * SPACING
    for label, block, color in ((1, RIGHT_BLOCK, RIGHT_COLOR), (2, LEFT_BLOCK, LEFT_COLOR)):
        points = path_points(picture_of(code, plane, label), color)
        low, high = edges_ras(block)
        np.testing.assert_allclose(points.min(0), (corner - high)[[across, down]], atol=0.011)
        np.testing.assert_allclose(points.max(0), (corner - low)[[across, down]], atol=0.011)


@pytest.mark.parametrize("code", ["RAS", "LPI", "SAL"])
def test_letters_name_the_side_they_stand_on(code: str) -> None:
    axial, coronal, sagittal = (letters(picture_of(code, plane, 1)) for plane in (AXIAL, CORONAL, SAGITTAL))
    assert axial["R"][0] < axial["L"][0] and axial["A"][1] < axial["P"][1]
    assert coronal["R"][0] < coronal["L"][0] and coronal["S"][1] < coronal["I"][1]
    assert sagittal["A"][0] < sagittal["P"][0] and sagittal["S"][1] < sagittal["I"][1]


def test_image_and_outline_fall_together() -> None:
    picture = ElementTree.fromstring(picture_of("SAL", CORONAL, 2))
    shown = next(picture.iter("image"))
    pixels = np.asarray(Image.open(io.BytesIO(base64.b64decode(shown.get("href").split(",")[1]))))
    left, top, width, height = (float(shown.get(key)) for key in ("x", "y", "width", "height"))
    steps = np.array([width / pixels.shape[1], height / pixels.shape[0]])
    np.testing.assert_allclose(steps, SPACING[[0, 2]], rtol=1e-4)
    rows, columns = np.nonzero(pixels > 250)
    points = path_points(ElementTree.tostring(picture, encoding="unicode"), LEFT_COLOR)
    np.testing.assert_allclose(points.min(0), (left, top) + steps * (columns.min(), rows.min()), atol=0.02)
    np.testing.assert_allclose(points.max(0), (left, top) + steps * (columns.max() + 1, rows.max() + 1), atol=0.02)


def test_positions_and_region_are_in_the_patients_space() -> None:
    screen = Screen.of(*blocks("ILP"))
    low, high = edges_ras(LEFT_BLOCK)
    middle = (low + high) / 2
    index = screen.slice_through(SAGITTAL, [2])
    side, distance, _ = screen.position(SAGITTAL, index).split()
    assert side == "L"
    assert float(distance) == pytest.approx(-middle[0], abs=1.0)
    box = Box(tuple(low), tuple(high))
    picture = ElementTree.fromstring(slice_picture(screen, CORONAL, 0, screen.whole_frame(CORONAL), [box]))
    drawn = next(picture.iter("rect"))
    corner = FIRST_RAS + (np.array(SHAPE) - 0.5) * SPACING
    assert float(drawn.get("x")) == pytest.approx(corner[0] - high[0], abs=0.01)
    assert float(drawn.get("height")) == pytest.approx(high[2] - low[2], abs=0.01)


def test_labels_that_overlap_are_counted_and_outlined_whole() -> None:
    volume, labels = blocks()
    array = (1 * (labels.array == 1) + 2 * (labels.array == 2)).astype(np.uint8)
    array[LEFT_BLOCK] |= 1
    both = LabelMap(array, labels.geometry, LABELS, overlapping=True)
    counts = {row.name: row.voxels for row in volume_rows(both)}
    assert counts["Left & block"] == (labels.array == 2).sum()
    assert counts["Right <block>"] == (labels.array > 0).sum()
    assert "Not found" not in headline(both)
    screen = Screen.of(volume, both)
    picture = slice_picture(screen, AXIAL, screen.slice_through(AXIAL, [2]), screen.whole_frame(AXIAL))
    left, either = ({tuple(point) for point in path_points(picture, color).tolist()} for color in (LEFT_COLOR, RIGHT_COLOR))
    assert left <= either
    assert len(left) > 20
    assert len(surfaces(both)) == 2


def test_a_scale_bar_is_as_long_as_it_says() -> None:
    picture = ElementTree.fromstring(picture_of("RAS", AXIAL, 1))
    bar = next(path for path in picture.iter("path") if path.get("class") == "bar").get("d")
    start, stop = float(re.match(r"M([\d.]+)", bar)[1]), float(re.search(r"H([\d.]+)", bar)[1])
    text = next(text.text for text in picture.iter("text") if text.text.endswith(" mm"))
    assert stop - start == pytest.approx(float(text.split()[0]), abs=0.02)


@pytest.mark.parametrize("code", ["RAS", "LAS"])
def test_surfaces_lie_in_the_patients_space_with_normals_outwards(code: str) -> None:
    right, left = surfaces(blocks(code)[1])
    for mesh, block in ((right, RIGHT_BLOCK), (left, LEFT_BLOCK)):
        low, high = edges_ras(block)
        np.testing.assert_allclose(mesh.vertices.min(0), low, atol=0.3)
        np.testing.assert_allclose(mesh.vertices.max(0), high, atol=0.3)
        outwards = ((mesh.vertices - (low + high) / 2) * mesh.normals).sum(1)
        assert (outwards > 0).all()


def test_a_segment_of_one_voxel_has_a_surface() -> None:
    volume, labels = blocks()
    array = np.zeros_like(labels.array)
    array[0, 3, 4] = 1
    (mesh,) = surfaces(LabelMap(array, volume.geometry, LABELS))
    np.testing.assert_allclose(mesh.vertices.mean(0), volume.geometry.ras_from_ijk((0, 3, 4)), atol=0.01)


def test_seen_from_the_front_the_patients_right_is_on_the_left() -> None:
    picture = surface_picture(surfaces(blocks("SAL")[1]), Camera("from the front", (0.0, 1.0, 0.0)))
    assert letters(picture)["R"][0] < letters(picture)["L"][0]
    assert letters(picture)["S"][1] < letters(picture)["I"][1]
    href = next(ElementTree.fromstring(picture).iter("image")).get("href")
    pixels = np.asarray(Image.open(io.BytesIO(base64.b64decode(href.split(",")[1])))).astype(int)
    red, blue = (pixels[..., n] > 2 * pixels[..., 2 - n] for n in (0, 2))
    opaque = pixels[..., 3] > 200
    (red_rows, red_columns), (blue_rows, blue_columns) = np.nonzero(red & opaque), np.nonzero(blue & opaque)
    assert red_columns.max() < blue_columns.min()
    assert red_rows.mean() > blue_rows.mean()


class Page(HTMLParser):
    """Collects what a page would load, and checks that its tags are closed in order."""

    VOID = frozenset(("meta", "br", "img", "link", "input", "hr"))

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[str] = []
        self.loads: list[str] = []
        self.words = ""
        self.feed(text)
        assert self.open == []

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        if tag not in self.VOID:
            self.open.append(tag)
        self.loads += [value or "" for key, value in attributes if key in ("src", "href", "srcset", "data", "action", "xlink:href")]

    def handle_startendtag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attributes)
        self.open.pop()

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.words += data


def test_the_page_stands_alone_and_is_well_formed(a_prediction: tuple[Volume, Prediction], tiny_bundle: ModelBundle, tmp_path: Path) -> None:
    write_report(tmp_path / "r.html", *a_prediction, tiny_bundle, about="An <odd> image.")
    text = (tmp_path / "r.html").read_text(encoding="utf-8")
    page = Page(text)
    assert page.loads and all(target.startswith("data:image/png;base64,") for target in page.loads)
    assert not {"script", "link", "iframe", "object"} & set(page.tags)
    assert not re.search(r"url\(|@import", text)
    assert page.tags.count("svg") == 4 + 3 + 2
    assert [path.name for path in tmp_path.iterdir()] == ["r.html"]
    for words in (
        "For research, not for clinical use.",
        "Right <block>",
        "Left & block",
        "An <odd> image.",
        "CC0-1.0",
        "running the network",
        "1.25 s",
    ):
        assert words in page.words
    assert "(-10, -20, -3) to (5, 6, 7) mm RAS" in page.words
    assert "no measured accuracy" in page.words


def test_volumes_are_counted_and_summed_by_side() -> None:
    _, labels = blocks("LPI")
    voxel = np.prod(SPACING) / 1000
    right, left = 16 * 10 * 5, 10 * 18 * 7
    rows = volume_rows(labels)
    assert [(row.name, row.voxels, float(row.volume)) for row in rows] == [
        ("Left & block", left, pytest.approx(left * voxel, abs=0.005)),
        ("Right <block>", right, pytest.approx(right * voxel, abs=0.005)),
    ]
    four = LabelMap(labels.array, labels.geometry, (*LABELS, replace(LABELS[1], value=3, name="Left empty"), Label(4, "Stray", (0, 1, 0))))
    assert [(row.name, row.voxels) for row in volume_rows(four) if row.color is None] == [("Left, together", left)]
    assert side_of(four.labels[3]) is None
    assert "Not found: Left empty, Stray." in headline(four)


def test_an_empty_result_is_said_in_words(a_prediction: tuple[Volume, Prediction], tiny_bundle: ModelBundle) -> None:
    volume, prediction = a_prediction
    nothing = LabelMap(np.zeros_like(prediction.labels.array), prediction.geometry, LABELS)
    page = Page(render(volume, replace(prediction, labels=nothing, seconds={}), tiny_bundle))
    assert "No segment was found" in page.words
    assert "svg" not in page.tags


def test_metrics_are_shown_with_their_intervals(a_prediction: tuple[Volume, Prediction], tiny_bundle: ModelBundle) -> None:
    dice = {"mean": 0.8912, "low": 0.88, "high": 0.9}
    metrics = {"cases": 42, "labels": {"Front": {"dice": dice, "hd95_mm": {"mean": 1.5}}, "Back": {"dice": 0.87, "note": "text"}}}
    spec = replace(tiny_bundle.spec, metrics=metrics)
    table = metric_table(spec)
    assert table["columns"] == ["Dice", "HD95 (mm)"]
    assert table["rows"] == [("Front", ["0.891 (0.880 to 0.900)", "1.500"]), ("Back", ["0.870", ""])]
    assert "Measured on 42 cases" in Page(render(*a_prediction, replace(tiny_bundle, spec=spec))).words
    assert metric_table(replace(spec, metrics={"labels": {"Front": {"own_measure": 1}}}))["columns"] == ["own measure"]
    assert metric_table(replace(spec, metrics={})) is None
    assert metric_table(replace(spec, metrics={"labels": []})) is None


def test_a_tilted_grid_is_owned_up_to(phantom: Volume, tiny_bundle: ModelBundle) -> None:
    array = np.zeros(phantom.geometry.shape, np.uint8)
    array[3:6, 4:8, 2:5] = 1
    labels = LabelMap(array, phantom.geometry, LABELS)
    page = Page(render(phantom, Prediction(labels, None, {}), tiny_bundle))
    assert re.search(r"tilted by up to \d+°", page.words)


def test_refusals_leave_no_file(a_prediction: tuple[Volume, Prediction], tiny_bundle: ModelBundle, phantom: Volume, tmp_path: Path) -> None:
    volume, prediction = a_prediction
    with pytest.raises(OutputError, match="does not exist"):
        write_report(tmp_path / "none" / "r.html", volume, prediction, tiny_bundle)
    with pytest.raises(OutputError, match=r"\.html"):
        write_report(tmp_path / "r.pdf", volume, prediction, tiny_bundle)
    with pytest.raises(VolumeError, match="grid"):
        write_report(tmp_path / "r.html", phantom, prediction, tiny_bundle)
    with pytest.raises(DeepSegError, match="'report' extra"):
        need("no_such_package.part")
    assert list(tmp_path.iterdir()) == []
