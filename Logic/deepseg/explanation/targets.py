"""What a user asks about, and what that is on the model's grid."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch

from deepseg.box import Box
from deepseg.errors import ExplanationError
from deepseg.explanation.question import Question
from deepseg.geometry import Geometry
from deepseg.spec import ModelSpec
from deepseg.volume import Label

Place = tuple[float, float, float] | Box
"""One voxel by its position in RAS mm, or all within a box."""


@dataclass(frozen=True)
class ExplanationTarget:
    """Why this segment, why this label here and not that one, or what drives the doubt here.

    Attributes:
        label: name or value of the segment asked about; None: whatever the model says at `place`, or the doubt.
        against: name or value of the label (0: background) that it is held against; None: all others.
        place: where; the whole of the segment where None.
        doubt: the question is what makes the model unsure, not why it says what it says.
    """

    label: str | int | None = None
    against: str | int | None = None
    place: Place | None = None
    doubt: bool = False

    def segment(self, spec: ModelSpec) -> tuple[str, int]:
        """Name and value of the label asked about.

        Raises:
            ExplanationError: there is none of this name, or none was named.
        """
        value = _value(self.label, spec)
        return _name(value, spec), value

    def question(self, seen: torch.Tensor, grid: Geometry, spec: ModelSpec) -> Question:
        """The question on the model's grid, where the model says `seen`, int64 (I, J, K), a bit field where labels may overlap.

        Raises:
            ExplanationError: there is no such label, the place lies outside, or the model says nothing there.
        """
        if spec.output.painting:
            raise ExplanationError(f"The model {spec.id} paints its labels one over the other; such models cannot be explained yet.")
        place = _mask(self.place, grid) if self.place is not None else None
        if self.doubt:
            value = None if self.label is None else _value(self.label, spec)
            where = place if place is not None else _segment(seen, value, spec)
            return Question(where / where.sum(), spec.channel_count, spec.overlapping)
        value = _most_frequent(seen[place > 0], spec) if self.label is None and place is not None else _value(self.label, spec)
        where = _segment(seen, value, spec) if place is None else place
        other = None if self.against is None else _channel(_value(self.against, spec), spec)
        if other == _channel(value, spec):
            raise ExplanationError("A label cannot be held against itself; name another one.")
        return Question(where / where.sum(), spec.channel_count, spec.overlapping, _channel(value, spec), other)

    def told(self, spec: ModelSpec) -> str:
        """The question in words."""
        if isinstance(self.place, Box):
            low, high = (", ".join(f"{x:.1f}" for x in corner) for corner in (self.place.minimum_ras, self.place.maximum_ras))
            where = f" in the box from RAS {low} to {high} mm"
        else:
            where = "" if self.place is None else f" at RAS {', '.join(f'{x:.1f}' for x in self.place)} mm"
        name = "this label" if self.label is None else _name(_value(self.label, spec), spec)
        if self.doubt:
            return f"What drives the doubt{where or (f' about {name}' if self.label is not None else '')}?"
        against = "" if self.against is None else f" and not {_name(_value(self.against, spec), spec)}"
        return f"Why {name}{against}{where}?"


def _mask(place: Place, grid: Geometry) -> torch.Tensor:
    """Float32 (I, J, K): 1 where the place is."""
    mask = torch.zeros(grid.shape)
    if isinstance(place, Box):
        mask[grid.slices_of(place)] = 1.0
        return mask
    voxel = np.round(grid.ijk_from_ras(np.asarray(place, float))).astype(int)
    if (voxel < 0).any() or (voxel >= grid.shape).any():
        raise ExplanationError(f"RAS {', '.join(f'{x:.1f}' for x in place)} mm lies outside what was segmented; choose a place inside.")
    mask[tuple(voxel)] = 1.0
    return mask


def _segment(seen: torch.Tensor, value: int | None, spec: ModelSpec) -> torch.Tensor:
    inside = seen > 0 if value is None else (seen >> (value - 1)) & 1 if spec.overlapping else seen == value
    mask = inside.float()
    if not mask.any():
        name = "segment" if value is None else f"'{_name(value, spec)}'"
        raise ExplanationError(f"The model finds no {name} in this image, so there is nothing to explain. Name a place, or another label.")
    return mask


def _most_frequent(seen: torch.Tensor, spec: ModelSpec) -> int:
    """The label that most of the voxels have; background where none has any."""
    counts = [int(((seen >> (n - 1)) & 1).sum() if spec.overlapping else (seen == n).sum()) for n in range(1, len(spec.labels) + 1)]
    best = int(np.argmax(counts))
    if spec.overlapping and not counts[best]:
        raise ExplanationError("The model gives no label there; name the label to ask about.")
    return best + 1 if counts[best] and (spec.overlapping or counts[best] >= len(seen) - sum(counts)) else 0


def _value(label: str | int | None, spec: ModelSpec) -> int:
    known: dict[str | int, int] = {0: 0, "background": 0} if not spec.overlapping else {}
    known |= {key: found.value for found in spec.labels for key in (found.value, found.name)}
    if label is None:
        raise ExplanationError(f"Name a label ({', '.join(found.name for found in spec.labels)}) or a place.")
    if label not in known:
        raise ExplanationError(f"The model {spec.id} has no label {label!r}; it has {', '.join(found.name for found in spec.labels)}.")
    return known[label]


def _channel(value: int, spec: ModelSpec) -> int:
    return value - 1 if spec.overlapping else value


def _name(value: int, spec: ModelSpec) -> str:
    found: Label | None = next((label for label in spec.labels if label.value == value), None)
    return found.name if found else "background"
