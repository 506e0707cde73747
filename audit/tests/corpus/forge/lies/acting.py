"""FORMATS.md 4: "An approval counts at t" and "A request is spent by one acting entry": what is acted on without right."""

import json

from ..canonical import ZEROS, b64, change, hash_of, put, uuid
from ..cases import add, case
from ..ledger import DAY, HOUR, SECOND
from ..people import Person
from ..requests import roster_of
from .. import stories
from ..stories import (ADA, BEN, CARLA, CY, DB, DORA, EVE, OTHER_SAFE, ROB, ROUTER, SAFE, access_agreed, access_asked,
                       approved, asked, changed, granted, opened, people, role, safe, sealed)

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
    "own-denial-follows": ("Ada approved, denied, and is listed", '"no denial by the same person precedes t"', _own_denial_follows),
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
        add(f"acting-{_act}-other-{_member.replace('_', '-')}", f"`{_event}`: `{_member}` is not the request's. \"members equal to "
            'the request\'s"', _unequal)


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


# What counts, on releases

@case
def nobody_approved():
    """Opened without any approval. "at least max(m of the named roster, m in force at t)" """
    vault = asked()
    vault.open(vault.filed)
    return vault.false()


@case
def one_approved():
    """Opened with one approval of two. "at least max(m of the named roster, m in force at t)" """
    vault = asked()
    vault.approve(vault.filed, ADA)
    vault.open(vault.filed)
    return vault.false()


@case
def approvals_of_another_request():
    """Approvals of an equal, earlier request are listed. "filed < approved < t" """
    vault = approved()
    other = vault.ask_release(ROB, DB)
    vault.open(other, vault.filed.approvals)
    return vault.false()


@case
def one_approval_of_another_request():
    """One of the two listed is of another request. "all of them counting" """
    vault = approved()
    other = vault.ask_release(ROB, DB)
    vault.approve(other, ADA)
    vault.open(other, [vault.filed.approvals[1], *other.approvals])
    return vault.false()


@case
def third_listed_does_not_count():
    """Two count, a third listed is of somebody not rostered. "all of them counting" """
    vault = asked()
    vault.approve(vault.filed, ADA, BEN, CARLA)
    vault.open(vault.filed)
    return vault.false()


@case
def requester_approves():
    """The requester, an approver too, is the second of two. "the signer is not the requester" """
    vault = sealed()
    vault.set_roles(ADA, ["approver", "requester"], CARLA)
    filed = vault.ask_release(ADA, DB)
    vault.approve(filed, ADA, BEN)
    vault.open(filed)
    return vault.false()


@case
def requester_approves_as_third():
    """Two others count, and the requester is listed too. "An approval by the requester ... may not be listed" """
    vault = sealed()
    vault.set_roles(ADA, ["approver", "requester"], CARLA)
    filed = vault.ask_release(ADA, DB)
    vault.approve(filed, ADA, BEN, CY)
    vault.open(filed)
    return vault.false()


@case
def approved_at_expires():
    """Ben approves exactly at `expires` and is listed. "its time < `expires`" """
    vault = asked()
    vault.approve(vault.filed, ADA)
    vault.until(vault.filed.statement["expires"]).approve(vault.filed, BEN)
    vault.open(vault.filed)
    return vault.false()


@case
def approved_late():
    """Both approve after `expires` and are listed. "An approval ... after `expires` ... may not be listed" """
    vault = asked()
    vault.wait(2 * HOUR).approve(vault.filed, ADA, BEN)
    vault.open(vault.filed)
    return vault.false()


@case
def late_third_listed():
    """Two in time, a third late and listed. "all of them counting" """
    vault = approved()
    vault.wait(HOUR - 2).approve(vault.filed, CY)
    assert vault.time >= vault.filed.statement["expires"]
    vault.open(vault.filed)
    return vault.false()


@case
def two_denials_of_two():
    """Two denials, where two are enough. "fewer valid denials than the smaller `denials` of the two" """
    vault = people()
    vault.join(DORA, CARLA)
    vault.found_safe(SAFE, CARLA, ADA, BEN, CY, DORA)
    vault.seal(SAFE, DB)
    filed = vault.ask_release(ROB, DB)
    vault.deny(filed, CY)
    vault.approve(filed, ADA, BEN)
    vault.deny(filed, DORA)
    vault.open(filed)
    return vault.false()


@case
def one_denial_of_one():
    """One denial, where one is enough. "fewer valid denials than the smaller `denials`" """
    vault = people()
    vault.found_safe(SAFE, CARLA, ADA, BEN, CY, denials=1)
    vault.seal(SAFE, DB)
    filed = vault.ask_release(ROB, DB)
    vault.deny(filed, CY)
    vault.approve(filed, ADA, BEN)
    vault.open(filed)
    return vault.false()


@case
def own_late_denial_is_enough():
    """Denials 1: Cy approves, then denies; two others are listed. "a denial after one's own approval" is a denial"""
    vault = people()
    vault.found_safe(SAFE, CARLA, ADA, BEN, CY, denials=1)
    vault.seal(SAFE, DB)
    filed = vault.ask_release(ROB, DB)
    vault.approve(filed, CY, ADA, BEN)
    vault.deny(filed, CY)
    vault.open(filed, filed.approvals[1:])
    return vault.false()


@case
def smaller_denials_of_the_new_roster():
    """Denials are 2 by the named roster and 1 by the one in force. "the smaller `denials` of the two" """
    vault = sealed()
    change_ = vault.ask_roster(CARLA, SAFE, roster_of(ADA, BEN, CY, epoch=2, denials=1))
    vault.approve(change_, ADA, BEN)
    vault.set_roster(change_)
    filed = vault.ask_release(ROB, DB)
    vault.deny(filed, CY)
    vault.approve(filed, ADA, BEN)
    vault.open(filed)
    return vault.false()


@case
def smaller_denials_of_the_old_roster():
    """Denials are 1 by the named roster and 2 by the one in force. "the smaller `denials` of the two" """
    vault = people()
    vault.found_safe(SAFE, CARLA, ADA, BEN, CY, denials=1)
    vault.seal(SAFE, DB)
    change_ = vault.ask_roster(CARLA, SAFE, roster_of(ADA, BEN, CY, epoch=2, denials=2))
    vault.approve(change_, ADA, BEN)
    vault.set_roster(change_)
    filed = vault.ask_release(ROB, DB)
    vault.deny(filed, CY)
    vault.approve(filed, ADA, BEN)
    vault.open(filed)
    return vault.false()


def _two_epochs(m_old, m_new, old=(ADA, BEN, CY), new=(ADA, BEN, CY)):
    """A version sealed under epoch 1, and epoch 2 in force."""
    vault = people()
    if DORA in new or DORA in old:
        vault.join(DORA, CARLA)
    vault.found_safe(SAFE, CARLA, *old, m=m_old)
    vault.seal(SAFE, DB)
    filed = vault.ask_roster(CARLA, SAFE, roster_of(*new, epoch=2, m=m_new))
    for person in new:
        if person not in old:
            vault.accept(filed, person)
    vault.approve(filed, *old[:m_old])
    vault.set_roster(filed)
    return vault


@case
def m_of_the_new_roster_is_larger():
    """m was 2, is 3 now; two approve. "max(m of the named roster, m in force at t)" """
    vault = _two_epochs(2, 3)
    filed = vault.ask_release(ROB, DB)
    vault.approve(filed, ADA, BEN)
    vault.open(filed)
    return vault.false()


@case
def m_of_the_old_roster_is_larger():
    """m was 3, is 2 now; two approve. "max(m of the named roster, m in force at t)" """
    vault = _two_epochs(3, 2)
    filed = vault.ask_release(ROB, DB)
    vault.approve(filed, ADA, BEN)
    vault.open(filed)
    return vault.false()


@case
def m_grows_after_the_approvals():
    """Two of two approved; then m becomes 3. "m in force at t" """
    vault = approved()
    filed = vault.ask_roster(CARLA, SAFE, roster_of(ADA, BEN, CY, epoch=2, m=3))
    vault.approve(filed, ADA, BEN)
    vault.set_roster(filed)
    vault.open(vault.filed)
    return vault.false()


@case
def approver_was_removed():
    """Cy approved; epoch 2 removed him before the opening. "on the named roster and on the roster in force at t" """
    vault = asked()
    vault.approve(vault.filed, ADA, CY)
    vault.join(DORA, CARLA)
    filed = vault.ask_roster(CARLA, SAFE, roster_of(ADA, BEN, DORA, epoch=2))
    vault.accept(filed, DORA)
    vault.approve(filed, ADA, BEN)
    vault.set_roster(filed)
    vault.open(vault.filed)
    return vault.false()


@case
def approver_is_only_on_the_old_roster():
    """Cy, replaced, approves a release of the old version. "on the named roster and on the roster in force at t" """
    vault = changed()
    filed = vault.ask_release(ROB, DB)
    vault.approve(filed, ADA, CY)
    vault.open(filed)
    return vault.false()


@case
def approver_is_only_on_the_new_roster():
    """Dora, new, approves a release of the old version. "on the named roster and on the roster in force at t" """
    vault = changed()
    filed = vault.ask_release(ROB, DB)
    vault.approve(filed, ADA, DORA)
    vault.open(filed)
    return vault.false()


@case
def approver_of_another_safe():
    """Dora is an approver, of another safe. "on the named roster" """
    vault = asked()
    vault.join(DORA, CARLA)
    vault.found_safe(OTHER_SAFE, CARLA, DORA, ADA)
    vault.approve(vault.filed, ADA, DORA)
    vault.open(vault.filed)
    return vault.false()


@case
def approving_key_revoked_other_key_live():
    """Ada's key was revoked; her other key is live, but did not approve. "its key is live ... at t" """
    vault = asked()
    vault.enrol(ADA, 2)
    vault.approve(vault.filed, ADA, BEN)
    vault.revoke(ADA, CARLA)
    vault.open(vault.filed)
    return vault.false()


@case
def refused_before():
    """Opened after `release.refused`. "neither ended nor refused before" """
    vault = approved()
    vault.refuse(vault.filed)
    vault.open(vault.filed)
    return vault.false()


@case
def denied_and_opened():
    """Ended as denied, opened all the same. "neither ended nor refused before" """
    vault = asked()
    vault.deny(vault.filed, CY)
    vault.approve(vault.filed, ADA)
    vault.deny(vault.filed, ADA)
    vault.end(vault.filed, "denied")
    vault.open(vault.filed)
    return vault.false()


@case
def requester_is_another():
    """Opened to Eve, who did not ask. "members equal to the request's" """
    vault = approved()
    vault.join(EVE, CARLA)
    vault.next(data=put("requester", EVE.user)).open(vault.filed)
    return vault.false()


# Times of an opening

@case
def opened_late():
    """Opened exactly `open_within_s` after the second approval. "time < that of the m-th ... + `open_within_s`" """
    vault = approved()
    vault.until(vault.time + HOUR * SECOND).open(vault.filed)
    return vault.false()


@case
def opened_late_by_a_later_approval():
    """The second approval's time is over; a third, later one is listed instead of the first. "listed or not" """
    vault = asked()
    vault.approve(vault.filed, ADA, BEN)
    vault.wait(HOUR - 10).approve(vault.filed, CY)
    vault.wait(30).open(vault.filed, vault.filed.approvals[1:])
    return vault.false()


@case
def opened_late_listing_all():
    """The second approval's time is over; all three are listed. "the m-th ... counting approval in seq order" """
    vault = asked()
    vault.approve(vault.filed, ADA, BEN)
    vault.wait(HOUR - 10).approve(vault.filed, CY)
    vault.wait(30).open(vault.filed)
    return vault.false()


@case
def opened_late_with_the_larger_m():
    """m in force is 3: the third approval's time is over. "(the larger m)" """
    vault = _two_epochs(2, 3)
    filed = vault.ask_release(ROB, DB, open_within_s=600)
    vault.approve(filed, ADA, BEN)
    vault.wait(300).approve(filed, CY)
    vault.until(vault.time + 600 * SECOND).open(filed)
    return vault.false()


@case
def opened_within_longer_than_allowed():
    """`open_within_s` a second longer than the roster's `request_life_s`. "`open_within_s` <= `request_life_s`" """
    vault = sealed()
    vault.ask_release(ROB, DB, open_within_s=4 * HOUR + 1)
    return vault.false()


@case
def duration_longer_than_allowed():
    """`duration_s` a second longer than the roster's `grant_life_s`. "`duration_s` <= `grant_life_s`" """
    vault = sealed()
    vault.ask_release(ROB, DB, duration_s=HOUR + 1)
    return vault.false()


@case
def access_longer_than_allowed():
    """An access a second longer than the roster's `grant_life_s`. "`duration_s` <= `grant_life_s`" """
    vault = safe()
    vault.role = vault.ask_role(CARLA, SAFE, max_s=10 * HOUR)
    vault.approve(vault.role, ADA, BEN)
    vault.set_role(vault.role)
    vault.ask_access(ROB, vault.role, duration_s=HOUR + 1)
    return vault.false()


@case
def limits_are_the_named_rosters():
    """The named roster allows 15 minutes, the one in force an hour. "all of the named roster" """
    vault = people()
    vault.found_safe(SAFE, CARLA, ADA, BEN, CY, grant_life_s=900)
    vault.seal(SAFE, DB)
    filed = vault.ask_roster(CARLA, SAFE, roster_of(ADA, BEN, CY, epoch=2))
    vault.approve(filed, ADA, BEN)
    vault.set_roster(filed)
    vault.ask_release(ROB, DB, duration_s=901)
    return vault.false()


@case
def requester_name():
    """The filing names another person than the invited one. "`name` and `requester_name` are the invited name" """
    vault = sealed()
    vault.next(statement=put("requester_name", "Robert")).ask_release(ROB, DB)
    return vault.false()


@case
def requester_name_of_another():
    """Carla's filing bears Ada's name. "`name` and `requester_name` are the invited name" """
    vault = safe()
    vault.next(statement=put("requester_name", ADA.name)).ask_target(CARLA, SAFE, DB)
    return vault.false()


@case
def request_filed_twice():
    """A second request with the id of the first. "Unique in the whole ledger: ... request" """
    vault = asked()
    vault.next(statement=put("request", vault.filed.id)).ask_release(ROB, DB)
    return vault.false()


@case
def request_of_another_purpose_with_its_id():
    """A target request with the id of a release. "Unique in the whole ledger: ... request" """
    vault = asked()
    vault.next(statement=put("request", vault.filed.id)).ask_target(CARLA, SAFE, ROUTER)
    return vault.false()


# Grants

ROLE = '"the role is the newest of its (safe, target, name) and equals `role_name` `target` `needed`"'


@case
def grant_without_approval():
    """The role needs one approval, there is none. "**grant.started** takes the role's `needed` in place of m" """
    vault = access_asked()
    vault.start_grant(vault.filed)
    return vault.false()


@case
def grant_needs_three():
    """The role needs three approvals, more than m; two are there. "takes the role's `needed` in place of m" """
    vault = safe()
    vault.role = vault.ask_role(CARLA, SAFE, needed=3)
    vault.approve(vault.role, ADA, BEN)
    vault.set_role(vault.role)
    filed = vault.ask_access(ROB, vault.role)
    vault.approve(filed, ADA, BEN)
    vault.start_grant(filed)
    return vault.false()


@case
def grant_of_a_replaced_role():
    """The role was set anew between filing and grant. "the role is the newest of its (safe, target, name)" """
    vault = access_agreed()
    again = vault.ask_role(CARLA, SAFE, previous=vault.roles[vault.role.id], needed=2)
    vault.approve(again, ADA, CY)
    vault.set_role(again)
    vault.start_grant(vault.filed)
    return vault.false()


GRANTS = {
    "role-name": ("another name", put("role_name", "superuser")),
    "target": ("another target", put("target", uuid("target 2"))),
    "needed": ("fewer approvals", put("needed", 0)),
    "role": ("a role that was never set", put("role", hash_of("a role"))),
}

for _name, (_what, _edit) in GRANTS.items():
    def _grant(edit=_edit):
        vault = role()
        vault.next(statement=edit)
        vault.filed = vault.ask_access(ROB, vault.role)
        vault.approve(vault.filed, ADA)
        vault.start_grant(vault.filed)
        return vault.false(also=[vault.filed.seq])
    add(f"acting-grant-other-{_name}", f"A grant by a request that names its role, and {_what}. {ROLE}", _grant)


@case
def grant_of_another_safes_role():
    """The role is another safe's. "the role is the newest of its (safe, target, name)" """
    vault = people()
    vault.found_safe(SAFE, CARLA, ADA, BEN, CY)
    vault.found_safe(OTHER_SAFE, CARLA, ADA, BEN)
    vault.role = vault.ask_role(CARLA, OTHER_SAFE)
    vault.approve(vault.role, ADA, BEN)
    vault.set_role(vault.role)
    vault.next(statement=[put("safe", SAFE), put("roster", vault.in_force(SAFE))])
    vault.filed = vault.ask_access(ROB, vault.role)
    vault.approve(vault.filed, ADA)
    vault.start_grant(vault.filed)
    return vault.false(also=[vault.filed.seq])


@case
def grant_too_long():
    """`until` a microsecond after `duration_s`. "`until` <= its time + `duration_s`" """
    vault = access_agreed()
    vault.start_grant(vault.filed, until=vault.time + SECOND + 900 * SECOND + 1)
    return vault.false()


@case
def grant_longer_than_the_role():
    """The role allows 10 minutes, the request asks 15. "`duration_s` <= `max_s`" """
    vault = safe()
    vault.role = vault.ask_role(CARLA, SAFE, max_s=600)
    vault.approve(vault.role, ADA, BEN)
    vault.set_role(vault.role)
    vault.filed = vault.ask_access(ROB, vault.role)
    vault.approve(vault.filed, ADA)
    vault.start_grant(vault.filed)
    return vault.false(also=[vault.filed.seq])


@case
def grant_after_expires():
    """Access, unlike a release, is no longer given after `expires`. "Every acting entry but `release.opened`" """
    vault = access_agreed()
    vault.wait(DAY / 4)
    vault.start_grant(vault.filed)
    return vault.false()


@case
def grant_id_twice():
    """A second grant with the id of the first. "Unique in the whole ledger: ... grant" """
    vault = granted()
    filed = vault.ask_access(ROB, vault.role)
    vault.approve(filed, BEN)
    vault.start_grant(filed, grant=vault.grant)
    return vault.false()


@case
def grant_by_a_plain_person():
    """Approved by somebody without any role on the roster. "on the named roster" """
    vault = access_asked()
    vault.join(Person("plain", "Paul Plain", ["approver"]), CARLA)
    vault.approve(vault.filed, Person("plain", "Paul Plain", ["approver"]))
    vault.start_grant(vault.filed)
    return vault.false()
