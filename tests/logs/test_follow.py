"""Logs and events over WebSockets, as channels runs them."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from asgiref.sync import sync_to_async
from channels.testing import WebsocketCommunicator
from django.test import Client

from debatomic.access.models import RoleBinding
from debatomic.asgi import application
from hosts.live import consumers, event_feed, logs, tailer
from hosts.models import Event, State, Task
from tests.logs.scenes import end, running_task, write

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.asyncio]

SITE = [(b"origin", b"http://localhost"), (b"host", b"localhost")]
THERE = sync_to_async(running_task)
WRITE = sync_to_async(write)
END = sync_to_async(end)


@asynccontextmanager
async def socket(path: str, headers: list[tuple[bytes, bytes]] | None = None) -> AsyncIterator[WebsocketCommunicator]:
    made = WebsocketCommunicator(application, path, headers=SITE if headers is None else headers)
    accepted, _ = await made.connect(timeout=30)
    assert accepted
    try:
        yield made
    finally:
        await made.disconnect(timeout=30)


async def received(reader: WebsocketCommunicator, *, acknowledge: bool = True, at: int = 0) -> tuple[bytes, Any]:
    """Everything up to the end frame, and the end frame."""
    content = b""
    while True:
        frame = await reader.receive_from(timeout=30)
        if isinstance(frame, str):
            return content, json.loads(frame)
        content += frame
        if acknowledge:
            await reader.send_json_to({"at": at + len(content)})


async def close_code(reader: WebsocketCommunicator) -> int:
    message = await reader.receive_output(timeout=30)
    assert message["type"] == "websocket.close"
    return int(message["code"])


# One log


async def test_a_line_comes_soon_after_it_is_written() -> None:
    task = await THERE()
    async with socket(f"/ws/logs/{task.pk}/1/build/") as reader:
        seconds = []
        for line in (b"one\n", b"two\n", b"six\n"):
            await asyncio.sleep(0.15)
            began = asyncio.get_running_loop().time()
            await WRITE(task, line)
            assert await reader.receive_from(timeout=30) == line
            seconds.append(asyncio.get_running_loop().time() - began)
        assert min(seconds) < 0.5  # the machine may have had something else to do, but not each time
        await END(task, State.FAILED)
        assert await received(reader) == (b"", {"end": True, "size": 12, "state": "failed"})
        assert await close_code(reader) == 1000


@pytest.mark.parametrize("sealed", [False, True])
@pytest.mark.parametrize("offset", [0, 1, 65_536, 99_999, 100_000])
async def test_an_ended_log_comes_from_any_offset(sealed: bool, offset: int) -> None:
    task = await THERE()
    content = b"0123456789" * 10_000
    await WRITE(task, content)
    await END(task)
    if sealed:
        await sync_to_async(logs.seal)(task, 1)
    async with socket(f"/ws/logs/{task.pk}/1/build/?offset={offset}") as reader:
        rest, last = await received(reader, at=offset)
    assert rest == content[offset:]
    assert last == {"end": True, "size": 100_000, "state": "completed"}


async def test_a_log_that_is_sealed_meanwhile_goes_on_to_its_end() -> None:
    task = await THERE()
    await WRITE(task, b"before\n")
    async with socket(f"/ws/logs/{task.pk}/1/build/") as reader:
        assert await reader.receive_from(timeout=30) == b"before\n"
        await WRITE(task, b"after\n")
        await END(task)
        await sync_to_async(logs.seal)(task, 1)
        assert await received(reader) == (b"after\n", {"end": True, "size": 13, "state": "completed"})


async def test_the_log_of_a_lost_attempt_ends_though_the_task_goes_on() -> None:
    task = await THERE()
    await WRITE(task, b"lost\n")
    await sync_to_async(Task.objects.filter(pk=task.pk).update)(attempt=2)
    async with socket(f"/ws/logs/{task.pk}/1/build/") as reader:
        assert await received(reader) == (b"lost\n", {"end": True, "size": 5, "state": "running"})


async def test_a_reader_that_does_not_acknowledge_gets_no_more_than_the_window() -> None:
    task = await THERE()
    content = bytes(range(256)) * 8192  # 2 MiB
    await WRITE(task, content)
    async with socket(f"/ws/logs/{task.pk}/1/build/") as reader:
        held = b""
        while len(held) < consumers.WINDOW_BYTES:
            held += await reader.receive_from(timeout=30)
        assert await reader.receive_nothing(timeout=0.5)
        assert len(held) == consumers.WINDOW_BYTES
        await reader.send_json_to({"at": len(held)})
        await END(task)
        rest, last = await received(reader, at=len(held))
        assert (held + rest == content, last["size"]) == (True, len(content))


async def test_viewers_share_one_look_at_the_file() -> None:
    task = await THERE()
    await WRITE(task, b"x\n")
    async with socket(f"/ws/logs/{task.pk}/1/build/") as one, socket(f"/ws/logs/{task.pk}/1/build/") as two:
        assert await one.receive_from(timeout=30) == await two.receive_from(timeout=30) == b"x\n"
        assert [tail.viewers for tail in tailer.tailer()._tails.values()] == [2]
    assert not tailer.tailer()._tails


@pytest.mark.parametrize("message", ["", "[]", "{", '{"at": "x"}', '{"at": null}', "nonsense"])
async def test_a_message_without_sense_changes_nothing(message: str) -> None:
    task = await THERE()
    async with socket(f"/ws/logs/{task.pk}/1/build/") as reader:
        await reader.send_input({"type": "websocket.receive", "text": message})
        await WRITE(task, b"x\n")
        assert await reader.receive_from(timeout=30) == b"x\n"


@pytest.mark.parametrize(
    ("address", "code"),
    [
        ("/ws/logs/{task}/1/build/?offset=-1", 4400),
        ("/ws/logs/{task}/1/build/?offset=x", 4400),
        ("/ws/logs/{task}/1/.hidden/", 4400),
        ("/ws/logs/4711/1/build/", 4404),
        ("/ws/nowhere/", 4404),
    ],
)
async def test_addresses_that_are_refused(address: str, code: int) -> None:
    task = await THERE()
    async with socket(address.format(task=task.pk)) as reader:
        assert await close_code(reader) == code


@pytest.mark.parametrize("origin", [None, b"http://evil.example.org"])
async def test_other_sites_are_turned_away(origin: bytes | None) -> None:
    task = await THERE()
    headers = [] if origin is None else [(b"origin", origin)]
    reader = WebsocketCommunicator(application, f"/ws/logs/{task.pk}/1/build/", headers=headers)
    accepted, _ = await reader.connect(timeout=30)
    assert not accepted


# Who may see it


@pytest.fixture
def headers_of(client_of: Callable[[str], Client]) -> Callable[[str], list[tuple[bytes, bytes]]]:
    def make(role: str) -> list[tuple[bytes, bytes]]:
        cookies = client_of(role).cookies
        return [*SITE, (b"cookie", f"sessionid={cookies['sessionid'].value}".encode())] if cookies else SITE

    return make


@pytest.mark.parametrize(
    ("role", "public", "site_public", "seen"),
    [
        ("visitor", True, True, True),
        ("visitor", False, True, False),
        ("visitor", True, False, False),
        ("stranger", True, True, False),
        ("viewer", True, True, True),
        ("viewer", False, False, True),
        ("packager", False, True, True),
        ("administrator", False, True, True),
    ],
)
async def test_who_may_see_a_log(
    headers_of: Callable[[str], Any], settings: Any, role: str, public: bool, site_public: bool, seen: bool
) -> None:
    settings.PUBLIC_READING = site_public
    task = await sync_to_async(running_task)(public=public)
    await WRITE(task, b"x\n")
    headers = await sync_to_async(headers_of)(role)
    async with socket(f"/ws/logs/{task.pk}/1/build/", headers) as reader:
        if seen:
            assert await reader.receive_from(timeout=30) == b"x\n"
        else:
            assert await close_code(reader) == 4404


async def test_who_loses_the_right_is_cut_off(
    headers_of: Callable[[str], Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(consumers, "RIGHTS_SECONDS", 0.1)
    task = await sync_to_async(running_task)(public=False)
    headers = await sync_to_async(headers_of)("viewer")
    async with socket(f"/ws/logs/{task.pk}/1/build/", headers) as reader:
        assert await reader.receive_nothing(timeout=0.3)
        await sync_to_async(RoleBinding.objects.filter(user__username="viewer").delete)()
        assert await close_code(reader) == 4404


# Events


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(event_feed, "POLL_SECONDS", 0.05)
    yield


async def heard(listener: WebsocketCommunicator, *topics: str) -> list[str]:
    """Listen to topics; returns those that are allowed."""
    await listener.send_json_to({"listen": list(topics)})
    return list((await listener.receive_json_from(timeout=30))["listening"])


async def what_comes(listener: WebsocketCommunicator) -> list[tuple[str, str]]:
    events = (await listener.receive_json_from(timeout=30))["events"]
    return [(f"{event['kind']}:{event['key']}", event["what"]) for event in events]


async def test_events_of_the_topics_one_listens_to() -> None:
    mine, other = await THERE(), await THERE()
    async with socket("/ws/events/") as listener:
        assert await heard(listener, f"task:{mine.pk}") == [f"task:{mine.pk}"]
        await sync_to_async(other.announce)("running")
        await sync_to_async(mine.announce)("failed")
        assert await what_comes(listener) == [(f"task:{mine.pk}", "failed")]
        assert await listener.receive_nothing(timeout=0.3)


async def test_what_happened_just_before_is_told_once() -> None:
    task = await THERE()
    await sync_to_async(task.announce)("running")
    async with socket("/ws/events/") as listener:
        await heard(listener, f"task:{task.pk}")
        assert await what_comes(listener) == [(f"task:{task.pk}", "running")]
        await heard(listener, f"task:{task.pk}", "tasks")
        assert await listener.receive_nothing(timeout=0.3)


async def test_an_event_that_is_committed_late_is_not_missed() -> None:
    """A transaction that took its number early may be seen after a later one."""
    task = await THERE()
    async with socket("/ws/events/") as listener:
        await heard(listener, "tasks")
        await sync_to_async(Event.objects.create)(pk=9, kind="task", key=str(task.pk), what="b", topics=task.topics())
        assert await what_comes(listener) == [(f"task:{task.pk}", "b")]
        await sync_to_async(Event.objects.create)(pk=8, kind="task", key=str(task.pk), what="a", topics=task.topics())
        assert await what_comes(listener) == [(f"task:{task.pk}", "a")]


@pytest.mark.parametrize(
    ("role", "site_public", "allowed"),
    [
        ("visitor", True, {"tasks", "task:1", "method:work", "builds", "hosts"}),
        ("visitor", False, set()),
        ("stranger", True, set()),
        ("viewer", True, {"tasks", "task:1", "method:work", "builds", "hosts"}),
    ],
)
async def test_who_may_listen_to_what(
    headers_of: Callable[[str], Any], settings: Any, role: str, site_public: bool, allowed: set[str]
) -> None:
    settings.PUBLIC_READING = site_public
    headers = await sync_to_async(headers_of)(role)
    async with socket("/ws/events/", headers) as listener:
        named = ["tasks", "task:1", "method:work", "builds", "hosts", "Bad Topic"]
        assert set(await heard(listener, *named)) == allowed


async def test_a_visitor_hears_of_public_tasks_only() -> None:
    public, secret = await THERE(), await sync_to_async(running_task)(public=False)
    async with socket("/ws/events/") as listener:
        await heard(listener, "tasks", "builds", f"task:{secret.pk}")
        create = sync_to_async(Event.objects.create)
        await create(kind="build", key="1", what="failed", topics=["builds", f"task:{secret.pk}"])
        await sync_to_async(secret.announce)("failed")
        await create(kind="host", key="builder-1", what="silent", topics=["tasks", "hosts"])
        await sync_to_async(public.announce)("failed")
        assert await what_comes(listener) == [(f"task:{public.pk}", "failed")]
        assert await listener.receive_nothing(timeout=0.3)


async def test_who_loses_the_right_hears_nothing_more(
    headers_of: Callable[[str], Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(consumers, "RIGHTS_SECONDS", -1.0)
    secret = await sync_to_async(running_task)(public=False)
    headers = await sync_to_async(headers_of)("viewer")
    async with socket("/ws/events/", headers) as listener:
        await heard(listener, "tasks")
        await sync_to_async(secret.announce)("running")
        assert await what_comes(listener) == [(f"task:{secret.pk}", "running")]
        await sync_to_async(RoleBinding.objects.filter(user__username="viewer").delete)()
        await sync_to_async(secret.announce)("failed")
        assert await listener.receive_nothing(timeout=0.5)


async def test_a_viewer_hears_of_every_task(headers_of: Callable[[str], Any]) -> None:
    secret = await sync_to_async(running_task)(public=False)
    headers = await sync_to_async(headers_of)("viewer")
    async with socket("/ws/events/", headers) as listener:
        await heard(listener, "tasks")
        await sync_to_async(secret.announce)("failed")
        assert await what_comes(listener) == [(f"task:{secret.pk}", "failed")]
