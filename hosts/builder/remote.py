"""The hub as seen from any other machine: its address and this host's token, nothing else."""

from __future__ import annotations

import functools
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any

import httpx
from django.conf import settings

from debatomic.tools.errors import InputError, Kind
from debatomic.tools.files import sha256 as digest_of
from debatomic.tools.files import whole
from hosts.builder.connection import Beat, Claimed, ClaimLost, File, Held, Tick, Unreachable
from hosts.registry import Job

PIECE = 1024 * 1024
TIMEOUT = httpx.Timeout(10, connect=5)  # seconds; between two pieces of an answer, not for the whole of it
GONE = 410
TRY_AGAIN = (401, 403, 404, 408, 429)  # a hub that restarts or is misconfigured: the work goes on meanwhile


def token() -> str:
    """This host's token. Raises InputError where there is none."""
    try:
        return Path(settings.HOST_TOKEN_FILE).read_text().strip()
    except OSError as error:
        reason = error.strerror or str(error)
        hint = "`manage.py builder --register TOKEN` makes it, with a registration token of the hub's page Hosts."
        raise InputError(f"The host token {settings.HOST_TOKEN_FILE!r} cannot be read: {reason}.", hint=hint) from error


def _detail(answer: httpx.Response) -> str:
    try:
        return str(answer.json()["detail"])
    except (ValueError, KeyError, TypeError):
        return answer.text[:300]


def _judged(answer: httpx.Response) -> httpx.Response:
    """The answer, if it is one. Raises ClaimLost, Unreachable, InputError."""
    if answer.is_success:
        return answer
    answer.read()
    if answer.status_code == GONE:
        raise ClaimLost
    if answer.is_server_error or answer.is_redirect or answer.status_code in TRY_AGAIN:
        raise Unreachable(f"The hub answered {answer.status_code}: {_detail(answer)}")
    refusal = InputError(f"The hub refused this: {_detail(answer)}")
    with suppress(ValueError, KeyError, TypeError):
        refusal.kind = Kind(answer.json()["kind"])
    raise refusal


class RemoteHub:
    """Speaks HTTP (hosts.builder.connection.Hub)."""

    def __init__(self, address: str = "", host_token: str = "") -> None:
        headers = {"Authorization": f"Bearer {host_token or token()}"}
        self._http = httpx.Client(
            base_url=f"{address or settings.HUB_ADDRESS}/api/v1/builder/", headers=headers, timeout=TIMEOUT
        )

    def _post(self, path: str, said: Mapping[str, Any] | None = None, **options: Any) -> Any:
        try:
            answer = _judged(self._http.post(path, json=said, **options) if said is not None
                             else self._http.post(path, **options))  # fmt: skip
        except httpx.HTTPError as error:
            raise Unreachable(f"The hub at {settings.HUB_ADDRESS} does not answer: {error}") from error
        try:
            return answer.json() if answer.content else None
        except ValueError:
            other = f"Something else than the hub answers at {settings.HUB_ADDRESS}: is it a page of a proxy?"
            raise Unreachable(other) from None

    def claim(self, token: str, slots: int) -> list[Claimed]:
        return [Claimed(**one) for one in self._post("claim", {"token": token, "slots": slots})["claimed"]]

    def listen(self) -> int | None:
        return None

    def report(self, said: Mapping[str, Any]) -> list[Held]:
        return [Held(**held) for held in self._post("report", said)["held"]]

    def start(self, claim: str, *, again: bool = False) -> Job | None:
        try:
            return Job(**self._post(f"claims/{claim}/start", {"again": again}))
        except ClaimLost:
            return None

    def beat(self, claim: str, progress: Mapping[str, Any] | None) -> Beat:
        try:
            return Beat(**self._post(f"claims/{claim}/beat", {"progress": progress}))
        except ClaimLost:
            return Beat(keep=False)

    def log(self, claim: str, name: str, offset: int, data: bytes) -> int:
        answer = self._post(f"claims/{claim}/log/{name}", params={"offset": offset}, content=data)
        return int(answer["size"])

    def upload(self, claim: str, path: Path, tick: Tick) -> str:
        sha256 = digest_of(path)
        try:
            there = self._http.head(f"claims/{claim}/files/{sha256}")
            if there.status_code == httpx.codes.NO_CONTENT:
                return sha256  # sent before, by this attempt or another
            if there.is_server_error:
                _judged(there)
            length = {"Content-Length": str(path.stat().st_size)}
            pieces = _pieces(path, tick)
            _judged(self._http.put(f"claims/{claim}/files/{sha256}", content=pieces, headers=length))
        except httpx.HTTPError as error:
            raise Unreachable(f"Sending {path.name} to the hub broke off: {error}") from error
        return sha256

    def fetch(self, claim: str, sha256: str, to: Path, tick: Tick) -> None:
        try:
            with self._http.stream("GET", f"claims/{claim}/files/{sha256}") as answer, whole(to) as file:
                for piece in _judged(answer).iter_bytes(PIECE):
                    file.write(piece)
                    tick()
        except httpx.HTTPError as error:
            raise Unreachable(f"Fetching {to.name} from the hub broke off: {error}") from error
        if digest_of(to) != sha256:
            to.unlink()
            raise Unreachable(f"{to.name} arrived from the hub with another SHA-256 than {sha256}.")

    def finish(self, claim: str, result: Mapping[str, Any], files: Sequence[File]) -> bool:
        return self._end(f"claims/{claim}/finish", {"result": dict(result), "files": [asdict(file) for file in files]})

    def fail(self, claim: str, *, reason: str, kind: str, decisive: Sequence[str], cause: str = "") -> bool:
        told = {"reason": reason, "kind": kind, "cause": cause, "decisive": list(decisive)}
        return self._end(f"claims/{claim}/fail", told)

    def release(self, claim: str, reason: str) -> bool:
        return self._end(f"claims/{claim}/release", {"reason": reason})

    def _end(self, path: str, said: Mapping[str, Any]) -> bool:
        try:
            self._post(path, said)
        except ClaimLost:
            return False
        return True


def _pieces(path: Path, tick: Tick) -> Iterator[bytes]:
    with path.open("rb") as file:
        for piece in iter(functools.partial(file.read, PIECE), b""):
            tick()
            yield piece
