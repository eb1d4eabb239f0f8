"""Repositories beside the mirror: their keys, how one gets in, and that nothing of a secret is told or kept."""

from __future__ import annotations

import base64
import functools
import hashlib
import http.server
import json
import ssl
import subprocess
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from chroots.engine.archives import openpgp
from chroots.engine.archives.admission import Secret, read_secret
from chroots.engine.archives.fetch import RemoteFile, Store
from chroots.engine.archives.release import fetch_release
from chroots.engine.archives.repositories import deb822, public_keys, secret_for, sources
from chroots.engine.layers.base import bootstrap_command
from chroots.engine.layers.dependencies import parse_uris
from chroots.engine.spec import DEBIAN_KEYRING, ChrootSpec, Repository
from debatomic.tools.errors import InfrastructureError, InputError

EXTRA = Path(__file__).parent / "extra"
PASSWORD = "hare-and-hedgehog"
FINGERPRINT = (EXTRA / "fingerprint").read_text().strip()
SUITE = "stable-extra"
CURVE = "ec_paramgen_curve:prime256v1"
SPEC = ChrootSpec(name="c", suite="trixie", architecture="amd64")
Engine = Callable[..., tuple[int, str]]


class Silent(http.server.SimpleHTTPRequestHandler):
    """Serves files and says nothing about it."""

    protocol_version = "HTTP/1.1"  # a connection that is just closed is no end of a TLS stream for newer apt

    def log_message(self, format: str, *args: object) -> None:
        pass


class Guarded(Silent):
    """Serves files to whoever knows the password."""

    def do_GET(self) -> None:
        known = base64.b64encode(f"me:{PASSWORD}".encode()).decode()
        if self.headers.get("Authorization") == f"Basic {known}":
            super().do_GET()
        else:
            self.send_error(401)


@pytest.fixture
def guarded() -> Iterator[str]:
    """The address of a repository behind a password."""
    handler = functools.partial(Guarded, directory=str(EXTRA))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()


@pytest.fixture
def secret(tmp_path: Path) -> Path:
    return written(tmp_path / "secret", f"user: me\npassword: {PASSWORD}\n")


def written(path: Path, text: str, mode: int = 0o600) -> Path:
    path.write_text(text)
    path.chmod(mode)
    return path


@pytest.fixture
def keyring(tmp_path: Path) -> Path:
    path = tmp_path / "extra.gpg"
    path.write_bytes(openpgp.binary((EXTRA / "key.asc").read_bytes(), "key.asc"))
    return path


def extra(uri: str = "http://x.example.org", **options: object) -> Repository:
    given = {"name": "extra", "uris": (uri,), "suites": (SUITE,), "key": str(EXTRA / "key.asc"), **options}
    return Repository(**given)  # type: ignore[arg-type]


def test_keys_are_read_in_both_forms() -> None:
    keys = openpgp.binary((EXTRA / "key.asc").read_bytes(), "key.asc")
    assert openpgp.fingerprints(keys) == [FINGERPRINT]
    assert openpgp.binary(keys, "x") == keys == openpgp.binary(openpgp.armored(keys).encode(), "x")
    assert openpgp.armored(keys) == (EXTRA / "key.asc").read_text()
    assert len(openpgp.fingerprints(DEBIAN_KEYRING.read_bytes())) > 3


@pytest.mark.parametrize("content", [b"", b"words", b"\x99\xff\xff\0", b"\xc6\xe1", b"\x83"])
def test_what_is_no_key_is_refused(content: bytes) -> None:
    with pytest.raises(InputError, match="k has no OpenPGP public keys in it"):
        openpgp.binary(content, "k")


def test_a_key_other_than_the_one_meant_is_refused() -> None:
    keys = public_keys(extra(fingerprint=FINGERPRINT), DEBIAN_KEYRING)
    assert openpgp.fingerprints(keys) == [FINGERPRINT]
    with pytest.raises(InputError, match=f"not the one that was meant: it has {FINGERPRINT} instead of AAAA"):
        public_keys(extra(fingerprint="A" * 40), DEBIAN_KEYRING)
    with pytest.raises(InputError, match="of the repository extra cannot be read: No such file"):
        public_keys(extra(key="/nothing.asc"), DEBIAN_KEYRING)


def test_apt_gets_a_paragraph_with_the_key_in_it() -> None:
    text = deb822(extra("{mirror}-security", components=("main", "extra")), "http://m.example.org/debian", b"\x99\0\0")
    assert text.startswith("Types: deb\nURIs: http://m.example.org/debian-security\nSuites: stable-extra\n"
                           "Components: main extra\nSigned-By:\n -----BEGIN PGP PUBLIC KEY BLOCK-----\n ")  # fmt: skip
    assert "URIs: copy:///srv/x\n" in deb822(extra("file:///srv/x"), "", b"\x99\0\0")


@pytest.mark.parametrize(
    "text, sentence",
    [
        ("user: me\n", "must have the keys user and password, or certificate"),
        ("password: pass-word\n", "must have the keys user and password"),
        ("user: me\npassword: 1234567\n", "secret:2: password must be text in quotes without spaces."),
        ("user: me\npassword: 'pass word'\n", "secret:2: password must be text in quotes without spaces."),
        ("user: me\npasword: pass-word\n", "secret:2: the key pasword is unknown; did you mean password?"),
        ("certificate: /nothing.pem\n", "The secret file /nothing.pem cannot be read"),
        ("pass-word", "secret:1: a chroot definition is"),
        ("user: 'pass-word\n", "this is not valid YAML"),
    ],
)
def test_a_wrong_secret_tells_nothing_of_itself(tmp_path: Path, text: str, sentence: str) -> None:
    with pytest.raises(InputError) as error:
        read_secret(written(tmp_path / "secret", text))
    assert sentence in error.value.sentence
    assert not any(word in error.value.sentence for word in ("pass-word", "pass word", "1234567"))


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o644, 0o660])
def test_a_secret_that_others_can_read_is_not_used(secret: Path, mode: int) -> None:
    assert read_secret(secret) == Secret(user="me", password=PASSWORD)
    assert PASSWORD not in repr(read_secret(secret))
    secret.chmod(mode)
    with pytest.raises(InputError, match="can be read by others than root") as error:
        read_secret(secret)
    assert f"chmod 600 {secret}" in error.value.sentence


def test_what_is_behind_a_password_is_fetched_with_it(
    guarded: str, secret: Path, keyring: Path, tmp_path: Path
) -> None:
    assert fetch_release(guarded, SUITE, keyring, secret).fields["Origin"] == "Extra"
    with pytest.raises(InputError, match="does not let us in: it answers 401") as error:
        fetch_release(guarded, SUITE, keyring)
    assert "names as its secret" in error.value.sentence
    wrong = written(tmp_path / "wrong", "user: me\npassword: other-word\n")
    with pytest.raises(InputError, match="does not let us in") as error:
        fetch_release(guarded, SUITE, keyring, wrong)
    assert "other-word" not in error.value.sentence
    with pytest.raises(InputError, match="does not verify against the keyring"):
        fetch_release(guarded, SUITE, DEBIAN_KEYRING, secret)


def certificate(folder: Path, name: str, *options: str) -> Path:
    """A certificate with its key in one file; signed by `ca` if there is one."""
    signed = ["-CA", str(folder / "ca.pem"), "-CAkey", str(folder / "ca.pem")] if name != "ca" else []
    key, made = folder / f"{name}.key", folder / f"{name}.pem"
    command = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", CURVE, "-nodes", "-days", "2", "-subj",
               f"/CN={name}"]  # fmt: skip
    subprocess.run([*command, "-keyout", key, "-out", made, *signed, *options], check=True, capture_output=True)
    return written(made, made.read_text() + key.read_text())


@pytest.fixture
def certificates_only(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The address of a repository that only answers to who has a certificate of its own authority."""
    authority = certificate(tmp_path, "ca", "-addext", "keyUsage=critical,keyCertSign,cRLSign")
    certificate(tmp_path, "client", "-addext", "basicConstraints=CA:FALSE")
    own = certificate(
        tmp_path, "server", "-addext", "subjectAltName=IP:127.0.0.1", "-addext", "basicConstraints=CA:FALSE"
    )
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=str(authority))
    context.load_cert_chain(own)
    context.verify_mode = ssl.CERT_REQUIRED
    monkeypatch.setenv("SSL_CERT_FILE", str(authority))
    handler = functools.partial(Silent, directory=str(EXTRA))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        server.socket = context.wrap_socket(server.socket, server_side=True)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"https://127.0.0.1:{server.server_address[1]}"
        server.shutdown()


def test_a_client_certificate_lets_us_in(certificates_only: str, keyring: Path, tmp_path: Path) -> None:
    secret = written(tmp_path / "secret", f"certificate: {tmp_path}/client.pem\n")
    assert fetch_release(certificates_only, SUITE, keyring, secret).fields["Origin"] == "Extra"
    with pytest.raises(InfrastructureError, match="cannot be reached"):
        fetch_release(certificates_only, SUITE, keyring)
    (tmp_path / "client.pem").chmod(0o644)
    with pytest.raises(InputError, match=r"client.pem can be read by others than root"):
        fetch_release(certificates_only, SUITE, keyring, secret)


def test_apt_gets_in_with_a_client_certificate(certificates_only: str, tmp_path: Path) -> None:
    """The host's own apt, as mmdebstrap runs it, with folders of its own."""
    secret = written(tmp_path / "secret", f"certificate: {tmp_path}/client.pem\n")
    root = tmp_path / "root"
    for name in (
        "etc/apt/sources.list.d",
        "etc/apt/apt.conf.d",
        "etc/apt/preferences.d",
        "var/lib/apt/lists/partial",
        "var/cache/apt/archives/partial",
        "var/lib/dpkg",
    ):
        (root / name).mkdir(parents=True)
    (root / "var/lib/dpkg/status").touch()
    spec = replace(SPEC, repositories=(extra(certificates_only, secret=secret),))
    with sources(spec, "") as more:
        assert more.configuration
        (root / "etc/apt/sources.list.d/extra.sources").write_text(more.files[0].read_text())
        configuration = written(
            tmp_path / "apt.conf",
            f'Dir "{root}";\nDir::State::status "{root}/var/lib/dpkg/status";\nAPT::Architecture "amd64";\n'
            f'Acquire::Retries "0";\nAcquire::https::CAInfo "{tmp_path}/ca.pem";\n',
        )

        def update() -> str:
            return subprocess.run(["apt-get", "update"], capture_output=True, text=True, check=False,
                                  env={"APT_CONFIG": str(configuration), "PATH": "/usr/bin:/bin"}).stderr  # fmt: skip

        assert certificates_only in update()  # it cannot get in
        configuration.write_text(configuration.read_text() + more.configuration.read_text())
        assert update() == ""
    assert list((root / "var/lib/apt/lists").glob("*stable-extra_main_binary-amd64_Packages"))


def test_a_package_is_fetched_with_the_secret_of_its_repository(guarded: str, secret: Path, tmp_path: Path) -> None:
    content = (EXTRA / "pool/extra-test_1.5_all.deb").read_bytes()
    digest = hashlib.sha256(content).hexdigest()
    said = f"'{guarded}/pool/extra-test_1.5_all.deb' extra-test_1.5_all.deb {len(content)} SHA256:{digest}\n"
    [deb] = parse_uris(said, [extra("http://other.example.org"), extra(guarded, secret=secret)])
    assert deb == RemoteFile(name="extra-test_1.5_all.deb", url=f"{guarded}/pool/extra-test_1.5_all.deb",
                             size=len(content), sha256=digest, secret=secret)  # fmt: skip
    assert Store(tmp_path / "files").get(deb).read_bytes() == content


def test_the_secret_goes_only_to_its_own_addresses() -> None:
    mine = extra("https://x.example.org/deb", secret=Path("/s"))
    assert secret_for("https://x.example.org/deb/pool/a.deb", [mine]) == Path("/s")
    for url in (
        "https://x.example.org/debian/a.deb",
        "https://x.example.org.evil.example/deb/a",
        "http://x.example.org/deb/a",
    ):
        assert secret_for(url, [mine]) is None


def test_mmdebstrap_is_told_of_repositories_and_forgets_secrets(secret: Path, tmp_path: Path) -> None:
    spec = replace(SPEC, repositories=(extra(secret=secret), extra(name="other")))
    with sources(spec, "http://m.example.org") as more:
        command = bootstrap_command(spec, "http://m.example.org", tmp_path, more)
        assert [Path(part).name for part in command[-3:]] == ["m.example.org", "extra.sources", "other.sources"]
        assert more.configuration and f"--aptopt={more.configuration}" in command
        folder = more.configuration.parent
        assert folder.stat().st_mode & 0o077 == 0 and PASSWORD in (folder / "auth.conf").read_text()
        shown = [" ".join(command), more.configuration.read_text(), *(file.read_text() for file in more.files)]
        assert not any(PASSWORD in text for text in shown)
        kept = tmp_path / "etc/apt/apt.conf.d/99mmdebstrap"
        kept.parent.mkdir(parents=True)
        kept.write_text('Acquire::Languages "none";\n' + more.configuration.read_text())
        more.forget(tmp_path)
        assert kept.read_text() == 'Acquire::Languages "none";\n'
    assert not folder.exists()


DEFINITION = """base: trixie-amd64
+repositories:
  - name: extra
    uris: ["{uri}"]
    suites: [stable-extra, late-extra]
    key: {key}
    fingerprint: {fingerprint}
    secret: {secret}
"""


@pytest.mark.integration
def test_a_build_takes_packages_from_behind_a_password(
    guarded: str, secret: Path, engine: Engine, source_package: Callable[..., Path], engine_state: Path, tmp_path: Path
) -> None:
    definition = DEFINITION.format(uri=guarded, key=EXTRA / "key.asc", fingerprint=FINGERPRINT, secret=secret)
    written(tmp_path / "private-test.yaml", definition, 0o644)
    chroot = ("--chroot", "private-test", "--definitions", tmp_path)
    show = "cat /usr/share/extra-test/word; cat /etc/apt/apt.conf.d/*"
    for depends, version in (("extra-test", "1.5"), ("extra-test (>= 2)", "2.0")):  # the second is not automatic
        dsc, out = source_package("taking-test", show, depends=depends), tmp_path / version
        status, output = engine("build", dsc, *chroot, "--output", out)
        assert status == 0 and f"{version} from the extra repository" in output, output[-3000:]
        assert PASSWORD not in output and "auth.conf" not in output
    assert "apt found a way with late-extra." in output
    base = json.loads((tmp_path / "2.0/result.json").read_text())["base"]["identity"]
    found = [path.parent for path in engine_state.glob("bases/*/*/base.json") if base in path.read_text()]
    searched = subprocess.run(["grep", "-rlF", PASSWORD, *found, engine_state / "layers", tmp_path / "1.5"],
                              capture_output=True, text=True, check=False)  # fmt: skip
    assert found and searched.stdout == ""
    for each in found:
        subprocess.run(["rm", "-rf", each.parent], check=True)  # its address is this test's alone
