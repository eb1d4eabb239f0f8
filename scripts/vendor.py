"""Copy the browser files that pages use from node_modules/ to static/vendor/, with versions and digests."""

from __future__ import annotations

import hashlib
import json
import shutil
import sys
from pathlib import Path

TOP = Path(__file__).resolve().parent.parent
MODULES = TOP / "node_modules"
VENDOR = TOP / "static" / "vendor"

# file under static/vendor/         npm package, file in it
FILES = {
    "htmx/htmx.min.js":             ("htmx.org", "dist/htmx.min.js"),
    "tabler/tabler.min.css":        ("@tabler/core", "dist/css/tabler.min.css"),
}  # fmt: skip


def version(package: str) -> str:
    text = (MODULES / package / "package.json").read_text()
    return str(json.loads(text)["version"])


def copy(target: str, package: str, source: str) -> dict[str, str]:
    """Copy one file; returns its manifest entry."""
    path = VENDOR / target
    path.parent.mkdir(parents=True, exist_ok=True)
    content = without_source_map((MODULES / package / source).read_bytes())
    path.write_bytes(content)
    return {"package": package, "version": version(package), "sha256": hashlib.sha256(content).hexdigest()}


def without_source_map(content: bytes) -> bytes:
    """The file without its last line's pointer to a source map, which is not copied."""
    lines = content.rstrip().split(b"\n")
    return b"\n".join(lines[:-1] if b"sourceMappingURL=" in lines[-1] and len(lines) > 1 else lines) + b"\n"


def main() -> int:
    shutil.rmtree(VENDOR, ignore_errors=True)
    try:
        manifest = {target: copy(target, *origin) for target, origin in FILES.items()}
    except FileNotFoundError as error:
        print(f"{error.filename} is missing: run `npm ci` first (make install does).", file=sys.stderr)
        return 1
    (VENDOR / "manifest.json").write_text(json.dumps(manifest, indent=2, sort_keys=True) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
