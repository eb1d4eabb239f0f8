"""The licence of a package, where its machine-readable copyright file names nothing but licences with an SPDX id.

Debian's short names: https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/
"""

from __future__ import annotations

import re
from pathlib import Path

FORMAT = re.compile(r"\A\s*Format(?:-Specification)?:", re.IGNORECASE)
LICENSE = re.compile(r"(?m)^License:[ \t]*(\S[^\n]*?)[ \t]*$")
SAME = (
    "0BSD", "AFL-2.1", "Apache-2.0", "Artistic-2.0", "BSD-2-Clause", "BSD-3-Clause", "BSD-4-Clause", "BSD-4-Clause-UC",
    "BSL-1.0", "Beerware", "CC0-1.0", "FSFAP", "FSFUL", "FSFULLR", "HPND", "ISC", "MIT", "MIT-0", "MPL-1.1", "MPL-2.0",
    "OFL-1.1", "OLDAP-2.8", "OpenSSL", "PSF-2.0", "Unicode-DFS-2016", "Unlicense", "X11", "Zlib", "curl",
)  # fmt: skip
OTHER = {"expat": "MIT", "apache-2": "Apache-2.0", "artistic": "Artistic-1.0-Perl", "openldap-2.8": "OLDAP-2.8",
         "psf-2": "PSF-2.0", "gfdl-niv-1.3": "GFDL-1.3-no-invariants-only",
         "gfdl-niv-1.3+": "GFDL-1.3-no-invariants-or-later", "gfdl-niv-1.2": "GFDL-1.2-no-invariants-only",
         "gfdl-niv-1.2+": "GFDL-1.2-no-invariants-or-later"}  # fmt: skip
KNOWN = {**{name.lower(): name for name in SAME}, **OTHER}
GNU = re.compile(r"^(?P<name>GPL|LGPL|AGPL)-(?P<version>[123](?:\.[01])?)(?P<later>\+?|-only|-or-later)\Z")
GNU_VERSIONS = {"GPL": ("1.0", "2.0", "3.0"), "LGPL": ("2.0", "2.1", "3.0"), "AGPL": ("1.0", "3.0")}


def of(copyright_file: Path) -> str:
    """An SPDX expression of all licences a copyright file names; empty where there is doubt about any."""
    try:
        text = copyright_file.read_text(errors="replace")
    except OSError:
        return ""
    if not FORMAT.match(text):
        return ""
    found = {expression(name) for name in LICENSE.findall(text)}
    return "" if "" in found else " AND ".join(sorted(found))


def expression(name: str) -> str:
    """The SPDX expression of a short name such as `GPL-2+ or Expat`; empty where it has none."""
    alternatives = [_alone(each) for each in re.split(r"\s+or\s+", name)]
    if "" in alternatives:
        return ""
    return alternatives[0] if len(alternatives) == 1 else f"({' OR '.join(alternatives)})"


def _alone(name: str) -> str:
    if gnu := GNU.match(name):
        version = gnu["version"] if "." in gnu["version"] else f"{gnu['version']}.0"
        if version not in GNU_VERSIONS[gnu["name"]]:
            return ""
        return f"{gnu['name']}-{version}-{'or-later' if gnu['later'] in ('+', '-or-later') else 'only'}"
    return KNOWN.get(name.lower(), "")
