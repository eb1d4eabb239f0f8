"""Chromium at the real application: who looks, and whether the browser had anything to complain about."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, Request, expect, sync_playwright

from tests.application import Application

ARGUMENTS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
             "--disable-component-update", "--disable-sync"]  # fmt: skip
EXPECTED = "Failed to load resource"  # what Chromium says of an answer with 4xx, which some tests ask for

Open = Callable[..., Page]
expect.set_options(timeout=20_000)  # milliseconds; a busy machine takes its time


@pytest.fixture(scope="session")
def chromium() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path="/usr/bin/chromium", args=ARGUMENTS)
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def cookies(application: Application) -> Callable[[str], list[dict[str, str]]]:
    """The session of a person, signed in once for all tests."""
    kept: dict[str, list[dict[str, str]]] = {}

    def of(person: str) -> list[dict[str, str]]:
        if person not in kept:
            with application.signed_in(person) as browser:
                jar = browser.cookies.jar
                kept[person] = [{"name": one.name, "value": str(one.value), "url": application.address} for one in jar]
        return kept[person]

    return of


@pytest.fixture
def open_as(
    application: Application, chromium: Browser, cookies: Callable[[str], list[dict[str, str]]]
) -> Iterator[Open]:
    """A page in a browser of its own, signed in ("visitor" is not); complaints of the browser fail the test."""
    contexts, complaints = [], []

    def told(kind: str, text: str) -> None:
        if not text.startswith(EXPECTED):
            complaints.append(f"{kind}: {text}")

    def make(person: str, path: str = "/", **options: Any) -> Page:
        context = chromium.new_context(base_url=application.address, **options)
        contexts.append(context)
        if person != "visitor":
            context.add_cookies(cookies(person))  # type: ignore[arg-type]
        page = context.new_page()
        page.on("console", lambda message: told(message.type, message.text) if message.type == "error" else None)
        page.on("pageerror", lambda error: told("page", str(error)))
        page.on("requestfailed", lambda request: told("network", request.url) if _is_missed(request) else None)
        page.goto(path)
        return page

    yield make
    for context in contexts:
        context.close()
    assert not complaints


def _is_missed(request: Request) -> bool:
    """Whether a file of ours did not come; one that was on its way when the page was left is not missed."""
    return "/static/" in request.url and request.failure != "net::ERR_ABORTED"
