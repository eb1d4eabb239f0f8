"""A chroot by form: what is wrong is told at its field, what is right is made, refreshed and looked into."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from tests.application import Application
from tests.browser.conftest import Open

pytestmark = [pytest.mark.browser, pytest.mark.timeout(600)]
MADE = 400_000  # milliseconds


def test_make_refresh_and_delete_by_form(application: Application, open_as: Open) -> None:
    page = open_as("administrator", "/chroots/")
    page.get_by_role("link", name="Make a chroot").click()
    page.get_by_label("Name", exact=True).fill("formed")
    page.get_by_label("Suite", exact=True).fill("trixie")
    page.get_by_label("Variant").select_option("minbase")
    page.get_by_role("button", name="Make chroot").click()
    architecture = page.get_by_label("Architecture", exact=True)
    expect(architecture).to_have_attribute("aria-invalid", "true")
    expect(page.get_by_label("Suite", exact=True)).to_have_value("trixie")
    architecture.fill("amd64")
    page.get_by_label("Repositories and other keys").fill("refresh_after: soon")
    page.get_by_role("button", name="Make chroot").click()
    expect(page.locator("#main")).to_contain_text("Line 1: refresh_after must be a number of seconds")
    page.get_by_label("Repositories and other keys").fill("refresh_after: 3600")
    page.get_by_role("button", name="Make chroot").click()
    page.wait_for_url("**/chroots/formed/")
    expect(page.locator("#main")).to_contain_text("Not refreshed yet.")

    page.get_by_role("button", name="Refresh").click()
    page.wait_for_url("**/tasks/*/")
    page.goto("/chroots/formed/")
    copies = page.get_by_role("region", name="On hosts")
    expect(copies).to_contain_text("here", timeout=MADE)  # nobody reloads the page
    page.locator("#main").get_by_role("link", name="packages").first.click()
    page.get_by_label("Name has").fill("libc6")
    page.get_by_role("button", name="Search").click()
    expect(page.get_by_role("row")).to_have_count(2)

    page.goto("/chroots/formed/delete/")
    page.get_by_role("button", name="Delete formed").click()
    expect(page.locator(".note")).to_contain_text("formed is deleted. 1 host removes its copy.")
