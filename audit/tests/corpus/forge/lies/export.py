"""FORMATS.md 6: the files of an export, `--founded`, `--seen`, and in which order what is wrong decides."""

from ..canonical import change, drop, hash_of, put
from ..cases import Export, add, case, lines_of
from ..ledger import SECOND
from ..notes import body_of, note_of, root_of
from ..requests import Vault
from ..stories import ADA, BEN, CARLA, CY, DB, ROB, SAFE, approved, asked, opened, people, safe

FILES = '"a missing or extra file are 1"'
SEEN = ('"A `--seen` checkpoint (kept elsewhere) is consistent when its origin is the founded name, its size is not above the '
        'export\'s, and its root is this tree\'s at that size"')


def _entries(how):
    export = Export(opened())
    export.files["entries.jsonl"] = how(export.files["entries.jsonl"])
    return export.false()


@case
def without_last_lf():
    """The last entry has no LF. "LF after each, the last too" """
    export = _entries(lambda text: text[:-1])
    export.also = [len(export.ledger.entries) - 1]
    return export


@case
def without_entries():
    """entries.jsonl is empty. "`checkpoint` (covers exactly those)" """
    export = _entries(lambda text: b"")
    export.also = [0]
    return export


@case
def all_files_empty():
    """Three empty files. "`checkpoint` (covers exactly those)" """
    export = _entries(lambda text: b"")
    export.files["checkpoint"] = export.files["checkpoints.jsonl"] = b""
    export.also = [0]
    return export


@case
def truncated():
    """The last entry is gone, the checkpoint is not. "`checkpoint` (covers exactly those)" """
    return _entries(lambda text: b"".join(text.splitlines(keepends=True)[:-1]))


@case
def truncated_to_the_founding():
    """Only entry 0 is left. "`checkpoint` (covers exactly those)" """
    return _entries(lambda text: text.splitlines(keepends=True)[0])


@case
def appended():
    """An honest entry that the checkpoint does not cover. "`checkpoint` (covers exactly those)" """
    vault = opened()
    old = Export(vault)
    vault.roll_kek()
    export = Export(vault)
    export.files["checkpoint"] = old.files["checkpoint"]
    return export.false()


@case
def empty_line_at_the_end():
    """An empty line after the last entry. "LF after each" """
    export = _entries(lambda text: text + b"\n")
    export.seq = len(export.ledger.entries)
    export.also = [None]
    return export


@case
def crlf():
    """CR LF after each entry. "LF after each" """
    export = _entries(lambda text: text.replace(b"\n", b"\r\n"))
    export.seq = 0
    return export


@case
def bom():
    """entries.jsonl begins with a byte order mark. "A reader re-encodes what it parsed and refuses bytes that differ" """
    export = _entries(lambda text: b"\xef\xbb\xbf" + text)
    export.seq = 0
    return export


@case
def one_array():
    """entries.jsonl is a JSON array. "canonical entries, LF after each" """
    export = _entries(lambda text: b"[" + b",".join(text.splitlines()) + b"]\n")
    export.seq = 0
    return export


for _file in ("entries.jsonl", "checkpoint", "checkpoints.jsonl"):
    def _missing(file=_file):
        export = Export(opened())
        del export.files[file]
        return export.false()
    add(f"export-without-{_file.replace('.', '-')}", f"{_file} is missing. {FILES}", _missing)

for _name, _file in {"readme": "README.md", "hidden": ".DS_Store", "backup": "entries.jsonl~", "signature": "checkpoint.sig",
                     "second": "entries-2.jsonl", "capitals": "CHECKPOINT"}.items():
    def _extra(file=_file):
        export = Export(opened())
        export.files[file] = b"more\n"
        return export.false()
    add(f"export-extra-{_name}", f"{_file} is there too. {FILES}", _extra)


# --founded

@case
def founded_other():
    """The fingerprint that came from elsewhere is another. "then `seq`, `prev` and the fingerprint" """
    export = Export(opened()).with_founded(hash_of("another ledger"))
    export.exit, export.seq = 1, 0
    return export


@case
def founded_of_another_ledger():
    """An export of another, true ledger of the same name. "**The ledger's name** ... is the leaf of entry 0" """
    vault = Vault(label="the other")
    vault.found()
    vault.invite_first(CARLA)
    export = Export(vault).with_founded(opened().founded)
    export.exit, export.seq = 1, 0
    return export


@case
def founded_is_the_root():
    """The root in place of the fingerprint. "**The ledger's name**, `ledger` below, is the leaf of entry 0" """
    vault = opened()
    export = Export(vault).with_founded(root_of(vault.leaves).hex())
    export.exit, export.seq = 1, 0
    return export


@case
def founded_not_given():
    """True, and nobody said which ledger it should be. "3 **self-consistent only**" """
    return Export(opened()).with_founded(None)


@case
def founded_not_given_and_false():
    """False, and no fingerprint given. "1 **false**" """
    vault = asked()
    vault.open(vault.filed)
    return Export(vault.false()).with_founded(None)


@case
def founded_not_given_and_unknown():
    """Unknown, and no fingerprint given. "2 **not verified**" """
    vault = asked()
    vault.append("moon.risen", {"phase": "full"})
    return Export(vault.unknown()).with_founded(None)


@case
def whole_ledger_founded_anew():
    """Everything is true, but it is not the ledger that was founded: someone rebuilt it. "the fingerprint" """
    vault = Vault(label="rebuilt")
    vault.found()
    vault.invite_first(CARLA)
    vault.enrol(CARLA)
    for person in (ADA, BEN, CY, ROB):
        vault.join(person, CARLA)
    export = Export(vault).with_founded(opened().founded)
    export.exit, export.seq = 1, 0
    return export


# --seen

def _seen(*notes):
    export = Export(opened())
    for n, note in enumerate(notes, 1):
        export.with_seen(note(export.ledger), f"seen-{n}.txt")
    return export


def _at(size, root=None, name=None):
    def note(vault):
        body = body_of(name or vault.name, size, root or root_of(vault.leaves[:size]))
        return note_of(body, vault.keys(1)[:1])
    return note


@case
def seen_true():
    """True: a checkpoint kept elsewhere is of this tree. "its root is this tree's at that size" """
    return _seen(_at(7))


@case
def seen_the_newest():
    """True: the checkpoint kept elsewhere is the export's own. "its size is not above the export's" """
    return _seen(lambda vault: vault.note())


@case
def seen_of_size_1():
    """True: a checkpoint of the founding alone. "its root is this tree's at that size" """
    return _seen(_at(1))


@case
def seen_by_the_other_token():
    """True: the kept checkpoint was signed by the other token. "either may sign" """
    return _seen(lambda vault: vault.note(9, vault.keys(9)[1:]))


@case
def seen_without_founded():
    """True in itself, and as seen; nobody said which ledger it should be. "3 **self-consistent only**" """
    return _seen(_at(7)).with_founded(None)


SEENS = {
    "root": ("another root", [_at(7, bytes(32))]),
    "root-of-another-size": ("the root of one entry more", [lambda vault: _at(7, root_of(vault.leaves[:8]))(vault)]),
    "larger": ("a size above the export's", [_at(1000, bytes(32))]),
    "one-larger": ("one entry more than the export", [_at(22, bytes(32))]),
    "origin": ("another origin", [_at(7, name="vitrine.example/other")]),
    "second": ("the first agrees, the second has another root", [_at(7), _at(9, bytes(32))]),
    "first": ("the second agrees, the first has another root", [_at(7, bytes(32)), _at(9)]),
    "newest": ("another root at the export's size", [_at(21, bytes(32))]),
}

for _name, (_what, _notes) in SEENS.items():
    def _inconsistent(notes=_notes):
        return _seen(*notes).false()
    add(f"export-seen-{_name}", f"A checkpoint kept elsewhere has {_what}. {SEEN}", _inconsistent)


@case
def seen_and_cut_short():
    """The export is a true, shorter past of what was seen. "its size is not above the export's" """
    seen = opened().note()
    vault = approved()
    return Export(vault).with_seen(seen).false()


@case
def seen_before_a_fork():
    """True: seen before the ledger forked. "its root is this tree's at that size" """
    vault = asked()
    seen = vault.note()
    vault.end(vault.filed, "withdrawn")
    return Export(vault).with_seen(seen)


@case
def seen_in_a_fork():
    """A release was opened and seen; the export has it withdrawn, hashed and signed anew. "its root is this tree's" """
    seen = opened().note()
    vault = asked()
    vault.end(vault.filed, "withdrawn")
    for _ in range(5):
        vault.roll_kek()
    return Export(vault).with_seen(seen).false()


@case
def seen_in_a_fork_without_founded():
    """The same, and no fingerprint given: the fork shows all the same. "1 **false**" """
    return seen_in_a_fork().with_founded(None)


@case
def seen_not_there():
    """The file given with `--seen` is not there. "an unreadable input" (exit 2)"""
    export = Export(opened()).with_seen(None, "seen-nowhere.txt")
    export.exit = 2
    return export


# What decides: "Entries are judged in order, the first false or unknown one decides"

def _moon(vault, **lie):
    if lie:
        vault.next(**lie)
    return vault.append("moon.risen", {"phase": "full"})


WITHIN = ('"within one entry bytes that are not canonical first, then `seq`, `prev` and the fingerprint, then what is unknown, then '
          'what is false"')


@case
def unknown_event():
    """An event that version 1 does not know. "not verified (an unknown event ...)" """
    vault = people()
    _moon(vault)
    return vault.unknown()


@case
def unknown_event_signed():
    """An unknown event with a statement. "not verified (an unknown event ...)" """
    vault = people()
    vault.signed("person.greeted", CARLA, "greeting", {"user": ADA.user})
    return vault.unknown()


@case
def unknown_event_of_a_known_family():
    """`rotation.paused`. "not verified (an unknown event ...)" """
    vault = people()
    vault.append("rotation.paused", {})
    return vault.unknown()


@case
def unknown_event_last():
    """The last entry is unknown. "not verified (an unknown event ...)" """
    vault = opened()
    _moon(vault)
    vault.quiet = True
    return vault.unknown()


@case
def unknown_v():
    """An entry of `v` 2. "not verified (an unknown ... `v`)" """
    vault = people()
    vault.next(entry=put("v", 2)).roll_kek()
    return vault.unknown()


@case
def unknown_v_of_the_founding():
    """Entry 0 is of `v` 2. "not verified (an unknown ... `v`)" """
    vault = Vault()
    vault.next(entry=put("v", 2)).found()
    vault.quiet = True
    return vault.unknown()


@case
def unknown_v_of_a_statement():
    """A statement of `v` 2. "not verified (an unknown ... `v`)" """
    vault = people()
    vault.next(statement=put("v", 2)).setting(CARLA)
    return vault.unknown()


@case
def unknown_v_of_the_first_invitation():
    """Entry 1's statement is of `v` 2. "not verified (an unknown ... `v`)" """
    vault = Vault()
    vault.found()
    vault.next(data=put("v", 2)).invite_first(CARLA)
    return vault.unknown()


@case
def unknown_v_of_an_import():
    """An import's statement of `v` 2. "not verified (an unknown ... `v`)" """
    vault = safe()
    vault.next(statement=put("v", 2)).seal(SAFE, DB, by=CARLA)
    return vault.unknown()


@case
def unknown_kind():
    """A statement of an unknown kind in a known event. "not verified (an unknown ... kind ...)" """
    vault = people()
    vault.next(statement=put("kind", "whim")).setting(CARLA)
    return vault.unknown()


@case
def unknown_purpose():
    """A request for a purpose nobody knows. "not verified (an unknown ... purpose ...)" """
    vault = safe()
    vault.next(statement=put("purpose", "lend")).ask_restore(CARLA, SAFE)
    return vault.unknown()


@case
def unknown_member_of_the_entry():
    """An eighth member of an entry. "not verified (an unknown ... member ...)" """
    vault = people()
    vault.next(entry=put("colour", "red")).roll_kek()
    return vault.unknown()


@case
def unknown_member_of_the_founding():
    """An eighth member of entry 0. "not verified (an unknown ... member ...)" """
    vault = Vault()
    vault.next(entry=put("colour", "red")).found()
    vault.quiet = True
    return vault.unknown()


BOTH = {  # on one signed setting: unknown and false at once
    "bad-signature": ("an unknown member and a bad signature", 2,
                      {"data": put("colour", "red"), "touch": {"key": BEN.key()}}),
    "member-of-statement-and-bad-signature": ("an unknown member of the statement and a bad signature", 2,
                                              {"statement": put("colour", "red"), "touch": {"key": BEN.key()}}),
    "missing-member": ("an unknown member and a missing one", 2, {"statement": [put("colour", "red"), drop("value")]}),
    "wrong-actor": ("an unknown member and another's `actor`", 2, {"data": put("colour", "red"), "actor": ADA.user}),
    "time": ("an unknown member and a time that goes back", 2,
             {"entry": [put("colour", "red"), change("time", lambda time: time - 60 * SECOND)]}),
    "not-allowed": ("an unknown member and a signer who may not", 2, {"data": put("colour", "red"), "by": ROB}),
    "other-ledger": ("an unknown member and another ledger", 2,
                     {"statement": [put("colour", "red"), put("ledger", hash_of("another"))]}),
    "prev": ("an unknown member and a false `prev`", 1, {"entry": [put("colour", "red"), put("prev", hash_of("x"))]}),
    "seq": ("an unknown member and a false `seq`", 1, {"entry": [put("colour", "red"), change("seq", lambda n: n + 1)]}),
    "not-canonical": ("an unknown member and a space", 1, {"data": put("colour", "red"), "raw": lambda line: line + b" "}),
}

for _name, (_what, _exit, _lie) in BOTH.items():
    def _both(exit=_exit, lie=_lie):
        vault = people()
        by = lie.get("by", CARLA)
        vault.next(**{name: value for name, value in lie.items() if name != "by"}).setting(by)
        return vault.unknown() if exit == 2 else vault.false()
    add(f"export-both-{_name}", f"One entry with {_what}: {'unknown' if _exit == 2 else 'false'} comes first. {WITHIN}", _both)


@case
def unknown_event_with_false_prev():
    """An unknown event whose `prev` is false. "then `seq`, `prev` and the fingerprint, then what is unknown" """
    vault = people()
    _moon(vault, entry=put("prev", hash_of("x")))
    return vault.false()


@case
def unknown_event_with_false_seq():
    """An unknown event whose `seq` is false. "then `seq`, `prev` and the fingerprint, then what is unknown" """
    vault = people()
    _moon(vault, entry=put("seq", 3))
    return vault.false()


@case
def unknown_founding_of_another_ledger():
    """Entry 0 is unknown and not the founded one. "then `seq`, `prev` and the fingerprint, then what is unknown" """
    vault = Vault()
    vault.next(entry=put("v", 2)).found()
    vault.quiet = True
    export = Export(vault).with_founded(opened().founded)
    export.exit, export.seq = 1, 0
    return export


@case
def false_before_unknown():
    """A false entry, then an unknown one. "the first false or unknown one decides" """
    vault = asked()
    vault.open(vault.filed)
    vault.false()
    _moon(vault)
    return vault


@case
def unknown_before_false():
    """An unknown entry, then a false one. "the first false or unknown one decides" """
    vault = asked()
    _moon(vault)
    vault.unknown()
    vault.open(vault.filed)
    return vault


@case
def two_false():
    """Two false entries: the first is named. "the first false or unknown one decides" """
    vault = asked()
    vault.open(vault.filed)
    vault.false()
    vault.next(touch={"flags": 0}).setting(CARLA)
    return vault


@case
def two_unknown():
    """Two unknown entries: the first is named. "the first false or unknown one decides" """
    vault = asked()
    _moon(vault)
    vault.unknown()
    _moon(vault)
    return vault


def _unknown_export():
    vault = people()
    _moon(vault)
    vault.unknown()
    vault.roll_kek()
    return Export(vault)


@case
def unknown_then_wrong_root():
    """An unknown entry, and a signed checkpoint with another root. "a wrong root ... is 1" """
    export = _unknown_export()
    vault = export.ledger
    export.files["checkpoint"] = note_of(body_of(vault.name, len(vault.entries), bytes(32)), vault.keys(1)[:1]).encode()
    return export.false()


@case
def unknown_then_edited():
    """An unknown entry, and the last one changed without hashing anew. "the rest is still hashed" """
    export = _unknown_export()
    export.files["entries.jsonl"] = export.files["entries.jsonl"].replace(b"custody-1", b"custody-2")
    return export.false()


@case
def unknown_then_seen():
    """An unknown entry, and a kept checkpoint that disagrees. "a wrong root or `--seen` mismatch is 1" """
    export = _unknown_export()
    return export.with_seen(_at(5, bytes(32))(export.ledger)).false()


@case
def unknown_then_seen_larger():
    """An unknown entry, and a kept checkpoint that is larger. "a wrong root or `--seen` mismatch is 1" """
    export = _unknown_export()
    return export.with_seen(_at(500, bytes(32))(export.ledger)).false()


@case
def unknown_and_seen_agrees():
    """An unknown entry, and a kept checkpoint that agrees. "2 **not verified**" """
    export = _unknown_export()
    return export.with_seen(export.ledger.note())


@case
def unknown_then_earlier_root():
    """An unknown entry, and an earlier checkpoint with another root. "a wrong root ... is 1" """
    export = _unknown_export()
    vault = export.ledger
    export.files["checkpoints.jsonl"] = lines_of([note_of(body_of(vault.name, 4, bytes(32)), vault.keys(1)[:1])])
    return export.false()


@case
def false_and_wrong_root():
    """A false entry and a wrong root: the entry is named. "Entries are judged in order" """
    vault = asked()
    vault.open(vault.filed)
    export = Export(vault.false())
    export.files["checkpoint"] = note_of(body_of(vault.name, len(vault.entries), bytes(32)), vault.keys(1)[:1]).encode()
    export.forged_files, export.also = True, [None]
    return export
