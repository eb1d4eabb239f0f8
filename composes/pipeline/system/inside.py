"""Python of ours at work on a tree made from packages we did not write: with the tree as its root folder.

Inside, a link that a package shipped cannot lead to the host's files. Should a file of the tree make our code do
something else, then that has the rights of the jail's programs: over the tree's files, and nothing else. What it
answers is data: nothing of it is called.
"""

from __future__ import annotations

import io
import multiprocessing
import os
import pickle
import sys
from collections.abc import Callable
from dataclasses import is_dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from chroots.engine.isolation.enclosed import close_all_but, enclose, leave_processes_of_others
from chroots.engine.isolation.userns import sealed_user_namespace
from debatomic.tools.errors import Kind, ToolError

OURS = "composes."  # packages whose dataclasses may be in an answer
STREAMS = {0, 1, 2}
LARGEST = 1 << 30  # bytes of an answer: a kernel and its initramfs are the largest ones


def inside(root: Path, work: Callable[..., Any], *args: Any) -> Any:
    """The result of `work(Path("/"), *args)`, called in a child process that has `root` as its root folder.

    It is made of plain values and the pipeline's dataclasses. Raises ToolError.
    """
    context = multiprocessing.get_context("fork")
    ours, theirs = context.Pipe(duplex=False)
    with sealed_user_namespace() as namespace:
        child = context.Process(target=_child, args=(root, namespace, theirs, work, args), daemon=True)
        child.start()
        theirs.close()
        try:
            worked, value = _Reader(io.BytesIO(ours.recv_bytes(LARGEST))).load()
        except EOFError:
            worked, value = False, "it died without a word"
        except Exception as error:  # noqa: BLE001 - whatever it wrote instead of an answer
            worked, value = False, f"its answer cannot be read: {error}"
        child.join()
        ours.close()
    if not worked:
        if isinstance(value, tuple):
            sentence, hint, kind, lines = value
            raise ToolError(sentence, hint=hint, kind=Kind(kind), lines=lines)
        raise ToolError(f"{work.__name__} failed in the tree: {value}.", kind=Kind.INTERNAL)
    return value


class _Reader(pickle.Unpickler):
    """It imports no module, calls no class, and gives none away: with a class in hand, a pickle could change it."""

    def find_class(self, module: str, name: str) -> Any:
        found = vars(sys.modules[module]).get(name) if _is_ours(module) else None
        if isinstance(found, type) and is_dataclass(found):
            return type(name, (), {"__new__": lambda _, *values: object.__new__(found)})
        raise pickle.UnpicklingError(f"{module}.{name} is nothing that an answer is made of")


def _is_ours(module: str) -> bool:
    return module.startswith(OURS) and module in sys.modules


def _child(root: Path, namespace: int, answer: Connection, work: Callable[..., Any], args: tuple[Any, ...]) -> None:
    """Wait for a child of its own, the first process of its namespaces."""
    close_all_but({*STREAMS, answer.fileno(), namespace})
    leave_processes_of_others()
    first = os.fork()
    if first:
        os.waitpid(first, 0)
        return
    try:
        answer.send(_plain(_answered(root, namespace, work, args)))
    finally:
        os._exit(0)


def _answered(root: Path, namespace: int, work: Callable[..., Any], args: tuple[Any, ...]) -> tuple[bool, Any]:
    try:
        enclose(root, namespace)
        os.umask(0o022)
        return True, work(Path("/"), *args)
    except ToolError as error:
        return False, (str(error), error.hint, error.kind.value, list(error.lines))
    except Exception as error:  # noqa: BLE001 - told to the parent, which raises it
        return False, f"{type(error).__name__}: {error}"


def _plain(value: Any) -> Any:
    """The same, its texts without where they were written: they are known to those who read a treefile only."""
    if isinstance(value, str):
        return str(value)
    if type(value) in (list, tuple, set, frozenset):
        return type(value)(_plain(each) for each in value)
    return {_plain(key): _plain(each) for key, each in value.items()} if type(value) is dict else value
