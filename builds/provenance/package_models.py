"""The names of source packages that were built here."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from django.db import models
from django.urls import reverse

if TYPE_CHECKING:
    from builds.models import Build


class SourcePackageQuerySet(models.QuerySet["SourcePackage"]):
    def note(self, build: Build, *, failed: bool = False) -> None:
        """A build of it was submitted or went on: it is the newest, or says nothing of the package any more."""
        package, _ = self.get_or_create(name=build.source, defaults={"latest": build.pk, "failed": failed})
        if package.latest <= build.pk and (package.latest, package.failed) != (build.pk, failed):
            self.filter(pk=package.pk, latest__lte=build.pk).update(latest=build.pk, failed=failed)

    def forget(self, names: set[str], builds: Any) -> None:
        """Of these, remove those without a build."""
        self.filter(~models.Exists(builds.filter(source=models.OuterRef("name"))), name__in=names).delete()


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
