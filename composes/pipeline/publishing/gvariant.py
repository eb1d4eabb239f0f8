"""GVariant as OSTree's metadata objects use it: read trees and commits, write signatures.

https://docs.gtk.org/glib/gvariant-specification-1.0.html; https://ostreedev.github.io/ostree/reference/ (ostree-core)
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

FIXED = {"y": 1, "u": 4, "t": 8}
ALIGNMENT = {"y": 1, "s": 1, "u": 4, "t": 8, "v": 8}
CLOSING = {"(": ")", "{": "}"}


def _types(text: str) -> Iterator[str]:
    """The complete types of which a text consists."""
    at = 0
    while at < len(text):
        end = _end(text, at)
        yield text[at:end]
        at = end


def _end(text: str, at: int) -> int:
    if text[at] == "a":
        return _end(text, at + 1)
    if text[at] not in CLOSING:
        return at + 1
    depth, at = 1, at + 1
    while depth:
        depth += (text[at] in "({") - (text[at] in ")}")
        at += 1
    return at


def _alignment(kind: str) -> int:
    if kind[0] == "a":
        return _alignment(kind[1:])
    return ALIGNMENT[kind] if kind[0] not in CLOSING else max(map(_alignment, _types(kind[1:-1])))


def _padded(at: int, kind: str) -> int:
    step = _alignment(kind)
    return -(-at // step) * step


def _width(size: int) -> int:
    """Bytes of each offset in a container of so many bytes."""
    return next(width for width in (1, 2, 4, 8) if size < 1 << 8 * width)


def read(kind: str, data: bytes) -> Any:
    """The value of this type: text, bytes for `ay`, int, list, tuple; `v` is (type, value). Raises ValueError."""
    if kind == "ay":
        return data
    if kind == "s":
        return data[:-1].decode()
    if kind in FIXED:
        return int.from_bytes(data, "little")
    if kind == "v":
        value, _, inner = data.rpartition(b"\0")
        return inner.decode(), read(inner.decode(), value)
    return list(_array(kind[1:], data)) if kind[0] == "a" else tuple(_structure(kind[1:-1], data))


def _array(kind: str, data: bytes) -> Iterator[Any]:
    if not data:
        return
    width = _width(len(data))
    first = int.from_bytes(data[-width:], "little")  # the end of the last element: there the offsets begin
    if first > len(data):
        raise ValueError("an array leads out of its container")
    at = 0
    for place in range(first, len(data), width):
        start, at = _padded(at, kind), int.from_bytes(data[place : place + width], "little")
        yield read(kind, data[start:at])


def _structure(kinds: str, data: bytes) -> Iterator[Any]:
    width, members = _width(len(data)), list(_types(kinds))
    at, place = 0, len(data)
    ends = len(data) - width * sum(kind not in FIXED for kind in members[:-1])
    for number, kind in enumerate(members):
        start = _padded(at, kind)
        if kind in FIXED:
            at = start + FIXED[kind]
        elif number == len(members) - 1:
            at = ends
        else:
            place -= width
            at = int.from_bytes(data[place : place + width], "little")
        yield read(kind, data[start:at])


def _contained(body: bytes, ends: Sequence[int]) -> bytes:
    """A container's body with its offsets."""
    width = next(width for width in (1, 2, 4, 8) if len(body) + width * len(ends) < 1 << 8 * width)
    return body + b"".join(end.to_bytes(width, "little") for end in ends)


def metadata(key: str, values: Sequence[bytes]) -> bytes:
    """An `a{sv}` with one entry, an `aay`: the form of OSTree's detached signatures."""
    ends, body = [], b""
    for value in values:
        body += value
        ends.append(len(body))
    name = key.encode() + b"\0"
    variant = _contained(body, ends) + b"\0aay"
    entry = _contained(name.ljust(_padded(len(name), "v"), b"\0") + variant, [len(name)])
    return _contained(entry, [len(entry)])
