"""The builder: writes whatever it is told, with true hashes, chain and signatures. It judges nothing.

`next(...)` makes the next entry a lie; everything after it is honest again and hashed over it.
"""

import copy

from .canonical import ZEROS, b64, encode, hash_of, labelled, pseudo, uuid
from .notes import NoteKey, body_of, leaf_of, note_of, root_of
from .people import registration, touch

SECOND = 1_000_000
HOUR, DAY = 3600, 86400
START = 1_767_225_600 * SECOND  # 2026-01-01
NAME, RP_ID = "vitrine.example/ledger", "vitrine.example"
ORIGINS = ["https://vitrine.example", "https://break.vitrine.example:8443"]


class Ledger:
    """Entries so far, and what an honest writer must remember to go on."""

    def __init__(self, name=NAME, rp_id=RP_ID, origins=ORIGINS, tokens=2, label=""):
        self.name, self.rp_id, self.origins, self.label = name, rp_id, list(origins), label
        self.entries, self.leaves = [], []
        self.time = START - SECOND
        self.eras = [(0, [NoteKey(f"{label} token {n}", name) for n in range(tokens)])]
        self.earlier = []         # checkpoints taken on the way: (size, note)
        self.rosters = {}         # safe -> leaves of its roster.set, and what they say
        self.sealed = {}          # (credential, version) -> data of version.sealed
        self.roles = {}           # (safe, target, name) -> leaf of the last role.set
        self.counters, self._counts = {}, {}
        self._next, self.verdict = {}, None
        self.quiet = False        # True: no honest entry after the lie
        self.unchecked = False    # True: the lie is such that the generator can't check its own hashes

    # Lies and verdicts

    def next(self, **lie):
        """The next entry lies. Edits (one or a list): statement, data, entry. Functions on bytes: statement_bytes, raw.
        Values: actor, authenticator, by (the touching key's owner stays). Dicts for people.touch: touch, admission."""
        self._next = lie
        return self

    def false(self, seq=None, also=()):
        """The entry just written (or the one named) is false. `also`: entries that another reading would name."""
        self.verdict = (1, self.last if seq is None else seq, list(also))
        return self

    def unknown(self, seq=None):
        """The entry just written is what version 1 does not know."""
        self.verdict = (2, self.last if seq is None else seq, [])
        return self

    def copy(self):
        return copy.deepcopy(self)

    # Time

    def wait(self, seconds):
        """Lets time pass before the next entry (which by itself takes one second)."""
        self.time += round(seconds * SECOND) - SECOND
        return self

    def until(self, time):
        """The next entry has exactly this time."""
        self.time = time - SECOND
        return self

    def days(self, n):
        """Days go by with nothing but clock.ticked, one every 12 h."""
        for _ in range(2 * n):
            self.wait(DAY / 2).append("clock.ticked", {})
        return self

    # Entries

    @property
    def last(self):
        return len(self.entries) - 1

    @property
    def founded(self):
        return self.leaves[0].hex()

    def leaf(self, seq):
        return self.leaves[seq].hex()

    def append(self, event, data, actor="system"):
        """Writes one entry; returns its seq."""
        lie, self._next = self._next, {}
        _apply(lie.get("data"), data)
        self.time += SECOND
        entry = {"actor": lie.get("actor", actor), "data": data, "event": event,
                 "prev": self.leaf(-1) if self.leaves else ZEROS, "seq": len(self.entries), "time": self.time, "v": 1}
        _apply(lie.get("entry"), entry)
        return self.raw(lie.get("raw", _same)(encode(entry)))

    def raw(self, line):
        """Writes bytes as an entry, whatever they are."""
        self.entries.append(line)
        self.leaves.append(leaf_of(line))
        return self.last

    def signed(self, event, by, kind, members, key=None, data=None, signer=None):
        """Writes a signed event: `by` touches `key` (their first) for a statement of this kind."""
        lie = self._next
        key = key or by.key()
        text, assertion = self.sign(by, kind, members, key)
        data = {"assertion": assertion, "authenticator": lie.get("authenticator", key.id),
                "statement": text, **(data or {})}
        return self.append(event, data, actor=by.user)

    def sign(self, by, kind, members, key):
        """A statement and the assertion over it."""
        lie = self._next
        statement = {"kind": kind, "ledger": self.founded, "nonce": self.nonce(), "signer": by.user, "v": 1, **members}
        _apply(lie.get("statement"), statement)
        self.statement = statement
        line = lie.get("statement_bytes", _same)(encode(statement))
        return line.decode(), self.touch(key, line, lie.get("touch", {}))

    def touch(self, key, line, lie=None):
        """The assertion of that key over statement bytes."""
        if key.counts:
            self.counters[key.id] = self.counters.get(key.id, 0) + 1
        lie = dict(lie or {})
        counter = lie.pop("counter", self.counters.get(key.id, 0))
        origin = lie.pop("origin", self.origins[0])
        digest = labelled("statement", lie.pop("over", line))
        return touch(key, digest, self.rp_id, origin, counter, lie)

    def nonce(self):
        return b64(pseudo(f"nonce {self.label} {self.fresh('nonce')}"))

    def fresh(self, thing):
        """Counts: the n-th of its kind."""
        self._counts[thing] = self._counts.get(thing, 0) + 1
        return self._counts[thing]

    def id(self, thing):
        return uuid(f"{thing} {self.label} {self.fresh(thing)}")

    # Founding, people, keys

    def found(self, continues=None):
        data = {"checkpoint_keys": [key.verifier for key in self.eras[0][1]], "name": self.name,
                "origins": self.origins, "rp_id": self.rp_id}
        return self.append("ledger.founded", {**data, **({"continues": continues} if continues else {})})

    def _invite(self, person, life):
        self.fresh(f"token {person.user}")
        return {"expires": self.time + life * SECOND, "invitation": self.invitation(person), "name": person.name,
                "roles": list(person.roles), "user": person.user}

    def invitation(self, person, n=None):
        """The hash of their newest invitation's token, or of the n-th."""
        n = n or self._counts.get(f"token {person.user}", 0)
        return labelled("invitation", pseudo(f"token {self.label} {person.user} {n}")).hex()

    def invite_first(self, person):
        """Entry 1: unsigned, the whole statement as data."""
        return self.append("person.invited", {"kind": "invite", "ledger": self.founded, "nonce": self.nonce(), "v": 1,
                                              **self._invite(person, 2 * DAY)})

    def invite(self, person, by, life=2 * DAY):
        return self.signed("person.invited", by, "invite", self._invite(person, life))

    def set_roles(self, person, roles, by):
        return self.signed("person.roles", by, "roles", {"roles": roles, "user": person.user})

    def enrol(self, person, n=1, admit=None):
        """The person's n-th key; a further one (n > 1) is admitted by another, key 1 unless said."""
        lie, key = self._next, person.key(n)
        made = encode({"kind": "register", "ledger": self.founded, "nonce": self.nonce(), "user": person.user, "v": 1})
        shown = registration(key, labelled("statement", made), self.rp_id, self.origins[0])
        members = {"aaguid": b64(key.aaguid), "authenticator": key.id, "credential_id": b64(key.credential_id),
                   "name": person.name, "public_key": b64(key.public),
                   "registration_sha256": labelled("registration", encode(shown)).hex(), "user": person.user}
        if key.share_key:
            members["share_key"] = b64(key.share_key)
        if n == 1:
            members["invitation"] = self.invitation(person)
        text, assertion = self.sign(person, "enrol", members, key)
        data = {"assertion": assertion, "authenticator": key.id, "registration": shown, "statement": text}
        if n > 1:
            admit = admit or person.key(1)
            data["admission"] = {"assertion": self.touch(admit, text.encode(), lie.get("admission")),
                                 "authenticator": admit.id}
        return self.append("authenticator.enrolled", data, actor=person.user)

    def _on_key(self, event, kind, person, by, n, why, key):
        return self.signed(event, by, kind, {"authenticator": person.key(n).id, "user": person.user, "why": why}, key)

    def revoke(self, person, by, n=1, why="lost on a train", key=None):
        return self._on_key("authenticator.revoked", "revoke", person, by, n, why, key)

    def suspend(self, person, by, n=1, why="left at home", key=None):
        return self._on_key("authenticator.suspended", "suspend", person, by, n, why, key)

    def unsuspend(self, person, by, n=1, why="found again", key=None):
        return self._on_key("authenticator.restored", "unsuspend", person, by, n, why, key)

    def distrust(self, person, n=1, counter=1):
        return self.append("authenticator.distrusted", {"authenticator": person.key(n).id, "counter": counter})

    # Sealed versions, rotations, the rest

    def seal(self, safe, credential, version=1, origin="generated", by=None, roster=None, keys=None):
        """Seals under the roster in force, to every key it names, unless said."""
        leaf, new = roster or self.rosters[safe][-1]
        keys = keys or [key for approver in new["approvers"] for key in approver["authenticators"]]
        data = {"authenticators": keys, "credential": credential, "envelope": hash_of(f"envelope {credential} {version}"),
                "epoch": new["epoch"], "key_commitment": hash_of(f"key {credential} {version}"), "origin": origin,
                "roster": leaf, "safe": safe, "version": version}
        if by:
            named = {name: data[name] for name in ("credential", "envelope", "safe", "version")}
            text, assertion = self.sign(by, "import", named, by.key())
            data.update(origin="imported", **{"import": {
                "assertion": assertion, "authenticator": self._next.get("authenticator", by.key().id),
                "statement": text}})
        self.sealed[credential, version] = data
        return self.append("version.sealed", data)

    def rotation(self, step, rotation, credential, version, observed="as expected"):
        return self.append(f"rotation.{step}", {"credential": credential, "observed": observed,
                                                "rotation": rotation, "version": version})

    def setting(self, by, name="page.idle_s", value="600", key=None):
        return self.signed("setting.changed", by, "setting", {"name": name, "value": value}, key)

    def accept_clock(self, by, why="the clock was wrong for a week", earliest=0):
        """`earliest`: how long before this entry the signed time lies, in seconds."""
        return self.signed("clock.accepted", by, "clock", {
            "entry": self.leaf(-1), "time": self.time + SECOND - earliest * SECOND, "why": why})

    def roll_kek(self, token="custody-1"):
        return self.append("kek.rolled", {"key": self.id("kek"), "token": token})

    def start_software(self, release="1.0.0"):
        return self.append("software.started", {
            "pages": [{"path": "/assets/requests-approve.js", "sha256": hash_of("page")}],
            "program_sha256": hash_of("program"), "release": release})

    def finish_drill(self, safe, outcome="passed"):
        return self.append("drill.finished", {"outcome": outcome, "report_sha256": hash_of("report"), "safe": safe})

    # Checkpoints

    def keys(self, size):
        """The checkpoint keys in force for a checkpoint of that size."""
        return [keys for after, keys in self.eras if size > after or after == 0][-1]

    def change_checkpoint_keys(self, *labels):
        keys = [NoteKey(label, self.name) for label in labels]
        seq = self.append("checkpoint_keys.changed", {"checkpoint_keys": [key.verifier for key in keys]})
        self.checkpoint()
        self.eras.append((seq + 1, keys))
        return seq

    def body(self, size=None):
        size = len(self.entries) if size is None else size
        return body_of(self.name, size, root_of(self.leaves[:size]))

    def note(self, size=None, keys=None):
        """A checkpoint of that size, signed by the first key in force unless said."""
        size = len(self.entries) if size is None else size
        return note_of(self.body(size), keys or self.keys(size)[:1])

    def checkpoint(self, keys=None):
        """Takes a checkpoint that the export will hold as an earlier one."""
        self.earlier.append((len(self.entries), self.note(keys=keys)))
        return self


def _apply(edits, value):
    for edit in edits if isinstance(edits, (list, tuple)) else [edits] if edits else []:
        edit(value)


def _same(value):
    return value
