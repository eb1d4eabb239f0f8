"""What the gates of a compose said, and how what blocks is overridden: by right, with a reason, in the audit log."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from django.db import transaction
from django.utils import timezone

from debatomic.access.models import AuditEntry
from debatomic.tools.errors import InputError
from hosts import hub
from hosts.models import State, Task

if TYPE_CHECKING:
    from composes.models import Compose
    from debatomic.access.models import User

DELIVERABLE = "deliverable"
MADE = ("compose-arch", DELIVERABLE)  # the methods whose tasks make something, and ask gates
FAILED, OVERRIDDEN = "failed", "overridden"
LEAST_REASON, MOST_REASON = 5, 500  # characters


@dataclass(frozen=True, kw_only=True)
class Gate:
    """One verdict: passed, warned, failed, overridden or skipped; `level` is block or warn."""

    architecture: str
    name: str
    level: str
    verdict: str
    sentence: str
    seconds: float
    details: tuple[str, ...]


def verdicts(tasks: Iterable[Task], *, overridden: bool) -> list[Gate]:
    """What the gates said, by architecture and in their order; what failed is overridden where the compose is."""
    return [_gate(task, each, overridden) for task in tasks if task.method in MADE
            for each in task.result.get("gates") or ()]  # fmt: skip


def _gate(task: Task, said: dict[str, Any], overridden: bool) -> Gate:
    verdict = OVERRIDDEN if overridden and said["verdict"] == FAILED else said["verdict"]
    return Gate(architecture=task.architecture, name=said["name"], level=said["level"], verdict=verdict,
                sentence=said["sentence"], seconds=said["seconds"], details=tuple(said["details"]))  # fmt: skip


def blocking(result: dict[str, Any]) -> list[str]:
    """The gates in a task's result that do not let it be published, each with what it says."""
    return [f"{each['name']}: {each['sentence']}" for each in result.get("gates") or () if each["verdict"] == FAILED]


def held_back(compose: Compose) -> list[Task]:
    """Its tasks of publishing that failed because of gates nobody has overridden."""
    failed = compose.task.children.filter(method="publish", state=State.FAILED).order_by("pk")
    return [task for task in failed if _unanswered(task.request)]


def _unanswered(request: dict[str, Any]) -> list[str]:
    """The gates that block and that nobody has overridden: who did, did that for what they said then."""
    overridden = (request.get("overridden") or {}).get("gates", ())
    return [each for each in request.get("blocked") or () if each not in overridden]


def override(compose: Compose, *, by: User, reason: str) -> None:
    """Publish a compose although gates block it. Raises InputError without a reason, or where none holds it back."""
    reason = " ".join(reason.split())
    if not LEAST_REASON <= len(reason) <= MOST_REASON:
        raise InputError(f"Say why, in {LEAST_REASON} to {MOST_REASON} characters.", field="reason")
    with transaction.atomic():
        held = held_back(compose)
        if not held:
            raise InputError(f"No gate holds {compose} back.")
        said = {"by": by.username, "reason": reason, "at": timezone.now().isoformat(timespec="seconds"),
                "gates": [each for task in held for each in task.request["blocked"]]}  # fmt: skip
        for task in held:
            hub.retry(task, by)
            Task.objects.filter(pk=task.pk).update(request={**task.request, "overridden": said})
        type(compose).objects.filter(pk=compose.pk).update(overridden=said)
        AuditEntry.note(by, "compose.override", compose, compose=compose.pk, reason=reason, gates=said["gates"])
    compose.refresh_from_db()


def refuse_blocked(request: dict[str, Any]) -> None:
    """Raises InputError where gates block the publishing this asks for."""
    if blocked := _unanswered(request):
        more = f" {len(blocked) - 1} more gates block, too." if len(blocked) > 1 else ""
        raise InputError(f"A gate blocks publishing: {blocked[0]}{more}",
                         hint="A release manager may override it with a reason.", lines=blocked)  # fmt: skip
