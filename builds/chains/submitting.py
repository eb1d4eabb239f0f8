"""Submitting a chain: sources are found and ordered first, then every row is made in one transaction."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from django.db import transaction

from builds import submit
from builds.chains import reading
from builds.chains.chain_models import Chain, ChainMember, ChainNeed
from builds.chains.ordering import Need, Plan, plan
from builds.chains.reading import Asked, Found
from builds.sources import Upload
from builds.submitting.rebuilds import Rebuild
from builds.tagging.beside import repository_of
from chroots.models import Chroot
from debatomic.access.models import AuditEntry, User
from debatomic.tools.errors import InputError
from hosts import hub
from hosts.models import Task
from hosts.queue.wishes import Wishes

if TYPE_CHECKING:
    from builds.models import Build, Target

CHAIN = "chain"
GATE = "chain-wait"  # the task that holds a build back
SHOWN = 3  # sources in the title


def prepare(target: Target, wanted: Sequence[Asked], uploads: Sequence[Upload] = ()) -> tuple[list[Found], Plan]:
    """The source packages and their order, and nothing done yet. Raises InputError with the field that is wrong."""
    if not target.enabled:
        raise InputError(f"Target {target} is disabled.", field="target")
    repository = repository_of(target)
    if target.tag.locked:
        raise InputError(f"Tag {target.tag} is locked: the repository {repository} would never have what is built.",
                         hint="Unlock it first.", field="target")  # fmt: skip
    found = reading.find(wanted, uploads, target, _chroots(target))
    return found, plan([each.member for each in found])


def _chroots(target: Target) -> list[Chroot]:
    chroots = list(target.chroots.filter(enabled=True))
    if not chroots:
        raise InputError(f"Target {target} has no enabled chroot.", hint="Ask an administrator.", field="target")
    return chroots


@transaction.atomic
def create(
    target: Target, found: Sequence[Found], order: Plan, *, by: User, because: Build | None = None
) -> Chain:  # fmt: skip
    """Every row of a chain: its task, a build for each source, and what holds each back."""
    by_name = {each.source.name: each for each in found}
    names = [name for level in order.levels for name in level]
    title = ", ".join(names[:SHOWN]) + (f" and {len(names) - SHOWN} more" if len(names) > SHOWN else "")
    task = hub.submit(CHAIN, f"chain {title} for {target}", request={}, channel=target.channel, by=by, is_parent=True)
    chain = Chain.objects.create(target=target, title=title, size=len(names), notes=list(order.notes), task=task,
                                 created_by=by, because=because)  # fmt: skip
    made: dict[str, ChainMember] = {}
    for number, level in enumerate(order.levels):
        for name in level:
            made[name] = _member(chain, by_name[name], number, order.needed_by(name), made)
    AuditEntry.note(by, "chain.submit", chain, target=target.name, chain=chain.pk, sources=names)
    return chain


def _member(
    chain: Chain, found: Found, level: int, needs: Sequence[Need], made: Mapping[str, ChainMember]
) -> ChainMember:  # fmt: skip
    by = chain.created_by
    first = [chain.because] if chain.because else []
    awaited = [*first, *(made[need.needed].build for need in needs)]
    gate = _gate(chain, found.source.name, awaited) if awaited else None
    wishes = Wishes(within=chain.task, after=(gate,) if gate else (), profiles=found.member.profiles)
    if found.again:
        why = Rebuild(reason=f"Rebuild against {chain.because}." if chain.because else "Rebuild.")
        build = submit.rebuilt(found.again, why, by=by, wishes=wishes)
    else:
        build = submit.create(chain.target, found.source, found.origin, by=by, wishes=wishes)
    member = ChainMember.objects.create(chain=chain, build=build, level=level, gate=gate)
    ChainNeed.objects.bulk_create(
        ChainNeed(member=member, needed=made[need.needed], packages=" ".join(need.packages)[:500]) for need in needs
    )
    return member


def _gate(chain: Chain, source: str, builds: Sequence[Build]) -> Task:
    title = f"{source} waits until the repository of {chain.target.tag} has {', '.join(map(str, builds))}"
    return hub.submit(GATE, title, request={}, channel=chain.target.channel, parent=chain.task, is_parent=True,
                      dependencies=[build.task for build in builds], by=chain.created_by)  # fmt: skip
