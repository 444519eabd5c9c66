"""Dataclasses from mappings: each kind of field, and what is told where it does not fit."""

from dataclasses import dataclass
from typing import Any, Literal

import pytest

from deepseg_train.config.checking import build
from deepseg_train.errors import ConfigError


@dataclass(frozen=True)
class Inner:
    width: float
    kind: Literal["a", "b"] = "a"


@dataclass(frozen=True)
class Outer:
    inner: Inner
    many: tuple[Inner, ...] = ()
    three: tuple[int, int, int] = (1, 1, 1)
    rates: dict[str, float] | None = None
    either: int | str | None = None
    anything: Any = None

    def __post_init__(self) -> None:
        if self.three[0] < 0:
            raise ConfigError("three begins below 0")


def test_every_kind_of_field_is_built():
    made = build(
        Outer,
        {"inner": {"width": 2}, "many": [{"width": 1.5, "kind": "b"}], "three": [1, 2, 3], "rates": {"x": 1}, "either": "y", "anything": [{}]},
        "C",
    )
    assert made == Outer(Inner(2.0), (Inner(1.5, "b"),), (1, 2, 3), {"x": 1.0}, "y", [{}])
    assert isinstance(made.inner.width, float)


@pytest.mark.parametrize(
    ("section", "said"),
    [
        ({}, r"C lacks inner\."),
        ([], r"C must be a mapping; got \[\]\."),
        ({"inner": {"width": 1, "widht": 2}}, r"C\.inner has an unknown key 'widht'\. Did you mean 'width'\?"),
        ({"inner": {"width": 1, "zzz": 2}}, r"C\.inner has an unknown key 'zzz'\. Known: width, kind\."),
        ({"inner": {"width": "wide"}}, r"C\.inner\.width is 'wide'; expected a number\."),
        ({"inner": {"width": True}}, r"C\.inner\.width is True; expected a number\."),
        ({"inner": {"width": 1, "kind": "c"}}, r"C\.inner\.kind is 'c'; expected one of a, b\."),
        ({"inner": {"width": 1}, "many": [{"width": 1}, {}]}, r"C\.many\[1\] lacks width\."),
        ({"inner": {"width": 1}, "three": [1, 2]}, r"C\.three has 2 values; expected 3\."),
        ({"inner": {"width": 1}, "three": 1}, r"C\.three is 1; expected a list\."),
        ({"inner": {"width": 1}, "rates": {"x": "y"}}, r"C\.rates\.x is 'y'; expected a number\."),
        ({"inner": {"width": 1}, "either": 1.5}, r"C\.either is 1\.5; expected text\."),
        ({"inner": {"width": 1}, "three": [-1, 0, 0]}, r"C: three begins below 0"),
    ],
)
def test_what_does_not_fit_is_told_with_its_place(section, said):
    with pytest.raises(ConfigError, match=said):
        build(Outer, section, "C")
