"""Many at once: `debatomic tasks cancel|retry`, `debatomic resubmit`; and `debatomic priority`."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from typing import Any

from debatomic.client.answers import answer, pair
from debatomic.client.hub import Hub
from debatomic.tools.errors import InputError

THINGS = ("build", "compose", "task")


def tasks_options(made: ArgumentParser) -> None:
    made.add_argument("verb", choices=("cancel", "retry"), help="what to do with them")
    made.add_argument("ids", nargs="*", type=int, metavar="ID", help="of tasks")
    made.add_argument(
        "--filter", nargs="+", type=pair, default=[], metavar="NAME=VALUE",
        help="instead: all that lists of tasks show for this, such as state=free created_by=alice",
    )  # fmt: skip


def tasks(asked: Namespace, hub: Hub) -> bool:
    """Cancel or retry them, batch after batch; whether none was refused."""
    if bool(asked.ids) == bool(asked.filter):
        raise InputError("Give either IDs or --filter.")
    picked = {"ids": asked.ids} if asked.ids else {"filter": dict(asked.filter)}
    done: list[int] = []
    refused: dict[str, str] = {}
    more = True
    while more:
        told = hub.act(f"tasks/{asked.verb}/", picked)
        done += told["done"]
        refused |= told["refused"]
        more = told["more"] and bool(told["done"])
    word = "canceled, or being canceled" if asked.verb == "cancel" else "run again"
    lines = [f"{len(done)} tasks {'are ' if asked.verb == 'cancel' else ''}{word}."]
    lines += [f"Task {number}: {why}" for number, why in refused.items()]
    answer(asked, {"done": done, "refused": refused}, "\n".join(lines))
    return not refused


def resubmit_options(made: ArgumentParser) -> None:
    made.add_argument("thing", choices=THINGS, help="what the IDs are of")
    made.add_argument("ids", nargs="+", type=int, metavar="ID")
    made.add_argument("--priority", type=int, metavar="N", help="lower runs first; 20 is usual")
    made.add_argument("--channel", metavar="C", help="another than the usual one")
    made.add_argument("--after", type=int, nargs="+", metavar="ID", help="builds, or composes, to wait for")
    made.add_argument("--architecture", dest="architectures", action="append", metavar="A", help="compose: only this")


def resubmit(asked: Namespace, hub: Hub) -> bool:
    """The same again, as new ones; whether none was refused."""
    names = ("priority", "channel", "after", "architectures")
    told = {name: value for name in names if (value := getattr(asked, name)) is not None}
    made: list[Any] = []
    refused: dict[int, str] = {}
    for number in asked.ids:
        try:
            made.append({"of": number, **hub.submit(f"{asked.thing}s/{number}/resubmit/", json=told)})
        except InputError as error:
            refused[number] = error.sentence
    title = asked.thing.capitalize()
    lines = [f"{title} {one['of']} is submitted again as {asked.thing} {one['id']} — {one['page']}" for one in made]
    lines += [f"{title} {number}: {why}" for number, why in refused.items()]
    answer(asked, {"made": made, "refused": refused}, "\n".join(lines))
    return not refused


def priority_options(made: ArgumentParser) -> None:
    made.add_argument("task", type=int, metavar="TASK")
    made.add_argument("priority", type=int, metavar="N", help="0 to 1000: lower runs first; 20 is usual")


def priority(asked: Namespace, hub: Hub) -> bool:
    """Move a task in the queue."""
    told = hub.act(f"tasks/{asked.task}/priority/", {"priority": asked.priority})
    answer(asked, told, f"Task {asked.task} has priority {told['priority']}.")
    return True
