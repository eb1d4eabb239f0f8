"""Follow a build, a compose or a task to its end: its log as it is written, and how far it is."""

from __future__ import annotations

import codecs
import time
from collections.abc import Callable
from typing import Any

from debatomic.client.hub import Hub
from debatomic.client.screen import Screen

PAUSE = 0.4  # seconds between two looks
PATIENCE = 1800.0  # seconds the hub may be away, restarting
SEALING = 10.0  # seconds a log may take to be closed after the end of its task
FINAL = ("completed", "failed", "canceled")


class Reader:
    """Where we are in one log. Bytes become text by whole lines, so that nothing is cut in half."""

    def __init__(self, title: str) -> None:
        self.title = title
        self.offset = 0
        self.ended = False
        self._decoder = codecs.getincrementaldecoder("utf-8")(errors="replace")
        self._rest = ""

    def text(self, content: bytes, *, last: bool = False) -> str:
        """The whole lines we have now; with `last` whatever is left, too."""
        text = self._rest + self._decoder.decode(content, last)
        if last:
            self._rest = ""
            return text if text.endswith("\n") or not text else text + "\n"
        whole, newline, self._rest = text.rpartition("\n")
        return whole + newline


class Follower:
    """A task with its children, followed through their logs."""

    def __init__(self, hub: Hub, task: int, screen: Screen, *, wait: Callable[[float], object] = time.sleep) -> None:
        self.hub = hub
        self.wait = wait
        self.task = task
        self.screen = screen
        self._readers: dict[tuple[int, int, str], Reader] = {}
        self._last: Reader | None = None

    def to_the_end(self) -> dict[str, Any]:
        """The task as it ended. Raises ToolError when the hub stays away or the task is not to be seen."""
        ended_at: float | None = None
        while True:
            family = self._family()
            grown = [self._read(task, log) for task in family for log in task["logs"]]
            root = next(task for task in family if task["id"] == self.task)
            self.screen.state(_line(root, family))
            if root["state"] in FINAL:
                ended_at = ended_at or time.monotonic()
                if self._all_read() or time.monotonic() - ended_at > SEALING:
                    break
            if not any(grown):
                self.wait(PAUSE)
        for reader in self._readers.values():
            self._show(reader, b"", last=True)
        self.screen.close()
        return root

    def _family(self) -> list[dict[str, Any]]:
        """The task and its children, oldest first; asked alone where it may not be there, for the 404."""
        family = sorted(self.hub.listing("tasks/", limit=1000, family=self.task), key=lambda task: task["id"])
        return family if any(task["id"] == self.task for task in family) else [self.hub.get(f"tasks/{self.task}/")]

    def _read(self, task: dict[str, Any], log: dict[str, Any]) -> bool:
        """Show what was added to a log; whether there was something."""
        key = (task["id"], log["attempt"], log["name"])
        again = f", attempt {log['attempt']}" if log["attempt"] > 1 else ""
        reader = self._readers.setdefault(key, Reader(f"{task['title']}{again}: {log['name']}"))
        if reader.ended or (log["size"] <= reader.offset and not log["sealed"]):
            return False
        answer = self.hub.fetch(f"tasks/{key[0]}/logs/{key[1]}/{key[2]}/", params={"offset": reader.offset})
        reader.offset += len(answer.content)
        reader.ended = answer.headers.get("X-Log-Sealed") == "yes"
        self._show(reader, answer.content, last=reader.ended)
        return bool(answer.content)

    def _show(self, reader: Reader, content: bytes, *, last: bool = False) -> None:
        text = reader.text(content, last=last)
        if not text:
            return
        if reader is not self._last:
            self.screen.say(f"==> {reader.title} <==")
            self._last = reader
        self.screen.log(text)

    def _all_read(self) -> bool:
        return all(reader.ended for reader in self._readers.values())


def _line(root: dict[str, Any], family: list[dict[str, Any]]) -> str:
    """What runs now, in words."""
    children = [task for task in family if task["id"] != root["id"]]
    busy = [task for task in children or [root] if task["state"] == "running"]
    if busy:
        return " · ".join(_step(task) for task in busy)
    waiting = [task for task in children or [root] if task["state"] not in FINAL]
    return f"{waiting[0]['title']}: {'assigned' if waiting[0]['host'] else 'waiting for a host'}" if waiting else ""


def _step(task: dict[str, Any]) -> str:
    what = task["architecture"] or task["method"]
    progress = task["progress"]
    if not progress.get("phase"):
        return f"{what}: running on {task['host']}"
    steps = f" {progress['number']}/{progress['total']}" if progress.get("total") else ""
    part = f" {progress['fraction']:.0%}" if progress.get("fraction") else ""
    detail = f" ({progress['detail']})" if progress.get("detail") else ""
    return f"{what}:{steps} {progress['phase']}{part}{detail}"
