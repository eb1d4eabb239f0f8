"""The tasks of chains: a parent of builds, and what holds builds back. No host runs anything for them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.db.models import Q

from builds.chains import rebuilding, waiting
from builds.chains.chain_models import Chain, ChainMember
from builds.chains.submitting import CHAIN, GATE
from builds.keeping import leaving
from builds.models import Build
from hosts.models import Event, Task
from hosts.registry import Keeper, Method, register, register_keeper, register_round


def chain_changed(task: Task) -> None:
    """Tell the pages of the chain."""
    if chain := Chain.objects.filter(task=task).first():
        topics = ["chains", f"chain:{chain.pk}", f"task:{task.pk}"]
        Event.objects.create(kind="chain", key=str(chain.pk), what=task.state, topics=topics)


def kept_chains() -> Any:
    """The tasks of chains whose builds a tag has, or a person keeps: retention leaves their whole families alone."""
    kept = Q(build__tag_entries__isnull=False) | Q(build__kept=True)
    return ChainMember.objects.filter(kept).order_by().values("chain__task_id")


def carried_chains() -> Any:
    """The same of what a repository has, or one of its snapshots."""
    return ChainMember.objects.filter(build__holdings__isnull=False).order_by().values("chain__task_id")


def forget_chains(tasks: Sequence[int]) -> None:
    builds = list(Build.objects.filter(chained__chain__task__in=tasks).values_list("task_id", flat=True))
    leaving.forget_builds(builds)
    ChainMember.objects.filter(chain__task__in=tasks).delete()
    Chain.objects.filter(task__in=tasks).delete()


def register_chain_methods() -> None:
    register(Method(name=CHAIN, changed=chain_changed, others_go_on=True))
    register(Method(name=GATE))
    register_keeper(Keeper(kept_chains, forget_tasks=forget_chains))
    register_keeper(Keeper(carried_chains))
    register_round(waiting.tend)
    register_round(rebuilding.tend)
