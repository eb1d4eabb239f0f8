"""A task that runs, and a real daphne that serves it from a database other processes see."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from django.conf import settings as django_settings
from django.db import connection, connections
from playwright.sync_api import Browser, Page, expect, sync_playwright
from pytest_django import DjangoDbBlocker

from hosts.models import Task
from tests.logs.scenes import LiveHub, running_task

ARGUMENTS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
             "--disable-component-update", "--disable-sync"]  # fmt: skip

expect.set_options(timeout=20_000)  # milliseconds; a busy machine takes its time


@pytest.fixture
def task(db: None) -> Task:
    return running_task()


@pytest.fixture(scope="session")
def migrated(
    django_db_setup: None, django_db_blocker: DjangoDbBlocker, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """An SQLite database with all tables, to copy."""
    path = tmp_path_factory.mktemp("migrated") / "hub.db"
    with django_db_blocker.unblock(), connection.cursor() as cursor:
        cursor.execute("VACUUM INTO %s", [str(path)])
    return path


@contextmanager
def _database_in(path: Path) -> Iterator[str]:
    """Make this the database of the test, too; yields its address."""
    before = connections["default"]
    own = connections.create_connection("default")
    own.settings_dict = {**own.settings_dict, "NAME": str(path)}
    connections["default"] = own
    try:
        yield f"sqlite:///{path}"
    finally:
        own.close()
        connections["default"] = before


@pytest.fixture
def database_address(request: pytest.FixtureRequest, home: Path, transactional_db: None) -> Iterator[str]:
    """A database that the test and other processes see: where it is."""
    if connection.vendor == "sqlite":
        path = home / "hub.db"
        shutil.copy(request.getfixturevalue("migrated"), path)
        with _database_in(path) as address:
            yield address
        return
    known = connection.settings_dict
    yield f"postgresql://{known['USER']}@/{known['HOST']}/{known['NAME']}"  # a socket's folder, without a password


@pytest.fixture
def live_hub(database_address: str, home: Path) -> Iterator[LiveHub]:
    hub = LiveHub({**os.environ, "DEBATOMIC_HOME": str(home), "DATABASE_URL": database_address,
                   "DEBATOMIC_SECRET_KEY": django_settings.SECRET_KEY})  # fmt: skip
    try:
        hub.start()
        yield hub
    finally:
        hub.kill()


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path="/usr/bin/chromium", args=ARGUMENTS)
        yield browser
        browser.close()


@pytest.fixture
def page(browser: Browser, monkeypatch: pytest.MonkeyPatch) -> Iterator[Page]:
    """A page on which no script fails and no policy is broken."""
    monkeypatch.setenv("DJANGO_ALLOW_ASYNC_UNSAFE", "1")  # Playwright's loop runs in this thread
    complaints: list[str] = []
    page = browser.new_page(viewport={"width": 1280, "height": 900})
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("console", lambda message: complaints.append(message.text) if "Security Policy" in message.text else None)
    yield page
    page.close()
    assert complaints == []


@pytest.fixture
def live_task(live_hub: LiveHub, page: Page) -> Task:
    """A task in the database of the live hub."""
    return running_task()


@pytest.fixture
def show(live_hub: LiveHub, page: Page, live_task: Task) -> Callable[[str], None]:
    """Open the page of the task's log."""

    def go(fragment: str = "") -> None:
        page.goto(f"{live_hub.address}/tasks/{live_task.pk}/log/1/build/{fragment}")

    return go
