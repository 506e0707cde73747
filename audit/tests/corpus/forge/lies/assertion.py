"""FORMATS.md 4, "An assertion is valid at seq t when": one condition broken at a time, mostly on a setting.changed."""

import hashlib
import json

from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature, encode_dss_signature

from ..canonical import b64, encode, labelled, put
from ..cases import add, case
from ..people import BE, BS, ORDER, UP, UV
from ..stories import ADA, BEN, CARLA, CY, EVE, asked, founded, people


def with_high_s(signature):
    r, s = decode_dss_signature(signature)
    return encode_dss_signature(r, max(s, ORDER - s))


def with_low_s(signature):
    r, s = decode_dss_signature(signature)
    return encode_dss_signature(r, min(s, ORDER - s))


def integers(signature):
    """The two DER integers' contents."""
    r_end = 4 + signature[3]
    return signature[4:r_end], signature[r_end + 2:]


def der(r, s, tail=b""):
    body = b"\x02" + bytes([len(r)]) + r + b"\x02" + bytes([len(s)]) + s
    return b"\x30" + bytes([len(body)]) + body + tail


def raw64(signature):
    r, s = decode_dss_signature(signature)
    return r.to_bytes(32, "big") + s.to_bytes(32, "big")


def member(name, value):
    return {"client": put(name, value)}


def gone(name):
    return {"client": lambda client: client.pop(name)}


def client(how):
    """Changes the client data's bytes."""
    return {"client_bytes": how}


def twice(name, value, first=None):
    """A member stands twice, the second time with another value (which most parsers would take)."""
    def again(line):
        return line[:-1] + b',"%s":%s}' % ((first or name).encode(), json.dumps(value).encode())
    return client(again)


def signature(how):
    return {"signature": how}


def nested(open_, inside, close, depth):
    """A member nobody needs, that many times nested."""
    return client(lambda line: line[:-1] + b',"x":' + open_ * depth + inside + close * depth + b"}")


RULE = {
    "object": '"`client_data_json` is one UTF-8 JSON object without duplicate members"',
    "type": '"`type` is `webauthn.get`"',
    "challenge": '"`challenge` is exactly the unpadded base64url of the digest"',
    "origin": '"`origin` is byte-equal to a founded origin"',
    "cross": '"`crossOrigin` absent or false"',
    "top": '"no `topOrigin`"',
    "length": '"`authenticator_data` has at least 37 bytes"',
    "rp": '"begins with SHA-256(rp_id)"',
    "flags": '"UP and UV set, BE and BS clear"',
    "der": '"the ES256 signature (strict DER, high s allowed)"',
    "signed": '"over `authenticator_data || SHA-256(client_data_json)`"',
    "key": '"under the key enrolled for `authenticator`, which is the signer\'s"',
}


def last_char_plus_one(text):
    """Sets a trailing bit that must be zero (43 characters hold 258 bits)."""
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    return text[:-1] + alphabet[alphabet.index(text[-1]) + 1]


def challenge(how):
    def edit(data):
        data["challenge"] = how(data["challenge"])
    return {"client": edit}


TOUCHES = {
    # name: (what is wrong, rule, the touch's lie)
    "client-not-json": ("client data is no JSON", "object", client(lambda line: line[:-1])),
    "client-empty": ("client data is empty", "object", client(lambda _: b"")),
    "client-array": ("client data is an array", "object", client(lambda line: b"[" + line + b"]")),
    "client-two-objects": ("client data is two objects", "object", client(lambda line: line + line)),
    "client-trailing": ("something follows the client data's object", "object", client(lambda line: line + b",")),
    "client-not-utf8": ("client data is Latin-1", "object", client(lambda line: line[:-1] + b',"x":"\xe9"}')),
    "client-overlong": ("client data has an overlong slash", "object", client(lambda line: line[:-1] + b',"x":"\xc0\xaf"}')),
    "client-surrogate": ("client data has a surrogate as UTF-8", "object",
                         client(lambda line: line[:-1] + b',"x":"\xed\xa0\x80"}')),
    "client-lone-surrogate": ("client data has a lone surrogate as an escape, which is no Unicode string", "object",
                              client(lambda line: line[:-1] + b',"x":"\\ud800"}')),
    "client-lone-low-surrogate": ("client data has a lone low surrogate as an escape", "object",
                                  client(lambda line: line[:-1] + b',"x":["\\udfffx"]}')),
    "client-surrogates-reversed": ("client data has a pair of surrogates in the wrong order", "object",
                                   client(lambda line: line[:-1] + b',"x":"\\ude00\\ud83d"}')),
    "client-surrogate-in-name": ("client data has a lone surrogate in a member's name", "object",
                                 client(lambda line: line[:-1] + b',"\\ud83dx":1}')),
    "client-surrogate-half-escaped": ("client data has a high surrogate as an escape, and a letter behind it", "object",
                                      client(lambda line: line[:-1] + b',"x":{"y":"\\ud83d\\u0041"}}')),
    "type-twice": ("`type` stands twice", "object", twice("type", "webauthn.get")),
    "origin-twice": ("`origin` stands twice, a foreign one first", "object",
                     client(lambda line: b'{"origin":"https://evil.example",' + line[1:])),
    "challenge-twice": ("`challenge` stands twice, another one last", "object", twice("challenge", "AAAA")),
    "type-twice-escaped": ("`type` stands twice, once written with an escape", "object",
                           twice("type", "webauthn.get", "\\u0074ype")),
    "extra-member-twice": ("a member nobody needs stands twice", "object",
                           client(lambda line: line[:-1] + b',"x":1,"x":1}')),
    "member-twice-33-deep": ("a member nobody needs stands twice, 33 objects and arrays deep", "object",
                             nested(b'[{"a":', b'[{"a":1,"a":1}]', b"}]", 15)),
    "member-twice-5000-deep": ("a member nobody needs stands twice, 5000 objects and arrays deep", "object",
                               nested(b'[{"a":', b'{"a":1,"a":1}', b"}]", 2499)),
    "member-twice-around-deep": ("a member stands twice, with 5000 containers in the first of it", "object", client(
        lambda line: line[:-1] + b',"x":{"a":' + b"[" * 4998 + b"]" * 4998 + b',"a":1}}')),
    "deep-unclosed": ("5000 containers, one of which is not closed", "object", nested(b"[", b"[", b"]", 4998)),
    "deep-crossed": ("5000 containers, the innermost closed as another", "object", nested(b"[", b"[}", b"]", 4998)),
    "type-create": ("it is a registration's", "type", member("type", "webauthn.create")),
    "type-payment": ("it is a payment's", "type", member("type", "payment.get")),
    "type-case": ("`type` in capitals", "type", member("type", "WEBAUTHN.GET")),
    "type-missing": ("no `type`", "type", gone("type")),
    "type-space": ("`type` with a space", "type", member("type", "webauthn.get ")),
    "type-wrong": ("`type` is a number", "type", member("type", 1)),
    "challenge-padded": ("the challenge is padded", "challenge", challenge(lambda c: c + "=")),
    "challenge-trailing-bits": ("the challenge's last character has a bit too many", "challenge",
                                challenge(last_char_plus_one)),
    "challenge-cut": ("the challenge is cut by one character", "challenge", challenge(lambda c: c[:-1])),
    "challenge-longer": ("the challenge goes on", "challenge", challenge(lambda c: c + "A")),
    "challenge-missing": ("no challenge", "challenge", gone("challenge")),
    "challenge-empty": ("the challenge is empty", "challenge", member("challenge", "")),
    "challenge-space": ("the challenge begins with a space", "challenge", challenge(lambda c: " " + c)),
    "challenge-standard-alphabet": ("the challenge is written in standard base64", "challenge",
                                    challenge(lambda c: c.replace("-", "+").replace("_", "/"))),
    "origin-foreign": ("a foreign origin", "origin", member("origin", "https://vitrine.example.evil.example")),
    "origin-http": ("http", "origin", member("origin", "http://vitrine.example")),
    "origin-slash": ("a slash at the origin's end", "origin", member("origin", "https://vitrine.example/")),
    "origin-case": ("the origin in capitals", "origin", member("origin", "https://Vitrine.example")),
    "origin-port": ("the default port written out", "origin", member("origin", "https://vitrine.example:443")),
    "origin-subdomain": ("a subdomain of the rp id, not founded", "origin", member("origin", "https://a.vitrine.example")),
    "origin-prefix": ("only the beginning of a founded origin", "origin", member("origin", "https://break.vitrine.example")),
    "origin-missing": ("no origin", "origin", gone("origin")),
    "origin-list": ("a list of origins", "origin", member("origin", ["https://vitrine.example"])),
    "cross-origin": ("`crossOrigin` true", "cross", member("crossOrigin", True)),
    "cross-origin-string": ("`crossOrigin` a string", "cross", member("crossOrigin", "false")),
    "cross-origin-null": ("`crossOrigin` null", "cross", member("crossOrigin", None)),
    "cross-origin-zero": ("`crossOrigin` 0", "cross", member("crossOrigin", 0)),
    "top-origin": ("`topOrigin` of a framing page", "top", member("topOrigin", "https://evil.example")),
    "top-origin-own": ("`topOrigin` equal to the origin", "top", member("topOrigin", "https://vitrine.example")),
    "top-origin-null": ("`topOrigin` null is a `topOrigin`", "top", member("topOrigin", None)),
    "data-36": ("36 bytes", "length", {"authenticator_data": lambda data: data[:36]}),
    "data-empty": ("no bytes", "length", {"authenticator_data": lambda _: b""}),
    "rp-id-other": ("another rp id", "rp", {"rp_id": "evil.example"}),
    "rp-id-origin": ("the origin's hash in place of the rp id's", "rp", {"rp_id": "https://vitrine.example"}),
    "rp-id-last-byte": ("the last byte of the rp id's hash differs", "rp",
                        {"authenticator_data": lambda data: data[:31] + bytes([data[31] ^ 1]) + data[32:]}),
    "up-clear": ("nobody touched", "flags", {"flags": UV}),
    "uv-clear": ("nobody was verified", "flags", {"flags": UP}),
    "up-uv-clear": ("no flag at all", "flags", {"flags": 0}),
    "be-set": ("the key may be copied", "flags", {"flags": UP | UV | BE}),
    "be-bs-set": ("the key was copied", "flags", {"flags": UP | UV | BE | BS}),
    "bs-set": ("backed up, though not eligible", "flags", {"flags": UP | UV | BS}),
    "der-trailing": ("a byte follows the DER", "der", signature(lambda sig: sig + b"\0")),
    "der-trailing-inside": ("a byte follows inside the sequence", "der",
                            signature(lambda sig: b"\x30" + bytes([sig[1] + 1]) + sig[2:] + b"\0")),
    "der-long-length": ("the sequence's length in long form", "der",
                        signature(lambda sig: b"\x30\x81" + sig[1:])),
    "der-long-integer-length": ("an integer's length in long form", "der", signature(
        lambda sig: b"\x30" + bytes([sig[1] + 1]) + b"\x02\x81" + sig[3:])),
    "der-indefinite": ("indefinite length", "der", signature(lambda sig: b"\x30\x80" + sig[2:] + b"\0\0")),
    "der-padded-r": ("a zero too many before r", "der", signature(
        lambda sig: der(b"\0" + integers(sig)[0], integers(sig)[1]))),
    "der-padded-s": ("a zero too many before s", "der", signature(
        lambda sig: der(integers(sig)[0], b"\0" + integers(sig)[1]))),
    "der-set": ("a set in place of the sequence", "der", signature(lambda sig: b"\x31" + sig[1:])),
    "der-third-integer": ("a third integer", "der", signature(
        lambda sig: b"\x30" + bytes([sig[1] + 3]) + sig[2:] + b"\x02\x01\x01")),
    "der-raw": ("r and s raw, 64 bytes", "der", signature(raw64)),
    "der-empty": ("no signature", "der", signature(lambda _: b"")),
    "der-cut": ("the last byte is missing", "der", signature(lambda sig: sig[:-1])),
    "r-zero": ("r is 0", "der", signature(lambda sig: der(b"\0", integers(sig)[1]))),
    "s-zero": ("s is 0", "der", signature(lambda sig: der(integers(sig)[0], b"\0"))),
    "r-s-zero": ("r and s are 0", "der", signature(lambda _: der(b"\0", b"\0"))),
    "r-s-one": ("r and s are 1", "der", signature(lambda _: der(b"\1", b"\1"))),
    "r-is-order": ("r is the group's order", "der",
                   signature(lambda sig: encode_dss_signature(ORDER, decode_dss_signature(sig)[1]))),
    "s-beyond-order": ("s plus the group's order", "der", signature(
        lambda sig: encode_dss_signature(decode_dss_signature(sig)[0], decode_dss_signature(sig)[1] + ORDER))),
    "r-s-swapped": ("r and s change places", "der", signature(
        lambda sig: encode_dss_signature(*reversed(decode_dss_signature(sig))))),
    "signed-without-client": ("the signature covers the authenticator data alone", "signed",
                              {"message": lambda message: message[:-32]}),
    "signed-client-raw": ("the signature covers the client data's hash alone", "signed",
                          {"message": lambda message: message[-32:]}),
    "signed-other-order": ("hash first, data second", "signed", {"message": lambda message: message[-32:] + message[:-32]}),
    "key-of-another-person": ("Ada's key, in Carla's name", "key", {"key": ADA.key()}),
    "key-never-enrolled": ("a key that was never enrolled", "key", {"key": CARLA.key(9)}),
}


def _touched(lie):
    def build():
        vault = founded()
        while True:  # the first value whose statement gives a challenge that every row above can spoil
            trial = vault.copy()
            trial.next(touch=lie).setting(CARLA, value=str(600 + vault.fresh("value")))
            if _spoilable(trial):
                return trial.false()
    return build


def _spoilable(vault):
    text = b64(labelled("statement", encode(vault.statement)))
    return "-" in text and "_" in text


for _name, (_what, _rule, _lie) in TOUCHES.items():
    add(f"assertion-{_name}", f"An assertion is invalid: {_what}. {RULE[_rule]}", _touched(_lie))


@case
def over_another_statement():
    """The touch was for another value. "Every challenge ... is `H("statement", canonical bytes)`" """
    vault = founded()
    vault.next(touch={"over": b"{}"}).setting(CARLA)
    return vault.false()


@case
def replayed():
    """The assertion of an earlier, equal setting under a new nonce. "`challenge` is exactly ... of the digest" """
    vault = founded()
    vault.setting(CARLA)
    old = json.loads(vault.entries[-1])["data"]["assertion"]
    vault.next(data=put("assertion", old)).setting(CARLA)
    return vault.false()


@case
def bare_digest():
    """The challenge is the statement's SHA-256 without label. "`vitrine/<thing>/v1` and LF" """
    vault = founded()

    def plain(client_data):
        client_data["challenge"] = b64(hashlib.sha256(encode(vault.statement)).digest())
    vault.next(touch={"client": plain}).setting(CARLA)
    return vault.false()


@case
def authenticator_unknown():
    """`authenticator` names no enrolled key. "the key enrolled for `authenticator`" """
    vault = founded()
    vault.next(authenticator=CARLA.key(7).id).setting(CARLA)
    return vault.false()


@case
def authenticator_is_another_of_hers():
    """Key 1 was touched, key 2 is named. "verifies under the key enrolled for `authenticator`" """
    vault = founded()
    vault.enrol(CARLA, 2)
    vault.next(authenticator=CARLA.key(2).id).setting(CARLA)
    return vault.false()


@case
def other_person_signs():
    """Ada touches her own key and names it, for a statement in Carla's name. "which is the signer's" """
    vault = people()
    vault.next(authenticator=ADA.key().id, touch={"key": ADA.key()}).setting(CARLA)
    return vault.false()


@case
def custodian_keys_are_not_shared():
    """Two custodians: one signs in the other's name. "which is the signer's" """
    vault = founded()
    eva = EVE.twin("eva", roles=["custodian"], name="Eva")
    vault.join(eva, CARLA)
    vault.next(authenticator=eva.key().id, touch={"key": eva.key()}).setting(CARLA)
    return vault.false()


@case
def signer_is_nobody():
    """`signer` and `actor` are a user nobody invited; Carla touched. "which is the signer's" """
    vault = people()
    vault.next(statement=put("signer", EVE.user), actor=EVE.user).setting(CARLA)
    return vault.false()


@case
def revoked_before():
    """Signed with a revoked key. "not revoked before t" """
    vault = people()
    vault.enrol(CARLA, 2)
    vault.revoke(CARLA, CARLA, n=2)
    vault.setting(CARLA, key=CARLA.key(2))
    return vault.false()


@case
def suspended_at_t():
    """Signed with a suspended key. "not suspended at t" """
    vault = people()
    vault.enrol(CARLA, 2)
    vault.suspend(CARLA, CARLA, n=2)
    vault.setting(CARLA, key=CARLA.key(2))
    return vault.false()


@case
def suspended_by_a_counter():
    """Signed with a distrusted key. "suspends an enrolled, live key until `unsuspend`" """
    vault = people()
    vault.enrol(CARLA, 2)
    vault.distrust(CARLA, 2)
    vault.setting(CARLA, key=CARLA.key(2))
    return vault.false()


@case
def suspended_again():
    """Suspended, restored, suspended: the last one counts. "not suspended at t" """
    vault = people()
    vault.suspend(BEN, CARLA)
    vault.unsuspend(BEN, CARLA)
    vault.suspend(BEN, CARLA)
    vault.wait(60).revoke(BEN, BEN)
    return vault.false()


@case
def restored_then_revoked():
    """Restored and then revoked. "not revoked before t" """
    vault = asked()
    vault.suspend(CY, CARLA)
    vault.unsuspend(CY, CARLA)
    vault.revoke(CY, CARLA)
    vault.approve(vault.filed, CY)
    return vault.false()


@case
def not_yet_enrolled():
    """Signed one entry before the key is enrolled. "enrolled before t" """
    vault = people()
    vault.setting(CARLA, key=CARLA.key(2))
    vault.false()
    vault.enrol(CARLA, 2)
    return vault


@case
def counter_back_and_forged():
    """A counter that went back is a warning only; the signature behind it is what makes this false."""
    vault = asked()
    vault.next(touch={"counter": 0, "signature": lambda sig: sig[:-1] + bytes([sig[-1] ^ 1])}).approve(vault.filed, ADA)
    return vault.false()
