"""What schedules can do with builds."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from builds import submit
from builds.models import Target
from debatomic.tools.errors import InputError
from hosts.schedule.orders import Make, Order


def prepare(parameters: Mapping[str, str], by: Any) -> Make:
    """A build of a source package of the archive, as it is when its time comes."""
    target = Target.objects.filter(name=parameters["target"]).first()
    if target is None:
        raise InputError(f"There is no target named “{parameters['target']}”.", field="target")
    scratch = parameters.get("scratch", "") == "yes"
    make = submit.prepared(target, parameters["source"], parameters.get("version", ""), by=by, scratch=scratch)
    return lambda: make().task


BUILD = Order(
    name="build", title="Build", right="builds.submit", prepare=prepare,
    needed={"source": "The source package's name in the target's archive.", "target": "The target's name."},
    optional={"version": "Empty: the newest one then.", "scratch": "“yes” for a scratch build."},
)  # fmt: skip
