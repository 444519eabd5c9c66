"""What callers hand over."""

from __future__ import annotations

from deepseg.box import Box
from deepseg.bundle import ModelBundle
from deepseg.geometry import Geometry
from deepseg.volume import Volume


def geometry_to_run_on(volume: Volume, bundle: ModelBundle, roi: Box | None) -> Geometry:
    from deepseg.preprocessing import refuse_unfit

    refuse_other_types(volume, bundle, roi)
    refuse_unfit(volume, bundle.spec)
    if roi is None:
        return volume.geometry
    where = volume.geometry.slices_of(roi)
    return volume.geometry.cropped(tuple(s.start for s in where), tuple(s.stop - s.start for s in where))


def refuse_other_types(volume: Volume, bundle: ModelBundle, roi: Box | None) -> None:
    """What a script hands over by mistake: a path, a name, a tuple.

    Raises:
        TypeError: says how to make what is expected.
    """
    expected = (
        (volume, Volume, "the volume: read one with api.read_volume(path)"),
        (bundle, ModelBundle, "the model: open one with api.load_model(name)"),
        (roi, (Box, type(None)), "roi: make one with api.Box(low, high), its corners in RAS mm"),
    )
    for given, wanted, told in expected:
        if not isinstance(given, wanted):
            raise TypeError(f"{given!r:.80} was given as {told}.")
