"""What hosts keep and can use again."""

from __future__ import annotations

from collections.abc import Iterable
from typing import ClassVar

from django.db import models
from django.utils import timezone


class HostCacheQuerySet(models.QuerySet["HostCache"]):
    def note(self, host: int, names: Iterable[str]) -> None:
        """Remember that this host (its id) has these now."""
        for name in names:
            self.update_or_create(host_id=host, name=name[:200], defaults={"used_at": timezone.now()})


class HostCache(models.Model):
    """Something a completed task left on its host: a chroot's base, the dependency layer of a source package.

    The host may have removed it since; whoever reads this gains time by it, nothing more.
    """

    host = models.ForeignKey("hosts.Host", on_delete=models.CASCADE, related_name="caches")
    name = models.CharField(max_length=200)
    used_at = models.DateTimeField()

    objects: ClassVar = HostCacheQuerySet.as_manager()

    class Meta:
        constraints: ClassVar = [models.UniqueConstraint(fields=["name", "host"], name="cache_once_per_host")]

    def __str__(self) -> str:
        return f"{self.name} on {self.host_id}"
