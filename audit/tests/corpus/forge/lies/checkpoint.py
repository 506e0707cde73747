"""FORMATS.md 5: the note itself, who signs it, and changes of the keys that do. Here hashes and signatures are the lie."""

import base64

from ..canonical import change, encode, put
from ..cases import Export, add, case, lines_of
from ..ledger import NAME
from ..notes import DASH, NoteKey, body_of, note_of, root_of
from ..requests import Vault
from ..stories import CARLA, founded, opened, people, safe

LINES = '"exactly three lines (origin = the founded `name`, size, base64 root), blank line, signatures; no extension lines"'
SIGNED = '"at least one signature by a key in force, and each by such a key must be good"'
COVERS = '"`checkpoint` (covers exactly those)"'


class Parts:
    """What a checkpoint of `opened` is made of."""

    def __init__(self):
        self.vault = opened()
        self.size = len(self.vault.entries)
        self.root = root_of(self.vault.leaves)
        self.root64 = base64.b64encode(self.root).decode()
        self.key, self.other = self.vault.keys(self.size)

    def body(self, origin=NAME, size=None, root=None):
        return f"{origin}\n{self.size if size is None else size}\n{root or self.root64}\n"

    def signed(self, body, *keys):
        return note_of(body, keys or [self.key])

    def line(self, name=NAME, key_id=None, spoil=None):
        """A signature line of the honest body, put together by hand."""
        raw = base64.b64decode(self.key.line(self.body()).split(" ")[2])
        signature = spoil(raw[4:]) if spoil else raw[4:]
        return f"{DASH} {name} {base64.b64encode((key_id or raw[:4]) + signature).decode()}\n"


def _flip(signature):
    return signature[:-1] + bytes([signature[-1] ^ 1])


def _bits(text):
    """base64 of 32 bytes with a trailing bit set: ...x= becomes the next character."""
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
    return text[:-2] + alphabet[alphabet.index(text[-2]) + 1] + "="


def _stranger(name=NAME):
    return NoteKey("a stranger", name)


NOTES = {  # from the parts of the honest one; whatever is signed is signed by the key in force
    # origin
    "origin-other": ("another origin", LINES, lambda p: p.signed(p.body(origin="vitrine.example/other"))),
    "origin-empty": ("no origin", LINES, lambda p: p.signed(p.body(origin=""))),
    "origin-longer": ("the origin goes on", LINES, lambda p: p.signed(p.body(origin=NAME + "/"))),
    "origin-shorter": ("the origin is cut", LINES, lambda p: p.signed(p.body(origin=NAME[:-1]))),
    "origin-capitals": ("the origin in capitals", LINES, lambda p: p.signed(p.body(origin=NAME.upper()))),
    "origin-space": ("a space after the origin", LINES, lambda p: p.signed(p.body(origin=NAME + " "))),
    # size
    "size-more": ("it covers an entry more", COVERS, lambda p: p.signed(p.body(size=p.size + 1))),
    "size-less": ("it covers an entry less", COVERS, lambda p: p.signed(p.body(size=p.size - 1))),
    "size-less-honest": ("it is an earlier, true checkpoint", COVERS, lambda p: p.vault.note(p.size - 1)),
    "size-zero": ("it covers nothing", COVERS, lambda p: p.signed(p.body(size=0))),
    "size-leading-zero": ("the size has a leading zero", LINES, lambda p: p.signed(p.body(size=f"0{p.size}"))),
    "size-plus": ("the size has a plus", LINES, lambda p: p.signed(p.body(size=f"+{p.size}"))),
    "size-negative": ("the size is negative", LINES, lambda p: p.signed(p.body(size=-p.size))),
    "size-hex": ("the size is hexadecimal", LINES, lambda p: p.signed(p.body(size=hex(p.size)))),
    "size-space": ("a space after the size", LINES, lambda p: p.signed(p.body(size=f"{p.size} "))),
    "size-empty": ("no size", LINES, lambda p: p.signed(p.body(size=""))),
    "size-words": ("the size in a word", LINES, lambda p: p.signed(p.body(size="many"))),
    "size-2-64": ("the size plus 2^64", LINES, lambda p: p.signed(p.body(size=2**64 + p.size))),
    # root
    "root-other": ("another root", COVERS, lambda p: p.signed(p.body(root=base64.b64encode(bytes(32)).decode()))),
    "root-of-an-earlier-size": ("the root of one entry less", COVERS, lambda p: p.signed(p.body(
        root=base64.b64encode(root_of(p.vault.leaves[:-1])).decode()))),
    "root-of-swapped-leaves": ("the root of a tree whose last two leaves are swapped", COVERS, lambda p: p.signed(p.body(
        root=base64.b64encode(root_of([*p.vault.leaves[:-2], *p.vault.leaves[:-3:-1]])).decode()))),
    "root-last-leaf": ("the last leaf in place of the root", COVERS, lambda p: p.signed(p.body(
        root=base64.b64encode(p.vault.leaves[-1]).decode()))),
    "root-unpadded": ("the root without padding", LINES, lambda p: p.signed(p.body(root=p.root64.rstrip("=")))),
    "root-trailing-bit": ("the root with a trailing bit", LINES, lambda p: p.signed(p.body(root=_bits(p.root64)))),
    "root-hex": ("the root in hexadecimal", LINES, lambda p: p.signed(p.body(root=p.root.hex()))),
    "root-short": ("a root of 31 bytes", LINES, lambda p: p.signed(p.body(root=base64.b64encode(p.root[:31]).decode()))),
    "root-long": ("a root of 33 bytes", LINES, lambda p: p.signed(p.body(root=base64.b64encode(p.root + b"\0").decode()))),
    "root-space": ("a space after the root", LINES, lambda p: p.signed(p.body(root=p.root64 + " "))),
    # lines
    "extension": ("an extension line", LINES, lambda p: p.signed(p.body() + "timestamp 1767225600\n")),
    "extension-empty": ("an empty fourth line", LINES, lambda p: p.signed(p.body() + "\n")),
    "two-lines": ("no root", LINES, lambda p: p.signed(f"{NAME}\n{p.size}\n")),
    "line-before": ("an empty line before it", LINES, lambda p: p.signed("\n" + p.body())),
    "crlf": ("lines that end with CR LF", LINES, lambda p: p.signed(p.body().replace("\n", "\r\n"))),
    "crlf-everywhere": ("CR LF everywhere, signed without", LINES, lambda p: p.signed(p.body()).replace("\n", "\r\n")),
    "no-blank-line": ("no blank line before the signatures", LINES, lambda p: p.body() + p.key.line(p.body())),
    "two-blank-lines": ("two blank lines before the signatures", LINES,
                        lambda p: p.body() + "\n\n" + p.key.line(p.body())),
    "no-last-lf": ("no LF at the end", LINES, lambda p: p.signed(p.body())[:-1]),
    "blank-line-after": ("a blank line at the end", LINES, lambda p: p.signed(p.body()) + "\n"),
    "words-after": ("words after the signatures", LINES, lambda p: p.signed(p.body()) + "and so on\n"),
    "two-notes": ("two notes in a row", LINES, lambda p: p.signed(p.body()) + p.signed(p.body())),
    "empty": ("an empty file", LINES, lambda p: ""),
    "bom": ("a byte order mark", LINES, lambda p: "\ufeff" + p.signed(p.body())),
    "json": ("JSON, as in checkpoints.jsonl", LINES, lambda p: lines_of([p.signed(p.body())]).decode()),
    # signatures
    "unsigned": ("no signature line", SIGNED, lambda p: p.body() + "\n"),
    "unsigned-body-only": ("only the three lines", SIGNED, lambda p: p.body()),
    "stranger": ("signed by a stranger under the ledger's name", SIGNED, lambda p: p.signed(p.body(), _stranger())),
    "stranger-named-otherwise": ("signed by a stranger under another name", SIGNED,
                                 lambda p: p.signed(p.body(), _stranger("witness.example"))),
    "stranger-with-the-keys-id": ("a stranger's signature under the key's id", SIGNED, lambda p: p.body() + "\n" + p.line(
        spoil=lambda _: base64.b64decode(_stranger().line(p.body()).split(" ")[2])[4:])),
    "bad": ("a signature with one bit changed", SIGNED, lambda p: p.body() + "\n" + p.line(spoil=_flip)),
    "bad-zeros": ("a signature of zeros", SIGNED, lambda p: p.body() + "\n" + p.line(spoil=lambda _: bytes(64))),
    "bad-short": ("a signature of 63 bytes", SIGNED, lambda p: p.body() + "\n" + p.line(spoil=lambda s: s[:-1])),
    "bad-long": ("a signature of 65 bytes", SIGNED, lambda p: p.body() + "\n" + p.line(spoil=lambda s: s + b"\0")),
    "bad-beside-good": ("a good signature, and a bad one by the other key in force", SIGNED,
                        lambda p: p.signed(p.body()) + p.other.line(p.body(), _flip)),
    "good-after-bad": ("a bad signature, then a good one by the other key in force", SIGNED,
                       lambda p: p.body() + "\n" + p.key.line(p.body(), _flip) + p.other.line(p.body())),
    "bad-after-good-by-one-key": ("a good and a bad signature by one key", SIGNED,
                                  lambda p: p.signed(p.body()) + p.key.line(p.body(), _flip)),
    "good-after-bad-by-one-key": ("a bad and a good signature by one key", SIGNED,
                                  lambda p: p.body() + "\n" + p.key.line(p.body(), _flip) + p.key.line(p.body())),
    "bad-after-two-good-by-one-key": ("two good signatures by one key, and a bad one", SIGNED, lambda p: p.signed(
        p.body(), p.key, p.key) + p.key.line(p.body(), _flip)),
    "over-other-size": ("a signature over another size", SIGNED,
                        lambda p: p.body() + "\n" + p.key.line(p.body(size=p.size - 1))),
    "over-blank-line-too": ("a signature that covers the blank line too", SIGNED,
                            lambda p: p.body() + "\n" + p.key.line(p.body() + "\n")),
    "over-body-without-lf": ("a signature that leaves out the last LF", SIGNED,
                             lambda p: p.body() + "\n" + p.key.line(p.body()[:-1])),
    "high-s": ("a signature whose s is one group order larger", SIGNED, lambda p: p.body() + "\n" + p.line(
        spoil=lambda s: s[:32] + (int.from_bytes(s[32:], "little") + 2**252
                                  + 27742317777372353535851937790883648493).to_bytes(32, "little"))),
    "hyphen": ("a hyphen in place of the dash", SIGNED, lambda p: p.signed(p.body()).replace(DASH, "-")),
    "no-dash": ("no dash before the signature", SIGNED, lambda p: p.signed(p.body()).replace(DASH + " ", "")),
    "signature-no-base64": ("a signature that is no base64", SIGNED,
                            lambda p: p.body() + f"\n{DASH} {NAME} ****\n"),
    "named-otherwise": ("the signature under another name", SIGNED, lambda p: p.body() + "\n" + p.line(name="witness.example")),
    "other-key-id": ("the signature under another key id", SIGNED,
                     lambda p: p.body() + "\n" + p.line(key_id=b"\0\0\0\0")),
}

for _name, (_what, _rule, _how) in NOTES.items():
    def _note(how=_how):
        parts = Parts()
        export = Export(parts.vault)
        export.files["checkpoint"] = how(parts).encode()
        return export.false()
    add(f"checkpoint-{_name}", f"The checkpoint: {_what}. {_rule}", _note)


@case
def one_key_twice_true():
    """True: two good lines by one key, at the end and earlier. "each by such a key must be good" """
    parts = Parts()
    parts.vault.earlier.append((8, parts.vault.note(8, [parts.other, parts.key, parts.other])))
    export = Export(parts.vault)
    export.files["checkpoint"] = parts.signed(parts.body(), parts.key, parts.key).encode()
    return export


@case
def not_utf8():
    """The checkpoint has a byte that is no UTF-8. "C2SP signed note" """
    export = Export(opened())
    export.files["checkpoint"] = export.files["checkpoint"].replace(b"\xe2\x80\x94", b"\x97")
    return export.false()


@case
def of_another_ledger():
    """The checkpoint of another ledger with the same name. "`checkpoint` (covers exactly those)" """
    other = Vault(label="other")
    other.found()
    other.invite_first(CARLA)
    for _ in range(20):
        other.roll_kek()
    export = Export(opened())
    export.files["checkpoint"] = other.note(len(export.ledger.entries)).encode()
    return export.false()


@case
def swapped_with_an_earlier_one():
    """checkpoint and the last line of checkpoints.jsonl changed places. "`checkpoint` (covers exactly those)" """
    vault = people()
    vault.checkpoint()
    vault.roll_kek()
    export = Export(vault)
    export.files["checkpoint"], export.files["checkpoints.jsonl"] = (
        vault.earlier[0][1].encode(), lines_of([vault.note()]))
    return export.false()


# Changes of the keys

CHANGE = ('"`checkpoint_keys.changed` at seq k: the export holds a checkpoint of size k+1 under one of the old keys; all up to '
          'that size are under the old, all larger ones under the new"')


class Changed:
    """A ledger whose keys changed at `k`, with two entries behind it."""

    def __init__(self):
        self.vault = people()
        self.old = self.vault.keys(1)
        self.k = self.vault.change_checkpoint_keys("new 1", "new 2")
        self.vault.roll_kek()
        self.vault.roll_kek()
        self.new = self.vault.keys(self.k + 2)

    def export(self, *sizes_and_keys, final=None):
        export = Export(self.vault)
        export.files["checkpoints.jsonl"] = lines_of(self.vault.note(size, keys) for size, keys in sizes_and_keys)
        if final:
            export.files["checkpoint"] = self.vault.note(keys=final).encode()
        return export

    def false(self, *sizes_and_keys, final=None):
        return self.export(*sizes_and_keys, final=final).false()


CHANGES = {
    "none-at-k": ("no checkpoint of size k+1", lambda c: c.false()),
    "only-size-k": ("a checkpoint of size k, none of k+1", lambda c: c.false((c.k, c.old[:1]))),
    "only-size-k-and-2": ("a checkpoint of size k+2, none of k+1", lambda c: c.false((c.k + 2, c.new[:1]))),
    "at-k-under-the-new": ("the checkpoint of size k+1 is under a new key", lambda c: c.false((c.k + 1, c.new[:1]))),
    "at-k-under-a-stranger": ("the checkpoint of size k+1 is under a stranger's key", lambda c: c.false(
        (c.k + 1, [_stranger()]))),
    "later-under-the-old": ("a checkpoint of size k+2 is under an old key", lambda c: c.false(
        (c.k + 1, c.old[:1]), (c.k + 2, c.old[:1]))),
    "final-under-the-old": ("the final checkpoint is under an old key", lambda c: c.false(
        (c.k + 1, c.old[:1]), final=c.old[:1])),
    "final-under-both-old": ("the final checkpoint is under both old keys", lambda c: c.false(
        (c.k + 1, c.old[:1]), final=c.old)),
    "earlier-under-the-new": ("a checkpoint of size k is under a new key", lambda c: c.false(
        (c.k, c.new[:1]), (c.k + 1, c.old[:1]))),
    "first-under-the-new": ("a checkpoint of size 1 is under a new key", lambda c: c.false(
        (1, c.new[:1]), (c.k + 1, c.old[1:]))),
    "final-stranger-new-name": ("the final checkpoint is under a stranger's key", lambda c: c.false(
        (c.k + 1, c.old[:1]), final=[_stranger()])),
}

for _name, (_what, _how) in CHANGES.items():
    def _keys_changed(how=_how, missing=_name in ("none-at-k", "only-size-k", "only-size-k-and-2")):
        changed = Changed()
        export = how(changed)
        export.also = [changed.k] if missing else []
        return export
    add(f"checkpoint-keys-changed-{_name}", f"After a change of the checkpoint keys: {_what}. {CHANGE}", _keys_changed)


@case
def keys_changed_true():
    """True: checkpoints of size k, k+1 (both old keys), k+2 (a new key) and the end (both new keys)."""
    c = Changed()
    return c.export((c.k, c.old[1:]), (c.k + 1, c.old), (c.k + 2, c.new[1:]), final=c.new)


@case
def keys_changed_second_time_without():
    """Two changes in a row; the checkpoint of the second is missing. "the export holds a checkpoint of size k+1" """
    vault = people()
    vault.change_checkpoint_keys("new 1")
    second = vault.change_checkpoint_keys("new 2")
    vault.roll_kek()
    export = Export(vault)
    export.files["checkpoints.jsonl"] = lines_of([vault.earlier[0][1]])
    export.false().also = [second]
    return export


@case
def keys_changed_second_time_under_the_first():
    """Two changes; the second one's checkpoint is under the founding's key. "under one of the old keys" """
    vault = people()
    first = vault.keys(1)
    vault.change_checkpoint_keys("new 1")
    second = vault.change_checkpoint_keys("new 2")
    vault.roll_kek()
    export = Export(vault)
    export.files["checkpoints.jsonl"] = lines_of([vault.earlier[0][1], vault.note(second + 1, first[:1])])
    return export.false()


@case
def keys_changed_and_back():
    """True: new keys, and the founding's keys again."""
    vault = people()
    vault.change_checkpoint_keys("new 1")
    vault.roll_kek()
    vault.change_checkpoint_keys(" token 0", " token 1")
    vault.roll_kek()
    return vault


KEYS = '"1 to 3 C2SP verifier keys, each named `name`"'

for _name, (_what, _edit) in {
    "none": ("to none", put("checkpoint_keys", [])),
    "four": ("to four", change("checkpoint_keys", lambda keys: [*keys, *(
        NoteKey(f"more {n}", NAME).verifier for n in range(3))])),
    "named-otherwise": ("to one of another name", put("checkpoint_keys", [NoteKey("more", "vitrine.example/other").verifier])),
    "no-key": ("to words", put("checkpoint_keys", ["a new key"])),
    "key-id": ("to one whose key id is not its hash", change("checkpoint_keys", lambda keys: [
        keys[0].replace(keys[0].split("+")[1], "0badc0de")])),
}.items():
    def _changed_to(edit=_edit):
        vault = founded()
        vault.next(data=edit).change_checkpoint_keys("new")
        vault.earlier.pop()
        vault.quiet = vault.unchecked = True
        return vault.false()
    add(f"checkpoint-keys-changed-to-{_name}", f"The checkpoint keys are changed {_what}. {KEYS}", _changed_to)


# checkpoints.jsonl

GROWING = '"`checkpoints.jsonl` (earlier ones, one `{"note":".."}` a line, LF allowed in that string alone, sizes growing)"'


class Earlier:
    """`safe`, with checkpoints of sizes 3, 8 and 12."""

    def __init__(self):
        self.vault = safe()
        self.size = len(self.vault.entries)
        self.three, self.eight, self.twelve = (self.vault.note(size) for size in (3, 8, 12))
        self.key = self.vault.keys(1)[0]


def _spoilt(note):
    head, last = note.rstrip("\n").rsplit(" ", 1)
    return f"{head} {base64.b64encode(_flip(base64.b64decode(last))).decode()}\n"


EARLIER = {
    "falling": ("sizes fall", lambda e: lines_of([e.eight, e.three, e.twelve])),
    "repeated": ("a size stands twice", lambda e: lines_of([e.three, e.eight, e.eight])),
    "repeated-by-two-keys": ("a size stands twice, once for each key", lambda e: lines_of(
        [e.three, e.eight, e.vault.note(8, e.vault.keys(1)[1:])])),
    "beyond": ("one is larger than the export", lambda e: lines_of([e.three, note_of(
        body_of(NAME, e.size + 1, bytes(32)), [e.key])])),
    "root": ("one has another root", lambda e: lines_of([e.three, note_of(body_of(NAME, 8, bytes(32)), [e.key]), e.twelve])),
    "root-of-a-fork": ("one is a fork's", lambda e: lines_of([e.three, note_of(body_of(
        NAME, 8, root_of([*e.vault.leaves[:7], e.vault.leaves[9]])), [e.key]), e.twelve])),
    "signature": ("one has a bad signature", lambda e: lines_of([e.three, _spoilt(e.eight), e.twelve])),
    "stranger": ("one is a stranger's", lambda e: lines_of([e.three, note_of(e.vault.body(8), [_stranger()]), e.twelve])),
    "unsigned": ("one is unsigned", lambda e: lines_of([e.three, e.vault.body(8) + "\n"])),
    "origin": ("one has another origin", lambda e: lines_of([e.three, note_of(
        body_of("vitrine.example/other", 8, root_of(e.vault.leaves[:8])), [e.key])])),
    "extension": ("one has an extension line", lambda e: lines_of([e.three, note_of(e.vault.body(8) + "x\n", [e.key])])),
    "note-missing": ("a line without `note`", lambda e: lines_of([e.three]) + b"{}\n"),
    "note-number": ("`note` is a number", lambda e: lines_of([e.three]) + b'{"note":8}\n'),
    "note-list": ("`note` is a list", lambda e: encode({"note": [e.three]}) + b"\n"),
    "bare-string": ("a note without its object", lambda e: encode(e.three) + b"\n"),
    "no-json": ("a note as it is, no JSON", lambda e: e.three.encode()),
    "space": ("a space in a line", lambda e: lines_of([e.three]).replace(b'":', b'": ')),
    "escaped-dash": ("the dash as an escape", lambda e: lines_of([e.three]).replace(DASH.encode(), b"\\u2014")),
    "escaped-lf": ("LF as \\u000a", lambda e: lines_of([e.three]).replace(b"\\n", b"\\u000a")),
    "note-twice": ("`note` twice", lambda e: lines_of([e.three]).replace(b"}", b',"note":"x"}')),
    "no-last-lf": ("no LF at the end", lambda e: lines_of([e.three, e.eight])[:-1]),
    "empty-line": ("an empty line between", lambda e: lines_of([e.three]) + b"\n" + lines_of([e.eight])),
    "empty-line-alone": ("nothing but an LF", lambda e: b"\n"),
    "cr": ("a CR before an LF", lambda e: lines_of([e.three]).replace(b"}\n", b"}\r\n")),
    "bom": ("a byte order mark", lambda e: b"\xef\xbb\xbf" + lines_of([e.three])),
    "not-utf8": ("a byte that is no UTF-8", lambda e: lines_of([e.three]).replace(DASH.encode(), b"\x97")),
    "null": ("null", lambda e: lines_of([e.three]) + b"null\n"),
}

for _name, (_what, _how) in EARLIER.items():
    def _earlier(how=_how):
        earlier = Earlier()
        export = Export(earlier.vault)
        export.files["checkpoints.jsonl"] = how(earlier)
        return export.false()
    add(f"checkpoint-earlier-{_name}", f"Earlier checkpoints: {_what}. {GROWING}", _earlier)


@case
def earlier_true():
    """True: earlier checkpoints of sizes 1, 3, 8, 12 and one less than all."""
    vault = safe()
    export = Export(vault)
    export.files["checkpoints.jsonl"] = lines_of(vault.note(size) for size in (1, 3, 8, 12, len(vault.entries) - 1))
    return export
