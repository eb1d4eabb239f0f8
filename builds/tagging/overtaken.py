"""What a repository leaves out although its tag has the build: packages that a binary rebuild of it makes anew."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

from builds.models import BinaryPackage
from builds.tagging import families
from builds.tagging.content import Found
from builds.tagging.entries import Pair


def overtaken(content: Sequence[Found]) -> set[Pair]:
    """Of each source version that a tag has with rebuilds, what the newest rebuild is not the maker of.

    Packages for all architectures stay, and the source package of one build.
    """
    kin = families.known({each.build for each in content}).kin
    related: dict[tuple[str, str], list[int]] = defaultdict(list)
    for each in content:
        if each.build in kin:
            related[each.source, kin[each.build].version].append(each.build)
    rows = [sorted(builds, key=lambda pk: (kin[pk].binnmu, pk)) for builds in related.values()
            if len(builds) > 1 and any(kin[pk].binnmu for pk in builds)]  # fmt: skip
    sources: set[Pair] = {(build, None) for row in rows for build in row[1:]}
    return sources | _packages(rows)


def _packages(rows: Sequence[Sequence[int]]) -> set[Pair]:
    place = {build: (number, rank) for number, row in enumerate(rows) for rank, build in enumerate(row)}
    newest: dict[tuple[int, str, str], tuple[int, Pair]] = {}
    found: set[Pair] = set()
    packages = BinaryPackage.objects.filter(build__in=list(place)).exclude(architecture="all").order_by()
    for build, pk, name, architecture in packages.values_list("build_id", "pk", "name", "architecture"):
        number, rank = place[build]
        mine = (rank, (build, pk))
        other = newest.setdefault((number, name, architecture), mine)
        if other[1] != mine[1]:
            newest[number, name, architecture] = max(other, mine, key=lambda each: each[0])
            found.add(min(other, mine, key=lambda each: each[0])[1])
    return found
