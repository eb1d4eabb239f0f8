"""What holds a build of a chain back: the repository must carry what the ones before it made. No worker waits."""

from __future__ import annotations

from django.db.models import Q

from builds.chains.chain_models import ChainMember
from builds.chains.submitting import GATE
from builds.models import Build
from builds.tagging import content
from builds.tagging.repository_models import Repository
from builds.tagging.tag_models import Tag
from hosts import hub
from hosts.models import LIVE, State, Task

AT_ONCE = 200  # gates looked at in one round


def tend() -> None:
    """Open every gate whose repository has what it waits for; called at every tick, by any number of processes."""
    waiting = Task.objects.filter(method=GATE, state=State.FREE, is_parent=True, ready_at__isnull=False)
    gates = waiting.order_by("pk").values_list("pk", flat=True)[:AT_ONCE]
    members = ChainMember.objects.filter(gate__in=list(gates)).select_related("gate", "chain__target__tag")
    for member in members:
        assert member.gate is not None
        opens, failed = verdict(member)
        if opens or failed:
            hub.settle(member.gate, failed=failed)


def verdict(member: ChainMember) -> tuple[bool, str]:
    """Whether its repository has what it needs; and why it never will."""
    tag = member.chain.target.tag
    repository = Repository.objects.select_related("current").filter(tag=tag, enabled=True).first()
    if repository is None:
        return False, f"Tag {tag} has no repository any more."
    awaited = Q(chained__in=member.needs.all()) | Q(pk=member.chain.because_id)
    for build in Build.objects.filter(awaited).order_by("pk"):
        if not _carried(repository, build):
            return False, _hopeless(repository, tag, build)
    return True, ""


def _carried(repository: Repository, build: Build) -> bool:
    """Whether it has packages of this build, or of a later one of the same source."""
    now = repository.holdings.filter(end=None, binary__isnull=False, build__source=build.source)
    return now.filter(build__gte=build.pk).exists()


def _hopeless(repository: Repository, tag: Tag, build: Build) -> str:
    """Why the repository will never have it; empty while it still may."""
    entries = tag.entries.at().filter(build__source=build.source, build__gte=build.pk)
    if not entries.exists() and build.checks.blocking().exists():
        return ""  # it may pass, or somebody overrides what blocks it
    if not entries.exists():
        return f"{build} is completed, but not in tag {tag}: the tag is locked, blocks it, or somebody took it out."
    wanted = content.state_of(tag.pk, content.lines_at(), dict(Tag.objects.values_list("pk", "revision")))
    under_way = repository.snapshots.filter(task__state__in=LIVE).exists()
    if repository.seen == wanted and not under_way and not repository.failed and not _carried(repository, build):
        return f"The repository {repository} takes no package of {build}: they are for other architectures, or their "\
               "build did not describe them."  # fmt: skip
    return ""
