"""Definitions in the database: read by the engine's reader, put together from fields and taken apart again."""

from __future__ import annotations

from typing import Any

import pytest

from chroots import definition
from debatomic.tools.errors import InputError

SMALL = "suite: trixie\narchitecture: amd64\nvariant: minbase\n"


def test_a_definition_of_ones_own_is_read() -> None:
    spec = definition.read("small", f"{SMALL}+packages: [nano]\n")
    assert (spec.name, spec.suite, spec.variant, spec.packages) == ("small", "trixie", "minbase", ("nano",))


def test_it_may_begin_with_what_comes_with_debatomic() -> None:
    spec = definition.read("mine", "base: trixie-amd64\ninclude: [templates/security.yaml]\n+packages: [nano]\n")
    assert (spec.suite, spec.architecture, spec.packages) == ("trixie", "amd64", ("fakeroot", "nano"))
    assert [repository.name for repository in spec.repositories] == ["security"]


def test_without_a_text_it_is_the_one_of_its_name() -> None:
    assert definition.read("forky-arm64", "").architecture == "arm64"


@pytest.mark.parametrize("text, words", [
    ("suite: trixie\n", "the key architecture is missing"),
    (f"{SMALL}varient: x\n", "line 4: the key varient is unknown; did you mean variant?"),
    (f"{SMALL}components: main\n", "line 4: components must be a list of words"),
    (f"{SMALL}suite: sid\n", "line 4: the key suite is there twice"),
    ("suite: [\n", "line 2: this is not valid YAML"),
    ("- suite\n", "line 1: a chroot definition is a list of keys"),
    ("base: nothing\n", "line 1: base: There is no chroot 'nothing'"),
    ("base: debian\nsuite: trixie\n", "x is several chroots: x-amd64"),
    (f"{SMALL}include: [/etc/debatomic/secret.yaml]\n", "line 4: include: there is no /etc/debatomic/secret.yaml"),
    (f"{SMALL}include: [../../definitions/debian.yaml]\n", "line 4: include: there is no ../../definitions"),
    (f"{SMALL}bootstrap_options: [--setup-hook=id]\n", "line 4: bootstrap_options is understood in definition files"),
    (f"{SMALL}+bootstrap_options: [--setup-hook=id]\n", "line 4: +bootstrap_options is understood in definition files"),
    (SMALL + "#" * definition.LENGTH, "at most 64 KiB"),
])  # fmt: skip
def test_what_is_wrong_is_told_by_line(text: str, words: str) -> None:
    with pytest.raises(InputError) as refused:
        definition.read("x", text)
    assert words in str(refused.value)
    assert refused.value.field == "definition"
    assert "/tmp" not in refused.value.sentence and "definition-" not in refused.value.sentence


@pytest.mark.parametrize("name", ["new", "Trixie", "a b", "-a", "", "../x", "a" * 51, "a.b"])
def test_what_cannot_be_a_name(name: str) -> None:
    with pytest.raises(InputError) as refused:
        definition.check_name(name)
    assert refused.value.field == "name"


FIELDS: dict[str, Any] = {"base": "debian", "suite": "sid", "architecture": "arm64", "+packages": ["nano", "less"]}


def test_fields_become_a_text_and_fields_again() -> None:
    more = "# house\nrepositories:\n  - name: house"
    text, keys = definition.composed(FIELDS, f"{more}\n".replace("\n", "\r\n"))
    assert text == f"base: debian\nsuite: sid\narchitecture: arm64\n+packages: [nano, less]\n{more}\n"
    assert keys == ["base", "suite", "architecture", "+packages"]
    assert definition.divided(text) == (FIELDS, more)


@pytest.mark.parametrize("line", [
    "suite: trixie # mine", "components:", "  suite: trixie", "suite: 13", "packages: [a]", "variant: {a: b}", "- a",
])  # fmt: skip
def test_what_no_field_can_show_stays_text(line: str) -> None:
    assert definition.divided(line) == ({}, line)


@pytest.mark.parametrize("value", ["null", "yes", "1.0", "a: b", "#x", "'quoted'", "[x", "*a"])
def test_odd_values_come_back_as_they_went_in(value: str) -> None:
    text, _ = definition.composed({"suite": value}, "")
    assert definition.divided(text) == ({"suite": value}, "")


def test_a_resolved_configuration_names_line_or_file() -> None:
    found = {
        one.key: one for one in definition.resolved("mine", "base: trixie-amd64\nmirror: https://deb.example.org/d\n")
    }
    assert (found["mirror"].value, found["mirror"].origin) == ("https://deb.example.org/d", "line 2")
    assert (found["suite"].value, found["suite"].origin) == ("trixie", "trixie.yaml:3")
    assert (found["packages"].value, found["packages"].origin) == ("fakeroot", "debian.yaml:5")
    assert (found["repositories"].value, found["refresh_after"].origin) == ("none", "default")
