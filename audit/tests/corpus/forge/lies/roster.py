"""FORMATS.md 4, "roster.set": founding a roster and changing it. Where a filing could be blamed as well as the
`roster.set` (the page judges the set one), the filing stands in `also`."""

from ..canonical import change, put
from ..cases import add, case
from ..people import Person
from ..requests import roster_of
from ..stories import (ADA, BEN, CARLA, CY, DB, DORA, EVE, OTHER_SAFE, ROB, SAFE, changed, changing, founded, people,
                       safe, sealed)

SHAPE = ('"2 <= m <= n <= 100, or m = 1 where `drill` is true; `drill` never changes; users distinct, each approver with one '
         'key or more"')
NAMED = '"each key live, enrolled with a `share_key`, of that user, `name` the invited one"'
EPOCH_1 = '"epoch 1 needs a custodian\'s request, no approvals, and acceptance by every key named"'
LATER = '"epoch e+1 approvals by m of the roster in force, and acceptance by every key newly named"'


def crowd(n, **new):
    """A safe founded by n approvers."""
    vault = founded()
    approvers = [Person(f"approver {i}", f"Approver {i}", ["approver"]) for i in range(n)]
    for person in approvers:
        vault.join(person, CARLA)
    vault.filed = vault.found_safe(SAFE, CARLA, *approvers, **new)
    return vault


def _founding(new):
    """Files and accepts; the caller sets."""
    vault = people()
    vault.filed = vault.ask_roster(CARLA, SAFE, new)
    return vault


def _false(vault):
    return vault.false(also=[vault.filed.seq])


def _member(n, **changed):
    """Changes the n-th approver of a `new`."""
    def edit(new):
        new["approvers"][n].update(changed)
        return new
    return edit


def _with(how, *approvers, **more):
    new = roster_of(*(approvers or (ADA, BEN, CY)), **more)
    how(new)
    return new


SHAPES = {
    "m-1": ("m is 1 and it is no drill", lambda: roster_of(ADA, BEN, CY, m=1)),
    "m-above-n": ("m is 4 of 3", lambda: roster_of(ADA, BEN, CY, m=4)),
    "m-far-above-n": ("m is 2^53-1", lambda: roster_of(ADA, BEN, CY, m=2**53 - 1)),
    "n-1": ("m is 2 of 1", lambda: roster_of(ADA, m=2)),
    "n-1-m-1": ("m is 1 of 1 and it is no drill", lambda: roster_of(ADA, m=1)),
    "drill-m-above-n": ("a drill with m 3 of 2", lambda: roster_of(ADA, BEN, m=3, drill=True)),
    "epoch-2": ("the first epoch is 2", lambda: roster_of(ADA, BEN, CY, epoch=2)),
    "user-twice": ("a user stands twice, with equal keys", lambda: roster_of(ADA, BEN, ADA)),
    "name-other": ("an approver's name is not the invited one", lambda: _with(_member(1, name="Ben"), ADA, BEN, CY)),
    "names-swapped": ("two approvers' names are swapped", lambda: _with(
        lambda new: (_member(0, name=BEN.name)(new), _member(1, name=ADA.name)(new)))),
    "key-of-another": ("an approver with another's key", lambda: roster_of((ADA, [BEN.key()]), CY, BEN)),
    "keys-swapped": ("two approvers' keys are swapped", lambda: roster_of((ADA, [BEN.key()]), (BEN, [ADA.key()]), CY)),
}

for _name, (_what, _new) in SHAPES.items():
    def _shape(new=_new):
        vault = _founding(new())
        for person in (ADA, BEN, CY):
            if any(person.key().id in approver["authenticators"] for approver in vault.filed.statement["new"]["approvers"]):
                vault.accept(vault.filed, person)
        vault.set_roster(vault.filed)
        return _false(vault)
    add(f"roster-founded-{_name}", f"A roster: {_what}. {SHAPE}, {NAMED}", _shape)


@case
def founded_without_keys():
    """An approver without keys. "each approver with one key or more" """
    vault = _founding(roster_of(ADA, BEN, (CY, [])))
    vault.accept(vault.filed, ADA, BEN)
    vault.set_roster(vault.filed)
    return _false(vault)


@case
def founded_user_twice_with_two_keys():
    """A user stands twice, with a key each. "users distinct" """
    vault = people()
    vault.enrol(ADA, 2)
    vault.filed = vault.ask_roster(CARLA, SAFE, roster_of(ADA, BEN, (ADA, [ADA.key(2)])))
    vault.accept(vault.filed, ADA, BEN)
    vault.accept(vault.filed, ADA, key=ADA.key(2))
    vault.set_roster(vault.filed)
    return _false(vault)


@case
def founded_by_101():
    """101 approvers. "2 <= m <= n <= 100" """
    vault = crowd(101)
    return _false(vault)


@case
def founded_with_a_key_that_holds_no_share():
    """A key enrolled without share key. "enrolled with a `share_key`" """
    vault = people()
    plain = Person("plain", "Paul Plain", ["approver"], share=False)
    vault.join(plain, CARLA)
    vault.filed = vault.ask_roster(CARLA, SAFE, roster_of(ADA, BEN, plain))
    vault.accept(vault.filed, ADA, BEN, plain)
    vault.set_roster(vault.filed)
    return _false(vault)


@case
def founded_with_somebody_who_is_no_approver():
    """Eve, an auditor, is named. "Approver: to be named on a roster" """
    vault = people()
    vault.join(EVE, CARLA)
    vault.filed = vault.ask_roster(CARLA, SAFE, roster_of(ADA, BEN, EVE))
    vault.accept(vault.filed, ADA, BEN, EVE)
    vault.set_roster(vault.filed)
    return _false(vault)


@case
def founded_with_a_requester_only():
    """Rob, a requester, is named. "Approver: to be named on a roster" """
    vault = people()
    vault.filed = vault.ask_roster(CARLA, SAFE, roster_of(ADA, BEN, ROB))
    vault.accept(vault.filed, ADA, BEN, ROB)
    vault.set_roster(vault.filed)
    return _false(vault)


@case
def approver_no_more_at_the_set():
    """Cy accepts, loses the role, and is named. "Approver: to be named on a roster ... by role at that seq" """
    vault = _founding(roster_of(ADA, BEN, CY))
    vault.accept(vault.filed, ADA, BEN, CY)
    vault.set_roles(CY, ["auditor"], CARLA)
    vault.set_roster(vault.filed)
    return vault.false()


def _meanwhile(how):
    """All accept, something happens to a key, the roster is set."""
    vault = _founding(roster_of(ADA, BEN, CY))
    vault.accept(vault.filed, ADA, BEN, CY)
    how(vault)
    vault.set_roster(vault.filed)
    return vault.false()


@case
def key_revoked_before_the_set():
    """Cy's key is revoked between acceptance and set. "each key live" """
    return _meanwhile(lambda vault: vault.revoke(CY, CARLA))


@case
def key_suspended_before_the_set():
    """Cy's key is suspended between acceptance and set. "each key live" """
    return _meanwhile(lambda vault: vault.suspend(CY, CARLA))


@case
def key_distrusted_before_the_set():
    """Cy's key is distrusted between acceptance and set. "each key live" """
    return _meanwhile(lambda vault: vault.distrust(CY))


@case
def filing_key_revoked_before_the_set():
    """The key that filed is revoked before the set. "the filing's key not revoked before t" """
    def revoked(vault):
        vault.enrol(CARLA, 2)
        vault.revoke(CARLA, CARLA, key=CARLA.key(2))
    return _meanwhile(revoked)


@case
def acceptance_not_given():
    """Cy did not accept. "acceptance by every key named" """
    vault = _founding(roster_of(ADA, BEN, CY))
    vault.accept(vault.filed, ADA, BEN)
    vault.set_roster(vault.filed)
    return vault.false()


@case
def acceptances_none():
    """Nobody accepted. "acceptance by every key named" """
    vault = _founding(roster_of(ADA, BEN, CY))
    vault.set_roster(vault.filed)
    return vault.false()


@case
def acceptance_of_one_of_two_keys():
    """Ada is named with two keys and accepted with one. "acceptance by every key named" """
    vault = people()
    vault.enrol(ADA, 2)
    vault.filed = vault.ask_roster(CARLA, SAFE, roster_of((ADA, [ADA.key(1), ADA.key(2)]), BEN, CY))
    vault.accept(vault.filed, ADA, BEN, CY)
    vault.set_roster(vault.filed)
    return vault.false()


@case
def acceptance_of_another_request():
    """Cy's acceptance is of another request for the same roster. "acceptance by every key named" """
    vault = _founding(roster_of(ADA, BEN, CY))
    other = vault.ask_roster(CARLA, SAFE, roster_of(ADA, BEN, CY))
    vault.accept(vault.filed, ADA, BEN)
    vault.accept(other, CY)
    vault.set_roster(vault.filed, acceptances=[*vault.filed.acceptances, *other.acceptances])
    return vault.false()


@case
def acceptances_are_approvals():
    """Approvals are listed as acceptances. "`acceptances[]` `approvals[]` (seqs)" """
    vault = _founding(roster_of(ADA, BEN, CY))
    vault.approve(vault.filed, ADA, BEN, CY)
    vault.set_roster(vault.filed, approvals=[], acceptances=vault.filed.approvals)
    return vault.false()


@case
def acceptance_is_the_filing():
    """The filing is listed as Cy's acceptance. "acceptance by every key named" """
    vault = _founding(roster_of(ADA, BEN, CY))
    vault.accept(vault.filed, ADA, BEN)
    vault.set_roster(vault.filed, acceptances=[vault.filed.seq, *vault.filed.acceptances])
    return vault.false()


@case
def acceptance_not_written_yet():
    """The set lists Cy's acceptance, which comes one entry later. "acceptance by every key named" """
    vault = _founding(roster_of(ADA, BEN, CY))
    vault.accept(vault.filed, ADA, BEN)
    vault.set_roster(vault.filed, acceptances=[*vault.filed.acceptances, vault.last + 2])
    vault.false()
    vault.accept(vault.filed, CY)
    return vault


@case
def epoch_1_with_approvals():
    """The founding lists approvals. "epoch 1 needs ... no approvals" """
    vault = _founding(roster_of(ADA, BEN, CY))
    vault.accept(vault.filed, ADA, BEN, CY)
    vault.approve(vault.filed, ADA, BEN)
    vault.set_roster(vault.filed)
    return vault.false()


@case
def set_twice():
    """One request sets the roster twice. "A request is spent by one acting entry" """
    vault = safe()
    vault.set_roster(vault.roster)
    return vault.false()


@case
def two_foundings():
    """Two requests found the same safe, one after the other. "Unique in the whole ledger: ... (safe, epoch)" """
    vault = people()
    one = vault.ask_roster(CARLA, SAFE, roster_of(ADA, BEN, CY))
    two = vault.ask_roster(CARLA, SAFE, roster_of(ADA, BEN))
    vault.accept(one, ADA, BEN, CY)
    vault.accept(two, ADA, BEN)
    vault.set_roster(one)
    vault.set_roster(two)
    return vault.false()


@case
def two_changes():
    """Two requests make epoch 2, one after the other. "Unique in the whole ledger: ... (safe, epoch)" """
    vault = safe()
    one = vault.ask_roster(CARLA, SAFE, roster_of(ADA, BEN, epoch=2))
    two = vault.ask_roster(CARLA, SAFE, roster_of(BEN, CY, ADA, epoch=2, m=3))
    for filed in (one, two):
        vault.approve(filed, ADA, BEN)
    vault.set_roster(one)
    vault.set_roster(two)
    return vault.false()


@case
def founding_filed_again():
    """A founding is filed for a safe that has a roster. "64 zeros at epoch 1"; "the one in force at the filing" """
    vault = safe()
    vault.ask_roster(CARLA, SAFE, roster_of(ADA, BEN, CY), roster="0" * 64)
    return vault.false()


@case
def change_filed_without_a_safe():
    """A change is filed for a safe that was never founded. "the leaf of a `roster.set` of that safe" """
    vault = safe()
    vault.ask_roster(CARLA, OTHER_SAFE, roster_of(ADA, BEN, CY, epoch=2), roster=vault.in_force(SAFE))
    return vault.false()


CHANGES = {  # a `new` that follows epoch 1 of ADA, BEN, CY
    "epoch-1": ("epoch 1 again", lambda: roster_of(ADA, BEN, epoch=1)),
    "epoch-3": ("epoch 3 after 1", lambda: roster_of(ADA, BEN, epoch=3)),
    "becomes-drill": ("it becomes a drill", lambda: roster_of(ADA, BEN, epoch=2, drill=True)),
    "becomes-drill-of-1": ("it becomes a drill of 1", lambda: roster_of(ADA, BEN, epoch=2, drill=True, m=1)),
    "m-1": ("m falls to 1", lambda: roster_of(ADA, BEN, epoch=2, m=1)),
    "m-above-n": ("m is 3 of 2", lambda: roster_of(ADA, BEN, epoch=2, m=3)),
}

for _name, (_what, _new) in CHANGES.items():
    def _changed(new=_new):
        vault = safe()
        vault.filed = vault.ask_roster(CARLA, SAFE, new())
        vault.approve(vault.filed, ADA, BEN)
        vault.set_roster(vault.filed)
        return _false(vault)
    add(f"roster-changed-{_name}", f"A changed roster: {_what}. {SHAPE}, {LATER}", _changed)


@case
def changed_drill_becomes_real():
    """A drill safe becomes a real one. "`drill` never changes" """
    vault = people()
    vault.found_safe(SAFE, CARLA, ADA, BEN, m=2, drill=True)
    vault.filed = vault.ask_roster(CARLA, SAFE, roster_of(ADA, BEN, epoch=2))
    vault.approve(vault.filed, ADA, BEN)
    vault.set_roster(vault.filed)
    return _false(vault)


@case
def changed_without_acceptance():
    """Dora did not accept. "acceptance by every key newly named" """
    vault = safe()
    vault.join(DORA, CARLA)
    filed = vault.ask_roster(CARLA, SAFE, roster_of(ADA, BEN, DORA, epoch=2))
    vault.approve(filed, ADA, BEN)
    vault.set_roster(filed)
    return vault.false()


@case
def changed_acceptance_not_listed():
    """Dora accepted, the set does not list it. "acceptance by every key newly named" """
    vault = changing()
    vault.set_roster(vault.filed, acceptances=[])
    return vault.false()


@case
def changed_new_key_of_an_old_approver():
    """Ada's second key is new, and did not accept. "acceptance by every key newly named" """
    vault = safe()
    vault.enrol(ADA, 2)
    filed = vault.ask_roster(CARLA, SAFE, roster_of((ADA, [ADA.key(1), ADA.key(2)]), BEN, CY, epoch=2))
    vault.approve(filed, ADA, BEN)
    vault.set_roster(filed)
    return vault.false()


@case
def changed_by_one():
    """One approval of two. "approvals by m of the roster in force" """
    vault = safe()
    filed = vault.ask_roster(CARLA, SAFE, roster_of(ADA, BEN, epoch=2))
    vault.approve(filed, ADA)
    vault.set_roster(filed)
    return vault.false()


@case
def changed_by_none():
    """A custodian changes it alone. "approvals by m of the roster in force" """
    vault = safe()
    filed = vault.ask_roster(CARLA, SAFE, roster_of(ADA, BEN, epoch=2))
    vault.set_roster(filed)
    return vault.false()


@case
def changed_by_one_old_and_one_new():
    """Ada and newly named Dora approve. "approvals by m of the roster in force" """
    vault = safe()
    vault.join(DORA, CARLA)
    filed = vault.ask_roster(CARLA, SAFE, roster_of(ADA, BEN, DORA, epoch=2))
    vault.accept(filed, DORA)
    vault.approve(filed, ADA, DORA)
    vault.set_roster(filed)
    return vault.false()


@case
def changed_back_by_the_replaced():
    """Cy, whom epoch 2 removed, helps to make epoch 3. "approvals by m of the roster in force" """
    vault = changed()
    filed = vault.ask_roster(CARLA, SAFE, roster_of(ADA, BEN, CY, epoch=3))
    vault.accept(filed, CY)
    vault.approve(filed, ADA, CY)
    vault.set_roster(filed)
    return vault.false()


@case
def changed_key_that_returns_must_accept():
    """Cy was named in epoch 1, not in 2; in 3 he is newly named. "acceptance by every key newly named" """
    vault = changed()
    filed = vault.ask_roster(CARLA, SAFE, roster_of(ADA, BEN, CY, epoch=3))
    vault.approve(filed, ADA, BEN)
    vault.set_roster(filed)
    return vault.false()


@case
def changed_by_two_of_three():
    """m is 3 in epoch 1; two approve. "approvals by m of the roster in force" """
    vault = people()
    vault.found_safe(SAFE, CARLA, ADA, BEN, CY, m=3)
    filed = vault.ask_roster(CARLA, SAFE, roster_of(ADA, BEN, epoch=2))
    vault.approve(filed, ADA, BEN)
    vault.set_roster(filed)
    return vault.false()


@case
def changed_as_nobody_asked():
    """`new` of the set has one denial less than was asked. "members equal to the request's" """
    vault = changing()
    vault.next(data=put("new.denials", 1)).set_roster(vault.filed)
    return vault.false()


@case
def changed_in_another_order():
    """`approvers` of the set in another order (x is the place). "members equal to the request's" """
    vault = changing()
    vault.next(data=change("new.approvers", lambda approvers: approvers[::-1])).set_roster(vault.filed)
    return vault.false()


@case
def changed_in_another_safe():
    """The set names another safe. "members equal to the request's" """
    vault = changing()
    vault.next(data=put("safe", OTHER_SAFE)).set_roster(vault.filed)
    return vault.false()


@case
def set_by_a_release():
    """`roster.set` names a release. "A request is spent by one acting entry", of its purpose"""
    vault = sealed()
    vault.filed = vault.ask_release(ROB, DB)
    vault.approve(vault.filed, ADA, BEN)
    new = roster_of(ADA, BEN, epoch=2)
    vault.append("roster.set", {"acceptances": [], "approvals": vault.filed.approvals, "new": new,
                                "request": vault.filed.id, "safe": SAFE})
    return vault.false()


@case
def set_without_request():
    """`roster.set` names a request nobody filed: a roster out of nothing. "A request is spent by one acting entry" """
    vault = people()
    vault.append("roster.set", {"acceptances": [], "approvals": [], "new": roster_of(ADA, BEN, CY),
                                "request": OTHER_SAFE, "safe": SAFE})
    return vault.false()


@case
def set_at_expires():
    """The founding is set exactly at `expires`. "Every acting entry but `release.opened` has time < `expires`" """
    vault = _founding(roster_of(ADA, BEN, CY))
    vault.accept(vault.filed, ADA, BEN, CY)
    vault.until(vault.filed.statement["expires"]).set_roster(vault.filed)
    return vault.false()


@case
def set_after_denials():
    """Two of epoch 1 deny the change, two approve it. "fewer valid denials than the smaller `denials` of the two" """
    vault = people()
    vault.join(DORA, CARLA)
    vault.found_safe(SAFE, CARLA, ADA, BEN, CY, DORA)
    filed = vault.ask_roster(CARLA, SAFE, roster_of(ADA, BEN, epoch=2))
    vault.deny(filed, CY)
    vault.deny(filed, DORA)
    vault.approve(filed, ADA, BEN)
    vault.set_roster(filed)
    return vault.false()
