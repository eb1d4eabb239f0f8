"""Parts of pages that stay fresh, in Chromium."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Page, expect

from hosts.models import State, Task
from tests.logs.scenes import LiveHub, end, running_task, write

pytestmark = pytest.mark.browser


@pytest.fixture
def task(live_hub: LiveHub, page: Page) -> Task:
    task = running_task()
    write(task, b"first\n")
    return task


def test_the_page_of_a_task_shows_how_it_ends(page: Page, live_hub: LiveHub, task: Task) -> None:
    page.goto(f"{live_hub.address}/tasks/{task.pk}/")
    expect(page.locator("html[data-events=live]")).to_have_count(1)
    expect(page.locator("#task")).to_contain_text("running")
    page.locator("[data-log]").evaluate("viewer => { viewer.dataset.kept = 'yes'; }")
    Task.objects.filter(pk=task.pk).update(reason="The compiler said no.")
    end(task, State.FAILED)
    task.announce("failed")
    expect(page.locator("#task")).to_contain_text("The compiler said no.")
    expect(page.locator("[data-log][data-kept=yes] [data-log-state]")).to_have_text("Ended")


def test_what_happened_while_the_connection_was_lost_is_caught_up(page: Page, live_hub: LiveHub, task: Task) -> None:
    page.goto(f"{live_hub.address}/tasks/{task.pk}/")
    expect(page.locator("html[data-events=live]")).to_have_count(1)
    live_hub.kill()
    expect(page.locator("html[data-events=lost]")).to_have_count(1)
    Task.objects.filter(pk=task.pk).update(reason="The compiler said no.")
    end(task, State.FAILED)
    live_hub.start()
    expect(page.locator("#task")).to_contain_text("The compiler said no.", timeout=20_000)


def test_without_websockets_the_page_is_asked_for_again(page: Page, live_hub: LiveHub, task: Task) -> None:
    page.route_web_socket(re.compile("/ws/"), lambda socket: socket.close(code=1011))
    page.goto(f"{live_hub.address}/tasks/{task.pk}/")
    Task.objects.filter(pk=task.pk).update(reason="The compiler said no.")
    end(task, State.FAILED)
    expect(page.locator("#task")).to_contain_text("The compiler said no.", timeout=20_000)
