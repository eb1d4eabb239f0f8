"""How many lines of a log are in the document, and how tall its box is, in Chromium."""

from __future__ import annotations

import re
from collections.abc import Callable
from itertools import pairwise

import pytest
from playwright.sync_api import Page, expect

from hosts.models import State, Task
from tests.logs.scenes import LiveHub, end, write
from tests.logs.viewer import long_log, row, wait_for_lines

pytestmark = pytest.mark.browser


@pytest.fixture
def task(live_task: Task) -> Task:
    return live_task


@pytest.mark.parametrize("styled", [True, False], ids=["styled", "without its style"])
def test_a_hundred_thousand_lines_on_the_page_of_the_task(
    page: Page, live_hub: LiveHub, task: Task, styled: bool
) -> None:
    """Never more lines in the document than the window has room for, whatever limits the height of the box."""
    if not styled:
        page.route(re.compile(r"/css/log\.css"), lambda route: route.abort())
    write(task, long_log())
    end(task, State.FAILED)
    page.goto(f"{live_hub.address}/tasks/{task.pk}/")
    expect(page.locator("[data-log-size]")).to_have_text(re.compile("^100,000 lines"), timeout=60_000)
    expect(page.locator("[data-log-state]")).to_have_text("Ended")
    assert 0 < page.locator(".log-row").count() < 300


def test_a_style_that_comes_late_is_heeded(page: Page, task: Task, show: Callable[..., None]) -> None:
    write(task, b"line\n" * 1_000)
    page.route(re.compile(r"/css/log\.css"), lambda route: route.abort())
    show()
    wait_for_lines(page, 1_000)
    page.unroute_all()
    page.add_style_tag(url="/static/css/log.css")
    expect(row(page, 1_000)).to_be_in_viewport()
    edges = page.locator(".log-row").evaluate_all("rows => rows.map(row => row.getBoundingClientRect().top)")
    assert {round(lower - upper) for upper, lower in pairwise(edges)} == {20}


def height(page: Page) -> float:
    return float(page.locator("[data-log-scroll]").bounding_box()["height"])  # type: ignore[index]


def test_a_short_log_has_a_low_box(page: Page, task: Task, show: Callable[..., None]) -> None:
    write(task, b"a line\n" * 5)
    show()
    wait_for_lines(page, 5)
    live = height(page)
    assert live < 200  # room for a few more lines
    write(task, b"a line\n" * 10)
    wait_for_lines(page, 15)
    expect(row(page, 1)).to_be_in_viewport()
    expect(row(page, 15)).to_be_in_viewport()
    grown = height(page)
    assert live < grown == pytest.approx(15 * 20, abs=1)
    write(task, b"a line\n" * 985)
    wait_for_lines(page, 1_000)
    expect(row(page, 1_000)).to_be_in_viewport()
    assert grown < height(page) <= 0.7 * 900 + 1


@pytest.mark.parametrize(("text", "rows"), [(b"one\n" * 3, 3), (b"long " * 500 + b"\n", 1)])
def test_an_ended_log_is_as_tall_as_its_lines(
    page: Page, task: Task, show: Callable[..., None], text: bytes, rows: int
) -> None:
    write(task, text)
    end(task)
    show()
    expect(page.locator("[data-log-state]")).to_have_text("Ended")
    expect(row(page, rows)).to_be_in_viewport()
    heights = page.locator("[data-log-scroll]").evaluate("e => [e.clientHeight, e.scrollHeight]")
    assert heights == [rows * 20, rows * 20]  # nothing is empty, nothing hides behind a scroll bar
