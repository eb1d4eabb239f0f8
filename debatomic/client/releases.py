"""`debatomic release`: what channels carry, promote a compose to one, withdraw it again."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from typing import Any

from debatomic.client.hub import Hub
from debatomic.client.screen import harmless
from debatomic.tools.errors import InputError

VERBS = ("preview", "promote", "withdraw", "journal")
WANTED = 20  # lines of a journal


def options(made: ArgumentParser) -> None:
    made.add_argument("verb", choices=VERBS, help="what to do with it")
    made.add_argument("channel", metavar="DEFINITION/VARIANT/CHANNEL", help="such as debian-atomic/minimal/testing")
    made.add_argument("--compose", type=int, metavar="ID", help="preview, promote: which compose")
    made.add_argument("--reason", default="", metavar="TEXT", help="promote, withdraw: why; it is written down")
    made.add_argument("--label", default="", metavar="L", help="promote: the milestone that it is, such as RC-1.2")
    made.add_argument("--watch", action="store_true", help="promote, withdraw: follow the log to the end")


def preview(asked: Namespace, hub: Hub) -> tuple[Any, str]:
    """What would be otherwise; without --compose, if it was withdrawn."""
    channel = _channel(asked, hub)
    wanted = {"compose": asked.compose} if asked.compose else {}
    told = hub.get(f"release-channels/{channel['id']}/preview/", **wanted)
    return told, harmless("\n".join(_lines(told)), colours=False)


def promote(asked: Namespace, hub: Hub) -> tuple[Any, str]:
    if not asked.compose:
        raise InputError("Name the compose to promote with --compose ID.", hint="`debatomic list composes` lists them.")
    told = {"compose": asked.compose, "reason": asked.reason, "label": asked.label}
    return _moved(hub.submit(f"release-channels/{_channel(asked, hub)['id']}/promote/", json=told))


def withdraw(asked: Namespace, hub: Hub) -> tuple[Any, str]:
    told = {"reason": asked.reason}
    return _moved(hub.submit(f"release-channels/{_channel(asked, hub)['id']}/withdraw/", json=told))


def journal(asked: Namespace, hub: Hub) -> tuple[Any, str]:
    moves = list(hub.listing(f"release-channels/{_channel(asked, hub)['id']}/moves/", limit=WANTED))
    lines = [f"{each['created_at'][:16]}  {each['kind']:<8}  {each['state']:<9}  {each['compose']}  {each['by']}  "
             f"{each['reason']}" for each in moves]  # fmt: skip
    return moves, harmless("\n".join(lines), colours=False)


def _channel(asked: Namespace, hub: Hub) -> dict[str, Any]:
    definition, _, rest = asked.channel.partition("/")
    variant, _, name = rest.partition("/")
    found = list(hub.listing("release-channels/", limit=1, definition=definition, variant=variant, name=name))
    if not found or not name:
        raise InputError(f"There is no release channel {asked.channel}.",
                         hint="`debatomic list release-channels` lists them.")  # fmt: skip
    return dict(found[0])


def _moved(move: dict[str, Any]) -> tuple[Any, str]:
    return move, f"Task {move['task']}: {move['kind']} {move['compose']}."


def _lines(told: dict[str, Any]) -> list[str]:
    lines = [f"{told['channel']}: {told['old'] or 'nothing'} → {told['new']}"]
    for each in told["refs"]:
        update = each["download"] or {"size": "?", "objects": "?"}
        lines.append(f"{each['ref']}: at most {update['size']} bytes in {update['objects']} objects")
    for each in told["gates"]:
        lines.append(f"{each['name']} ({each['architecture']}): {each['verdict']}, {each['sentence']}")
    for each in (told["difference"] or {}).get("packages", []):
        lines += [f"+ {one['name']} {one['version']}" for one in each["added"]]
        lines += [f"- {one['name']} {one['version']}" for one in each["removed"]]
        for one in each["changed"]:
            lines.append(f"* {one['new']['name']} {one['old']['version']} → {one['new']['version']}")
    return [*lines, *([told["mistake"]] if told["mistake"] else [])]
