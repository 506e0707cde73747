"""The verifier's own tests: `python3 -m unittest` here. The corpus asks far more."""

import base64
import hashlib
import json
import subprocess
import sys
import tempfile
import unittest
import uuid
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

import canonical
import client
import ledger  # noqa: F401  (registers the rules)
import shapes
import touch
from canonical import H, Lie, base64url, encode, parse
from state import DAY, HOUR, RULES, SECOND, ZEROS
from tree import Checkpoint, Tree, leaf_hash
from verify import verify

START = 1_767_225_600_000_000
NAME = "ledger.example"
RP_ID = "vitrine.example"
ORIGIN = "https://vitrine.example"


def ident(word: str) -> str:
    return str(uuid.UUID(bytes=hashlib.sha256(word.encode()).digest()[:16]))


def random32(word: str) -> str:
    return base64url(hashlib.sha256(word.encode()).digest())


class Signer:
    """A key of the HSM, as a C2SP verifier key and as who signs checkpoints."""

    def __init__(self, seed: int):
        self.private = Ed25519PrivateKey.from_private_bytes(bytes([seed]) * 32)
        raw = b"\x01" + self.private.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
        self.key_id = hashlib.sha256(NAME.encode() + b"\n" + raw).digest()[:4]
        self.verifier_key = f"{NAME}+{self.key_id.hex()}+{base64.b64encode(raw).decode()}"

    def note(self, size: int, root: bytes, origin: str = NAME) -> str:
        text = f"{origin}\n{size}\n{base64.b64encode(root).decode()}\n"
        signature = base64.b64encode(self.key_id + self.private.sign(text.encode())).decode()
        return f"{text}\n\u2014 {NAME} {signature}\n"


class Forge:
    """Writes ledgers, true ones unless told otherwise."""

    def __init__(self):
        self.lines: list[bytes] = []
        self.time = START
        self.signer = Signer(1)
        self.keys: dict[str, ec.EllipticCurvePrivateKey] = {}
        self.counters: dict[str, int] = {}
        self.add("ledger.founded", {
            "checkpoint_keys": [self.signer.verifier_key], "name": NAME, "origins": [ORIGIN], "rp_id": RP_ID,
        })  # fmt: skip

    @property
    def founded(self) -> str:
        return leaf_hash(self.lines[0]).hex()

    @property
    def last(self) -> str:
        return leaf_hash(self.lines[-1]).hex() if self.lines else ZEROS

    def add(self, event: str, data: dict, actor: str = "system", after: int = SECOND, **other) -> int:
        self.time += after
        entry = {"actor": actor, "data": data, "event": event, "prev": self.last}
        entry |= {"seq": len(self.lines), "time": self.time, "v": 1} | other
        self.lines.append(encode(entry).encode())
        return len(self.lines) - 1

    def state(self, kind: str, **members) -> dict:
        nonce = random32(f"nonce {len(self.lines)}")
        return {"kind": kind, "ledger": self.founded, "nonce": nonce, "v": 1} | members

    def touch(self, key: str, text: str, **other) -> dict:
        client = {"type": "webauthn.get", "challenge": base64url(H("statement", text.encode())), "origin": ORIGIN}
        client_data = json.dumps(client | other).encode()
        self.counters[key] = self.counters.get(key, 0) + 1
        data = hashlib.sha256(RP_ID.encode()).digest() + b"\x05" + self.counters[key].to_bytes(4, "big")
        signature = self.keys[key].sign(data + hashlib.sha256(client_data).digest(), ec.ECDSA(SHA256()))
        parts = {"authenticator_data": data, "client_data_json": client_data, "signature": signature}
        return {name: base64url(raw) for name, raw in parts.items()}

    def sign(self, event: str, person: str, statement: dict, data=None, after=SECOND, **client) -> int:
        statement = {"signer": ident(person)} | statement
        text, key = encode(statement), f"{person}'s key"
        signed = {"assertion": self.touch(key, text, **client), "authenticator": ident(key), "statement": text}
        return self.add(event, signed | (data or {}), statement["signer"], after)

    def invite(self, person: str, *roles: str) -> int:
        members = {
            "expires": self.time + DAY, "invitation": H("invitation", person.encode()).hex(),
            "name": person, "roles": list(roles), "user": ident(person),
        }  # fmt: skip
        if len(self.lines) == 1:
            return self.add("person.invited", self.state("invite", **members))
        return self.sign("person.invited", "carla", self.state("invite", **members))

    def enrol(self, person: str) -> int:
        key = f"{person}'s key"
        scalar = int.from_bytes(hashlib.sha256(key.encode()).digest(), "big") % touch.ORDER
        self.keys[key] = ec.derive_private_key(scalar, ec.SECP256R1())
        point = self.keys[key].public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
        registration = {"attestation_object": "AA", "client_data_json": "AA"}
        statement = self.state(
            "enrol", aaguid="A" * 22, authenticator=ident(key), credential_id=random32(key),
            invitation=H("invitation", person.encode()).hex(), name=person, public_key=base64url(point),
            registration_sha256=H("registration", encode(registration).encode()).hex(),
            share_key=random32(f"share {person}"), user=ident(person),
        )  # fmt: skip
        return self.sign("authenticator.enrolled", person, statement, {"registration": registration})

    def people(self):
        self.invite("carla", "custodian")
        self.enrol("carla")
        for person, role in (("ada", "approver"), ("ben", "approver"), ("rita", "requester")):
            self.invite(person, role)
            self.enrol(person)

    def request(self, person: str, purpose: str, **members) -> dict:
        filed = self.state(
            "request", expires=self.time + HOUR, purpose=purpose, reason_commitment="0" * 64,
            request=ident(f"request {len(self.lines)}"), requester_name=person, safe=ident("safe"), **members,
        )  # fmt: skip
        self.sign("request.filed", person, filed)
        return filed | {"signer": ident(person)}

    def decide(self, person: str, request: dict, decision: str = "approve", **other) -> int:
        entry = leaf_hash(self.filing(request)).hex()
        members = {"decision": decision, "entry": entry, "subject": request} | other
        event = "request.approved" if decision == "approve" else "request.denied"
        return self.sign(event, person, self.state("approval", **members))

    def roster(self, **other) -> str:
        approvers = [
            {"authenticators": [ident(f"{person}'s key")], "name": person, "user": ident(person)}
            for person in ("ada", "ben")
        ]
        new = {
            "approvers": approvers, "denials": 1, "drill": False, "epoch": 1, "grant_life_s": 3600,
            "m": 2, "name": "safe", "request_life_s": 7200,
        }  # fmt: skip
        request = self.request("carla", "roster", new=new | other, roster=ZEROS)
        accepted = []
        for person in ("ada", "ben"):
            statement = self.state(
                "acceptance", authenticator=ident(f"{person}'s key"), entry=leaf_hash(self.filing(request)).hex(),
                subject=request,
            )  # fmt: skip
            accepted.append(self.sign("request.accepted", person, statement))
        data = {"acceptances": accepted, "approvals": [], "new": new | other}
        self.add("roster.set", data | {"request": request["request"], "safe": ident("safe")})
        return self.last

    def filing(self, request: dict) -> bytes:
        return next(line for line in self.lines if request["request"].encode() in line)

    def sealed(self) -> dict:
        self.people()
        version = {"credential": ident("credential"), "envelope": "e" * 64, "epoch": 1, "version": 1}
        version["roster"] = self.roster()
        keys = [ident("ada's key"), ident("ben's key")]
        rest = {"authenticators": keys, "key_commitment": "c" * 64, "origin": "generated", "safe": ident("safe")}
        self.add("version.sealed", version | rest)
        return version

    def release(self) -> dict:
        return self.request(
            "rita", "release", delivery_key=random32("delivery"), duration_s=60, open_within_s=60,
            sealed_as={"kind": "password", "name": "root"}, **self.sealed(),
        )  # fmt: skip

    def open(self, request: dict, approvals: list, **other) -> int:
        members = ("credential", "envelope", "epoch", "request", "roster", "safe", "version")
        data = {name: request[name] for name in members}
        return self.add("release.opened", data | {"approvals": approvals, "requester": ident("rita")}, **other)

    def tree(self, size: int | None = None) -> Tree:
        tree = Tree()
        for line in self.lines[:size]:
            tree.append(leaf_hash(line))
        return tree

    def note(self, size: int | None = None, signer: Signer | None = None) -> str:
        tree = self.tree(size)
        return (signer or self.signer).note(tree.size, tree.root())


class Case(unittest.TestCase):
    def setUp(self):
        self.forge = Forge()
        temporary = tempfile.TemporaryDirectory()
        self.addCleanup(temporary.cleanup)
        self.directory = Path(temporary.name)

    def write(self, earlier=(), last: str | None = None) -> Path:
        export = self.directory / "export"
        export.mkdir(exist_ok=True)
        (export / "entries.jsonl").write_bytes(b"".join(line + b"\n" for line in self.forge.lines))
        (export / "checkpoint").write_text(last or self.forge.note())
        (export / "checkpoints.jsonl").write_text("".join(encode({"note": note}) + "\n" for note in earlier))
        return export

    def judge(self, seen=(), founded: str | None = "", **written):
        export = self.write(**written)
        return verify(export, self.forge.founded if founded == "" else founded, seen)

    def is_valid(self, **written):
        verdict = self.judge(**written)
        self.assertEqual((verdict.exit, verdict.lie), (0, ""))
        return verdict

    def is_false(self, seq: int | None, rule: str, **written):
        verdict = self.judge(**written)
        self.assertEqual((verdict.exit, verdict.seq), (1, seq), verdict.lie)
        self.assertIn(rule, verdict.lie)

    def is_unknown(self, seq: int | None, rule: str, **written):
        verdict = self.judge(**written)
        self.assertEqual((verdict.exit, verdict.seq), (2, seq), verdict.lie)
        self.assertIn(rule, verdict.lie)


class CanonicalJson(unittest.TestCase):
    def test_reads_what_it_writes(self):
        nested = {"a": [{"b_1": 'q"\\'}], "b": "\u00e9\u2028\U0001f512"}
        for value in ({}, [], "", 0, -1, 2**53 - 1, True, False, nested):
            self.assertEqual(parse(encode(value).encode()), value)

    def test_refuses(self):
        for text in (
            "", " 1", "1 ", "null", "1.0", "1e2", "-0", "01", "+1", "9007199254740992", "-9007199254740992",
            '{"b":1,"a":1}', '{"a":1,"a":1}', '{"a": 1}', '{"A":1}', '{"1":1}', '{"":1}', '{"a":1,}', "[1,]", "[1",
            r'"\u0061"', r'"\/"', r'"\n"', '"\n"', '"\x7f"', '"\u202e"', '"\u2066"', '"\ufeff"', '"e\u0301"', '"',
            "[" * 9 + "]" * 9, "[" * 30000, "\ufeff1", "'a'", "tru", "truefalse",
        ):  # fmt: skip
            with self.subTest(text[:40]), self.assertRaises(Lie):
                parse(text.encode())
        for raw in (b'"\xed\xa0\x80"', b'"\xff"', b'"\xc0\xaf"'):
            with self.subTest(raw), self.assertRaises(Lie):
                parse(raw)

    def test_eight_containers_are_allowed(self):
        parse(b"[" * 8 + b"]" * 8)

    def test_lf_stands_in_one_member_alone(self):
        self.assertEqual(parse(rb'{"note":"a\nb\\n"}', lf_in="note"), {"note": "a\nb\\n"})
        for text in (rb'{"other":"a\nb"}', rb'{"note":{"x":"a\nb"}}', rb'{"note":["a\nb"]}', b'{"note":"a\nb"}'):
            with self.subTest(text), self.assertRaises(Lie):
                parse(text, lf_in="note")

    def test_base64url(self):
        self.assertEqual(canonical.unbase64url("_-8"), b"\xff\xef")
        for text in ("A", "AA=", "AB", "A A", "AA\n", "+/8"):
            self.assertIsNone(canonical.unbase64url(text), text)


class Types(unittest.TestCase):
    def test_pins(self):
        pin = shapes.type_of("pin").test
        digest = base64.b64encode(hashlib.sha256(b"key").digest()).decode().rstrip("=")
        for good in ("unix", "sha256:" + "a" * 64, "ssh:SHA256:" + digest):
            self.assertTrue(pin(good), good)
        for bad in ("", "Unix", "sha256:" + "A" * 64, "sha256:" + "a" * 63, "ssh:SHA256:" + "B" * 43, "a" * 64, 1):
            self.assertFalse(pin(bad), bad)

    def test_every_event_has_its_rule_or_is_only_a_shape(self):
        self.assertEqual(
            set(shapes.EVENTS) - set(RULES), {"clock.ticked", "kek.rolled", "software.started", "drill.finished"}
        )
        self.assertEqual(set(RULES) - set(shapes.EVENTS), set())

    def test_a_number_is_no_boolean_and_a_boolean_no_number(self):
        for name, value in (("drill", 1), ("version", True), ("seq", True), ("needed", False), ("time", True)):
            with self.subTest(name), self.assertRaises(Lie):
                shapes.type_of(name).check(value, name)

    def test_published_verifier_key(self):
        key = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW"
        name, key_id, _ = shapes.verifier_key(key)
        self.assertEqual((name, key_id.hex()), ("PeterNeumann", "c74f20a3"))
        self.assertIsNone(shapes.verifier_key(key.replace("c74f20a3", "c74f20a4")))
        self.assertIsNone(shapes.verifier_key(key.replace("Peter", "Paul")))


class StrictDer(unittest.TestCase):
    def test_forms(self):
        touch.strict_der(bytes.fromhex("3006020101020101"))
        touch.strict_der(bytes.fromhex("300702020080020101"))
        for signature in (
            "", "30", "3006020101020100", "3006020101020181", "300702020001020101", "3006020101020101ff",
            "308106020101020101", "3080020101020101", "3106020101020101", "300602010102020101", "30060201010101ff",
            "3009020101020101020101", "30050201010200", "300602010102010100",
        ):  # fmt: skip
            with self.subTest(signature), self.assertRaises(Lie):
                touch.strict_der(bytes.fromhex(signature))


class Trees(unittest.TestCase):
    def root(self, leaves: list) -> bytes:
        """RFC 6962, 2.1, word for word."""
        if len(leaves) < 2:
            return leaves[0] if leaves else hashlib.sha256(b"").digest()
        k = 1 << (len(leaves) - 1).bit_length() - 1
        return hashlib.sha256(b"\x01" + self.root(leaves[:k]) + self.root(leaves[k:])).digest()

    def test_roots_at_every_size(self):
        leaves = [leaf_hash(bytes([n])) for n in range(70)]
        tree = Tree(range(71))
        for leaf in leaves:
            tree.append(leaf)
        for size in range(71):
            self.assertEqual(tree.roots[size], self.root(leaves[:size]), size)

    def test_published_note(self):
        text = "If you think cryptography is the answer to your problem,\nthen you don't know what your problem is.\n"
        key = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW"
        signature = base64.b64decode(
            "x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM="
        )
        signatures = [("PeterNeumann", signature[:4], signature[4:])]
        Checkpoint(text.encode(), "", 0, b"", signatures).check_signatures([key])
        with self.assertRaises(Lie):
            Checkpoint(text.upper().encode(), "", 0, b"", signatures).check_signatures([key])

    def test_refuses_notes(self):
        good = Signer(1).note(1, bytes(32))
        Checkpoint.read(good.encode())
        for bad in (
            "", good[:-1], good.replace("\n\n", "\n"), good.replace("\n\n", "\nmore\n\n"),
            good.replace("\n1\n", "\n01\n"), good.replace("\n1\n", "\n-1\n"), good.replace("\n1\n", "\n1 \n"), good.replace("\u2014", "-"), good + "\n",
            good.replace("A=\n", "B=\n"), good.replace("\n", "\r\n"), good + "more\n", "\n" + good,
        ):  # fmt: skip
            with self.subTest(bad), self.assertRaises(Lie):
                Checkpoint.read(bad.encode())


class Exports(Case):
    def test_valid(self):
        self.forge.people()
        verdict = self.is_valid(earlier=[self.forge.note(1), self.forge.note(5)])
        self.assertEqual((verdict.size, verdict.root), (len(self.forge.lines), self.forge.tree().root().hex()))

    def test_self_consistent_only(self):
        self.assertEqual(self.judge(founded=None).exit, 3)

    def test_another_ledger(self):
        self.assertEqual(self.judge(founded="0" * 64).exit, 1)

    def test_files(self):
        (self.write() / "more").touch()
        self.is_false(None, "export: missing or extra files")
        (self.directory / "export" / "more").unlink()
        (self.write() / "checkpoints.jsonl").unlink()
        self.assertEqual(verify(self.directory / "export").exit, 1)
        self.assertEqual(verify(self.directory / "nowhere").exit, 2)

    def test_last_lf(self):
        export = self.write()
        (export / "entries.jsonl").write_bytes(self.forge.lines[0])
        self.assertIn("no LF", verify(export).lie)

    def test_checkpoint_covers_all(self):
        self.forge.people()
        self.is_false(None, "covers 3 of", last=self.forge.note(3))

    def test_sizes_grow(self):
        self.forge.people()
        self.is_false(None, "sizes", earlier=[self.forge.note(3), self.forge.note(2)])
        self.is_false(None, "sizes", earlier=[self.forge.note()])

    def test_signature_by_a_key_in_force(self):
        self.is_false(None, "no signature by a key in force", last=self.forge.note(signer=Signer(2)))

    def test_checkpoint_keys_change(self):
        old, new = self.forge.signer, Signer(2)
        self.forge.people()
        at = self.forge.add("checkpoint_keys.changed", {"checkpoint_keys": [new.verifier_key]}) + 1
        self.forge.add("clock.ticked", {}, after=12 * HOUR)
        self.forge.signer = new
        self.is_valid(earlier=[self.forge.note(at, old)])
        self.is_false(None, "no checkpoint of size")
        self.is_false(None, "no signature by a key in force", earlier=[self.forge.note(at, new)])

    def test_seen(self):
        self.forge.people()
        seen = self.directory / "seen"
        for note, lie in (
            (self.forge.note(4), ""),
            (self.forge.note(4, Signer(3)), ""),  # its signature is not asked about
            (self.forge.signer.note(4, bytes(32)), "--seen: checkpoint: its root"),
            (self.forge.signer.note(99, bytes(32)), "--seen: checkpoint: its size"),
            (self.forge.note(4).replace(NAME, "another"), "--seen: its origin"),
        ):
            seen.write_text(note)
            verdict = self.judge(seen=[seen])
            self.assertEqual((verdict.exit, bool(lie)), (1 if lie else 0, lie in verdict.lie and bool(lie)))
        seen.write_text("nothing")
        self.assertEqual(self.judge(seen=[seen]).exit, 2)
        self.assertEqual(self.judge(seen=[self.directory / "nowhere"]).exit, 2)

    def test_unknown_then_wrong_root(self):
        self.forge.add("person.promoted", {})
        self.is_unknown(1, "unknown event")
        self.is_false(None, "root", last=self.forge.signer.note(2, bytes(32)))

    def test_program(self):
        self.forge.people()
        command = [sys.executable, str(Path(__file__).with_name("verify.py")), str(self.write())]
        for founded, code in ((None, 3), (self.forge.founded, 0), ("0" * 64, 1), ("x", 2)):
            more = ["--founded", founded] if founded else []
            done = subprocess.run([*command, *more, "--json"], capture_output=True, text=True)
            self.assertEqual(done.returncode, code, done.stderr)
        found = json.loads(subprocess.run([*command, "--json"], capture_output=True).stdout)
        self.assertEqual(set(found), {"exit", "seq", "lie", "size", "root", "warnings"})
        self.assertEqual((found["exit"], found["seq"], found["size"]), (3, None, len(self.forge.lines)))


class Entries(Case):
    def test_prev(self):
        self.forge.people()
        self.forge.add("clock.ticked", {}, prev=ZEROS)
        self.is_false(9, "chain: prev")

    def test_time(self):
        self.forge.people()
        self.forge.add("clock.ticked", {}, after=DAY)
        self.is_valid()
        self.forge.add("clock.ticked", {}, after=DAY + 1)
        self.is_false(10, "time: it rises")

    def test_clock_accepted(self):
        self.forge.people()
        statement = self.forge.state("clock", entry=self.forge.last, time=self.forge.time + 9 * DAY, why="it stood")
        self.forge.sign("clock.accepted", "ada", statement, after=10 * DAY)
        self.is_valid()

    def test_entry_one_is_the_first_invite(self):
        self.forge.add("clock.ticked", {})
        self.is_false(1, "entry 1")

    def test_unknown_comes_before_false(self):
        self.forge.people()
        self.forge.add("clock.ticked", {"more": 1}, actor=ident("ada"), after=-DAY)
        self.is_unknown(9, "data.more")

    def test_statement_that_is_not_canonical_is_not_read_further(self):
        self.forge.people()
        self.forge.add("setting.changed", {"assertion": {}, "authenticator": 1, "statement": '{"kind": "new"}'})
        self.is_false(9, "")

    def test_kind_of_another_event(self):
        self.forge.people()
        statement = self.forge.state("suspend", authenticator=ident("ada's key"), user=ident("ada"), why="lost")
        self.forge.sign("authenticator.revoked", "carla", statement)
        self.is_false(9, "its kind is not revoke")

    def test_who(self):
        self.forge.people()
        self.forge.sign("setting.changed", "ada", self.forge.state("setting", name="a", value="b"))
        self.is_false(9, "only a custodian")

    def test_revoked_key(self):
        self.forge.people()
        revoke = self.forge.state("revoke", authenticator=ident("ada's key"), user=ident("ada"), why="lost")
        self.forge.sign("authenticator.revoked", "ada", revoke)
        self.is_valid()
        statement = self.forge.state("clock", entry=self.forge.last, time=self.forge.time, why="w")
        self.forge.sign("clock.accepted", "ada", statement)
        self.is_false(10, "not live")

    def test_client_data(self):
        for wrong, rule in (
            ({"type": "webauthn.create"}, "type"), ({"challenge": ""}, "challenge"), ({"origin": ORIGIN + "/"}, "origin"),
            ({"crossOrigin": True}, "crossOrigin"), ({"crossOrigin": 0}, "crossOrigin"), ({"topOrigin": None}, "topOrigin"),
        ):  # fmt: skip
            with self.subTest(rule):
                self.forge = Forge()
                self.forge.people()
                self.forge.sign("setting.changed", "carla", self.forge.state("setting", name="a", value="b"), **wrong)
                self.is_false(9, f"assertion: {rule}")

    def test_client_data_is_json_of_any_depth(self):
        members = client.read(
            b' {"type" : "a\\u00e9\\ud83d\\ude00\\/", "n":[1,-0.5e+3,null,{"a":{}},[]] , "no":false,"yes":true, "s":{} }\n'
        )
        self.assertEqual(members["type"], "a\u00e9\U0001f600/")
        self.assertIs(members["no"], False)
        self.assertEqual([members[name] for name in ("n", "yes", "s")], [client.OTHER] * 3)
        for depth in (33, 5_000, 100_000):
            begin, end = b'{"t":"x","a":' + b'[{"a":' * depth, b"}]" * depth + b',"b":false}'
            self.assertEqual(client.read(begin + b'{"t":1}' + end), {"t": "x", "a": client.OTHER, "b": False})
            for bad in (b'{"a":1,"a":1}', b'1,"a":1', b"[", b"]", b"}", b"{}}", b"1]"):
                with self.subTest(bad=bad, depth=depth), self.assertRaises(Lie):
                    client.read(begin + bad + end)

    def test_client_data_is_one_object(self):
        for bad in (
            b"", b"[]", b"1", b"{", b"{}x", b"{}{}", b'"a"', b'{"a":1,"a":1}', b'{"a":1,"\\u0061":1}', b'{"b":{"a":1,"a":2}}',
            b'{"a":01}', b'{"a":.5}', b'{"a":1.}', b'{"a":+1}', b'{"a":"\n"}', b'{"a":NaN}', b"{'a':1}", b'{"a":1,}', b'{,"a":1}',
            b'{"a":[1,]}', b'{"a":[1 2]}', b'{"a":[1}}', b'{"a"}', b'{"a":}', b'{a:1}', b'{"a":"\\x"}', b'{"a":"\\u00g0"}',
            b'{"a":"\\ud800"}', b'{"a":"\\udc00\\ud800"}', b'{"\\udfff":1}', b'{"a":["\\ud83dx"]}',
            b'\xef\xbb\xbf{}', b'{"a":"\xff"}', b'{"a":"\xed\xa0\x80"}', b'{"a":1\x0c}', "{\u00a0}".encode(),
        ):  # fmt: skip
            with self.subTest(bad), self.assertRaises(Lie):
                client.read(bad)

    def test_counter_is_a_warning(self):
        self.forge.people()
        self.forge.counters["carla's key"] = 0
        self.forge.sign("setting.changed", "carla", self.forge.state("setting", name="a", value="b"))
        self.assertEqual(len(self.is_valid().warnings), 1)

    def test_nonce_again(self):
        self.forge.people()
        statement = self.forge.state("setting", name="a", value="b")
        self.forge.sign("setting.changed", "carla", statement)
        self.forge.sign("setting.changed", "carla", statement)
        self.is_false(10, "unique: this nonce")

    def test_names_are_folded(self):
        self.forge.people()
        self.forge.invite("ADA")
        self.is_false(9, "unique: this person name")

    def test_an_expired_invitation_frees_the_name(self):
        self.forge.people()
        self.forge.invite("dora")
        self.forge.add("clock.ticked", {}, after=DAY)
        self.forge.invite("dora", "approver")
        self.forge.enrol("dora")
        self.is_valid()

    def test_an_expired_invitation_leaves_nobody_with_roles(self):
        self.forge.people()
        self.forge.invite("dora")
        roles = self.forge.state("roles", roles=["auditor"], user=ident("dora"))
        self.forge.sign("person.roles", "carla", roles)
        self.is_valid()
        self.forge.add("clock.ticked", {}, after=DAY)
        roles = self.forge.state("roles", roles=["auditor"], user=ident("dora"))
        self.forge.sign("person.roles", "carla", roles)
        self.is_false(len(self.forge.lines) - 1, "roles of somebody")


class Releases(Case):
    def test_opened(self):
        request = self.forge.release()
        approvals = [self.forge.decide("ada", request), self.forge.decide("ben", request)]
        self.forge.open(request, approvals)
        self.is_valid()
        self.forge.open(request, approvals)
        self.is_false(len(self.forge.lines) - 1, "spent twice")

    def test_too_few(self):
        request = self.forge.release()
        self.forge.open(request, [self.forge.decide("ada", request)])
        self.is_false(len(self.forge.lines) - 1, "needed are 2")

    def test_too_late(self):
        request = self.forge.release()
        approvals = [self.forge.decide("ada", request), self.forge.decide("ben", request)]
        self.forge.open(request, approvals, after=60 * SECOND)
        self.is_false(len(self.forge.lines) - 1, "open_within_s")

    def test_denied(self):
        request = self.forge.release()
        approvals = [self.forge.decide("ada", request), self.forge.decide("ben", request)]
        self.forge.decide("ben", request, "deny")
        self.forge.open(request, approvals)
        self.is_false(len(self.forge.lines) - 1, "does not count")

    def test_denier_on_no_roster(self):
        self.forge.decide("carla", self.forge.release(), "deny")
        self.is_false(len(self.forge.lines) - 1, "on no roster")

    def test_approval_that_counts_for_nothing(self):
        request = self.forge.release()
        self.forge.decide("carla", request)
        self.is_valid()

    def test_subject_is_compared_by_its_bytes(self):
        request = self.forge.release()
        self.forge.decide("ada", request, subject=request | {"v": True})
        self.is_false(len(self.forge.lines) - 1, "subject differs")

    def test_small_roster(self):
        self.forge.people()
        self.forge.roster(m=1)
        self.is_false(len(self.forge.lines) - 1, "2 <= m <= n")


if __name__ == "__main__":
    unittest.main()
