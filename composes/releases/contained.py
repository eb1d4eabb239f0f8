"""What a compose has that was made here: noted from its locks, told on a package's page, and kept by retention."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Set
from typing import Any

from builds.keeping.references import ADDRESS, DIGEST, Named, register_named
from builds.provenance.uses import Use, register_uses
from builds.tagging.repository_models import Snapshot
from composes.comparing import locked
from composes.models import Compose, ComposedPackage, ComposedSnapshot
from hosts.models import Artifact

SHOWN = 50
AT_ONCE = 500


def note(compose: Compose) -> None:
    """Write down those packages and snapshots of its locks that were made here."""
    contents: set[str] = set()
    snapshots: set[tuple[str, str]] = set()
    for text in locked.read(compose.artifacts.filter(name="lock.json")):
        contents.update(DIGEST.findall(text))
        snapshots.update(ADDRESS.findall(text))
    ComposedPackage.objects.bulk_create(
        (ComposedPackage(compose=compose, sha256=each) for each in sorted(_made_here(contents))), ignore_conflicts=True
    )
    ComposedSnapshot.objects.bulk_create(
        (ComposedSnapshot(compose=compose, suite=suite, name=name) for suite, name in sorted(_of_ours(snapshots))),
        ignore_conflicts=True,
    )


def _made_here(contents: Set[str]) -> set[str]:
    found: set[str] = set()
    for part in _parts(contents):
        known = Artifact.objects.filter(sha256__in=part, kind=Artifact.Kind.BINARY)
        found.update(known.values_list("sha256", flat=True))
    return found


def _of_ours(places: Set[tuple[str, str]]) -> set[tuple[str, str]]:
    found: set[tuple[str, str]] = set()
    for part in _parts({name for _, name in places}):
        found.update(Snapshot.objects.filter(name__in=part).values_list("repository__suite", "name"))
    return found & places


def named(snapshots: Set[tuple[str, str]], contents: Set[str]) -> Named:
    """Those of these that composes have whose files are kept."""
    digests: set[str] = set()
    for part in _parts(contents):
        having = ComposedPackage.objects.filter(sha256__in=part, compose__removed_at=None)
        digests.update(having.values_list("sha256", flat=True).distinct())
    places: set[tuple[str, str]] = set()
    for part in _parts({name for _, name in snapshots}):
        rows = ComposedSnapshot.objects.filter(name__in=part, suite__in={suite for suite, _ in snapshots})
        places.update(rows.filter(compose__removed_at=None).values_list("suite", "name").distinct())
    return Named(frozenset(places & snapshots), frozenset(digests))


def _parts(wanted: Collection[str]) -> Iterator[list[str]]:
    ordered = sorted(wanted)
    for first in range(0, len(ordered), AT_ONCE):
        yield ordered[first : first + AT_ONCE]


def uses(sha256: str, user: Any) -> list[Use]:
    """The newest composes with this package."""
    having = ComposedPackage.objects.filter(sha256=sha256).order_by().values("compose")
    found = Compose.objects.visible_to(user).for_rows().filter(pk__in=having)[:SHOWN]
    return [Use("compose", each.pk, str(each), each.state, each.get_absolute_url()) for each in found]


def register_contained() -> None:
    register_uses(uses)
    register_named(named)
