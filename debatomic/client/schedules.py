"""`debatomic schedule`: what is submitted by itself."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from collections.abc import Callable
from typing import Any

from debatomic.client import tables
from debatomic.client.answers import answer, facts, pair
from debatomic.client.hub import Hub
from debatomic.tools.errors import InputError

SHOWN = ("name", "order", "parameters", "cron", "time_zone", "enabled", "next_at", "created_by", "page")


def options(made: ArgumentParser) -> None:
    made.add_argument("verb", choices=("list", *VERBS), help="what to do")
    made.add_argument("name", nargs="?", default="", metavar="NAME")
    made.add_argument(
        "--set", dest="parameters", nargs="+", default=[], type=pair, metavar="NAME=VALUE",
        help="create, edit: what the order needs, such as source=figlet target=trixie",
    )  # fmt: skip
    made.add_argument("--order", metavar="O", help="create, edit: build, compose, …")
    made.add_argument("--cron", metavar="LINE", help='create, edit: "30 4 * * MON-FRI"')
    made.add_argument("--time-zone", metavar="ZONE", help="create, edit: of the line of cron (UTC)")
    made.add_argument("--at", metavar="TIME", help="create, edit: once, as 2027-01-31T04:30+01:00, instead of --cron")


def run(asked: Namespace, hub: Hub) -> bool:
    """Do it."""
    if asked.verb == "list":
        found = list(hub.listing("schedules/", limit=10_000))
        answer(asked, found, "\n".join(tables.lines("schedules", found)))
        return True
    if not asked.name:
        raise InputError("Name a schedule.", hint="`debatomic schedule list` shows them.")
    told, text = VERBS[asked.verb](asked, hub)
    answer(asked, told, text)
    return True


def _given(asked: Namespace) -> dict[str, Any]:
    told = {name: getattr(asked, name) for name in ("order", "cron", "time_zone", "at")}
    return {name: value for name, value in told.items() if value is not None}


def _create(asked: Namespace, hub: Hub) -> tuple[Any, str]:
    told = hub.act("schedules/", {"name": asked.name, "parameters": dict(asked.parameters), **_given(asked)})
    return told, f"Schedule {asked.name} runs {tables.cell(told['next_at'])} — {told['page']}"


def _edit(asked: Namespace, hub: Hub) -> tuple[Any, str]:
    path, given = f"schedules/{asked.name}/", _given(asked)
    if asked.parameters:
        given["parameters"] = {**hub.get(path)["parameters"], **dict(asked.parameters)}
    told = hub.change(path, given)
    return told, f"Schedule {asked.name} runs {tables.cell(told['next_at'])} — {told['page']}"


def _show(asked: Namespace, hub: Hub) -> tuple[Any, str]:
    told = hub.get(f"schedules/{asked.name}/")
    parameters = " ".join(f"{name}={value}" for name, value in told["parameters"].items())
    return told, "\n".join(facts({**told, "parameters": parameters}, SHOWN))


def _switch(asked: Namespace, hub: Hub) -> tuple[Any, str]:
    told = hub.act(f"schedules/{asked.name}/{asked.verb}/")
    return told, f"Schedule {asked.name} is {asked.verb}d."


def _run(asked: Namespace, hub: Hub) -> tuple[Any, str]:
    told = hub.act(f"schedules/{asked.name}/run/")
    if not told["task"]:
        raise InputError(told["reason"] or "It is being submitted.")
    return told, f"Task {told['task']}. `debatomic watch task {told['task']}` follows it."


def _delete(asked: Namespace, hub: Hub) -> tuple[Any, str]:
    hub.remove(f"schedules/{asked.name}/")
    return {"deleted": asked.name}, f"Schedule {asked.name} is deleted; its tasks stay."


VERBS: dict[str, Callable[[Namespace, Hub], tuple[Any, str]]] = {
    "show": _show, "create": _create, "edit": _edit, "enable": _switch, "disable": _switch, "run": _run,
    "delete": _delete,
}  # fmt: skip
