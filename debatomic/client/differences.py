"""`debatomic difference`: two builds of a source package side by side."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from collections.abc import Iterator
from typing import Any

from debatomic.client.answers import answer
from debatomic.client.hub import Hub
from debatomic.client.screen import harmless

SIGNS = {"added": "+", "removed": "-"}


def options(made: ArgumentParser) -> None:
    made.add_argument("source", metavar="SOURCE")
    made.add_argument("--from", dest="older", type=int, metavar="ID", help="a build (the one completed before)")
    made.add_argument("--to", dest="newer", type=int, metavar="ID", help="a build (the newest completed one)")


def run(asked: Namespace, hub: Hub) -> bool:
    """What the newer build has otherwise."""
    which = {"from": asked.older, "to": asked.newer}
    found = hub.get(f"packages/{asked.source}/difference/", **{name: pk for name, pk in which.items() if pk})
    answer(asked, found, harmless("\n".join(lines(found)), colours=False))
    return True


def lines(found: dict[str, Any]) -> Iterator[str]:
    """The difference for people; what is the same in both is left out."""
    old, new = found["old"], found["new"]
    both = " → ".join(f"build {side['id']} ({side['version']}, {side['target']})" for side in (old, new))
    yield f"{new['source']}: {both}"
    yield from _part("Packages", (_package(each) for each in found["packages"] if each["what"] != "identical"))
    yield from _part("Dependencies", (
        f"{each['name']} {each['architecture']} {each['field']}: {each['before'] or '–'} → {each['after'] or '–'}"
        for each in found["relations"]))  # fmt: skip
    yield from _part("Files", (f"{SIGNS[each['what']]} /{each['path']} ({each['name']} {each['architecture']})"
                               for each in found["files"]))  # fmt: skip
    if found["files_untold"]:
        yield f"  and {found['files_untold']} more"
    yield from _part("Checks", (line for each in found["checks"] if (line := _check(each))))
    yield from _part("Buildroot", (
        f"{SIGNS.get(each['what'], '*')} {each['name']} {' → '.join(filter(None, (each['before'], each['after'])))}"
        f" ({each['architecture']})" for each in found["buildroots"]))  # fmt: skip


def _part(title: str, told: Iterator[str]) -> Iterator[str]:
    for number, line in enumerate(told):
        if not number:
            yield f"{title}:"
        yield f"  {line}"


def _package(each: dict[str, Any]) -> str:
    versions = " → ".join(side["version"] for side in (each["old"], each["new"]) if side)
    growth = f", {each['growth']:+} bytes" if each["growth"] else ""
    return f"{SIGNS.get(each['what'], '*')} {each['name']} {each['architecture']} {versions}{growth}"


def _check(each: dict[str, Any]) -> str:
    was, now = (side["verdict"] if side else "not made" for side in (each["old"], each["new"]))
    return f"{each['name']} {each['architecture']}: {was} → {now}" if was != now else ""
