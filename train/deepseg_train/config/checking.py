"""From what a YAML file says to frozen dataclasses: unknown keys are refused with the nearest known one, values are of the declared types."""

from __future__ import annotations

import difflib
import types
from collections.abc import Mapping, Sequence
from dataclasses import MISSING, fields, is_dataclass
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

from deepseg_train.errors import ConfigError


def build(kind: type, section: Any, where: str) -> Any:
    """A frozen dataclass from a mapping; fields without a default must be there.

    Args:
        kind: its fields are of int, float, str, bool, Any, Literal, tuple, dict, of other such dataclasses, or of one of these or None.
        where: what the section is called in messages, such as 'CONFIG.yaml: optimizer'.

    Raises:
        ConfigError: a key is unknown or missing, or a value is of another type.
    """
    if not isinstance(section, Mapping):
        raise ConfigError(f"{where} must be a mapping; got {section!r}.")
    known = {f.name: f for f in fields(kind) if f.init}
    check_keys(section, list(known), where)
    missing = [name for name, f in known.items() if name not in section and f.default is MISSING and f.default_factory is MISSING]
    if missing:
        raise ConfigError(f"{where} lacks {', '.join(missing)}.")
    hints = get_type_hints(kind)
    values = {key: convert(value, hints[key], f"{where}.{key}") for key, value in section.items()}
    try:
        return kind(**values)
    except ConfigError as error:
        raise ConfigError(f"{where}: {error}") from error


def check_keys(section: Mapping[str, Any], known: Sequence[str], where: str) -> None:
    """Refuse a key that is none of `known`.

    Raises:
        ConfigError: names the nearest known key, or all where none is near.
    """
    for key in section:
        if key not in known:
            near = difflib.get_close_matches(str(key), known, 1)
            hint = f" Did you mean '{near[0]}'?" if near else f" Known: {', '.join(known) or 'none'}."
            raise ConfigError(f"{where} has an unknown key '{key}'.{hint}")


def convert(value: Any, wanted: Any, where: str) -> Any:
    """A value of YAML as the declared type; lists become tuples, whole numbers floats where these are wanted.

    Raises:
        ConfigError: it is of another type.
    """
    origin, arguments = get_origin(wanted), get_args(wanted)
    if wanted is Any:
        return value
    if origin in (Union, types.UnionType):
        return _one_of(value, arguments, where)
    if origin is Literal:
        if value not in arguments:
            near = difflib.get_close_matches(str(value), [str(a) for a in arguments], 1)
            hint = f" Did you mean '{near[0]}'?" if near else ""
            raise ConfigError(f"{where} is {value!r}; expected one of {', '.join(map(str, arguments))}.{hint}")
        return value
    if origin is tuple:
        return _tuple(value, arguments, where)
    if origin in (dict, Mapping):
        if not isinstance(value, Mapping):
            raise ConfigError(f"{where} is {value!r}; expected a mapping.")
        return {str(key): convert(item, arguments[1], f"{where}.{key}") for key, item in value.items()}
    if is_dataclass(wanted):
        return build(wanted, value, where)
    return _plain(value, wanted, where)


def _one_of(value: Any, kinds: tuple[Any, ...], where: str) -> Any:
    if value is None and type(None) in kinds:
        return None
    others = [kind for kind in kinds if kind is not type(None)]
    for kind in others[:-1]:
        try:
            return convert(value, kind, where)
        except ConfigError:
            continue
    return convert(value, others[-1], where)


def _tuple(value: Any, arguments: tuple[Any, ...], where: str) -> tuple[Any, ...]:
    if not isinstance(value, (list, tuple)):
        raise ConfigError(f"{where} is {value!r}; expected a list.")
    if len(arguments) == 2 and arguments[1] is ...:
        kinds = [arguments[0]] * len(value)
    else:
        kinds = list(arguments)
        if len(kinds) != len(value):
            raise ConfigError(f"{where} has {len(value)} values; expected {len(kinds)}.")
    return tuple(convert(item, kind, f"{where}[{n}]") for n, (item, kind) in enumerate(zip(value, kinds, strict=True)))


_NAMES = {int: "a whole number", float: "a number", str: "text", bool: "true or false"}


def _plain(value: Any, wanted: type, where: str) -> Any:
    if wanted is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    # YAML's numbers with an exponent need a point; people leave it out (1e-3).
    if wanted is float and isinstance(value, str):
        try:
            return float(value)
        except ValueError:
            pass
    if not isinstance(value, wanted) or (wanted is not bool and isinstance(value, bool)):
        raise ConfigError(f"{where} is {value!r}; expected {_NAMES[wanted]}.")
    return value
