"""Sizes as treefiles write them: `1500M`, `3G`, `auto`."""

from __future__ import annotations


def size_text(size: int) -> str:
    """Bytes as a treefile writes them; 0 is `auto`."""
    if not size:
        return "auto"
    return f"{size >> 30}G" if size % (1 << 30) == 0 else f"{size >> 20}M"


def size_in_bytes(text: str) -> int:
    """`1500M` or `3G` in bytes; 0 for `auto`."""
    return 0 if text == "auto" else int(text[:-1]) << {"M": 20, "G": 30}[text[-1]]
