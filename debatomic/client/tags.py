"""`debatomic tag`: what is in tags, since when, and moving builds in and out."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from collections.abc import Iterator
from typing import Any

from debatomic.client import tables
from debatomic.client.answers import answer, facts
from debatomic.client.hub import Hub
from debatomic.client.screen import harmless
from debatomic.tools.errors import InputError

OF_BUILD, OF_SOURCE, OF_ALL = ("add", "remove", "move"), ("block", "unblock"), ("lock", "unlock")
LOOKS = ("list", "show", "content", "history")
SHOWN = ("name", "description", "locked", "versions", "parents", "blocked", "repository")
DONE = {"add": "tagged", "remove": "untagged", "move": "moved", "block": "blocked", "unblock": "not blocked any more",
        "lock": "locked: nothing enters or leaves", "unlock": "open again"}  # fmt: skip
SLICE = 100  # builds that the hub tells at once


def options(made: ArgumentParser) -> None:
    made.add_argument("verb", choices=(*LOOKS, *OF_BUILD, *OF_SOURCE, *OF_ALL), help="what to do")
    made.add_argument("tag", nargs="?", default="", metavar="TAG")
    made.add_argument("thing", nargs="?", default="", metavar="BUILD|SOURCE",
                      help="add, remove, move: the number of a build; block, unblock: a source package")  # fmt: skip
    made.add_argument("--to", metavar="TAG", help="move: where to")
    made.add_argument("--at", metavar="TIME", help="content: as it was then: 2026-11-22 (its end), 2026-11-22T06:00")
    made.add_argument("--source", default="", metavar="TEXT", help="content, history: names that begin so")
    made.add_argument("--limit", type=int, default=50, metavar="N", help="history: at most so many, newest first (50)")
    made.add_argument("--reason", default="", metavar="TEXT", help="why; it is written down")


def run(asked: Namespace, hub: Hub) -> bool:
    """Do it."""
    if asked.verb == "list":
        told: Any = list(hub.listing("tags/", limit=10_000, name=asked.tag))
        answer(asked, told, "\n".join(tables.lines("tags", told)))
        return True
    if not asked.tag:
        raise InputError("Name a tag.", hint="`debatomic tag list` shows them.")
    if asked.verb in LOOKS:
        told, text = {"show": _show, "content": _content, "history": _history}[asked.verb](asked, hub)
    else:
        told = hub.act(f"tags/{asked.tag}/{asked.verb}/", _told(asked))
        text = f"{harmless(asked.thing or asked.tag, colours=False)} is {DONE[asked.verb]}."
    answer(asked, told, text)
    return True


def _told(asked: Namespace) -> dict[str, Any]:
    """What the verb needs to know. Raises InputError for what is missing."""
    told = {"reason": asked.reason} if asked.verb != "unblock" else {}
    if asked.verb in OF_BUILD:
        if not asked.thing.isdigit():
            raise InputError("Name a build by its number.", hint="`debatomic list builds` shows them.")
        told["build"] = asked.thing
    if asked.verb == "move":
        if not asked.to:
            raise InputError("Say where to with --to TAG.")
        told["to"] = asked.to
    if asked.verb in OF_SOURCE:
        if not asked.thing:
            raise InputError("Name a source package.")
        told["source"] = asked.thing
    return told


def _show(asked: Namespace, hub: Hub) -> tuple[Any, str]:
    told = hub.get(f"tags/{asked.tag}/")
    return told, "\n".join(facts({**told, "repository": told["repository"] or ""}, SHOWN))


def _content(asked: Namespace, hub: Hub) -> tuple[Any, str]:
    found = list(_all_of(asked, hub))
    return found, "\n".join(tables.lines("content", found))


def _all_of(asked: Namespace, hub: Hub) -> Iterator[Any]:
    """Slice after slice; a build that a later slice tells again is left out."""
    page = 1
    seen: set[int] = set()
    while True:
        part = hub.get(f"tags/{asked.tag}/builds/", at=asked.at, source=asked.source, page=page)
        new = [one for one in part if one["build"] not in seen]
        seen.update(one["build"] for one in new)
        yield from new
        if len(part) < SLICE or not new:
            return
        page += 1


def _history(asked: Namespace, hub: Hub) -> tuple[Any, str]:
    found = list(hub.listing(f"tags/{asked.tag}/history/", limit=asked.limit, source=asked.source))
    rows = [{**one, "why": one["end_reason"] or one["reason"]} for one in found]
    return found, "\n".join(tables.lines("history", rows))
