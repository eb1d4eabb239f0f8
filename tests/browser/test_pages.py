"""How the pages are: for every role, in light and dark, on a phone, for readers of all kinds."""

from __future__ import annotations

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, expect

from tests.application import Application
from tests.browser.conftest import Open
from tests.main_job.packages import source_package

pytestmark = [pytest.mark.browser, pytest.mark.timeout(600)]  # a new host makes its chroot first

PAGES = ("/", "/builds/", "/builds/new/", "/composes/", "/composes/new/", "/tasks/", "/hosts/", "/hosts/here/",
         "/hosts/here/edit/", "/hosts/here/ran/", "/hosts/-/registrations/", "/statistics/", "/retention/?logs=1",
         "/chroots/", "/chroots/trixie-amd64/", "/chroots/new/",
         "/chroots/trixie-amd64/edit/", "/chroots/trixie-amd64/refreshes/", "/chroots/trixie-amd64/packages/",
         "/chroots/trixie-amd64/builds/", "/artifacts/", "/account/", "/account/keys/", "/users/", "/audit/",
         "/search/?q=broken")  # fmt: skip


@pytest.fixture(scope="module")
def things(application: Application, tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """The pages of a build that failed and of its task, beside those that are always there."""
    script = "echo 'main.c:3:1: error: no such thing'; exit 1"
    build = application.upload(source_package(tmp_path_factory.mktemp("pages"), "broken", build=script))
    application.until(f"builds/{build['id']}/", "failed")
    return [*PAGES, f"/builds/{build['id']}/", f"/tasks/{application.task(build)['id']}/"]


def settled(page: Page, path: str) -> None:
    answer = page.goto(path)
    assert answer is not None and answer.status == 200, path
    if page.locator("[data-log]").count():
        expect(page.locator("[data-log-state]")).to_have_text("Ended")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_nothing_serious_for_axe(open_as: Open, things: list[str], scheme: str) -> None:
    page = open_as("administrator", color_scheme=scheme)
    found = []
    for path in things:
        settled(page, path)
        for violation in Axe().run(page).response["violations"]:
            if violation["impact"] in ("serious", "critical"):
                where = [node["target"] for node in violation["nodes"]]
                found.append(f"{path}: {violation['id']} {violation['help']} {where}")
    assert not found, "\n".join(found)


@pytest.mark.parametrize("width", [360, 1920])
def test_no_page_is_wider_than_the_screen(open_as: Open, things: list[str], width: int) -> None:
    page = open_as("administrator", viewport={"width": width, "height": 740})
    wide = []
    for path in things:
        settled(page, path)
        needed = page.evaluate("document.documentElement.scrollWidth")
        if needed > width:
            wide.append(f"{path} is {needed} px wide")
    assert not wide, "\n".join(wide)


def test_dark_is_dark_and_the_switch_stays(open_as: Open) -> None:
    def brightness(page: Page) -> float:
        colour = page.evaluate("getComputedStyle(document.body).backgroundColor")
        return sum(int(part) for part in colour[4:-1].split(",")[:3]) / 3

    page = open_as("viewer", color_scheme="dark")
    assert brightness(page) < 60
    page = open_as("viewer", color_scheme="light")
    assert brightness(page) > 200
    switch = page.locator("[data-theme-switch]")
    for _ in range(3):  # light, dark, as the system
        switch.click()
        if brightness(page) < 60:
            break
    assert brightness(page) < 60
    page.reload()
    assert brightness(page) < 60


MAY = {  # role: sees these on the dashboard or its menu
    "visitor": set(),
    "viewer": set(),
    "packager": {"Build a package"},
    "release-manager": {"Build a package", "Compose a system"},
    "administrator": {"Build a package", "Compose a system", "Users and roles", "Audit log"},
}


@pytest.mark.parametrize("role", MAY)
def test_what_each_role_is_offered(open_as: Open, role: str) -> None:
    page = open_as(role)
    if role != "visitor":
        page.locator(".user-menu summary").click()
    offered = {name for name in MAY["administrator"] if page.get_by_role("link", name=name).count()}
    assert offered == MAY[role]
    for name, path in {"Build a package": "/builds/new/", "Compose a system": "/composes/new/",
                       "Users and roles": "/users/", "Audit log": "/audit/"}.items():  # fmt: skip
        answer = page.goto(path)
        assert answer is not None
        if name in MAY[role]:
            assert answer.status == 200
        elif role == "visitor":
            assert "/sign-in/" in page.url
        else:
            assert answer.status in (403, 404)


def test_sign_in_and_out(application: Application, open_as: Open) -> None:
    page = open_as("visitor", "/sign-in/")
    page.get_by_label("Name", exact=True).fill("viewer")
    page.get_by_label("Password").fill("not the password")
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("alert")).to_be_visible()
    page.get_by_label("Name", exact=True).fill("viewer")
    page.get_by_label("Password").fill(application.password("viewer"))
    page.get_by_role("button", name="Sign in").click()
    page.wait_for_url(application.address + "/")
    page.locator(".user-menu summary").click()
    page.get_by_role("button", name="Sign out").click()
    expect(page.get_by_role("link", name="Sign in")).to_be_visible()
    expect(page.locator(".user-menu")).to_have_count(0)
