"""The viewer in Chromium, on the page of a log."""

from __future__ import annotations

import re
import time
from collections.abc import Callable

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, expect

from hosts.models import State, Task
from tests.logs.scenes import LiveHub, end, write
from tests.logs.viewer import RED_ERROR, long_log, row, text_of, wait_for_lines

pytestmark = pytest.mark.browser
RESTING = """async e => {  // the wheel may glide on: where it is once ten frames show the same
  for (let before = e.scrollTop, same = 0; same < 10; before = e.scrollTop) {
    await new Promise(requestAnimationFrame);
    same = e.scrollTop === before ? same + 1 : 0;
  }
  return e.scrollTop;
}"""


@pytest.fixture
def task(live_task: Task) -> Task:
    return live_task


def test_a_hundred_thousand_lines(page: Page, task: Task, show: Callable[..., None]) -> None:
    write(task, long_log())
    end(task, State.FAILED)
    show()
    wait_for_lines(page, 100_000)
    expect(page.locator("[data-log-state]")).to_have_text("Ended")
    expect(text_of(page, 100_000)).to_have_text("the end")
    expect(text_of(page, 100_000)).to_be_in_viewport()
    for fraction in (0.1, 0.5, 0.9):
        page.locator("[data-log-scroll]").evaluate("(e, f) => { e.scrollTop = e.scrollHeight * f; }", fraction)
        expect(row(page, int(100_000 * fraction) + 2)).to_be_in_viewport()
        assert page.locator(".log-row").count() < 120
    numbers = [int(number) for number in page.locator(".log-number").all_inner_texts()]
    assert numbers == list(range(numbers[0], numbers[0] + len(numbers)))


def test_search_finds_all_lines(page: Page, task: Task, show: Callable[..., None]) -> None:
    write(task, long_log())
    show()
    wait_for_lines(page, 100_000)
    page.keyboard.press("g")
    page.keyboard.press("/")
    page.keyboard.type("NEEDLE")
    found = page.locator("[data-log-found]")
    expect(found).to_have_text("1 of 10 lines")
    expect(row(page, 78)).to_have_class(re.compile("is-current"))
    expect(row(page, 78).locator("mark")).to_have_text("needle")
    page.keyboard.press("Enter")
    expect(found).to_have_text("2 of 10 lines")
    page.keyboard.press("Shift+Enter")
    page.keyboard.press("Shift+Enter")
    expect(found).to_have_text("10 of 10 lines")
    expect(row(page, 90_078)).to_be_in_viewport()
    write(task, b"one more needle\n")
    expect(found).to_have_text("10 of 11 lines")
    page.locator("[data-log-scroll]").focus()
    page.keyboard.press("n")
    expect(found).to_have_text("11 of 11 lines")
    page.keyboard.press("N")
    expect(found).to_have_text("10 of 11 lines")
    page.keyboard.press("/")
    page.keyboard.type("no such words")
    expect(found).to_have_text("Nothing found")
    page.keyboard.press("Escape")
    expect(page.locator("mark")).to_have_count(0)


def test_errors_and_sections_are_jumped_to(page: Page, task: Task, show: Callable[..., None]) -> None:
    write(task, long_log())
    show()
    wait_for_lines(page, 100_000)
    expect(page.locator("[data-log-error-count]")).to_have_text("2")
    page.keyboard.press("e")
    expect(text_of(page, 4_120)).to_have_text("error: no such thing <b>")
    expect(row(page, 4_120)).to_be_in_viewport()
    expect(row(page, 4_120).locator(".sgr-bold.sgr-fg-1")).to_have_text("error: ")
    page.locator("[data-log-error]").click()
    expect(row(page, 70_001)).to_be_in_viewport()
    page.locator("[data-log-sections]").select_option(label="build")
    expect(row(page, 60_001)).to_be_in_viewport()
    expect(row(page, 60_001).get_by_role("heading")).to_have_text("== PHASE build")


def test_a_line_has_an_address(page: Page, task: Task, show: Callable[..., None]) -> None:
    write(task, long_log())
    show("#L50000-L50002")
    expect(row(page, 50_000)).to_be_in_viewport()
    expect(page.locator(".is-target .log-number")).to_have_text(["50000", "50001", "50002"])
    row(page, 50_003).locator(".log-number").click()
    expect(page).to_have_url(re.compile("#L50003$"))
    row(page, 50_001).locator(".log-number").click(modifiers=["Shift"])
    expect(page).to_have_url(re.compile("#L50001-L50003$"))
    expect(page.locator(".is-target")).to_have_count(3)
    expect(page.locator("[data-log-follow]")).to_have_attribute("aria-pressed", "false")


def test_a_line_that_is_not_written_yet_is_waited_for(page: Page, task: Task, show: Callable[..., None]) -> None:
    write(task, b"first\n")
    show("#L400")
    wait_for_lines(page, 1)
    write(task, b"more\n" * 999)
    expect(row(page, 400)).to_be_in_viewport()
    expect(row(page, 400)).to_have_class(re.compile("is-target"))


def test_a_line_is_on_screen_soon_after_it_is_written(page: Page, task: Task, show: Callable[..., None]) -> None:
    write(task, b"first\n")
    show()
    wait_for_lines(page, 1)
    seconds = []
    for number in range(2, 12):
        began = time.monotonic()
        write(task, f"line {number}\n".encode())
        expect(text_of(page, number)).to_have_text(f"line {number}")
        seconds.append(time.monotonic() - began)
    print(f"from written to seen: {sorted(round(each * 1000) for each in seconds)} ms")
    assert sorted(seconds)[len(seconds) // 2] < 0.5  # on a quiet machine a tenth of a second
    write(task, b"half")
    expect(text_of(page, 12)).to_have_text("half")
    write(task, b" and half\n")
    expect(text_of(page, 12)).to_have_text("half and half")


def test_following_ends_when_the_reader_scrolls_up(page: Page, task: Task, show: Callable[..., None]) -> None:
    write(task, b"line\n" * 500)
    show()
    wait_for_lines(page, 500)
    follow = page.locator("[data-log-follow]")
    expect(follow).to_have_attribute("aria-pressed", "true")
    write(task, b"line\n" * 500)
    expect(row(page, 1_000)).to_be_in_viewport()
    page.locator("[data-log-scroll]").hover()
    page.mouse.wheel(0, -400)
    expect(follow).to_have_attribute("aria-pressed", "false")
    before = page.locator("[data-log-scroll]").evaluate(RESTING)
    write(task, b"line\n" * 500)
    wait_for_lines(page, 1_500)
    assert abs(page.locator("[data-log-scroll]").evaluate("e => e.scrollTop") - before) < 60
    page.keyboard.press("f")
    expect(row(page, 1_500)).to_be_in_viewport()


def test_a_lost_connection_goes_on_where_it_stopped(
    page: Page, live_hub: LiveHub, task: Task, show: Callable[..., None]
) -> None:
    write(task, b"".join(b"line %d\n" % n for n in range(1, 1_001)))
    show()
    wait_for_lines(page, 1_000)
    live_hub.kill()
    expect(page.locator("[data-log-state]")).to_have_text(re.compile("trying again in"))
    write(task, b"".join(b"line %d\n" % n for n in range(1_001, 2_001)))
    live_hub.start()
    wait_for_lines(page, 2_000)
    expect(text_of(page, 2_000)).to_have_text("line 2000")
    end(task)
    expect(page.locator("[data-log-state]")).to_have_text("Ended")
    wait_for_lines(page, 2_000)


def test_without_websockets_it_asks_again_and_again(page: Page, task: Task, show: Callable[..., None]) -> None:
    page.route_web_socket(re.compile("/ws/"), lambda socket: socket.close(code=1011))
    write(task, b"".join(b"line %d\n" % n for n in range(1, 300_001)))  # more than one piece
    show()
    wait_for_lines(page, 300_000)
    expect(page.locator("[data-log-state]")).to_have_text("Live, asking every second")
    write(task, b"one more\n")
    expect(text_of(page, 300_001)).to_have_text("one more")
    end(task)
    expect(page.locator("[data-log-state]")).to_have_text("Ended", timeout=10_000)


TERMINAL = [
    (b"<script>document.title = 'x'</script>", "<script>document.title = 'x'</script>"),
    (b"\x1b]8;;http://example.org\x07a link\x1b]8;;\x07 \x1b[2J\x1b[10;3Hmoved\x1b(B", "a link moved"),
    (b"\x1b]0;a title\x1b\\text\x1b[", "text"),
    (b"10%\r50%\r100%\r", "100%"),
    (b"bell\x07 and \x00nul\x08", "bell and nul"),
    ("żółć \u202e\U0001f427".encode(), "żółć \U0001f427"),
    (b"\xff\xfe broken", "\ufffd\ufffd broken"),
    (b"x" * 5000, "x" * 4096 + " \u2026 904 more bytes: see the raw log"),
]


def test_what_a_terminal_would_show(page: Page, task: Task, show: Callable[..., None]) -> None:
    write(task, b"".join(line + b"\n" for line, _ in TERMINAL))
    show()
    wait_for_lines(page, len(TERMINAL))
    expect(page.locator(".log-text")).to_have_count(len(TERMINAL))
    assert page.locator(".log-text").all_inner_texts() == [shown for _, shown in TERMINAL]
    assert page.title() != "x"


COLOURS = {
    "31": "sgr-fg-1",
    "1;92": "sgr-bold sgr-fg-10",
    "44": "sgr-fg-ground sgr-bg-4",
    "38;5;196": "sgr-fg-9",
    "38;2;10;200;10": "sgr-fg-2",
    "38;5;240": "sgr-fg-8",
    "7": "sgr-fg-ground sgr-bg-text",
    "7;31": "sgr-fg-ground sgr-bg-1",
    "1;31;22": "sgr-fg-1",
    "31;39;4": "sgr-underline",
}


def test_colours_become_classes(page: Page, task: Task, show: Callable[..., None]) -> None:
    write(task, "".join(f"plain \x1b[{codes}m{codes}\x1b[0m plain\n" for codes in COLOURS).encode())
    show()
    wait_for_lines(page, len(COLOURS))
    coloured = page.locator(".log-text > span")
    expect(coloured).to_have_text(list(COLOURS))
    assert [each.get_attribute("class") for each in coloured.all()] == list(COLOURS.values())


def test_everybody_can_read_it(page: Page, task: Task, show: Callable[..., None]) -> None:
    colours = " ".join(f"\x1b[{code}m{code}\x1b[0m" for code in [*range(30, 38), *range(90, 98), *range(40, 48)])
    write(task, f"== PHASE build\n{colours}\n{RED_ERROR}\nneedle \x1b[7minverse\x1b[0m\n".encode())
    show("#L4")
    wait_for_lines(page, 4)
    page.locator("[data-log-search]").fill("needle")
    expect(page.locator("mark")).to_have_count(1)
    for theme, width in [("light", 390), ("dark", 390), ("light", 1280), ("dark", 1280)]:
        page.set_viewport_size({"width": width, "height": 844})
        page.evaluate("theme => { document.documentElement.dataset.bsTheme = theme; }", theme)
        violations = Axe().run(page, context=".log").response["violations"]
        assert [(each["id"], node["html"]) for each in violations for node in each["nodes"]] == []
        assert page.evaluate("() => document.documentElement.scrollWidth") <= width
