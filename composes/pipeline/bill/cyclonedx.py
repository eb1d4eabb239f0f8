"""A bill of materials as CycloneDX 1.5 in JSON: https://cyclonedx.org/docs/1.5/json/"""

from __future__ import annotations

from typing import Any

from composes.pipeline.bill.packages import Installed, purl
from composes.pipeline.bill.system import System


def document(system: System, packages: list[Installed]) -> dict[str, Any]:
    components = [_component(each, system.suite) for each in packages]
    return {
        "$schema": "http://cyclonedx.org/schema/bom-1.5.schema.json", "bomFormat": "CycloneDX", "specVersion": "1.5",
        "serialNumber": f"urn:uuid:{system.id}", "version": 1,
        "metadata": {
            "timestamp": system.created, "tools": {"components": [{"type": "application", "name": "DebAtomic"}]},
            "component": {"type": "operating-system", "bom-ref": "system", "name": f"{system.name}-{system.variant}",
                          "version": system.version},
        },
        "components": components,
        "dependencies": [{"ref": "system", "dependsOn": [each["bom-ref"] for each in components]}],
    }  # fmt: skip


def _component(each: Installed, suite: str) -> dict[str, Any]:
    address = purl(each.name, each.version, each.architecture, suite)
    found: dict[str, Any] = {
        "type": "library", "bom-ref": address, "name": each.name, "version": each.version, "purl": address,
        "properties": [{"name": "debian:source", "value": each.source},
                       {"name": "debian:source-version", "value": each.source_version}],
    }  # fmt: skip
    if each.sha256:
        found["hashes"] = [{"alg": "SHA-256", "content": each.sha256}]
    if each.licence:
        found["licenses"] = [{"expression": each.licence}]
    if each.homepage.startswith(("http://", "https://")):
        found["externalReferences"] = [{"type": "website", "url": each.homepage}]
    return found
