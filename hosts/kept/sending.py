"""An object on its way into S3-compatible storage, in parts: it is there when it is completed, and not before."""

from __future__ import annotations

import hashlib
from typing import Any

PART = 16 * 1024 * 1024  # bytes; S3 takes at most 10,000 parts, and none but the last below 5 MiB


class Sending:
    """Hashed as it comes; at most one part is in memory. Raises botocore's errors."""

    def __init__(self, s3: Any, bucket: str, key: str) -> None:
        self._s3 = s3
        self._to = {"Bucket": bucket, "Key": key}
        self._upload = ""
        self._parts: list[dict[str, Any]] = []
        self._rest = bytearray()
        self._digest = hashlib.sha256()
        self.size = 0

    @property
    def sha256(self) -> str:
        return self._digest.hexdigest()

    def write(self, chunk: bytes) -> None:
        self._digest.update(chunk)
        self.size += len(chunk)
        self._rest += chunk
        while len(self._rest) > PART:  # what is left at the end is never empty
            self._send(bytes(self._rest[:PART]))
            del self._rest[:PART]

    def complete(self) -> None:
        """Have it seen."""
        if not self._upload:
            self._s3.put_object(**self._to, Body=bytes(self._rest))
            return
        self._send(bytes(self._rest))
        self._s3.complete_multipart_upload(
            **self._to, UploadId=self._upload, MultipartUpload={"Parts": self._parts}
        )  # fmt: skip
        self._upload = ""

    def abort(self) -> None:
        """Leave nothing of it."""
        if self._upload:
            self._s3.abort_multipart_upload(**self._to, UploadId=self._upload)

    def _send(self, part: bytes) -> None:
        if not self._upload:
            self._upload = self._s3.create_multipart_upload(**self._to)["UploadId"]
        number = len(self._parts) + 1
        sent = self._s3.upload_part(**self._to, UploadId=self._upload, PartNumber=number, Body=part)
        self._parts.append({"ETag": sent["ETag"], "PartNumber": number})
