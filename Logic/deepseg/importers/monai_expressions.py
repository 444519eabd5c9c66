"""`$` expressions of MONAI configs, read as syntax trees and never run.

What they may hold: references, literals, arithmetic, comparisons, conditions, indexing, joined strings and lists, `len()`, a few names of
number types and keys, and three forms of call that the Model Zoo's configs need: `x.to(...)` of a component, `torch.load(path)` of plain
arrays inside the bundle, and `torch.from_numpy(array)`.
"""

from __future__ import annotations

import ast
import operator
import re
import warnings
from collections.abc import Callable
from typing import Any, Protocol

from deepseg.importers.monai_limits import MAX_ITEMS, count_items, shown

REFERENCE = re.compile(r"@\w*(?:::\w*)*")
"""As MONAI finds references; `#` has become `::` before."""

_MAX_TEXT = 4000
_MAX_NUMBER = 2**63

_TYPES = ("float16", "float32", "float64", "uint8", "int8", "int16", "int32", "int64")
CONSTANTS: dict[str, str] = {
    **{f"{package}.{name}": name for package in ("torch", "numpy", "np") for name in _TYPES},
    "torch.float": "float32",
    "torch.half": "float16",
    **{f"{package}CommonKeys.{key.upper()}": key for package in ("monai.utils.", "") for key in ("image", "label", "pred")},
}
"""Dotted names and what they stand for, as text."""

_ARITHMETIC: dict[type, Callable[[Any, Any], Any]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.FloorDiv: operator.floordiv,
    ast.Mod: operator.mod,
    ast.Pow: operator.pow,
}
_COMPARISONS: dict[type, Callable[[Any, Any], bool]] = {
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
    ast.In: lambda item, items: item in items,
    ast.NotIn: lambda item, items: item not in items,
    ast.Is: operator.is_,
    ast.IsNot: operator.is_not,
}
_SIGNS: dict[type, Callable[[Any], Any]] = {ast.Not: operator.not_, ast.USub: operator.neg, ast.UAdd: operator.pos}


class Names(Protocol):
    """What an expression may reach outside itself."""

    def look_up(self, identity: str) -> Any:
        """Value of the config's part with this id."""

    def load_arrays(self, path: str) -> Any:
        """Arrays of a file in the bundle, as nested lists."""


class NotEvaluatedError(Exception):
    """What an expression holds that is not evaluated; in words that follow 'holds'."""


def evaluate(text: str, names: Names) -> Any:
    """Value of an expression, without its leading `$`: numbers, text, lists, dicts or components.

    Raises:
        NotEvaluatedError: it holds something else, or is too long, or its value would be.
    """
    if len(text) > _MAX_TEXT:
        raise NotEvaluatedError(f"{len(text)} characters, more than the {_MAX_TEXT} allowed")
    found: list[str] = []

    def stand_in(match: re.Match) -> str:
        found.append(match.group()[1:])
        return f" _reference_{len(found) - 1}_ "

    source = REFERENCE.sub(stand_in, text.replace("#", "::")).strip()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", SyntaxWarning)
            warnings.simplefilter("ignore", DeprecationWarning)
            tree = ast.parse(source, mode="eval")
        return _Reader(found, names).value(tree.body)
    except SyntaxError as error:
        raise NotEvaluatedError(f"what is no expression ({error.msg})") from error
    except (RecursionError, MemoryError) as error:
        raise NotEvaluatedError("more nested parts than are allowed") from error
    except (TypeError, ValueError, ArithmeticError, LookupError) as error:
        raise NotEvaluatedError(f"what cannot be computed ({shown(str(error))})") from error


class _Reader:
    """Walks one syntax tree."""

    def __init__(self, references: list[str], names: Names) -> None:
        self._references, self._names = references, names

    def value(self, node: ast.expr) -> Any:
        match node:
            case ast.Constant(value=value) if value is None or isinstance(value, (bool, int, float, str)):
                return self._literal(value)
            case ast.Name(id=name) if (number := re.fullmatch(r"_reference_(\d+)_", name)) and int(number[1]) < len(self._references):
                return self._names.look_up(self._references[int(number[1])])
            case ast.Attribute() if (dotted := self._shown(node)) in CONSTANTS:
                return CONSTANTS[dotted]
            case ast.List(elts=items) | ast.Tuple(elts=items):
                return _within_limits([self.value(item) for item in items])
            case ast.Dict(keys=keys, values=values) if None not in keys:
                return _within_limits({self.value(key): self.value(value) for key, value in zip(keys, values, strict=True)})
            case ast.UnaryOp(op=sign, operand=operand) if type(sign) in _SIGNS:
                return _SIGNS[type(sign)](self.value(operand))
            case ast.BinOp(left=left, op=sign, right=right) if type(sign) in _ARITHMETIC:
                return self._computed(type(sign), self.value(left), self.value(right))
            case ast.BoolOp(op=sign, values=parts):
                return self._joined(isinstance(sign, ast.And), parts)
            case ast.Compare(left=left, ops=signs, comparators=others) if all(type(sign) in _COMPARISONS for sign in signs):
                return self._compared(self.value(left), signs, others)
            case ast.IfExp(test=test, body=body, orelse=other):
                return self.value(body if self.value(test) else other)
            case ast.Subscript(value=whole, slice=index):
                return self._indexed(self.value(whole), index)
            case ast.Call():
                return self._called(node)
        raise NotEvaluatedError(f"'{self._shown(node)}'")

    def _literal(self, value: Any) -> Any:
        # A reference inside quotes is text for nobody: MONAI breaks the text there, too.
        if isinstance(value, str) and "_reference_" in value:
            raise NotEvaluatedError("a reference inside quotes")
        return _within_limits(value)

    def _computed(self, sign: type, left: Any, right: Any) -> Any:
        numbers = isinstance(left, (int, float)) and isinstance(right, (int, float))
        joined = sign is ast.Add and type(left) is type(right) and isinstance(left, (str, list))
        repeated = sign is ast.Mult and {type(left), type(right)} in ({int, list}, {int, str})
        if not (numbers or joined or repeated):
            raise NotEvaluatedError(f"arithmetic of {type(left).__name__} and {type(right).__name__}")
        if sign is ast.Pow and (abs(right) > 64 or abs(left) > 1e9):
            raise NotEvaluatedError(f"the power {left} ** {right}, which is too large")
        if repeated:
            times, whole = (left, right) if isinstance(left, int) else (right, left)
            if times * (count_items(whole) - 1) > MAX_ITEMS:
                raise NotEvaluatedError(f"more than {MAX_ITEMS} items or characters")
        return _within_limits(_ARITHMETIC[sign](left, right))

    def _joined(self, every: bool, parts: list[ast.expr]) -> Any:
        for part in parts:
            value = self.value(part)
            if bool(value) is not every:
                break
        return value

    def _compared(self, left: Any, signs: list[ast.cmpop], others: list[ast.expr]) -> bool:
        for sign, other in zip(signs, others, strict=True):
            right = self.value(other)
            if not _COMPARISONS[type(sign)](left, right):
                return False
            left = right
        return True

    def _indexed(self, whole: Any, index: ast.expr) -> Any:
        if not isinstance(whole, (list, dict, str)):
            raise NotEvaluatedError(f"a part of {type(whole).__name__}")
        if isinstance(index, ast.Slice):
            return whole[slice(*(part and self.value(part) for part in (index.lower, index.upper, index.step)))]
        return whole[self.value(index)]

    def _called(self, call: ast.Call) -> Any:
        first = call.args[0] if call.args and not isinstance(call.args[0], ast.Starred) else None
        match self._shown(call.func):
            case "len" if first and len(call.args) == 1 and not call.keywords:
                return len(self.value(first))
            case "torch.load" if first and len(call.args) == 1 and {word.arg for word in call.keywords} <= {"map_location", "weights_only"}:
                return self._names.load_arrays(self.value(first))
            case "torch.from_numpy" if first and len(call.args) == 1 and not call.keywords:
                return self.value(first)
        if isinstance(call.func, ast.Attribute) and call.func.attr == "to" and isinstance(call.func.value, ast.Name):
            # The device a network is moved to is not the config's to choose.
            owner = self.value(call.func.value)
            if hasattr(owner, "target"):
                return owner
        raise NotEvaluatedError(f"the call '{self._shown(call)}'")

    def _shown(self, node: ast.AST) -> str:
        """A part of the expression as it was written, shortened."""
        text = ast.unparse(node)
        for n, reference in enumerate(self._references):
            text = text.replace(f"_reference_{n}_", f"@{reference}")
        return text if len(text) <= 100 else text[:97] + "..."


def _within_limits(value: Any) -> Any:
    if isinstance(value, complex) or (isinstance(value, (int, float)) and abs(value) > _MAX_NUMBER):
        raise NotEvaluatedError("a number that is too large")
    if count_items(value) > MAX_ITEMS:
        raise NotEvaluatedError(f"more than {MAX_ITEMS} items or characters")
    return value
