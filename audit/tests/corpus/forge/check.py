"""Checks the generator against itself, by other means than the builder's: what was written is read again, the tree is
computed top down, and every signature that a case does not forge must verify."""

import base64
import hashlib
import json
import re

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519

EVENTS = set("""ledger.founded person.invited person.roles authenticator.enrolled authenticator.revoked
    authenticator.suspended authenticator.restored authenticator.distrusted request.filed request.approved
    request.denied request.accepted request.ended roster.set target.set role.set version.destroyed reseal.opened
    version.sealed release.opened release.closed release.refused share.refused grant.started grant.ended
    rotation.staged rotation.applied rotation.proved rotation.promoted rotation.failed setting.changed clock.accepted
    clock.ticked kek.rolled checkpoint_keys.changed software.started drill.finished""".split())
KINDS = set("invite roles enrol revoke suspend unsuspend request approval acceptance import setting clock".split())
PURPOSES = set("release access roster role target reseal destroy restore".split())
VALUES = set("""withdrawn expired denied superseded restored checked_in generated imported resealed passed failed
    approve deny""".split())


def check(export, honest):
    """Raises AssertionError when the export is not what it claims to be."""
    lines = export.files["entries.jsonl"].split(b"\n")
    assert lines.pop() == b"", "no LF at the end"
    leaves = [hashlib.sha256(b"\0" + line).digest() for line in lines]
    keys = _check_checkpoints(export, lines, leaves)
    if honest:
        _check_entries(lines, leaves)
    return keys


def _tree(leaves):
    if len(leaves) == 1:
        return leaves[0]
    half = 1 << (len(leaves) - 1).bit_length() - 1
    return hashlib.sha256(b"\1" + _tree(leaves[:half]) + _tree(leaves[half:])).digest()


def _check_checkpoints(export, lines, leaves):
    notes = [json.loads(line)["note"] for line in export.files["checkpoints.jsonl"].splitlines()]
    sizes = []
    for note in [*notes, export.files["checkpoint"].decode()]:
        body, signatures = note.split("\n\n")
        origin, size, root = body.split("\n")
        sizes.append(int(size))
        assert origin == export.ledger.name and base64.b64decode(root) == _tree(leaves[:int(size)]), "root"
        good = 0
        for vkey in _keys_at(lines, int(size)):
            name, key_id, raw = vkey.split("+", 2)
            raw = base64.b64decode(raw)
            assert hashlib.sha256(name.encode() + b"\n" + raw).hexdigest()[:8] == key_id, "key id"
            for signature in signatures.splitlines():
                signed = base64.b64decode(signature.split(" ")[2])
                if signed[:4].hex() == key_id:
                    ed25519.Ed25519PublicKey.from_public_bytes(raw[1:]).verify(signed[4:], (body + "\n").encode())
                    good += 1
        assert good, "no signature by a key in force"
    assert sizes == sorted(set(sizes)) and sizes[-1] == len(lines), "sizes"
    return sizes


def _keys_at(lines, size):
    keys = json.loads(lines[0])["data"]["checkpoint_keys"]
    for line in lines[:size - 1]:
        if b'"event":"checkpoint_keys.changed"' in line:
            keys = json.loads(line)["data"]["checkpoint_keys"]
    return keys


def _check_entries(lines, leaves):
    keys = {}
    for seq, line in enumerate(lines):
        entry = json.loads(line)
        again = json.dumps(entry, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()
        assert again == line and len(line) <= 65536, f"entry {seq} is not canonical"
        assert entry["seq"] == seq and entry["prev"] == (leaves[seq - 1].hex() if seq else "0" * 64), f"chain at {seq}"
        data = entry["data"]
        if entry["event"] == "authenticator.enrolled":
            new = json.loads(data["statement"])
            keys[data["authenticator"]] = base64.urlsafe_b64decode(new["public_key"] + "=")
        for touched, statement in _touches(data):
            _check_touch(keys[touched["authenticator"]], touched["assertion"], statement.encode())


def _touches(data):
    if "statement" in data:
        yield data, data["statement"]
        if "admission" in data:
            yield data["admission"], data["statement"]
    if "import" in data:
        yield data["import"], data["import"]["statement"]


def _check_touch(public, assertion, statement):
    data, client, signature = (base64.urlsafe_b64decode(assertion[name] + "==")
                               for name in ("authenticator_data", "client_data_json", "signature"))
    digest = hashlib.sha256(b"vitrine/statement/v1\n" + statement).digest()
    # Looked for, not parsed: client data may be deeper than this language's parser goes.
    said = re.search(rb'"challenge":"([A-Za-z0-9_-]{43})"', client)
    assert base64.urlsafe_b64decode(said[1] + b"=") == digest, "challenge"
    key = ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), public)
    key.verify(signature, data + hashlib.sha256(client).digest(), ec.ECDSA(hashes.SHA256()))


def uncovered(exports):
    """Which events, kinds, purposes and closed values no honest export shows."""
    text = b"".join(export.files["entries.jsonl"] for export in exports).replace(b"\\", b"")
    return sorted([f"event {e}" for e in EVENTS if b'"event":"%s"' % e.encode() not in text]
                  + [f"kind {k}" for k in KINDS if b'"kind":"%s"' % k.encode() not in text]
                  + [f"purpose {p}" for p in PURPOSES if b'"purpose":"%s"' % p.encode() not in text]
                  + [f"value {v}" for v in VALUES if b'"%s"' % v.encode() not in text])
