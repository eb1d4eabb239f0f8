"""The files of packages enter the index after their build has ended: nothing waits for it."""

from __future__ import annotations

import time
from collections.abc import Sequence

from django.db import transaction
from django.db.models import QuerySet

from builds.models import BinaryPackage
from builds.provenance.file_models import FileList, PackageFiles
from builds.tagging.entries import description

ROUND_SECONDS = 2.0  # that one round may take
AT_ONCE = 100


def index() -> None:
    """Read what waits, the oldest first; called at every tick, by any number of processes."""
    end = time.monotonic() + ROUND_SECONDS
    waiting = PackageFiles.objects.filter(waits=True).select_related("binary__artifact").order_by("pk")[:AT_ONCE]
    told: dict[int, dict[str, list[str]]] = {}
    for each in waiting:
        artifact = each.binary.artifact
        task = artifact.task_id or 0
        if task not in told:
            told = {task: {name: said.get("files", []) for name, said in description(task).items()}}
        _enter(each, told[task].get(artifact.name))
        if time.monotonic() > end:
            return


@transaction.atomic
def _enter(package: PackageFiles, paths: Sequence[str] | None) -> None:
    listing = None if paths is None else FileList.objects.of(paths)
    PackageFiles.objects.filter(pk=package.pk).update(listing=listing, waits=False)


def note(binary: BinaryPackage) -> None:
    """It is to be read."""
    PackageFiles.objects.get_or_create(binary=binary)


@transaction.atomic
def forget(going: QuerySet[BinaryPackage]) -> None:
    """Remove these packages, and the lists that only they had."""
    lists = list(PackageFiles.objects.filter(binary__in=going, listing__isnull=False).values_list("listing", flat=True))
    going.delete()
    FileList.objects.forget(lists)
