"""Which architectures of a target a source package is built on, and what is made on each."""

from __future__ import annotations

from collections.abc import Collection, Iterable

from debatomic.tools.errors import InputError

ANY = ("any", "linux-any")


def matches(wanted: str, architecture: str) -> bool:
    """Whether a word of a source package's Architecture field means this architecture."""
    return wanted in (*ANY, architecture, f"any-{architecture}", f"linux-{architecture}", f"gnu-any-{architecture}")


def plan(source_architectures: Iterable[str], available: Iterable[str], only: Collection[str] = ()) -> dict[str, str]:
    """What to make on each architecture: `any`, `all`, or `binary` for both; `all` is made once, on the first.

    `only` names some of those available; empty: all. Raises InputError where the target has none of the package's
    architectures (field target), or one that is named has no place here (field architectures).
    """
    wanted = [word for word in source_architectures if word != "source"]
    hosts = sorted(available, key=lambda architecture: (architecture != "amd64", architecture))
    fitting = [architecture for architecture in hosts if any(matches(word, architecture) for word in wanted)]
    if not hosts or (not fitting and "all" not in wanted):
        listed = ", ".join(hosts) or "none"
        raise InputError(f"It is for {' '.join(wanted) or 'no architecture'}; the target has {listed}.", field="target")
    if only:
        _require_fitting(only, hosts, fitting, wanted)
        hosts, fitting = ([one for one in listed if one in only] for listed in (hosts, fitting))
    first = (fitting or hosts)[0]
    planned = dict.fromkeys(fitting, "any")
    if "all" in wanted:
        planned[first] = "binary" if first in planned else "all"
    return planned


def _require_fitting(only: Collection[str], hosts: list[str], fitting: list[str], wanted: list[str]) -> None:
    for one in only:
        if one not in hosts:
            raise InputError(f"The target has no {one}; it has {', '.join(hosts)}.", field="architectures")
        if fitting and one not in fitting:
            raise InputError(f"It is for {' '.join(wanted)}, which {one} is not.", field="architectures")
