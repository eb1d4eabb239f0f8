"""What schedules can do with composes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from composes.defining import git_origins
from composes.models import Compose, Definition
from composes.selection import HELP, Selection
from debatomic.tools.errors import InputError
from hosts.models import Task
from hosts.schedule.orders import Make, Order


def prepare(parameters: Mapping[str, str], by: Any) -> Make:
    """A compose of the definition's latest revision at that time."""
    definition = Definition.objects.filter(name=parameters["definition"]).first()
    if definition is None:
        raise InputError(f"There is no definition named “{parameters['definition']}”.", field="definition")
    architectures = parameters.get("architectures", "").split()
    variant = parameters["variant"]
    selection = Selection(*(tuple(parameters.get(word, "").split()) for word in ("only", "skip")))
    selection.check()

    def make() -> Task:
        made = Compose.objects.submit(definition=definition, variant=variant, architectures=architectures, by=by,
                                      selection=selection)  # fmt: skip
        return made.task

    return make


COMPOSE = Order(
    name="compose", title="Compose", right="composes.submit", prepare=prepare,
    needed={"definition": "The definition's name.", "variant": "One of its variants."},
    optional={"architectures": "Empty: all that the variant is written for.",
              "only": f"{HELP} Only these and what they need.", "skip": "The same words, and publish: not these."},
)  # fmt: skip


def prepare_sync(parameters: Mapping[str, str], by: Any) -> Make:
    """The definition's branch, as it is at that time."""
    definition = Definition.objects.filter(name=parameters["definition"]).first()
    if definition is None:
        raise InputError(f"There is no definition named “{parameters['definition']}”.", field="definition")
    git_origins.of(definition)
    return lambda: git_origins.sync(definition, by=by)


SYNC = Order(
    name="definition-sync", title="Synchronisation of a definition with git", right="composes.define",
    prepare=prepare_sync, needed={"definition": "The definition's name."}, optional={},
)  # fmt: skip
