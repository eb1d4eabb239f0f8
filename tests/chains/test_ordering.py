"""The order of a chain: by build dependencies, as Debian writes them."""

from __future__ import annotations

from pathlib import Path

import pytest

from builds.chains.ordering import Member, plan
from chroots.engine.archives.dsc import Dsc
from debatomic.tools.errors import InputError


def member(
    name: str, needs: str = "", *, indep: str = "", makes: str = "", version: str = "2.0", profiles: str = "",
    planned: dict[str, str] | None = None,
) -> Member:  # fmt: skip
    fields = {"Build-Depends": needs, "Build-Depends-Indep": indep}
    dsc = Dsc(path=Path(f"{name}.dsc"), name=name, version=version, architectures=("any",), files={},
              build_fields={field: value for field, value in fields.items() if value})  # fmt: skip
    return Member(dsc=dsc, binaries=frozenset(makes.split() or [name]), profiles=tuple(profiles.split()),
                  planned=planned or {"amd64": "any"})  # fmt: skip


LIBRARY = member("libtiny", makes="libtiny1 libtiny-dev")


@pytest.mark.parametrize("needs, waits", [
    ("debhelper-compat (= 13), libtiny-dev (>= 1.5)", True),
    ("libtiny-dev:any | libother-dev", True),
    ("libother-dev | libtiny-dev", True),
    ("libtiny-dev [amd64 arm64]", True),
    ("libtiny-dev [!amd64]", False),
    ("libtiny-dev:arm64", False),  # another architecture's package
    ("libtiny-dev <!nocheck>", True),
    ("libtiny-dev <stage1>", False),
    ("libtiny-dev (<< 2)", False),
    ("libtiny-dev (<< 2) | libtiny1", True),
    ("libtiny", False),  # the source's name is no package's
])  # fmt: skip
def test_a_source_waits_for_what_it_builds_with(needs: str, waits: bool) -> None:
    found = plan([member("tool", needs), LIBRARY])
    assert found.levels == ([["libtiny"], ["tool"]] if waits else [["libtiny", "tool"]])


def test_what_builds_all_counts_where_all_is_built() -> None:
    assert plan([member("tool", indep="libtiny-dev"), LIBRARY]).needs == []
    assert len(plan([member("tool", indep="libtiny-dev", planned={"amd64": "binary"}), LIBRARY]).needs) == 1


def test_independent_ones_are_built_at_the_same_time() -> None:
    found = plan([member("both", "libtiny-dev, tool"), member("tool", "libtiny-dev"), member("other"), LIBRARY])
    assert found.levels == [["libtiny", "other"], ["tool"], ["both"]]
    assert [(need.needed, need.packages) for need in found.needed_by("both")] == [
        ("libtiny", ("libtiny-dev",)), ("tool", ("tool",))]  # fmt: skip


def test_a_version_that_the_chain_does_not_make_is_noted() -> None:
    assert plan([member("tool", "libtiny-dev (<< 2)"), LIBRARY]).notes == [
        "tool needs libtiny-dev (<< 2); this chain makes 2.0."]  # fmt: skip


CIRCLE = [("a", "b-dev <!nocheck>, b-doc <!nocheck !nodoc>", "a-dev"), ("b", "a-dev", "b-dev b-doc")]


def circle(profiles: str = "") -> list[Member]:
    return [member(name, needs, makes=makes, profiles=profiles if name == "a" else "") for name, needs, makes in CIRCLE]


def test_a_cycle_is_named_with_the_profile_that_breaks_it() -> None:
    with pytest.raises(InputError) as refused:
        plan(circle())
    assert refused.value.field == "sources"
    assert "a → b → a" in str(refused.value) or "b → a → b" in str(refused.value)
    assert "a needs b-dev, b-doc of b" in str(refused.value)
    assert refused.value.hint == "Build a with <nocheck>, without b-dev, b-doc."
    assert plan(circle("nocheck")).levels == [["a"], ["b"]]


def test_a_cycle_that_no_profile_breaks_says_so() -> None:
    with pytest.raises(InputError) as refused:
        plan([member("a", "b"), member("b", "c"), member("c", "a")])
    assert refused.value.hint == "No build profile takes one of these build dependencies away."


@pytest.mark.parametrize("members, sentence", [
    ([LIBRARY, LIBRARY], "libtiny is in the chain twice."),
    ([LIBRARY, member("fork", makes="libtiny-dev")], "libtiny and fork both make libtiny-dev."),
])  # fmt: skip
def test_what_makes_no_order_is_refused(members: list[Member], sentence: str) -> None:
    with pytest.raises(InputError, match=sentence):
        plan(members)
