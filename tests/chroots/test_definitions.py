"""Chroot definitions: families of chroots from one file, what they inherit, and what is said where one is wrong."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from chroots.engine.configuration import definitions
from chroots.engine.configuration.values import KEYS
from chroots.engine.spec import ChrootSpec, Repository
from debatomic.tools.errors import InputError

Define = Callable[..., Path]
PLAIN = "suite: trixie\narchitecture: amd64\n"


@pytest.fixture
def defined(tmp_path: Path) -> Define:
    def define(**texts: str) -> Path:
        for name, text in texts.items():
            (tmp_path / f"{name}.yaml").write_text(text)
        return tmp_path

    return define


SHIPPED = ("bookworm", "forky", "sid", "trixie")


def test_the_definitions_that_come_with_us_are_right() -> None:
    expected = [f"{suite}-{architecture}{flavour}" for suite in SHIPPED for architecture in ("amd64", "arm64")
                for flavour in ("", "-minbase")]  # fmt: skip
    assert definitions.names() == expected
    for name in expected:
        spec = definitions.load(name)
        assert (spec.suite, spec.architecture) == tuple(name.split("-")[:2]) and spec.components == ("main",)
        minimal = name.endswith("minbase")
        assert (spec.variant, spec.packages) == (("minbase", ()) if minimal else ("buildd", ("fakeroot",)))


def test_a_definition_inherits_and_overrides(defined: Define) -> None:
    folder = defined(one=PLAIN + "components: [main, contrib]\n", two="base: one\nsuite: sid\nrefresh_after: 60\n")
    spec = definitions.load("two", folder)
    assert spec == ChrootSpec(
        name="two", suite="sid", architecture="amd64", components=("main", "contrib"), refresh_after=60
    )


FAMILY = """suite: trixie
packages: [a]
+components: [contrib]
architectures:
  amd64: {}
  arm64: {mirror: "http://ports.example.org/debian", +packages: [b]}
flavours:
  tiny: {variant: minbase}
  big:
    +packages: [c, a]
"""


def test_one_file_describes_a_family_of_chroots(defined: Define) -> None:
    folder = defined(mine=FAMILY)
    assert definitions.names(folder) == ["mine-amd64", "mine-amd64-big", "mine-amd64-tiny",
                                         "mine-arm64", "mine-arm64-big", "mine-arm64-tiny"]  # fmt: skip
    big = definitions.load("mine-arm64-big", folder)
    assert (big.packages, big.components, big.mirror, big.variant) == (
        ("a", "b", "c"), ("main", "contrib"), "http://ports.example.org/debian", "buildd")  # fmt: skip
    assert definitions.load("mine-amd64-tiny", folder).variant == "minbase"
    with pytest.raises(InputError, match="mine is several chroots: mine-amd64, mine-arm64, mine-amd64-tiny"):
        definitions.load("mine", folder)


@pytest.mark.parametrize(
    "child, name, packages",
    [
        ("base: mine\n", "new-arm64-big", ("a", "b", "c")),
        ("base: mine\npackages: [x]\n", "new-arm64-big", ("x", "b", "c", "a")),
        ("base: mine-arm64-big\n+packages: [x]\n", "new", ("a", "b", "c", "x")),
        ("base: mine-arm64\npackages: [x]\n", "new", ("x",)),
        ("base: mine\narchitecture: riscv64\n", "new-tiny", ("a",)),
        ("base: mine\nflavours: {}\narchitectures: {arm64: {}}\n", "new-arm64", ("a",)),
        ("base: mine\n+architectures: {arm64: {+packages: [y]}, riscv64: }\n", "new-arm64", ("a", "b", "y")),
        ("base: trixie-amd64\n+packages: [x]\n", "new", ("fakeroot", "x")),  # of those that come with us
    ],
)
def test_a_family_is_inherited(defined: Define, child: str, name: str, packages: tuple[str, ...]) -> None:
    folder = defined(mine=FAMILY, new=child)
    assert definitions.load(name, folder).packages == packages
    assert name in definitions.names(folder)


def test_the_origin_of_each_value_is_told(defined: Define) -> None:
    folder = defined(mine=FAMILY, new="base: mine\nrefresh_after: 5\n")
    said = definitions.origins("new-arm64-big", folder)
    assert list(said) == list(KEYS)
    mine, new = folder / "mine.yaml", folder / "new.yaml"
    assert said["suite"] == f"{mine}:1" and said["refresh_after"] == f"{new}:2" and said["keyring"] == "default"
    assert said["packages"] == f"{mine}:2, {mine}:6, {mine}:10" and said["components"] == f"default, {mine}:3"
    assert said["architecture"] == f"{mine}:6"


def test_the_templates_that_come_with_us(defined: Define) -> None:
    folder = defined(new="base: trixie-arm64\ninclude: [templates/updates.yaml, templates/security.yaml,\n"
                         "          templates/backports.yaml]\n")  # fmt: skip
    assert definitions.load("new", folder).repositories == (
        Repository(name="updates", uris=("{mirror}",), suites=("trixie-updates",)),
        Repository(name="security", uris=("{mirror}-security",), suites=("trixie-security",)),
        Repository(name="backports", uris=("{mirror}",), suites=("trixie-backports",)),
    )


def test_files_are_included_before_the_file_itself_speaks(defined: Define) -> None:
    folder = defined(one="include: [two.yaml]\n+packages: [c]\narchitecture: amd64\n", three="suite: sid\n",
                     two="include: [three.yaml]\nsuite: trixie\npackages: [b]\narchitecture: arm64\n")  # fmt: skip
    spec = definitions.load("one", folder)
    assert (spec.suite, spec.packages, spec.architecture) == ("trixie", ("b", "c"), "amd64")


@pytest.mark.parametrize(
    "files, sentence",
    [
        ({"c": "base: d\n", "d": "base: e\n", "e": "base: c\n"},
         "e.yaml:1: base: c.yaml → d.yaml → e.yaml → c.yaml: that is a circle."),
        ({"c": "include: [d.yaml]\n", "d": "suite: x\ninclude: [d.yaml]\n"},
         "d.yaml:2: include: d.yaml → d.yaml: that is a circle."),
        ({"c": "include: [nothing.yaml]\n"}, "c.yaml:1: include: there is no file nothing.yaml in "),
        ({"c": "include: [d.yaml]\n", "d": "base: sid\n"}, "d.yaml:1: a file that is included cannot have the key"),
        ({"c": "include: d.yaml\n"}, "c.yaml:1: include must be a list of words"),
        ({"c": PLAIN + "architectures: [a]\n"}, "c.yaml:3: architectures must have a name and keys in each entry"),
        ({"c": PLAIN + "flavours:\n  A-b: {}\n"}, "c.yaml:4: A-b cannot be part of a chroot's name"),
        ({"c": PLAIN + "flavours:\n  b: 1\n"}, "c.yaml:4: b must have keys, or {} for none."),
        ({"c": PLAIN + "flavours:\n  b:\n    base: d\n"}, "c.yaml:5: the key base is unknown; the keys are suite,"),
        ({"c": PLAIN + "flavours:\n  b:\n    packages: d\n"}, "c.yaml:5: packages must be a list of words"),
        ({"c": "+" + PLAIN}, "c.yaml:1: the key +suite is unknown; did you mean suite?"),
        ({"c": PLAIN + "variant: build\n"}, "c.yaml:3: variant must be one of buildd, minbase,"),
        ({"c": PLAIN + "packages: &a [*a]\n"}, "c.yaml:3: this is not valid YAML: an alias (*) is not understood"),
        ({"c": PLAIN + "refresh_after: 2020-99-99\n"}, "c.yaml:3: "),
        ({"c": PLAIN + "packages: [\0]\n"}, "c.yaml:3: this is not valid YAML: special characters are not allowed."),
    ],
)  # fmt: skip
def test_wrong_families_and_circles(defined: Define, files: dict[str, str], sentence: str) -> None:
    with pytest.raises(InputError) as error:
        definitions.load("c", defined(**files))
    assert sentence in error.value.sentence


REPOSITORY = PLAIN + "repositories:\n  - {name: x, uris: [https://x.example.org/deb], suites: [stable]%s}\n"


def test_a_repository_of_somebody_else(defined: Define) -> None:
    more = f", components: [main, extra], key: /k.asc, secret: /root/secret, fingerprint: {'ab 12 ' * 10}"
    [found] = definitions.load("c", defined(c=REPOSITORY % more)).repositories
    assert found == Repository(name="x", uris=("https://x.example.org/deb",), suites=("stable",), key="/k.asc",
                               components=("main", "extra"), fingerprint="AB12" * 10,
                               secret=Path("/root/secret"))  # fmt: skip


@pytest.mark.parametrize(
    "text, sentence",
    [
        (REPOSITORY % ", kei: /x", "c.yaml:4: the key kei is unknown; did you mean key?"),
        (REPOSITORY % ", key: x", "c.yaml:4: key must be the path of a file with public keys"),
        (REPOSITORY % ", key: https://x.example.org/k", "c.yaml:4: a key that is fetched needs its fingerprint."),
        (REPOSITORY % ", fingerprint: ab", "c.yaml:4: fingerprint must be the 40 (or 64) hexadecimal digits"),
        (REPOSITORY % ", secret: x", "c.yaml:4: secret must be the path of a file"),
        (REPOSITORY % ", components: []", "c.yaml:4: components must be at least one word"),
        (REPOSITORY.replace("uris: [https://", "uris: [https://me:pw@") % "", "uris must not hold a name or password"),
        (REPOSITORY.replace("uris: [https://x", "uris: [https://{x}") % "", "c.yaml:4: "),
        (REPOSITORY.replace("https", "ftp") % "", "c.yaml:4: uris must be addresses that begin with http://"),
        (REPOSITORY.replace("[stable]", "['{sweet}']") % "", "c.yaml:4: suites must be at least one word"),
        (REPOSITORY.replace("name: x, ", "") % "", "c.yaml:4: the repository has no key name."),
        (PLAIN + "repositories: [x]\n", "c.yaml:3: an entry of repositories is a list of keys: name, uris,"),
        (PLAIN + "repositories: x\n", "c.yaml:3: repositories must be a list; each entry has name, uris,"),
    ],
)
def test_a_wrong_repository_is_told_with_its_place(defined: Define, text: str, sentence: str) -> None:
    with pytest.raises(InputError) as error:
        definitions.load("c", defined(c=text))
    assert sentence in error.value.sentence and "me:pw" not in error.value.sentence


def test_repositories_are_part_of_what_a_base_is(defined: Define, tmp_path: Path) -> None:
    folder = defined(plain=PLAIN, one=REPOSITORY % ", key: /k.asc", two=REPOSITORY % ", key: /k.asc, secret: /s",
                     three=REPOSITORY % f", key: {tmp_path}/k.asc")  # fmt: skip
    plain, one, two, three = (definitions.load(name, folder).key for name in ("plain", "one", "two", "three"))
    assert len({plain, one, three}) == 3 and one == two  # how one gets in changes nothing
    (tmp_path / "k.asc").write_text("another key")
    assert definitions.load("three", folder).key != three


@pytest.mark.parametrize(
    "text, sentence",
    [
        (PLAIN + "siute: sid\n", "c.yaml:3: the key siute is unknown; did you mean suite?"),
        (PLAIN + "zzz: 1\n", "c.yaml:3: the key zzz is unknown; the keys are base, include,"),
        (PLAIN + "suite: sid\n", "c.yaml:3: the key suite is there twice."),
        ("architecture: amd64\nsuite: [a]\n", "c.yaml:2: suite must be a word, not ['a']."),
        (PLAIN + "components: main\n", "c.yaml:3: components must be a list of words"),
        (PLAIN + "packages: [1]\n", "c.yaml:3: packages must be a list of words"),
        (PLAIN + "mirror: ftp://x\n", "c.yaml:3: mirror must be an address that begins with http://"),
        (PLAIN + "keyring: x.gpg\n", "c.yaml:3: keyring must be the path of a file, beginning with /."),
        (PLAIN + "refresh_after: soon\n", "c.yaml:3: refresh_after must be a number of seconds, not 'soon'."),
        (PLAIN + "refresh_after: true\n", "c.yaml:3: refresh_after must be a number of seconds, not True."),
        ("suite: trixie\n", "c.yaml: the key architecture is missing."),
        ("suite: 'a\n", "this is not valid YAML"),
        ("- a\n", "c.yaml:1: a chroot definition is a list of keys with values"),
        ("", "c.yaml:1: a chroot definition is a list of keys with values"),
        ("base: d\n", "c.yaml:1: base: There is no chroot 'd'"),
        ("base: c\n", "c.yaml:1: base: c.yaml → c.yaml: that is a circle."),
    ],
)
def test_a_wrong_definition_is_told_with_its_place(defined: Define, text: str, sentence: str) -> None:
    with pytest.raises(InputError) as error:
        definitions.load("c", defined(c=text))
    assert sentence in error.value.sentence


@pytest.mark.parametrize("name", ["trixie-amd46", "../../etc/passwd", "Trixie", ""])
def test_an_unknown_chroot_is_told_with_those_there_are(name: str) -> None:
    with pytest.raises(InputError, match=f"There is no chroot '{name}'") as error:
        definitions.load(name)
    assert "Known chroots: bookworm-amd64, bookworm-arm64, " in error.value.sentence
