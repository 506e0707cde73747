"""FORMATS.md 2: the seven members, chain, time, actor, size."""

import hashlib
import json

from ..canonical import ZEROS, change, drop, encode, hash_of, put, uuid
from ..cases import Export, add, case
from ..ledger import DAY, SECOND
from ..requests import Vault
from ..stories import ADA, BEN, CARLA, EVE, ROUTER, SAFE, founded, opened, people, sealed

SEVEN = '"exactly these seven members, canonical"'
ACTOR = '"`actor` is the signer\'s user id for signed events, else `system` or a workload\'s id (an id that is no user\'s)"'
CHAIN = '"`prev` is the leaf of entry `seq-1`, 64 zeros for entry 0. `seq` counts from 0"'

ENTRY = {
    "without-actor": ("no `actor`", SEVEN, drop("actor")),
    "without-data": ("no `data`", SEVEN, drop("data")),
    "without-event": ("no `event`", SEVEN, drop("event")),
    "without-prev": ("no `prev`", SEVEN, drop("prev")),
    "without-seq": ("no `seq`", SEVEN, drop("seq")),
    "without-time": ("no `time`", SEVEN, drop("time")),
    "without-v": ("no `v`", SEVEN, drop("v")),
    "actor-number": ("`actor` is a number", SEVEN, put("actor", 7)),
    "data-list": ("`data` is a list", SEVEN, put("data", [])),
    "data-string": ("`data` is a string", SEVEN, put("data", "{}")),
    "seq-string": ("`seq` is a string", SEVEN, change("seq", str)),
    "time-string": ("`time` is a string", SEVEN, change("time", str)),
    "time-boolean": ("`time` is a boolean", SEVEN, put("time", True)),
    "seq-ahead": ("`seq` leaves out a number", CHAIN, change("seq", lambda seq: seq + 1)),
    "seq-again": ("`seq` repeats a number", CHAIN, change("seq", lambda seq: seq - 1)),
    "seq-zero": ("`seq` begins anew", CHAIN, put("seq", 0)),
    "seq-negative": ("`seq` is negative", CHAIN, put("seq", -1)),
    "prev-zeros": ("`prev` is zeros in the middle", CHAIN, put("prev", ZEROS)),
    "prev-elsewhere": ("`prev` is no leaf of this ledger", CHAIN, put("prev", hash_of("elsewhere"))),
    "prev-capitals": ("`prev` in capitals", '"64 lower-case hex digits"', change("prev", str.upper)),
    "prev-short": ("`prev` has 63 digits", '"64 lower-case hex digits"', change("prev", lambda text: text[:-1])),
    "prev-number": ("`prev` is a number", CHAIN, put("prev", 0)),
    "actor-word": ("`actor` is a word", ACTOR, put("actor", "root")),
    "actor-empty": ("`actor` is empty", ACTOR, put("actor", "")),
    "actor-capitals": ("`actor` is SYSTEM", ACTOR, put("actor", "SYSTEM")),
    "actor-user": ("a user as `actor` of an unsigned event", ACTOR, put("actor", CARLA.user)),
    "actor-uuid-capitals": ("a workload's id in capitals", '"Ids are lower-case UUID text"',
                            put("actor", uuid("workload").upper())),
    "actor-uuid-bare": ("a workload's id without hyphens", '"Ids are lower-case UUID text"',
                        put("actor", uuid("workload").replace("-", ""))),
}

for _name, (_what, _rule, _edit) in ENTRY.items():
    def _entry(edit=_edit):
        vault = people()
        vault.next(entry=edit).roll_kek()
        return vault.false()
    add(f"chain-{_name}", f"An entry's {_what}. {_rule}", _entry)


@case
def prev_of_the_one_before():
    """`prev` is the leaf of entry `seq-2`. "`prev` is the leaf of entry `seq-1`" """
    vault = people()
    vault.next(entry=put("prev", vault.leaf(-2))).roll_kek()
    return vault.false()


@case
def prev_is_plain_sha256():
    """`prev` is the SHA-256 of the bytes, without 0x00. "`leaf = SHA-256(0x00 || entry bytes)`" """
    vault = people()
    vault.next(entry=put("prev", hashlib.sha256(vault.entries[-1]).hexdigest())).roll_kek()
    return vault.false()


@case
def first_prev_not_zeros():
    """`prev` of entry 0 is something. "64 zeros for entry 0" """
    vault = Vault()
    vault.next(entry=put("prev", hash_of("an older ledger"))).found()
    vault.quiet = True
    return vault.false()


@case
def first_seq_is_one():
    """The ledger begins with 1. "`seq` counts from 0" """
    vault = Vault()
    vault.next(entry=put("seq", 1)).found()
    vault.quiet = True
    return vault.false()


@case
def signed_event_by_system():
    """`actor` of a signed event is `system`. "`actor` is the signer's user id for signed events" """
    vault = people()
    vault.next(actor="system").setting(CARLA)
    return vault.false()


@case
def signed_event_by_another():
    """`actor` of a signed event is another user. "`actor` is the signer's user id for signed events" """
    vault = people()
    vault.next(actor=ADA.user).setting(CARLA)
    return vault.false()


@case
def signed_event_by_workload():
    """`actor` of a signed event is a workload. "`actor` is the signer's user id for signed events" """
    vault = people()
    vault.next(actor=uuid("workload")).setting(CARLA)
    return vault.false()


@case
def enrolment_by_the_inviter():
    """Carla is `actor` of Eve's enrolment. "`actor` is the signer's user id for signed events" """
    vault = people()
    vault.invite(EVE, CARLA)
    vault.next(actor=CARLA.user).enrol(EVE)
    return vault.false()


@case
def opening_by_the_requester():
    """The requester is `actor` of `release.opened`. "else `system` or a workload's id (an id that is no user's)" """
    vault = opened()
    vault.next(actor=vault.filed.statement["signer"]).close(vault.filed)
    return vault.false()


@case
def import_by_the_custodian():
    """Carla is `actor` of her import. "(the entry's `actor` stays `system` or a workload)" """
    vault = sealed()
    vault.next(actor=CARLA.user).seal(SAFE, ROUTER, by=CARLA)
    return vault.false()


@case
def time_goes_back():
    """One microsecond back. "`time` never decreases" """
    vault = people()
    vault.until(vault.time - 1).roll_kek()
    return vault.false()


@case
def time_goes_back_far():
    """Before the founding. "`time` never decreases" """
    vault = people()
    vault.until(vault.time - 30 * DAY * SECOND).roll_kek()
    return vault.false()


@case
def time_goes_back_by_clock_accepted():
    """`clock.accepted` may raise the time, not lower it. "`time` never decreases" """
    vault = people()
    vault.until(vault.time - DAY * SECOND).accept_clock(CARLA)
    return vault.false()


@case
def a_day_and_a_microsecond():
    """24 h and a microsecond later. "never rises by more than 24 h between neighbours unless ... `clock.accepted`" """
    vault = people()
    vault.until(vault.time + DAY * SECOND + 1).roll_kek()
    return vault.false()


@case
def a_year():
    """A year later, by a signed event. "never rises by more than 24 h between neighbours unless ... `clock.accepted`" """
    vault = people()
    vault.wait(365 * DAY).setting(CARLA)
    return vault.false()


@case
def clock_accepted_too_early():
    """The clock is accepted, and only the next entry jumps. "unless the later one is `clock.accepted`" """
    vault = people()
    vault.accept_clock(CARLA)
    vault.wait(2 * DAY).roll_kek()
    return vault.false()


CLOCK = '"`entry` (this entry\'s `prev`) `time` (the entry\'s lies in [`time`, `time` + 24 h])"'

CLOCKS = {
    "before": ("the entry's time lies a microsecond before the signed one", change("time", lambda time: time + 1)),
    "after": ("the entry's time lies 24 h and a microsecond after the signed one",
              change("time", lambda time: time - DAY * SECOND - 1)),
    "long-before": ("the signed time is a year ahead", change("time", lambda time: time + 365 * DAY * SECOND)),
    "entry": ("`entry` is no leaf of this ledger", put("entry", hash_of("elsewhere"))),
    "entry-zeros": ("`entry` is zeros", put("entry", ZEROS)),
}

for _name, (_what, _edit) in CLOCKS.items():
    def _clock(edit=_edit):
        vault = people()
        vault.next(statement=edit)
        vault.wait(30 * DAY).accept_clock(BEN)
        return vault.false()
    add(f"chain-clock-{_name}", f"`clock.accepted`: {_what}. {CLOCK}", _clock)


@case
def clock_entry_is_older():
    """Signed for the place one entry earlier. "`entry` (this entry's `prev`)" """
    vault = people()
    vault.next(statement=put("entry", vault.leaf(-2))).wait(30 * DAY).accept_clock(BEN)
    return vault.false()


def entry_of_size(size):
    """A true setting whose client data was padded until the entry has that many bytes."""
    vault = founded()
    for value in ("600", "6000", "60000", "600000"):
        filler = size // 2
        for _ in range(12):
            trial = vault.copy()

            def pad(line, filler=filler):
                return line[:-1] + b',"padding":"' + b"x" * filler + b'"}'
            trial.next(touch={"client_bytes": pad}).setting(CARLA, value=value)
            excess = len(trial.entries[-1]) - size
            if excess == 0:
                return trial
            filler -= excess * 3 // 4 or (1 if excess > 0 else -1)
    raise ValueError("no padding fits")


@case
def entry_of_64_kib_and_one():
    """An entry of 65537 bytes. "an entry at most 64 KiB" """
    return entry_of_size(65537).false()


@case
def entry_of_a_megabyte():
    """An entry of a megabyte. "an entry at most 64 KiB" """
    vault = founded()
    vault.next(touch={"client_bytes": lambda line: line[:-1] + b',"p":"' + b"x" * 800_000 + b'"}'}).setting(CARLA)
    return vault.false()


# Files whose hashes were not made true again.


def _lines(how):
    """An export of `opened` whose lines were changed; nothing else was."""
    export = Export(opened())
    lines = export.files["entries.jsonl"].splitlines(keepends=True)
    export.files["entries.jsonl"] = b"".join(how(lines))
    return export.false()


def _named(export, seq):
    export.seq = seq
    return export


@case
def gap():
    """Entry 7 is missing. "`seq` counts from 0" """
    return _named(_lines(lambda lines: lines[:7] + lines[8:]), 7)


@case
def first_missing():
    """Entry 0 is missing. "`seq` counts from 0" """
    return _named(_lines(lambda lines: lines[1:]), 0)


@case
def repeated():
    """Entry 7 stands twice. "`seq` counts from 0" """
    return _named(_lines(lambda lines: lines[:8] + lines[7:]), 8)


@case
def swapped():
    """Entries 7 and 8 change places. "`seq` counts from 0" """
    return _named(_lines(lambda lines: lines[:7] + [lines[8], lines[7]] + lines[9:]), 7)


@case
def reversed_order():
    """The newest first. "`seq` counts from 0" """
    return _named(_lines(lambda lines: lines[::-1]), 0)


@case
def swapped_and_renumbered():
    """Entries 7 and 8 change places and numbers, not `prev`. "`prev` is the leaf of entry `seq-1`" """
    def how(lines):
        seven, eight = json.loads(lines[7]), json.loads(lines[8])
        seven["seq"], eight["seq"] = 8, 7
        return lines[:7] + [encode(eight) + b"\n", encode(seven) + b"\n"] + lines[9:]
    return _named(_lines(how), 7)


@case
def edited():
    """The safe's `version.sealed` names another version; hashes stayed. "`prev` is the leaf of entry `seq-1`" """
    def how(lines):
        at = next(n for n, line in enumerate(lines) if b'"event":"version.sealed"' in line)
        lines[at] = lines[at].replace(b'"version":1', b'"version":2')
        return lines
    return _named(_lines(how), 17)


@case
def edited_in_its_time():
    """Only the time of an entry was changed; hashes stayed. "`prev` is the leaf of entry `seq-1`" """
    def how(lines):
        entry = json.loads(lines[16])
        entry["time"] += 1
        lines[16] = encode(entry) + b"\n"
        return lines
    return _named(_lines(how), 17)


@case
def last_edited():
    """The last entry was changed; only the root tells. "(covers exactly those)" """
    def how(lines):
        entry = json.loads(lines[-1])
        entry["time"] += 1
        return lines[:-1] + [encode(entry) + b"\n"]
    return _lines(how)


@case
def edited_and_hashed_on():
    """An entry was changed and all after it hashed again; the checkpoint is the old one. "its root" """
    vault = people()
    vault.roll_kek("custody-1")
    old = Export(vault)
    vault = people()
    vault.roll_kek("custody-2")
    export = Export(vault)
    export.files["checkpoint"] = old.files["checkpoint"]
    return export.false()


@case
def text_of_a_statement_edited():
    """A signed text was changed afterwards, everything hashed again. "Every signed entry is checked" """
    vault = founded()
    vault.next(data=change("statement", lambda text: text.replace('"600"', '"60000"'))).setting(CARLA)
    return vault.false()
