"""The backends by name, the default first."""

from __future__ import annotations

from collections.abc import Mapping

from chroots.engine.backends.native import Native
from chroots.engine.backends.pbuilder import Pbuilder
from chroots.engine.backends.sbuild import Sbuild
from chroots.engine.building.backend import Backend

BACKENDS: Mapping[str, Backend] = {each.name: each for each in (Native(), Sbuild(), Pbuilder())}
