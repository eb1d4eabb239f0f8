"""What can be done, and what must be kept: each app registers it here, in its `apps.py`."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from debatomic.tools.errors import InputError

if TYPE_CHECKING:
    from hosts.models import Task


@dataclass(frozen=True, kw_only=True)
class Job:
    """What a host gets with a claim, and where it works: plain data, no database."""

    task: int
    attempt: int
    claim: str
    method: str
    title: str
    architecture: str
    request: dict[str, Any]
    limits: dict[str, Any]
    folder: Path = Path()  # this attempt's own folder on the host, removed afterwards
    fetch: Callable[[str, Path], None] = field(default=lambda sha256, to: None, compare=False)  # a kept file of the hub

    @property
    def output(self) -> Path:
        """Where the program writes its files and `result.json`."""
        return self.folder / "output"


@dataclass(frozen=True, kw_only=True)
class KeptFile:
    """A file of the output that becomes an artifact; `kind` is one of hosts.models.Artifact.Kind."""

    path: Path
    name: str
    kind: str
    media_type: str = "application/octet-stream"


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """How a job ended well: a small result for the task and the files to keep."""

    result: dict[str, Any]
    files: tuple[KeptFile, ...] = ()


@dataclass(frozen=True, kw_only=True)
class About:
    """What a task is about, for statistics and for comparing how the same package fares on several hosts."""

    package: str = ""
    target: str = ""


def _unknown(request: Mapping[str, Any]) -> About:
    """The default for methods that are about no package."""
    return About()


def _nothing(task: Task) -> None:
    """The default for methods that keep no rows of their own."""


def _always(task: Task) -> None:
    """The default for methods that may run again whenever somebody asks."""


def _nowhere(request: dict[str, Any]) -> tuple[str, ...]:
    """The default for methods to which every host is alike."""
    return ()


@dataclass(frozen=True, kw_only=True)
class Method:
    """One kind of task.

    `command` and `outcome` run on the host, without a database: the program to run (plain Python of ours), and what to
    keep of its output. `changed` runs on the hub, in the transaction that changed the task's state, and `again` in that
    of a person's retry. A parent's method has neither command nor outcome.
    """

    name: str
    weight: float = 1.0
    command: Callable[[Job], list[str]] | None = None
    outcome: Callable[[Job], Outcome] | None = None
    after: Callable[[Job], list[str]] | None = None  # cleans the host up after a kill; short
    changed: Callable[[Task], None] = _nothing
    again: Callable[[Task], None] = _always  # raises InputError where this task may not begin anew, nor what is beneath
    about: Callable[[Mapping[str, Any]], About] = _unknown  # of the frozen request
    needs_hub: bool = False  # only a host that shares the hub's folder
    caches: Callable[[dict[str, Any]], tuple[str, ...]] = _nowhere  # what it leaves on its host for the next such task
    at_start: Callable[[Path], list[str]] | None = None  # (state folder): cleans up when a builder starts
    right: str = "builds.submit"  # to ask for such work: only with it one's own is retried and submitted anew
    anew: bool = False  # although it keeps rows: those of another task of the same request are as good
    others_go_on: bool = False  # of a parent: a child that fails ends only what depends on it

    @property
    def follows(self) -> bool:
        """Whether it keeps rows of its own that follow the state of its tasks."""
        return self.changed is not _nothing

    @property
    def can_be_resubmitted(self) -> bool:
        """Whether its request alone says all: where a row stands for the task, only the app makes both."""
        return self.anew or not self.follows


_methods: dict[str, Method] = {}


def register(method: Method) -> None:
    """Make a method known; called from `AppConfig.ready`, once per process."""
    _methods[method.name] = method


def method(name: str) -> Method:
    """The method of this name. Raises InputError for an unknown one."""
    try:
        return _methods[name]
    except KeyError:
        raise InputError(
            f"This installation has no task method {name!r}.", hint="Is every host on one version?"
        ) from None


def find(name: str) -> Method | None:
    """The method of this name, or None: a row may be older than this installation."""
    return _methods.get(name)


def right(name: str) -> str:
    """The right to ask for work of this method."""
    known = _methods.get(name)
    return known.right if known else Method.right


def about(name: str, request: Mapping[str, Any]) -> About:
    """What a task of this method and request is about."""
    known = _methods.get(name)
    return known.about(request) if known else About()


def names() -> list[str]:
    return sorted(_methods)


def hub_only() -> list[str]:
    """The methods that run only where the hub's folder is."""
    return [method.name for method in _methods.values() if method.needs_hub]


def commands_at_start(state: Path) -> list[list[str]]:
    """What a builder runs before it takes work, each command once."""
    commands = [method.at_start(state) for method in _methods.values() if method.at_start]
    return [command for number, command in enumerate(commands) if command not in commands[:number]]


_rounds: list[Callable[[], object]] = []


def register_round(due: Callable[[], object]) -> None:
    """Have something done on the hub every few seconds; it must be quick where nothing is due. As `register` is."""
    if due not in _rounds:
        _rounds.append(due)


def rounds() -> list[Callable[[], object]]:
    return list(_rounds)


Examination = Callable[[Path], list[str]]  # (state folder): prints {"checks": [{name, ok, needed, found, mend}]}
_examinations: list[Examination] = []


def register_examination(command: Examination) -> None:
    """Have builders look at their machine with this program, now and then (hosts.builder.examining)."""
    if command not in _examinations:
        _examinations.append(command)


def examinations(state: Path) -> list[list[str]]:
    return [command(state) for command in _examinations]


Contents = Callable[[Set[str]], Set[str]]
_contents: list[Contents] = []


def register_contents(among: Contents) -> None:
    """Have stored content kept: `among` tells which of these SHA-256 rows of the app name. Called as `register` is."""
    if among not in _contents:
        _contents.append(among)


def named(contents: Set[str]) -> set[str]:
    """Those of these SHA-256 that some row names."""
    found: set[str] = set()
    for among in _contents:
        if rest := contents - found:
            found |= among(rest)
    return found


def _nothing_kept() -> Any:
    return []


def _nothing_to_forget(_: Sequence[int]) -> None:
    """The default for apps without rows that point there."""


@dataclass(frozen=True)
class Keeper:
    """What retention asks an app: `kept` is a query of the ids of those tasks whose families must stay.

    `forget_tasks` and `forget_artifacts` remove the app's own rows that point to these tasks or artifacts; `due` is a
    query of the ids of root tasks that go at any age, as soon as nothing keeps them.
    """

    kept: Callable[[], Any] = _nothing_kept
    due: Callable[[], Any] = _nothing_kept
    forget_tasks: Callable[[Sequence[int]], None] = _nothing_to_forget
    forget_artifacts: Callable[[Sequence[int]], None] = _nothing_to_forget


_keepers: list[Keeper] = []


def register_keeper(keeper: Keeper) -> None:
    """Have retention ask this app, too."""
    if keeper not in _keepers:
        _keepers.append(keeper)


def keepers() -> list[Keeper]:
    return list(_keepers)


_texts: list[Callable[[], Iterator[str]]] = []


def register_kept_texts(texts: Callable[[], Iterator[str]]) -> None:
    """Have retention read these, too: what they name, by SHA-256 or by the address of a snapshot, stays."""
    if texts not in _texts:
        _texts.append(texts)


def kept_texts() -> Iterator[str]:
    for texts in _texts:
        yield from texts()


def program(module: str, *args: str | Path) -> list[str]:
    """The command line of a plain Python program of ours, which a person can run the same way by hand."""
    root = Path(__file__).resolve().parent.parent
    return ["env", f"PYTHONPATH={root}", sys.executable, "-m", module, *(os.fspath(arg) for arg in args)]
