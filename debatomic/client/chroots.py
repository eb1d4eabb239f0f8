"""`debatomic chroot`: make one, refresh it, look at its packages."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from pathlib import Path
from typing import Any

from debatomic.client import trials
from debatomic.client.hub import Hub
from debatomic.tools.errors import InputError

VERBS = ("add", "refresh", "packages", "try", "scrub", "remove")


def options(made: ArgumentParser) -> None:
    made.add_argument("verb", choices=VERBS, help="what to do with it")
    made.add_argument("name", metavar="NAME")
    made.add_argument(
        "--definition", type=Path, metavar="FILE",
        help="add: its definition in YAML (otherwise the one of its name that comes with DebAtomic)",
    )  # fmt: skip
    made.add_argument("--every", type=int, default=0, metavar="HOURS", help="add: refresh it by itself")
    made.add_argument("--watch", action="store_true", help="refresh, scrub, try: follow the log to the end")
    made.add_argument("--host", default="", metavar="HOST", help="scrub: the host whose copy is removed")
    made.add_argument("--search", default="", metavar="TEXT", help="packages: only those whose name has this")
    trials.options(made)


def add(asked: Namespace, hub: Hub) -> tuple[Any, str]:
    """Make a chroot; what the hub said, and that in words."""
    told: dict[str, Any] = {"name": asked.name, "refresh_hours": asked.every}
    if asked.definition:
        try:
            told["definition"] = asked.definition.read_text()
        except (OSError, UnicodeDecodeError) as error:
            raise InputError(f"{asked.definition} cannot be read: {error}.") from error
    made = hub.submit("chroots/", json=told)
    return made, f"Chroot {made['name']}: {made['suite']} {made['architecture']} {made['variant']} — {made['page']}"


def refresh(asked: Namespace, hub: Hub) -> tuple[Any, str]:
    task = hub.act(f"chroots/{asked.name}/refresh/")
    return task, f"Task {task['id']}: {task['title']} — {task['page']}"


def packages(asked: Namespace, hub: Hub) -> tuple[Any, str]:
    found = hub.get(f"chroots/{asked.name}/packages/", q=asked.search)
    return found, "\n".join(f"{name} {version}" for name, version in found["packages"].items())


def scrub(asked: Namespace, hub: Hub) -> tuple[Any, str]:
    """Remove its copy on a host; the next build there makes it again."""
    if not asked.host:
        raise InputError("Say which host's copy is removed: --host HOST.")
    task = hub.act(f"chroots/{asked.name}/scrub/", {"host": asked.host})
    return task, f"Task {task['id']}: {task['title']} — {task['page']}"


def remove(asked: Namespace, hub: Hub) -> tuple[Any, str]:
    hub.remove(f"chroots/{asked.name}/")
    return {"removed": asked.name}, f"Chroot {asked.name} is deleted."
