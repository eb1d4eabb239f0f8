"""`debatomic host`: which there are, in and out of service, and a token for a new one."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from typing import Any
from urllib.parse import quote

from debatomic.client import tables
from debatomic.client.answers import answer, facts
from debatomic.client.hub import Hub
from debatomic.tools.errors import InputError

SWITCHES = ("enable", "disable", "drain", "maintenance")
SHOWN = ("name", "state", "comment", "in_service", "out_of_service", "warning", "is_alive", "seen_at", "used",
         "capacity", "architectures", "channels", "labels", "page")  # fmt: skip


def options(made: ArgumentParser) -> None:
    made.add_argument("verb", choices=("list", "show", *SWITCHES, "token"), help="what to do")
    made.add_argument("name", nargs="?", default="", metavar="NAME", help="token: the machine's own name without it")
    made.add_argument("--reason", default="", metavar="TEXT", help="why; maintenance needs it")
    made.add_argument("--hours", type=int, default=24, help="token: how long it is good for (24)")
    made.add_argument("--capacity", type=float, metavar="N", help="token: the sum of task weights it runs at once")
    for plural, name in (("architectures", "architecture"), ("channels", "channel"), ("labels", "label")):
        made.add_argument(f"--{name}", dest=plural, action="append", metavar="WORD", help="token: may be repeated")


def run(asked: Namespace, hub: Hub) -> bool:
    """Do it."""
    if asked.verb == "list":
        found = list(hub.listing("hosts/", limit=10_000))
        answer(asked, found, "\n".join(tables.lines("hosts", found)))
    elif asked.verb == "token":
        told = _token(asked, hub)
        answer(asked, told, f"{told['token']}\nOn the machine: manage.py builder --register {told['token']}")
    else:
        _one(asked, hub)
    return True


def _one(asked: Namespace, hub: Hub) -> None:
    if not asked.name:
        raise InputError("Name a host.", hint="`debatomic host list` shows them.")
    path = f"hosts/{quote(asked.name, safe='')}/"
    if asked.verb == "show":
        told = hub.get(path)
        answer(asked, told, "\n".join(facts(told, SHOWN)))
        return
    told = hub.act(f"{path}{asked.verb}/", {"reason": asked.reason})
    answer(asked, told, told["out_of_service"] or f"{told['name']} takes tasks.")


def _token(asked: Namespace, hub: Hub) -> Any:
    given = ("name", "hours", "capacity", "architectures", "channels", "labels")
    return hub.act("registrations/", {name: getattr(asked, name) for name in given if getattr(asked, name)})
