"""Submitting a build: the source package is found and checked first, then every row is made in one transaction."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from django.db import transaction

from builds import sources
from builds.architectures import plan
from chroots.models import Chroot
from debatomic.access.models import AuditEntry, User
from debatomic.tools.errors import InputError
from hosts import hub
from hosts.models import Artifact, State

if TYPE_CHECKING:
    from builds.models import Build, Comparison, Target

LIMITS = {"time_limit": 12 * 3600, "idle_limit": 3600}  # seconds
COMPARISON_LIMITS = {"time_limit": 4 * 3600}  # seconds


def from_archive(target: Target, name: str, version: str, *, by: User, scratch: bool) -> Build:
    """Build the source package `name` of the target's archive; its newest version where `version` is empty."""
    chroots = _chroots(target)
    return _create(sources.find(name, version, chroots[0]), "archive", target, chroots, by=by, scratch=scratch)


def from_upload(target: Target, uploads: Sequence[sources.Upload], *, by: User, scratch: bool) -> Build:
    """Build an uploaded source package."""
    chroots = _chroots(target)
    source = sources.take_upload(uploads, lambda source: _planned(source, chroots))
    return _create(source, "upload", target, chroots, by=by, scratch=scratch)


def _planned(source: sources.Source, chroots: list[Chroot]) -> dict[str, str]:
    return plan(source.architectures, [chroot.architecture for chroot in chroots])


def _chroots(target: Target) -> list[Chroot]:
    if not target.enabled:
        raise InputError(f"Target {target} is disabled.", field="target")
    chroots = list(target.chroots.filter(enabled=True))
    if not chroots:
        raise InputError(f"Target {target} has no enabled chroot.", hint="Ask an administrator.", field="target")
    return chroots


@transaction.atomic
def _create(
    source: sources.Source, origin: str, target: Target, chroots: list[Chroot], *, by: User, scratch: bool
) -> Build:
    planned = _planned(source, chroots)
    title = f"{source.name} {source.version} for {target}"
    parent = hub.submit("build", title, request={}, channel=target.channel, by=by, is_parent=True)
    build = target.builds.create(
        source=source.name, version=source.version, origin=origin, files=list(source.files), scratch=scratch,
        task=parent, created_by=by,
    )  # fmt: skip
    frozen: dict[str, Any] = {
        "source": source.name, "version": source.version, "origin": origin, "files": list(source.files),
    }  # fmt: skip
    for chroot in chroots:
        if chroot.architecture in planned:
            task = hub.submit(
                "build-arch", f"{title}, {chroot.architecture}", parent=parent, architecture=chroot.architecture,
                request={**frozen, **chroot.request, "build_type": planned[chroot.architecture]},
                channel=target.channel, limits=LIMITS, by=by,
            )  # fmt: skip
            chroot.uses.create(task=task)
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
