"""FORMATS.md 6: which of several lies decides, and what is unknown."""

from ..canonical import change, drop, hash_of, put
from ..cases import Export, add, case, lines_of
from ..ledger import SECOND
from ..notes import body_of, note_of
from ..requests import Vault
from ..stories import ADA, BEN, CARLA, DB, ROB, SAFE, asked, opened, people, safe
from .export import kept

# What decides: "Entries are judged in order, the first false or unknown one decides"


def _moon(vault, **lie):
    if lie:
        vault.next(**lie)
    return vault.append("moon.risen", {"phase": "full"})


WITHIN = ('"within one entry bytes that are not canonical first, then `seq`, `prev` and the fingerprint, then what is '
          'unknown, then what is false"')


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
    add(f"verdict-both-{_name}", f"One entry with {_what}: {'unknown' if _exit == 2 else 'false'} comes first. {WITHIN}", _both)


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
    return export.with_seen(kept(5, bytes(32))(export.ledger)).false()


@case
def unknown_then_seen_larger():
    """An unknown entry, and a kept checkpoint that is larger. "a wrong root or `--seen` mismatch is 1" """
    export = _unknown_export()
    return export.with_seen(kept(500, bytes(32))(export.ledger)).false()


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
