"""Public keys of an archive: what is in the file somebody gave, and in the form that gpgv and apt want."""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from collections.abc import Iterator

from debatomic.tools.errors import InputError

BLOCK = b"PGP PUBLIC KEY BLOCK-----"
ARMOR = re.compile(rb"-----BEGIN %b\r?\n(?:[^\r\n]*:[^\r\n]*\r?\n)*\r?\n(.*?)(?:\r?\n=[^\r\n]*)?\r?\n-----END %b"
                   % (BLOCK, BLOCK), re.DOTALL)  # fmt: skip
PUBLIC_KEY = 6  # the packet of a primary key


def binary(content: bytes, where: str) -> bytes:
    """The keys as packets, whether they came so or armored."""
    blocks: list[bytes] = ARMOR.findall(content)
    try:
        keys = b"".join(base64.b64decode(b"".join(block.split()), validate=True) for block in blocks) or content
        next(_packets(keys))
    except (binascii.Error, ValueError, StopIteration) as error:
        raise InputError(f"{where} has no OpenPGP public keys in it.") from error
    return keys


def armored(keys: bytes) -> str:
    """The keys as text, with the checksum that old readers want."""
    lines = base64.encodebytes(keys).decode().replace("\n", "")
    body = "\n".join(lines[start : start + 64] for start in range(0, len(lines), 64))
    check = base64.b64encode(_crc24(keys).to_bytes(3, "big")).decode()
    return f"-----BEGIN PGP PUBLIC KEY BLOCK-----\n\n{body}\n={check}\n-----END PGP PUBLIC KEY BLOCK-----\n"


def fingerprints(keys: bytes) -> list[str]:
    """Of the primary keys, in capital letters."""
    return [_fingerprint(body) for tag, body in _packets(keys) if tag == PUBLIC_KEY]


def separate(keys: bytes) -> dict[str, bytes]:
    """The keys one by one: the packets of each under the fingerprint of its primary key."""
    found: dict[str, bytes] = {}
    name, at = "", 0
    while at < len(keys):
        tag, start, length = _header(keys, at)
        end = start + length
        if tag == PUBLIC_KEY:
            name = _fingerprint(keys[start:end])
            found[name] = b""
        if name:
            found[name] += keys[at:end]
        at = end
    return found


def _fingerprint(body: bytes) -> str:
    if body[:1] == b"\x04":
        digest = hashlib.sha1(b"\x99" + len(body).to_bytes(2, "big") + body, usedforsecurity=False)
    else:
        digest = hashlib.sha256(bytes([0x95 + body[0]]) + len(body).to_bytes(4, "big") + body)
    return digest.hexdigest().upper()


def _packets(content: bytes) -> Iterator[tuple[int, bytes]]:
    """Tags and bodies (RFC 9580, section 4.2). Raises: ValueError for what is none."""
    at = 0
    while at < len(content):
        tag, at, length = _header(content, at)
        if at + length > len(content):
            raise ValueError("a packet is cut off")
        yield tag, content[at : at + length]
        at += length


def _header(content: bytes, at: int) -> tuple[int, int, int]:
    """Tag, start of the body, its length."""
    first, rest = content[at], content[at + 1 : at + 6].ljust(5, b"\0")
    if not first & 0x80:
        raise ValueError("not a packet")
    if not first & 0x40:  # the old form
        size = (1, 2, 4, 0)[first & 3]
        if not size:
            raise ValueError("a packet without length")
        return first >> 2 & 15, at + 1 + size, int.from_bytes(rest[:size], "big")
    if rest[0] < 192:
        return first & 63, at + 2, rest[0]
    if rest[0] < 224:
        return first & 63, at + 3, (rest[0] - 192 << 8) + rest[1] + 192
    if rest[0] < 255:
        raise ValueError("a packet in parts")
    return first & 63, at + 6, int.from_bytes(rest[1:5], "big")


def _crc24(content: bytes) -> int:
    value = 0xB704CE
    for byte in content:
        value ^= byte << 16
        for _ in range(8):
            value = value << 1 ^ (0x1864CFB if value & 0x800000 else 0)
    return value & 0xFFFFFF
