"""A binary rebuild, Debian's binNMU: the same source, its packages for one architecture with the version X+bN."""

from __future__ import annotations

import re
import textwrap
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import format_datetime

from debatomic.tools.errors import InputError

MOST = 999
LONGEST = 500  # characters of the reason
PERSON = re.compile(r"[^<>\x00-\x1f\x7f-\x9f\u2028\u2029]{1,100} <[^<>\s\x00-\x1f\x7f-\x9f]{1,100}>")
UNSEEN = re.compile(r"[\x00-\x09\x0b-\x1f\x7f-\x9f]")  # control characters other than the end of a line
LATEST = 1 << 33  # seconds; changelogs have four digits for the year
WIDTH = 78


@dataclass(frozen=True, kw_only=True)
class BinNmu:
    """The rebuild `number` (from 1) of a source version. Raises InputError for what no changelog can say."""

    number: int
    reason: str  # lines, each an item of the changelog
    by: str  # NAME <MAIL>
    date: int  # seconds since 1970: what is dated in the packages has this date

    def __post_init__(self) -> None:
        check_number(self.number)
        check_reason(self.reason)
        if not PERSON.fullmatch(self.by):
            raise InputError(f"“{self.by:.80}” is not NAME <MAIL>, as a changelog has it.")
        if not 0 <= self.date < LATEST:
            raise InputError(f"{self.date} is no date of a changelog: seconds since 1970.")

    def version(self, source: str) -> str:
        """The packages' version, of the source's."""
        return f"{source}+b{self.number}"

    def entry(self, *, source: str, version: str, suite: str, architecture: str) -> str:
        """The newest entry of debian/changelog; dpkg knows by `binary-only` that the source has the version below."""
        upload = f"Binary-only non-maintainer upload for {architecture}; no source changes."
        items = [upload, *(line.strip() for line in self.reason.splitlines() if line.strip())]
        date = format_datetime(datetime.fromtimestamp(self.date, UTC))
        return (f"{source} ({self.version(version)}) {suite}; urgency=low, binary-only=yes\n\n"
                f"{''.join(map(_item, items))}\n -- {self.by}  {date}\n\n")  # fmt: skip


def check_number(number: int) -> None:
    """Raises InputError, field binnmu."""
    if not 1 <= number <= MOST:
        raise InputError(f"{number} is no number of a binary rebuild: 1 to {MOST}.", field="binnmu")


def check_reason(reason: str) -> None:
    """Raises InputError, field binnmu_reason."""
    if not reason.strip():
        raise InputError("A binary rebuild needs a reason: its changelog tells it.", field="binnmu_reason")
    if len(reason) > LONGEST:
        raise InputError(f"The reason is longer than {LONGEST} characters.", field="binnmu_reason")
    if UNSEEN.search(reason.replace("\r\n", "\n")):
        raise InputError("The reason has characters that nobody can see.", field="binnmu_reason")


def _item(text: str) -> str:
    return textwrap.fill(text, WIDTH, initial_indent="  * ", subsequent_indent="    ", break_long_words=False,
                         break_on_hyphens=False) + "\n"  # fmt: skip
