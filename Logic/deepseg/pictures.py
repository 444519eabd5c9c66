"""Slices of a volume with the outlines of its segments, as inline SVG pictures measured in millimetres.

Pictures follow the radiological convention: the patient's right is on the left of axial and coronal slices, anterior is on the left of
sagittal ones. A grid whose axes run to the left, posterior and inferior (LPI) is the screen's own order for all three planes.
"""

from __future__ import annotations

import base64
import html
import importlib
import io
from collections.abc import Sequence
from dataclasses import dataclass
from types import ModuleType

import numpy as np

from deepseg.errors import DeepSegError, VolumeError
from deepseg.geometry import Box, Geometry
from deepseg.volume import Label, LabelMap, Volume, where_any

MARGIN_MM = 9.0
ASPECT = 1.5
SOFT_TISSUE_HU = (-160.0, 240.0)
_HEAT = (255, 0, 200)
"""Magenta, which no tissue in grey and no segment of ours has."""


@dataclass(frozen=True)
class Plane:
    """One of the three planes: axes of the LPI grid, and the letters at the picture's left, right, top and bottom edge."""

    name: str
    normal: int
    across: int
    down: int
    edges: tuple[str, str, str, str]


AXIAL = Plane("axial", 2, 0, 1, ("R", "L", "A", "P"))
CORONAL = Plane("coronal", 1, 0, 2, ("R", "L", "S", "I"))
SAGITTAL = Plane("sagittal", 0, 1, 2, ("A", "P", "S", "I"))


@dataclass(frozen=True)
class Frame:
    """What a picture shows: a rectangle in mm on the LPI grid, where the first voxel's corner is (0, 0)."""

    left: float
    top: float
    width: float
    height: float


@dataclass(frozen=True, eq=False)
class Screen:
    """An image and its segments with axes in the screen's order.

    Attributes:
        image: float32 (I, J, K), axes to the left, posterior, inferior as nearly as the voxel axes allow.
        segments: label values or bit fields (I, J, K) on the same grid, as a label map holds them.
        geometry: that grid.
        labels: the segments that are drawn.
        window: intensities shown as black and as white.
        overlapping: whether `segments` holds bit fields.
    """

    image: np.ndarray
    segments: np.ndarray
    geometry: Geometry
    labels: tuple[Label, ...]
    window: tuple[float, float]
    overlapping: bool = False

    @staticmethod
    def of(volume: Volume, labels: LabelMap) -> Screen:
        """Bring a volume's first channel and its segments into the screen's order.

        Raises:
            VolumeError: the two lie on different grids.
        """
        if not volume.geometry.is_close(labels.geometry):
            raise VolumeError(
                f"The segments do not lie on the grid of '{volume.name}'; report a prediction together with the volume it was made from."
            )
        orientation = volume.geometry.orientation_to("LPI")
        image, segments = orientation.apply(volume.array[0]), orientation.apply(labels.array)
        geometry = volume.geometry.reoriented(orientation)
        if volume.units[0] == "HU":
            return Screen(image, segments, geometry, labels.labels, SOFT_TISSUE_HU, labels.overlapping)
        around = tuple(slice(max(at.min() - 10, 0), at.max() + 11) for at in np.nonzero(segments)) if segments.any() else ()
        near = image[around]
        # The empty surroundings of a head or a body would take half of the grey scale.
        tissue = near[near > image.min()]
        low, high = np.percentile(tissue, (0.5, 99.5)).tolist() if tissue.size else (0.0, 1.0)
        return Screen(image, segments, geometry, labels.labels, (low, high if high > low else low + 1.0), labels.overlapping)

    def tilt_degrees(self) -> float:
        """Largest angle between a voxel axis and the patient's axis it is named after."""
        return float(np.degrees(np.arccos(np.abs(np.diag(self.geometry.directions)).clip(0, 1))).max())

    def where(self, values: Sequence[int]) -> np.ndarray:
        """Where any of the labels `values` is: bool (I, J, K)."""
        return where_any(self.segments, values, self.overlapping)

    def slice_through(self, plane: Plane, values: Sequence[int]) -> int:
        """Slice through the centre of the labels `values`, or the one that holds most of them where the centre's holds none."""
        area = self.where(values).sum((plane.across, plane.down))
        center = round(float(np.average(np.arange(len(area)), weights=area)))
        return center if area[center] else int(area.argmax())

    def frame_around(self, plane: Plane, values: Sequence[int]) -> Frame:
        """The labels `values` with a margin, widened to the pictures' common aspect ratio."""
        found = np.nonzero(self.where(values))
        spacing = self.geometry.spacing_mm
        low = [found[a].min() * spacing[a] - MARGIN_MM for a in (plane.across, plane.down)]
        size = [(found[a].max() + 1) * spacing[a] + MARGIN_MM - start for a, start in zip((plane.across, plane.down), low, strict=True)]
        width, height = max(size[0], ASPECT * size[1]), max(size[1], size[0] / ASPECT)
        return Frame(low[0] - (width - size[0]) / 2, low[1] - (height - size[1]) / 2, width, height)

    def whole_frame(self, plane: Plane) -> Frame:
        """The slice from border to border."""
        spacing, shape = self.geometry.spacing_mm, self.image.shape
        return Frame(0.0, 0.0, shape[plane.across] * spacing[plane.across], shape[plane.down] * spacing[plane.down])

    def position(self, plane: Plane, index: int) -> str:
        """Where a slice lies, in the patient's words, for example 'L 26 mm' (at the slice's middle)."""
        ijk = (np.asarray(self.image.shape) - 1) / 2
        ijk[plane.normal] = index
        at = float(self.geometry.ras_from_ijk(ijk)[plane.normal])
        return f"{('RL', 'AP', 'SI')[plane.normal][at < 0]} {abs(at):.0f} mm"


def outlines(mask: np.ndarray, spacing_mm: tuple[float, float]) -> list[np.ndarray]:
    """Borders of a mask (across, down): closed lines (N, 2) in mm, where voxel (0, 0) reaches from 0 to `spacing_mm`.

    Raises:
        DeepSegError: scikit-image is missing.
    """
    measure = need("skimage.measure")
    lines = measure.find_contours(np.pad(mask, 1).astype(np.float32), 0.5)
    # The padding moved voxels by 1, and a voxel's centre lies half a voxel inside it.
    return [(line - 0.5) * spacing_mm for line in lines]


def slice_picture(screen: Screen, plane: Plane, index: int, frame: Frame, regions: Sequence[Box] = (), heat: np.ndarray | None = None) -> str:
    """One slice with outlines, letters and a scale bar: an inline SVG whose unit is the millimetre.

    Args:
        screen: image and segments.
        plane, index: which slice.
        frame: what part of it.
        regions: boxes (RAS, mm) drawn as dashed rectangles.
        heat: 0..1 (I, J, K) on the screen's grid, laid over the image in one colour.
    """
    spacing = screen.geometry.spacing_mm
    steps = (spacing[plane.across], spacing[plane.down])
    image, segments = (np.take(a, index, plane.normal) for a in (screen.image, screen.segments))
    starts = [max(int(at // step) - 1, 0) for at, step in zip((frame.left, frame.top), steps, strict=True)]
    shown = tuple(
        slice(a, int(end / step) + 2) for a, end, step in zip(starts, (frame.left + frame.width, frame.top + frame.height), steps, strict=True)
    )
    part = image[shown]
    low, high = screen.window
    grey = np.round(((part - low) / (high - low)).clip(0, 1) * 255).astype(np.uint8)
    place = f'x="{starts[0] * steps[0]:g}" y="{starts[1] * steps[1]:g}" width="{part.shape[0] * steps[0]:g}" height="{part.shape[1] * steps[1]:g}"'
    body = [f'<image {place} preserveAspectRatio="none" href="{png_uri(grey.T)}"/>']
    if heat is not None:
        strength = np.take(heat, index, plane.normal)[shown].clip(0, 1)
        colored = np.dstack([np.broadcast_to(np.array(_HEAT, np.uint8), (*strength.T.shape, 3)), np.round(255 * strength.T).astype(np.uint8)])
        body.append(f'<image {place} preserveAspectRatio="none" href="{png_uri(colored)}"/>')
    body += [_rectangle(_box_frame(screen, plane, box)) for box in regions]
    body.append('<g class="outlines">')
    for label in screen.labels:
        lines = outlines(where_any(segments, (label.value,), screen.overlapping), steps)
        if lines:
            path = "".join("M" + "L".join(f"{x:.2f} {y:.2f}" for x, y in line[:-1]) + "Z" for line in lines)
            title = f"<title>{html.escape(label.name)}</title>"
            body.append(f'<path class="halo" d="{path}"/><path class="outline" stroke="{css_color(label.color)}" d="{path}">{title}</path>')
    body += ["</g>", *_letters(plane.edges, frame), scale_bar(frame)]
    words = f"{plane.name} slice at {screen.position(plane, index)}; picture's left is the patient's {plane.edges[0]}"
    return svg(frame, "".join(body), words, "slice")


def svg(frame: Frame, body: str, words: str, kind: str) -> str:
    """An inline SVG that shows `frame`; `words` describe it to those who cannot see it."""
    box = f"{frame.left:.3f} {frame.top:.3f} {frame.width:.3f} {frame.height:.3f}"
    return f'<svg class="{kind}" viewBox="{box}" role="img" aria-label="{html.escape(words)}">{body}</svg>'


def scale_bar(frame: Frame) -> str:
    """A bar of a round length in mm, at most a third of the picture, in its lower left corner."""
    length = next((n for n in (100, 50, 20, 10, 5, 2) if n <= frame.width / 3), 1)
    size = 0.05 * frame.height
    x, y = frame.left + 0.05 * frame.height, frame.top + frame.height - 0.05 * frame.height
    line = f'<path class="bar" d="M{x:.2f} {y - size / 3:.2f}V{y:.2f}H{x + length:.2f}V{y - size / 3:.2f}"/>'
    return f'{line}<text x="{x + length / 2:.2f}" y="{y - 0.6 * size:.2f}" font-size="{size:.2f}">{length} mm</text>'


def png_uri(pixels: np.ndarray) -> str:
    """Data URI of a PNG: uint8 (rows, columns) grey, or (rows, columns, 4) RGBA.

    Raises:
        DeepSegError: Pillow is missing.
    """
    file = io.BytesIO()
    need("PIL.Image").fromarray(np.ascontiguousarray(pixels)).save(file, "PNG", optimize=True)
    return "data:image/png;base64," + base64.b64encode(file.getvalue()).decode()


def css_color(color: tuple[float, float, float]) -> str:
    """RGB in 0..1 as '#rrggbb'."""
    return "#" + "".join(f"{round(min(max(v, 0.0), 1.0) * 255):02x}" for v in color)


def need(module: str) -> ModuleType:
    """Import a package of the 'report' extra.

    Raises:
        DeepSegError: it is not installed.
    """
    try:
        return importlib.import_module(module)
    except ImportError as error:
        raise DeepSegError(
            f"A report needs the Python package {module.split('.')[0]}, which is missing. Install DeepSeg with its 'report' extra."
        ) from error


def _letters(edges: tuple[str, str, str, str], frame: Frame) -> list[str]:
    size = 0.075 * frame.height
    middle, center = frame.top + frame.height / 2 + 0.35 * size, frame.left + frame.width / 2
    spots = (
        (frame.left + 0.7 * size, middle),
        (frame.left + frame.width - 0.7 * size, middle),
        (center, frame.top + 1.05 * size),
        (center, frame.top + frame.height - 0.4 * size),
    )
    return [f'<text x="{x:.2f}" y="{y:.2f}" font-size="{size:.2f}">{letter}</text>' for letter, (x, y) in zip(edges, spots, strict=True)]


def _box_frame(screen: Screen, plane: Plane, box: Box) -> Frame:
    mm = (screen.geometry.ijk_from_ras(box.corners_ras()) + 0.5) * screen.geometry.spacing_mm
    start, size = mm.min(0), np.ptp(mm, axis=0)
    return Frame(start[plane.across], start[plane.down], size[plane.across], size[plane.down])


def _rectangle(frame: Frame) -> str:
    return f'<rect class="region" x="{frame.left:.2f}" y="{frame.top:.2f}" width="{frame.width:.2f}" height="{frame.height:.2f}"/>'
