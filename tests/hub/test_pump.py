"""The way of a log to the hub: whatever the hub does meanwhile, each byte arrives once."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from types import SimpleNamespace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as some

from debatomic.tools.errors import InputError, Kind, ToolError
from hosts.builder import pump
from hosts.builder.connection import ClaimLost, Unreachable
from hosts.builder.pump import Pump


class Receiver:
    """A hub's end of the log, as hosts.live.logs does it; `faults` are what happens to the next sends."""

    def __init__(self) -> None:
        self.log = b""
        self.faults: list[str] = []
        self.sizes: list[int] = []

    def __call__(self, offset: int, data: bytes) -> int:
        fault = self.faults.pop(0) if self.faults else ""
        if fault == "away":
            raise Unreachable("The hub does not answer.")
        assert offset <= len(self.log)
        self.log = self.log[:offset] + data + self.log[offset + len(data) :]
        self.sizes.append(len(data))
        if fault == "unanswered":
            raise Unreachable("The answer was lost.")
        return len(self.log)


@pytest.fixture(autouse=True)
def no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pump, "PAUSE_SECONDS", 0.0)
    monkeypatch.setattr(pump, "LONGEST_PAUSE_SECONDS", 0.0)


@pytest.fixture
def hub() -> Receiver:
    return Receiver()


@pytest.fixture
def to_hub(hub: Receiver, tmp_path: Path) -> Iterator[Pump]:
    with Pump(tmp_path / "spool", hub) as made:
        yield made


@given(
    pieces=some.lists(some.binary(max_size=300), max_size=20),
    faults=some.lists(some.sampled_from(["", "away", "unanswered"]), max_size=30),
)
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_whatever_the_hub_does_each_byte_arrives_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, pieces: list[bytes], faults: list[str]
) -> None:
    monkeypatch.setattr(pump, "PIECE", 100)
    hub = Receiver()
    hub.faults = list(faults)
    with Pump(tmp_path / "spool", hub) as made:
        for piece in pieces:
            made.write(piece)
        for _ in range(len(faults) + 10):
            made.flush()
        assert made.is_empty
    assert hub.log == b"".join(pieces)


def test_what_was_written_while_the_hub_was_away_is_sent_when_it_is_back(hub: Receiver, to_hub: Pump) -> None:
    to_hub.write(b"one\n")
    hub.faults = ["away", "away", "unanswered"]
    for line in (b"two\n", b"three\n", b"four\n"):
        to_hub.write(line)
        assert not to_hub.is_empty
    to_hub.flush()
    assert to_hub.is_empty
    assert hub.log == b"one\ntwo\nthree\nfour\n"


def test_a_hub_that_has_less_than_it_said_gets_it_again(tmp_path: Path) -> None:
    log = bytearray()

    def forgetful(offset: int, data: bytes) -> int:
        if offset > len(log):
            return len(log)  # go on from there
        log[offset:] = data
        return len(log)

    with Pump(tmp_path / "spool", forgetful) as made:
        made.write(b"first second ")
        del log[5:]
        made.write(b"third")
        made.flush()
        assert made.is_empty
    assert bytes(log) == b"first second third"


def test_much_of_a_log_goes_in_pieces_with_a_turn_for_the_heartbeat(hub: Receiver, to_hub: Pump) -> None:
    hub.faults = ["away"]
    much = b"0123456789abcdef" * (pump.PIECE // 16) * (pump.PIECES_AT_ONCE + 1)
    to_hub.write(much)
    to_hub.flush()
    assert hub.sizes == [pump.PIECE] * pump.PIECES_AT_ONCE
    assert not to_hub.is_empty
    to_hub.flush()
    assert to_hub.is_empty
    assert hub.log == much


def test_pauses_grow_while_the_hub_is_away(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = [100.0]
    monkeypatch.setattr(pump, "PAUSE_SECONDS", 0.1)
    monkeypatch.setattr(pump, "LONGEST_PAUSE_SECONDS", 1.0)
    monkeypatch.setattr(pump, "time", SimpleNamespace(monotonic=lambda: clock[0]))
    asked: list[float] = []

    def away(offset: int, data: bytes) -> int:
        asked.append(round(clock[0] - 100, 2))
        raise Unreachable("The hub does not answer.")

    with Pump(tmp_path / "spool", away) as made:
        made.write(b"line\n")
        for _ in range(500):
            clock[0] += 0.01
            made.flush()
    pauses = [round(later - earlier, 1) for earlier, later in pairwise(asked)]
    assert pauses == [0.2, 0.4, 0.8, 1.0, 1.0, 1.0]


def test_what_the_hub_refuses_is_said_once_and_ends_the_sending(tmp_path: Path) -> None:
    asked = []

    def refuse(offset: int, data: bytes) -> int:
        asked.append(offset)
        raise InputError("'..' is no name of a log.")

    with Pump(tmp_path / "spool", refuse) as made:
        with pytest.raises(InputError, match="no name of a log"):
            made.write(b"line\n")
        assert made.is_empty
        made.write(b"more\n")
        made.flush()
    assert asked == [0]
    assert (tmp_path / "spool").read_bytes() == b"line\nmore\n"


def test_a_lost_claim_is_told(tmp_path: Path) -> None:
    def lost(offset: int, data: bytes) -> int:
        raise ClaimLost

    with Pump(tmp_path / "spool", lost) as made, pytest.raises(ClaimLost):
        made.write(b"line\n")


@pytest.mark.parametrize(("written", "asked", "said"), [
    ("", "No libfoo.", False),
    ("Failed: No libfoo.\n", "No libfoo.", True),
    ("== Failed: Kein Paket für ä.\n", "Kein Paket für ä.", True),
    ("Failed: No libfoo.\nend\n", "No libfoo.", True),
    ("Failed: No libfoo.\n" + "x" * 100, "No libfoo.", False),  # long ago
    ("No libfoo", "No libfoo.", False),
])  # fmt: skip
def test_whether_the_end_of_the_log_has_a_text(to_hub: Pump, written: str, asked: str, said: bool) -> None:
    to_hub.write(written.encode())
    assert to_hub.has_just_said(asked) is said


def test_a_full_disk_is_told(hub: Receiver) -> None:
    with Pump(Path("/dev/full"), hub) as made, pytest.raises(ToolError, match="disk is full") as refused:
        made.write(b"line\n")
    assert refused.value.kind == Kind.DISK


def test_a_spool_of_an_earlier_attempt_is_not_sent(hub: Receiver, tmp_path: Path) -> None:
    (tmp_path / "spool").write_bytes(b"old")
    with Pump(tmp_path / "spool", hub) as made:
        assert made.is_empty
        made.write(b"new")
    assert hub.log == b"new"
