"""The names of source packages that were built here."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from django.db import models
from django.urls import reverse

from hosts.states import State

if TYPE_CHECKING:
    from builds.models import Build


class SourcePackageQuerySet(models.QuerySet["SourcePackage"]):
    def note(self, build: Build, *, failed: bool = False) -> None:
        """A build of it was submitted or went on: it is the newest, or says nothing of the package any more."""
        failed = failed and not build.scratch
        package, _ = self.get_or_create(name=build.source, defaults={"latest": build.pk, "failed": failed})
        if package.latest <= build.pk and (package.latest, package.failed) != (build.pk, failed):
            self.filter(pk=package.pk, latest__lte=build.pk).update(latest=build.pk, failed=failed)

    def forget(self, names: set[str], builds: Any) -> None:
        """Builds of these went: remove those without any; where the newest went, the newest that is left counts."""
        left = builds.filter(source=models.OuterRef("name"))
        self.filter(~models.Exists(left), name__in=names).delete()
        for package in self.filter(~models.Exists(left.filter(pk=models.OuterRef("latest"))), name__in=names):
            newest = builds.filter(source=package.name).select_related("task").order_by("-pk")[0]
            failed = newest.task.state == State.FAILED and not newest.scratch
            self.filter(pk=package.pk).update(latest=newest.pk, failed=failed)


class SourcePackage(models.Model):
    """A source package that was built here; kept so that a list of a million names needs no look at their builds."""

    name = models.CharField(max_length=100, unique=True)
    latest = models.BigIntegerField(default=0)  # the id of its newest build
    failed = models.BooleanField(default=False)  # whether that one failed

    objects: ClassVar = SourcePackageQuerySet.as_manager()

    class Meta:
        ordering: ClassVar = ["name"]
        indexes: ClassVar = [models.Index(fields=["name"], name="package_failed", condition=models.Q(failed=True))]

    def __str__(self) -> str:
        return self.name

    def get_absolute_url(self) -> str:
        return reverse("package", args=[self.name])
