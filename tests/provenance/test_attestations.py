"""A completed build's statement: made by the hub, signed by its own host, verified by gpgv and sha256sum."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from builds.attesting import cli
from builds.attesting.envelope import opened, signed_bytes
from builds.models import Attestation, Target
from builds.provenance import attestations
from chroots.engine.archives import openpgp
from chroots.engine.archives.signing import Signer
from debatomic.access.models import User
from debatomic.tools.errors import InputError
from debatomic.tools.run import run
from hosts import hub
from hosts.kept import store
from hosts.models import Artifact, Host, State, Task
from tests import scene
from tests.provenance.made import finished


def test_the_bytes_that_are_signed() -> None:
    # the example of DSSE's protocol.md
    assert signed_bytes(b"hello world", "http://example.com/HelloWorld") == (
        b"DSSEv1 29 http://example.com/HelloWorld 11 hello world"
    )


@pytest.mark.parametrize("content", [b"", b"[]", b"{}", b'{"payloadType": "text/plain"}',
                                     b'{"payloadType": "application/vnd.in-toto+json", "payload": "?"}'])  # fmt: skip
def test_what_is_no_envelope_is_told(content: bytes) -> None:
    with pytest.raises(InputError):
        opened(content)


def sign(task: Task, tmp_path: Path) -> Path:
    """Do on a host what the task asks; the folder with the envelopes."""
    said = tmp_path / "statements.json"
    store.copy_to(task.request["statements"], said)
    folder = tmp_path / "signed"
    assert cli.main([str(said), "--signing-home", str(tmp_path / "keys/gpg"), "--output", str(folder)]) == 0
    return folder


def test_a_build_gets_a_statement_that_gpgv_verifies(
    target: Target, somebody: User, host: Host, tmp_path: Path
) -> None:
    package = finished(scene.build(somebody, target), host, tmp_path, [], b"the bytes of a package")
    attestations.tend()
    attestations.tend()
    task = Task.objects.get(method="attest")
    assert hub.claim(host) == task
    folder = sign(task, tmp_path)
    told = json.loads((folder / "result.json").read_text())
    (name,) = told["envelopes"]
    payload, ((keyid, signature),) = opened((folder / name).read_bytes())

    (tmp_path / "signed.bytes").write_bytes(signed_bytes(payload))
    (tmp_path / "signature").write_bytes(signature)
    (tmp_path / "keys.gpg").write_bytes(openpgp.binary(Signer(tmp_path / "keys/gpg").public(), "keys"))
    verify = ["gpgv", "--keyring", str(tmp_path / "keys.gpg"), str(tmp_path / "signature")]
    run([*verify, str(tmp_path / "signed.bytes")])
    (tmp_path / "signed.bytes").write_bytes(signed_bytes(payload + b" "))
    with pytest.raises(Exception, match="gpgv"):
        run([*verify, str(tmp_path / "signed.bytes")])

    said = json.loads(payload)
    assert (said["_type"], said["predicateType"]) == (
        "https://in-toto.io/Statement/v1",
        "https://slsa.dev/provenance/v1",
    )
    subjects = {each["name"]: each["digest"]["sha256"] for each in said["subject"]}
    assert subjects[package.artifact.name] == package.artifact.sha256
    definition = said["predicate"]["buildDefinition"]
    assert definition["externalParameters"]["submittedBy"] == "somebody"
    needed = definition["resolvedDependencies"]
    assert {"name": "figlet_2.2.5-3.dsc", "digest": {"sha256": "0" * 64}} in needed
    assert {"uri": "pkg:deb/debian/gcc-14@14.2.0-19?arch=arm64"} in needed
    assert said["predicate"]["runDetails"]["builder"]["id"].endswith("/hosts/builder-1/")

    _finish(Task.objects.get(pk=task.pk), folder / name, {"keys": [keyid]})
    signed = Attestation.objects.get(task=package.artifact.task_id)
    assert (signed.keys, signed.waits, signed.envelope and signed.envelope.name) == ([keyid], False, name)
    assert list(attestations.kept_envelopes()) == [{"envelope__task_id": task.pk}]
    attestations.tend()
    assert Task.objects.filter(method="attest").count() == 1


def _finish(task: Task, path: Path, result: dict[str, Any]) -> None:
    assert task.claim and hub.start(task.claim)
    sha256, _ = store.put(path)
    assert hub.finish(task.claim, result, [hub.File(name=path.name, kind=Artifact.Kind.METADATA, sha256=sha256)])


def test_a_failure_is_not_repeated_at_once(target: Target, somebody: User, host: Host, tmp_path: Path) -> None:
    finished(scene.build(somebody, target), host, tmp_path, [])
    attestations.tend()
    Task.objects.filter(method="attest").update(state=State.FAILED)
    attestations.tend()
    assert Task.objects.filter(method="attest").count() == 1
    assert attestations.statements_needed({"0" * 64}) == set()
