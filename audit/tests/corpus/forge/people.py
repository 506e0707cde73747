"""People, their software P-256 authenticators and what one touch gives (FORMATS.md 4)."""

import hashlib
import json

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, x25519
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from .canonical import b64, pseudo, uuid

UP, UV, BE, BS, AT, ED = 0x01, 0x04, 0x08, 0x10, 0x40, 0x80
ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
_ECDSA = ec.ECDSA(hashes.SHA256(), deterministic_signing=True)


class _Constant:
    """Shared by all copies of a ledger."""

    def __deepcopy__(self, _memo):
        return self


class Key(_Constant):
    """One authenticator. `counts`: its signature counter rises; else it stays zero, as many do."""

    def __init__(self, label, share=True, counts=False, credential_id=None):
        self.label = label
        self.id = uuid("authenticator " + label)
        self.credential_id = credential_id or pseudo("credential id " + label, 32)
        self.aaguid = pseudo("aaguid " + label.split(" ")[-1], 16)
        self.counts = counts
        self._private = ec.derive_private_key(
            1 + int.from_bytes(pseudo("P-256 " + label), "big") % (ORDER - 1), ec.SECP256R1())
        self.public = self._private.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
        self.share_key = x25519_public("share key " + label) if share else None

    def sign(self, message):
        """ES256 over the message, DER."""
        return self._private.sign(message, _ECDSA)


class Person(_Constant):
    """Somebody who may be invited, with as many keys as the story wants."""

    def __init__(self, label, name, roles, **key):
        self.label, self.name, self.roles = label, name, roles
        self.user = uuid("user " + label)
        self._key = key
        self._keys = {}

    def key(self, n=1):
        """Their n-th key, counted from 1."""
        if n not in self._keys:
            self._keys[n] = Key(f"{self.label} {n}", **self._key)
        return self._keys[n]

    def twin(self, label, **changed):
        """Somebody else who is equal to this person but for `changed` (user, name, roles)."""
        other = Person(label, changed.get("name", self.name), changed.get("roles", self.roles))
        other.user = changed.get("user", other.user)
        return other


def x25519_public(label):
    """An X25519 public key nobody uses."""
    private = x25519.X25519PrivateKey.from_private_bytes(pseudo("X25519 " + label))
    return private.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)


def touch(key, digest, rp_id, origin, counter, lie):
    """The raw assertion of one touch. `lie` may hold:

    client(dict), client_bytes(bytes), flags, rp_id, authenticator_data(bytes), key, message(bytes), signature(bytes);
    the ones written with brackets are functions from the honest value to the one to use (client: an edit).
    """
    client = {"type": "webauthn.get", "challenge": b64(digest), "origin": origin, "crossOrigin": False}
    if "client" in lie:
        lie["client"](client)
    client_bytes = json.dumps(client, separators=(",", ":"), ensure_ascii=False).encode()
    client_bytes = lie.get("client_bytes", _same)(client_bytes)
    data = hashlib.sha256(lie.get("rp_id", rp_id).encode()).digest()
    data += bytes([lie.get("flags", UP | UV)]) + counter.to_bytes(4, "big")
    data = lie.get("authenticator_data", _same)(data)
    message = lie.get("message", _same)(data + hashlib.sha256(client_bytes).digest())
    signature = lie.get("signature", _same)(lie.get("key", key).sign(message))
    return {"authenticator_data": b64(data), "client_data_json": b64(client_bytes), "signature": b64(signature)}


def registration(key, statement, rp_id, origin):
    """What `create()` gave for a `register` statement: attestation "none" around the new public key."""
    client = {"type": "webauthn.create", "challenge": b64(statement), "origin": origin, "crossOrigin": False}
    cose = (b"\xa5\x01\x02\x03\x26\x20\x01\x21\x58\x20" + key.public[1:33] + b"\x22\x58\x20" + key.public[33:])
    data = (hashlib.sha256(rp_id.encode()).digest() + bytes([UP | UV | AT]) + bytes(4) + key.aaguid
            + len(key.credential_id).to_bytes(2, "big") + key.credential_id + cose)
    attestation = b"\xa3cfmtdnonegattStmt\xa0hauthData\x59" + len(data).to_bytes(2, "big") + data
    return {"attestation_object": b64(attestation),
            "client_data_json": b64(json.dumps(client, separators=(",", ":")).encode())}


def _same(value):
    return value
