"""Submitting a compose: the definition is resolved first, then every row is made in one transaction."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from django.db import transaction
from django.utils import timezone

from builds.keys import public_keys
from composes import fanout, upgrades
from composes.defining import attachments
from composes.selection import ALL, Selection
from debatomic.access.models import AuditEntry, User
from debatomic.tools.errors import InputError
from hosts import hub
from hosts.models import Channel
from hosts.queue.wishes import AS_USUAL, Wishes

if TYPE_CHECKING:
    from composes.models import Compose, ComposeQuerySet, Definition, Revision

LIMITS = {"time_limit": 6 * 3600, "idle_limit": 1800}  # seconds


def submit(
    composes: ComposeQuerySet, definition: Definition, variant: str, architectures: Sequence[str], *, by: User,
    wishes: Wishes = AS_USUAL, selection: Selection = ALL,
) -> Compose:  # fmt: skip
    """Compose a variant of the definition's latest revision.

    Raises InputError (definition, variant, architectures, only, skip).
    """
    wishes.check(by)
    selection.check()
    revision = definition.latest
    if revision is None or not definition.enabled:
        raise InputError(f"Definition {definition} cannot be composed: it is disabled or empty.", field="definition")
    chosen = _checked(revision, variant, architectures)
    with transaction.atomic():
        return _create(composes, revision, variant, chosen, by=by, wishes=wishes, selection=selection)


def again(
    compose: Compose, architectures: Sequence[str], *, by: User, wishes: Wishes, selection: Selection | None = None
) -> Compose:
    """Compose the revision of another compose, for the same architectures and the same of it unless told otherwise."""
    wishes.check(by)
    chosen_parts = selection or Selection.of(compose.task.request)
    chosen_parts.check()
    chosen = _checked(compose.revision, compose.variant, architectures or compose.architectures)
    with transaction.atomic():
        return _create(type(compose).objects.all(), compose.revision, compose.variant, chosen, by=by, wishes=wishes,
                       selection=chosen_parts)  # fmt: skip


def _checked(revision: Revision, variant: str, architectures: Sequence[str]) -> list[str]:
    if variant not in revision.variants:
        known = ", ".join(revision.variants) or "none"
        raise InputError(f"{revision.definition} has no variant '{variant}'; it has {known}.", field="variant")
    written_for = list(revision.variants[variant]["architectures"])
    if unknown := [each for each in architectures if each not in written_for]:
        raise InputError(
            f"{variant} is not written for {unknown[0]}; it is for {', '.join(written_for)}.", field="architectures"
        )
    return list(architectures) or written_for


def _create(
    composes: ComposeQuerySet, revision: Revision, variant: str, architectures: list[str], *, by: User, wishes: Wishes,
    selection: Selection,
) -> Compose:  # fmt: skip
    definition = revision.definition
    type(definition).objects.select_for_update(no_key=True).get(pk=definition.pk)  # no two get the same number
    start = f"{definition}-{variant}"
    day = f"{timezone.now():%Y%m%d}"
    identity = f"{start}-{day}.{composes.next_respin(f'{start}-{day}.')}"
    number = composes.number_of_next(definition, variant)
    channel = wishes.channel or Channel.objects.get(name="default")
    parent = hub.submit(
        "compose", identity, request=selection.as_json(), channel=channel, by=by, is_parent=True,
        priority=wishes.priority, retries=wishes.retries,
    )  # fmt: skip
    compose = composes.create(
        identity=identity, revision=revision, variant=variant, architectures=architectures,
        task=parent, created_by=by,
    )  # fmt: skip
    request = {"files": revision.files, "main": revision.main, "variant": variant, "respin": number,
               "definition": definition.name, "trusted_keys": public_keys(),
               "attachments": attachments.of(revision), **selection.as_json()}  # fmt: skip
    made = [
        hub.submit(
            "compose-arch", f"{identity}, {architecture}", parent=parent, architecture=architecture,
            request={**request, "previous": upgrades.before(compose, architecture),
                     "previous_container": composes.last_manifest(definition, variant, architecture),
                     "shared": fanout.is_shared(channel, architecture)},
            channel=channel, limits={**LIMITS, **wishes.limits}, dependencies=wishes.after, weight=wishes.weight,
            by=by,
        ) for architecture in architectures
    ]  # fmt: skip
    for architecture in architectures if selection.publishes else ():
        hub.submit(
            "publish", f"publish {identity}, {architecture}", parent=parent, channel=channel, limits=LIMITS, by=by,
            request={"identity": identity, "architecture": architecture, "order": compose.pk}, dependencies=made,
        )  # fmt: skip
    AuditEntry.note(by, "compose.submit", identity, compose=compose.pk, revision=str(revision))
    return compose
