"""A change of a library has what builds against it built anew: by a target's policy, and off until somebody says so."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from django.db import transaction

from builds import submit as builds_submit
from builds.chains import submitting
from builds.chains.chain_models import BuildNeed, Chain, RebuildPolicy
from builds.chains.ordering import Member, Plan, plan
from builds.chains.reading import MOST, Found
from builds.models import BinaryPackage, Build, TagEntry, Target
from builds.sources import Source
from builds.tagging.beside import repository_of
from builds.tagging.content import content
from chroots.engine.archives.dsc import Dsc
from debatomic.access.models import AuditEntry
from debatomic.tools.errors import InputError
from hosts.models import State, Task

logger = logging.getLogger(__name__)
AT_ONCE = 50  # entries of a tag that one round looks at
DEBUG = "-dbgsym"


@dataclass(frozen=True, kw_only=True)
class Preview:
    """What a change of a library would have built anew, in order; `elsewhere` was built for other targets."""

    builds: Sequence[Build]
    order: Plan
    elsewhere: Sequence[Build] = ()


def tend() -> None:
    """Look at what entered the tags of targets with such a policy; called at every tick, by any number of processes."""
    for policy in RebuildPolicy.objects.filter(enabled=True).select_related("target__tag"):
        entries = TagEntry.objects.filter(tag=policy.target.tag_id, pk__gt=policy.seen)
        for entry in entries.select_related("build__created_by", "build__target").order_by("pk")[:AT_ONCE]:
            with transaction.atomic():
                if not RebuildPolicy.objects.filter(pk=policy.pk, seen=policy.seen).update(seen=entry.pk):
                    break  # another process does it
                policy.seen = entry.pk
                if changes(policy, entry):
                    _follow(policy, entry.build)


def changes(policy: RebuildPolicy, entry: TagEntry) -> bool:
    """Whether what entered is a change that the policy is about."""
    build = entry.build
    if (
        build.binnmu
        or not policy.is_about(build.source)
        or Chain.objects.filter(members__build=build, because__isnull=False).exists()
    ):
        return False
    before = TagEntry.objects.filter(tag=entry.tag_id, pk__lt=entry.pk, build__source=build.source)
    previous = before.exclude(build=build).select_related("build").order_by("-pk").first()
    if previous is None:
        return False
    if policy.when == RebuildPolicy.When.VERSION:
        return bool(previous.build.source_version != build.version)
    return bool(_packages([previous.build.pk]) - _packages([build.pk]))


def _packages(builds: Sequence[int]) -> set[str]:
    names = BinaryPackage.objects.filter(build__in=builds).order_by().values_list("name", flat=True)
    return {name for name in names if not name.endswith(DEBUG)}


def _follow(policy: RebuildPolicy, library: Build) -> None:
    """Submit the chain; where that cannot be, the audit log says why."""
    told = {"target": policy.target.name, "library": str(library)}
    try:
        with transaction.atomic():
            found = preview(policy.target, library, most=policy.most)
            if not found.builds:
                return
            repository_of(policy.target)
            chain = submit(policy.target, library, found)
            AuditEntry.note(None, "rebuild.submit", chain, **told, chain=chain.pk)
    except InputError as error:
        logger.warning("No rebuilds after %s for %s: %s", library, policy.target, error.sentence)
        AuditEntry.note(None, "rebuild.refuse", policy.target, **told, reason=error.sentence)


def submit(target: Target, library: Build, found: Preview) -> Chain:
    """The chain of binary rebuilds, in the name of whoever built the library."""
    chosen = [_found(build, _member(build)) for build in found.builds]
    return submitting.create(target, chosen, found.order, by=library.created_by, because=library)


def preview(target: Target, library: Build, *, most: int = MOST) -> Preview:
    """What builds against this library, of the newest builds that the target's tag has.

    Raises InputError for a cycle, and for more builds than `most`.
    """
    newest: dict[str, int] = {}
    for each in content(target.tag):
        newest[each.source] = max(each.build, newest.get(each.source, 0))
    sources = {build for source, build in newest.items() if source != library.source}
    same = Build.objects.filter(target=library.target_id, source=library.source, scratch=False).order_by("-pk")
    names = _packages(list(same.filter(task__state=State.COMPLETED).values_list("pk", flat=True)[:2]))
    needing = BuildNeed.objects.filter(package__in=names).order_by().values_list("build_id", flat=True)
    wanted = sorted(sources & set(needing))
    builds = list(Build.objects.filter(pk__in=wanted).select_related("target", "task").order_by("source"))
    mine = [build for build in builds if build.target_id == target.pk and builds_submit.built_where(build)]
    if len(mine) > most:
        raise InputError(f"{len(mine)} builds would follow {library}, more than {most}.")
    return Preview(builds=mine, order=plan([_member(build) for build in mine]),
                   elsewhere=[build for build in builds if build.target_id != target.pk])  # fmt: skip


def _member(build: Build) -> Member:
    """A build as the order sees it, by what is recorded of it."""
    names = sorted(build.needs.values_list("package", flat=True))
    planned = builds_submit.built_where(build)
    dsc = Dsc(path=Path(f"{build.source}.dsc"), name=build.source, version=build.source_version, architectures=(),
              files={}, build_fields={"Build-Depends": ", ".join(names)})  # fmt: skip
    return Member(dsc=dsc, binaries=frozenset(_packages([build.pk])), planned=planned)


def _found(build: Build, member: Member) -> Found:
    source = Source(name=build.source, version=build.source_version, files=tuple(build.files), architectures=())
    return Found(source=source, origin=build.origin, member=member, again=build)


def record(task: Task, build: Build) -> None:
    """Remember the packages that a completed build's source asked for."""
    if not build.scratch:
        BuildNeed.objects.bulk_create(
            (BuildNeed(build=build, package=name) for name in task.result.get("needs", ())), ignore_conflicts=True
        )
