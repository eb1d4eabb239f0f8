"""Files over HTTP into a store by SHA-256: fetched once for all processes, each byte checked."""

from __future__ import annotations

import hashlib
import http.client
import os
import ssl
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TypeVar

from chroots.engine.archives.admission import read_secret
from chroots.engine.archives.connections import KeptHttp, KeptHttps
from chroots.engine.state import locked, locked_now
from debatomic.tools.errors import InfrastructureError, InputError
from debatomic.tools.files import whole

T = TypeVar("T")
USER_AGENT = "DebAtomic"
TIMEOUT = 30.0  # seconds without a byte
ATTEMPTS = 3
PARALLEL = 6
CHUNK = 1 << 18
BYTES_KEPT = 10 << 30
FETCHING = "fetching"  # has a lock for each file that is being fetched


@dataclass(frozen=True, kw_only=True)
class RemoteFile:
    """One file of the archive, as the signed indexes describe it."""

    name: str
    url: str
    size: int
    sha256: str
    secret: Path | None = None  # the file that says how to get in there


class Missing(InputError):
    """The server answers 404: asking again does not help."""


OPENER = urllib.request.build_opener(KeptHttp, KeptHttps)


@contextmanager
def opened(url: str, method: str = "GET", secret: Path | None = None) -> Iterator[IO[bytes]]:
    """The body of `url`. Raises Missing, or InfrastructureError where another attempt may succeed."""
    server = urllib.parse.urlsplit(url).netloc or "this machine"
    request = urllib.request.Request(url, headers={"User-Agent": USER_AGENT}, method=method)  # noqa: S310 - also file: mirrors
    try:
        with _opener(request, secret).open(request, timeout=TIMEOUT) as answer:
            yield answer
    except urllib.error.HTTPError as error:
        if error.code in (404, 410):
            raise Missing(f"{url} does not exist ({server} answers {error.code}).") from error
        if error.code == 401:
            raise InputError(
                f"{server} does not let us in: it answers 401 {error.reason} for {url}.",
                hint="Check the file that the repository's definition names as its secret.",
            ) from error
        raise InfrastructureError(f"{server} answers {error.code} {error.reason} for {url}.") from error
    except urllib.error.URLError as error:
        if isinstance(error.reason, FileNotFoundError):
            raise Missing(f"{url} does not exist.") from error
        raise _unreachable(server, error.reason) from error
    except (http.client.HTTPException, ConnectionError, TimeoutError, ssl.SSLError) as error:
        raise _unreachable(server, error) from error


def _opener(request: urllib.request.Request, path: Path | None) -> urllib.request.OpenerDirector:
    """The opener for a request; one with a secret gets what it needs, which does not follow where it is redirected."""
    if not path:
        return OPENER
    secret = read_secret(path)
    for name, value in secret.header.items():
        request.add_unredirected_header(name, value)
    context = secret.context()
    return urllib.request.build_opener(urllib.request.HTTPSHandler(context=context)) if context else OPENER


def _unreachable(server: str, reason: object) -> InfrastructureError:
    return InfrastructureError(
        f"The archive at {server} cannot be reached: {reason}.",
        hint="Check this host's network, or name another mirror with DEBATOMIC_MIRROR.",
    )


def persistently(action: Callable[[], T]) -> T:
    """`action` again after an infrastructure fault, twice at most, with a pause."""
    for attempt in range(ATTEMPTS - 1):
        try:
            return action()
        except InfrastructureError:
            time.sleep(0.5 * 2**attempt)
    return action()


def read(url: str, *, limit: int, secret: Path | None = None) -> bytes:
    """The whole body of a small file."""

    def once() -> bytes:
        with opened(url, secret=secret) as answer:
            content = answer.read(limit + 1)
        if len(content) > limit:
            raise InputError(f"{url} is larger than {limit} bytes; that cannot be right.")
        return content

    return persistently(once)


class Store:
    """Files by SHA-256 below one folder, shared by all processes of a host."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def path(self, sha256: str) -> Path:
        return self.folder / sha256[:2] / sha256

    def get(self, file: RemoteFile) -> Path:
        """Where the file's content is, fetched if it is not here yet."""
        path = self.path(file.sha256)
        if not self._has(path):
            lock = self.folder / FETCHING / file.sha256  # of this file alone: others are fetched meanwhile
            with locked(lock):
                try:
                    if not self._has(path):
                        persistently(lambda: self._fetch(file, path))
                finally:
                    lock.unlink(missing_ok=True)
        return path

    def get_all(self, files: Sequence[RemoteFile], done: Callable[[int], object] = lambda count: None) -> list[Path]:
        """Several files, some at a time; `done` hears how many are here."""
        paths = []
        with ThreadPoolExecutor(PARALLEL) as pool:
            for path in pool.map(self.get, files):
                paths.append(path)
                done(len(paths))
        return paths

    def require_all(self, files: Sequence[RemoteFile]) -> None:
        """Ask the server whether it has the files that are not here yet. Raises Missing for the first one lacking."""
        with ThreadPoolExecutor(PARALLEL) as pool:
            list(pool.map(self._require, files))

    def _require(self, file: RemoteFile) -> None:
        def once() -> None:
            with opened(file.url, "HEAD", file.secret):
                pass

        if not self._has(self.path(file.sha256)):
            persistently(once)

    def evict(self, *, keep: int = BYTES_KEPT) -> None:
        """Remove the files used longest ago until at most `keep` bytes are left; they can be fetched again."""
        found = sorted((status.st_mtime_ns, status.st_size, path) for path, status in self._all())
        total = sum(size for _, size, _ in found)
        for _, size, path in found:
            if total <= keep:
                break
            path.unlink(missing_ok=True)
            total -= size

    def remove_all(self) -> list[int]:
        """Remove every file; their sizes. Whoever has linked one keeps it."""
        sizes = []
        for path, status in self._all():
            path.unlink(missing_ok=True)
            sizes.append(status.st_size)
        return sizes

    def _all(self) -> Iterator[tuple[Path, os.stat_result]]:
        for path in self.folder.glob("??/[!.]*"):
            with suppress(FileNotFoundError):  # another process was faster to remove it
                yield path, path.stat()

    def sweep(self) -> None:
        """Remove what killed processes had fetched a part of; their locks tell."""
        for lock in (self.folder / FETCHING).glob("*"):
            with locked_now(lock) as dead:
                if dead:
                    path = self.path(lock.name)
                    for part in (*path.parent.glob(f".{path.name}.*"), lock):
                        part.unlink(missing_ok=True)

    @staticmethod
    def _has(path: Path) -> bool:
        try:
            os.utime(path)  # the least recently used ones go first
        except FileNotFoundError:
            return False
        return True

    @staticmethod
    def _fetch(file: RemoteFile, path: Path) -> None:
        digest, size = hashlib.sha256(), 0
        with whole(path) as target, opened(file.url, secret=file.secret) as source:
            while chunk := source.read(CHUNK):
                digest.update(chunk)
                size += len(chunk)
                target.write(chunk)
                if size > file.size:
                    break
            if size != file.size or digest.hexdigest() != file.sha256:
                raise InfrastructureError(
                    f"{file.url} is not what the signed index lists: {size} bytes instead of {file.size}, SHA-256 "
                    f"{digest.hexdigest()} instead of {file.sha256}.",
                    hint="The mirror or a proxy is broken or being updated; try again later or use another mirror.",
                )
