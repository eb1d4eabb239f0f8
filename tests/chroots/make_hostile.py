"""Makes the folder `hostile`: a signed repository of packages whose postinst attacks whoever installs them.

Run it by hand (needs gpg and dpkg-deb); the tests only read what it made.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import tempfile
from pathlib import Path

from tests.chroots.neighbour import ATTEMPTS, KERNEL_PATHS, ON_THE_KERNEL

HERE = Path(__file__).resolve().parent / "hostile"
VICTIM = "/var/tmp/debatomic-hostile-victim"
REPORT = "/usr/share/hostile-report"
OF_ITS_OWN = ("/dev/", "/proc/1/")
PATHS = [path for path in KERNEL_PATHS if not path.startswith(OF_ITS_OWN)]
SCRIPTS = {
    # Has the host, which tidies the new layer up, follow a link to a folder of its own.
    "hostile-links": f"rm -rf /var/cache /var/log; ln -s {VICTIM} /var/cache; ln -s {VICTIM} /var/log",
    # Puts a link where the next build works, and something else where /sys was.
    "hostile-places": "rm -rf /build /sys; ln -s /etc /build; mknod /sys p",
    # Looks for a way out, and leaves a set-uid shell for the build.
    "hostile-root": f"""exec > {REPORT} 2>&1
{ATTEMPTS}
for path in {" ".join(PATHS)}; do write "$path"; done
{ON_THE_KERNEL}
for namespace in --user --mount --net --pid; do refused unshare $namespace true; done
for type in 8:0:b 1:1:c 0:0:c 10:229:c; do
    refused mknod /usr/share/node-$type ${{type##*:}} ${{type%%:*}} $(echo $type | cut -d: -f2)
done
refused sh -c 'exec 3<>/dev/tcp/127.0.0.1/22'
cp /bin/sh /usr/bin/root-shell; chmod 6755 /usr/bin/root-shell
echo "tried: $tried\"""",
    "hostile-filler": "dd if=/dev/zero of=/usr/share/filler bs=1M count=8192; sleep 30",
    # The same in a file that has no name.
    "hostile-hidden": "exec 9> /usr/share/hidden; rm /usr/share/hidden; dd if=/dev/zero bs=1M count=8192 >&9; sleep 30",
    # Folders in folders, more than a program gets through that calls itself for each.
    "hostile-deep": "cd /usr/share; perl -e 'for (1 .. 6000) { mkdir q(d) or die; chdir q(d) or die } open F, q(>f)'",
}  # fmt: skip
CONTROL = """Package: {name}
Version: 1.0
Architecture: all
Maintainer: Test Writer <test@example.org>
Description: made for a test
 It attacks whoever installs it.
"""


def deb(name: str, script: str) -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder, "root")
        (root / "DEBIAN").mkdir(parents=True)
        root.chmod(0o755)
        (root / "DEBIAN/control").write_text(CONTROL.format(name=name))
        (root / "DEBIAN/postinst").write_text(f"#!/bin/sh\n{script}\nexit 0\n")
        (root / "DEBIAN/postinst").chmod(0o755)
        subprocess.run(["dpkg-deb", "--root-owner-group", "--build", root, Path(folder, "x.deb")], check=True)
        return Path(folder, "x.deb").read_bytes()


def paragraph(name: str, script: str) -> str:
    content = deb(name, script)
    (HERE / f"pool/{name}_1.0_all.deb").write_bytes(content)
    return (f"{CONTROL.format(name=name)}Filename: pool/{name}_1.0_all.deb\nSize: {len(content)}\n"
            f"SHA256: {hashlib.sha256(content).hexdigest()}\n\n")  # fmt: skip


def main() -> None:
    shutil.rmtree(HERE, ignore_errors=True)
    (HERE / "pool").mkdir(parents=True)
    folder = HERE / "dists/hostile"
    (folder / "main/binary-amd64").mkdir(parents=True)
    index = "".join(paragraph(name, script) for name, script in SCRIPTS.items()).encode()
    (folder / "main/binary-amd64/Packages").write_bytes(index)
    release = ("Suite: hostile\nCodename: hostile\nArchitectures: amd64\nComponents: main\n"
               "Date: Thu, 01 Jan 2026 00:00:00 UTC\nSHA256:\n"
               f" {hashlib.sha256(index).hexdigest()} {len(index)} main/binary-amd64/Packages\n")  # fmt: skip
    with tempfile.TemporaryDirectory() as home:
        environment = {**os.environ, "GNUPGHOME": home}
        gpg = ["gpg", "--batch", "--passphrase", ""]
        key = ["--quick-gen-key", "Hostile repository", "rsa2048", "sign", "never"]
        subprocess.run([*gpg, *key], env=environment, check=True)
        subprocess.run([*gpg, "--clearsign", "--output", folder / "InRelease"], env=environment, check=True,
                       input=release.encode())  # fmt: skip
        subprocess.run([*gpg, "--armor", "--output", HERE / "key.asc", "--export"], env=environment, check=True)


if __name__ == "__main__":
    main()
