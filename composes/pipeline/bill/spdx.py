"""A bill of materials as SPDX 2.3 in JSON: https://spdx.github.io/spdx-spec/v2.3/"""

from __future__ import annotations

from typing import Any

from composes.pipeline.bill.packages import Installed, purl
from composes.pipeline.bill.system import System

NOTHING = "NOASSERTION"
ROOT = "SPDXRef-System"


def document(system: System, packages: list[Installed]) -> dict[str, Any]:
    listed = [_package(each, system.suite) for each in packages]
    described = {"spdxElementId": "SPDXRef-DOCUMENT", "relationshipType": "DESCRIBES", "relatedSpdxElement": ROOT}
    return {
        "spdxVersion": "SPDX-2.3", "dataLicense": "CC0-1.0", "SPDXID": "SPDXRef-DOCUMENT", "name": system.title,
        "documentNamespace": f"https://spdx.org/spdxdocs/{system.name}-{system.variant}-{system.version}-{system.id}",
        "creationInfo": {"created": system.created, "creators": ["Tool: DebAtomic"]},
        "packages": [_system(system), *listed],
        "relationships": [described, *({"spdxElementId": ROOT, "relationshipType": "CONTAINS",
                                        "relatedSpdxElement": each["SPDXID"]} for each in listed)],
    }  # fmt: skip


def _system(system: System) -> dict[str, Any]:
    return {"SPDXID": ROOT, "name": f"{system.name}-{system.variant}", "versionInfo": system.version, **_unsaid(),
            "primaryPackagePurpose": "OPERATING-SYSTEM", "licenseDeclared": NOTHING}  # fmt: skip


def _package(each: Installed, suite: str) -> dict[str, Any]:
    identity = f"{each.name}-{each.architecture}".replace("+", "-2B")
    found = {
        "SPDXID": f"SPDXRef-Package-{identity}", "name": each.name, "versionInfo": each.version, **_unsaid(),
        "licenseDeclared": each.licence or NOTHING,
        "sourceInfo": f"built from the source package {each.source} {each.source_version}",
        "externalRefs": [{"referenceCategory": "PACKAGE-MANAGER", "referenceType": "purl",
                          "referenceLocator": purl(each.name, each.version, each.architecture, suite)}],
    }  # fmt: skip
    if each.sha256:
        found["checksums"] = [{"algorithm": "SHA256", "checksumValue": each.sha256}]
    if each.homepage.startswith(("http://", "https://")):
        found["homepage"] = each.homepage
    return found


def _unsaid() -> dict[str, Any]:
    """What the form wants, and nobody has looked into."""
    return {"downloadLocation": NOTHING, "filesAnalyzed": False, "licenseConcluded": NOTHING, "copyrightText": NOTHING}
