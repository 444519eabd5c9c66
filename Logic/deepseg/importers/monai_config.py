"""A MONAI bundle's config, JSON or YAML: its parts are resolved one by one when they are asked for, and nothing in them is run."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from deepseg.errors import ModelError
from deepseg.importers.monai_expressions import REFERENCE, NotEvaluatedError, evaluate
from deepseg.importers.monai_limits import count_items, shown

_MAX_PARTS = 100_000
_MAX_BYTES = 16 << 20
_NOT_ARGUMENTS = frozenset({"_target_", "_disabled_", "_requires_", "_desc_", "_mode_"})


@dataclass(frozen=True, eq=False)
class Component:
    """A part of the config that MONAI would make an object of. Its arguments are resolved when they are asked for.

    Attributes:
        target: the class, as the config names it.
        where: its id in the config.
    """

    target: str
    where: str
    _node: dict[str, Any] = field(repr=False)
    _config: BundleConfig = field(repr=False)

    @property
    def given(self) -> set[str]:
        """Names of the arguments that the config gives."""
        return set(self._node) - _NOT_ARGUMENTS

    def argument(self, name: str, default: Any = None) -> Any:
        """Value of an argument.

        Raises:
            ModelError: it needs what is not evaluated.
        """
        return self._config.resolved(self._node[name], f"{self.where}::{name}") if name in self._node else default

    def written(self, name: str) -> Any:
        """An argument as the config has it, not resolved."""
        return self._node.get(name)

    def monai_name(self, package: str) -> str | None:
        """Its class's name where that is one of MONAI's, bare or below `package`; None for anything else."""
        path, _, name = self.target.rpartition(".")
        return name if not path or path == package or path.startswith(f"{package}.") else None


class BundleConfig:
    """One config file.

    Attributes:
        source: how messages name the file.
    """

    def __init__(self, content: Any, source: str, load_arrays: Callable[[str], Any] | None = None) -> None:
        """`load_arrays` reads a file that the config names with `torch.load`; without it, no file is read.

        Raises:
            ModelError: the file does not hold a dictionary.
        """
        if not isinstance(content, dict):
            raise ModelError(f"{source} holds {type(content).__name__}, not a config of a MONAI bundle; get the bundle again.")
        self.source = source
        self._content, self._load, self._parts, self._active = content, load_arrays, 0, []

    def __contains__(self, identity: str) -> bool:
        node: Any = self._content
        for part in identity.split("::"):
            node = _child(node, part)
            if node is _NOTHING:
                return False
        return True

    def raw(self, identity: str) -> Any:
        """The part with this id as it is written."""
        return self._node(identity)

    def get(self, identity: str) -> Any:
        """Resolved value of the part with this id: numbers, text, lists, dicts, or a `Component`.

        Raises:
            ModelError: there is no such part, or it needs what is not evaluated.
        """
        with self._refused_in_words(identity):
            return self.look_up(identity)

    def resolved(self, node: Any, where: str) -> Any:
        """Resolved value of a part that lies at the id `where`."""
        with self._refused_in_words(where):
            return _or_none(self._value(node, where))

    def look_up(self, identity: str) -> Any:
        """As `get`, for expressions."""
        identity = identity.replace("#", "::")
        if identity in self._active:
            raise ModelError(f"{self.source}: '{identity}' refers to itself; get the bundle again.")
        node = self._node(identity)
        self._active.append(identity)
        try:
            return _or_none(self._value(node, identity))
        finally:
            self._active.pop()

    def load_arrays(self, path: str) -> Any:
        """Arrays of a file in the bundle, for expressions."""
        if self._load is None or not isinstance(path, str):
            raise NotEvaluatedError(f"the call 'torch.load' of {shown(path)}")
        return self._load(path)

    def _node(self, identity: str) -> Any:
        node: Any = self._content
        for part in identity.split("::"):
            if isinstance(node, str) and node.startswith("%"):
                node = self._node(node[1:].replace("#", "::"))
            node = _child(node, part)
            if node is _NOTHING:
                raise ModelError(f"{self.source} refers to '{identity}', which it does not define; get the bundle again.")
        return node

    def _value(self, node: Any, where: str) -> Any:
        self._count(1)
        if isinstance(node, str):
            return self._text(node, where)
        if isinstance(node, list):
            values = [self._value(item, f"{where}::{n}") for n, item in enumerate(node)]
            # MONAI leaves out what is disabled.
            return [value for value in values if value is not _NOTHING]
        if isinstance(node, dict):
            return self._component(node, where) if "_target_" in node else self._dictionary(node, where)
        return node

    def _count(self, parts: int) -> None:
        self._parts += parts
        if self._parts > _MAX_PARTS:
            raise ModelError(f"{self.source} resolves to more than {_MAX_PARTS} parts; this is no config of a segmentation network.")

    def _dictionary(self, node: dict[str, Any], where: str) -> dict[str, Any]:
        values = {key: self._value(item, f"{where}::{key}") for key, item in node.items()}
        return {key: value for key, value in values.items() if value is not _NOTHING}

    def _component(self, node: dict[str, Any], where: str) -> Any:
        disabled = self._value(node.get("_disabled_", False), f"{where}::_disabled_")
        if disabled is True or (isinstance(disabled, str) and disabled.strip().lower() == "true"):
            return _NOTHING
        target, mode = node["_target_"], node.get("_mode_", "default")
        if not isinstance(target, str) or target.startswith("$"):
            raise ModelError(f"{self.source}: '{where}' takes its class from {shown(target)}; only the name of a class of MONAI is allowed.")
        if mode != "default":
            raise ModelError(f"{self.source}: '{where}' makes {target} in the mode {shown(mode)}, which DeepSeg does not know.")
        return Component(target, where, node, self)

    def _text(self, text: str, where: str) -> Any:
        if text[:1] not in ("$", "@", "%"):
            return text
        text = _absolute(text.replace("#", "::"), where)
        if text.startswith("$"):
            try:
                value = evaluate(text[1:].strip(), self)
            except NotEvaluatedError as error:
                shown = text if len(text) <= 160 else text[:157] + "..."
                raise ModelError(
                    f"{self.source}: '{where}' is the expression '{shown}', which holds {error}. DeepSeg evaluates references, literals and "
                    "arithmetic only and runs no code of a bundle, so this bundle cannot be imported."
                ) from error
            self._count(count_items(value))
            return value
        if text.startswith("%") and "." in text:
            raise ModelError(f"{self.source}: '{where}' takes '{text}' from another file, which DeepSeg does not read.")
        if REFERENCE.fullmatch(text) or text.startswith("%"):
            return self.look_up(text[1:])
        return text

    @contextmanager
    def _refused_in_words(self, where: str) -> Iterator[None]:
        try:
            yield
        except RecursionError as error:
            raise ModelError(f"{self.source}: '{where}' is nested too deeply; this is no config of a segmentation network.") from error


def read_config(path: Path) -> Any:
    """The plain content of a JSON or YAML file.

    Raises:
        ModelError: it cannot be read, or PyYAML is missing.
    """
    if path.stat().st_size > _MAX_BYTES:
        raise ModelError(f"{path} is larger than {_MAX_BYTES >> 20} MB; this is no config of a MONAI bundle.")
    try:
        text = path.read_text(encoding="utf-8")
        return json.loads(text) if path.suffix.lower() == ".json" else _from_yaml(text, path)
    except (OSError, ValueError, RecursionError) as error:
        raise ModelError(f"{path} cannot be read: {' '.join(str(error).split())}. Get the bundle again.") from error


def _from_yaml(text: str, path: Path) -> Any:
    try:
        import yaml
    except ModuleNotFoundError as error:
        raise ModelError(f"{path} is written in YAML, which needs the Python package PyYAML; install it and import the bundle again.") from error
    try:
        return yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise ValueError(error) from error


_NOTHING = object()
"""What is not there, or disabled."""


def _or_none(value: Any) -> Any:
    return None if value is _NOTHING else value


def _child(node: Any, part: str) -> Any:
    if isinstance(node, list):
        return node[int(part)] if part.isdigit() and int(part) < len(node) else _NOTHING
    if isinstance(node, dict):
        # YAML's keys may be numbers.
        return next((value for key, value in node.items() if str(key) == part), _NOTHING)
    return _NOTHING


def _absolute(text: str, where: str) -> str:
    """MONAI's relative ids: `@::a` lies beside the part itself, `@::::a` one level above."""
    levels = where.split("::")
    for sign in "@%":
        for count in range(len(levels), 0, -1):
            above = "".join(f"{level}::" for level in levels[:-count])
            text = text.replace(sign + "::" * count, sign + above)
    return text
