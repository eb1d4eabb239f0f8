"""Which two builds of a source package are compared."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.db.models import QuerySet
from django.shortcuts import get_object_or_404

from builds.models import Build
from debatomic.paging import number_in
from debatomic.tools.errors import InputError
from hosts.models import State

OTHERS = 50  # the newest, to choose from


def of_package(source: str, user: Any) -> QuerySet[Build]:
    """Its builds that this person may know of, the newest first."""
    builds: QuerySet[Build] = Build.objects.visible_to(user).filter(source=source)
    return builds.select_related("task", "target", "created_by")


def chosen(builds: QuerySet[Build], query: Mapping[str, Any]) -> tuple[Build, Build]:
    """The older and the newer one: `?to=ID`, else the newest completed; `?from=ID`, else the one completed before it.

    Raises Http404 where there is none of an id, InputError where there is none to take instead.
    """
    before, after = number_in(query, "from"), number_in(query, "to")
    completed = builds.filter(task__state=State.COMPLETED)
    new = get_object_or_404(builds, pk=after) if after else completed.first()
    if new is None:
        raise InputError("No build of it has completed yet.")
    old = get_object_or_404(builds, pk=before) if before else _before(completed, new)
    if old is None:
        raise InputError(f"No build of {new.source} was completed before {new} for {new.target}.")
    return old, new


def _before(completed: QuerySet[Build], new: Build) -> Build | None:
    """For the same target if there is one, and none that was only tried."""
    earlier = completed.filter(pk__lt=new.pk, scratch=False)
    return earlier.filter(target=new.target_id).first() or earlier.first()
