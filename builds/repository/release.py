"""The Release file, which says what every index must be. Source: wiki.debian.org/DebianRepository/Format."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

from builds.repository.spec import Spec

Digests = Mapping[str, tuple[str, int]]  # path beneath the suite: SHA-256 and bytes


def release(spec: Spec, made_at: datetime, digests: Digests) -> str:
    """The text to sign."""
    until = made_at + timedelta(days=spec.valid_days)
    fields = {
        "Origin": spec.origin,
        "Label": spec.label,
        "Suite": spec.suite,
        "Codename": spec.codename,
        "Date": _date(made_at),
        "Valid-Until": _date(until) if spec.valid_days else "",
        "Acquire-By-Hash": "yes",
        "NotAutomatic": "" if spec.automatic else "yes",
        "ButAutomaticUpgrades": "" if spec.automatic else "yes",
        "Snapshots": spec.snapshots,
        "Architectures": " ".join(spec.architectures),
        "Components": " ".join(spec.components),
        "Description": spec.description,
    }
    lines = [f"{name}: {value}" for name, value in fields.items() if value]
    rows = [f" {digest} {size:>12} {path}" for path, (digest, size) in sorted(digests.items())]
    return "\n".join([*lines, "SHA256:", *rows]) + "\n"


def _date(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%a, %d %b %Y %H:%M:%S UTC")
