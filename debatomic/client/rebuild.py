"""`debatomic rebuild`: packages of builds anew, of the same source, with versions of their own."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from typing import Any

from debatomic.client.answers import answer
from debatomic.client.hub import Hub
from debatomic.tools.errors import InputError


def options(made: ArgumentParser) -> None:
    made.add_argument("ids", nargs="+", type=int, metavar="BUILD")
    made.add_argument("--reason", required=True, metavar="TEXT", help="what their changelogs say, item by line")
    made.add_argument("--number", type=int, metavar="N", help="of version X+bN (the next that is free)")
    made.add_argument("--architecture", dest="architectures", action="append", metavar="A",
                      help="only this one (may be repeated)")  # fmt: skip


def run(asked: Namespace, hub: Hub) -> bool:
    """Rebuild each; whether none was refused."""
    told = {"binnmu_reason": asked.reason, "binnmu": asked.number, "architectures": asked.architectures}
    told = {name: value for name, value in told.items() if value is not None}
    made: list[Any] = []
    refused: dict[int, str] = {}
    for number in asked.ids:
        try:
            made.append({"of": number, **hub.submit(f"builds/{number}/rebuild/", json=told)})
        except InputError as error:
            refused[number] = error.sentence
    lines = [f"Build {one['id']}: {one['source']} {one['version']} — {one['page']}" for one in made]
    lines += [f"Build {number}: {why}" for number, why in refused.items()]
    answer(asked, {"made": made, "refused": refused}, "\n".join(lines))
    return not refused


def submit_options(made: ArgumentParser) -> None:
    """Of commands that submit builds."""
    made.add_argument("--binnmu-reason", metavar="TEXT",
                      help="make it a binary rebuild (binNMU), version X+bN; its changelog says this")  # fmt: skip
    made.add_argument("--binnmu", type=int, metavar="N", help="the N of X+bN (the next that is free)")


def told(asked: Namespace) -> dict[str, Any]:
    """What the hub is told of it."""
    found = {"binnmu_reason": asked.binnmu_reason, "binnmu": asked.binnmu}
    return {name: value for name, value in found.items() if value is not None}
