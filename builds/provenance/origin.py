"""Where a binary package comes from, and where it went."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from builds.models import BinaryPackage, Holding, TagEntry
from builds.provenance.attestation_models import Attestation
from builds.provenance.buildinfo import MOST_BYTES, Installed, installed
from builds.provenance.uses import Use, uses_of
from hosts.kept import store
from hosts.models import Artifact, Log, Task

SHOWN = 50  # of each: tags, repositories
SHOWN_INSTALLED = 500  # packages of the buildroot, on its page; the .buildinfo has all


@dataclass(frozen=True, kw_only=True)
class Origin:
    """Of a binary package. What is not known (any more) is None or empty."""

    package: BinaryPackage
    task: Task | None
    buildinfo: Artifact | None
    installed: list[Installed]
    log: Log | None
    siblings: list[Artifact]
    attestation: Attestation | None
    entries: list[TagEntry]  # also those that ended
    holdings: list[Holding]  # also those that ended
    uses: list[Use]
    rebuilt: Sequence[BinaryPackage]  # other builds that made the same bytes

    @property
    def base(self) -> dict[str, Any]:
        """chroots.engine.layers.base.facts"""
        said = self.task.result.get("base") if self.task else None
        return dict(said or {})

    @property
    def installed_shown(self) -> list[Installed]:
        """The first of them."""
        return self.installed[:SHOWN_INSTALLED]

    @property
    def layer(self) -> str:
        return str(self.task.result.get("layer", "")) if self.task else ""

    @property
    def chroot(self) -> str:
        return str(self.task.request.get("chroot", "")) if self.task else ""


def origin(package: BinaryPackage, user: Any) -> Origin:
    """In a number of queries that depends on nothing."""
    task = Task.objects.select_related("host").filter(pk=package.artifact.task_id or 0).first()
    kept = list(Artifact.objects.filter(task=task).order_by("kind", "name")) if task else []
    buildinfo = next((each for each in kept if each.kind == Artifact.Kind.BUILDINFO), None)
    entries = TagEntry.objects.filter(build=package.build_id).select_related("tag", "began_by", "ended_by")
    holdings = Holding.objects.filter(binary=package).select_related("repository", "first", "end")
    same = BinaryPackage.objects.filter(artifact__sha256=package.artifact.sha256).exclude(pk=package.pk)
    visible = same.filter(build__in=type(package.build).objects.visible_to(user))
    return Origin(
        package=package, task=task, buildinfo=buildinfo, installed=installed(text_of(buildinfo)),
        log=task.logs.order_by("-attempt", "pk").first() if task else None,
        siblings=[each for each in kept if each.pk != package.artifact_id],
        attestation=Attestation.objects.select_related("envelope").filter(task=task).first() if task else None,
        entries=list(entries.order_by("-pk")[:SHOWN]), holdings=list(holdings.order_by("-pk")[:SHOWN]),
        uses=uses_of(package.artifact.sha256, user),
        rebuilt=list(visible.select_related("build__target").order_by("-pk")[:SHOWN]),
    )  # fmt: skip


def text_of(buildinfo: Artifact | None) -> str:
    """The text of a .buildinfo; empty where it is gone."""
    if buildinfo is None:
        return ""
    try:
        with store.open(buildinfo.sha256) as file:
            return file.read(MOST_BYTES).decode(errors="replace")
    except OSError:
        return ""
