"""The system a bill of materials is of."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from datetime import UTC, datetime

NAMESPACE = uuid.UUID("b0c7d1b6-6a2f-5a37-9b51-6c0e4c1f2d8a")


@dataclass(frozen=True, kw_only=True)
class System:
    """`date` in seconds since 1970; `seed` decides the document's id: the same content has the same one."""

    name: str
    variant: str
    version: str
    suite: str
    architecture: str
    date: int
    seed: str

    @property
    def title(self) -> str:
        return f"{self.name} {self.variant} {self.version}"

    @property
    def created(self) -> str:
        return f"{datetime.fromtimestamp(self.date, UTC):%Y-%m-%dT%H:%M:%SZ}"

    @property
    def id(self) -> str:
        return str(uuid.uuid5(NAMESPACE, f"{self.title} {self.architecture} {self.seed}"))
