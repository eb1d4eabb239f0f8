"""Kept content in S3-compatible storage.

Such storage has no locks, so that what is renewed could be removed by who saw it old. Therefore the name of an object
ends with the second in which it came, `ab/abcd….1760000000`: renewed content is a copy under a later name, and who
removes names what it saw. The newest of them is the content.
"""

from __future__ import annotations

import hashlib
import io
import os
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import IO, Any

from boto3.session import Session
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError, NoCredentialsError
from django.conf import settings

from debatomic.tools.errors import InfrastructureError
from hosts.kept.folder import forget_half_written
from hosts.kept.place import DIGEST, Tick, checked, pieces, require_same, require_size
from hosts.kept.ranged import Ranged
from hosts.kept.sending import Sending

FRESH_SECONDS = 43200.0  # what came within half a day needs no renewal
LINK_SECONDS = 300
BUFFER = 256 * 1024
NOT_THERE = ("404", "NoSuchKey", "NotFound")


@dataclass(frozen=True, order=True)
class Found:
    """One object: since when (seconds of the epoch), its name and its bytes."""

    born: int
    key: str
    size: int


@lru_cache(maxsize=4)
def _client(endpoint: str, region: str, process: int) -> Any:
    """One for each process: what a fork inherits may not be used by both."""
    config = Config(
        connect_timeout=5, read_timeout=30, retries={"total_max_attempts": 3, "mode": "standard"},
        max_pool_connections=50, signature_version="s3v4",
        s3={"addressing_style": "path" if endpoint else "auto"},
    )  # fmt: skip
    return Session().client("s3", endpoint_url=endpoint or None, region_name=region, config=config)


@contextmanager
def _spoken() -> Iterator[None]:
    """Trouble with the storage as one of our errors; never with what it was asked, which may be signed."""
    try:
        yield
    except ClientError as error:
        code = str(error.response.get("Error", {}).get("Code", "?"))
        if code in NOT_THERE:
            raise FileNotFoundError(code) from None
        hint = "Are DEBATOMIC_ARTIFACTS and its credentials right?"
        raise InfrastructureError(f"The artifact storage refused {error.operation_name}: {code}.", hint=hint) from None
    except NoCredentialsError:
        hint = "Set AWS_SHARED_CREDENTIALS_FILE, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY."
        raise InfrastructureError("There are no keys for the artifact storage.", hint=hint) from None
    except (BotoCoreError, ConnectionError) as error:
        reason = type(error).__name__
        raise InfrastructureError(
            f"The artifact storage does not answer ({reason}).", hint="Try again later."
        ) from None


def _born(key: str) -> int | None:
    """The second in an object's name; None where it is none of ours."""
    sha256, _, born = key.rpartition("/")[2].partition(".")
    return int(born) if DIGEST.fullmatch(sha256) and born.isdecimal() else None


class Bucket:
    """The bucket of the settings (hosts.kept.place.Place)."""

    def __init__(self) -> None:
        self._bucket, self._prefix = settings.ARTIFACTS_BUCKET or ("", "")

    @property
    def _s3(self) -> Any:
        return _client(settings.S3_ENDPOINT, settings.S3_REGION, os.getpid())

    def check(self) -> None:
        with _spoken():
            self._s3.list_objects_v2(Bucket=self._bucket, Prefix=self._prefix, MaxKeys=1)

    def size(self, sha256: str) -> int:
        return self._newest(sha256).size

    def open(self, sha256: str) -> IO[bytes]:
        return io.BufferedReader(Ranged(lambda *span: self._part(sha256, *span), self.size(sha256)), BUFFER)

    def nearby(self, sha256: str) -> Path | None:
        checked(sha256)
        return None

    def link(self, sha256: str, *, media_type: str, disposition: str) -> str:
        if not settings.S3_REDIRECT:
            return ""
        asked = {"Bucket": self._bucket, "Key": self._newest(sha256).key, "ResponseContentType": media_type,
                 "ResponseContentDisposition": disposition}  # fmt: skip
        with _spoken():
            return str(self._s3.generate_presigned_url("get_object", Params=asked, ExpiresIn=LINK_SECONDS))

    def renew(self, sha256: str) -> bool:
        while True:
            try:
                found = self._newest(sha256)
                if found.born < time.time() - FRESH_SECONDS:
                    self._copy(found, self._key(sha256))
                return True
            except FileNotFoundError:
                if not self._all(sha256):  # else somebody renewed it just now
                    return False

    def put(self, source: Path, tick: Tick | None) -> tuple[str, int]:
        with source.open("rb") as file:
            digest = hashlib.sha256()
            for chunk in pieces(file, tick):
                digest.update(chunk)
            sha256, size = digest.hexdigest(), file.tell()
            if not self.renew(sha256):
                file.seek(0)
                self.receive(pieces(file, tick), sha256, limit=size)
        return sha256, size

    def receive(self, chunks: Iterable[bytes], sha256: str, *, limit: int) -> int:
        key = self._key(checked(sha256))
        sending = Sending(self._s3, self._bucket, key)
        try:
            for chunk in chunks:
                require_size(sending.size + len(chunk), limit)
                with _spoken():
                    sending.write(chunk)
            require_same(sending.sha256, sha256)
            with _spoken():
                sending.complete()
        except BaseException:
            with suppress(BotoCoreError, ClientError):  # it is forgotten after a day
                sending.abort()
            raise
        self._forget_before(sha256, key)
        return sending.size

    def older(self, folder: str, moment: float) -> set[str]:
        newest: dict[str, int] = {}
        for found in self._listed(f"{folder}/"):
            sha256 = found.key.rpartition("/")[2].partition(".")[0]
            newest[sha256] = max(found.born, newest.get(sha256, 0))
        return {sha256 for sha256, born in newest.items() if born < moment}

    def remove(self, sha256: str, before: float) -> bool:
        found = self._all(sha256)
        if not found or max(found).born >= before:
            return False
        for one in found:
            self._delete(one.key)
        return True

    def forget_half_written(self, before: float) -> None:
        forget_half_written(before)  # sources on their way lie on this machine, too
        with _spoken():
            pages = self._s3.get_paginator("list_multipart_uploads").paginate(Bucket=self._bucket, Prefix=self._prefix)
            uploads = [one for page in pages for one in page.get("Uploads", ())]
        for one in uploads:
            if (born := _born(one["Key"])) is None or born >= before:
                continue
            with suppress(FileNotFoundError), _spoken():
                self._s3.abort_multipart_upload(Bucket=self._bucket, Key=one["Key"], UploadId=one["UploadId"])

    # Objects

    def _key(self, sha256: str) -> str:
        return f"{self._prefix}{sha256[:2]}/{sha256}.{int(time.time())}"

    def _newest(self, sha256: str) -> Found:
        """Raises FileNotFoundError."""
        found = self._all(sha256)
        if not found:
            raise FileNotFoundError(sha256)
        return max(found)

    def _all(self, sha256: str) -> list[Found]:
        return list(self._listed(f"{checked(sha256)[:2]}/{sha256}."))

    def _listed(self, start: str) -> Iterator[Found]:
        """The objects whose names begin so, below the prefix; what is not ours is left out."""
        with _spoken():
            pages = self._s3.get_paginator("list_objects_v2").paginate(Bucket=self._bucket, Prefix=self._prefix + start)
            for one in (one for page in pages for one in page.get("Contents", ())):
                if (born := _born(one["Key"])) is not None:
                    yield Found(born, one["Key"], one["Size"])

    def _part(self, sha256: str, first: int, end: int) -> Any:
        """The bytes from `first` to before `end`, as they come."""
        asked = {"Bucket": self._bucket, "Key": self._newest(sha256).key, "Range": f"bytes={first}-{end - 1}"}
        with _spoken():
            return self._s3.get_object(**asked)["Body"]

    def _copy(self, found: Found, key: str) -> None:
        with _spoken():
            self._s3.copy({"Bucket": self._bucket, "Key": found.key}, self._bucket, key)
        self._forget_before(found.key.rpartition("/")[2].partition(".")[0], key)

    def _forget_before(self, sha256: str, key: str) -> None:
        """Keep it once: whoever reads an older one goes on in this one."""
        for one in self._all(sha256):
            if one.born < (_born(key) or 0):
                self._delete(one.key)

    def _delete(self, key: str) -> None:
        with suppress(FileNotFoundError), _spoken():
            self._s3.delete_object(Bucket=self._bucket, Key=key)
