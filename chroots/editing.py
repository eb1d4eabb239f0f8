"""Chroots are made, changed and deleted: checked by the engine's reader first, each with an entry in the audit log."""

from __future__ import annotations

from typing import Any

from django.db import IntegrityError, transaction
from django.utils import timezone

from chroots import definition, upkeep
from chroots.engine.spec import ChrootSpec
from chroots.models import Chroot
from chroots.schedule import first_time
from debatomic.access.models import AuditEntry
from debatomic.tools.errors import InputError, ToolError

MOST_HOURS = 24 * 365


def create(name: str, text: str = "", *, refresh_hours: int = 0, by: Any) -> Chroot:
    """Make a chroot from a definition, or from the one of this name that comes with DebAtomic.

    Raises InputError (field name, definition or refresh_hours) with what is wrong.
    """
    definition.check_name(name)
    if Chroot.objects.filter(name=name).exists():
        raise InputError(f"There is a chroot {name} already.", hint="Choose another name.", field="name")
    spec = _read(name, text)
    _check_hours(refresh_hours)
    try:
        with transaction.atomic():
            made = Chroot.objects.create(
                name=name, definition=text, **facts(spec), refresh_hours=refresh_hours,
                refresh_at=first_time(refresh_hours, timezone.now()), created_by=by,
            )  # fmt: skip
            AuditEntry.note(by, "chroot.create", made.name, definition="own" if text else "shipped")
    except IntegrityError as error:
        raise InputError(f"There is a chroot {name} already.", field="name") from error
    return made


def _read(name: str, text: str) -> ChrootSpec:
    if text.strip() or name in definition.shipped():
        return definition.read(name, text)
    raise InputError(
        f"No definition of {name} comes with DebAtomic, and none was given.",
        hint="Give at least its suite and architecture.", field="definition",
    )  # fmt: skip


def facts(spec: ChrootSpec) -> dict[str, Any]:
    """The columns that say what a definition means. Raises InputError for a value that is too long for them."""
    columns = {"suite": spec.suite, "architecture": spec.architecture, "variant": spec.variant,
               "components": list(spec.components), "mirror": spec.mirror}  # fmt: skip
    for name, value in columns.items():
        most = getattr(Chroot._meta.get_field(name), "max_length", None)
        if most and len(value) > most:
            raise InputError(f"{name} has at most {most} characters.", field="definition")
    return columns


def _check_hours(hours: int) -> None:
    if not 0 <= hours <= MOST_HOURS:
        raise InputError(f"Between two refreshes are 1 to {MOST_HOURS} hours; 0 is none by itself.",
                         field="refresh_hours")  # fmt: skip


@transaction.atomic
def change(
    chroot: Chroot, *, text: str | None = None, enabled: bool | None = None, refresh_hours: int | None = None, by: Any
) -> None:
    """Give it another definition or schedule, or switch it on or off; None leaves things as they are.

    Tasks that exist keep the definition they were submitted with; hosts remove what it was made into.
    Raises InputError with the field that is wrong.
    """
    columns: dict[str, Any] = {}
    if text is not None and text != chroot.definition:
        if not chroot.definition:
            raise InputError(
                f"{chroot} has the definition that comes with DebAtomic, which is a file.",
                hint="Make another chroot like it instead.", field="definition",
            )  # fmt: skip
        columns |= {"definition": text, **facts(_read(chroot.name, text))}
        upkeep.scrub_everywhere(chroot, by=by)  # what it was: nothing would use it any more
    if enabled is not None and enabled != chroot.enabled:
        columns["enabled"] = enabled
    if refresh_hours is not None and refresh_hours != chroot.refresh_hours:
        _check_hours(refresh_hours)
        columns |= {"refresh_hours": refresh_hours, "refresh_at": first_time(refresh_hours, timezone.now())}
    _write(chroot, columns, by)


def _write(chroot: Chroot, columns: dict[str, Any], by: Any) -> None:
    if not columns:
        return
    Chroot.objects.filter(pk=chroot.pk).update(**columns)
    for name, value in columns.items():
        setattr(chroot, name, value)
    if set(columns) == {"enabled"}:
        AuditEntry.note(by, "chroot.enable" if chroot.enabled else "chroot.disable", chroot.name)
    else:
        AuditEntry.note(by, "chroot.edit", chroot.name, changed=sorted(columns))


@transaction.atomic
def delete(chroot: Chroot, *, by: Any) -> int:
    """Forget it, and have the hosts that have a copy remove that; the number of these.

    Raises ToolError with the reason where a target needs it.
    """
    list(Chroot.objects.select_for_update().filter(pk=chroot.pk))
    if reason := chroot.why_needed():
        raise ToolError(f"{chroot} cannot be deleted. {reason}", hint="Take it out there first, or disable it.")
    hosts = upkeep.scrub_everywhere(chroot, by=by)
    AuditEntry.note(by, "chroot.delete", chroot.name, definition=chroot.definition)
    chroot.delete()
    return hosts
