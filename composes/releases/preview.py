"""What a promotion or a withdrawal would change, to be looked at before the click."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.cache import cache

from composes.comparing.comparison import Difference, difference
from composes.gates import MADE
from composes.models import Compose
from composes.pipeline.publishing.updates import Update, update
from composes.releases.release_models import ReleaseChannel
from composes.releases.releasing import refs_of
from debatomic.tools.errors import InputError
from hosts.models import State


@dataclass(frozen=True, kw_only=True)
class RefChange:
    """One ref before and after; `download` is what a machine without a static delta fetches, None where unknown."""

    ref: str
    old: str
    new: str
    download: Update | None


@dataclass(frozen=True, kw_only=True)
class Preview:
    """`difference` is None where nothing was carried before, or (then `mistake` says it) it cannot be told."""

    channel: ReleaseChannel
    old: Compose | None
    new: Compose
    refs: tuple[RefChange, ...]
    gates: tuple[dict[str, Any], ...]  # name, verdict, sentence, architecture
    difference: Difference | None
    mistake: str

    def as_json(self) -> dict[str, Any]:
        return {"channel": str(self.channel), "old": self.old and str(self.old), "new": str(self.new),
                "refs": [asdict(each) for each in self.refs], "gates": list(self.gates),
                "difference": self.difference and self.difference.as_json(), "mistake": self.mistake}  # fmt: skip


def preview(channel: ReleaseChannel, compose: Compose) -> Preview:
    """Have the channel carry this compose: what would be otherwise. Raises InputError where it has no refs for it."""
    old = channel.carries
    found, mistake = None, ""
    try:
        found = difference(old, compose) if old else None
    except InputError as error:
        mistake = error.sentence
    return Preview(channel=channel, old=old, new=compose, refs=tuple(_refs(channel, compose)), difference=found,
                   gates=tuple(_gates(compose)), mistake=mistake)  # fmt: skip


def _refs(channel: ReleaseChannel, compose: Compose) -> Iterator[RefChange]:
    carried = channel.current.facts if channel.current else {}
    for ref, commit in refs_of(compose, channel.name).items():
        old = carried.get(ref, {}).get("commit", "")
        yield RefChange(ref=ref, old=old, new=commit, download=download(old, commit))


def download(old: str, new: str) -> Update | None:
    """Objects and bytes from one published commit to another; None where one is not there."""
    key = f"update:{old}:{new}"
    known: Update | None = cache.get(key)
    if known is None:
        try:
            known = update(Path(settings.OSTREE) / "repo", old, new)
        except InputError:
            return None
        cache.set(key, known, 86400)
    return known


def _gates(compose: Compose) -> Iterator[dict[str, Any]]:
    """What the gates said, the boot proofs and the lint rules among them."""
    for task in compose.task.children.filter(method__in=MADE, state=State.COMPLETED).order_by("pk"):
        where = {"architecture": task.architecture}
        for each in task.result.get("gates") or ():
            yield {**where, "name": each["name"], "verdict": each["verdict"], "sentence": each["sentence"]}
        for firmware, facts in sorted((task.result.get("boot") or {}).items()):
            yield {**where, "name": f"boot by {firmware.upper()}", "verdict": "passed",
                   "sentence": f"multi-user.target after {facts['seconds']:.0f} s"}  # fmt: skip
        for each in task.result.get("lint") or ():
            yield {**where, "name": f"lint {each['rule']}", "verdict": "warned", "sentence": "; ".join(each["details"])}
