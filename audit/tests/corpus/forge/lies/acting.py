"""FORMATS.md 4, "A request is spent by one acting entry": lies that every acting entry can tell."""

import json

from .. import stories
from ..canonical import ZEROS, b64, change, hash_of, put, uuid
from ..cases import add, case
from ..ledger import SECOND
from ..stories import ADA, BEN, CARLA, CY, DB, ROB, SAFE, access_agreed, approved, opened

MANY = '"at least max(m of the named roster, m in force at t) counting approvals by distinct users, all in `approvals`"'
ALL = '"all of them counting"'

# The same lies for every acting entry

ACTS = {  # name: (event, beginning with a request approved by Ada and Ben, act, beginning without approvals)
    "release": ("release.opened", stories.approved, lambda v, **k: v.open(v.filed, **k)),
    "roster": ("roster.set", stories.changing, lambda v, **k: v.set_roster(v.filed, **k)),
    "target": ("target.set", stories.target_agreed, lambda v, **k: v.set_target(v.filed, **k)),
    "role": ("role.set", stories.role_agreed, lambda v, **k: v.set_role(v.filed, **k)),
    "destroy": ("version.destroyed", stories.destroy_agreed, lambda v, **k: v.destroy(v.filed, **k)),
    "reseal": ("reseal.opened", stories.reseal_agreed, lambda v, **k: v.open_reseal(v.filed, **k)),
    "access": ("grant.started", stories.access_agreed, lambda v, **k: v.start_grant(v.filed, **k)),
}


def _last_entry(vault):
    return json.loads(vault.entries[-1])


def _none_listed(vault, act):
    act(vault, approvals=[])


def _one_short(vault, act):
    act(vault, approvals=vault.filed.approvals[:-1])


def _filing_listed(vault, act):
    act(vault, approvals=[vault.filed.seq, *vault.filed.approvals])


def _itself_listed(vault, act):
    act(vault, approvals=[*vault.filed.approvals, vault.last + 1])


def _future_listed(vault, act):
    act(vault, approvals=[*vault.filed.approvals, vault.last + 1000])


def _founding_listed(vault, act):
    act(vault, approvals=[0, *vault.filed.approvals])


def _denial_listed(vault, act):
    denial = vault.deny(vault.filed, CY)
    act(vault, approvals=[*vault.filed.approvals, denial])


def _unrostered_listed(vault, act):
    vault.approve(vault.filed, ROB if vault.filed.statement["signer"] == CARLA.user else CARLA)
    act(vault)


def _own_denial_follows(vault, act):
    vault.deny(vault.filed, ADA)
    act(vault)


def _revoked(vault, act):
    vault.revoke(ADA, CARLA)
    act(vault)


def _suspended(vault, act):
    vault.suspend(ADA, CARLA)
    act(vault)


def _distrusted(vault, act):
    vault.distrust(ADA)
    act(vault)


def _spent_twice(vault, act):
    act(vault)
    act(vault)


def _ended(vault, act):
    vault.end(vault.filed, "withdrawn")
    act(vault)


def _filer_revoked(vault, act):
    signer = {person.user: person for person in (CARLA, ROB)}[vault.filed.statement["signer"]]
    if signer is CARLA:
        vault.enrol(CARLA, 2)
    vault.revoke(signer, CARLA, key=CARLA.key(2) if signer is CARLA else None)
    act(vault)


def _request_of_nobody(vault, act):
    vault.next(data=put("request", uuid("a request nobody filed")))
    act(vault)


EVERYWHERE = {
    "none-listed": ("no approval is listed", MANY, _none_listed),
    "one-short": ("one approval too few is listed", MANY, _one_short),
    "filing-listed": ("the filing is listed as an approval", ALL, _filing_listed),
    "itself-listed": ("it lists itself as an approval", ALL, _itself_listed),
    "future-listed": ("it lists an entry that is not there", ALL, _future_listed),
    "founding-listed": ("it lists entry 0 as an approval", ALL, _founding_listed),
    "denial-listed": ("it lists a denial as an approval", ALL, _denial_listed),
    "unrostered-listed": ("it lists an approval by somebody who is not rostered", '"somebody not rostered ... may not be listed"',
                          _unrostered_listed),
    "own-denial-follows": ("Ada approved, denied, and is listed", '"no denial by the same person precedes t"',
                           _own_denial_follows),
    "revoked": ("Ada's key was revoked after she approved", '"its key is live at its own seq and at t"', _revoked),
    "suspended": ("Ada's key is suspended at t", '"its key is live at its own seq and at t"', _suspended),
    "distrusted": ("Ada's key is distrusted at t", '"its key is live at its own seq and at t"', _distrusted),
    "spent-twice": ("it acts twice", '"A request is spent by one acting entry"', _spent_twice),
    "ended": ("the request was withdrawn", '"neither ended nor refused before"', _ended),
    "filer-revoked": ("the key that filed was revoked", '"the filing\'s key not revoked before t"', _filer_revoked),
    "request-of-nobody": ("it names a request nobody filed", '"A request is spent by one acting entry"', _request_of_nobody),
}

for _act, (_event, _begin, _write) in ACTS.items():
    for _name, (_what, _rule, _how) in EVERYWHERE.items():
        def _acted(begin=_begin, write=_write, how=_how):
            vault = begin()
            how(vault, write)
            return vault.false()
        add(f"acting-{_act}-{_name}", f"`{_event}`: {_what}. {_rule}", _acted)

    if _act != "release":
        def _at_expires(begin=_begin, write=_write):
            vault = begin()
            vault.until(vault.filed.statement["expires"])
            write(vault)
            return vault.false()
        add(f"acting-{_act}-at-expires", f"`{_event}` exactly at `expires`. \"Every acting entry but `release.opened` has time < "
            '`expires`"', _at_expires)

    # "members equal to the request's": each member that both have, replaced by another value of its type
    _true = _begin()
    _write(_true)
    for _member, _value in _last_entry(_true)["data"].items():
        if _member in ("approvals", "acceptances", "request", "grant", "until", "new"):
            continue

        def _unequal(begin=_begin, write=_write, member=_member):
            def other(value):
                if isinstance(value, int):
                    return value + 1
                if isinstance(value, list):
                    return [*value, value[0]] if isinstance(value[0], str) else [{**value[0], "version": 7}]
                if member == "delivery_key":
                    return b64(b"\x09" + bytes(31))
                if member == "pin":
                    return "sha256:" + "0f" * 32
                if len(value) == 64:
                    return hash_of("another")
                return uuid("another") if len(value) == 36 else "another"
            vault = begin()
            vault.next(data=change(member, other))
            write(vault)
            return vault.false()
        add(f"acting-{_act}-other-{_member.replace('_', '-')}", f"`{_event}`: `{_member}` is not the request's. \"members "
            'equal to the request\'s"', _unequal)


# Purposes: an acting entry of one purpose that names a request of another


def _mismatch(event, data):
    """An approved access, and an acting entry that makes something else of it."""
    vault = access_agreed()
    vault.approve(vault.filed, BEN)
    vault.seal(SAFE, DB)
    vault.append(event, {"approvals": vault.filed.approvals, "request": vault.filed.id, **data(vault)})
    return vault.false()


PURPOSES = {
    "release.opened": lambda v: {name: v.sealed[DB, 1][name] for name in (
        "credential", "envelope", "epoch", "roster", "safe", "version")} | {"requester": ROB.user},
    "target.set": lambda v: {"account": "postgres", "address": "db1.example:5432/postgres", "connector": "postgresql",
                             "credential": DB, "pin": "unix", "safe": SAFE, "target": uuid("target 1")},
    "role.set": lambda v: {"access": hash_of("all"), "max_s": 900, "name": "superuser", "needed": 0, "previous": ZEROS,
                           "safe": SAFE, "target": uuid("target 1"), "windows": ["always"]},
    "version.destroyed": lambda v: {"safe": SAFE, "versions": v.versions((DB, 1))},
    "reseal.opened": lambda v: {"delivery_key": v.filed.statement["delivery_key"], "safe": SAFE, "versions": v.versions((DB, 1))},
}

for _event, _data in PURPOSES.items():
    def _other_purpose(event=_event, data=_data):
        return _mismatch(event, data)
    add(f"acting-{_event.replace('.', '-')}-of-an-access", f"`{_event}` names an approved request for access. \"members equal to "
        'the request\'s"', _other_purpose)


@case
def grant_of_a_release():
    """`grant.started` names an approved release. "a release has no grant" """
    vault = approved()
    vault.append("grant.started", {"approvals": vault.filed.approvals, "grant": uuid("grant"), "request": vault.filed.id,
                                   "target": uuid("target 1"), "until": vault.time + 60 * SECOND})
    return vault.false()


@case
def grant_beside_an_opened_release():
    """`grant.started` names a release that is open. "a release has no grant" """
    vault = opened()
    vault.append("grant.started", {"approvals": vault.filed.approvals, "grant": uuid("grant"), "request": vault.filed.id,
                                   "target": uuid("target 1"), "until": vault.time + 60 * SECOND})
    return vault.false()


@case
def destroys_by_a_reseal():
    """`version.destroyed` names an approved reseal of the same versions. "A request is spent by one acting entry" """
    vault = stories.reseal_agreed()
    vault.destroy(vault.filed)
    return vault.false()


@case
def opens_by_a_restore():
    """`reseal.opened` names an approved restore. "**restore** has no acting entry here" """
    vault = stories.sealed()
    vault.filed = vault.ask_restore(CARLA, SAFE)
    vault.approve(vault.filed, ADA, BEN)
    vault.append("reseal.opened", {"approvals": vault.filed.approvals, "delivery_key": b64(b"\x09" + bytes(31)),
                                   "request": vault.filed.id, "safe": SAFE, "versions": vault.versions((DB, 1))})
    return vault.false()
