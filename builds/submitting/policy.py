"""What a target takes: each version of a source package once."""

from __future__ import annotations

from typing import TYPE_CHECKING

from builds.submitting import signatures
from builds.submitting.signatures import Signature
from debatomic.addresses import address_of
from debatomic.tools.errors import InputError
from hosts.states import State

if TYPE_CHECKING:
    from builds.models import Build, Target

IN_VAIN = (State.FAILED, State.CANCELED)  # builds that ended so do not count


class BuiltAlready(InputError):
    """A target has this version; `page` is the address of the build that is the first."""

    def __init__(self, build: Build, target: Target, *, field: str) -> None:
        self.page = address_of("build", build.pk)
        done = "is built" if not build.is_live else "is being built"
        super().__init__(
            f"{build} {done} for {target} already: build {build.pk}, {self.page}.",
            hint="Raise the version, or make it a scratch build.", field=field,
        )  # fmt: skip


def first(target: Target, source: str, version: str) -> Build | None:
    """The build that holds this version in the target. Scratch builds hold nothing, nor do failed and canceled ones."""
    held = target.builds.filter(source=source, version=version, scratch=False)
    found: Build | None = held.exclude(task__state__in=IN_VAIN).select_related("task").order_by("pk").first()
    return found


def require_first(target: Target, source: str, version: str, *, field: str, besides: int | None = None) -> None:
    """Raises BuiltAlready for a version the target has, unless it takes one more often. `besides`: a build's id."""
    found = first(target, source, version) if target.once else None
    if found and found.pk != besides:
        raise BuiltAlready(found, target, field=field)


def require_again(build: Build) -> None:
    """What its target asks of it today, before anything of it runs once more. Raises InputError."""
    signatures.require_known(build.target, build.origin, Signature(told=build.signature, by=build.signed_by))
    hold(build.target)
    if not build.scratch:
        require_first(build.target, build.source, build.version, field="", besides=build.pk)


def hold(target: Target, *, every: bool = False) -> None:
    """Until the transaction ends, nobody else submits for this target, or for any.

    Of two alike one is the first, and no two binary rebuilds get the same number.
    """
    rows = type(target).objects.select_for_update(no_key=True)
    list((rows if every else rows.filter(pk=target.pk)).order_by("pk").values_list("pk"))
