"""What each command does, with the hub and the screen it is given; True says that it ended well."""

from __future__ import annotations

import getpass
import socket
import sys
from argparse import Namespace
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from debatomic.client import account, chroots, downloads, rebuild, releases, sources, tables, trials
from debatomic.client.account import Account
from debatomic.client.answers import answer
from debatomic.client.hub import Hub
from debatomic.client.screen import Screen, harmless
from debatomic.client.watch import PATIENCE, Follower
from debatomic.tools.errors import InputError

GOOD = ("completed", "FINISHED", "FINISHED_INCOMPLETE")


def login(asked: Namespace) -> bool:
    """Keep the hub's address and a key for it."""
    address = account.address_of(asked.address or _ask("Address of the hub", "http://127.0.0.1:8000"))
    if account.is_open_to_listeners(address):
        _say(f"Warning: {address} is not encrypted; whoever listens on the way learns your password or key.")
    key = _secret("API key") if asked.key else _new_key(address, asked)
    known = Account(address, key)
    me = Hub(known).get("users/me/")
    path = account.save(known)
    _say(f"Signed in to {address} as {me['username']} ({', '.join(me['roles']) or 'no role yet'}); kept in {path}.")
    return True


def _new_key(address: str, asked: Namespace) -> str:
    user = asked.user or _ask("Name", getpass.getuser())
    password = _secret("Password")
    name = f"debatomic on {socket.gethostname()}"
    return Hub(Account(address)).key_for(user, password, name=name[:100], days=asked.days)


def _ask(what: str, usual: str) -> str:
    if not sys.stdin.isatty():
        raise InputError(f"{what}: nobody is there to ask.", hint="Give it on the command line.")
    return input(f"{what} [{usual}]: ").strip() or usual


def _secret(what: str) -> str:
    """From the keyboard, unseen; or the first line of what is piped in."""
    secret = getpass.getpass(f"{what}: ") if sys.stdin.isatty() else sys.stdin.readline().strip()
    if not secret:
        raise InputError(f"No {what.lower()} was given.")
    return secret


def build(asked: Namespace, hub: Hub) -> bool:
    """Submit a build: a source package of the archive by name, or the .dsc of one on this machine."""
    told: dict[str, Any] = {"target": asked.target, "scratch": asked.scratch}
    if asked.architectures:
        told["architectures"] = asked.architectures
    if "://" in asked.source:
        return _from_git(asked, hub, told)
    if not asked.source.endswith(".dsc"):
        wishes = {"priority": asked.priority, "after": asked.after or [], **rebuild.told(asked)}
        made = hub.submit("builds/", json={**told, "source": asked.source, "version": asked.version, **wishes})
    else:
        made = _upload(hub, Path(asked.source), told)
    return _submitted(asked, hub, "build", made, f"{made['source']} {made['version']} for {made['target']}")


def _from_git(asked: Namespace, hub: Hub, told: dict[str, Any]) -> bool:
    """A commit: the task that packs it; the build follows."""
    task = hub.submit("builds/git/", json={**told, "url": asked.source, "ref": asked.ref})
    _say(f"Task {task['id']}: {task['title']} — {task['page']}")
    if not asked.watch:
        answer(asked, task, "")
        return True
    Follower(hub, task["id"], _screen(asked)).to_the_end()
    ended = hub.get(f"tasks/{task['id']}/")
    if ended["state"] not in GOOD:
        answer(asked, ended, _ending("task", ended))
        return False
    return _follow(asked, hub, "build", ended["result"]["build"])


def _upload(hub: Hub, dsc: Path, told: dict[str, Any]) -> Any:
    with ExitStack() as undo:
        paths = sources.files_of(dsc)
        files = [("files", (path.name, undo.enter_context(path.open("rb")))) for path in paths]
        return hub.submit("builds/", data={**told, "scratch": str(told["scratch"]).lower()}, files=files)


def compose(asked: Namespace, hub: Hub) -> bool:
    """Submit a compose."""
    told: dict[str, Any] = {"definition": asked.definition, "variant": asked.variant}
    if asked.architecture:
        told["architectures"] = asked.architecture
    told |= {word: names for word in ("only", "skip") if (names := getattr(asked, word))}
    made = hub.submit("composes/", json=told)
    return _submitted(asked, hub, "compose", made, made["identity"])


def _submitted(asked: Namespace, hub: Hub, thing: str, made: dict[str, Any], title: str) -> bool:
    if asked.watch:
        _say(f"{thing.capitalize()} {made['id']}: {title} — {made['page']}")
        return _follow(asked, hub, thing, made["id"])
    answer(asked, made, f"{thing.capitalize()} {made['id']}: {title} — {made['page']}")
    return True


def watch(asked: Namespace, hub: Hub) -> bool:
    """Follow to the end; whether that was a good one."""
    return _follow(asked, hub, asked.thing, asked.id)


def _follow(asked: Namespace, hub: Hub, thing: str, number: int) -> bool:
    made = hub.get(f"{thing}s/{number}/")
    screen = _screen(asked)
    hub.patience, hub.say = PATIENCE, screen.say
    try:
        Follower(hub, made["id"] if thing == "task" else made["task"], screen).to_the_end()
    except KeyboardInterrupt:
        screen.close()
        _say(f"\nThe {thing} goes on. `debatomic watch {thing} {number}` follows it again, "
             f"`debatomic cancel {thing} {number}` stops it.")  # fmt: skip
        raise
    ended = hub.get(f"{thing}s/{number}/")
    answer(asked, ended, _ending(thing, ended))
    return ended["state"] in GOOD


def _screen(asked: Namespace) -> Screen:
    return Screen(out=sys.stderr if asked.json else sys.stdout)


def _ending(thing: str, ended: dict[str, Any]) -> str:
    """The last sentence, and for a failure the lines of the log that say why."""
    name = f"{thing.capitalize()} {ended['id']}"
    if ended["state"] in GOOD:
        took = tables.took(ended["created_at"], ended["finished_at"])
        return f"{name} completed{took}. `debatomic download {thing} {ended['id']}` fetches what it made."
    decisive = [f"  {harmless(str(line), colours=False)}" for line in ended["decisive"]]
    word = {"DOOMED": "failed", "TERMINATED": "was canceled", "canceled": "was canceled"}.get(
        ended["state"], ended["state"]
    )
    return "\n".join([*decisive, f"{name} {word}: {ended['reason'] or 'no reason is known'}"])


def cancel(asked: Namespace, hub: Hub) -> bool:
    told = hub.act(f"{asked.thing}s/{asked.id}/cancel/")
    live = told["state"] in ("free", "assigned", "running", "STARTED")
    answer(asked, told, f"{asked.thing.capitalize()} {asked.id} is {'being canceled' if live else 'canceled'}.")
    return True


def retry(asked: Namespace, hub: Hub) -> bool:
    told = hub.act(f"{asked.thing}s/{asked.id}/retry/")
    answer(
        asked,
        told,
        f"{asked.thing.capitalize()} {asked.id} runs again. `debatomic watch {asked.thing} {asked.id}` follows it.",
    )
    return True


def chroot(asked: Namespace, hub: Hub) -> bool:
    """Do something with a chroot."""
    verbs = {"add": chroots.add, "refresh": chroots.refresh, "packages": chroots.packages, "try": trials.submit,
             "scrub": chroots.scrub, "remove": chroots.remove}  # fmt: skip
    told, text = verbs[asked.verb](asked, hub)
    if asked.verb in ("refresh", "scrub", "try") and asked.watch:
        _say(text)
        done = _follow(asked, hub, "task", told["id"])
        return done and (asked.verb != "try" or trials.good(asked, hub, told["id"], _screen(asked)))
    answer(asked, told, text)
    return True


def release(asked: Namespace, hub: Hub) -> bool:
    """Do something with a release channel."""
    verbs = {"preview": releases.preview, "promote": releases.promote, "withdraw": releases.withdraw,
             "journal": releases.journal}  # fmt: skip
    told, text = verbs[asked.verb](asked, hub)
    if asked.verb in ("promote", "withdraw") and asked.watch:
        _say(text)
        return _follow(asked, hub, "task", told["task"])
    answer(asked, told, text)
    return True


def download(asked: Namespace, hub: Hub) -> bool:
    """Fetch the files it kept into a folder."""
    found = downloads.artifacts(hub, asked.thing, asked.id)
    wanted = [one for one in found if not asked.kind or one["kind"] in asked.kind]
    if not wanted:
        raise InputError(f"{asked.thing.capitalize()} {asked.id} has no such files{' yet' if not found else ''}.")
    hub.patience = 120.0
    paths = downloads.fetch_all(hub, wanted, asked.output, Screen(out=sys.stderr))
    answer(asked, [{**one, "path": str(path)} for one, path in zip(wanted, paths, strict=True)], "")
    return True


def listing(asked: Namespace, hub: Hub) -> bool:
    """One line for each thing, newest first."""
    narrowed = {name: value for name in ("state", "cause", "target", "created_by") if (value := getattr(asked, name))}
    things = list(hub.listing(f"{asked.what}/", limit=asked.limit, **narrowed))
    answer(asked, things, "\n".join(tables.lines(asked.what, things)))
    return True


def _say(sentence: str) -> None:
    print(sentence, file=sys.stderr, flush=True)
