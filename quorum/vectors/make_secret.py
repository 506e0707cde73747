#!/usr/bin/env python3
"""Makes secret-*.json: a second implementation of FORMATS.md section 7, apart from the crate.

Needs Python 3.11 and `cryptography` (AES-256-GCM and X25519 alone; HKDF, HPKE and Shamir are written
out below, from RFC 5869, RFC 9180 and FORMATS.md). All values are drawn from a fixed seed, so the same
files come out every time. The files are never regenerated: the script refuses to write over one
(`--check` compares instead). A new case goes into a new file, or to the end of an existing one.
"""
import base64
import copy
import hashlib
import hmac
import json
import pathlib
import sys
import unicodedata

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.serialization import (
    Encoding, NoEncryption, PrivateFormat, PublicFormat)

HERE = pathlib.Path(__file__).parent


# --- the formats ------------------------------------------------------------------------------------
def sha(b):
    return hashlib.sha256(b).digest()


def label(thing):
    return f"vitrine/{thing}/v1\n".encode()


def h_of(thing, content):
    return sha(label(thing) + content)


def canon(v):
    return json.dumps(v, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def b64(b):
    return base64.urlsafe_b64encode(b).rstrip(b"=").decode()


def unb64(s):
    return base64.urlsafe_b64decode(s + "=" * (-len(s) % 4))


def extract(salt, ikm):
    return hmac.new(salt or b"\0" * 32, ikm, hashlib.sha256).digest()


def expand(prk, info, n):
    out, t, i = b"", b"", 1
    while len(out) < n:
        t = hmac.new(prk, t + info + bytes([i]), hashlib.sha256).digest()
        out, i = out + t, i + 1
    return out[:n]


def pad(b):
    b = b + b"\x80"
    return b + b"\0" * (-len(b) % 64)


# GF(2^8), polynomial 0x11D, multiplied bit by bit: no tables to copy wrongly.
def mul(a, b):
    r = 0
    while b:
        if b & 1:
            r ^= a
        a <<= 1
        if a & 0x100:
            a ^= 0x11D
        b >>= 1
    return r


def inv(a):
    r = 1
    for _ in range(254):
        r = mul(r, a)
    return r


def split(secret, coefficients, n):
    """coefficients[j] holds the 32 coefficients of x^(j+1)."""
    shares = []
    for x in range(1, n + 1):
        y = bytearray(secret)
        power = 1
        for c in coefficients:
            power = mul(power, x)
            for i in range(32):
                y[i] ^= mul(c[i], power)
        shares.append(bytes(y))
    return shares


def combine(points):
    out = bytearray(32)
    for x, y in points:
        w = 1
        for x2, _ in points:
            if x2 != x:
                w = mul(w, mul(x2, inv(x2 ^ x)))
        for i in range(32):
            out[i] ^= mul(w, y[i])
    return bytes(out)


# HPKE base mode, RFC 9180: DHKEM(X25519, HKDF-SHA256) 0x0020, HKDF-SHA256 0x0001, AES-256-GCM 0x0002
KEM = b"KEM\x00\x20"
SUITE = b"HPKE\x00\x20\x00\x01\x00\x02"


def lextract(suite, salt, lab, ikm):
    return extract(salt, b"HPKE-v1" + suite + lab + ikm)


def lexpand(suite, prk, lab, info, n):
    return expand(prk, n.to_bytes(2, "big") + b"HPKE-v1" + suite + lab + info, n)


def raw_private(k):
    return k.private_bytes(Encoding.Raw, PrivateFormat.Raw, NoEncryption())


def public(private):
    return X25519PrivateKey.from_private_bytes(private).public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)


def derive_key_pair(ikm):
    return lexpand(KEM, lextract(KEM, b"", b"dkp_prk", ikm), b"sk", b"", 32)


def hpke_seal(to, info, aad, plaintext, ikm):
    eph = derive_key_pair(ikm)
    enc = public(eph)
    dh = X25519PrivateKey.from_private_bytes(eph).exchange(X25519PublicKey.from_public_bytes(to))
    secret = lexpand(KEM, lextract(KEM, b"", b"eae_prk", dh), b"shared_secret", enc + to, 32)
    context = b"\0" + lextract(SUITE, b"", b"psk_id_hash", b"") + lextract(SUITE, b"", b"info_hash", info)
    prk = lextract(SUITE, secret, b"secret", b"")
    key = lexpand(SUITE, prk, b"key", context, 32)
    nonce = lexpand(SUITE, prk, b"base_nonce", context, 12)
    return enc + AESGCM(key).encrypt(nonce, plaintext, aad)


class Draw:
    """Bytes from a seed: SHA-256 in counter mode."""

    def __init__(self, seed):
        self.seed, self.at = seed.encode(), 0

    def __call__(self, n=32):
        out = b""
        while len(out) < n:
            out += sha(b"vectors\n" + self.seed + b"\n" + self.at.to_bytes(8, "big"))
            self.at += 1
        return out[:n]

    def id(self):
        """A version 7 UUID's shape."""
        b = bytearray(self(16))
        b[0:6] = (1_790_000_000_000 + int.from_bytes(b[0:4], "big")).to_bytes(6, "big")
        b[6] = 0x70 | b[6] & 0x0F
        b[8] = 0x80 | b[8] & 0x3F
        s = b.hex()
        return f"{s[:8]}-{s[8:12]}-{s[12:16]}-{s[16:20]}-{s[20:]}"


class Envelope:
    """What sealing gives: `e` is the envelope as an object, to be bent by the cases."""

    def __init__(self, header, q, h, nonce, shares, padded, k=None, key_commitment=None):
        self.header, self.q, self.h, self.nonce, self.shares = header, q, h, nonce, shares
        self.ctx = h_of("header", canon(header))
        prk = extract(b"", q + h)
        self.k = expand(prk, label("secret-key") + self.ctx, 32)
        self.key_commitment = expand(prk, label("key-commitment") + self.ctx, 32)
        self.body = AESGCM(self.k).encrypt(nonce, padded, self.ctx)
        self.commitments = [h_of("share-commitment", self.ctx + bytes([x]) + s) for x, s in enumerate(shares, 1)]
        self.e = {
            "body": b64(self.body), "header": header, "key_commitment": self.key_commitment.hex(),
            "nonce": b64(nonce), "share_commitments": [c.hex() for c in self.commitments],
        }

    def text(self):
        return canon(self.e).decode()


def header(draw, m, n, kind="password", name="prod-db superuser", target=True, epoch=1, version=1):
    sealed_as = {"kind": kind, "name": name}
    if target:
        sealed_as["target"] = draw.id()
    return {
        "credential": draw.id(), "epoch": epoch, "ledger": draw().hex(), "m": m, "n": n,
        "roster": draw().hex(), "safe": draw.id(), "sealed_as": sealed_as, "suite": 1, "v": 1,
        "version": version,
    }


class World:
    def __init__(self, case, m, n, plaintext, keys=1, **kw):
        d = Draw(case)
        self.name, self.plaintext, self.m, self.n = case, plaintext, m, n
        self.head = header(d, m, n, **kw)
        self.q, self.h, self.nonce = d(), d(), d(12)
        self.coefficients = [d() for _ in range(m - 1)]
        self.env = Envelope(self.head, self.q, self.h, self.nonce,
                            split(self.q, self.coefficients, n), pad(plaintext))
        for points in ([*enumerate(self.env.shares, 1)][-m:], [*enumerate(self.env.shares, 1)][:m]):
            assert combine(points) == self.q
        self.approvers = []
        for x in range(1, n + 1):
            user, ks = d.id(), []
            for _ in range(keys if x != 2 else keys + 1):
                private, ikm, auth = d(), d(), d.id()
                ks.append({
                    "authenticator": auth, "private_key": private.hex(), "share_key": public(private).hex(),
                    "ephemeral_ikm": ikm.hex(),
                    "sealed": self.share_envelope(user, auth, x, public(private), ikm).hex(),
                })
            self.approvers.append({"approver": user, "x": x, "keys": ks})

    def share_envelope(self, user, auth, x, to, ikm, share=None, info=None, aad=None):
        return hpke_seal(
            to, (label("share-envelope") + self.env.ctx) if info is None else info,
            canon({"approver": user, "authenticator": auth, "x": x}) if aad is None else aad,
            self.env.shares[x - 1] if share is None else share, ikm)

    def seal_case(self):
        e = self.env
        return {
            "name": self.name, "expect": "ok", "header": canon(self.head).decode(), "ctx": e.ctx.hex(),
            "plaintext": self.plaintext.hex(), "q": self.q.hex(), "h": self.h.hex(), "nonce": self.nonce.hex(),
            "coefficients": [c.hex() for c in self.coefficients], "k": e.k.hex(),
            "key_commitment": e.key_commitment.hex(), "shares": [s.hex() for s in e.shares],
            "share_commitments": [c.hex() for c in e.commitments], "envelope": e.text(),
            "envelope_hash": h_of("envelope", canon(e.e)).hex(), "approvers": self.approvers,
        }


def flip(b, i=0, bit=1):
    b = bytearray(b)
    b[i] ^= bit
    return bytes(b)


def flip_hex(s, i=0):
    return flip(bytes.fromhex(s), i).hex()


def flip_id(s):
    return ("1" if s[0] != "1" else "2") + s[1:]


def bent_headers(head):
    """Every member of the header, changed to another value of the right shape."""
    def bent(name, f):
        h = copy.deepcopy(head)
        f(h)
        assert h != head
        return name, h
    yield bent("credential", lambda h: h.update(credential=flip_id(h["credential"])))
    yield bent("epoch", lambda h: h.update(epoch=h["epoch"] + 1))
    yield bent("ledger", lambda h: h.update(ledger=flip_hex(h["ledger"])))
    yield bent("m", lambda h: h.update(m=h["m"] - 1))
    yield bent("roster", lambda h: h.update(roster=flip_hex(h["roster"], 31)))
    yield bent("safe", lambda h: h.update(safe=flip_id(h["safe"])))
    yield bent("sealed_as kind", lambda h: h["sealed_as"].update(kind="token"))
    yield bent("sealed_as name", lambda h: h["sealed_as"].update(name=h["sealed_as"]["name"] + "."))
    yield bent("sealed_as target", lambda h: h["sealed_as"].update(target=flip_id(h["sealed_as"]["target"])))
    yield bent("sealed_as target missing", lambda h: h["sealed_as"].pop("target"))
    yield bent("version", lambda h: h.update(version=h["version"] + 1))


def with_header(e, head):
    e = copy.deepcopy(e)
    e["header"] = head
    return canon(e).decode()


WORLDS = [
    World("two of three, with a target", 2, 3, b"correct horse battery staple"),
    World("three of seven, two keys each", 3, 7, "pässwörd ✓".encode(), keys=2, name="Kern-Router · Zürich", epoch=4, version=19),
    World("one of one: a drill safe", 1, 1, b"drill", target=False, kind="token"),
    World("five of one hundred", 5, 100, b"x" * 200, kind="note", target=False, epoch=9007199254740991),
    World("all of two", 2, 2, bytes(range(63)), kind="file", name="n" * 200),
    World("sixty-four bytes grow by a step", 2, 2, bytes(range(64)), kind="key_pair", name="\U0001F511" * 200),
    World("no bytes at all", 2, 2, b"", kind="note"),
    World("a long value that ends like padding", 2, 2, b"\x80" + b"\0" * 1000 + b"\x80" + b"\0" * 20, kind="totp"),
]
A, B = WORLDS[0], WORLDS[1]


def seal_file():
    return "Sealing, with every random value given. `coefficients[j]` are those of x^(j+1), one byte a byte of q.", [
        w.seal_case() for w in WORLDS]


def share_file():
    cases, d = [], Draw("share")

    def case(name, world, x, /, key=0, expect="ok", **kw):
        a = world.approvers[x - 1]
        k = a["keys"][key]
        c = {
            "name": name, "expect": expect, "envelope": world.env.text(), "approver": a["approver"],
            "authenticator": k["authenticator"], "x": x, "private_key": k["private_key"], "sealed": k["sealed"],
        }
        if expect == "ok":
            c["share"] = world.env.shares[x - 1].hex()
        c.update(kw)
        cases.append(c)
        return c

    for x in (1, 2, 3):
        case(f"place {x}", A, x)
    case("a second key of one's own", A, 2, 1)
    for x in (4, 5, 7):
        case(f"place {x} of seven", B, x, 1)
    case("place 100", WORLDS[3], 100)

    sealed = bytes.fromhex(A.approvers[0]["keys"][0]["sealed"])
    for at, what in ((0, "enc, first byte"), (30, "enc, late byte"), (32, "ciphertext, first byte"), (63, "ciphertext, last byte"), (64, "tag, first byte"), (79, "tag, last byte")):
        case(f"flipped: {what}", A, 1, expect="not_for_this_key", sealed=flip(sealed, at).hex())
    case("the top bit of enc flipped: X25519 ignores it, the key schedule does not", A, 1, expect="not_for_this_key", sealed=flip(sealed, 31, 0x80).hex())
    case("one byte short", A, 1, expect="not_for_this_key", sealed=sealed[:-1].hex())
    case("one byte long", A, 1, expect="not_for_this_key", sealed=(sealed + b"\0").hex())
    case("enc alone", A, 1, expect="not_for_this_key", sealed=sealed[:32].hex())
    case("thirty-one bytes", A, 1, expect="not_for_this_key", sealed=sealed[:31].hex())
    case("nothing", A, 1, expect="not_for_this_key", sealed="")
    case("enc of small order: all zeros", A, 1, expect="not_for_this_key", sealed=(b"\0" * 32 + sealed[32:]).hex())
    case("enc of small order: one", A, 1, expect="not_for_this_key", sealed=(b"\x01" + b"\0" * 31 + sealed[32:]).hex())
    case("another approver's envelope", A, 1, expect="not_for_this_key", sealed=A.approvers[2]["keys"][0]["sealed"])
    case("another approver's name on it", A, 1, expect="not_for_this_key", approver=A.approvers[1]["approver"])
    case("another authenticator's name on it", A, 1, expect="not_for_this_key", authenticator=A.approvers[1]["keys"][0]["authenticator"])
    case("one's other key", A, 2, expect="not_for_this_key", private_key=A.approvers[1]["keys"][1]["private_key"])
    case("one's other key's envelope", A, 2, expect="not_for_this_key", sealed=A.approvers[1]["keys"][1]["sealed"])
    case("a stranger's key", A, 1, expect="not_for_this_key", private_key=d().hex())
    case("another place on it", A, 1, expect="not_for_this_key", x=2)
    case("place 0", A, 1, expect="no_such_place", x=0)
    case("place n + 1", A, 1, expect="no_such_place", x=4)
    case("place 255", A, 1, expect="no_such_place", x=255)
    for what, head in bent_headers(A.head):
        case(f"context of another header: {what}", A, 1, expect="not_for_this_key", envelope=with_header(A.env.e, head))
    case("the next version of the same credential", A, 1, expect="not_for_this_key",
         envelope=with_header(World("two of three, with a target", 2, 3, b"other", version=2).env.e, {**A.head, "version": 2}))

    a = A.approvers[0]
    k = a["keys"][0]
    to = bytes.fromhex(k["share_key"])

    def sealed_again(**kw):
        return A.share_envelope(a["approver"], k["authenticator"], 1, to, d(), **kw).hex()

    case("sealed again, the same share", A, 1, sealed=sealed_again())
    case("sealed well, but not the committed share", A, 1, expect="wrong_share", sealed=sealed_again(share=d()))
    case("sealed well, one bit of the share flipped", A, 1, expect="wrong_share", sealed=sealed_again(share=flip(A.env.shares[0], 31)))
    case("sealed well, the share of the next place", A, 1, expect="wrong_share", sealed=sealed_again(share=A.env.shares[1]))
    case("sealed well, 31 bytes", A, 1, expect="not_for_this_key", sealed=sealed_again(share=A.env.shares[0][:31]))
    case("sealed well, 33 bytes with the place in front", A, 1, expect="not_for_this_key", sealed=sealed_again(share=b"\x01" + A.env.shares[0]))
    case("sealed under the label of deliveries", A, 1, expect="not_for_this_key", sealed=sealed_again(info=label("release-share") + A.env.ctx))
    case("sealed under the label's next version", A, 1, expect="not_for_this_key", sealed=sealed_again(info=b"vitrine/share-envelope/v2\n" + A.env.ctx))
    case("sealed with an empty info", A, 1, expect="not_for_this_key", sealed=sealed_again(info=b""))
    case("sealed with an empty aad", A, 1, expect="not_for_this_key", sealed=sealed_again(aad=b""))
    case("sealed with the aad's members in another order", A, 1, expect="not_for_this_key", sealed=sealed_again(
        aad=json.dumps({"x": 1, "approver": a["approver"], "authenticator": k["authenticator"]}, separators=(",", ":")).encode()))
    commitments = copy.deepcopy(A.env.e)
    commitments["share_commitments"][0] = flip_hex(commitments["share_commitments"][0])
    case("the envelope's commitment flipped", A, 1, expect="wrong_share", envelope=canon(commitments).decode())
    commitments = copy.deepcopy(A.env.e)
    c = commitments["share_commitments"]
    c[0], c[1] = c[1], c[0]
    case("the envelope's commitments swapped", A, 1, expect="wrong_share", envelope=canon(commitments).decode())
    return "Opening a share envelope with the approver's X25519 private key.", cases


def delivery_file():
    cases, d = [], Draw("delivery")
    private, other = d(), d()
    to = public(private)
    challenge, leaf = d(), d()

    def share(name, world, x, /, expect="ok", aad=None, info=None, share=None, **kw):
        ikm = d()
        content = world.env.shares[x - 1] if share is None else share
        c = {
            "name": name, "what": "share", "expect": expect, "envelope": world.env.text(), "x": x,
            "challenge": challenge.hex(), "private_key": private.hex(), "ephemeral_ikm": ikm.hex(),
            "sealed": hpke_seal(to, label("release-share") + challenge if info is None else info,
                                world.env.ctx + bytes([x]) if aad is None else aad, content, ikm).hex(),
        }
        if expect == "ok":
            c["share"] = content.hex()
        c.update(kw)
        cases.append(c)
        return c

    def half(name, world, expect="ok", aad=None, info=None, h=None, **kw):
        ikm = d()
        content = world.env.h if h is None else h
        c = {
            "name": name, "what": "h", "expect": expect, "envelope": world.env.text(), "leaf": leaf.hex(),
            "private_key": private.hex(), "ephemeral_ikm": ikm.hex(),
            "sealed": hpke_seal(to, label("release-h") + leaf if info is None else info,
                                world.env.ctx if aad is None else aad, content, ikm).hex(),
        }
        if expect == "ok":
            c["h"] = content.hex()
        c.update(kw)
        cases.append(c)
        return c

    for x in (1, 2, 3):
        share(f"place {x}", A, x)
    for x in (2, 4, 5):
        share(f"place {x} of seven", B, x)
    share("place 100", WORLDS[3], 100)
    bad = "not_for_this_key"
    share("wrong delivery key", A, 1, bad, private_key=other.hex())
    share("wrong approval challenge", A, 1, bad, challenge=flip(challenge).hex())
    share("the context in place of the challenge", A, 1, bad, info=label("release-share") + A.env.ctx)
    share("another place", A, 1, bad, x=2)
    share("place 0", A, 1, "no_such_place", x=0)
    share("place n + 1", A, 1, "no_such_place", x=4)
    share("no place in the aad", A, 1, bad, aad=A.env.ctx)
    share("the place in front of the context", A, 1, bad, aad=b"\x01" + A.env.ctx)
    share("the label of h", A, 1, bad, info=label("release-h") + challenge)
    share("the label of share envelopes", A, 1, bad, info=label("share-envelope") + A.env.ctx)
    share("not the committed share", A, 1, "wrong_share", share=d())
    share("the share of another place", A, 1, "wrong_share", share=A.env.shares[1])
    share("the same place's share of another version", A, 1, "wrong_share", share=B.env.shares[0])
    share("thirty-one bytes", A, 1, bad, share=A.env.shares[0][:31])
    share("an empty share", A, 1, bad, share=b"")
    for what, head in bent_headers(A.head):
        share(f"context of another header: {what}", A, 1, bad, envelope=with_header(A.env.e, head))
    c = share("flipped: enc", A, 1, bad)
    c["sealed"] = flip(bytes.fromhex(c["sealed"]), 3).hex()
    c = share("flipped: tag", A, 1, bad)
    c["sealed"] = flip(bytes.fromhex(c["sealed"]), 79).hex()
    share("the approver's own envelope sent on as it is", A, 1, bad, sealed=A.approvers[0]["keys"][0]["sealed"])

    half("h", A)
    half("h of another version", B)
    half("h: wrong delivery key", A, bad, private_key=other.hex())
    half("h: another release's leaf", A, bad, leaf=flip(leaf).hex())
    half("h: label of shares", A, bad, info=label("release-share") + leaf)
    half("h: a place in the aad", A, bad, aad=A.env.ctx + b"\x01")
    half("h: an empty aad", A, bad, aad=b"")
    half("h: thirty-one bytes", A, bad, h=A.env.h[:31])
    for what, head in bent_headers(A.head):
        half(f"h: context of another header: {what}", A, bad, envelope=with_header(A.env.e, head))
    c = half("h: flipped ciphertext", A, bad)
    c["sealed"] = flip(bytes.fromhex(c["sealed"]), 40).hex()
    return "What reaches the requester: shares re-sealed to the delivery key, and h.", cases


def open_file():
    cases, d = [], Draw("open")

    def case(name, world, xs, expect="ok", shares=None, **kw):
        c = {
            "name": name, "expect": expect, "envelope": world.env.text(),
            "shares": [{"x": x, "share": world.env.shares[x - 1].hex()} for x in xs] if shares is None else shares,
            "h": world.env.h.hex(),
        }
        if expect == "ok":
            c["plaintext"] = world.plaintext.hex()
        c.update(kw)
        cases.append(c)
        return c

    case("places 1 and 2", A, (1, 2))
    case("places 1 and 3", A, (1, 3))
    case("places 3 and 2, in that order", A, (3, 2))
    case("one more than needed", A, (1, 2, 3))
    case("places 2, 4 and 5 of seven", B, (2, 4, 5))
    case("places 7, 6 and 1 of seven", B, (7, 6, 1))
    case("all seven", B, range(1, 8))
    case("places 96 to 100", WORLDS[3], range(96, 101))
    case("places 3, 17, 64, 99 and 100", WORLDS[3], (3, 17, 64, 99, 100))
    for w in WORLDS[2:3] + WORLDS[4:]:
        case(f"whole: {w.name}", w, range(1, w.n + 1))

    case("no share", A, (), "too_few_shares")
    case("one of two", A, (2,), "too_few_shares")
    case("two of three", B, (2, 5), "too_few_shares")
    case("four of five", WORLDS[3], (3, 17, 64, 99), "too_few_shares")
    case("one place twice", A, (1, 1), "repeated_share", wrong=1)
    case("one place twice, enough without", B, (2, 4, 5, 4), "repeated_share", wrong=4)
    s = A.env.shares
    case("one share under two places", A, (), "wrong_share", wrong=2, shares=[
        {"x": 1, "share": s[0].hex()}, {"x": 2, "share": s[0].hex()}])
    case("two shares swapped", A, (), "wrong_share", wrong=1, shares=[
        {"x": 1, "share": s[1].hex()}, {"x": 2, "share": s[0].hex()}])
    case("place 0", A, (), "no_such_place", wrong=0, shares=[{"x": 0, "share": A.q.hex()}, {"x": 1, "share": s[0].hex()}])
    case("place n + 1", A, (), "no_such_place", wrong=4, shares=[{"x": 1, "share": s[0].hex()}, {"x": 4, "share": s[1].hex()}])
    case("place 255", A, (), "no_such_place", wrong=255, shares=[{"x": 255, "share": s[0].hex()}, {"x": 1, "share": s[0].hex()}])
    for world, xs in ((A, (1, 2, 3)), (B, (2, 4, 5)), (B, (1, 3, 5, 7)), (WORLDS[3], (3, 17, 64, 99, 100))):
        for x in xs:
            case(f"{world.name}: wrong share of place {x} among {list(xs)}", world, (), "wrong_share", wrong=x, shares=[
                {"x": y, "share": (flip(world.env.shares[y - 1], y % 32, 1 << y % 8) if y == x else world.env.shares[y - 1]).hex()} for y in xs])
    case("a wrong share is named before too few", B, (), "wrong_share", wrong=4, shares=[{"x": 4, "share": d().hex()}])
    case("two wrong shares: the first in the list is named", B, (), "wrong_share", wrong=5, shares=[
        {"x": 2, "share": B.env.shares[1].hex()}, {"x": 5, "share": d().hex()}, {"x": 4, "share": d().hex()}])
    case("shares of another version", A, (), "wrong_share", wrong=2, shares=[
        {"x": x, "share": B.env.shares[x - 1].hex()} for x in (2, 3)])
    case("one share of another version", B, (), "wrong_share", wrong=3, shares=[
        {"x": 2, "share": B.env.shares[1].hex()}, {"x": 3, "share": s[2].hex()}, {"x": 4, "share": B.env.shares[3].hex()}])

    case("wrong h", A, (1, 2), "wrong_key", h=d().hex())
    case("h flipped", A, (1, 2), "wrong_key", h=flip(A.h, 31, 0x80).hex())
    case("h of another version", A, (1, 2), "wrong_key", h=B.h.hex())
    case("q in place of h", A, (1, 2), "wrong_key", h=A.q.hex())
    for what, head in bent_headers(A.head):
        case(f"another header: {what}", A, (1, 2), "wrong_share", wrong=1, envelope=with_header(A.env.e, head))

    def bent(**kw):
        e = copy.deepcopy(A.env.e)
        e.update(kw)
        return canon(e).decode()

    case("key commitment flipped", A, (1, 2), "wrong_key", envelope=bent(key_commitment=flip_hex(A.env.e["key_commitment"], 31)))
    case("key commitment of another version", A, (1, 2), "wrong_key", envelope=bent(key_commitment=B.env.e["key_commitment"]))
    for i in (0, 31, 63, 64, 79):
        case(f"body flipped at byte {i}", A, (1, 2), "wrong_body", envelope=bent(body=b64(flip(A.env.body, i))))
    case("body of another version", A, (1, 2), "wrong_body", envelope=bent(body=B.env.e["body"]))
    case("body twice as long", A, (1, 2), "wrong_body", envelope=bent(body=b64(A.env.body[:64] + A.env.body)))
    case("nonce flipped", A, (1, 2), "wrong_body", envelope=bent(nonce=b64(flip(A.nonce, 11))))
    c = A.env.e["share_commitments"]
    case("commitments swapped", A, (1, 3), "wrong_share", wrong=1, envelope=bent(share_commitments=[c[1], c[0], c[2]]))
    case("a commitment flipped that is not used", A, (1, 3), envelope=bent(share_commitments=[c[0], flip_hex(c[1]), c[2]]))
    case("a commitment flipped that is used", A, (1, 3), "wrong_share", wrong=3, envelope=bent(share_commitments=[c[0], c[1], flip_hex(c[2])]))

    # Sealers that lie, with everything else in order.
    def lying(name, expect, padded=None, shares=None, **kw):
        w = copy.copy(A)
        e = Envelope(A.head, A.q, A.h, A.nonce, A.env.shares if shares is None else shares, pad(A.plaintext) if padded is None else padded)
        for key, value in kw.items():
            e.e[key] = value(e)
        w.env = e
        case(name, w, (1, 2), expect)

    stray = list(A.env.shares)
    stray[1] = d()
    lying("a committed share that is not on the polynomial", "wrong_key", shares=stray)
    lying("body under a key that the commitment does not name", "wrong_body", body=lambda e: b64(AESGCM(d()).encrypt(A.nonce, pad(A.plaintext), e.ctx)))
    lying("body with an empty aad", "wrong_body", body=lambda e: b64(AESGCM(e.k).encrypt(A.nonce, pad(A.plaintext), b"")))
    lying("body with the header as aad", "wrong_body", body=lambda e: b64(AESGCM(e.k).encrypt(A.nonce, pad(A.plaintext), canon(A.head))))
    for name, padded in (
        ("padding: none", b"a" * 64),
        ("padding: zeros alone", b"\0" * 64),
        ("padding: 0x81", b"secret" + b"\x81" + b"\0" * 57),
        ("padding: a byte after the mark", b"secret" + b"\x80" + b"\0" * 56 + b"\x01"),
        ("padding: a whole step too many", b"secret" + b"\x80" + b"\0" * 121),
        ("padding: the mark closes the step before the last", b"a" * 63 + b"\x80" + b"\0" * 64),
        ("padding: PKCS#7", b"a" * 60 + b"\x04" * 4),
    ):
        lying(name, "bad_padding", padded=padded)
    return "From shares and h to the plaintext, at the requester's side. `wrong` is the x that the refusal must name.", cases


def envelope_file():
    cases = []

    def case(name, text, expect="malformed"):
        cases.append({"name": name, "expect": expect, "envelope": text if isinstance(text, str) else canon(text).decode()})

    def bent(name, f, expect="malformed"):
        e = copy.deepcopy(A.env.e)
        r = f(e)
        case(name, e if r is None or not isinstance(r, str) else r, expect)

    for w in WORLDS:
        case(w.name, w.env.e, "ok")
    text = A.env.text()
    for member in list(A.env.e):
        bent(f"{member} missing", lambda e: e.pop(member) and None)
        bent(f"{member} is a number", lambda e: e.update({member: 1}))
        bent(f"{member} is empty text", lambda e: e.update({member: ""}))
        bent(f"{member} is true", lambda e: e.update({member: True}))
    for member in list(A.head):
        bent(f"header: {member} missing", lambda e: e["header"].pop(member) and None)
        bent(f"header: {member} is an array", lambda e: e["header"].update({member: []}))
        bent(f"header: {member} is empty text", lambda e: e["header"].update({member: ""}))
        bent(f"header: {member} is false", lambda e: e["header"].update({member: False}))
    for member in ("kind", "name"):
        bent(f"header: sealed_as {member} missing", lambda e: e["header"]["sealed_as"].pop(member) and None)
        bent(f"header: sealed_as {member} is a number", lambda e: e["header"]["sealed_as"].update({member: 7}))
    bent("a member too many", lambda e: e.update(extra=1))
    bent("header: a member too many", lambda e: e["header"].update(drill=True))
    bent("header: sealed_as has a member too many", lambda e: e["header"]["sealed_as"].update(account="postgres"))
    for member in ("credential", "safe"):
        bent(f"header: {member} in upper case", lambda e: e["header"].update({member: e["header"][member].upper()}))
        bent(f"header: {member} in braces", lambda e: e["header"].update({member: "{" + e["header"][member] + "}"}))
        bent(f"header: {member} without dashes", lambda e: e["header"].update({member: e["header"][member].replace("-", "")}))
    bent("header: target in upper case", lambda e: e["header"]["sealed_as"].update(target=e["header"]["sealed_as"]["target"].upper()))
    bent("header: target is empty text", lambda e: e["header"]["sealed_as"].update(target=""))
    for member in ("ledger", "roster"):
        bent(f"header: {member} one digit short", lambda e: e["header"].update({member: e["header"][member][:-1]}))
        bent(f"header: {member} one digit long", lambda e: e["header"].update({member: e["header"][member] + "0"}))
        bent(f"header: {member} in upper case", lambda e: e["header"].update({member: "AB" * 32}))
    for member in ("epoch", "m", "n", "version"):
        bent(f"header: {member} is 0", lambda e: e["header"].update({member: 0}))
        bent(f"header: {member} is -1", lambda e: e["header"].update({member: -1}))
        bent(f"header: {member} is text", lambda e: e["header"].update({member: "2"}))
    for member in ("epoch", "version"):
        bent(f"header: {member} is 2^53-1", lambda e: e["header"].update({member: 2**53 - 1}), "ok")
        bent(f"header: {member} is 2^53", lambda e: e["header"].update({member: 2**53}))
    bent("header: m above n", lambda e: e["header"].update(m=4))
    bent("header: m equals n", lambda e: e["header"].update(m=3), "ok")
    bent("header: m is 1", lambda e: e["header"].update(m=1), "ok")
    bent("header: n below the commitments", lambda e: e["header"].update(n=2))
    bent("header: n above the commitments", lambda e: e["header"].update(n=4))

    def of(n):
        def f(e):
            e["header"]["n"] = n
            e["share_commitments"] = [A.env.e["share_commitments"][0]] * n
        return f
    bent("header: n is 101", of(101))
    bent("header: n is 256 more than it is", lambda e: e["header"].update(n=259))
    for member in ("suite", "v"):
        for value in (0, 2):
            bent(f"header: {member} is {value}", lambda e: e["header"].update({member: value}))
    for kind in ("Password", "keypair", "certificate", "password "):
        bent(f"header: kind {kind!r}", lambda e: e["header"]["sealed_as"].update(kind=kind))
    for kind in ("password", "key_pair", "token", "totp", "note", "file"):
        bent(f"header: kind {kind}", lambda e: e["header"]["sealed_as"].update(kind=kind), "ok")
    bent("header: name of 200 code points outside the BMP", lambda e: e["header"]["sealed_as"].update(name="\U0001F511" * 200), "ok")
    bent("header: name of 201", lambda e: e["header"]["sealed_as"].update(name="n" * 201))
    bent("header: name not NFC", lambda e: e["header"]["sealed_as"].update(name=unicodedata.normalize("NFD", "Zürich")))
    for point in (0x00, 0x0A, 0x1F, 0x7F, 0x202E, 0x2066, 0xFEFF):
        bent(f"header: name with U+{point:04X}", lambda e: json.dumps({**e, "header": {**e["header"], "sealed_as": {**e["header"]["sealed_as"], "name": "a" + chr(point)}}}, sort_keys=True, separators=(",", ":")))

    for member in ("key_commitment",):
        bent(f"{member} one digit short", lambda e: e.update({member: e[member][:-1]}))
        bent(f"{member} in upper case", lambda e: e.update({member: "AB" * 32}))
        bent(f"{member} in base64url", lambda e: e.update({member: b64(A.env.key_commitment)}))
    bent("nonce of 11 bytes", lambda e: e.update(nonce=b64(bytes(11))))
    bent("nonce of 13 bytes", lambda e: e.update(nonce=b64(bytes(13))))
    bent("nonce in hex", lambda e: e.update(nonce=A.nonce.hex()))
    bent("body: tag alone", lambda e: e.update(body=b64(bytes(16))))
    bent("body: a step less a byte", lambda e: e.update(body=b64(bytes(79))))
    bent("body: a step and a byte", lambda e: e.update(body=b64(bytes(81))))
    bent("body: one step", lambda e: e.update(body=b64(bytes(80))), "ok")
    bent("body with padding", lambda e: e.update(body=b64(bytes(80)) + "="))
    bent("body with a trailing bit", lambda e: e.update(body=b64(bytes(80))[:-1] + "B"))
    bent("body in the standard alphabet", lambda e: e.update(body="+" + b64(bytes(80))[1:]))
    bent("body with a line feed", lambda e: json.dumps({**e, "body": b64(bytes(80)) + "\n"}, sort_keys=True, separators=(",", ":")))
    bent("commitments: one missing", lambda e: e["share_commitments"].pop() and None)
    bent("commitments: one too many", lambda e: e["share_commitments"].append(e["share_commitments"][0]))
    bent("commitments: none", lambda e: e.update(share_commitments=[]))
    bent("commitments: one in upper case", lambda e: e["share_commitments"].__setitem__(2, "AB" * 32))
    bent("commitments: a number", lambda e: e["share_commitments"].__setitem__(0, 5))
    bent("commitments: an array in it", lambda e: e["share_commitments"].__setitem__(0, [e["share_commitments"][0]]))
    bent("header as text", lambda e: e.update(header=canon(e["header"]).decode()))

    case("a space in front", " " + text)
    case("a line feed behind", text + "\n")
    case("a space after a colon", text.replace('"body":', '"body": ', 1))
    case("members in another order", json.dumps({"header": A.env.e["header"], **{k: v for k, v in A.env.e.items() if k != "header"}}, separators=(",", ":")))
    case("header's members in another order", text.replace('"suite":1,"v":1', '"v":1,"suite":1'))
    case("a member twice", text.replace('"nonce":', '"nonce":"' + A.env.e["nonce"] + '","nonce":', 1))
    case("header: a member twice", text.replace('"m":2', '"m":2,"m":2', 1))
    case("m as 2.0", text.replace('"m":2', '"m":2.0', 1))
    case("m as 2e0", text.replace('"m":2', '"m":2e0', 1))
    case("m as 02", text.replace('"m":2', '"m":02', 1))
    case("m as -0", text.replace('"m":2', '"m":-0', 1))
    case("target is null", text.replace('"target":"' + A.head["sealed_as"]["target"] + '"', '"target":null'))
    case("a letter escaped without need", text.replace("prod-db", "\\u0070rod-db"))
    case("a slash escaped", text.replace("prod-db", "prod\\/db"))
    case("a lone surrogate", text.replace("prod-db", "\\ud800"))
    case("a comma too many", text[:-1] + ",}")
    case("cut off", text[:-1])
    case("two envelopes", text + text)
    case("empty", "")
    case("an array", "[" + text + "]")
    case("text", '"' + "a" * 10 + '"')
    return "Envelopes that parse (`ok`) and that must not.", cases


def prf_file():
    cases, d = [], Draw("prf")

    def case(name, prf, credential_id, ledger, user):
        info = label("share-key") + canon({"credential_id": b64(credential_id), "ledger": ledger, "user": user})
        private = expand(extract(b"", prf), info, 32)
        cases.append({
            "name": name, "expect": "ok", "eval_first": sha(b"vitrine/prf/v1\n").hex(), "prf_output": prf.hex(),
            "credential_id": credential_id.hex(), "ledger": ledger, "user": user, "info": info.hex(),
            "private_key": private.hex(), "share_key": public(private).hex(),
        })

    prf, cid, ledger, user = d(), d(48), d().hex(), d.id()
    case("a key", prf, cid, ledger, user)
    case("another credential of the same authenticator", prf, flip(cid, 47), ledger, user)
    case("another ledger", prf, cid, flip_hex(ledger), user)
    case("another user", prf, cid, ledger, flip_id(user))
    case("another PRF output", flip(prf, 31), cid, ledger, user)
    case("a credential id of one byte", prf, b"\0", ledger, user)
    case("a credential id of 1023 bytes", prf, d(1023), ledger, user)
    case("a PRF output of zeros", bytes(32), cid, ledger, user)
    assert len({c["private_key"] for c in cases}) == len(cases)
    return "From the PRF output to the share key: a raw X25519 private key, clamped by its use.", cases


def enrol_box_file():
    cases, d = [], Draw("enrol-box")
    private, content = d(), d()
    ledger, user = d().hex(), d.id()

    def case(name, expect="ok", info=None, aad=b"", content=content, **kw):
        ikm = d()
        c = {
            "name": name, "expect": expect, "private_key": private.hex(), "ledger": ledger, "user": user,
            "ephemeral_ikm": ikm.hex(), "box": hpke_seal(
                public(private), label("enrol-box") + canon({"ledger": ledger, "user": user}) if info is None else info,
                aad, content, ikm).hex(),
        }
        if expect == "ok":
            c["content"] = content.hex()
        c.update(kw)
        cases.append(c)
        return c

    case("thirty-two bytes")
    case("one byte", content=b"\x07")
    bad = "not_for_this_key"
    case("another key", bad, private_key=d().hex())
    case("another ledger", bad, ledger=flip_hex(ledger))
    case("another user", bad, user=flip_id(user))
    case("an aad", bad, aad=b"{}")
    case("the label of share envelopes", bad, info=label("share-envelope") + canon({"ledger": ledger, "user": user}))
    case("an empty info", bad, info=b"")
    for at in (0, 32, 79):
        c = case(f"flipped at byte {at}", bad)
        c["box"] = flip(bytes.fromhex(c["box"]), at).hex()
    case("nothing", bad, box="")
    return "The box that proves a share key at enrolment.", cases


def custody_file():
    cases, d = [], Draw("custody")
    kek, key = d(), d.id()

    def aad_of(key, ctx):
        return label("custody") + key.encode() + ctx

    def case(name, expect="ok", aad=None, h=A.h, **kw):
        iv = d(12)
        c = {
            "name": name, "expect": expect, "header": canon(A.head).decode(), "key": key, "kek": kek.hex(),
            "aad": aad_of(key, A.env.ctx).hex(),
            "wrapped": (iv + AESGCM(kek).encrypt(iv, h, aad_of(key, A.env.ctx) if aad is None else aad)).hex(),
        }
        if expect == "ok":
            c["h"] = h.hex()
        c.update(kw)
        cases.append(c)
        return c

    case("h")
    bad = "not_unwrapped"
    for what, head in bent_headers(A.head):
        case(f"custody of another header: {what}", bad, header=canon(head).decode())
        cases[-1]["aad"] = aad_of(key, h_of("header", canon(head))).hex()
    other = flip_id(key)
    c = case("another key's name", bad, key=other)
    c["aad"] = aad_of(other, A.env.ctx).hex()
    case("another key", bad, kek=d().hex())
    case("wrapped under the key id's 16 bytes", bad, aad=label("custody") + bytes.fromhex(key.replace("-", "")) + A.env.ctx)
    case("wrapped under an empty aad", bad, aad=b"")
    for at in (0, 12, 59):
        c = case(f"flipped at byte {at}", bad)
        c["wrapped"] = flip(bytes.fromhex(c["wrapped"]), at).hex()
    case("thirty-one bytes in it", bad, h=A.h[:31])
    c = case("cut", bad)
    c["wrapped"] = c["wrapped"][:-2]
    return "h as a token wraps it: AES-256-GCM under `kek` (which stands for the key inside the token).", cases


def padding_file():
    cases = []
    for n in (0, 1, 31, 62, 63, 64, 65, 127, 128, 1000):
        b = bytes((i * 7 + 1) % 256 for i in range(n))
        cases.append({"name": f"{n} bytes", "expect": "ok", "plaintext": b.hex(), "padded": pad(b).hex()})
    for b in (b"\x80", b"\0", b"a\x80\0", b"\x80" * 63, b"\x80" * 64, b"\0" * 64):
        cases.append({"name": f"content {b[:3].hex()} x {len(b)}", "expect": "ok", "plaintext": b.hex(), "padded": pad(b).hex()})
    for name, b in (
        ("empty", b""), ("63 bytes", b"\x80" + b"\0" * 62), ("65 bytes", b"a" * 64 + b"\x80"), ("zeros", b"\0" * 64),
        ("no mark", b"a" * 64), ("0x81", b"\x81" + b"\0" * 63), ("0x40", b"\x40" + b"\0" * 63), ("one after the mark", b"\x80" + b"\0" * 62 + b"\x01"),
        ("a step too many", b"a\x80" + b"\0" * 126), ("the mark closes the step before the last", b"a" * 63 + b"\x80" + b"\0" * 64),
        ("zeros in the last step", b"\x80" + b"\0" * 127),
    ):
        cases.append({"name": f"refused: {name}", "expect": "bad_padding", "padded": b.hex()})
    return "Padding to steps of 64 bytes: 0x80, then zeros, at least one byte and no step more than needed.", cases


FILES = {
    "seal": seal_file, "share": share_file, "delivery": delivery_file, "open": open_file, "envelope": envelope_file,
    "prf": prf_file, "enrol-box": enrol_box_file, "custody": custody_file, "padding": padding_file,
}


def main():
    bad = 0
    for name, make in FILES.items():
        about, cases = make()
        names = [c["name"] for c in cases]
        assert len(set(names)) == len(names), [n for n in names if names.count(n) > 1]
        text = json.dumps({"about": about, "cases": cases}, indent=1, ensure_ascii=True, sort_keys=False) + "\n"
        path = HERE / f"secret-{name}.json"
        if path.exists():
            same = path.read_text() == text
            print(path.name, "is as made here" if same else "DIFFERS from what is made here")
            bad += not same
        elif "--check" in sys.argv:
            print(path.name, "is missing")
            bad += 1
        else:
            path.write_text(text)
            print(path.name, len(cases), "cases,", sum(c["expect"] != "ok" for c in cases), "of them rejections")
    sys.exit(1 if bad else 0)


if __name__ == "__main__":
    main()
