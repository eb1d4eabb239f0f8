"""HTTP over connections that are kept: a build fetches dozens of files, most of them small, from one server."""

from __future__ import annotations

import http.client
import socket
import threading
import time
import urllib.error
import urllib.parse
import urllib.request
from contextlib import suppress
from dataclasses import dataclass

ADDRESS_SECONDS = 60.0


class Addresses:
    """What names resolved to a moment ago: small name servers lose queries that come in bursts, each of which then
    costs five seconds."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._known: dict[tuple[str, int], tuple[float, list[str]]] = {}

    def of(self, host: str, port: int) -> list[str]:
        with self._lock:
            until, addresses = self._known.get((host, port), (0.0, []))
            if time.monotonic() > until:
                answers = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
                addresses = [str(answer[4][0]) for answer in answers]
                self._known[host, port] = (time.monotonic() + ADDRESS_SECONDS, addresses)
            return addresses


class Connection(http.client.HTTPConnection):
    addresses = Addresses()

    def connect(self) -> None:
        *others, last = self.addresses.of(self.host, self.port)
        for address in others:
            with suppress(OSError):
                self.sock = socket.create_connection((address, self.port), self.timeout)
                return
        self.sock = socket.create_connection((last, self.port), self.timeout)


@dataclass(kw_only=True)
class Line:
    """A connection, and the last answer that came through it."""

    connection: http.client.HTTPConnection
    answer: http.client.HTTPResponse | None = None

    @property
    def is_free(self) -> bool:
        """Whether that answer was read to its end, so that the next one can be told from it."""
        return self.answer is not None and self.answer.length == 0

    def ask(self, request: urllib.request.Request) -> http.client.HTTPResponse:
        headers = {**request.headers, **request.unredirected_hdrs}
        self.connection.request(request.get_method(), request.selector, headers=headers)
        self.answer = self.connection.getresponse()
        return self.answer


class Lines(threading.local):
    """Those of one thread, by the server's kind and name."""

    def __init__(self) -> None:
        self.known: dict[tuple[type[http.client.HTTPConnection], str], Line] = {}

    def ask(self, kind: type[http.client.HTTPConnection], request: urllib.request.Request) -> http.client.HTTPResponse:
        """The answer through the line that is there, or else through a new one: servers drop those that rest."""
        line = self.known.pop((kind, request.host), None)
        if line and line.is_free:
            with suppress(http.client.HTTPException, OSError):
                return self._asked(line, kind, request)
        return self._asked(Line(connection=kind(request.host, timeout=request.timeout)), kind, request)

    def _asked(
        self, line: Line, kind: type[http.client.HTTPConnection], request: urllib.request.Request
    ) -> http.client.HTTPResponse:
        answer = line.ask(request)
        self.known[kind, request.host] = line
        return answer


LINES = Lines()


def _answer(kind: type[http.client.HTTPConnection], request: urllib.request.Request) -> http.client.HTTPResponse:
    try:
        answer = LINES.ask(kind, request)
    except OSError as error:
        raise urllib.error.URLError(error) from error
    answer.url = request.full_url
    answer.msg = answer.reason  # type: ignore[assignment]  # where urllib looks for it
    return answer


class KeptHttp(urllib.request.HTTPHandler):
    def http_open(self, req: urllib.request.Request) -> http.client.HTTPResponse:
        return _answer(Connection, req)


class KeptHttps(urllib.request.HTTPSHandler):
    def https_open(self, req: urllib.request.Request) -> http.client.HTTPResponse:
        if req.host != urllib.parse.urlsplit(req.full_url).netloc:  # through a proxy
            return super().https_open(req)
        return _answer(http.client.HTTPSConnection, req)
