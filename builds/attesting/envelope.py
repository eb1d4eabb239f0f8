"""DSSE: a statement with its signatures, each over the type and the bytes of the statement.

The signatures are OpenPGP's, detached and binary, by every signing key: gpg and gpgv verify them.
"""

from __future__ import annotations

import base64
import binascii
import json
from typing import Any

from chroots.engine.archives.signing import Signer
from debatomic.tools.errors import InputError

TYPE = "application/vnd.in-toto+json"


def signed_bytes(payload: bytes, kind: str = TYPE) -> bytes:
    """What a signature is made over: DSSE's pre-authentication encoding."""
    return b"DSSEv1 %d %s %d %s" % (len(kind), kind.encode(), len(payload), payload)


def sealed(statement: dict[str, Any], signer: Signer) -> bytes:
    """The envelope, one line of JSON. Raises ToolError when gpg gives no signature."""
    payload = json.dumps(statement, sort_keys=True, separators=(",", ":")).encode()
    signatures = [{"keyid": key, "sig": _base64(signer.sign(signed_bytes(payload), key))} for key in signer.ensure()]
    told = {"payloadType": TYPE, "payload": _base64(payload), "signatures": signatures}
    return json.dumps(told).encode() + b"\n"


def opened(content: bytes) -> tuple[bytes, list[tuple[str, bytes]]]:
    """The payload, and its signatures with the fingerprints they name. Nothing is verified. Raises InputError."""
    try:
        told = json.loads(content)
        if told["payloadType"] != TYPE:
            raise InputError(f"It holds {told['payloadType']!a:.80}, not {TYPE}.")
        found = [(str(each["keyid"]), base64.b64decode(each["sig"], validate=True)) for each in told["signatures"]]
        return base64.b64decode(told["payload"], validate=True), found
    except (ValueError, KeyError, TypeError, binascii.Error) as error:
        raise InputError(f"This is no attestation: {type(error).__name__}: {error}.") from error


def _base64(content: bytes) -> str:
    return base64.b64encode(content).decode()
