"""Bills of materials: valid in the eyes of others' validators; and what a security tracker says of a system."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator
from packageurl import PackageURL
from spdx_tools.spdx.parser.parse_anything import parse_file
from spdx_tools.spdx.validation.document_validator import validate_full_spdx_document

from composes.pipeline.bill import cyclonedx, licences, packages, spdx, tracker
from composes.pipeline.bill.packages import Installed
from composes.pipeline.bill.system import System
from debatomic.tools.errors import InputError

SYSTEM = System(name="house", variant="minimal", version="13.20261121.0", suite="trixie", architecture="amd64",
                date=1_700_000_000, seed="a" * 64)  # fmt: skip
STATUS = """\
Package: libstdc++6
Status: install ok installed
Architecture: amd64
Source: gcc-14
Version: 14.2.0-19

Package: zlib1g
Status: install ok installed
Architecture: amd64
Source: zlib (1:1.3.dfsg+really1.3.1-1)
Version: 1:1.3.dfsg+really1.3.1-1+b1
Homepage: https://zlib.net/

Package: gone
Status: deinstall ok config-files
Architecture: amd64
Version: 1
"""
COPYRIGHT = """\
Format: https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/

Files: *
Copyright: somebody
License: Zlib

Files: contrib/*
Copyright: others
License: GPL-2+ or Expat

License: Zlib
 text
"""


@pytest.fixture
def found(tmp_path: Path) -> list[Installed]:
    for name, text in ((packages.STATUS, STATUS), (f"{packages.DOCUMENTATION}/zlib1g/copyright", COPYRIGHT)):
        (tmp_path / name).parent.mkdir(parents=True)
        (tmp_path / name).write_text(text)
    known = {("zlib1g", "1:1.3.dfsg+really1.3.1-1+b1", "amd64"): "0" * 64}
    return packages.with_digests(packages.installed(tmp_path), known)


def test_what_is_installed_is_read_from_dpkg(found: list[Installed]) -> None:
    gcc, zlib = found
    assert (gcc.name, gcc.source, gcc.source_version, gcc.licence, gcc.sha256) == (
        "libstdc++6", "gcc-14", "14.2.0-19", "", "",
    )  # fmt: skip
    assert (zlib.source, zlib.source_version) == ("zlib", "1:1.3.dfsg+really1.3.1-1")
    assert (zlib.licence, zlib.sha256) == ("(GPL-2.0-or-later OR MIT) AND Zlib", "0" * 64)


def test_the_spdx_document_is_valid_and_the_same_again(found: list[Installed], tmp_path: Path) -> None:
    content = spdx.document(SYSTEM, found)
    assert content == spdx.document(SYSTEM, found)
    assert content["documentNamespace"] != spdx.document(replace(SYSTEM, seed="b"), found)["documentNamespace"]
    (tmp_path / "sbom.spdx.json").write_text(json.dumps(content))
    document = parse_file(str(tmp_path / "sbom.spdx.json"))
    assert validate_full_spdx_document(document) == []
    assert [each.name for each in document.packages] == ["house-minimal", "libstdc++6", "zlib1g"]


def test_the_cyclonedx_document_is_valid(found: list[Installed]) -> None:
    content = cyclonedx.document(SYSTEM, found)
    assert JsonStrictValidator(SchemaVersion.V1_5).validate_str(json.dumps(content)) is None
    assert content["components"][1]["hashes"] == [{"alg": "SHA-256", "content": "0" * 64}]


def test_package_urls_are_those_of_the_reference_implementation() -> None:
    for name, version in (("libstdc++6", "14.2.0-19"), ("zlib1g", "1:1.3.dfsg+really1.3.1-1+b1"), ("x", "1~rc1")):
        said = packages.purl(name, version, "amd64", "trixie")
        qualifiers = {"arch": "amd64", "distro": "trixie"}
        assert said == PackageURL("deb", "debian", name, version, qualifiers).to_string()


@pytest.mark.parametrize(("name", "expression"), [
    ("GPL-2", "GPL-2.0-only"), ("GPL-3.0+", "GPL-3.0-or-later"), ("LGPL-2.1+", "LGPL-2.1-or-later"),
    ("Expat", "MIT"), ("Artistic or GPL-1+", "(Artistic-1.0-Perl OR GPL-1.0-or-later)"),
    ("bsd-3-clause", "BSD-3-Clause"),
    ("LGPL-1", ""), ("GPL-2+ with Autoconf exception", ""), ("public-domain", ""), ("GPL-2+ or homemade", ""),
])  # fmt: skip
def test_a_short_name_has_an_expression_or_none(name: str, expression: str) -> None:
    assert licences.expression(name) == expression


@pytest.mark.parametrize("text", ["License: Expat\n", "Format: x\n\nLicense: homemade\n\nLicense: Expat\n", ""])
def test_a_licence_in_doubt_is_not_told(text: str, tmp_path: Path) -> None:
    (tmp_path / "copyright").write_text(text)
    assert licences.of(tmp_path / "copyright") == licences.of(tmp_path / "none") == ""


def entry(status: str, urgency: str = "medium", **more: str) -> dict[str, Any]:
    return {"description": "a fault", "releases": {"trixie": {"status": status, "urgency": urgency, **more}}}


TRACKER = {
    "zlib": {
        "CVE-2099-0001": entry("open", "high**", nodsa="Minor issue"),
        "CVE-2099-0002": entry("resolved", fixed_version="1:1.3.dfsg+really1.3.1-1"),
        "CVE-2099-0003": entry("resolved", fixed_version="1:1.3.dfsg+really1.3.1-1+deb13u1"),
        "CVE-2099-0004": entry("resolved", fixed_version="0"),
        "CVE-2099-0005": {"releases": {"bookworm": {"status": "open", "urgency": "low"}}},
        "CVE-2099-0006": entry("undetermined", "something new"),
    },
    "gcc-14": {"CVE-2099-0007": entry("open", "unimportant")},
    "curl": {"CVE-2099-0008": entry("open")},
}  # fmt: skip


def test_what_concerns_the_system_is_found_by_source_and_version(found: list[Installed]) -> None:
    said = tracker.vulnerabilities(TRACKER, found, "trixie")
    assert [(each.id, each.urgency, each.status, each.fixed_version) for each in said] == [
        ("CVE-2099-0001", "high", "open", ""),
        ("CVE-2099-0003", "medium", "resolved", "1:1.3.dfsg+really1.3.1-1+deb13u1"),
        ("CVE-2099-0006", "not yet assigned", "undetermined", ""),
        ("CVE-2099-0007", "unimportant", "open", ""),
    ]
    assert (said[0].packages, said[0].note) == (("zlib1g",), "Minor issue")


@pytest.mark.parametrize("text", ["<html>", "[]", '{"zlib": 1}'])
def test_data_of_another_form_is_refused(text: str, tmp_path: Path) -> None:
    (tmp_path / "data.json").write_text(text)
    with pytest.raises(InputError, match="security tracker's data"):
        tracker.read(tmp_path / "data.json")
