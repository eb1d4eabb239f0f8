"""Promotion policies and their revisions; a revision never changes."""

from __future__ import annotations

from typing import Any, ClassVar

from django.conf import settings
from django.db import models
from django.urls import reverse

from builds.promotion.policy import Policy, read
from debatomic.access.checks import readable


class PromotionPolicyQuerySet(models.QuerySet["PromotionPolicy"]):
    def visible_to(self, user: Any) -> PromotionPolicyQuerySet:
        return readable(self, user, "builds.view")


class PromotionPolicy(models.Model):
    """How builds go along a path of tags; what it says lives in revisions, `path` and `title` are the newest's."""

    name = models.SlugField(unique=True)
    title = models.CharField(max_length=200, blank=True)
    path = models.JSONField(default=list)  # names of tags, in the order of the way
    enabled = models.BooleanField(default=True)

    objects: ClassVar = PromotionPolicyQuerySet.as_manager()

    class Meta:
        ordering: ClassVar = ["name"]
        verbose_name_plural = "promotion policies"

    def __str__(self) -> str:
        return self.name

    def get_absolute_url(self) -> str:
        return reverse("promotion-board", args=[self.name])

    @property
    def latest(self) -> PromotionRevision:
        """Every policy has one."""
        found: PromotionRevision = self.revisions.select_related("created_by").latest("number")
        return found


class PromotionRevision(models.Model):
    """What a policy said at one time."""

    policy = models.ForeignKey(PromotionPolicy, on_delete=models.CASCADE, related_name="revisions")
    number = models.PositiveIntegerField()
    text = models.TextField()  # YAML
    message = models.CharField(max_length=200, blank=True)
    created_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering: ClassVar = ["-number"]
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["policy", "number"], name="promotion_revision_once"),
        ]

    def __str__(self) -> str:
        return f"{self.policy} r{self.number}"

    def get_absolute_url(self) -> str:
        return reverse("promotion-revision", args=[self.policy.name, self.number])

    @property
    def previous(self) -> PromotionRevision | None:
        return PromotionRevision.objects.filter(policy=self.policy_id, number__lt=self.number).first()

    @property
    def content(self) -> Policy:
        """As it was checked when it was saved: tags that are gone since are not asked for."""
        return read(self.text)
