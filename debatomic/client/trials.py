"""`debatomic chroot try`: packages and files in, a script, files and the difference out."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from debatomic.client import downloads
from debatomic.client.hub import Hub
from debatomic.client.screen import Screen
from debatomic.tools.errors import InputError


def options(made: ArgumentParser) -> None:
    made.add_argument("--install", nargs="+", default=[], metavar="PKG", help="try: install these first")
    made.add_argument("--copy-in", nargs="+", default=[], type=Path, metavar="FILE", help="try: copy these to /build")
    made.add_argument("--run", default="", metavar="SCRIPT", help="try: lines of a shell, run in /build")
    made.add_argument("--copy-out", nargs="+", default=[], metavar="PLACE", help="try: keep these files and folders")
    made.add_argument("--as-root", action="store_true", help="try: the script is root of the buildroot")
    made.add_argument("--network", action="store_true", help="try: the script has the network of the host")
    made.add_argument("--output", type=Path, metavar="DIR", help="try, with --watch: fetch what was copied out")


def submit(asked: Namespace, hub: Hub) -> tuple[Any, str]:
    """Try it; what the hub said, and that in words."""
    told = {"packages": asked.install, "script": asked.run, "places": asked.copy_out,
            "as_root": asked.as_root, "network": asked.network}  # fmt: skip
    if asked.output and not asked.watch:
        raise InputError("Files can be fetched when the trial has ended: give --watch with --output.")
    task = _sent(hub, f"chroots/{asked.name}/try/", told, asked.copy_in)
    return task, f"Task {task['id']}: {task['title']} — {task['page']}"


def _sent(hub: Hub, path: str, told: dict[str, Any], paths: list[Path]) -> Any:
    if not paths:
        return hub.submit(path, json=told)
    with ExitStack() as undo:
        files = [("files", (one.name, undo.enter_context(_opened(one)))) for one in paths]
        words = {name: str(value).lower() if isinstance(value, bool) else value for name, value in told.items()}
        return hub.submit(path, data=words, files=files)


def _opened(path: Path) -> Any:
    try:
        return path.open("rb")
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror}.") from None


def good(asked: Namespace, hub: Hub, number: int, screen: Screen) -> bool:
    """Whether the script of a completed trial ended with status 0; what was copied out is fetched where asked for."""
    if asked.output:
        downloads.fetch_all(hub, downloads.artifacts(hub, "task", number), asked.output, screen)
    return not hub.get(f"tasks/{number}/")["result"].get("status")
