"""Sections 3 and 4: which members there are, and their types.

Two passes, because what is unknown comes before what is false: `unknown` looks for members that
the page does not list, `check` for missing members and wrong types.
"""

import base64
import hashlib
import re
from collections.abc import Callable

from canonical import Lie, Unknown, unbase64url

_HASH = re.compile(r"[0-9a-f]{64}\Z")
_ID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\Z")
_VERIFIER_KEY = re.compile(r"([^+\s]+)\+([0-9a-f]{8})\+([A-Za-z0-9+/=]+)\Z")
_SSH_PIN = re.compile(r"ssh:SHA256:([A-Za-z0-9+/]{43})\Z")


class Leaf:
    def __init__(self, words: str, test: Callable):
        self.words, self.test = words, test

    def unknown(self, value, where: str):
        pass

    def check(self, value, where: str):
        if not self.test(value):
            raise Lie(f"type: {where} is not {self.words}")


class ListOf:
    def __init__(self, item, distinct: bool = False):
        self.item, self.distinct = item, distinct

    def unknown(self, value, where: str):
        if isinstance(value, list):
            for item in value:
                self.item.unknown(item, where)

    def check(self, value, where: str):
        if not isinstance(value, list):
            raise Lie(f"type: {where} is not a list")
        for item in value:
            self.item.check(item, where)
        if self.distinct and len(set(value)) != len(value):
            raise Lie(f"type: {where} holds one twice")


class Shape:
    """An object with exactly these members; `name?` may be absent."""

    def __init__(self, names: str, **types):
        self.optional = {name[:-1] for name in names.split() if name.endswith("?")}
        self.members = {
            name: types.get(name) or type_of(name) for name in names.replace("?", "").split()
        }

    def unknown(self, value, where: str):
        if not isinstance(value, dict):
            return
        for name, inner in value.items():
            if name not in self.members:
                raise Unknown(f"unknown member: {where}.{name}")
            self.members[name].unknown(inner, f"{where}.{name}")

    def check(self, value, where: str):
        if not isinstance(value, dict):
            raise Lie(f"type: {where} is not an object")
        for name, inner in self.members.items():
            if name in value:
                inner.check(value[name], f"{where}.{name}")
            elif name not in self.optional:
                raise Lie(f"missing member: {where}.{name}")
        for name in value:
            if name not in self.members:
                raise Lie(f"member out of place: {where}.{name}")


def is_integer(value) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def is_id(value) -> bool:
    return isinstance(value, str) and bool(_ID.match(value))


def _integer(least: int) -> Leaf:
    return Leaf(f"an integer from {least}", lambda v: is_integer(v) and v >= least)


def _bytes(least: int = 0, most: float = float("inf")) -> Leaf:
    def test(value):
        raw = unbase64url(value) if isinstance(value, str) else None
        return raw is not None and least <= len(raw) <= most

    return Leaf("base64url of the right length" if least else "base64url", test)


def one_of(words: str) -> Leaf:
    return Leaf(f"one of {words}", lambda v: isinstance(v, str) and v in words.split())


def _pin(value) -> bool:
    if not isinstance(value, str):
        return False
    if value.startswith("sha256:"):
        return bool(_HASH.match(value.removeprefix("sha256:")))
    ssh = _SSH_PIN.match(value)
    if ssh:
        raw = base64.b64decode(ssh[1] + "=")
        return base64.b64encode(raw).decode().rstrip("=") == ssh[1]
    return value == "unix"


def verifier_key(value) -> tuple[str, bytes, bytes] | None:
    """Name, key id and Ed25519 key of a C2SP verifier key, or None."""
    match = _VERIFIER_KEY.match(value) if isinstance(value, str) and len(value) <= 200 else None
    raw = unbase64(match[3]) if match else None
    if raw is None or len(raw) != 33 or raw[0] != 1:
        return None
    key_id = hashlib.sha256(match[1].encode() + b"\n" + raw).digest()[:4]
    return (match[1], key_id, raw[1:]) if key_id.hex() == match[2] else None


def unbase64(text: str) -> bytes | None:
    """The bytes of padded standard base64, or None."""
    try:
        raw = base64.b64decode(text, validate=True)
    except ValueError:
        return None
    return raw if base64.b64encode(raw).decode() == text else None


HASH = Leaf("64 lower-case hex digits", lambda v: isinstance(v, str) and bool(_HASH.match(v)))
ID = Leaf("an id", is_id)
TIME = Leaf("a time", lambda v: is_integer(v) and v >= 0)
STRING = Leaf("a string of 1 to 200", lambda v: isinstance(v, str) and 1 <= len(v) <= 200)
TEXT = Leaf("a string", lambda v: isinstance(v, str))
BOOLEAN = Leaf("true or false", lambda v: isinstance(v, bool))
COMPARED = Leaf("there", lambda v: True)  # `subject` is compared, not read
SEQS = Leaf(
    "a list of strictly ascending seqs",
    lambda v: isinstance(v, list)
    and all(is_integer(seq) and seq >= 0 for seq in v)
    and all(a < b for a, b in zip(v, v[1:])),
)
NAME = Leaf(
    "an origin without spaces or +",
    lambda v: STRING.test(v) and "+" not in v and not any(char.isspace() for char in v),
)

_TYPES = {
    **dict.fromkeys("version epoch m denials size".split(), _integer(1)),
    **dict.fromkeys("needed counter".split(), _integer(0)),
    **dict.fromkeys("expires time until".split(), TIME),
    **dict.fromkeys("approvals acceptances".split(), SEQS),
    **dict.fromkeys(
        "envelope key_commitment reason_commitment invitation roster previous entry ledger access role"
        " checkpoint sha256".split(),
        HASH,
    ),
    **dict.fromkeys(
        "request safe credential user authenticator signer approver requester grant rotation target key"
        " previous_key".split(),
        ID,
    ),
    **dict.fromkeys("share_key delivery_key nonce".split(), _bytes(32, 32)),
    **dict.fromkeys(
        "authenticator_data client_data_json signature attestation_object".split(), _bytes()
    ),
    "public_key": _bytes(65, 65),
    "aaguid": _bytes(16, 16),
    "credential_id": _bytes(1, 1023),
    "roles": ListOf(one_of("requester approver custodian auditor operator"), distinct=True),
    "authenticators": ListOf(ID, distinct=True),
    "windows": ListOf(STRING),
    "origins": ListOf(STRING),
    "checkpoint_keys": Leaf(
        "1 to 3 C2SP verifier keys",
        lambda v: isinstance(v, list) and 1 <= len(v) <= 3 and all(map(verifier_key, v)),
    ),
    "drill": BOOLEAN,
    "pin": Leaf("a pin", _pin),
    "decision": one_of("approve deny"),
    "outcome": one_of("passed failed"),
    "statement": TEXT,
    "subject": COMPARED,
    "v": _integer(1),
}


def type_of(name: str):
    if name in _TYPES:
        return _TYPES[name]
    if name.endswith("_s"):
        return _integer(1)
    return HASH if name.endswith("_sha256") else STRING


# Section 3.

SIGNED = {
    "person.invited": "invite",
    "person.roles": "roles",
    "authenticator.enrolled": "enrol",
    "authenticator.revoked": "revoke",
    "authenticator.suspended": "suspend",
    "authenticator.restored": "unsuspend",
    "request.filed": "request",
    "request.approved": "approval",
    "request.denied": "approval",
    "request.accepted": "acceptance",
    "setting.changed": "setting",
    "clock.accepted": "clock",
}

_ASSERTION = Shape("authenticator_data client_data_json signature")
_NEW = Shape(
    "approvers denials drill epoch grant_life_s m name request_life_s",
    approvers=ListOf(Shape("authenticators name user")),
)
_VERSIONS = ListOf(Shape("credential envelope version"))
_ROTATION = Shape("credential observed rotation version")
_TOUCHED = Shape("assertion authenticator statement", assertion=_ASSERTION)

PURPOSES = {
    "release": "credential delivery_key duration_s envelope epoch open_within_s sealed_as version",
    "access": "delivery_key duration_s epoch needed role role_name target",
    "roster": "new",
    "role": "access max_s name needed previous target windows",
    "target": "account address connector credential pin target",
    "reseal": "delivery_key versions",
    "destroy": "versions",
    "restore": "checkpoint",
}


def _acting(purpose: str) -> Shape:
    return Shape("approvals request safe " + PURPOSES[purpose], versions=_VERSIONS)


EVENTS = {event: _TOUCHED for event in SIGNED} | {
    "authenticator.enrolled": Shape(
        "admission? assertion authenticator registration statement",
        assertion=_ASSERTION,
        registration=Shape("attestation_object client_data_json"),
        admission=Shape("assertion authenticator", assertion=_ASSERTION),
    ),
    "ledger.founded": Shape(
        "checkpoint_keys continues? name origins rp_id",
        name=NAME,
        continues=Shape("checkpoint ledger size"),
    ),
    "authenticator.distrusted": Shape("authenticator counter"),
    "request.ended": Shape("request why", why=one_of("withdrawn expired denied superseded restored")),
    "roster.set": Shape("acceptances approvals new request safe", new=_NEW),
    "target.set": _acting("target"),
    "role.set": _acting("role"),
    "version.destroyed": _acting("destroy"),
    "reseal.opened": _acting("reseal"),
    "version.sealed": Shape(
        "authenticators credential envelope epoch import? key_commitment origin roster safe version",
        origin=one_of("generated imported resealed"),
        **{"import": _TOUCHED},
    ),
    "release.opened": Shape(
        "approvals credential envelope epoch request requester roster safe version"
    ),
    "release.closed": Shape("request why", why=one_of("checked_in expired")),
    "release.refused": Shape("request why"),
    "share.refused": Shape("approver request why"),
    "grant.started": Shape("approvals grant request target until"),
    "grant.ended": Shape("grant why"),
    "rotation.staged": _ROTATION,
    "rotation.applied": _ROTATION,
    "rotation.proved": _ROTATION,
    "rotation.promoted": _ROTATION,
    "rotation.failed": _ROTATION,
    "clock.ticked": Shape(""),
    "kek.rolled": Shape("key previous_key? token"),
    "checkpoint_keys.changed": Shape("checkpoint_keys"),
    "software.started": Shape("pages program_sha256 release", pages=ListOf(Shape("path sha256"))),
    "drill.finished": Shape("outcome report_sha256 safe"),
}

ENTRY = Shape(
    "actor data event prev seq time v",
    data=Leaf("an object", lambda v: isinstance(v, dict)),
    event=TEXT,
    prev=HASH,
    seq=_integer(0),
)

# Section 4.

_COMMON = "kind ledger nonce v "
_INVITE = _COMMON + "expires invitation name roles user"

FIRST_INVITE = Shape(_INVITE)  # entry 1's: without signer
ANY_INVITE = Shape(
    _INVITE + " signer assertion authenticator statement", assertion=_ASSERTION
)  # members of either form; the form not in its place is false, not unknown

STATEMENTS = {
    "login": Shape(_COMMON),
    "register": Shape(_COMMON + "invitation? user"),
    "prove": Shape(_COMMON + "user"),
    "invite": Shape(_INVITE + " signer"),
    "roles": Shape(_COMMON + "roles signer user"),
    "enrol": Shape(
        _COMMON + "aaguid authenticator credential_id invitation? name public_key registration_sha256"
        " share_key? signer user"
    ),
    "revoke": Shape(_COMMON + "authenticator signer user why"),
    "suspend": Shape(_COMMON + "authenticator signer user why"),
    "unsuspend": Shape(_COMMON + "authenticator signer user why"),
    "approval": Shape(_COMMON + "decision entry signer subject"),
    "acceptance": Shape(_COMMON + "authenticator entry signer subject"),
    "import": Shape(_COMMON + "credential envelope safe signer version"),
    "setting": Shape(_COMMON + "name signer value"),
    "clock": Shape(_COMMON + "entry signer time why"),
}

_REQUEST = (
    _COMMON + "expires purpose reason_commitment request requester_name roster safe signer ticket? "
)
_REQUEST_TYPES = {
    "new": _NEW,
    "versions": _VERSIONS,
    "sealed_as": Shape(
        "kind name target?", kind=one_of("password key_pair token totp note file")
    ),
}

REQUESTS = {
    purpose: Shape(_REQUEST + members, **_REQUEST_TYPES) for purpose, members in PURPOSES.items()
}


def unknown_version(value, where: str):
    v = value.get("v")
    if is_integer(v) and v != 1:
        raise Unknown(f"unknown v: {where} has v {v}")


def statement_shape(statement: dict) -> Shape | None:
    """Its shape by kind and purpose; Unknown when there is none; None when it names none."""
    kind, purpose = statement.get("kind"), statement.get("purpose")
    if not isinstance(kind, str):
        return None
    if kind != "request":
        if kind not in STATEMENTS:
            raise Unknown(f"unknown kind: {kind}")
        return STATEMENTS[kind]
    if not isinstance(purpose, str):
        return None
    if purpose not in REQUESTS:
        raise Unknown(f"unknown purpose: {purpose}")
    return REQUESTS[purpose]
