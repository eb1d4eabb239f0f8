"""Binary rebuilds (binNMU): the same source once more, with packages of the version X+bN."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from django.conf import settings
from django.utils import timezone

from chroots.engine.binnmu import BinNmu, check_number, check_reason
from debatomic.tools.errors import InputError

if TYPE_CHECKING:
    from builds.models import Target
    from debatomic.access.models import User

NOT_IN_NAMES = re.compile(r"[<>\x00-\x1f\x7f-\x9f\u2028\u2029]")


@dataclass(frozen=True, kw_only=True)
class Rebuild:
    """What is asked for; `number` 0 is the next free one. Raises InputError, field binnmu_reason or binnmu."""

    reason: str
    number: int = 0

    def __post_init__(self) -> None:
        check_reason(self.reason)
        if self.number:
            check_number(self.number)


def asked(reason: str, number: int | None) -> Rebuild | None:
    """The rebuild; None where neither is given."""
    return Rebuild(reason=reason, number=number or 0) if reason.strip() or number else None


def numbered(target: Target, source: str, version: str, rebuild: Rebuild | None) -> int:
    """Its number: the one that is asked for, else the next that no rebuild of this source version has had.

    It counts through all tags, for builds go from one to another, and failed rebuilds, for they are retried. 0 is none.
    """
    if rebuild is None or rebuild.number:
        return rebuild.number if rebuild else 0
    builds = target.builds.model.objects.filter(source=source, binnmu__gt=0, scratch=False)
    rows = builds.order_by().values_list("version", "binnmu")
    taken = [number for whole, number in rows if whole == with_number(version, number)]
    number = max(taken, default=0) + 1
    check_number(number)
    return number


def with_number(version: str, number: int) -> str:
    """What the packages have of a source's version; the same for 0."""
    return f"{version}+b{number}" if number else version


def without_number(version: str, number: int) -> str:
    """The source's version, of the packages'."""
    return version.removesuffix(f"+b{number}") if number else version


def only_theirs(planned: Mapping[str, str]) -> dict[str, str]:
    """What is made on each architecture: nothing for all, of which there is one already.

    Raises InputError (field binnmu_reason) where nothing is left.
    """
    left = {architecture: "any" for architecture, kind in planned.items() if kind != "all"}
    if not left:
        raise InputError("Its packages are for every architecture, and binary rebuilds make none of those.",
                         hint="Raise the version.", field="binnmu_reason")  # fmt: skip
    return left


def frozen(number: int, rebuild: Rebuild, by: User) -> dict[str, Any]:
    """What every architecture is told, now and when it is tried again: the same date makes the same packages."""
    return {"number": number, "reason": rebuild.reason, "by": person(by), "date": int(timezone.now().timestamp())}


def person(by: User) -> str:
    """NAME <MAIL>, as changelogs have it."""
    name = NOT_IN_NAMES.sub("", by.get_full_name() or by.get_username()).strip()[:100] or "unknown"
    mail = "".join(NOT_IN_NAMES.sub("", by.email).split())[:100]
    return f"{name} <{mail or _at_this_hub(by)}>"


def _at_this_hub(by: User) -> str:
    name = re.sub(r"[^A-Za-z0-9.+_-]", "-", by.get_username())[:60]
    return f"{name}@{(urlsplit(settings.PUBLIC_ADDRESS).hostname or 'localhost')[:39]}"


def told_engine(request: Mapping[str, Any]) -> list[str]:
    """The engine's options, of a task's frozen request."""
    asked = request.get("binnmu")
    if not asked:
        return []
    made = BinNmu(**asked)
    return [f"--binnmu={made.number}", f"--binnmu-reason={made.reason}", f"--binnmu-by={made.by}",
            f"--binnmu-date={made.date}"]  # fmt: skip
