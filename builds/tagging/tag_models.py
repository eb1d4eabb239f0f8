"""What is in a tag, now and at any time before: nothing is deleted, everything ends."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any, ClassVar

from django.conf import settings
from django.db import models
from django.db.models import Count, F, Q
from django.urls import reverse
from django.utils import timezone

from debatomic.access.checks import may

if TYPE_CHECKING:
    from debatomic.access.models import User


class TagQuerySet(models.QuerySet["Tag"]):
    def visible_to(self, user: Any) -> TagQuerySet:
        if user.is_authenticated:
            return self if may(user, "builds.view") else self.none()
        return self if settings.PUBLIC_READING else self.none()

    def for_lists(self) -> TagQuerySet:
        """With how many builds each has itself, and its repository."""
        now = Count("entries", filter=Q(entries__ended_at=None))
        return self.select_related("repository").annotate(number=now)

    def touch(self) -> None:
        """Something of them changed: repositories of them, and of what inherits from them, are to be looked at."""
        self.update(revision=F("revision") + 1)


class Tag(models.Model):
    """A named collection of builds, that may inherit from others."""

    name = models.SlugField(unique=True)
    description = models.CharField(max_length=200, blank=True)
    locked = models.BooleanField(default=False)  # nothing enters or leaves
    versions = models.PositiveSmallIntegerField(default=1)  # of a source package that stay, the newest; 0: all
    days = models.PositiveSmallIntegerField(default=0)  # that a build stays in it; 0: for ever
    least = models.PositiveSmallIntegerField(default=1)  # versions of a source package that no age takes out
    keep = models.CharField(max_length=500, blank=True)  # patterns of source packages of which all builds stay
    discard_days = models.PositiveSmallIntegerField(default=0)  # after which a build that left it may go; 0: never
    revision = models.PositiveBigIntegerField(default=0)  # counts what changed

    objects: ClassVar = TagQuerySet.as_manager()

    class Meta:
        ordering: ClassVar = ["name"]

    def __str__(self) -> str:
        return self.name

    def get_absolute_url(self) -> str:
        return reverse("tag", args=[self.name])


class PeriodQuerySet(models.QuerySet[Any]):
    def at(self, moment: datetime | None = None) -> PeriodQuerySet:
        """What held then; None: what holds now."""
        if moment is None:
            return self.filter(ended_at=None)
        return self.filter(Q(ended_at=None) | Q(ended_at__gt=moment), began_at__lte=moment)

    def end(self, by: User | None, why: str = "", *, at: datetime | None = None) -> int:
        """They hold no more since `at` (now); how many did until then."""
        return self.filter(ended_at=None).update(ended_at=at or timezone.now(), ended_by=by, end_reason=why)


class Period(models.Model):
    """Something that holds from one moment to another, or until now."""

    began_at = models.DateTimeField(default=timezone.now)
    began_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, related_name="+")
    reason = models.CharField(max_length=200, blank=True)
    ended_at = models.DateTimeField(null=True)
    ended_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, related_name="+")
    end_reason = models.CharField(max_length=200, blank=True)

    objects: ClassVar = PeriodQuerySet.as_manager()

    class Meta:
        abstract = True


class TagEntry(Period):
    """This build is in this tag."""

    tag = models.ForeignKey(Tag, on_delete=models.CASCADE, related_name="entries")
    build = models.ForeignKey("builds.Build", on_delete=models.CASCADE, related_name="tag_entries")

    class Meta:
        indexes: ClassVar = [models.Index(fields=["tag", "-id"], name="tag_entry_newest")]
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["tag", "build"], condition=Q(ended_at=None), name="build_once_per_tag")
        ]

    def __str__(self) -> str:
        return f"{self.build} in {self.tag}"


class TagParent(Period):
    """A tag has what another one has, of packages it has none of itself."""

    tag = models.ForeignKey(Tag, on_delete=models.CASCADE, related_name="parents")
    parent = models.ForeignKey(Tag, on_delete=models.PROTECT, related_name="children")
    priority = models.PositiveSmallIntegerField()  # the least is asked first
    packages = models.CharField(max_length=500, blank=True)  # patterns of source packages; empty: all

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["tag", "priority"], condition=Q(ended_at=None), name="tag_parent_order"),
            models.UniqueConstraint(fields=["tag", "parent"], condition=Q(ended_at=None), name="tag_parent_once"),
        ]

    def __str__(self) -> str:
        return f"{self.tag} inherits from {self.parent}"


class BlockedPackage(Period):
    """This source package is in a tag neither by itself nor by inheritance."""

    tag = models.ForeignKey(Tag, on_delete=models.CASCADE, related_name="blocked")
    source = models.CharField(max_length=100)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["tag", "source"], condition=Q(ended_at=None), name="blocked_once_per_tag")
        ]

    def __str__(self) -> str:
        return f"{self.source} blocked in {self.tag}"
