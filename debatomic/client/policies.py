"""`debatomic policy`: how builds go from tag to tag; test one, look at the board, promote."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from debatomic.client import tables
from debatomic.client.answers import answer
from debatomic.client.hub import Hub
from debatomic.client.screen import harmless
from debatomic.tools.errors import InputError

VERBS = ("list", "show", "history", "save", "board", "test", "promote", "enable", "disable")


def options(made: ArgumentParser) -> None:
    made.add_argument("verb", choices=VERBS, help="what to do")
    made.add_argument("name", nargs="?", default="", metavar="POLICY")
    made.add_argument("builds", nargs="*", type=int, metavar="BUILD", help="test: one; promote: one or more")
    made.add_argument("--from", dest="source", default="", metavar="TAG", help="test, promote: the tag they are in")
    made.add_argument("--to", default="", metavar="TAG", help="test: where to (the next tag of the path)")
    made.add_argument("--file", type=Path, metavar="PATH", help="save: the policy, YAML")
    made.add_argument("--message", default="", metavar="TEXT", help="save: what you changed, and why")
    made.add_argument("--show", choices=("movable", "held"), help="board: only what can go on, or is held back")
    made.add_argument("--limit", type=int, default=100, metavar="N", help="board: at most so many builds (100)")
    made.add_argument("--override", action="store_true", help="promote: also what rules hold back; needs --reason")
    made.add_argument("--reason", default="", metavar="TEXT", help="promote: why; it is written down")


def run(asked: Namespace, hub: Hub) -> bool:
    """Do it; for test and promote, whether nothing was held back."""
    if asked.verb == "list":
        told = list(hub.listing("promotion-policies/", limit=10_000))
        answer(asked, told, "\n".join(tables.lines("promotion-policies", told)))
        return True
    if not asked.name:
        raise InputError("Name a policy.", hint="`debatomic policy list` shows them.")
    doers = {"show": _show, "history": _history, "save": _save, "board": _board, "test": _test, "promote": _promote}
    told, text, good = doers.get(asked.verb, _switch)(asked, hub)
    answer(asked, told, text)
    return good


Answer = tuple[Any, str, bool]


def _revisions(asked: Namespace, hub: Hub, *, limit: int) -> list[Any]:
    return list(hub.listing(f"promotion-policies/{asked.name}/revisions/", limit=limit))


def _show(asked: Namespace, hub: Hub) -> Answer:
    (told,) = _revisions(asked, hub, limit=1)
    return told, harmless(str(told["text"]).rstrip("\n"), colours=False), True


def _history(asked: Namespace, hub: Hub) -> Answer:
    told = _revisions(asked, hub, limit=10_000)
    return told, "\n".join(tables.lines("revisions", told)), True


def _switch(asked: Namespace, hub: Hub) -> Answer:
    told = hub.act(f"promotion-policies/{asked.name}/{asked.verb}/")
    return told, f"{asked.name} is {asked.verb}d.", True


def _save(asked: Namespace, hub: Hub) -> Answer:
    """A new policy, or the next revision of one."""
    if asked.file is None:
        raise InputError("Name the file with --file PATH.")
    try:
        told = {"text": asked.file.read_text(), "message": asked.message}
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{asked.file} cannot be read: {error}.") from error
    known = list(hub.listing("promotion-policies/", limit=10_000))
    base = next((one["revision"] for one in known if one["name"] == asked.name), 0)
    if base:
        made = hub.act(f"promotion-policies/{asked.name}/revise/", {**told, "base": base})
    else:
        made = hub.act("promotion-policies/", {**told, "name": asked.name})
    text = f"{asked.name} is at revision {made['number']}" + (" as before." if made["number"] == base else ".")
    return made, text, True


def _board(asked: Namespace, hub: Hub) -> Answer:
    found: list[Any] = []
    after = ""
    while len(found) < asked.limit:
        page = hub.get(f"promotion-policies/{asked.name}/candidates/", show=asked.show, after=after)
        found += page["candidates"]
        after = page["after"]
        if not after:
            break
    wanted = [one for one in found if asked.show is None or one["can_move"] is (asked.show == "movable")]
    lines = [line for one in wanted[: asked.limit] for line in _lines(one, short=True)]
    return wanted[: asked.limit], "\n".join(lines), True


def _test(asked: Namespace, hub: Hub) -> Answer:
    if len(asked.builds) != 1 or not asked.source:
        raise InputError("Name one build by its number, and the tag it is in with --from TAG.")
    told = hub.get(f"promotion-policies/{asked.name}/test/", build=asked.builds[0], source=asked.source, to=asked.to)
    return told, "\n".join(_lines(told, short=False)), bool(told["can_move"])


def _promote(asked: Namespace, hub: Hub) -> Answer:
    if not asked.builds or not asked.source:
        raise InputError("Name builds by their numbers, and the tag they are in with --from TAG.")
    revision = hub.get(f"promotion-policies/{asked.name}/")["revision"]
    told = hub.act(f"promotion-policies/{asked.name}/promote/", {
        "source": asked.source, "builds": asked.builds, "revision": revision, "override": asked.override,
        "reason": asked.reason,
    })  # fmt: skip
    lines = [f"{_title(one)} went." for one in told["promoted"]]
    lines += [line for one in told["held"] for line in _lines(one, short=True)]
    return told, "\n".join(lines), not told["held"]


def _title(one: dict[str, Any]) -> str:
    return harmless(
        f"{one['build']} {one['package']} {one['version']}: {one['came_from']} → {one['to']}", colours=False
    )


def _lines(one: dict[str, Any], *, short: bool) -> Iterator[str]:
    """A build with what holds it back; or with every rule, and what that looked at."""
    yield f"{_title(one)} {'can go' if one['can_move'] else 'is held back'}"
    yield from (f"  obstacle: {each}" for each in one["obstacles"])
    for each in one["verdicts"]:
        if short and each["verdict"] != "failed":
            continue
        said = f": {each['sentence']}" if each["sentence"] else ""
        yield harmless(f"  {each['verdict']:<7} {each['rule']}{said}", colours=False)
        for value in () if short else each["values"]:
            mark = "+" if value["met"] else "-"
            yield harmless(f"    {mark} {value['name']}: {value['found']} (wanted: {value['wanted']})", colours=False)
