"""What administrators do to people: made, given roles, disabled, given a new password; each with an audit entry."""

from __future__ import annotations

import secrets
from collections.abc import Collection
from typing import Any

from axes.utils import reset as forget_failures
from django.db import transaction

from debatomic.access import roles
from debatomic.access.models import AuditEntry, RoleBinding, User
from debatomic.tools.errors import InputError

LETTERS = "abcdefghijkmnpqrstuvwxyzABCDEFGHJKLMNPQRSTUVWXYZ23456789"  # none that look alike
PASSWORD_LENGTH = 20


def new_password() -> str:
    """A password no one can guess and everyone can read aloud."""
    return "".join(secrets.choice(LETTERS) for _ in range(PASSWORD_LENGTH))


@transaction.atomic
def create(username: str, *, email: str = "", held: Collection[str] = (), by: Any) -> tuple[User, str]:
    """A new person with these roles, and their password, which is kept nowhere: only its hash is."""
    password = new_password()
    user = User.objects.create_user(username, email, password)
    RoleBinding.objects.bulk_create([RoleBinding(user=user, role=role) for role in sorted(set(held))])
    AuditEntry.note(by, "user.create", user.username, roles=sorted(set(held)))
    return user, password


@transaction.atomic
def change(user: User, *, held: Collection[str], enabled: bool, by: User) -> None:
    """Give a person exactly these roles, and let them in or not.

    Raises InputError where an administrator would lock themselves, or everybody, out.
    """
    list(User.objects.select_for_update().filter(bindings__role=roles.ADMINISTRATOR).order_by("pk"))
    before = set(RoleBinding.objects.filter(user=user).values_list("role", flat=True))
    _refuse_lock_out(user, loses=roles.ADMINISTRATOR in before - set(held), enabled=enabled, by=by)
    RoleBinding.objects.filter(user=user).exclude(role__in=held).delete()
    RoleBinding.objects.bulk_create([RoleBinding(user=user, role=role) for role in sorted(set(held) - before)])
    if before != set(held):
        AuditEntry.note(by, "user.roles", user.username, before=sorted(before), after=sorted(set(held)))
    if User.objects.filter(pk=user.pk).exclude(is_active=enabled).update(is_active=enabled):
        AuditEntry.note(by, "user.enable" if enabled else "user.disable", user.username)


def _refuse_lock_out(user: User, *, loses: bool, enabled: bool, by: User) -> None:
    if user.pk == by.pk and not enabled:
        raise InputError("You cannot disable yourself.", hint="Ask another administrator.", field="enabled")
    if user.pk == by.pk and loses:
        raise InputError("You cannot take this role from yourself.", hint="Ask another one.", field="roles")
    others = User.objects.filter(is_active=True, bindings__role=roles.ADMINISTRATOR).exclude(pk=user.pk)
    if (loses or not enabled) and not others.exists():
        raise InputError(f"{user} is the last administrator.", hint="Make somebody else one first.", field="roles")


@transaction.atomic
def reset_password(user: User, *, by: User) -> str:
    """A new password for somebody who lost theirs; what locked their name is forgotten. Their sessions end."""
    password = new_password()
    user.set_password(password)
    user.save(update_fields=["password"])
    forget_failures(username=user.username)
    AuditEntry.note(by, "user.password", user.username)
    return password
