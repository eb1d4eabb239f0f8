"""The names of source packages that were built here."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from django.db import models
from django.urls import reverse

from hosts.states import State

if TYPE_CHECKING:
    from builds.models import Build


ALL, PUBLIC = ("latest", "failed"), ("public_latest", "public_failed")  # columns


class SourcePackageQuerySet(models.QuerySet["SourcePackage"]):
    def note(self, build: Build, *, failed: bool = False) -> None:
        """A build of it was submitted or went on: it is the newest, or says nothing of the package any more."""
        package, _ = self.get_or_create(name=build.source)
        for latest, failing in (ALL, PUBLIC) if build.task.public else (ALL,):
            told = {latest: build.pk, failing: failed and not build.scratch}
            if getattr(package, latest) <= build.pk and told != {name: getattr(package, name) for name in told}:
                self.filter(**{"pk": package.pk, f"{latest}__lte": build.pk}).update(**told)

    def forget(self, names: set[str], builds: Any) -> None:
        """Builds of these went: remove those without any; where the newest went, the newest that is left counts."""
        left = builds.filter(source=models.OuterRef("name"))
        self.filter(~models.Exists(left), name__in=names).delete()
        for columns, counting in ((ALL, builds), (PUBLIC, builds.filter(task__public=True))):
            newest = left.filter(pk=models.OuterRef(columns[0]))
            for package in self.filter(~models.Exists(newest), name__in=names):
                self.filter(pk=package.pk).update(**_newest(package, columns, counting))


def _newest(package: SourcePackage, columns: tuple[str, str], builds: Any) -> dict[str, Any]:
    """What the columns say of the newest of these builds of it."""
    found = builds.filter(source=package.name).select_related("task").order_by("-pk").first()
    failed = bool(found and found.task.state == State.FAILED and not found.scratch)
    return dict(zip(columns, (found.pk if found else 0, failed), strict=True))


class SourcePackage(models.Model):
    """A source package that was built here; kept so that a list of a million names needs no look at their builds."""

    name = models.CharField(max_length=100, unique=True)
    latest = models.BigIntegerField(default=0)  # the id of its newest build
    failed = models.BooleanField(default=False)  # whether that one failed
    public_latest = models.BigIntegerField(default=0)  # the same of those builds that everybody may know of
    public_failed = models.BooleanField(default=False)

    objects: ClassVar = SourcePackageQuerySet.as_manager()

    class Meta:
        ordering: ClassVar = ["name"]
        indexes: ClassVar = [
            models.Index(fields=["name"], name="package_failed", condition=models.Q(failed=True)),
            models.Index(fields=["name"], name="package_public_failed", condition=models.Q(public_failed=True)),
        ]

    def __str__(self) -> str:
        return self.name

    def get_absolute_url(self) -> str:
        return reverse("package", args=[self.name])
