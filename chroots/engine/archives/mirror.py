"""Which Debian mirror this machine uses: asked of its own apt configuration."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from debian.deb822 import Deb822

FALLBACK = "http://deb.debian.org/debian"
VARIABLE = "DEBATOMIC_MIRROR"
SUITES = {"buster", "bullseye", "bookworm", "trixie", "forky", "duke", "sid",
          "oldoldstable", "oldstable", "stable", "testing", "unstable"}  # fmt: skip
ONE_LINE = re.compile(r"^deb\s+(?:\[(?P<options>[^\]]*)\]\s+)?(?P<uri>\S+)\s+(?P<suite>\S+)\s+(?P<components>.+)$")


@dataclass(frozen=True, kw_only=True)
class Entry:
    """One archive that apt is configured to use."""

    uri: str
    suites: tuple[str, ...]
    components: tuple[str, ...]
    signed_by: str = ""

    @property
    def is_debian_main(self) -> bool:
        """Whether this looks like the main archive of Debian, not its security archive or somebody else's."""
        return (
            "main" in self.components
            and any(suite.rstrip("/") in SUITES for suite in self.suites)
            and "debian-security" not in self.uri
            and (not self.signed_by or "debian-archive" in self.signed_by or "BEGIN PGP" in self.signed_by)
            and self.uri.startswith(("http:", "https:", "file:", "mirror+file:"))
        )


def default_mirror(apt: Path = Path("/etc/apt")) -> str:
    """`$DEBATOMIC_MIRROR`, else the Debian mirror this machine's apt uses, else deb.debian.org."""
    if chosen := os.environ.get(VARIABLE, ""):
        return chosen.rstrip("/")
    found = (uri for entry in entries(apt) if entry.is_debian_main and (uri := resolved(entry.uri)))
    return next(found, FALLBACK)


def resolved(uri: str) -> str:
    """The URI itself; of a `mirror+file:` list, as Debian's cloud images have it, the first one in the list."""
    if not uri.startswith("mirror+file:"):
        return uri.rstrip("/")
    try:
        lines = Path(uri.removeprefix("mirror+file:")).read_text().splitlines()
    except OSError:
        return ""
    return next((line.split()[0].rstrip("/") for line in lines if line.strip() and not line.startswith("#")), "")


def entries(apt: Path) -> Iterator[Entry]:
    """All binary package sources of an apt configuration folder, in apt's order."""
    parts = apt / "sources.list.d"
    for path in [apt / "sources.list", *(sorted(parts.iterdir()) if parts.is_dir() else [])]:
        try:
            text = path.read_text(errors="replace")
        except OSError:
            continue
        if path.suffix == ".list":
            yield from one_line_entries(text)
        elif path.suffix == ".sources":
            yield from deb822_entries(text)


def one_line_entries(text: str) -> Iterator[Entry]:
    for line in text.splitlines():
        if match := ONE_LINE.match(line.split("#", 1)[0].strip()):
            options = dict(part.split("=", 1) for part in (match["options"] or "").split() if "=" in part)
            yield Entry(uri=match["uri"], suites=(match["suite"],), components=tuple(match["components"].split()),
                        signed_by=options.get("signed-by", ""))  # fmt: skip


def deb822_entries(text: str) -> Iterator[Entry]:
    without_comments = "\n".join(line for line in text.splitlines() if not line.startswith("#"))
    for paragraph in Deb822.iter_paragraphs(without_comments, use_apt_pkg=False):
        if "deb" not in paragraph.get("Types", "").split() or paragraph.get("Enabled", "yes").lower() == "no":
            continue
        for uri in paragraph.get("URIs", "").split():
            yield Entry(uri=uri, suites=tuple(paragraph.get("Suites", "").split()),
                        components=tuple(paragraph.get("Components", "").split()),
                        signed_by=paragraph.get("Signed-By", ""))  # fmt: skip
