"""A bundle's inferer and postprocessing: the sliding window, and what the network's channels mean."""

from __future__ import annotations

from dataclasses import dataclass, field

from deepseg.errors import ModelError
from deepseg.importers.monai_arguments import KEYS, arguments, named, numbers, refuse, transform_name
from deepseg.importers.monai_config import Component
from deepseg.importers.monai_limits import shown
from deepseg.spec import WindowSpec
from deepseg.windows import GAUSSIAN_SIGMA

_PADDINGS = {"constant": "zero", "replicate": "replicate"}
_IGNORED_OF_WINDOWS = frozenset(
    {"sw_batch_size", "sw_device", "device", "progress", "cache_roi_weight_map", "cpu_thresh", "buffer_steps", "buffer_dim"}
)
_IGNORED = frozenset(
    {"CastToTyped", "DeleteItemsd", "EnsureTyped", "Identityd", "SaveImaged", "SelectItemsd", "ToDeviced", "ToTensord", "FromMetaTensord"}
)


def read_window(inferer: object, dims: int) -> WindowSpec:
    """The sliding window of a bundle's inferer; `dims` is the number of axes of the network's images.

    Raises:
        ModelError: it works in another way, or has settings that DeepSeg does not do.
    """
    if not isinstance(inferer, Component):
        raise ModelError(f"The bundle's inferer is {shown(inferer)}, where one of MONAI's was expected; the bundle cannot be imported.")
    name = inferer.monai_name("monai.inferers") or ""
    if name == "SimpleInferer":
        raise refuse(inferer, "shows the whole image to the network at once, whatever its size; DeepSeg works in windows of one size")
    if name not in ("SlidingWindowInferer", "SlidingWindowInfererAdapt", "SliceInferer"):
        raise ModelError(f"{named(inferer)} is not one of SlidingWindowInferer and SliceInferer, which DeepSeg has; the bundle cannot be imported.")
    if (name == "SliceInferer") != (dims == 2):
        raise refuse(inferer, f"does not fit a network of {dims}D images")
    options = {"roi_size": None, "overlap": 0.25, "mode": "constant", "sigma_scale": GAUSSIAN_SIGMA, "padding_mode": "constant", "cval": 0.0}
    slices = {"spatial_dim": 0} if dims == 2 else {}
    given = arguments(inferer, {**options, **slices, "with_coord": False}, _IGNORED_OF_WINDOWS)
    size = [int(side) for side in numbers(inferer, given["roi_size"], "roi_size", dims)]
    overlap = {float(share) for share in numbers(inferer, given["overlap"], "overlap")}
    if min(size) < 1:
        raise refuse(inferer, f"has roi_size {shown(given['roi_size'])}: a side that is as long as the image, where DeepSeg's windows have one size")
    if len(overlap) > 1:
        raise refuse(inferer, f"has overlap {shown(given['overlap'])}, where DeepSeg has one for all axes")
    if given["padding_mode"] not in _PADDINGS or given["cval"] != 0:
        raise refuse(
            inferer,
            f"fills small images up with {shown(given['padding_mode'])} ({shown(given['cval'])}), where DeepSeg has {' and '.join(_PADDINGS)} (0)",
        )
    if given["mode"] not in ("constant", "gaussian") or given["with_coord"]:
        raise refuse(
            inferer, f"blends windows by {shown(given['mode'])} (with_coord {shown(given['with_coord'])}), where DeepSeg has constant and gaussian"
        )
    if given["mode"] == "gaussian" and set(numbers(inferer, given["sigma_scale"], "sigma_scale")) != {GAUSSIAN_SIGMA}:
        raise refuse(inferer, f"has sigma_scale {shown(given['sigma_scale'])}, where DeepSeg has {GAUSSIAN_SIGMA}")
    if dims == 2:
        size.insert(int(numbers(inferer, given["spatial_dim"], "spatial_dim")[0]), 1)
    context = 0 if dims == 2 else None
    return WindowSpec(tuple(size), overlap.pop(), "fixed", given["mode"], _PADDINGS[given["padding_mode"]], context)


@dataclass
class Output:
    """What the postprocessing says, as far as it was read.

    Attributes:
        activation: 'softmax' or 'sigmoid'; None while nothing tells.
        discrete: how probabilities become labels: 'argmax' or 'threshold'.
        keep_largest: channels, or labels, of which the largest part is kept; 'all'; or empty.
        onehot: whether those are channels.
        notes: what the bundle does in another way, for the user and the model card.
    """

    activation: str | None = None
    discrete: str | None = None
    keep_largest: list[int] | str = field(default_factory=list)
    onehot: bool = False
    notes: list[str] = field(default_factory=list)
    inverted: bool = False


def read_output(transforms: list[Component], channel_count: int) -> Output:
    """Read a chain of postprocessing transforms; `channel_count` is that of the network's answer.

    Raises:
        ModelError: a transform is unknown, or asks for what DeepSeg does not do, or nothing tells what the channels mean.
    """
    output = Output()
    for component in transforms:
        name = transform_name(component)
        if name == "Activationsd":
            _activation(component, output)
        elif name == "AsDiscreted":
            _discrete(component, output, channel_count)
        elif name == "KeepLargestConnectedComponentd":
            _keep_largest(component, output, channel_count)
        elif name == "Invertd":
            output.inverted = True
        elif name == "Lambdad" and output.discrete:
            _rewritten(component, output)
        elif name not in _IGNORED:
            known = ", ".join(sorted({*_IGNORED, "Activationsd", "AsDiscreted", "Invertd", "KeepLargestConnectedComponentd"}))
            raise ModelError(
                f"{named(component)} is a postprocessing step that DeepSeg does not have, so the bundle cannot be imported. It has {known}."
            )
    if output.activation is None and output.discrete == "argmax":
        # The largest logit is the largest probability.
        output.activation = "softmax"
    if output.activation is None:
        raise ModelError("The bundle's postprocessing has neither Activationsd nor argmax, so nothing tells what the network's channels mean.")
    return output


def _activation(component: Component, output: Output) -> None:
    given = arguments(component, {"softmax": False, "sigmoid": False, "other": None}, KEYS | {"dim"})
    if given["other"] is not None or bool(given["softmax"]) == bool(given["sigmoid"]):
        raise refuse(component, "is neither softmax nor sigmoid")
    if output.discrete or output.activation:
        raise refuse(component, "comes after another one or after AsDiscreted, which DeepSeg does not do")
    output.activation = "softmax" if given["softmax"] else "sigmoid"
    if output.inverted:
        output.notes.append("The bundle resamples the network's logits back to the image, DeepSeg its probabilities: edges may differ a little.")


def _discrete(component: Component, output: Output, channel_count: int) -> None:
    options = {"argmax": False, "threshold": None, "threshold_values": False, "logit_thresh": 0.5, "rounding": None}
    given = arguments(component, options, KEYS | {"to_onehot", "num_classes", "n_classes", "dim", "keepdim", "dtype"})
    if given["rounding"] is not None:
        raise refuse(component, "rounds values, which DeepSeg does not do")
    # Up to MONAI 0.7 a threshold was switched on and its value given apart.
    threshold = given["logit_thresh"] if given["threshold_values"] or given["threshold"] is True else given["threshold"] or None
    if given["argmax"]:
        if output.activation == "sigmoid":
            raise refuse(component, "takes the largest of sigmoid answers, which DeepSeg does not do")
        output.discrete = "argmax"
    elif threshold is not None:
        if threshold != 0.5:
            raise refuse(component, f"has the threshold {shown(threshold)}, where DeepSeg has 0.5")
        if output.activation is None and output.discrete is None:
            raise refuse(component, "sets a threshold to the network's raw answers, which DeepSeg does not do")
        if output.activation == "softmax" and output.discrete is None and channel_count != 2:
            raise refuse(component, "sets a threshold to softmax answers of several labels, which DeepSeg does not do")
        output.discrete = output.discrete or "threshold"
    if output.discrete and not output.inverted:
        output.notes.append("The bundle brings labels back to the image's grid, DeepSeg probabilities: edges may differ by a voxel.")


def _rewritten(component: Component, output: Output) -> None:
    """Channels that overlap stay the segments they are, whatever label map the bundle makes of them; exclusive labels would mean something else."""
    if output.activation != "sigmoid":
        raise refuse(component, "rewrites the bundle's labels with a piece of code, which DeepSeg does not run, so its labels would be other ones")
    output.notes.append(
        f"The bundle makes a label map of its channels with a piece of code, {shown(component.written('func'))}, which is not run: here each channel "
        "is a segment of its own, numbered in the network's order."
    )


def _keep_largest(component: Component, output: Output, channel_count: int) -> None:
    options = {"applied_labels": None, "is_onehot": None, "independent": True, "connectivity": None, "num_components": 1}
    given = arguments(component, options, KEYS)
    if not given["independent"] or given["num_components"] != 1 or given["connectivity"] not in (None, 3):
        raise refuse(component, "keeps something else than the largest part of each label, parts touching at corners")
    if output.discrete is None:
        raise refuse(component, "comes before AsDiscreted, where DeepSeg has no labels yet")
    several = output.activation == "sigmoid" and channel_count > 1
    output.onehot = several if given["is_onehot"] is None else bool(given["is_onehot"])
    if output.onehot and not several:
        raise refuse(component, "works on one-hot channels, which DeepSeg does not do")
    labels = given["applied_labels"]
    output.keep_largest = "all" if labels is None else [int(label) for label in numbers(component, labels, "applied_labels")]
    if not output.inverted:
        output.notes.append("The bundle keeps the largest part of a label on the model's grid, DeepSeg on the image's.")
