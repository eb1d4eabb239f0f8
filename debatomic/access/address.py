"""Where the request that is being answered came from, for the audit log."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

from asgiref.sync import iscoroutinefunction
from django.http import HttpRequest, HttpResponseBase
from django.utils.decorators import sync_and_async_middleware

_address: ContextVar[str] = ContextVar("address", default="")


def current() -> str:
    """The address of whoever asked; empty outside a request (a command, a worker)."""
    return _address.get()


@contextmanager
def _known(request: HttpRequest) -> Iterator[None]:
    token = _address.set(str(request.META.get("REMOTE_ADDR") or "")[:45])
    try:
        yield
    finally:
        _address.reset(token)


@sync_and_async_middleware
def remember_address(get_response: Callable[[HttpRequest], Any]) -> Callable[[HttpRequest], Any]:
    """Middleware: know the address while its request is answered, in daphne and in threads alike."""

    async def answer_async(request: HttpRequest) -> HttpResponseBase:
        with _known(request):
            waiting: Awaitable[HttpResponseBase] = get_response(request)
            return await waiting

    def answer(request: HttpRequest) -> HttpResponseBase:
        with _known(request):
            response: HttpResponseBase = get_response(request)
            return response

    return answer_async if iscoroutinefunction(get_response) else answer
