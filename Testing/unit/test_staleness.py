"""A map says whether the segments it was made with are still those."""

from dataclasses import replace

import numpy as np

from deepseg import api
from deepseg.golden import phantom


def test_maps_are_stale_once_a_voxel_of_a_segment_is_edited(tiny_bundle):
    result = api.estimate_uncertainty(phantom(1), tiny_bundle, sampler="single-pass")
    made_with, labels = result.prediction.provenance, result.prediction.labels
    assert labels.attributes == made_with
    assert not api.is_stale(made_with, labels)
    named_anew = replace(labels, array=labels.array.astype(np.uint16), labels=tuple(replace(label, name="X") for label in labels.labels))
    assert not api.is_stale(made_with, named_anew)
    edited = labels.array.copy()
    edited[3, 4, 5] = 2 if edited[3, 4, 5] != 2 else 1
    assert api.is_stale(made_with, replace(labels, array=edited))
    assert api.is_stale({}, labels), "what does not say with which segments it was made cannot be trusted"
