"""`debatomic leaving`: what retention removes next, what the rules of a tag would end, and how to keep a build."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from typing import Any

from debatomic.client import tables
from debatomic.client.answers import answer
from debatomic.client.hub import Hub
from debatomic.client.screen import harmless
from debatomic.tools.errors import InputError

VERBS = ("list", "snapshots", "try", "keep", "let-go")
TRIED = ("versions", "days", "least")
WANTED = 50


def options(made: ArgumentParser) -> None:
    made.add_argument("verb", choices=VERBS, help="list builds or snapshots; try the rules of a tag; keep a build")
    made.add_argument("what", nargs="?", metavar="TAG|ID", help="try: which tag; keep, let-go: which build")
    made.add_argument("--versions", type=int, metavar="N", help="try: keep the newest N of each source package")
    made.add_argument("--days", type=int, metavar="N", help="try: keep what is younger")
    made.add_argument("--least", type=int, metavar="N", help="try: the newest N that no age takes out")


def run(asked: Namespace, hub: Hub) -> bool:
    verbs = {"list": _list, "snapshots": _snapshots, "try": _try, "keep": _keep, "let-go": _keep}
    told, text = verbs[asked.verb](asked, hub)
    answer(asked, told, text)
    return True


def _list(asked: Namespace, hub: Hub) -> tuple[Any, str]:
    found = list(hub.listing("leaving/", limit=WANTED))
    return found, "\n".join(tables.lines("leaving", found))


def _snapshots(asked: Namespace, hub: Hub) -> tuple[Any, str]:
    found = hub.get("leaving/snapshots/")
    return found, "\n".join(tables.lines("snapshots", found))


def _try(asked: Namespace, hub: Hub) -> tuple[Any, str]:
    tried = {name: getattr(asked, name) for name in TRIED if getattr(asked, name) is not None}
    found = hub.get(f"leaving/tags/{_named(asked)}/", **tried)
    lines = [f"{each['build']}  {each['source']} {each['version']}: {each['reason']}" for each in found]
    return found, harmless("\n".join(lines or ["Nothing would leave."]), colours=False)


def _keep(asked: Namespace, hub: Hub) -> tuple[Any, str]:
    keep = asked.verb == "keep"
    made = hub.act(f"leaving/{_named(asked)}/keep/", {"keep": keep})
    says = "stays" if keep else "is under the rules of its tags again"
    return made, harmless(f"{made['source']} {made['version']} {says}.", colours=False)


def _named(asked: Namespace) -> str:
    if not asked.what:
        raise InputError(f"Say what to {asked.verb}.", hint="`debatomic leaving --help` shows how.")
    return str(asked.what)
