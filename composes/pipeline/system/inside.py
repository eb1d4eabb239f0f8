"""Python of ours at work on a tree made from packages we did not write: with the tree as its root folder.

Inside, a link that a package shipped cannot lead to the host's files.
"""

from __future__ import annotations

import multiprocessing
import os
from collections.abc import Callable
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from debatomic.tools.errors import Kind, ToolError


def inside(root: Path, work: Callable[..., Any], *args: Any) -> Any:
    """The result of `work(Path("/"), *args)`, called in a child process that has `root` as its root folder."""
    context = multiprocessing.get_context("fork")
    ours, theirs = context.Pipe(duplex=False)
    child = context.Process(target=_child, args=(root, theirs, work, args), daemon=True)
    child.start()
    theirs.close()
    try:
        worked, value = ours.recv()
    except EOFError:
        worked, value = False, "it died without a word"
    child.join()
    if not worked:
        if isinstance(value, ToolError):
            raise value
        raise ToolError(f"{work.__name__} failed in the tree: {value}.", kind=Kind.INTERNAL)
    return value


def _child(root: Path, answer: Connection, work: Callable[..., Any], args: tuple[Any, ...]) -> None:
    try:
        os.chroot(root)
        os.chdir("/")
        os.umask(0o022)
        answer.send((True, work(Path("/"), *args)))
    except ToolError as error:
        answer.send((False, ToolError(str(error), hint=error.hint, kind=error.kind, lines=error.lines)))
    except Exception as error:  # noqa: BLE001 - told to the parent, which raises it
        answer.send((False, f"{type(error).__name__}: {error}"))
