"""What the entries so far have made true, and how the rules are found by event."""

from dataclasses import dataclass, field

import touch
from canonical import Lie

ZEROS = "0" * 64
SECOND = 1_000_000
HOUR = 3600 * SECOND
DAY = 24 * HOUR

RULES: dict = {}


def rule(*events: str):
    """The decorated function judges these events and changes the state by them."""

    def register(judge):
        RULES.update(dict.fromkeys(events, judge))
        return judge

    return register


def require(condition, lie: str):
    if not condition:
        raise Lie(lie)


@dataclass(slots=True)
class Entry:
    seq: int
    time: int
    actor: str
    event: str
    data: dict
    leaf: str
    prev: str
    statement: dict | None = None  # of a signed event, and entry 1
    text: str = ""  # its canonical bytes as they stand in `data`
    challenge: bytes = b""
    imported: dict | None = None  # the statement of `import`
    import_challenge: bytes = b""


@dataclass(slots=True)
class Person:
    user: str
    name: str
    invitation: str
    expires: int
    roles: set
    used: bool = False

    def lapsed(self, time: int) -> bool:
        """The invitation expired unused: user and name are free."""
        return not self.used and time >= self.expires


@dataclass(slots=True)
class Key:
    user: str
    public: object
    can_hold_share: bool
    revoked: bool = False
    suspended: bool = False
    counter: int | None = None

    @property
    def live(self) -> bool:
        return not self.revoked and not self.suspended


@dataclass(slots=True)
class Roster:
    leaf: str
    safe: str
    epoch: int
    m: int
    denials: int
    drill: bool
    request_life: int
    grant_life: int
    approvers: dict  # user -> set of authenticators

    @property
    def keys(self) -> set:
        return set().union(*self.approvers.values())


@dataclass(slots=True)
class Approval:
    seq: int
    time: int
    user: str
    key: Key


@dataclass(slots=True)
class Request:
    entry: Entry
    key: Key
    named: Roster | None  # None at epoch 1
    decided: dict = field(default_factory=dict)  # user -> last decision
    approvals: list = field(default_factory=list)
    acceptances: dict = field(default_factory=dict)  # seq -> authenticator
    spent: bool = False
    ended: bool = False
    refused: bool = False
    opened: int | None = None  # time of release.opened
    closed: bool = False

    @property
    def statement(self) -> dict:
        return self.entry.statement

    @property
    def denials(self) -> int:
        return sum(decision == "deny" for decision in self.decided.values())


@dataclass(slots=True)
class Version:
    seq: int
    safe: str
    envelope: str
    roster: str
    epoch: int
    roster_in_force: bool
    destroyed: bool = False


@dataclass(slots=True)
class Rotation:
    credential: str
    version: int
    stage: str


class State:
    def __init__(self):
        self.ledger = ""  # its name: the leaf of entry 0
        self.name = ""  # its origin
        self.rp_id = ""
        self.origins: list[str] = []
        self.checkpoint_keys: list[tuple[int, list]] = []  # (from above this size, keys)
        self.warnings: list[str] = []

        self.people: dict[str, Person] = {}
        self.names: dict[str, Person] = {}
        self.keys: dict[str, Key] = {}
        self.used: set = set()  # (what, value) that are unique in the whole ledger

        self.requests: dict[str, Request] = {}
        self.filings: dict[str, Request] = {}  # by leaf
        self.grants: dict[str, bool] = {}  # running?
        self.rosters: dict[str, Roster] = {}  # by leaf
        self.in_force: dict[str, Roster] = {}  # by safe
        self.versions: dict[tuple, Version] = {}
        self.safe_of: dict[str, str] = {}  # by credential
        self.roles: dict[tuple, Entry] = {}  # newest by (safe, target, name)
        self.bound: dict[str, tuple] = {}  # credential -> (target, account)
        self.bound_to: dict[tuple, str] = {}  # (target, account) -> credential
        self.resealed: set[str] = set()  # credentials that a reseal.opened named
        self.rotations: dict[str, Rotation] = {}

    def once(self, what: str, value):
        """Unique in the whole ledger."""
        require((what, value) not in self.used, f"unique: this {what} was there before")
        self.used.add((what, value))

    def role(self, user: str, role: str):
        person = self.people.get(user)
        require(person and role in person.roles, f"who: only a {role} may")

    def key_of(self, authenticator: str, user: str) -> Key:
        key = self.keys.get(authenticator)
        require(key and key.user == user, "keys: no enrolled key of that user")
        return key

    def touched(self, entry: Entry, held: dict, signer: str, challenge: bytes) -> Key:
        """The live key of the signer that gave the assertion in `held`."""
        key = self.key_of(held["authenticator"], signer)
        require(key.live, "assertion: the key is not live")
        self.assertion(entry, key, held["assertion"], challenge)
        return key

    def assertion(self, entry: Entry, key: Key, assertion: dict, challenge: bytes):
        counter = touch.check(assertion, challenge, key.public, self.rp_id, self.origins)
        last, key.counter = key.counter, counter
        if last is not None and counter <= last and not counter == last == 0:
            self.warnings.append(f"seq {entry.seq}: a counter went from {last} to {counter}")

    def statement(self, statement: dict):
        """What every statement in the ledger has."""
        require(statement["ledger"] == self.ledger, "statement: it is for another ledger")
        self.once("nonce", statement["nonce"])

    def belongs(self, credential: str, safe: str):
        require(
            self.safe_of.setdefault(credential, safe) == safe,
            "belonging: the credential is another safe's",
        )
