"""Which of our own packages a compose has: found in its lock when it is made, told on the package's page."""

from __future__ import annotations

from typing import Any

from builds.provenance.uses import Use, register_uses
from composes.comparing.comparison import locks_of
from composes.models import Compose, ComposedPackage
from debatomic.tools.errors import InputError
from hosts.models import Artifact

SHOWN = 50
AT_ONCE = 500


def note(compose: Compose) -> None:
    """Write down those packages of its locks that were built here."""
    try:
        locks = locks_of(compose).values()
    except InputError:  # not kept any more
        return
    wanted = sorted({package.sha256 for lock in locks for package in lock.packages})
    ours: set[str] = set()
    for first in range(0, len(wanted), AT_ONCE):
        part = wanted[first : first + AT_ONCE]
        known = Artifact.objects.filter(sha256__in=part, kind=Artifact.Kind.BINARY)
        ours.update(known.values_list("sha256", flat=True))
    ComposedPackage.objects.bulk_create(
        (ComposedPackage(compose=compose, sha256=each) for each in sorted(ours)), ignore_conflicts=True
    )


def uses(sha256: str, user: Any) -> list[Use]:
    """The newest composes with this package."""
    having = ComposedPackage.objects.filter(sha256=sha256).order_by().values("compose")
    found = Compose.objects.visible_to(user).for_rows().filter(pk__in=having)[:SHOWN]
    return [Use("compose", each.pk, str(each), each.state, each.get_absolute_url()) for each in found]


def register_contained() -> None:
    register_uses(uses)
