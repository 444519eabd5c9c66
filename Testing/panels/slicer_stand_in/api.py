"""The properties, signals and slots that Slicer 5.8.1's classes have, as recorded there (`recorded_api.json`)."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

FOLDER = Path(__file__).parent


@dataclass
class Api:
    """Names a class offers.

    Attributes:
        properties: type and whether it can be written, by name.
        signals: signatures by name, in the order of Qt's meta-object.
        slots: signatures by name; a name without any is a C++ method that PythonQt adds.
    """

    properties: dict[str, tuple[str, bool]] = field(default_factory=dict)
    signals: dict[str, list[str]] = field(default_factory=dict)
    slots: dict[str, list[str]] = field(default_factory=dict)

    def with_methods(self, names: str) -> Api:
        """The same with C++ methods, named in one string."""
        return Api(self.properties, self.signals, {**{name: [] for name in names.split()}, **self.slots})


@cache
def recorded_classes() -> dict[str, dict]:
    return json.loads((FOLDER / "recorded_api.json").read_text(encoding="utf-8"))["classes"]


def recorded(name: str) -> Api:
    """What was recorded of a class, as 'qt.QLabel'; nothing where it was not recorded."""
    entry = recorded_classes().get(name, {})
    return Api(
        {property_name: (kind, writable) for property_name, kind, writable in entry.get("properties", [])},
        by_name(entry.get("signals", [])),
        {**by_name(entry.get("slots", [])), **{method: [] for method in entry.get("names", [])}},
    )


def by_name(signatures: list[str]) -> dict[str, list[str]]:
    """Signatures without repetitions, by the name before the parenthesis."""
    found: dict[str, list[str]] = {}
    for signature in signatures:
        overloads = found.setdefault(name_of(signature), [])
        if signature not in overloads:
            overloads.append(signature)
    return found


def name_of(signature: str) -> str:
    return signature.split("(", 1)[0]


def argument_types(signature: str) -> list[str]:
    """The types between the parentheses; those of templates hold no comma in what was recorded, but for pairs, which nobody uses here."""
    inside = signature.split("(", 1)[1].rsplit(")", 1)[0]
    return [kind for kind in inside.split(",") if kind]
