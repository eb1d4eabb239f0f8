"""Plugins: how they are named, found and given options, what becomes of a build when one fails, and those shipped."""

from __future__ import annotations

import json
import lzma
import os
import re
import tomllib
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from chroots.engine.archives.dsc import Dsc
from chroots.engine.building.failure import BuildFailed, Cause
from chroots.engine.building.hooks import Hooks, wanted
from chroots.engine.commands.main import parser
from chroots.engine.configuration import definitions
from chroots.engine.plugins import found, hardening, lintian, mounts, records
from chroots.engine.plugins.plugin import POINTS, Context, Plugin, PluginFailed
from chroots.engine.spec import BuildSpec, ChrootSpec, PluginUse
from chroots.engine.state import State
from debatomic.tools.errors import InputError

DOCUMENT = Path(__file__).parents[2] / "docs/plugins.md"
CHROOT = ChrootSpec(name="c", suite="trixie", architecture="amd64")
FAILING = """
from chroots.engine.plugins.plugin import Plugin
class Failing(Plugin):
    def post_build(self, context):
        raise KeyError("nothing")
"""
SourcePackage = Callable[..., Path]
Engine = Callable[..., tuple[int, str]]


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", DOCUMENT.read_text(), re.MULTILINE | re.DOTALL)


@pytest.fixture
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The package of the documentation, and one whose plugin has a fault, as pip installs them."""
    folder = tmp_path / "site"
    (project,), (module,) = map(tomllib.loads, blocks("toml")), blocks("python")
    about = folder / "house_plugins-1.0.dist-info"
    about.mkdir(parents=True)
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: house-plugins\nVersion: 1.0\n")
    offered = {**project["project"]["entry-points"][found.GROUP], "failing": "failing_plugin:Failing"}
    lines = [f"{name} = {value}" for name, value in offered.items()]
    (about / "entry_points.txt").write_text("\n".join([f"[{found.GROUP}]", *lines, ""]))
    (folder / "house_plugins.py").write_text(module)
    (folder / "failing_plugin.py").write_text(FAILING)
    monkeypatch.syspath_prepend(folder)
    monkeypatch.setenv("PYTHONPATH", os.fspath(folder))
    return folder


@pytest.fixture
def said() -> list[str]:
    return []


@pytest.fixture
def context(tmp_path: Path, said: list[str]) -> Context:
    spec = BuildSpec(source="x", chroot=CHROOT, output=tmp_path / "out")
    (tmp_path / "target").mkdir()
    dsc = Dsc(path=tmp_path / "x_1.dsc", name="x", version="1", architectures=("all",), build_fields={}, files={})
    return Context(spec=spec, state=State(tmp_path / "state"), work=tmp_path, output=tmp_path / "target",
                   say=said.append, source=dsc)  # fmt: skip


# How they are named


@pytest.mark.parametrize(
    "line, expected",
    [
        ("[lintian]", [PluginUse(name="lintian")]),
        ("[{name: lintian, required: true, fail_on: none}]",
         [PluginUse(name="lintian", required=True, options={"fail_on": "none"})]),
        ("[{name: mounts, folders: {/srv/a: /opt/a}}]",
         [PluginUse(name="mounts", options={"folders": {"/srv/a": "/opt/a"}})]),
        ("[lintian, {name: lintian, fail_on: none}]", [PluginUse(name="lintian", options={"fail_on": "none"})]),
    ],
)  # fmt: skip
def test_a_definition_names_plugins(line: str, expected: list[PluginUse], tmp_path: Path) -> None:
    (tmp_path / "x.yaml").write_text(f"suite: trixie\narchitecture: amd64\nplugins: {line}\n")
    spec = definitions.load("x", tmp_path)
    assert list(spec.plugins) == expected
    assert spec.key == replace(spec, plugins=()).key  # the base is the same


@pytest.mark.parametrize(
    "line, sentence",
    [
        ("lintian", "x.yaml:3: plugins must be a list"),
        ("[{fail_on: none}]", "x.yaml:3: the plugin has no key name"),
        ("[{name: lintian, required: often}]", "x.yaml:3: required must be true or false"),
    ],
)
def test_a_definition_that_names_them_wrongly_is_refused(line: str, sentence: str, tmp_path: Path) -> None:
    (tmp_path / "x.yaml").write_text(f"suite: trixie\narchitecture: amd64\nplugins: {line}\n")
    with pytest.raises(InputError, match=sentence):
        definitions.load("x", tmp_path)


def test_the_word_of_the_build_counts_more_than_that_of_the_chroot() -> None:
    words = ["build", "x", "--chroot", "c", "--output", "o", "--plugin", "root-cache"]
    options = parser().parse_args([*words, "--plugin", "{name: lintian, fail_on: none}"])
    chroot = ChrootSpec(name="c", suite="s", architecture="amd64",
                        plugins=(PluginUse(name="lintian"), PluginUse(name="blhc")))  # fmt: skip
    spec = BuildSpec(source="x", chroot=chroot, output=Path("o"), plugins=tuple(options.plugin))
    assert wanted(spec) == [PluginUse(name="lintian", options={"fail_on": "none"}), PluginUse(name="blhc"),
                            PluginUse(name="root-cache")]  # fmt: skip


# How they are found


@pytest.mark.parametrize(
    "use, sentence",
    [
        (PluginUse(name="lintain"), "plugin lintain cannot be used: there is none of that name; did you mean lintian"),
        (PluginUse(name="lintian", options={"fail": "x"}), "The option fail is unknown; the options are: fail_on"),
        (PluginUse(name="blhc", options={"all": "yes"}), "The option all must be a bool, not 'yes'"),
        (PluginUse(name="lintian", options={"fail_on": "x"}), "fail_on must be one of error, warning, none"),
        (PluginUse(name="mounts", options={"folders": {"/etc": "/etc"}}), "/etc cannot be shown at /etc"),
        (PluginUse(name="mounts", options={"folders": {"/srv": "/opt/../proc"}}), "cannot be shown at"),
    ],
)  # fmt: skip
def test_what_cannot_be_used_is_refused_by_name(use: PluginUse, sentence: str) -> None:
    with pytest.raises(InputError, match=sentence):
        found.plugin(use)


def test_an_installed_package_offers_plugins(installed: Path) -> None:
    assert {"greeting", "failing", *found.SHIPPED} == set(found.names())
    made = found.plugin(PluginUse(name="greeting", options={"word": "moin"}))
    assert made.options == {"word": "moin"}
    assert not made.required


def test_the_documentation_names_all_points_and_plugins() -> None:
    text = DOCUMENT.read_text()
    assert all(f"`{name}`" in text for name in (*POINTS, *found.SHIPPED))
    assert all(f"`{option}`" in text for made in found.SHIPPED.values() for option in made.OPTIONS)


# What becomes of a build


def test_a_plugin_that_fails_is_named_and_the_others_go_on(installed: Path, context: Context, said: list[str]) -> None:
    hooks = Hooks([PluginUse(name="failing"), PluginUse(name="greeting")], context)
    (context.output / "build.log").write_text("hello")
    for point in POINTS:
        hooks.call(point)
    assert [(told.name, told.ok, told.reason) for told in hooks.told] == [
        ("failing", False, "KeyError: 'nothing'"), ("greeting", True, "")]  # fmt: skip
    assert "The plugin failing failed: KeyError: 'nothing'" in said
    assert "== PLUGIN greeting (pre_build)" in said
    assert context.environment == {"GREETING": "hello"}
    assert (context.output / "greeting.txt").read_text() == "x said hello\n"
    assert context.reports == ["greeting.txt"]


def test_a_required_plugin_fails_the_build_with_its_class(installed: Path, context: Context) -> None:
    hooks = Hooks([PluginUse(name="failing", required=True)], context)
    with pytest.raises(BuildFailed, match="The plugin failing failed: KeyError: 'nothing'") as caught:
        hooks.call("post_build")
    assert caught.value.cause is Cause.INTERNAL

    class Strict(Plugin):
        def post_build(self, context: Context) -> None:
            raise PluginFailed("lintian found E: x", cause="lintian", lines=["E: x"])

    hooks._plugins = [(Strict({}), hooks.told[0])]
    with pytest.raises(BuildFailed, match="found E: x") as caught:
        hooks.call("post_build")
    assert (caught.value.cause, caught.value.lines) == (Cause.LINTIAN, ("E: x",))


def test_what_went_wrong_first_is_told_when_cleaning_fails_too(installed: Path, context: Context) -> None:
    class Untidy(Plugin):
        def pre_clean(self, context: Context) -> None:
            raise PluginFailed("The broom is broken.")

    hooks = Hooks([PluginUse(name="failing", required=True)], context)
    hooks._plugins = [(Untidy({}), hooks.told[0])]
    with pytest.raises(ZeroDivisionError), hooks.cleaned():
        raise ZeroDivisionError
    assert hooks.told[0].reason == "The broom is broken."
    with pytest.raises(BuildFailed, match="The broom is broken"), hooks.cleaned():
        pass


def test_a_report_takes_no_other_files_name(context: Context) -> None:
    (context.output / "build.log").touch()
    for name in ("build.log", "../x", ".x", ""):
        with pytest.raises(InputError, match="A report cannot be called"):
            context.report(name, "x")


# Those shipped

TAGS = "E: figlet: no-copyright-file\nW: figlet source: old-fsf-address [x]\nI: figlet: spelling-error\nN: hint\n"


@pytest.mark.parametrize(
    "output, status, fail_on, sentence",
    [
        (TAGS, 0, "error", "lintian found E: figlet: no-copyright-file"),
        (TAGS, 0, "warning", r"no-copyright-file \(and 1 more\)"),
        (TAGS, 0, "none", ""),
        ("W: figlet: x-y\n", 0, "error", ""),
        ("Cannot open it\n", 1, "none", "lintian exited with status 1: Cannot open it"),
    ],
)
def test_lintian_is_judged_by_its_lines(output: str, status: int, fail_on: str, sentence: str) -> None:
    if not sentence:
        lintian.judge(output, status, fail_on)
        assert lintian.summary(TAGS) == "1 errors, 1 warnings"
        return
    with pytest.raises(PluginFailed, match=sentence):
        lintian.judge(output, status, fail_on)


@pytest.mark.parametrize(
    "status, expected",
    [(0, "all compilers were called with hardening flags"), (1, "no compiler was called"), (4, "does not show how")],
)
def test_blhc_is_judged_by_its_status(status: int, expected: str) -> None:
    assert expected in hardening.judged(status, "")


def test_blhc_tells_the_first_missing_flag() -> None:
    output = "some\nCFLAGS missing (-fstack-protector-strong): gcc -c a.c\nLDFLAGS missing (-Wl,-z,relro): gcc\n"
    with pytest.raises(PluginFailed, match=r"blhc found CFLAGS missing .* \(and 1 more\)"):
        hardening.judged(8, output)
    with pytest.raises(PluginFailed, match="blhc exited with status 2: no such file"):
        hardening.judged(2, "no such file\n")


def test_only_what_the_host_allows_is_shown(context: Context, tmp_path: Path) -> None:
    for name in ("sdk/v1", "other", "state"):
        (tmp_path / name).mkdir(parents=True)
    (tmp_path / "sdk/way-out").symlink_to(tmp_path / "other")
    allowed = context.state.root / mounts.ALLOWED

    def shown(name: str) -> dict[str, Path]:
        mounts.Mounts({"folders": {f"{tmp_path}/{name}": "/opt/sdk"}}).pre_build(context)
        return context.read_only

    with pytest.raises(InputError, match="This host does not allow builds to see"):
        shown("sdk/v1")
    allowed.write_text(f"# for builds\n{tmp_path}/sdk\n")
    assert shown("sdk/v1") == {"/opt/sdk": tmp_path / "sdk/v1"}
    for name, sentence in (("sdk/way-out", "does not allow"), ("other", "does not allow"), ("sdk/v2", "not exist")):
        with pytest.raises(InputError, match=sentence):
            shown(name)
    allowed.chmod(0o666)
    with pytest.raises(InputError, match="could have been written by others than root"):
        shown("sdk/v1")


def test_logs_are_packed_and_buildinfos_kept(context: Context, tmp_path: Path) -> None:
    (context.output / "build.log").write_bytes(b"said\n" * 1000)
    packing = records.CompressLogs({})
    packing.pre_clean(context)
    assert context.pack_log
    packed = context.pack_log(context.output / "build.log")
    assert packed.name == "build.log.xz"
    assert lzma.decompress(packed.read_bytes()) == b"said\n" * 1000
    assert not (context.output / "build.log").exists()
    (context.output / "x_1_amd64.buildinfo").write_text("Format: 1.0\n")
    context.files = ["x_1_amd64.buildinfo", "x_1_all.deb"]
    records.BuildinfoArchive({"folder": f"{tmp_path}/kept"}).post_build(context)
    assert (tmp_path / "kept/x/x_1_amd64.buildinfo").read_text() == "Format: 1.0\n"


def test_hits_and_misses_are_counted(context: Context, said: list[str]) -> None:
    counting = records.RootCache({})
    context.state.root.mkdir()
    for made in (True, False, False):
        context.layer_made = made
        counting.post_deps(context)
    assert json.loads((context.state.root / records.COUNTERS).read_text()) == {
        "c": {"miss": 1, "nothing to install": 2}
    }
    assert said[-1] == "root cache: nothing to install; 1 × miss, 2 × nothing to install"


@pytest.mark.integration
def test_a_build_with_all_of_them(
    source_package: SourcePackage, engine: Engine, engine_state: Path, installed: Path, tmp_path: Path
) -> None:
    sdk = tmp_path / "sdk"
    sdk.mkdir()
    (sdk / "word").write_text("shown by the host\n")
    engine_state.mkdir(parents=True, exist_ok=True)
    (engine_state / mounts.ALLOWED).write_text(f"{sdk}\n")
    dsc = source_package("plugged", "echo $$GREETING", "cat /opt/sdk/word", "! touch /opt/sdk/mine")
    used = ["package-list", "buildinfo-archive", "root-cache", "compress-logs", "lintian", "blhc", "failing",
            "{name: greeting, word: moin}", f"{{name: mounts, folders: {{{sdk}: /opt/sdk}}}}"]  # fmt: skip
    words = [word for name in used for word in ("--plugin", name)]
    status, output = engine("build", dsc, "--chroot", "trixie-amd64", "--output", tmp_path / "out", *words)
    assert status == 0, output[-3000:]
    result = json.loads((tmp_path / "out/result.json").read_text())
    told = {one["name"]: one for one in result["plugins"]}
    assert [name for name in told if not told[name]["ok"]] == ["lintian", "failing"], told
    assert told["lintian"]["reason"].startswith("lintian found E: plugged")
    assert "\nmoin\n" in output
    assert "\nshown by the host\n" in output
    log = lzma.decompress((tmp_path / "out/build.log.xz").read_bytes()).decode()
    assert "The plugin failing failed: KeyError: 'nothing'" in log
    assert "blhc: no compiler was called" in log
    files = {file["name"]: file["kind"] for file in result["files"]}
    assert files["build.log.xz"] == "log"
    assert {name for name, kind in files.items() if kind == "report"} == {
        "packages.json.gz", "packages.txt", "lintian.txt", "blhc.txt", "greeting.txt"}  # fmt: skip
    assert re.search(r"^dpkg \S+ amd64$", (tmp_path / "out/packages.txt").read_text(), re.MULTILINE)
    assert list((engine_state / "buildinfo/plugged").glob("*.buildinfo"))

    words = ["{name: lintian, required: true}" if word == "lintian" else word for word in words]
    status, output = engine("build", dsc, "--chroot", "trixie-amd64", "--output", tmp_path / "out", *words)
    result = json.loads((tmp_path / "out/result.json").read_text())
    assert (status, result["class"], result["kind"]) == (1, "lintian", "build")
    assert result["reason"].startswith("The plugin lintian failed: lintian found E: plugged")
    assert {file["name"] for file in result["files"]} == {
        "build.log.xz", "packages.json.gz", "packages.txt", "lintian.txt"}  # fmt: skip
