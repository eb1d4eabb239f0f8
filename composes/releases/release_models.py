"""What each release channel of a variant carries, and how it came there."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from django.conf import settings
from django.db import models

from debatomic.access.checks import may
from debatomic.addresses import address_of
from hosts.models import LIVE, State, Task

if TYPE_CHECKING:
    from composes.models import Compose


class ReleaseChannelQuerySet(models.QuerySet["ReleaseChannel"]):
    def visible_to(self, user: Any) -> ReleaseChannelQuerySet:
        if user.is_authenticated:
            return self if user.may("composes.view") else self.none()
        return self if settings.PUBLIC_READING else self.none()

    def for_lists(self) -> ReleaseChannelQuerySet:
        return self.select_related("definition", "current__compose__task", "current__by")


class ReleaseChannel(models.Model):
    """nightly, testing, stable: one step of the release of a definition's variant; machines follow its refs.

    The first one carries what was published last; the others what was promoted from the one before.
    """

    definition = models.ForeignKey("composes.Definition", on_delete=models.CASCADE, related_name="release_channels")
    variant = models.CharField(max_length=60)
    name = models.CharField(max_length=60)
    position = models.PositiveSmallIntegerField()  # in the order of promotion, from 0
    current = models.ForeignKey("Move", on_delete=models.SET_NULL, null=True, related_name="+")

    objects: ClassVar = ReleaseChannelQuerySet.as_manager()

    class Meta:
        ordering: ClassVar = ["definition", "variant", "position"]
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["definition", "variant", "name"], name="release_channel_once")
        ]

    def __str__(self) -> str:
        return f"{self.definition}/{self.variant}/{self.name}"

    def get_absolute_url(self) -> str:
        return address_of("release-channel", self.pk)

    @property
    def carries(self) -> Compose | None:
        return self.current.compose if self.current else None

    @property
    def back_to(self) -> Compose | None:
        """What withdrawing would bring back."""
        return self.current.before.compose if self.current and self.current.before else None

    @property
    def source(self) -> ReleaseChannel | None:
        """The channel from which composes are promoted to this one; None for the first."""
        same = ReleaseChannel.objects.filter(definition=self.definition_id, variant=self.variant)
        return same.filter(position__lt=self.position).order_by("-position").first()

    @property
    def under_way(self) -> Move | None:
        """The move that a host has not done yet."""
        waiting = self.moves.filter(done_at=None, task__state__in=LIVE)
        return waiting.select_related("compose", "task").first()

    def can_move(self, user: Any) -> bool:
        return may(user, "composes.publish")


class MoveQuerySet(models.QuerySet["Move"]):
    def done(self) -> MoveQuerySet:
        return self.filter(done_at__isnull=False)

    def for_lists(self) -> MoveQuerySet:
        return self.select_related("compose", "instead_of", "by", "task")


class Move(models.Model):
    """One line of a channel's journal: what it carries from then on. Append-only; its state is its task's."""

    class Kind(models.TextChoices):
        PUBLISH = "publish", "published"
        PROMOTE = "promote", "promoted"
        WITHDRAW = "withdraw", "withdrawn"

    channel = models.ForeignKey(ReleaseChannel, on_delete=models.CASCADE, related_name="moves")
    kind = models.CharField(max_length=10, choices=Kind.choices)
    compose = models.ForeignKey("composes.Compose", on_delete=models.PROTECT, related_name="moves")  # carried from then
    instead_of = models.ForeignKey("composes.Compose", on_delete=models.PROTECT, null=True, related_name="+")
    before = models.ForeignKey("self", on_delete=models.SET_NULL, null=True, related_name="+")  # to withdraw to
    by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, related_name="+")
    reason = models.CharField(max_length=500, blank=True)
    task = models.ForeignKey(Task, on_delete=models.PROTECT, related_name="moves")
    facts = models.JSONField(default=dict)  # {ref: commit, previous, signed_by, objects, size, delta}
    created_at = models.DateTimeField(auto_now_add=True)
    done_at = models.DateTimeField(null=True)

    objects: ClassVar = MoveQuerySet.as_manager()

    class Meta:
        ordering: ClassVar = ["-pk"]

    def __str__(self) -> str:
        return f"{self.compose} {self.get_kind_display()} in {self.channel.name}"

    @property
    def state(self) -> str:
        """done, or its task's state."""
        return "done" if self.done_at else State(self.task.state).value
