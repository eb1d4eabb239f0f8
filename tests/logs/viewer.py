"""A long log, and where the viewer shows its lines."""

from __future__ import annotations

import re

from playwright.sync_api import Locator, Page, expect

RED_ERROR = "\x1b[1;31merror: \x1b[0mno such thing <b>"


def long_log() -> bytes:
    """100,000 lines with sections, colours, some errors and words to find."""
    special = {0: "== PHASE unpack", 60_000: "== PHASE build", 4_119: RED_ERROR, 70_000: "make: *** [all] Error 2",
               99_999: "the end"}  # fmt: skip
    lines = [special.get(n, f"cc -c part{n}.c{' needle' if n % 10_000 == 77 else ''}") for n in range(100_000)]
    return ("\n".join(lines) + "\n").encode()


def wait_for_lines(page: Page, number: int) -> None:
    expect(page.locator("[data-log-size]")).to_have_text(re.compile(f"^{number:,} lines"), timeout=20_000)


def row(page: Page, number: int) -> Locator:
    return page.locator(f'.log-row[data-line="{number - 1}"]')


def text_of(page: Page, number: int) -> Locator:
    return row(page, number).locator(".log-text")
