"""Section 4: when an assertion is valid, but for the key being live, which the state knows."""

import hashlib

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256

import client
from canonical import Lie, base64url, unbase64url

UP, UV, BE, BS = 0x01, 0x04, 0x08, 0x10
ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551


def public_key(point: bytes) -> ec.EllipticCurvePublicKey:
    try:
        if point[0] != 4:
            raise ValueError
        return ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), point)
    except ValueError:
        raise Lie("key: public_key is no uncompressed point of P-256") from None


def check(
    assertion: dict, challenge: bytes, key: ec.EllipticCurvePublicKey, rp_id: str, origins: list
) -> int:
    """The counter of a valid assertion, else a Lie."""
    client_data = unbase64url(assertion["client_data_json"])
    authenticator_data = unbase64url(assertion["authenticator_data"])
    signature = unbase64url(assertion["signature"])

    members = client.read(client_data)
    if members.get("type") != "webauthn.get":
        raise Lie("assertion: type is not webauthn.get")
    if members.get("challenge") != base64url(challenge):
        raise Lie("assertion: challenge is not that of the statement")
    if not isinstance(members.get("origin"), str) or members["origin"] not in origins:
        raise Lie("assertion: origin is not a founded one")
    if members.get("crossOrigin", False) is not False:
        raise Lie("assertion: crossOrigin")
    if "topOrigin" in members:
        raise Lie("assertion: topOrigin")

    if len(authenticator_data) < 37:
        raise Lie("assertion: authenticator_data has fewer than 37 bytes")
    if authenticator_data[:32] != hashlib.sha256(rp_id.encode()).digest():
        raise Lie("assertion: authenticator_data is for another rp_id")
    flags = authenticator_data[32]
    if not flags & UP or not flags & UV:
        raise Lie("assertion: UP and UV are not both set")
    if flags & (BE | BS):
        raise Lie("assertion: BE or BS is set")

    strict_der(signature)
    try:
        signed = authenticator_data + hashlib.sha256(client_data).digest()
        key.verify(signature, signed, ec.ECDSA(SHA256()))
    except InvalidSignature:
        raise Lie("assertion: the signature does not verify") from None
    return int.from_bytes(authenticator_data[33:37], "big")


def strict_der(signature: bytes):
    """SEQUENCE of two INTEGERs from 1 to n-1, each in the fewest bytes, and nothing after."""
    body = _der(signature, 0x30)
    if len(body) != len(signature) - 2:
        raise Lie("assertion: the signature is not strict DER")
    r = _der(body, 0x02)
    s = _der(body[2 + len(r) :], 0x02)
    if len(r) + len(s) + 4 != len(body):
        raise Lie("assertion: the signature is not strict DER")
    for number in (r, s):
        padded = len(number) > 1 and number[0] == 0 and number[1] < 0x80
        if not number or padded or not 0 < int.from_bytes(number, "big", signed=True) < ORDER:
            raise Lie("assertion: the signature is not strict DER")


def _der(raw: bytes, tag: int) -> bytes:
    if len(raw) < 2 or raw[0] != tag or raw[1] >= 0x80 or len(raw) < 2 + raw[1]:
        raise Lie("assertion: the signature is not strict DER")
    return raw[2 : 2 + raw[1]]
