"""The way from the hosts to the hub: a port for each host, on which requests can be harmed.

usage: python -m tests.chaos.gateway ADDRESS TO_PORT SEED PORT...
A line of JSON on standard input, {"port": 9001, "harm": "repeat", "chance": 0.5}, sets what befalls the requests of a
port from now on, an empty harm ends it; the answer to each line is how often each harm was done so far. It ends with
its standard input.
"""

from __future__ import annotations

import asyncio
import json
import random
import re
import sys
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass, field

HARMS = ("repeat", "delay", "late", "mute", "cut")
LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)
CONNECTION = re.compile(rb"\r\nconnection:[^\r]*", re.IGNORECASE)
DELAY_SECONDS = (1.0, 14.0)  # a host waits for an answer for ten


@dataclass
class Request:
    head: bytes
    body: bytes

    @property
    def method(self) -> str:
        return self.head.split(b" ", 1)[0].decode()

    @property
    def whole(self) -> bytes:
        """As it goes on: one request on a connection."""
        return CONNECTION.sub(b"", self.head)[:-2] + b"Connection: close\r\n\r\n" + self.body


@dataclass
class Line:
    """What befalls the requests that come in on one port."""

    harm: str = ""
    chance: float = 0.0

    def choose(self, request: Request, chance: random.Random) -> str:
        if self.harm == "cut" and request.method != "PUT":
            return ""
        return self.harm if self.harm and chance.random() < self.chance else ""


@dataclass
class Gateway:
    hub: tuple[str, int]
    random: random.Random
    lines: dict[int, Line] = field(default_factory=dict)
    done: Counter[str] = field(default_factory=Counter)
    tasks: set[asyncio.Task[None] | None] = field(default_factory=set)

    async def serve(self, address: str, port: int) -> None:
        self.lines[port] = Line()
        await asyncio.start_server(lambda reader, writer: self._connected(port, reader, writer), address, port)

    async def _connected(self, port: int, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        mine = asyncio.current_task()
        self.tasks.add(mine)  # asyncio itself forgets who serves a connection that is closed
        with suppress(OSError, asyncio.IncompleteReadError):
            request = await read(reader)
            harm = self.lines[port].choose(request, self.random)
            self.done[harm] += 1
            await self._pass_on(request, harm, writer)
        writer.close()
        self.tasks.discard(mine)

    async def _pass_on(self, request: Request, harm: str, writer: asyncio.StreamWriter) -> None:
        if harm == "cut":  # broken in the middle, for both ends
            await self._send(request.head + request.body[: len(request.body) // 2], wait=False)
            return
        if harm == "late":  # the host is told that it failed, and it comes after all
            writer.close()
        if harm in ("late", "delay"):
            await asyncio.sleep(self.random.uniform(*DELAY_SECONDS))
        answer = await self._send(request.whole)
        if harm == "repeat":
            again = await self._send(request.whole)
            answer = self.random.choice([answer, again])
        if harm not in ("mute", "late"):
            writer.write(answer)
            await writer.drain()

    async def _send(self, data: bytes, *, wait: bool = True) -> bytes:
        reader, writer = await asyncio.open_connection(*self.hub)
        try:
            writer.write(data)
            await writer.drain()
            return await reader.read() if wait else b""
        finally:
            writer.close()

    def hear(self, said: bytes) -> None:
        """Do what a line of standard input says."""
        wish = json.loads(said)
        if wish:
            self.lines[wish["port"]] = Line(wish["harm"], wish["chance"])
        print(json.dumps(self.done), flush=True)


async def read(reader: asyncio.StreamReader) -> Request:
    head = await reader.readuntil(b"\r\n\r\n")
    length = LENGTH.search(head)
    return Request(head, await reader.readexactly(int(length[1])) if length else b"")


async def main(address: str, to_port: int, seed: str, ports: list[int]) -> None:
    gateway = Gateway((address, to_port), random.Random(seed))
    for port in ports:
        await gateway.serve(address, port)
    print("ready", flush=True)
    lines = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(lines), sys.stdin)
    while said := await lines.readline():
        gateway.hear(said)


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], int(sys.argv[2]), sys.argv[3], [int(port) for port in sys.argv[4:]]))
