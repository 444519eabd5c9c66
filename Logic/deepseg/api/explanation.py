"""Why a model answers as it does."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

from deepseg.api.arguments import refuse_other_types
from deepseg.box import Box
from deepseg.bundle import ModelBundle
from deepseg.explanation.listed import LISTED, ListedMethod
from deepseg.progress import ProgressCallback
from deepseg.results import Explanation
from deepseg.volume import Volume

if TYPE_CHECKING:
    from deepseg.explanation.cohort import CohortExplanation


def explain_cohort(volumes: Iterable[Volume], bundle: ModelBundle, label: str | int, on_case: Callable[[], None] | None = None) -> CohortExplanation:
    """Say what matters for a label over many volumes: which inputs, how far from the segment's boundary, and next to which other labels.

    Args:
        volumes: read one by one; those in which the model does not find the label are left out.
        bundle: the model.
        label: its name or value.
        on_case: called after each volume; what it raises ends the run.

    Raises:
        VolumeError: a volume does not fit the model.
        ExplanationError: there is no such label, or it is found nowhere.
    """
    from deepseg.explanation import cohort

    return cohort.explain_cohort(volumes, bundle, label, on_case)


def explain(
    volume: Volume,
    bundle: ModelBundle,
    label: str | int | None = None,
    roi: Box | None = None,
    progress: ProgressCallback | None = None,
    *,
    against: str | int | None = None,
    place: tuple[float, float, float] | Box | None = None,
    doubt: bool = False,
    method: str | None = None,
    layer: str | None = None,
    seed: int = 0,
    checks: bool = True,
    device: str | None = None,
) -> Explanation:
    """Say what in a volume made a model answer as it did, and test that explanation.

    Args:
        volume: any orientation and spacing; the model's number of channels.
        bundle: the model.
        label: name or value of the segment asked about; None: whatever the model says at `place`, or with `doubt` all segments.
        roi: only this box is read and explained, as in `segment` (RAS, mm); the whole volume where None.
        progress: called with a `Progress` several times; raising `Cancelled` in it stops the run.
        against: name or value of another label (0: background): why not that one.
        place: one voxel by its position (RAS, mm), or a box; the whole segment where None.
        doubt: ask what makes the model unsure instead.
        method: key of `deepseg.explanation.methods.METHODS`; None: the usual one.
        layer: module of the network that CAM methods look at, as in the network's `named_modules()`; None: the usual one.
        seed: of whatever is drawn; the same seed gives the same map on the same computer.
        checks: test the map, which takes some times as long as drawing it.
        device: key of the only device to run on, as `list_devices` gives them; None: the fastest with memory enough.

    Raises:
        VolumeError: the volume does not fit the model.
        RegionError: a box holds no voxel.
        ExplanationError: there is no such method, label or layer, the place lies outside, or the model says nothing there.
        ModelError: the model's network cannot be built or run here.
        DeviceError: there is no such device.
        MemoryLimitError: not enough memory, of the device where one is named.
        Cancelled: `progress` raised it.
    """
    from deepseg.explanation import explain as road
    from deepseg.explanation.targets import ExplanationTarget

    refuse_other_types(volume, bundle, roi)
    target = ExplanationTarget(label, against, place, doubt)
    how = {"method": method or road.USUAL_METHOD, "layer": layer, "seed": seed, "checks": checks, "device": device}
    return road.explain(volume, bundle, target, roi, progress, **how)


def explanation_methods() -> tuple[ListedMethod, ...]:
    """All ways to explain, without loading PyTorch."""
    return LISTED


def explanation_layers(bundle: ModelBundle) -> tuple[str, ...]:
    """Names of the network's modules that CAM methods can look at, from its input on, each before what it is made of.

    Empty where nobody can tell without a run.

    Raises:
        ModelError: the model's network cannot be built here.
    """
    from deepseg.explanation.layers import layers_of

    return tuple(layers_of(bundle.spec))


def usual_explanation_layer(bundle: ModelBundle) -> str | None:
    """The layer that CAM methods look at where none is named; None where none can be found.

    Raises:
        ModelError: the model's network cannot be built here.
    """
    from deepseg.explanation.layers import layers_of, usual_layer

    return usual_layer(layers_of(bundle.spec))
