"""What a run gives back."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from deepseg.geometry import Geometry
from deepseg.volume import Label, LabelMap


@dataclass(frozen=True, eq=False)
class Prediction:
    """Segments of one volume.

    Attributes:
        labels: uint8 or uint16 label map on the input's grid; background outside the region of interest.
        probabilities: float32 (L, I, J, K) on the input's grid, not calibrated: background first, summing to 1 (softmax), and 1 for background
            outside the region of interest; or one for each label where labels may overlap (sigmoid). None where they were not asked for or
            would take more than `PROBABILITY_LIMIT_BYTES`.
        provenance: what made it, as the attributes of a segmentation node: model, hash, settings, version.
        seconds: time each stage took, in order.
        notes: what a user should know of this run, a sentence each.
    """

    labels: LabelMap
    probabilities: np.ndarray | None
    provenance: dict[str, str]
    seconds: dict[str, float] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    @property
    def geometry(self) -> Geometry:
        """The input's grid."""
        return self.labels.geometry

    def volumes_ml(self) -> list[tuple[Label, float]]:
        """Each segment's volume in mL: voxels counted times the voxel's volume."""
        return [(label, self.labels.volume_ml(label)) for label in self.labels.labels]


PROBABILITY_LIMIT_BYTES = 4 * 2**30
