"""What people do all day, in Chromium at the real application, with real builds."""

from __future__ import annotations

import hashlib
import os
import re
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, expect

from tests.application import STATE, Application, left_of, wait
from tests.browser.conftest import Open
from tests.main_job.packages import source_package

pytestmark = [pytest.mark.browser, pytest.mark.timeout(600)]  # a new host makes its chroot first
LINES = 8
SOON = 20_000  # milliseconds
BUILT = 400_000  # with the chroot that a new host makes first
FOCUS_SHOWS = """() => {
  const { outlineStyle, boxShadow } = getComputedStyle(document.activeElement);
  return document.activeElement !== document.body && (outlineStyle !== "none" || boxShadow !== "none");
}"""
ENDLESS = f"sleep 3000.{os.getpid()}"  # like no other on this machine


def counting(folder: Path) -> list[Path]:
    script = f"for n in $$(seq {LINES}); do echo counted $$n of {LINES}; sleep 1; done"
    return sorted(source_package(folder, "counting", build=script).parent.glob("counting_*"))


def submit_upload(page: Page, paths: list[Path]) -> None:
    page.goto("/builds/new/")
    page.get_by_label("Source package files").set_input_files(paths)
    page.get_by_label("Scratch build").check()
    page.get_by_role("button", name="Submit build").click()
    page.wait_for_url(re.compile(r"/builds/\d+/$"))


def test_submit_watch_live_and_download(open_as: Open, tmp_path: Path) -> None:
    page = open_as("packager")
    submit_upload(page, counting(tmp_path))
    expect(page.get_by_role("heading", level=1)).to_contain_text("counting")
    lines = page.locator(".log-text")
    expect(lines.filter(has_text="counted 1 of")).to_be_visible(timeout=BUILT)  # nobody reloads the page
    expect(lines.filter(has_text=f"counted {LINES} of")).to_have_count(0)
    expect(lines.filter(has_text=f"counted {LINES} of")).to_be_visible(timeout=60_000)
    expect(page.locator("[data-log-state]")).to_have_text("Ended", timeout=60_000)
    expect(page.locator("#main .head")).to_contain_text("completed", timeout=60_000)

    name = "counting_1.0_amd64.deb"
    row = page.get_by_role("row").filter(has_text=name)
    with page.expect_download() as downloading:
        row.get_by_role("link", name=name).click()
    content = Path(downloading.value.path()).read_bytes()
    assert hashlib.sha256(content).hexdigest() in row.inner_text()
    assert content.startswith(b"!<arch>\n")


def test_cancel_by_button(application: Application, open_as: Open, tmp_path: Path) -> None:
    page = open_as("packager")
    paths = source_package(tmp_path, "endless", build=f"echo begun; {ENDLESS}").parent.glob("endless_*")
    submit_upload(page, sorted(paths))
    expect(page.locator(".log-text").get_by_text("begun", exact=True)).to_be_visible(timeout=BUILT)
    page.get_by_role("button", name="Cancel").click()
    expect(page.locator("#main .head")).to_contain_text("canceled", timeout=SOON)
    expect(page.get_by_role("button", name="Retry")).to_be_visible()
    wait(lambda: not left_of(ENDLESS), 60, lambda: left_of(ENDLESS))


def test_a_wrong_name_is_refused_at_its_field(open_as: Open) -> None:
    page = open_as("packager", "/builds/new/")
    source = page.get_by_label("Source", exact=True)
    source.fill("figlte")
    page.get_by_role("button", name="Submit build").click()
    source = page.get_by_label("Source", exact=True)
    expect(source).to_have_value("figlte")
    expect(source).to_have_attribute("aria-invalid", "true")
    told = page.locator(f"#{str(source.get_attribute('aria-describedby')).split()[0]}")
    expect(page.locator("#main")).to_contain_text("no source package 'figlte'")
    expect(told).to_be_visible()


def test_compose_by_form_and_cancel(application: Application, open_as: Open) -> None:
    page = open_as("release-manager", "/composes/new/")
    page.get_by_role("button", name="Submit compose").click()
    page.wait_for_url(re.compile(r"/composes/\d+/$"))
    phases = page.locator(".phase-bar .phase")
    expect(phases.first).to_contain_text("init")
    expect(page.locator(".phase-running")).to_have_count(1, timeout=60_000)  # the bar moves by itself
    page.get_by_role("button", name="Cancel").click()
    expect(page.locator("#main .head")).to_contain_text(re.compile("terminated|canceled"), timeout=SOON)
    mine = f"--state {STATE}"  # others may compose on this machine
    wait(lambda: not left_of(mine), 60, lambda: left_of(mine))


def test_keyboard_alone(application: Application, open_as: Open) -> None:
    """Sign in and reach a field's error, without ever touching the mouse."""
    page = open_as("visitor", "/sign-in/?next=/builds/new/")
    expect(page.get_by_label("Name", exact=True)).to_be_focused()
    page.keyboard.type("packager")
    page.keyboard.press("Tab")
    expect(page.get_by_label("Password", exact=True)).to_be_focused()
    page.keyboard.type(application.password("packager"))
    page.keyboard.press("Enter")
    page.wait_for_url(f"{application.address}/builds/new/")
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to content")).to_be_focused()
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    expect(page.get_by_label("Source", exact=True)).to_be_focused()
    page.keyboard.type("no-such-source")
    page.keyboard.press("Enter")
    expect(page.locator("#main")).to_contain_text("no source package 'no-such-source'")
    page.keyboard.press("Tab")
    assert page.evaluate(FOCUS_SHOWS)


def test_without_javascript(application: Application, open_as: Open, tmp_path: Path) -> None:
    """Everything but what is live works: submit, read the log's end, cancel."""
    page = open_as("packager", java_script_enabled=False)
    paths = source_package(tmp_path, "plain", build="echo begun; sleep 3000").parent.glob("plain_*")
    submit_upload(page, sorted(paths))
    number = page.url.rstrip("/").rpartition("/")[2]
    application.until_log(application.get(f"builds/{number}/"), b"begun")
    page.reload()
    expect(page.locator(".log-tail")).to_contain_text("begun")
    page.get_by_role("button", name="Cancel").click()
    application.until(f"builds/{number}/", "canceled", seconds=60)
    page.reload()
    expect(page.locator("#main .head")).to_contain_text("canceled")


def test_a_packager_compares_a_build_with_the_archive(open_as: Open, application: Application, tmp_path: Path) -> None:
    build = application.upload(source_package(tmp_path, "besides"))
    application.until(f"builds/{build['id']}/", "completed")
    page = open_as("packager", f"/builds/{build['id']}/")
    page.get_by_role("button", name="Compare with the archive").click()
    compared = page.get_by_role("region", name="Compared with the archive")
    expect(compared.get_by_text("not in the archive")).to_be_visible(timeout=BUILT)  # without a reload
    expect(compared.get_by_text("trixie has no such package")).to_be_visible()
    expect(page.get_by_role("button", name="Compare with the archive")).to_be_visible()
    assert not [one["id"] for one in Axe().run(page).response["violations"] if one["impact"] in ("serious", "critical")]
