"""`debatomic chain`: several builds in order."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from debatomic.client import sources, tables
from debatomic.client.answers import answer
from debatomic.client.hub import Hub
from debatomic.tools.errors import InputError


def options(made: ArgumentParser) -> None:
    made.add_argument("verb", choices=("submit", "order", "list", *VERBS), help="what to do")
    made.add_argument(
        "things", nargs="*", metavar="SOURCE|PATH.dsc|ID",
        help='submit, order: source packages in any order, with a version or build profiles as "NAME VERSION '
             '<nocheck>"; show, cancel, retry: the chain\'s number',
    )  # fmt: skip
    made.add_argument("--target", metavar="T", help="submit, order: what to build for")
    made.add_argument("--limit", type=int, default=20, metavar="N", help="list: at most so many, newest first (20)")


def run(asked: Namespace, hub: Hub) -> bool:
    """Do it."""
    if asked.verb == "list":
        found = list(hub.listing("chains/", limit=asked.limit, target=asked.target))
        answer(asked, found, "\n".join(tables.lines("chains", found)))
        return True
    if asked.verb in VERBS:
        if len(asked.things) != 1 or not asked.things[0].isdigit():
            raise InputError("Give the number of one chain.", hint="`debatomic chain list` shows them.")
        told, text = VERBS[asked.verb](asked.things[0], hub)
    else:
        told, text = _sent(asked, hub)
    answer(asked, told, text)
    return True


def _sent(asked: Namespace, hub: Hub) -> tuple[Any, str]:
    """Submit it, or ask for its order."""
    if not asked.target or not asked.things:
        raise InputError("Name source packages or .dsc files, and a --target.")
    names = [thing for thing in asked.things if not thing.endswith(".dsc")]
    path = "chains/" if asked.verb == "submit" else "chains/order/"
    with ExitStack() as undo:
        files = [file for thing in asked.things if thing.endswith(".dsc") for file in sources.files_of(Path(thing))]
        sent = [("files", (file.name, undo.enter_context(file.open("rb")))) for file in files]
        told = {"target": asked.target, "sources": names}
        made = hub.submit(path, data=told, files=sent) if sent else hub.submit(path, json=told)
    if asked.verb == "submit":
        return made, f"Chain {made['id']}: {made['title']} — {made['page']}"
    levels = [f"{number}. {', '.join(level)}" for number, level in enumerate(made["levels"], 1)]
    return made, "\n".join([*levels, *made["notes"]])


def _show(number: str, hub: Hub) -> tuple[Any, str]:
    told = hub.get(f"chains/{number}/")
    lines = [f"Chain {number}: {told['title']} for {told['target']}, {told['state']}"]
    lines += ["  ".join(part for part in (each["source"], each["version"], each["state"], each["held"] or
                                          each["reason"]) if part) for each in told["members"]]  # fmt: skip
    return told, "\n".join(lines)


def _cancel(number: str, hub: Hub) -> tuple[Any, str]:
    return hub.act(f"chains/{number}/cancel/"), f"Chain {number} is being canceled."


def _retry(number: str, hub: Hub) -> tuple[Any, str]:
    return hub.act(f"chains/{number}/retry/"), f"Chain {number} goes on where it stopped."


VERBS: dict[str, Callable[[str, Hub], tuple[Any, str]]] = {"show": _show, "cancel": _cancel, "retry": _retry}
