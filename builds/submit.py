"""Submitting a build: the source package is found and checked first, then every row is made in one transaction."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from django.db import transaction

from builds import sources
from builds.architectures import plan
from builds.submitting import policy, rebuilds, signatures
from builds.submitting.rebuilds import Rebuild
from builds.submitting.signatures import Signature
from builds.tagging.beside import of_target
from chroots.models import Chroot
from debatomic.access.models import AuditEntry, User
from debatomic.tools.errors import InputError
from hosts import hub
from hosts.models import Artifact, State, Task
from hosts.queue.wishes import AS_USUAL, Wishes

if TYPE_CHECKING:
    from builds.models import Build, Comparison, Target

LIMITS = {"time_limit": 12 * 3600, "idle_limit": 3600}  # seconds
COMPARISON_LIMITS = {"time_limit": 4 * 3600}  # seconds


@dataclass(frozen=True, kw_only=True)
class Prepared:
    """A build that is submitted by calling this."""

    version: str
    make: Callable[[], Build]

    def __call__(self) -> Build:
        return self.make()


def from_archive(
    target: Target, name: str, version: str, *, by: User, scratch: bool, wishes: Wishes = AS_USUAL,
    architectures: Sequence[str] = (), rebuild: Rebuild | None = None,
) -> Build:  # fmt: skip
    """Build the source package `name` of the target's archive; its newest version where `version` is empty."""
    return prepared(target, name, version, by=by, scratch=scratch, wishes=wishes, architectures=architectures,
                    rebuild=rebuild)()  # fmt: skip


def prepared(  # noqa: PLR0913 - what is built, and how, each by its name
    target: Target, name: str, version: str, *, by: User, scratch: bool, wishes: Wishes = AS_USUAL,
    architectures: Sequence[str] = (), thorough: bool = True, rebuild: Rebuild | None = None,
) -> Prepared:  # fmt: skip
    """The same in two steps: the archive is asked now, the rows are made by calling the answer.

    `thorough`: the mirror is asked for every file, too.
    """
    wishes.check(by)
    chroots = _chroots(target)
    source = sources.find(name, version, chroots[0], thorough=thorough)
    planned = _planned(source, chroots, architectures)
    if rebuild:
        rebuilds.only_theirs(planned)
    number = rebuilds.numbered(target, source.name, source.version, rebuild)
    version = rebuilds.with_number(source.version, number)
    if not scratch:
        policy.require_first(target, source.name, version, field="source")
    made = partial(_create, target, source, "archive", planned, by=by, scratch=scratch, wishes=wishes, rebuild=rebuild)
    return Prepared(version=version, make=made)


def from_upload(
    target: Target, uploads: Sequence[sources.Upload], *, by: User, scratch: bool, wishes: Wishes = AS_USUAL,
    architectures: Sequence[str] = (), signature: Signature | None = None,
) -> Build:  # fmt: skip
    """Build an uploaded source package. `signature` as of `BuildQuerySet.submit_upload`."""
    wishes.check(by)
    chroots = _chroots(target)

    def accept(source: sources.Source) -> None:
        _planned(source, chroots, architectures)
        if not scratch:
            policy.require_first(target, source.name, source.version, field="files")

    def examine(path: Path) -> Signature:
        return signature or signatures.examine(target, path)

    source = sources.take_upload(uploads, accept, examine)
    planned = _planned(source, chroots, architectures)
    return _create(target, source, "upload", planned, by=by, scratch=scratch, wishes=wishes)


def of_commit(
    target: Target, source: sources.Source, *, by: User, scratch: bool, architectures: Sequence[str] = ()
) -> Build:
    """Build a source package that a host made of a commit; its files are kept already."""
    return _create(target, source, "git", _planned(source, _chroots(target), architectures), by=by, scratch=scratch)


def again(build: Build, *, by: User, wishes: Wishes) -> Build:
    """Build the same files for the same target as another build, with other wishes; a rebuild gets the next number."""
    wishes.check(by)
    planned = {task.architecture: task.request["build_type"] for task in build.task.children.order_by("pk")}
    rebuild = Rebuild(reason=build.binnmu_reason) if build.binnmu else None
    return _create(build.target, _source_of(build), build.origin, planned, by=by, scratch=build.scratch,
                   wishes=_with_profiles(wishes, build), rebuild=rebuild)  # fmt: skip


def rebuilt(
    build: Build, rebuild: Rebuild, *, by: User, wishes: Wishes = AS_USUAL, architectures: Sequence[str] = ()
) -> Build:
    """A binary rebuild of the source version of this build, on all architectures that have packages of it, or these.

    Raises InputError with the field that is wrong.
    """
    if not build.can_be_rebuilt:
        raise InputError(f"{build} has no packages to rebuild: only completed builds that are no scratch builds have.")
    target, planned = build.target, built_where(build)
    if strange := [each for each in architectures if each not in planned]:
        raise InputError(f"{build} has no packages for {strange[0]}; it has some for {', '.join(planned) or 'all'}.",
                         field="architectures")  # fmt: skip
    planned = {each: kind for each, kind in planned.items() if not architectures or each in architectures}
    return _create(target, _source_of(build), build.origin, planned, by=by, scratch=False,
                   wishes=_with_profiles(wishes, build), rebuild=rebuild)  # fmt: skip


def built_where(build: Build) -> dict[str, str]:
    """The architectures for which the target has packages of the same source version, as `plan` has them."""
    same = build.target.builds.filter(source=build.source, scratch=False, task__state=State.COMPLETED)
    mine = [row.task_id for row in same.only("task_id", "version", "binnmu")
            if row.source_version == build.source_version]  # fmt: skip
    tasks = Task.objects.filter(parent__in=mine, method="build-arch").order_by("architecture")
    return {task.architecture: "any" for task in tasks if task.request["build_type"] != "all"}


def _with_profiles(wishes: Wishes, build: Build) -> Wishes:
    task = build.task.children.order_by("pk").first()
    return replace(wishes, profiles=tuple(task.request.get("profiles", ())) if task else ())


def _source_of(build: Build) -> sources.Source:
    """The source package of a build, as it was frozen."""
    return sources.Source(
        name=build.source, version=build.source_version, files=tuple(build.files), architectures=(),
        signature=Signature(told=build.signature, by=build.signed_by), url=build.git_url, commit=build.git_commit,
    )  # fmt: skip


def _planned(source: sources.Source, chroots: list[Chroot], only: Sequence[str] = ()) -> dict[str, str]:
    return plan(source.architectures, [chroot.architecture for chroot in chroots], only)


def _chroots(target: Target) -> list[Chroot]:
    if not target.enabled:
        raise InputError(f"Target {target} is disabled.", field="target")
    chroots = list(target.chroots.filter(enabled=True))
    if not chroots:
        raise InputError(f"Target {target} has no enabled chroot.", hint="Ask an administrator.", field="target")
    return chroots


def create(target: Target, source: sources.Source, origin: str, *, by: User, wishes: Wishes) -> Build:
    """The rows of a build whose source package was found before."""
    planned = _planned(source, _chroots(target))
    return _create(target, source, origin, planned, by=by, scratch=False, wishes=wishes)


@transaction.atomic
def _create(
    target: Target, source: sources.Source, origin: str, planned: Mapping[str, str], *, by: User, scratch: bool,
    wishes: Wishes = AS_USUAL, rebuild: Rebuild | None = None,
) -> Build:  # fmt: skip
    signatures.require_known(target, origin, source.signature)
    planned = rebuilds.only_theirs(planned) if rebuild else planned
    policy.hold(target, every=bool(rebuild))
    number = rebuilds.numbered(target, source.name, source.version, rebuild)
    version = rebuilds.with_number(source.version, number)
    if not scratch:
        policy.require_first(target, source.name, version, field="source" if origin == "archive" else "files")
    title = f"{source.name} {version} for {target}"
    channel = wishes.channel or target.channel
    parent = hub.submit(
        "build", title, request={}, channel=channel, by=by, is_parent=True, priority=wishes.priority,
        retries=wishes.retries, parent=wishes.within,
    )  # fmt: skip
    build = target.builds.create(
        source=source.name, version=version, origin=origin, files=list(source.files), scratch=scratch,
        binnmu=number, binnmu_reason=rebuild.reason if rebuild else "", task=parent, created_by=by,
        signature=source.signature.told, signed_by=source.signature.by,
        git_url=source.url, git_commit=source.commit,
    )  # fmt: skip
    frozen: dict[str, Any] = {
        "source": source.name, "version": source.version, "origin": origin, "files": list(source.files),
        "target": target.name, **of_target(target),
    }  # fmt: skip
    if rebuild:
        frozen["binnmu"] = rebuilds.frozen(number, rebuild, by)
    if wishes.profiles:
        frozen["profiles"] = list(wishes.profiles)
    with_source = origin == "archive" and not scratch  # the first architecture brings it, for repositories
    for chroot in _chroots(target):
        if chroot.architecture in planned:
            task = hub.submit(
                "build-arch", f"{title}, {chroot.architecture}", parent=parent, architecture=chroot.architecture,
                request={**frozen, **chroot.request, "build_type": planned[chroot.architecture],
                         "with_source": with_source},
                channel=channel, limits={**LIMITS, **wishes.limits}, dependencies=wishes.after, weight=wishes.weight,
                by=by,
            )  # fmt: skip
            chroot.uses.create(task=task)
            with_source = False
    AuditEntry.note(by, "build.submit", build, target=target.name, build=build.pk)
    return build


@transaction.atomic
def comparison(build: Build, *, by: User) -> Comparison:
    """Have the build's packages compared with those of the archive that its target's chroots are made from."""
    packages = build.artifacts.filter(kind=Artifact.Kind.BINARY).values("name", "sha256")
    made = build.task.children.filter(state=State.COMPLETED).order_by("pk").first()
    if not packages or made is None:
        raise InputError(f"{build} has no packages to compare.", hint="Build it again to have them.")
    request = {"files": list(packages), "chroot": made.request["chroot"], "mirror": made.request.get("mirror", "")}
    task = hub.submit(
        "build-compare", f"compare {build} with the archive", request=request, channel=build.target.channel,
        limits=COMPARISON_LIMITS, by=by, public=build.task.public,
    )  # fmt: skip
    found: Comparison = build.comparisons.create(task=task, created_by=by)
    AuditEntry.note(by, "build.compare", build, build=build.pk, task=task.pk)
    return found
