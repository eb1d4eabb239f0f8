"""Two lists of known vulnerabilities compared: what an update mends, and what is new or only now known."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from debatomic.tools.errors import InputError

FORMAT = 1
NAME = "vulnerabilities.json"


@dataclass(frozen=True, kw_only=True, order=True)
class Risk:
    """One entry of the security tracker about a source package in the version that a compose has."""

    source: str
    id: str
    version: str
    urgency: str
    description: str


@dataclass(frozen=True, kw_only=True)
class Known:
    """The entries by source package and id; where `reason` says why nobody was asked, there are none."""

    found: Mapping[tuple[str, str], Risk]
    reason: str = ""


@dataclass(frozen=True, kw_only=True)
class Mended:
    """What is `fixed` and what is `new` between two composes, and what concerns a version that the older one has too:
    `known_since` then. `reason` says why none of it is known.
    """

    fixed: tuple[Risk, ...] = ()
    new: tuple[Risk, ...] = ()
    known_since: tuple[Risk, ...] = ()
    reason: str = ""

    def as_json(self) -> dict[str, Any]:
        return asdict(self)

    def lines(self) -> Iterator[str]:
        """For people: an announcement's paragraphs."""
        if self.reason:
            yield f"Vulnerabilities: {self.reason}"
            return
        for title, risks in (("fixed", self.fixed), ("new", self.new), ("known since the older one", self.known_since)):
            yield f"Vulnerabilities {title}: {len(risks) or 'none'}"
            yield from (f"  {each.id} in {each.source} ({each.urgency})" for each in risks)


def read(path: Path) -> Known:
    """The list in a file. Raises InputError for one that is none, or of another version."""
    try:
        content = json.loads(path.read_bytes())
        if content["format"] != FORMAT:
            raise ValueError(f"it is of version {content['format']}")
        if not content["asked"]:
            return Known(found={}, reason=str(content["reason"]) or "Nobody was asked.")
        risks = [Risk(**{name: str(each[name]) for name in ("source", "id", "version", "urgency", "description")})
                 for each in content["vulnerabilities"] if each["status"] != "undetermined"]  # fmt: skip
    except (ValueError, TypeError, KeyError) as error:
        raise InputError(f"{path.name} is not a list of vulnerabilities of this version: {error}.") from error
    return Known(found={(each.source, each.id): each for each in risks})


def mended(old: Known | None, new: Known | None, before: Mapping[str, str]) -> Mended:
    """What the new compose's list has otherwise; a reason where one has no list.

    `before` has the versions of the old compose by source package.
    """
    if old is None or new is None:
        without = " and ".join(name for name, known in (("the older", old), ("the newer", new)) if known is None)
        return Mended(reason=f"no list of them was made for {without} compose.")
    if reason := new.reason or old.reason:
        return Mended(reason=reason)
    appeared = sorted(new.found[key] for key in new.found.keys() - old.found.keys())
    since = tuple(each for each in appeared if before.get(each.source) == each.version)
    return Mended(
        fixed=tuple(sorted(old.found[key] for key in old.found.keys() - new.found.keys())),
        new=tuple(each for each in appeared if each not in since), known_since=since,
    )  # fmt: skip
