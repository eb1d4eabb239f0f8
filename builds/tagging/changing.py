"""What may happen to a tag; each verb is one transaction, with its line in the audit log."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Sequence, Set
from fnmatch import fnmatchcase
from itertools import islice
from typing import TYPE_CHECKING

from debian.debian_support import Version
from django.db import transaction
from django.utils import timezone

from builds.tagging import content, families
from builds.tagging.tag_models import BlockedPackage, Tag, TagEntry, TagParent
from debatomic.access.models import AuditEntry
from debatomic.tools.errors import InputError
from hosts.models import Event, State

if TYPE_CHECKING:
    from builds.models import Build
    from debatomic.access.models import User

SOURCE = re.compile(r"[a-z0-9][a-z0-9+.-]+")
PATTERN = re.compile(r"[a-z0-9+.*?\[\]!-]+")
MOST_PARENTS = 50
MOST_WAYS = 1000  # on which a tag comes to others: each is asked for its content
BATCH = 1000
SUPERSEDED = "a newer version came"
REBUILT = "all of it was built again"


@transaction.atomic
def take(tag: Tag, build: Build) -> None:
    """A build that ended well enters its target's tag by itself; one that is locked, or blocks it, stays as it is.

    So does one that is past the version which a rebuild is of.
    """
    row = locked(tag)
    if not row.locked and not row.blocked.at().filter(source=build.source).exists() and not _is_late(row, build):
        _enter(row, build, by=build.created_by, reason="")


def _is_late(tag: Tag, build: Build) -> bool:
    """Whether a rebuild ended when the tag had gone on to a newer version, and has its own no more."""
    if not build.binnmu:
        return False
    there = [each.build for each in content.content(tag) if each.source == build.source and each.build != build.pk]
    others = type(build).objects.filter(pk__in=there).only("version", "binnmu")
    versions, mine = [Version(each.source_version) for each in others], Version(build.source_version)
    return bool(versions) and mine not in versions and mine < max(versions)


@transaction.atomic
def add(tag: Tag, build: Build, *, by: User, reason: str = "") -> None:
    """Tag a build. Raises InputError (field build or tag) where it cannot be in it."""
    row = _open(tag)
    if build.scratch:
        raise InputError(f"{build} is a scratch build, which is never tagged.", field="build")
    if build.state != State.COMPLETED:
        raise InputError(f"{build} is not completed.", field="build")
    if row.blocked.at().filter(source=build.source).exists():
        raise InputError(f"{build.source} is blocked in {row}.", hint="Unblock it first.", field="build")
    if row.entries.at().filter(build=build).exists():
        raise InputError(f"{build} is in {row} already.", field="build")
    _require_rest(row, build)
    _enter(row, build, by=by, reason=reason)
    AuditEntry.note(by, "tag.add", row, build=str(build), reason=reason)


def _require_rest(tag: Tag, build: Build) -> None:
    """Of a rebuild the packages for all architectures are another build's: that is there before it."""
    if lacking := without_rest(tag, build, beside_rebuilds(tag, [build])):
        raise InputError(lacking, hint="Tag that one first.", field="build")


def beside_rebuilds(tag: Tag, builds: Iterable[Build]) -> set[int]:
    """The builds that a tag has, where one of these is a rebuild: nobody else needs them."""
    return {each.build for each in content.content(tag)} if any(build.binnmu for build in builds) else set()


def without_rest(tag: Tag, build: Build, there: Set[int]) -> str:
    """What a rebuild lacks in the tag that has the builds `there`, as a sentence; nothing where it is whole."""
    rest = set(families.rest_of(build))
    if not rest or rest & there:
        return ""
    return f"{build} has no packages for all architectures: those are of build {min(rest)}, which {tag} does not have."


@transaction.atomic
def remove(tag: Tag, build: Build, *, by: User, reason: str = "") -> None:
    """Untag a build. Raises InputError (field build) where it is not in it."""
    row = _open(tag)
    if not row.entries.filter(build=build).end(by, reason):
        raise InputError(f"{build} is not in {row}.", field="build")
    AuditEntry.note(by, "tag.remove", row, build=str(build), reason=reason)
    changed(row)


@transaction.atomic
def move(build: Build, *, source: Tag, to: Tag, by: User, reason: str = "") -> None:
    """From one tag to another, at once. Raises InputError as `add` and `remove` do."""
    locked_together(source, to)
    add(to, build, by=by, reason=reason)
    remove(source, build, by=by, reason=reason or f"moved to {to}")


@transaction.atomic
def block(tag: Tag, source: str, *, by: User, reason: str = "") -> None:
    """Have a source package in this tag no more, nor by inheritance."""
    if not SOURCE.fullmatch(source):
        raise InputError(f"“{source:.60}” is no name of a source package.", field="source")
    row = _open(tag)
    if row.blocked.at().filter(source=source).exists():
        raise InputError(f"{source} is blocked in {row} already.", field="source")
    row.blocked.create(source=source, began_by=by, reason=reason)
    AuditEntry.note(by, "tag.block", row, source=source, reason=reason)
    changed(row)


@transaction.atomic
def unblock(tag: Tag, source: str, *, by: User) -> None:
    row = _open(tag)
    if not BlockedPackage.objects.filter(tag=row, source=source).end(by):
        raise InputError(f"{source} is not blocked in {row}.", field="source")
    AuditEntry.note(by, "tag.unblock", row, source=source)
    changed(row)


@transaction.atomic
def inherit(tag: Tag, parents: Sequence[tuple[Tag, str]], *, by: User) -> None:
    """Have it inherit from these, the first asked first: (tag, patterns of source packages or empty).

    Raises InputError, field parents, for a cycle (it is named), a tag twice, or a pattern that is none.
    """
    lock_all()
    row = _open(tag)
    _check(row, parents)
    wanted = [(parent.pk, number, " ".join(packages.split())) for number, (parent, packages) in enumerate(parents)]
    there = list(row.parents.at().order_by("priority").values_list("parent_id", "priority", "packages"))
    if wanted == there:
        return
    now = timezone.now()
    row.parents.end(by, at=now)
    TagParent.objects.bulk_create(
        TagParent(tag=row, parent_id=parent, priority=number, packages=packages, began_by=by, began_at=now)
        for parent, number, packages in wanted
    )
    AuditEntry.note(by, "tag.inherit", row, parents=[str(parent) for parent, _ in parents])
    changed(row)


@transaction.atomic
def lock(tag: Tag, *, locked: bool, by: User, reason: str = "") -> None:
    """Let nothing enter or leave, or again."""
    Tag.objects.filter(pk=tag.pk).update(locked=locked)
    AuditEntry.note(by, "tag.lock" if locked else "tag.unlock", tag, reason=reason)
    _tell(tag)
    tag.locked = locked


@transaction.atomic
def keep(tag: Tag, versions: int, *, by: User) -> None:
    """Keep so many versions of each source package from now on (0: all); what is more than that ends."""
    row = _open(tag)
    Tag.objects.filter(pk=row.pk).update(versions=versions)
    tag.versions = versions
    old, now = _beyond(row, versions) if versions else [], timezone.now()
    for batch in range(0, len(old), BATCH):
        part = TagEntry.objects.filter(pk__in=old[batch : batch + BATCH])
        part.end(by, f"{versions} of each are kept", at=now)
    if old:
        changed(row)


def _beyond(tag: Tag, versions: int) -> list[int]:
    """The entries that are older than the newest so many of their source package."""
    by_source: dict[str, list[tuple[int, str, int]]] = defaultdict(list)
    rows = tag.entries.at().order_by("-pk").values_list("build__source", "pk", "build__version", "build__binnmu")
    for source, *row in rows:
        by_source[source].append(tuple(row))
    return [pk for source, mine in by_source.items() if not _stays(tag, source) for pk in _too_many(mine, versions)]


def _too_many(rows: Sequence[tuple[int, str, int]], versions: int) -> list[int]:
    """Of one source package, the newest first: (entry, version, number of the rebuild)."""
    places = families.places((version, binnmu) for _, version, binnmu in rows)
    return [pk for place, (pk, *_) in zip(places, rows, strict=True) if place >= versions]


def locked_together(*tags: Tag) -> list[Tag]:
    """Their rows as they are now, in the order given; nobody else's until the transaction ends."""
    found = Tag.objects.select_for_update().filter(pk__in={tag.pk for tag in tags}).order_by("pk")
    rows = {row.pk: row for row in found}
    return [rows[tag.pk] for tag in tags]


def lock_all() -> None:
    """Before inheritance changes: two changes at once could make a cycle that neither of them is."""
    list(Tag.objects.select_for_update().order_by("pk").values_list("pk"))


def _check(tag: Tag, parents: Sequence[tuple[Tag, str]]) -> None:
    names = [str(parent) for parent, _ in parents]
    if double := sorted({name for name in names if names.count(name) > 1}):
        raise InputError(f"{double[0]} is given twice.", field="parents")
    if len(parents) > MOST_PARENTS:
        raise InputError(f"A tag inherits from at most {MOST_PARENTS} others.", field="parents")
    for _, packages in parents:
        if wrong := [word for word in packages.split() if not PATTERN.fullmatch(word)]:
            raise InputError(f"“{wrong[0]:.60}” is no pattern of source packages, such as linux-*.", field="parents")
    lines = content.lines_at()
    lines.pop(tag.pk, None)
    for parent, _ in parents:
        if tag.pk in content.reached(parent.pk, lines):
            way = f"{tag} → {parent} → … → {tag}" if parent.pk != tag.pk else f"{tag} → {tag}"
            raise InputError(f"That would be a cycle: {way}.", field="parents")
    lines[tag.pk] = [content.Line(parent.pk, number) for number, (parent, _) in enumerate(parents)]
    if len(list(islice(content.walk(tag.pk, lines), MOST_WAYS + 1))) > MOST_WAYS:
        raise InputError(f"Inheritance would lead from {tag} to others on more than {MOST_WAYS} ways.", field="parents")


def locked(tag: Tag) -> Tag:
    """The row, nobody else's until the transaction ends."""
    return Tag.objects.select_for_update().get(pk=tag.pk)


def _open(tag: Tag) -> Tag:
    row = locked(tag)
    if row.locked:
        raise InputError(f"{row} is locked: nothing enters or leaves.", hint="Unlock it first.", field="tag")
    return row


def _enter(tag: Tag, build: Build, *, by: User, reason: str) -> None:
    if tag.entries.at().filter(build=build).exists():
        return
    now = timezone.now()
    tag.entries.create(build=build, began_by=by, reason=reason, began_at=now)
    if tag.versions and not _stays(tag, build.source):
        mine = tag.entries.at().filter(build__source=build.source).order_by("-pk")
        old = _too_many(list(mine.values_list("pk", "build__version", "build__binnmu")), tag.versions)
        TagEntry.objects.filter(pk__in=old).end(None, SUPERSEDED, at=now)
        if build.binnmu:
            whole = families.rebuilt_whole(mine.select_related("build"), build)
            TagEntry.objects.filter(pk__in=whole).end(None, REBUILT, at=now)
    changed(tag)


def _stays(tag: Tag, source: str) -> bool:
    """Whether it keeps every version of this source package."""
    return any(fnmatchcase(source, pattern) for pattern in tag.keep.split())


def changed(tag: Tag) -> None:
    """What is in it did: repositories follow, pages are told."""
    Tag.objects.filter(pk=tag.pk).touch()
    _tell(tag)


def _tell(tag: Tag) -> None:
    """Pages that show it are to look again."""
    Event.objects.create(kind="tag", key=str(tag.pk), what="changed", topics=["tags", f"tag:{tag.pk}"])
