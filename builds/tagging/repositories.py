"""When a tag changed, its repository follows: what comes and goes is found here, and a task does it.

One snapshot at a time, at most one a second; what changes meanwhile is in the next one.
"""

from __future__ import annotations

import io
import json
from collections.abc import Iterable, Mapping, Sequence, Set
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import zstandard
from django.conf import settings
from django.db import transaction
from django.utils import timezone

from builds import keys
from builds.models import BinaryPackage
from builds.repository.writer import DATE
from builds.tagging import content
from builds.tagging.entries import COMPONENT, Pair, described, owner
from builds.tagging.overtaken import overtaken
from builds.tagging.repository_models import Holding, Repository, Snapshot
from builds.tagging.tag_models import Tag
from debatomic.tools.errors import InputError
from hosts import hub
from hosts.kept import store
from hosts.models import LIVE, Channel, State, Task

LIMITS = {"time_limit": 3600, "idle_limit": 3600}  # seconds
BACK_OFF = (2, 10, 60, 600)  # seconds to wait after so many failures in a row


@dataclass(frozen=True)
class Difference:
    """What a repository should have that it has not, and what it should not have, with its holding."""

    come: Sequence[Pair]
    go: Mapping[Pair, int]


def tend() -> None:
    """Have every repository follow its tag; called at every tick, by any number of processes."""
    repositories = list(Repository.objects.filter(enabled=True).select_related("tag", "current", "pruning"))
    if not repositories:
        return
    lines, revisions = content.lines_at(), dict(Tag.objects.values_list("pk", "revision"))
    signing = " ".join(sorted(keys.fingerprints()))
    for repository in repositories:
        wanted = content.state_of(repository.tag_id, lines, revisions)
        sign = is_to_be_signed(repository, signing)
        if (wanted == repository.seen and not sign) or (repository.pruning and repository.pruning.is_live):
            continue
        newest = repository.newest(len(BACK_OFF))
        if _is_free(newest):
            follow(repository, wanted, newest, sign=sign, signing=signing)


def is_to_be_signed(repository: Repository, signing: str) -> bool:
    """Whether half of the time is over for which its index is valid, or other keys sign now (fingerprints)."""
    if repository.current is None:
        return False
    if signing and repository.current.signed_by != signing:
        return True
    age = timezone.now() - _moment(repository.current)
    return bool(repository.valid_days) and age > timedelta(days=repository.valid_days) / 2


def follow(
    repository: Repository, wanted: str, newest: Sequence[Snapshot], *, sign: bool = False, signing: str = ""
) -> Snapshot | None:
    """Submit the task that brings it to where its tag is now; None where nothing is to change, or another did it.

    `newest` are its last snapshots; with `sign` there is one more, even of the same content.
    """
    pairs = _pairs(repository)
    anew = repository.anew or repository.current is None or newest[0].task.state != State.COMPLETED
    found = _difference(repository, pairs)
    if not (found.come or found.go or anew or sign):
        _seen(repository, wanted)
        return None
    change = _change(repository, sorted(pairs, key=str) if anew else found, newest)
    told = {each["owner"] for each in change["add"]}
    come = [pair for pair in found.come if owner(pair) in told]
    if not (come or found.go or anew or sign):  # what their builds did not describe
        _seen(repository, wanted)
        return None
    sha256, _ = store.add(io.BytesIO(zstandard.ZstdCompressor().compress(json.dumps(change).encode())))
    with transaction.atomic():
        row = Repository.objects.locked(repository.pk)
        if row.seen != repository.seen or row.current_id != repository.current_id or row.is_busy:
            return None
        Repository.objects.filter(pk=row.pk).update(seen=wanted, anew=False)
        return repository.snapshots.create(
            name=change["name"], task=_submitted(repository, change["name"], sha256), signed_by=signing,
            change={"add": come, "remove": list(found.go.values())}, packages_in=len(come), packages_out=len(found.go),
        )  # fmt: skip


def _submitted(repository: Repository, name: str, change: str) -> Task:
    return hub.submit(
        "repository", f"repository {repository}, {name}", by=None, limits=LIMITS, priority=0,
        channel=Channel.objects.get(name="default"), request={"repository": repository.suite, "change": change},
    )  # fmt: skip


def _seen(repository: Repository, wanted: str) -> None:
    Repository.objects.filter(pk=repository.pk, seen=repository.seen).update(seen=wanted)


def _is_free(newest: Sequence[Snapshot]) -> bool:
    """Whether nothing is made of it now, the last second is over, and a failure is long enough ago."""
    if not newest:
        return True
    states = [snapshot.task.state for snapshot in newest]
    if states[0] in LIVE:
        return False
    failures = next((number for number, state in enumerate(states) if state == State.COMPLETED), len(states))
    wait = BACK_OFF[failures - 1] if failures else 1
    return timezone.now() - newest[0].created_at > timedelta(seconds=wait)


def _pairs(repository: Repository) -> set[Pair]:
    """What it should have: of each build of the tag, its source and its packages for these architectures."""
    there = content.content(repository.tag)
    builds = {each.build for each in there}
    architectures = [*repository.architectures.split(), "all"]
    rows = BinaryPackage.objects.filter(architecture__in=architectures).values_list("build_id", "pk")
    if len(builds) < 1000:  # else the whole table is read faster
        rows = rows.filter(build__in=builds)
    found: set[Pair] = {(build, pk) for build, pk in rows if build in builds}
    return (found | {(build, None) for build in builds}) - overtaken(there)


def _difference(repository: Repository, pairs: set[Pair]) -> Difference:
    rows = repository.holdings.filter(end=None).values_list("build_id", "binary_id", "pk")
    there = {(build, package): pk for build, package, pk in rows}
    return Difference(sorted(pairs - set(there), key=str), {pair: there[pair] for pair in set(there) - pairs})


# The change, as builds.repository reads it


def _change(repository: Repository, what: Difference | Iterable[Pair], newest: Sequence[Snapshot]) -> dict[str, Any]:
    """Of what comes and goes; or from nothing, of all that it is to have."""
    name = max(datetime.now(UTC), _after(newest)).strftime(DATE)
    come = what.come if isinstance(what, Difference) else what
    gone = what.go if isinstance(what, Difference) else {}
    base = repository.current.name if repository.current and isinstance(what, Difference) else ""
    entries, files = described(repository, come)
    return {
        "name": name, "base": base, "spec": _spec(repository), "add": [asdict(each) for each in entries],
        "files": files, "remove": [owner(pair) for pair in gone],
    }  # fmt: skip


def _after(newest: Sequence[Snapshot]) -> datetime:
    return _moment(newest[0]) + timedelta(seconds=1) if newest else datetime.fromtimestamp(0, UTC)


def _moment(snapshot: Snapshot) -> datetime:
    return datetime.strptime(snapshot.name, DATE).replace(tzinfo=UTC)


def _spec(repository: Repository) -> dict[str, Any]:
    return {
        "suite": repository.suite, "codename": repository.suite, "origin": repository.origin,
        "label": repository.label, "description": repository.description,
        "architectures": repository.architectures.split(), "components": [COMPONENT],
        "valid_days": repository.valid_days, "automatic": repository.automatic,
        "pdiffs": repository.pdiffs,
        "snapshots": f"{settings.PUBLIC_ADDRESS.rstrip('/')}{repository.path}/snapshots/@SNAPSHOTID@/",
    }  # fmt: skip


# What the task did


def changed(task: Task) -> None:
    """A snapshot's task changed its state: what the repository has, and which snapshot machines read."""
    snapshot = Snapshot.objects.select_related("repository").filter(task=task, published_at=None).first()
    if snapshot is None:
        return
    if task.state == State.COMPLETED:
        _published(snapshot, task)
    elif task.state in (State.FAILED, State.CANCELED):  # to be looked at again
        Repository.objects.filter(pk=snapshot.repository_id).update(seen="")


def again(task: Task) -> None:
    """Only the newest snapshot is tried again, while nothing else changes the repository. Raises InputError."""
    snapshot = Snapshot.objects.filter(task=task).first()
    repository = Repository.objects.locked(snapshot.repository_id) if snapshot else None
    if snapshot is None or repository is None or repository.newest(1)[0].pk != snapshot.pk or repository.is_busy:
        raise InputError("The repository has gone on since.", hint="Its next snapshot is made where one is needed.")


def _published(snapshot: Snapshot, task: Task) -> None:
    Holding.objects.filter(pk__in=snapshot.change["remove"]).update(end=snapshot)
    Holding.objects.bulk_create(
        (Holding(repository=snapshot.repository, build_id=build, binary_id=package, first=snapshot)
         for build, package in snapshot.change["add"]), batch_size=1000,
    )  # fmt: skip
    Snapshot.objects.filter(pk=snapshot.pk).update(published_at=timezone.now(), change={}, facts=task.result)
    Repository.objects.filter(pk=snapshot.repository_id).update(current=snapshot)


def needed(contents: Set[str]) -> set[str]:
    """Those of these SHA-256 that a repository's task still has to read."""
    live = Task.objects.filter(method="repository", state__in=LIVE).values_list("request", flat=True)
    return {request["change"] for request in live} & contents
