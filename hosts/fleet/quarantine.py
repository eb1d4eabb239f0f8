"""Whether a host or the packages are to blame for failures in a row: how the same work fares here and elsewhere."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from itertools import takewhile
from typing import Any

from django.conf import settings
from django.db import transaction
from django.db.models import Count, Q, QuerySet
from django.utils import timezone

from hosts.models import Attempt, Host, HostState

LOOK_BACK = 20  # attempts of a host
COMPARED = timedelta(days=30)
COLUMNS = ("task_id", "package", "target", "task__method", "task__architecture")
Subject = tuple[Any, ...]


@dataclass(frozen=True, kw_only=True)
class Trial:
    """One task that failed on a host, and how the same work fared in the last 30 days, here and elsewhere."""

    task: int
    title: str
    reason: str
    here_good: int = 0
    here_bad: int = 0
    elsewhere_good: int = 0
    elsewhere_bad: int = 0

    @property
    def blame(self) -> str:
        """host, package, or unknown where nobody else tried."""
        if self.elsewhere_good > self.elsewhere_bad:
            return "host"
        return "package" if self.elsewhere_bad else "unknown"

    @property
    def here(self) -> str:
        return f"{self.here_good} of {self.here_good + self.here_bad}"

    @property
    def elsewhere(self) -> str:
        return f"{self.elsewhere_good} of {self.elsewhere_good + self.elsewhere_bad}"


def verdict(trials: Sequence[Trial], after: int) -> str:
    """Why a host with these failures in a row belongs in quarantine; empty if it does not."""
    blamed = [trial for trial in trials if trial.blame == "host"]
    if not after or len(blamed) < after:
        return ""
    shown = "; ".join(f"{trial.title} (here {trial.here}, elsewhere {trial.elsewhere})" for trial in blamed[:3])
    more = f"; and {len(blamed) - 3} more" if len(blamed) > 3 else ""
    return f"{len(blamed)} tasks in a row failed here that succeed elsewhere: {shown}{more}."


def _subject(row: dict[str, Any]) -> Subject:
    """What makes two attempts the same work: package, target, method and architecture; else the task itself."""
    return tuple(row[name] for name in COLUMNS[1:]) if row["package"] else (row["task_id"],)


def _ended(attempts: QuerySet[Attempt]) -> QuerySet[Attempt]:
    return attempts.filter(outcome__in=("completed", "failed"))


def trials(host: Host) -> list[Trial]:
    """The failures of this host since it last completed a task (or was trusted again), newest first."""
    own = _ended(Attempt.objects.filter(host=host))
    if host.trusted_at:
        own = own.filter(finished_at__gt=host.trusted_at)
    last = own.order_by("-pk").values(*COLUMNS, "outcome", "reason", "task__title")[:LOOK_BACK]
    failed = list(takewhile(lambda row: row["outcome"] == "failed", last))
    newest = list({row["task_id"]: row for row in reversed(failed)}.values())[::-1]  # each task once
    return _compared(host, newest) if newest else []


def _compared(host: Host, failed: Sequence[dict[str, Any]]) -> list[Trial]:
    counts = _counts(host, failed)
    return [
        Trial(
            task=row["task_id"], title=row["task__title"], reason=row["reason"],
            here_good=counts[of, True, "completed"], here_bad=counts[of, True, "failed"],
            elsewhere_good=counts[of, False, "completed"], elsewhere_bad=counts[of, False, "failed"],
        )
        for row in failed for of in [_subject(row)]
    ]  # fmt: skip


def _counts(host: Host, failed: Iterable[dict[str, Any]]) -> Counter[tuple[Subject, bool, str]]:
    """Attempts by subject, whether they were here, and outcome."""
    packages = {row["package"] for row in failed if row["package"]}
    tasks = [row["task_id"] for row in failed if not row["package"]]
    recent = _ended(Attempt.objects.filter(finished_at__gte=timezone.now() - COMPARED)).order_by()
    counts: Counter[tuple[Subject, bool, str]] = Counter()
    for same in (recent.filter(package__in=packages), recent.filter(task_id__in=tasks, package="")):
        for row in same.values(*COLUMNS, "host_id", "outcome").annotate(number=Count("pk")):
            counts[_subject(row), row["host_id"] == host.pk, row["outcome"]] += row["number"]
    return counts


def look() -> int:
    """Put every host in quarantine that deserves it; the number of those. The last one for some work is warned of."""
    if not settings.QUARANTINE_AFTER:
        return 0
    lately = Attempt.objects.filter(finished_at__gte=timezone.now() - timedelta(days=1), outcome="failed")
    suspected = Q(pk__in=lately.values("host")) | ~Q(warning="")
    suspects = Host.objects.filter(suspected, quarantined_at=None, state=HostState.ENABLED)
    return sum(_judge(host) for host in suspects)


def _judge(host: Host) -> bool:
    why = verdict(trials(host), settings.QUARANTINE_AFTER)
    return _out_of_service(host, why) if why else bool(host.warn(""))


@transaction.atomic
def _out_of_service(host: Host, why: str) -> bool:
    """In quarantine, or warned of where nobody else could do its work. One judgement at a time."""
    usable = Host.objects.in_service().order_by("pk").select_for_update(no_key=True)
    others = [one.pk for one in usable if one.is_alive and one.pk != host.pk]
    if not (work := only_here(host, Host.objects.filter(pk__in=others))):
        return host.put_in_quarantine(why)
    host.warn(f"{why} It stays in service because no other host has {work}.")
    return False


def only_here(host: Host, others: QuerySet[Host]) -> str:
    """Which of its architectures and channels none of the others has; empty if they have all."""
    had = {(channel.name, architecture) for other in others.prefetch_related("channels")
           for channel in other.channels.all() for architecture in other.architectures}  # fmt: skip
    lacking = [f"{architecture} in channel {channel.name}" for channel in host.channels.all()
               for architecture in host.architectures if (channel.name, architecture) not in had]  # fmt: skip
    return " or ".join(lacking)
