"""What a run can be asked for beside, or instead of, segments; each travels in job.json."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from deepseg.box import Box


@dataclass(frozen=True)
class UncertaintyRequest:
    """Segments, and how sure the model is of them: what `deepseg.api.estimate_uncertainty` takes."""

    sampler: str | None = None
    samples: int | None = None
    seed: int = 0
    level: float | None = None


@dataclass(frozen=True)
class ExplanationRequest:
    """Why the model answers as it does, without segments: what `deepseg.api.explain` takes. A place is a position or a box, RAS in mm."""

    label: str | int | None = None
    against: str | int | None = None
    place: tuple[float, float, float] | Box | None = None
    doubt: bool = False
    method: str | None = None
    layer: str | None = None
    seed: int = 0
    checks: bool = True


@dataclass(frozen=True)
class PreviewRequest:
    """What can be said before a run, of segments alone or of uncertainty; no network is run."""

    uncertainty: bool = False


Request = UncertaintyRequest | ExplanationRequest | PreviewRequest

_KINDS: dict[str, type[Request]] = {"uncertainty": UncertaintyRequest, "explanation": ExplanationRequest, "preview": PreviewRequest}


def request_to_json(request: Request | None) -> dict[str, Any] | None:
    """In JSON types; None, segments alone, stays None."""
    if request is None:
        return None
    kind = next(kind for kind, made in _KINDS.items() if isinstance(request, made))
    fields = dict(vars(request))
    if (place := fields.get("place")) is not None:
        fields["place"] = {"box": place.to_json()} if isinstance(place, Box) else {"ras_mm": [float(x) for x in place]}
    return {"kind": kind, **fields}


def request_from_json(item: dict[str, Any] | None) -> Request | None:
    """The opposite of `request_to_json`."""
    if item is None:
        return None
    fields = {key: value for key, value in item.items() if key != "kind"}
    if place := fields.get("place"):
        fields["place"] = Box.from_json(place["box"]) if "box" in place else tuple(place["ras_mm"])
    return _KINDS[item["kind"]](**fields)
