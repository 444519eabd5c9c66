"""A DICOM sequence's first item, read from the file's bytes: ITK's reader leaves sequences out (PS3.5, chapter 7)."""

from __future__ import annotations

import struct
import zlib
from pathlib import Path

_PREAMBLE = 128
_META_GROUP = 0x0002
_TRANSFER_SYNTAX = (0x0002, 0x0010)
_IMPLICIT, _DEFLATED, _BIG_ENDIAN = "1.2.840.10008.1.2", "1.2.840.10008.1.2.1.99", "1.2.840.10008.1.2.2"
_ITEM, _DELIMITERS = (0xFFFE, 0xE000), ((0xFFFE, 0xE00D), (0xFFFE, 0xE0DD))
_LONG_VRS = (b"OB", b"OD", b"OF", b"OL", b"OV", b"OW", b"SQ", b"SV", b"UC", b"UN", b"UR", b"UT", b"UV")
_UNDEFINED = 0xFFFFFFFF

Tag = tuple[int, int]


def first_item(path: str | Path, sequence: Tag) -> dict[Tag, str]:
    """The elements of a sequence's first item as text, by tag; empty where the file has no such sequence.

    Numbers stored in binary and sequences inside the item come out as useless text: ask for elements that DICOM stores as text.
    """
    content = Path(path).read_bytes()
    if content[_PREAMBLE : _PREAMBLE + 4] != b"DICM":
        return {}
    try:
        content, at, explicit = _data_set(content)
        while at + 8 <= len(content):
            tag, vr, start, length = _element(content, at, explicit)
            if tag > sequence:
                break
            if tag == sequence:
                return _item(content, start, explicit and vr != b"UN")
            at = _end(content, start, length, explicit and vr != b"UN")
    except (struct.error, zlib.error, ValueError):
        # A file cut off or out of order holds no such sequence; what needs it says so.
        return {}
    return {}


def _data_set(content: bytes) -> tuple[bytes, int, bool]:
    """The bytes after the file's meta information, where they begin, and whether they name their value representations."""
    at, syntax = _PREAMBLE + 4, ""
    while at + 8 <= len(content) and struct.unpack_from("<H", content, at)[0] == _META_GROUP:
        tag, _, start, length = _element(content, at, True)
        if tag == _TRANSFER_SYNTAX:
            syntax = _text(content, start, length)
        at = start + length
    if syntax == _BIG_ENDIAN:
        raise ValueError("retired byte order")
    if syntax == _DEFLATED:
        return zlib.decompress(content[at:], -zlib.MAX_WBITS), 0, True
    return content, at, syntax != _IMPLICIT


def _element(content: bytes, at: int, explicit: bool) -> tuple[Tag, bytes, int, int]:
    """Tag, value representation ('' where the file leaves it out), first byte and length of the value."""
    tag = struct.unpack_from("<HH", content, at)
    if tag[0] == _ITEM[0] or not explicit:
        return tag, b"", at + 8, struct.unpack_from("<I", content, at + 4)[0]
    vr = content[at + 4 : at + 6]
    if vr in _LONG_VRS:
        return tag, vr, at + 12, struct.unpack_from("<I", content, at + 8)[0]
    return tag, vr, at + 8, struct.unpack_from("<H", content, at + 6)[0]


def _end(content: bytes, start: int, length: int, explicit: bool) -> int:
    """First byte after a value; one of undefined length ends with its delimiter."""
    if length != _UNDEFINED:
        return start + length
    at = start
    while True:
        tag, vr, inner, size = _element(content, at, explicit)
        if tag in _DELIMITERS:
            return inner
        at = _end(content, inner, size, explicit and vr != b"UN")


def _item(content: bytes, start: int, explicit: bool) -> dict[Tag, str]:
    tag, _, at, length = _element(content, start, explicit)
    if tag != _ITEM:
        return {}
    end = len(content) if length == _UNDEFINED else at + length
    found: dict[Tag, str] = {}
    while at + 8 <= end:
        tag, vr, inner, size = _element(content, at, explicit)
        if tag in _DELIMITERS:
            break
        if size != _UNDEFINED:
            found[tag] = _text(content, inner, size)
        at = _end(content, inner, size, explicit and vr != b"UN")
    return found


def _text(content: bytes, start: int, length: int) -> str:
    return content[start : start + length].decode("latin-1").strip(" \0")
