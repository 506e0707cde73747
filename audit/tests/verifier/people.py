"""Who there is, their roles, and their keys."""

import unicodedata

import touch
from canonical import H, encode, unbase64url
from shapes import verifier_key
from state import DAY, Entry, Key, Person, State, require, rule


@rule("ledger.founded")
def founded(state: State, e: Entry):
    state.ledger = e.leaf
    state.name, state.rp_id, state.origins = e.data["name"], e.data["rp_id"], e.data["origins"]
    _checkpoint_keys(state, e, above=0)


@rule("checkpoint_keys.changed")
def checkpoint_keys_changed(state: State, e: Entry):
    _checkpoint_keys(state, e, above=e.seq + 1)


def _checkpoint_keys(state: State, e: Entry, above: int):
    keys = e.data["checkpoint_keys"]
    require(
        all(verifier_key(key)[0] == state.name for key in keys),
        "checkpoint keys: not named as the ledger is",
    )
    state.checkpoint_keys.append((above, keys))


@rule("clock.accepted")
def clock_accepted(state: State, e: Entry):
    require(e.statement["entry"] == e.prev, "clock: entry is not this entry's prev")
    time = e.statement["time"]
    require(time <= e.time <= time + DAY, "clock: the entry's time is not in [time, time + 24 h]")


@rule("setting.changed")
def setting_changed(state: State, e: Entry):
    state.role(e.actor, "custodian")


@rule("person.invited")
def invited(state: State, e: Entry):
    s = e.statement
    if e.seq == 1:
        require("custodian" in s["roles"], "who: the first person is a custodian")
    else:
        state.role(s["signer"], "custodian")
    person = Person(s["user"], s["name"], s["invitation"], s["expires"], set(s["roles"]))
    folded = unicodedata.normalize("NFC", s["name"].casefold())
    for what, taken in (("user", state.people.get(s["user"])), ("person name", state.names.get(folded))):
        freed = taken is None or taken.lapsed(e.time)
        require(freed, f"unique: this {what} was there before")
    state.people[person.user] = state.names[folded] = person


@rule("person.roles")
def roles(state: State, e: Entry):
    state.role(e.actor, "custodian")
    person = state.people.get(e.statement["user"])
    invited = person and not person.lapsed(e.time)
    require(invited, "keys: roles of somebody who was not invited, or whose invitation has expired unused")
    person.roles = set(e.statement["roles"])


@rule("authenticator.enrolled")
def enrolled(state: State, e: Entry):
    s, data = e.statement, e.data
    require(s["user"] == s["signer"], "enrol: signed by somebody else than its user")
    require(s["authenticator"] == data["authenticator"], "enrol: authenticator differs")
    registration = H("registration", encode(data["registration"]).encode())
    require(registration.hex() == s["registration_sha256"], "enrol: registration_sha256 differs")
    person = state.people.get(s["user"])
    require(person, "keys: a key of somebody who was not invited")
    require(s["name"] == person.name, "keys: name is not the invited name")
    state.once("authenticator", s["authenticator"])
    state.once("credential_id", s["credential_id"])
    state.once("public_key", s["public_key"])
    if "share_key" in s:
        state.once("share_key", s["share_key"])

    key = Key(s["user"], touch.public_key(unbase64url(s["public_key"])), "share_key" in s)
    state.assertion(e, key, data["assertion"], e.challenge)
    if person.used:
        require("invitation" not in s, "keys: a further key carries an invitation")
        require("admission" in data, "keys: a further key without an admission")
        state.touched(e, data["admission"], s["user"], e.challenge)
    else:
        require("admission" not in data, "keys: a first key carries an admission")
        require(s.get("invitation") == person.invitation, "keys: not that user's invitation")
        require(e.time < person.expires, "keys: the invitation has expired")
        person.used = True
    state.keys[s["authenticator"]] = key


@rule("authenticator.revoked")
def revoked(state: State, e: Entry):
    key = _other_or_own(state, e)
    require(not key.revoked, "keys: revoked twice")
    key.revoked = True


@rule("authenticator.suspended")
def suspended(state: State, e: Entry):
    key = _other_or_own(state, e)
    require(key.live, "keys: suspended when it is not live")
    key.suspended = True


@rule("authenticator.restored")
def restored(state: State, e: Entry):
    state.role(e.actor, "custodian")
    key = state.key_of(e.statement["authenticator"], e.statement["user"])
    require(key.suspended and not key.revoked, "keys: restored when it is not suspended")
    key.suspended = False


@rule("authenticator.distrusted")
def distrusted(state: State, e: Entry):
    key = state.keys.get(e.data["authenticator"])
    require(key and key.live, "keys: distrusted when it is not enrolled and live")
    key.suspended = True


def _other_or_own(state: State, e: Entry) -> Key:
    if e.statement["user"] != e.actor:
        state.role(e.actor, "custodian")
    return state.key_of(e.statement["authenticator"], e.statement["user"])
