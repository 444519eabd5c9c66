"""A 3D picture of segments: surfaces by marching cubes in RAS mm, drawn with a depth buffer in numpy (no OpenGL needed)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from deepseg.geometry import Geometry
from deepseg.pictures import Frame, need, png_uri, scale_bar, svg
from deepseg.volume import LabelMap

SMOOTHING_MM = 0.9
_LARGEST_GRID = 160
_WIDTH_PIXELS, _SUPERSAMPLING = 720, 2
_KEY, _FILL = np.array([-0.45, 0.65, 0.75]), np.array([0.8, -0.1, 0.35])


@dataclass(frozen=True)
class Camera:
    """Where a picture is taken from: `name` in words, and the direction from the scene to the eye (RAS)."""

    name: str
    toward: tuple[float, float, float]

    def axes(self) -> np.ndarray:
        """(3, 3) rows: the screen's right, the screen's up, towards the eye; unit vectors in RAS. Superior points up."""
        eye = np.asarray(self.toward) / np.linalg.norm(self.toward)
        right = np.cross([0.0, 0.0, 1.0], eye)
        right /= np.linalg.norm(right)
        return np.array([right, np.cross(eye, right), eye])


CAMERAS = (Camera("from the front, above and the patient's left", (-0.45, 0.8, 0.5)), Camera("from the patient's left, above", (-0.9, 0.12, 0.38)))


@dataclass(frozen=True, eq=False)
class Mesh:
    """A segment's surface: `vertices` (N, 3) in RAS mm, `normals` (N, 3) outwards, `faces` (M, 3), RGB in 0..1."""

    vertices: np.ndarray
    normals: np.ndarray
    faces: np.ndarray
    color: tuple[float, float, float]


def surfaces(labels: LabelMap) -> list[Mesh]:
    """Surfaces of the segments that have voxels, smoothed for display by a Gaussian of `SMOOTHING_MM`."""
    masks = ((label, labels.mask(label)) for label in labels.labels)
    return [_surface(mask, labels.geometry, label.color) for label, mask in masks if mask.any()]


def surface_picture(meshes: Sequence[Mesh], camera: Camera) -> str:
    """Parallel projection of the surfaces: an inline SVG whose unit is the millimetre, with letters along the patient's axes and a scale bar."""
    axes = camera.axes()
    seen = np.concatenate([mesh.vertices for mesh in meshes]) @ axes.T
    low, high = seen.min(0), seen.max(0)
    size = (high - low)[:2] * 1.12 + 6.0
    # Wide enough for the aspect of the other pictures, so that two views stand side by side.
    width, height = max(size[0], size[1] * 1.4), max(size[1], size[0] / 1.4)
    middle = (low + high)[:2] / 2
    frame = Frame(middle[0] - width / 2, -middle[1] - height / 2, width, height)
    place = f'x="{frame.left:.3f}" y="{frame.top:.3f}" width="{width:.3f}" height="{height:.3f}"'
    pixels = draw(meshes, camera, frame)
    body = f'<image {place} href="{png_uri(pixels)}"/>{_axes_cross(axes, frame, _emptiest_corner(pixels))}{scale_bar(frame)}'
    return svg(frame, body, f"segments seen {camera.name}", "surface")


def draw(meshes: Sequence[Mesh], camera: Camera, frame: Frame) -> np.ndarray:
    """Shaded picture of the surfaces, RGBA uint8 (rows, columns, 4), transparent where there is none; `frame` in mm, y down."""
    columns = _WIDTH_PIXELS * _SUPERSAMPLING
    scale = columns / frame.width
    rows = int(frame.height * scale) // _SUPERSAMPLING * _SUPERSAMPLING
    axes = camera.axes()
    points, shades, faces, count = [], [], [], 0
    for mesh in meshes:
        seen = mesh.vertices @ axes.T
        points.append(np.column_stack([(seen[:, 0] - frame.left) * scale, (-seen[:, 1] - frame.top) * scale, seen[:, 2]]))
        shades.append(_shade(mesh.normals @ axes.T, mesh.color))
        # Faces that look away from the eye are hidden by those that look at it: a surface is closed.
        faces.append(mesh.faces[((mesh.normals @ axes[2])[mesh.faces] > -0.1).any(1)] + count)
        count += len(seen)
    pixels, depths, colors = [], [], []
    for at, color in _fill(np.concatenate(points), np.concatenate(shades), np.concatenate(faces)):
        x, y = at[:, 0].astype(np.int32), at[:, 1].astype(np.int32)
        inside = (x >= 0) & (x < columns) & (y >= 0) & (y < rows)
        pixels.append((y * columns + x)[inside])
        depths.append(at[inside, 2])
        colors.append(color[inside])
    # Far to near: of several points that fall into one pixel the last one written, the nearest, stays.
    order = np.argsort(np.concatenate(depths), kind="stable")
    picture = np.zeros((rows * columns, 4), np.float32)
    picture[np.concatenate(pixels)[order], :3] = np.concatenate(colors)[order]
    picture[np.concatenate(pixels), 3] = 1.0
    blocks = picture.reshape(rows // _SUPERSAMPLING, _SUPERSAMPLING, columns // _SUPERSAMPLING, _SUPERSAMPLING, 4).mean((1, 3))
    blocks[..., :3] /= np.maximum(blocks[..., 3:], 1e-6)
    return np.round(blocks.clip(0, 1) * 255).astype(np.uint8)


def _surface(mask: np.ndarray, geometry: Geometry, color: tuple[float, float, float]) -> Mesh:
    start = np.array([at.min() for at in np.nonzero(mask)])
    stop = np.array([at.max() + 1 for at in np.nonzero(mask)])
    part = np.pad(mask[tuple(slice(a, b) for a, b in zip(start, stop, strict=True))].astype(np.float32), 4)
    smooth = need("scipy.ndimage").gaussian_filter(part, SMOOTHING_MM / np.asarray(geometry.spacing_mm))
    # A segment of a few voxels would vanish under the smoothing.
    field = smooth if smooth.max() > 0.6 else part
    step = -(-max(field.shape) // _LARGEST_GRID)
    vertices, faces, _, _ = need("skimage.measure").marching_cubes(field, 0.5, step_size=step)
    vertices = geometry.ras_from_ijk(vertices + start - 4)
    corners = vertices[faces]
    across = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    # The sign of the volume tells whether the grid's handedness turned the faces inside out.
    across *= np.sign(np.einsum("fx,fx->", corners.mean(1) - vertices.mean(0), across))
    normals = np.zeros_like(vertices)
    for n in range(3):
        np.add.at(normals, faces[:, n], across)
    return Mesh(vertices, normals / np.maximum(np.linalg.norm(normals, axis=1, keepdims=True), 1e-12), faces, color)


def _shade(normals: np.ndarray, color: tuple[float, float, float]) -> np.ndarray:
    """RGB (N, 3) of points with `normals` (N, 3) in screen axes: a key light from the upper left, a weak one from the right, a soft gloss."""
    key, fill = _KEY / np.linalg.norm(_KEY), _FILL / np.linalg.norm(_FILL)
    half = (key + np.array([0, 0, 1])) / np.linalg.norm(key + np.array([0, 0, 1]))
    light = 0.30 + 0.64 * (normals @ key).clip(0) + 0.22 * (normals @ fill).clip(0)
    gloss = 0.20 * (normals @ half).clip(0) ** 28
    return (light[:, None] * np.asarray(color) * 1.12 + gloss[:, None]).clip(0, 1)


def _fill(points: np.ndarray, colors: np.ndarray, faces: np.ndarray) -> list[tuple[np.ndarray, np.ndarray]]:
    """Points (N, 3) and colours (N, 3) that cover each triangle densely enough to leave no pixel out, in groups of like size."""
    corners = points[faces]
    longest = np.linalg.norm(corners[:, :, :2] - np.roll(corners, 1, axis=1)[:, :, :2], axis=2).max(1)
    counts = np.ceil(np.maximum(1.1 * longest, 1.0)).astype(int)
    points, colors = points.astype(np.float32), colors.astype(np.float32)
    groups = []
    for count in np.unique(counts):
        a, b = np.meshgrid(np.arange(count + 1), np.arange(count + 1), indexing="ij")
        inside = a + b <= count
        weights = (np.column_stack([a[inside], b[inside], count - a[inside] - b[inside]]) / count).astype(np.float32)
        some = faces[counts == count]
        # A few thousand triangles at a time bound the memory that one step takes.
        for start in range(0, len(some), max(2_000_000 // len(weights), 1)):
            block = some[start : start + max(2_000_000 // len(weights), 1)]
            groups.append(tuple((weights @ values[block]).reshape(-1, 3) for values in (points, colors)))
    return groups


def _emptiest_corner(pixels: np.ndarray) -> tuple[int, int]:
    """(right, bottom), each 0 or 1: the corner that holds least of the picture, apart from the scale bar's."""
    opaque = pixels[..., 3] > 0
    rows, columns = opaque.shape[0] // 3, opaque.shape[1] // 4
    return min([(1, 1), (1, 0), (0, 0)], key=lambda at: opaque[-rows if at[1] else 0 :, -columns if at[0] else 0 :][:rows, :columns].sum())


def _axes_cross(axes: np.ndarray, frame: Frame, corner: tuple[int, int]) -> str:
    """The patient's axes as they lie in the picture, in one of its corners; letters stand at their ends."""
    length, size = 0.1 * frame.height, 0.05 * frame.height
    x = frame.left + (frame.width - 1.7 * length if corner[0] else 1.7 * length)
    y = frame.top + (frame.height - 1.7 * length if corner[1] else 1.7 * length)
    parts = []
    for n, (ahead, behind) in enumerate(("RL", "AP", "SI")):
        dx, dy = axes[0, n] * length, -axes[1, n] * length
        # An axis that points at the eye has no room for letters.
        if np.hypot(dx, dy) < 0.45 * length:
            continue
        parts.append(f'<path class="axis" d="M{x - dx:.2f} {y - dy:.2f}L{x + dx:.2f} {y + dy:.2f}"/>')
        for letter, sign in ((ahead, 1), (behind, -1)):
            # Letters keep one distance from the line's end, however short the line is.
            reach = sign * (1 + 0.75 * size / np.hypot(dx, dy))
            parts.append(f'<text x="{x + reach * dx:.2f}" y="{y + reach * dy + 0.36 * size:.2f}" font-size="{size:.2f}">{letter}</text>')
    return "".join(parts)
