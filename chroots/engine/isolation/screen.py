"""What programs wrote, as a terminal may get it: readable, but unable to move its cursor or to answer in its name."""

from __future__ import annotations

import codecs

# C0 controls as their pictures (␛ for escape), delete and the C1 controls, which some terminals obey, likewise.
VISIBLE = {
    **{number: 0x2400 + number for number in range(0x20) if chr(number) not in "\n\t"},
    0x7F: 0x2421,
    **dict.fromkeys(range(0x80, 0xA0), 0xFFFD),
}


def visible(text: str) -> str:
    """The text with every control character but line ends and tabs made visible."""
    return text.translate(VISIBLE)


class Screen:
    """Makes a stream of bytes harmless; characters may be cut anywhere between two chunks."""

    def __init__(self) -> None:
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")

    def __call__(self, chunk: bytes) -> bytes:
        return visible(self._decoder.decode(chunk)).encode()
