"""Logs over plain HTTP."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from asgiref.sync import sync_to_async
from django.template import engines
from django.test import AsyncClient, Client
from django.urls import reverse

from hosts.live import logs
from hosts.models import Log, State, Task
from tests.logs.scenes import end, running_task, write

pytestmark = pytest.mark.django_db


def piece(client: Client, task: Task, query: str = "", name: str = "build") -> Any:
    return client.get(reverse("log-bytes", args=[task.pk, 1, name]) + query)


@pytest.mark.parametrize(
    ("query", "content"),
    [
        ("", b"0123456789"),
        ("?offset=4", b"456789"),
        ("?offset=4&limit=2", b"45"),
        ("?offset=10", b""),
        ("?offset=11", b""),
        ("?limit=999999999", b"0123456789"),
    ],
)
def test_a_piece_of_a_growing_log(client: Client, task: Task, query: str, content: bytes) -> None:
    write(task, b"0123456789")
    answer = piece(client, task, query)
    assert (answer.status_code, answer.content) == (200, content)
    assert answer["Content-Type"] == "text/plain; charset=utf-8"
    assert (answer["X-Log-Size"], answer["X-Log-Over"], answer["X-Log-State"]) == ("10", "0", "running")


def test_a_sealed_log_is_over(client: Client, task: Task) -> None:
    write(task, b"0123456789")
    end(task, State.FAILED)
    logs.seal(task, 1)
    answer = piece(client, task, "?offset=3")
    assert (answer.content, answer["X-Log-Over"], answer["X-Log-State"]) == (b"3456789", "1", "failed")


def test_a_log_that_did_not_begin_is_empty_until_the_end(client: Client, task: Task) -> None:
    answer = piece(client, task)
    assert (answer.status_code, answer.content, answer["X-Log-Over"]) == (200, b"", "0")
    end(task)
    assert piece(client, task).status_code == 404


@pytest.mark.parametrize("query", ["?offset=-1", "?offset=x", "?limit=1e3", "?offset=٣", "?offset=" + "9" * 30])
def test_numbers_that_are_none(client: Client, task: Task, query: str) -> None:
    write(task, b"x")
    answer = piece(client, task, query)
    assert answer.status_code == 400
    assert b"must be a number of bytes" in answer.content


@pytest.mark.parametrize("name", [".hidden", "a b", "%2e%2e"])
def test_names_that_no_log_can_have(client: Client, task: Task, name: str) -> None:
    end(task)
    assert client.get(f"/tasks/{task.pk}/log/1/{name}").status_code == 404
    assert client.get(f"/tasks/{task.pk}/log/1/{name}/raw").status_code == 404


@pytest.mark.parametrize(
    ("role", "public", "status"),
    [
        ("visitor", True, 200),
        ("visitor", False, 404),
        ("stranger", True, 404),
        ("viewer", False, 200),
        ("packager", False, 200),
    ],
)
@pytest.mark.parametrize("address", ["log-bytes", "log-raw"])
def test_who_may_read(client_of: Callable[[str], Client], role: str, public: bool, status: int, address: str) -> None:
    task = running_task(public=public)
    write(task, b"x")
    assert client_of(role).get(reverse(address, args=[task.pk, 1, "build"])).status_code == status


@pytest.mark.asyncio
@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("sealed", [False, True])
async def test_the_whole_log_as_text(sealed: bool) -> None:
    content = b"0123456789abcdef\n" * 100_000

    def prepare() -> Task:
        task = running_task()
        write(task, content)
        if sealed:
            end(task)
            logs.seal(task, 1)
        return task

    task = await sync_to_async(prepare)()
    answer: Any = await AsyncClient().get(reverse("log-raw", args=[task.pk, 1, "build"]))
    assert (answer.status_code, int(answer["Content-Length"])) == (200, len(content))
    assert answer["Content-Type"] == "text/plain; charset=utf-8"
    assert b"".join([chunk async for chunk in answer.streaming_content]) == content


def test_without_javascript_the_page_has_the_end_of_the_log(task: Task) -> None:
    write(task, b"\x1b[31mred\x1b[0m <script>alert(1)</script>\r\n\x1b]0;title\x07last\n")
    page = engines["django"].from_string('{% include "hosts/_log.html" with task=log.task log=log %}')
    text = page.render({"log": Log.objects.get()})
    assert "red &lt;script&gt;alert(1)&lt;/script&gt;\nlast\n</pre>" in text
    assert reverse("log-raw", args=[task.pk, 1, "build"]) in text


def test_before_there_is_a_log_the_page_says_so(task: Task) -> None:
    page = engines["django"].from_string('{% include "hosts/_log.html" with task=task log=None %}')
    assert "There is no log yet" in page.render({"task": task})
