"""Containers of finished composes as a registry knows them: names, tags and blobs."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from django.db.models import QuerySet

from composes.models import Compose
from composes.pipeline.container import archive
from composes.pipeline.container.archive import Archive
from hosts.kept import store
from hosts.models import Artifact, State

ARCHIVE, MANIFEST = "oci", "oci-manifest"
LATEST = "latest"
LOOKED_THROUGH = 200  # composes that may have a blob; older ones are asked for by nobody who just saw a manifest


@dataclass(frozen=True)
class Repository:
    """The containers of one variant of a definition, as one person sees them."""

    definition: str
    variant: str
    user: Any

    @property
    def name(self) -> str:
        return f"{self.definition}/{self.variant}"

    @property
    def composes(self) -> QuerySet[Compose]:
        """The finished ones, the newest first: what failed is not handed out."""
        return Compose.objects.visible_to(self.user).filter(
            revision__definition__name=self.definition, variant=self.variant, task__state=State.COMPLETED,
            deliverables__kind=MANIFEST,
        ).order_by("-pk")  # fmt: skip

    def tags(self) -> list[str]:
        """Versions, the newest first, and `latest`."""
        versions = list(dict.fromkeys(self.composes.values_list("version", flat=True)))
        return [*versions, LATEST] if versions else []

    def manifest(self, reference: str) -> Artifact | None:
        """The manifest of a tag, or of this digest."""
        composes = self.composes
        if reference.startswith("sha256:"):
            found = _artifacts(MANIFEST).filter(sha256=reference.removeprefix("sha256:"))
            return found.filter(deliverables__compose__in=composes).first()
        newest = composes if reference == LATEST else composes.filter(version=reference)
        return _artifacts(MANIFEST).filter(deliverables__compose=newest.first()).first()

    def blob(self, digest: str) -> tuple[str, int, int] | None:
        """In which kept archive a blob is, and from which byte to before which."""
        for sha256 in self._archives():
            try:
                found = _index(sha256).blobs.get(digest)
            except FileNotFoundError:
                continue
            if found:
                return sha256, found[0], found[0] + found[1]
        return None

    def _archives(self) -> Iterator[str]:
        newest = list(self.composes.values_list("pk", flat=True)[:LOOKED_THROUGH])
        kept = _artifacts(ARCHIVE).filter(deliverables__compose__in=newest)
        yield from kept.order_by("-deliverables__compose").values_list("sha256", flat=True)


def _artifacts(kind: str) -> QuerySet[Artifact]:
    return Artifact.objects.filter(deliverables__kind=kind)


@lru_cache(maxsize=1024)
def _index(sha256: str) -> Archive:
    """Content never changes under its SHA-256. Raises FileNotFoundError."""
    with store.open(sha256) as file:
        return archive.index(file)
