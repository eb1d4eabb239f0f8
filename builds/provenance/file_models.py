"""Which files the built packages have: a list for each different content, and its base names as an index.

Packages that were built again, or for another tag, mostly have the same files: they share one list.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from typing import ClassVar

import zstandard
from django.db import models

from debatomic.tools.errors import InputError

MOST_NAMES = 100_000  # of one list that can be searched for
LONGEST_NAME = 255  # bytes, as file systems have it
MOST_BYTES = 256 << 20  # of an unpacked list


def base_name(path: str) -> bytes:
    return path.rpartition("/")[2].encode(errors="replace")[:LONGEST_NAME]


class FileListManager(models.Manager["FileList"]):
    def of(self, paths: Iterable[str]) -> FileList:
        """The list of these paths; made, with its names, where there is none."""
        told = sorted(set(paths))
        content = "\n".join(told).encode(errors="replace")
        packed = zstandard.ZstdCompressor().compress(content)
        found, made = self.get_or_create(sha256=hashlib.sha256(content).hexdigest(),
                                         defaults={"number": len(told), "packed": packed})  # fmt: skip
        if made:
            names = sorted({base_name(path) for path in told})[:MOST_NAMES]
            FileName.objects.bulk_create((FileName(name=name, listing=found) for name in names), batch_size=2000)
        return found

    def forget(self, lists: Sequence[int]) -> None:
        """Of these, remove those that no package has any more, with their names."""
        for unused in self.filter(pk__in=lists, packages=None):
            names = list({base_name(path) for path in unused.paths()})
            for first in range(0, len(names), 500):
                FileName.objects.filter(name__in=names[first : first + 500], listing=unused).delete()
            unused.delete()


class FileList(models.Model):
    """The paths of one or more packages, without a leading slash."""

    sha256 = models.CharField(max_length=64, unique=True)
    number = models.PositiveIntegerField()
    packed = models.BinaryField()  # lines, compressed by zstd

    objects: ClassVar = FileListManager()

    def __str__(self) -> str:
        return f"{self.number} files"

    def paths(self, having: str = "") -> list[str]:
        """All of them; `having`: none at once where no path has this text. Raises InputError for a damaged list."""
        try:
            content = zstandard.ZstdDecompressor().stream_reader(bytes(self.packed)).read(MOST_BYTES)
        except zstandard.ZstdError as error:
            raise InputError(f"The list of files {self.sha256} is damaged: {error}.") from error
        if not content or having.encode(errors="replace") not in content:
            return []
        return content.decode(errors="replace").split("\n")


class FileName(models.Model):
    """A list has a file of this name, once however many; bytes, so that every database sorts them alike."""

    name = models.BinaryField(max_length=LONGEST_NAME)
    listing = models.ForeignKey(FileList, on_delete=models.DO_NOTHING, related_name="+", db_index=False)

    class Meta:
        indexes: ClassVar = [models.Index(fields=["name", "listing"], name="file_name")]

    def __str__(self) -> str:
        return bytes(self.name).decode(errors="replace")


class PackageFiles(models.Model):
    """The list of a binary package; `listing` is none while it waits, and where its build did not describe it."""

    binary = models.OneToOneField(
        "builds.BinaryPackage", on_delete=models.CASCADE, primary_key=True, related_name="files"
    )
    listing = models.ForeignKey(FileList, on_delete=models.PROTECT, null=True, related_name="packages")
    waits = models.BooleanField(default=True)

    class Meta:
        indexes: ClassVar = [models.Index(fields=["binary"], name="files_wait", condition=models.Q(waits=True))]

    def __str__(self) -> str:
        return f"files of {self.binary_id}"
