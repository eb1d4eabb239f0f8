"""Methods to try things with, and short ways to make tasks."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from hosts import hub, registry
from hosts.models import Channel, Task
from tests.hub.site import Site, site_at

MakeTask = Callable[..., Task]


@pytest.fixture
def methods(monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, registry.Method]]:
    """The registry with `work` (a host runs it), `hub-work` (only near the hub) and `family` (a parent)."""
    known = {name: registry.Method(name=name, needs_hub=name == "hub-work") for name in ("work", "hub-work", "family")}
    monkeypatch.setattr(registry, "_methods", known)
    yield known


@pytest.fixture(autouse=True)
def no_grace(settings: Any) -> None:
    """Whoever asks first gets it; what the grace does is tried by itself."""
    settings.GRACE = timedelta(0)


@pytest.fixture
def make(methods: object, default_channel: Channel) -> MakeTask:
    """Submit a task of method `work`, or what the keywords say."""

    def submit(title: str = "work", method: str = "work", **columns: Any) -> Task:
        return hub.submit(method, title, **{"request": {}, "channel": default_channel, "by": None, **columns})

    return submit


@pytest.fixture
def family(make: MakeTask) -> Callable[[int], tuple[Task, list[Task]]]:
    """A parent with so many children, and the last of them depending on all before it."""

    def submit(number: int) -> tuple[Task, list[Task]]:
        parent = make("family", "family", is_parent=True)
        children = [make(f"child {n}", parent=parent) for n in range(number - 1)]
        return parent, [*children, make("last child", parent=parent, dependencies=children)]

    return submit


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    """A whole installation with real processes; `script` is its only method."""
    with site_at(tmp_path / "site") as made:
        yield made
