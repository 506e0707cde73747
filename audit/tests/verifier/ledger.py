"""Entries in order: section 6's precedence within one entry, then the rules of its event."""

import decisions  # noqa: F401  (registers its rules)
import people  # noqa: F401
import safes  # noqa: F401
import shapes
from canonical import ENTRY_LIMIT, H, Lie, Unknown, parse
from shapes import EVENTS, SIGNED, is_id, is_integer
from state import DAY, RULES, ZEROS, Entry, State, require
from tree import leaf_hash


class Ledger:
    def __init__(self, founded: str | None = None):
        self.state = State()
        self._founded = founded
        self._seq = 0
        self._prev = ZEROS
        self._time: int | None = None

    def judge(self, raw: bytes):
        """The next entry: raises Lie or Unknown, after which there is no next."""
        require(len(raw) <= ENTRY_LIMIT, "canonical JSON: an entry above 64 KiB")
        value = parse(raw)
        leaf = leaf_hash(raw).hex()
        self._chain(value, leaf)
        texts = self._unknown(value)
        entry = self._read(value, texts, leaf)
        self._common(entry)
        RULES.get(entry.event, _no_rule)(self.state, entry)
        self._seq, self._prev, self._time = entry.seq + 1, leaf, entry.time

    def _chain(self, value, leaf: str):
        """`seq`, `prev` and the fingerprint."""
        require(isinstance(value, dict), "type: an entry is an object")
        seq = value.get("seq")
        require(is_integer(seq) and seq == self._seq, f"chain: seq is not {self._seq}")
        require(value.get("prev") == self._prev, "chain: prev is not the leaf of the entry before")
        if seq == 0 and self._founded is not None:
            require(leaf == self._founded, "chain: this is another ledger than the founded one")

    def _unknown(self, value: dict) -> list:
        """Looks for what is unknown; the statements it read for that, or the Lies they are."""
        shapes.unknown_version(value, "entry")
        shapes.ENTRY.unknown(value, "entry")
        event, data = value.get("event"), value.get("data")
        if isinstance(event, str) and event not in EVENTS:
            raise Unknown(f"unknown event: {event}")
        if not isinstance(event, str) or not isinstance(data, dict):
            return []
        if event == "person.invited":
            shapes.ANY_INVITE.unknown(data, "data")
        else:
            EVENTS[event].unknown(data, "data")
        if value["seq"] == 1 and event == "person.invited":
            return [_statement(data)]
        holders = [data if event in SIGNED else None, data.get("import")]
        return [_statement(holder.get("statement")) for holder in holders if isinstance(holder, dict)]

    def _read(self, value: dict, read: list, leaf: str) -> Entry:
        """Types, members, and statements of the right kind."""
        shapes.ENTRY.check(value, "entry")
        event, data, seq = value["event"], value["data"], value["seq"]
        entry = Entry(seq, value["time"], value["actor"], event, data, leaf, value["prev"])
        require((event == "ledger.founded") == (seq == 0), "order: ledger.founded is entry 0, and only it")
        require(event == "person.invited" or seq != 1, "order: entry 1 is the first person.invited")
        if seq == 1:
            shapes.FIRST_INVITE.check(data, "data")
            entry.statement = _of_kind(read[0], "invite")
            return entry
        EVENTS[event].check(data, "data")
        if event in SIGNED:
            entry.statement, entry.text = _checked(read[0], SIGNED[event]), data["statement"]
            entry.challenge = H("statement", entry.text.encode())
        if "import" in data:
            entry.imported = _checked(read[0], "import")
            entry.import_challenge = H("statement", data["import"]["statement"].encode())
        return entry

    def _common(self, e: Entry):
        """Time, actor, and what every signed entry is checked for."""
        if self._time is not None:
            require(e.time >= self._time, "time: it decreases")
            jump = e.time - self._time > DAY and e.event != "clock.accepted"
            require(not jump, "time: it rises by more than 24 h")
        if e.event in SIGNED and e.seq != 1:
            signer = e.statement["signer"]
            require(e.actor == signer, "actor: not the signer")
            self.state.statement(e.statement)
            if e.event != "authenticator.enrolled":  # signed by the key that it enrols
                self.state.touched(e, e.data, signer, e.challenge)
            return
        workload = is_id(e.actor) and e.actor not in self.state.people
        require(e.actor == "system" or (workload and e.seq != 1), "actor: neither system nor a workload")
        if e.seq == 1:
            self.state.statement(e.statement)


def _no_rule(state: State, e: Entry):
    """clock.ticked, kek.rolled, software.started, drill.finished: their shape is all."""


def _statement(text):
    """The statement, or the Lie it is; Unknown when it is unknown."""
    if isinstance(text, dict):
        statement = text  # entry 1's
    elif isinstance(text, str):
        try:
            statement = parse(text.encode())
        except Lie as lie:
            return Lie(f"statement: {lie}")
    else:
        return Lie("type: statement is not a string")
    if not isinstance(statement, dict):
        return Lie("type: statement is not an object")
    shapes.unknown_version(statement, "statement")
    shape = shapes.statement_shape(statement)
    if shape is None:
        return Lie("statement: without kind, or a request without purpose")
    shape.unknown(statement, "statement")
    return statement


def _of_kind(statement, kind: str) -> dict:
    if isinstance(statement, Lie):
        raise statement
    require(statement["kind"] == kind, f"statement: its kind is not {kind}")
    return statement


def _checked(statement, kind: str) -> dict:
    shapes.statement_shape(_of_kind(statement, kind)).check(statement, "statement")
    return statement
