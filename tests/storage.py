"""The two places where kept files may lie, seen from outside: the folder, and a server that speaks S3."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import boto3
from moto.server import ThreadedMotoServer

KEYS = {"AWS_ACCESS_KEY_ID": "tests", "AWS_SECRET_ACCESS_KEY": "secret-of-tests"}
REGION = "us-east-1"


class InFolder:
    """Files by digest below a folder."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def _path(self, sha256: str) -> Path:
        return self.root / sha256[:2] / sha256

    def all(self) -> list[str]:
        """The digests of what can be seen, and the names of what lies about."""
        return sorted(path.name for path in self.root.rglob("*") if path.is_file() and path.name != ".cleaned")

    def there(self, sha256: str) -> bool:
        return self._path(sha256).exists()

    def read(self, sha256: str) -> bytes:
        return self._path(sha256).read_bytes()

    def age(self, sha256: str) -> float:
        """Seconds since it came, or was renewed."""
        return time.time() - self._path(sha256).stat().st_mtime

    def grow_older(self, sha256: str, age: float) -> None:
        os.utime(self._path(sha256), (time.time() - age,) * 2)

    def alter(self, sha256: str, content: bytes) -> None:
        self._path(sha256).chmod(0o600)
        self._path(sha256).write_bytes(content)


class InBucket:
    """Objects named DIGEST.SECOND below a prefix of a bucket."""

    def __init__(self, endpoint: str, bucket: str, prefix: str, root: Path) -> None:
        self.root = root
        self.bucket, self.prefix = bucket, prefix
        self.s3: Any = boto3.client(
            "s3", endpoint_url=endpoint, region_name=REGION, aws_access_key_id=KEYS["AWS_ACCESS_KEY_ID"],
            aws_secret_access_key=KEYS["AWS_SECRET_ACCESS_KEY"],
        )  # fmt: skip
        self.s3.create_bucket(Bucket=bucket)

    def keys(self, sha256: str = "") -> list[str]:
        found = self.s3.list_objects_v2(Bucket=self.bucket, Prefix=self.prefix)
        keys = [one["Key"] for one in found.get("Contents", ())]
        return [key for key in keys if key.startswith(f"{self.prefix}{sha256[:2]}/{sha256}.")] if sha256 else keys

    def uploads(self) -> list[str]:
        """Ids of what is on its way in."""
        return [one["UploadId"] for one in self.s3.list_multipart_uploads(Bucket=self.bucket).get("Uploads", ())]

    def all(self) -> list[str]:
        lying_about = [path.name for path in self.root.rglob("*") if path.is_file() and path.name != ".cleaned"]
        digests = [key.rpartition("/")[2].partition(".")[0] for key in self.keys()]
        return sorted([*lying_about, *self.uploads(), *digests])

    def there(self, sha256: str) -> bool:
        return bool(self.keys(sha256))

    def read(self, sha256: str) -> bytes:
        content: bytes = self.s3.get_object(Bucket=self.bucket, Key=self.keys(sha256)[-1])["Body"].read()
        return content

    def age(self, sha256: str) -> float:
        return time.time() - max(int(key.rpartition(".")[2]) for key in self.keys(sha256))

    def grow_older(self, sha256: str, age: float) -> None:
        for key in self.keys(sha256):
            older = f"{key.rpartition('.')[0]}.{int(time.time() - age)}"
            self.s3.copy_object(Bucket=self.bucket, Key=older, CopySource={"Bucket": self.bucket, "Key": key})
            self.s3.delete_object(Bucket=self.bucket, Key=key)

    def alter(self, sha256: str, content: bytes) -> None:
        self.s3.put_object(Bucket=self.bucket, Key=self.keys(sha256)[-1], Body=content)


Storage = InFolder | InBucket


@contextmanager
def s3_server() -> Iterator[str]:
    """The address of a server that speaks S3, on a port of its own; its content goes with it."""
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    try:
        host, port = server.get_host_and_port()
        yield f"http://{host}:{port}"
    finally:
        server.stop()


def use_bucket(endpoint: str, bucket: str, settings: Any, monkeypatch: Any, prefix: str = "kept/") -> InBucket:
    """Have the store keep its content in a new bucket."""
    for name, value in KEYS.items():
        monkeypatch.setenv(name, value)
    settings.S3_ENDPOINT, settings.S3_REGION = endpoint, REGION
    settings.ARTIFACTS_BUCKET, settings.ARTIFACTS_PLACE = (bucket, prefix), "hosts.kept.bucket.Bucket"
    return InBucket(endpoint, bucket, prefix, settings.ARTIFACTS)
