"""What a bundle's metadata.json tells: inputs, labels, and what a user must know."""

from __future__ import annotations

import re
from typing import Any

from deepseg.errors import ModelError
from deepseg.importers.colors import distinct_color
from deepseg.importers.monai_limits import shown
from deepseg.importers.monai_output import Output
from deepseg.importers.monai_transforms import Preprocessing
from deepseg.spec import InputSpec
from deepseg.volume import Label

UNKNOWN = "unknown; ask whoever made the bundle"

_MODALITIES = {"MR": "MR", "MRI": "MR", "CT": "CT", "PT": "PT", "PET": "PT", "US": "US", "ULTRASOUND": "US"}
_NOT_NAMES = ("", "image", "input", "img")
"""What inputs are called that tells nothing."""


def read_inputs(metadata: dict[str, Any], preprocessing: Preprocessing) -> tuple[InputSpec, ...]:
    """One input a channel, with its modality and intensity steps."""
    formats = _formats(metadata, "inputs")
    described = [_described(formats, key, n) for n, key in enumerate(preprocessing.keys)]
    inputs = []
    for n, ((name, modality, unit), steps) in enumerate(zip(described, preprocessing.steps, strict=True)):
        if name.strip().lower() in _NOT_NAMES:
            name = modality if modality != "other" else "image"
        if len({told for told, *_ in described}) < len(described):
            name = f"{name} {n + 1}"
        inputs.append(InputSpec(name, modality, unit, steps))
    return tuple(inputs)


def _described(formats: dict[str, Any], key: str, channel: int) -> tuple[str, str, str]:
    """Name, modality and unit of one channel: of the input with the image's name, or of the channel of the only input."""
    of_its_own = key in formats and len(formats) > 1
    known = formats[key] if of_its_own else next(iter(formats.values()), {})
    known = known if isinstance(known, dict) else {}
    names = known.get("channel_def")
    name = names.get(str(0 if of_its_own else channel), "") if isinstance(names, dict) else ""
    if key != "image" and str(name).strip().lower() in _NOT_NAMES:
        name = key
    modality = _MODALITIES.get(str(known.get("modality", "")).strip().upper(), "other")
    return str(name), modality, "HU" if modality == "CT" else "a.u."


def read_labels(metadata: dict[str, Any], output: Output, channel_count: int) -> tuple[tuple[Label, ...], list[str]]:
    """The labels of the network's channels, and a note for the model card where names are missing.

    Raises:
        ModelError: the metadata describe another number of channels.
    """
    formats = _formats(metadata, "outputs")
    known = formats.get("pred", next(iter(formats.values()), {}))
    given = known.get("channel_def") if isinstance(known, dict) else None
    names = {str(channel): str(name) for channel, name in given.items()} if isinstance(given, dict) else {}
    exclusive = output.activation == "softmax"
    channels = range(exclusive, channel_count)
    if exclusive and channel_count < 2:
        raise ModelError("The bundle's network answers one channel with softmax, which is 1 everywhere; it cannot be imported.")
    beyond = sorted(channel for channel in names if not channel.isdigit() or int(channel) >= channel_count)
    # One sigmoid channel is often described with the background before it.
    if not exclusive and channel_count == 1 and beyond == ["1"] and names.get("0", "").strip().lower() == "background":
        names, beyond = {"0": names["1"]}, []
    if beyond:
        raise ModelError(
            f"The bundle's metadata.json describes the output channel '{beyond[0]}', its network answers {channel_count} channels; they do not fit."
        )
    missing = [str(channel) for channel in channels if not names.get(str(channel), "").strip()]
    labels = tuple(
        Label(value, names.get(str(channel), "").strip() or f"segment {value}", distinct_color(value - 1))
        for value, channel in enumerate(channels, 1)
    )
    return labels, [f"The bundle does not name its channels {', '.join(missing)}; they are numbered here."] if missing else []


def kept_labels(output: Output, labels: tuple[Label, ...]) -> tuple[int, ...]:
    """Values of the labels of which the largest part is kept.

    Raises:
        ModelError: the postprocessing names a label that the network does not have.
    """
    if output.keep_largest == "all":
        return tuple(label.value for label in labels)
    values = sorted({label + output.onehot for label in output.keep_largest} - {0})
    if any(not 0 < value <= len(labels) for value in values):
        raise ModelError(f"The bundle keeps the largest part of the labels {shown(output.keep_largest)}, but its network has {len(labels)} labels.")
    return tuple(values)


def model_id(metadata: dict[str, Any], folder_name: str) -> str:
    """A stable name of the bundle's own, in the letters that a model's id may have."""
    for name in (str(metadata.get("name") or ""), folder_name):
        if wanted := re.sub(r"[^a-z0-9._-]+", "-", name.lower()).strip("._-"):
            return wanted
    return "monai-bundle"


def text(metadata: dict[str, Any], key: str, otherwise: str = UNKNOWN) -> str:
    """A text of the metadata on one line; lists are joined."""
    value = metadata.get(key)
    items = value if isinstance(value, list) else [value]
    return " ".join(" ".join(str(item).split()) for item in items if item not in (None, "")) or otherwise


def _formats(metadata: dict[str, Any], key: str) -> dict[str, Any]:
    described = metadata.get("network_data_format")
    found = described.get(key) if isinstance(described, dict) else None
    return found if isinstance(found, dict) else {}
