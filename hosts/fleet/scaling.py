"""Adds and removes hosts by the hooks of the scaling policies (hosts.fleet.scaling_policies), at every tick.

Whoever ticks may do it: a host's row is made or moved first, by one conditional change, so no two do the same. Going
down, the hub drains a host, and the hook removes the machine only when nothing runs there any more.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator, Sequence
from datetime import timedelta
from pathlib import Path

import httpx
from django.conf import settings
from django.db import IntegrityError, transaction
from django.db.models import Min, Q, QuerySet, Sum
from django.utils import timezone

from debatomic.tools.errors import InfrastructureError, ToolError
from debatomic.tools.run import run
from hosts.fleet.scaling_policies import Decision, Policy, Seen, decide, read
from hosts.models import HELD, Channel, Host, HostState, Registration, ScalingAct, Task

logger = logging.getLogger(__name__)

HOOK_SECONDS = 20.0  # the tick waits for it
REMOVED = "Removed by policy"
REMOVE_FAILED = "Removing it failed"


def policies() -> list[Policy]:
    """Those of DEBATOMIC_SCALING_FILE; none without it. Raises InputError."""
    return read(Path(settings.SCALING_FILE)) if settings.SCALING_FILE else []


def scale() -> int:
    """Do what the policies want now; the number of hooks that were called."""
    return sum(_tend(policy) for policy in policies())


def _tend(policy: Policy) -> int:
    for host in _missing(policy):
        host.switch("drain", reason=f"Policy {policy.name}: it was not heard of.", by=None)
    called = sum(_remove(policy, host) for host in _drained(policy))
    if _cools_down(policy):
        return called
    seen = see(policy)
    decision = decide(policy, seen)
    if decision is None:
        return called
    return called + (_up(policy, seen, decision) if decision.direction == "up" else _down(policy, seen, decision))


def of(policy: Policy) -> QuerySet[Host]:
    """All hosts of a policy, those that are gone included."""
    prefix = f"{policy.name}-"
    own = [host.pk for host in Host.objects.filter(name__startswith=prefix) if policy.label in host.labels]
    return Host.objects.filter(pk__in=own).order_by("name")


def see(policy: Policy) -> Seen:
    """How things are for it now."""
    hosts = list(of(policy).filter(state=HostState.ENABLED))
    waiting = Task.objects.waiting().unblocked().filter(channel__name=policy.channel)
    if policy.architecture:
        waiting = waiting.filter(architecture__in=("", "all", policy.architecture))
    waiting = waiting.filter(Q(not_before_at=None) | Q(not_before_at__lte=timezone.now()))
    first = waiting.order_by().aggregate(first=Min("created_at"))["first"]
    used = Task.objects.filter(host__in=hosts, state__in=HELD).aggregate(used=Sum("weight", default=0.0))["used"]
    capacity = sum(host.capacity for host in hosts)
    return Seen(
        hosts=len(hosts), waiting=waiting.count(), load=used / capacity if capacity else 0.0,
        oldest=(timezone.now() - first).total_seconds() if first else 0.0,
    )  # fmt: skip


def _cools_down(policy: Policy) -> bool:
    since = timezone.now() - timedelta(seconds=policy.cooldown)
    return ScalingAct.objects.filter(policy=policy.name, at__gt=since).exclude(direction="gone").exists()


def _missing(policy: Policy) -> Iterator[Host]:
    """Those that should be there, but did not come in time or went away."""
    patience = timezone.now() - timedelta(seconds=policy.patience)
    for host in of(policy).filter(state=HostState.ENABLED):
        since = max(host.state_at or host.created_at, host.seen_at or host.created_at)
        if not host.is_alive and since < patience:
            yield host


def _drained(policy: Policy) -> list[Host]:
    """Those on which nothing runs any more, but for what could not be removed a short while ago.

    Nobody removes the builder that it runs in itself: the hook waits for its end.
    """
    held = Task.objects.filter(state__in=HELD, host__isnull=False).values("host")
    drained = of(policy).filter(state=HostState.DRAINING).exclude(pk__in=held).exclude(name=settings.HOST_NAME)
    again = timezone.now() - timedelta(seconds=policy.cooldown)
    return list(drained.exclude(comment__startswith=REMOVE_FAILED, state_at__gt=again))


# One host more


def _up(policy: Policy, seen: Seen, decision: Decision) -> bool:
    try:
        with transaction.atomic():
            host = _next_host(policy)
            act = _act(policy, seen, decision, host)
    except IntegrityError:
        return False  # another tick did
    _, token = Registration.objects.issue(by=None, name=host.name, architectures=host.architectures,
                                          capacity=host.capacity, labels=host.labels,
                                          channels=host.channels.all())  # fmt: skip
    if failure := _called(policy, "up", host, token):
        host.switch("disable", reason=f"{REMOVED} {policy.name}: it could not be started.", by=None)
    _end(act, failure)
    return True


def _next_host(policy: Policy) -> Host:
    """One that was removed before, or a new row; taken for this by one change. Raises IntegrityError."""
    for host in of(policy).filter(state=HostState.DISABLED, comment__startswith=REMOVED):
        if Host.objects.filter(pk=host.pk, state=HostState.DISABLED).update(state=HostState.ENABLED):
            host.switch("enable", reason=f"Policy {policy.name}.", by=None)
            return host
    names = set(Host.objects.filter(name__startswith=f"{policy.name}-").values_list("name", flat=True))
    name = next(name for number in range(1, 10_000) if (name := f"{policy.name}-{number}") not in names)
    architectures = [policy.architecture] if policy.architecture else []
    host = Host.objects.create(name=name, capacity=policy.capacity, labels=[policy.label], architectures=architectures)
    host.channels.add(Channel.objects.get_or_create(name=policy.channel)[0])
    host.switch("enable", reason=f"Policy {policy.name}.", by=None)
    return host


# One host less


def _down(policy: Policy, seen: Seen, decision: Decision) -> bool:
    """Drain the one that does least; it is removed when nothing is left."""
    hosts = of(policy).filter(state=HostState.ENABLED)
    held = Sum("tasks__weight", filter=Q(tasks__state__in=HELD), default=0.0)
    host = hosts.annotate(used=held).order_by("used", "-pk").first()
    if host is None:
        return False
    with transaction.atomic():
        if not Host.objects.filter(pk=host.pk, state=HostState.ENABLED).update(state=HostState.DRAINING):
            return False
        host.switch("drain", reason=f"Policy {policy.name}: {decision.reason}", by=None)
        act = _act(policy, seen, decision, host)
    _end(act, "")
    return False


def _remove(policy: Policy, host: Host) -> bool:
    if not Host.objects.filter(pk=host.pk, state=HostState.DRAINING).update(state=HostState.DISABLED):
        return False
    decision = Decision(direction="gone", wanted=0, reason=f"Nothing runs on {host} any more.")
    act = _act(policy, see(policy), decision, host)
    failure = _called(policy, "down", host, "")
    if failure:
        host.switch("drain", reason=f"{REMOVE_FAILED}: {failure}"[:200], by=None)
    else:
        host.switch("disable", reason=f"{REMOVED} {policy.name}.", by=None)
    _end(act, failure)
    return True


def _act(policy: Policy, seen: Seen, decision: Decision, host: Host) -> ScalingAct:
    return ScalingAct.objects.create(
        policy=policy.name, direction=decision.direction, host=host.name, hosts=seen.hosts, reason=decision.reason,
        wanted=seen.hosts if decision.direction == "gone" else decision.wanted,
    )  # fmt: skip


def _end(act: ScalingAct, failure: str) -> None:
    act.ended_at, act.failure = timezone.now(), failure
    act.save(update_fields=["ended_at", "failure"])
    if failure:
        logger.warning("Policy %s, %s %s: %s", act.policy, act.direction, act.host, failure)


# The hook


def _called(policy: Policy, verb: str, host: Host, token: str) -> str:
    """Why the hook did not do it; empty if it did."""
    try:
        if policy.command:
            _run([*policy.command, verb, host.name], policy, token)
        else:
            _post(policy, verb, host, token)
    except ToolError as error:
        return error.sentence
    return ""


def _run(command: Sequence[str], policy: Policy, token: str) -> None:
    ours = ("DEBATOMIC_", "DATABASE_URL", "DJANGO_SETTINGS_MODULE")
    own = {name: value for name, value in os.environ.items() if name.startswith(ours)}
    own |= {"DEBATOMIC_HOME": str(settings.HOME), "DEBATOMIC_POLICY": policy.name, "DEBATOMIC_REGISTRATION": token}
    run(command, env=own, capture=True, time_limit=HOOK_SECONDS)


def _post(policy: Policy, verb: str, host: Host, token: str) -> None:
    said = {"policy": policy.name, "verb": verb, "host": host.name, "hub": settings.PUBLIC_ADDRESS,
            "registration": token}  # fmt: skip
    try:
        answer = httpx.post(policy.webhook, json=said, timeout=HOOK_SECONDS)
    except httpx.HTTPError as error:
        raise InfrastructureError(f"{policy.webhook} does not answer: {error}") from error
    if not answer.is_success:
        raise InfrastructureError(f"{policy.webhook} answered {answer.status_code}: {answer.text[:200]}")
