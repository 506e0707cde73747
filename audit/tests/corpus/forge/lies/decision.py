"""FORMATS.md 4, "A decision or acceptance is false when": the decision itself is the lie."""

from ..canonical import drop, hash_of, put, uuid
from ..cases import add, case
from ..ledger import HOUR
from ..requests import roster_of
from ..stories import (ADA, BEN, CARLA, CY, DB, DORA, EVE, OTHER_SAFE, ROB, SAFE, asked, changed, opened,
                       people, safe, sealed)


@case
def approves_twice():
    """Ada approves again. "the person decides again" """
    vault = asked()
    vault.approve(vault.filed, ADA, ADA)
    return vault.false()


@case
def approves_twice_with_two_keys():
    """Ada approves with each of her keys. "the person decides again" """
    vault = asked()
    vault.enrol(ADA, 2)
    vault.approve(vault.filed, ADA)
    vault.approve(vault.filed, ADA, key=ADA.key(2))
    return vault.false()


@case
def approves_after_denying():
    """Ada denies, then approves. "(a denial after one's own approval excepted)": not the reverse"""
    vault = asked()
    vault.deny(vault.filed, ADA)
    vault.approve(vault.filed, ADA)
    return vault.false()


@case
def denies_twice():
    """Ada denies again. "the person decides again" """
    vault = asked()
    vault.deny(vault.filed, ADA)
    vault.deny(vault.filed, ADA)
    return vault.false()


@case
def approves_denies_denies():
    """Approval, denial, denial. "the person decides again" """
    vault = asked()
    vault.approve(vault.filed, ADA)
    vault.deny(vault.filed, ADA)
    vault.deny(vault.filed, ADA)
    return vault.false()


@case
def approves_denies_approves():
    """Approval, denial, approval. "the person decides again" """
    vault = asked()
    vault.approve(vault.filed, ADA)
    vault.deny(vault.filed, ADA)
    vault.approve(vault.filed, ADA)
    return vault.false()


@case
def requester_approves_twice():
    """An approval that does not count is still a decision. "the person decides again" """
    vault = asked()
    vault.approve(vault.filed, ROB, ROB)
    return vault.false()


@case
def nothing_filed():
    """An approval of a request nobody filed. "it names no filed request" """
    vault = sealed()
    trial = vault.copy()
    filed = trial.ask_release(ROB, DB)
    vault.fresh("nonce")
    vault.approve(filed, ADA)
    return vault.false()


@case
def before_filing():
    """The request is filed only after its approval (whose `entry` it can't know). "it names no filed request" """
    vault = sealed()
    trial = vault.copy()
    filed = trial.ask_release(ROB, DB)
    vault.fresh("nonce")
    vault.approve(filed, ADA)
    vault.false()
    vault.ask_release(ROB, DB)
    return vault


@case
def entry_of_another_request():
    """`subject` of one request, `entry` of another. "`subject` or `entry` differ" """
    vault = asked()
    other = vault.ask_release(ROB, DB)
    vault.next(statement=put("entry", other.leaf)).approve(vault.filed, ADA)
    return vault.false()


@case
def subject_of_another_request():
    """`entry` of one request, `subject` of another. "`subject` or `entry` differ" """
    vault = asked()
    other = vault.ask_release(ROB, DB)
    vault.next(statement=put("subject", other.statement)).approve(vault.filed, ADA)
    return vault.false()


SUBJECTS = {
    "entry": ("`entry` is no leaf of this ledger", put("entry", hash_of("nowhere"))),
    "duration": ("`duration_s` differs", put("subject.duration_s", 901)),
    "version": ("`version` differs", put("subject.version", 2)),
    "credential": ("`credential` differs", put("subject.credential", uuid("another credential"))),
    "delivery-key": ("`delivery_key` is the forger's", put("subject.delivery_key", "A" * 42 + "E")),
    "requester": ("`signer` is somebody else", put("subject.signer", EVE.user)),
    "name": ("`requester_name` differs", put("subject.requester_name", "Rob")),
    "reason": ("the reason differs", put("subject.reason_commitment", hash_of("a better reason"))),
    "ticket": ("`ticket` is missing", drop("subject.ticket")),
    "more": ("a member too many", put("subject.urgent", True)),
    "purpose": ("a purpose nobody knows: compared, not read", put("subject.purpose", "transfer")),
    "v": ("another `v`: compared, not read", put("subject.v", 2)),
    "type": ("it is a string", put("subject", "release")),
    "empty": ("it is empty", put("subject", {})),
    "sealed-as": ("the shown name differs", put("subject.sealed_as.name", "printer password")),
}

for _name, (_what, _edit) in SUBJECTS.items():
    def _differs(edit=_edit):
        vault = asked()
        vault.next(statement=edit).approve(vault.filed, ADA)
        return vault.false()
    add(f"decision-subject-{_name}", f'An approval of something else: {_what}. "`subject` or `entry` differ", '
        '"`subject` is compared, not read: any difference is false"', _differs)


@case
def subject_differs_in_denial():
    """A denial of something else. "`subject` or `entry` differ" """
    vault = asked()
    vault.next(statement=put("subject.duration_s", 1)).deny(vault.filed, ADA)
    return vault.false()


@case
def subject_differs_in_acceptance():
    """Dora accepts another roster than the one filed. "`subject` or `entry` differ" """
    vault = sealed()
    vault.join(DORA, CARLA)
    filed = vault.ask_roster(CARLA, SAFE, roster_of(ADA, BEN, DORA, epoch=2))
    vault.next(statement=put("subject.new.m", 3)).accept(filed, DORA)
    return vault.false()


@case
def entry_differs_in_acceptance():
    """Dora accepts at another entry. "`subject` or `entry` differ" """
    vault = sealed()
    vault.join(DORA, CARLA)
    filed = vault.ask_roster(CARLA, SAFE, roster_of(ADA, BEN, DORA, epoch=2))
    vault.next(statement=put("entry", vault.leaf(3))).accept(filed, DORA)
    return vault.false()


@case
def denier_on_no_roster():
    """Dora, on no roster, denies. "a denier is on neither the named roster nor the one in force" """
    vault = asked()
    vault.join(DORA, CARLA)
    vault.deny(vault.filed, DORA)
    return vault.false()


@case
def requester_denies():
    """The requester, on no roster, denies. "a denier is on neither the named roster nor the one in force" """
    vault = asked()
    vault.deny(vault.filed, ROB)
    return vault.false()


@case
def denier_of_another_safe():
    """Dora is rostered, in another safe. "a denier is on neither the named roster nor the one in force" """
    vault = asked()
    vault.join(DORA, CARLA)
    vault.found_safe(OTHER_SAFE, CARLA, DORA, ADA)
    vault.deny(vault.filed, DORA)
    return vault.false()


@case
def denied_says_approve():
    """`request.denied` with `decision` `approve`. "`decision` (`approve` `deny`)" """
    vault = asked()
    vault.next(statement=put("decision", "approve")).deny(vault.filed, ADA)
    return vault.false()


@case
def approved_says_deny():
    """`request.approved` with `decision` `deny`. "`decision` (`approve` `deny`)" """
    vault = asked()
    vault.next(statement=put("decision", "deny")).approve(vault.filed, ADA)
    return vault.false()


@case
def approves_what_was_spent():
    """An approval after the opening. "or the request is spent or ended" """
    vault = opened()
    vault.approve(vault.filed, CY)
    return vault.false()


@case
def denies_what_was_spent():
    """A denial after the opening. "or the request is spent or ended" """
    vault = opened()
    vault.deny(vault.filed, CY)
    return vault.false()


@case
def approves_what_was_closed():
    """An approval after the release was closed. "or the request is spent or ended" """
    vault = opened()
    vault.close(vault.filed)
    vault.approve(vault.filed, CY)
    return vault.false()


@case
def approves_what_ended():
    """An approval after the end. "or the request is spent or ended" """
    vault = asked()
    vault.end(vault.filed, "withdrawn")
    vault.approve(vault.filed, CY)
    return vault.false()


@case
def denies_what_ended():
    """A denial after the end. "or the request is spent or ended" """
    vault = asked()
    vault.wait(2 * HOUR).end(vault.filed, "expired")
    vault.deny(vault.filed, CY)
    return vault.false()


@case
def accepts_twice():
    """Dora's key accepts the same request again. "the person decides again": a key accepts a request once """
    vault = safe()
    vault.join(DORA, CARLA)
    filed = vault.ask_roster(CARLA, SAFE, roster_of(ADA, BEN, DORA, epoch=2))
    vault.accept(filed, DORA)
    vault.accept(filed, DORA)
    return vault.false()


@case
def accepts_twice_at_the_founding():
    """Ben's key accepts the founding of a safe again. "the person decides again": a key accepts a request once """
    vault = people()
    filed = vault.ask_roster(CARLA, SAFE, roster_of(ADA, BEN))
    vault.accept(filed, BEN, ADA)
    vault.accept(filed, BEN)
    return vault.false()


@case
def accepts_what_was_set():
    """Dora accepts again after `roster.set`. "or the request is spent or ended" """
    vault = people()
    vault.join(DORA, CARLA)
    filed = vault.found_safe(SAFE, CARLA, ADA, BEN, DORA)
    vault.accept(filed, DORA)
    return vault.false()


@case
def accepts_what_ended():
    """An acceptance after the end. "or the request is spent or ended" """
    vault = people()
    filed = vault.ask_roster(CARLA, SAFE, roster_of(ADA, BEN, CY))
    vault.accept(filed, ADA)
    vault.end(filed, "withdrawn")
    vault.accept(filed, BEN)
    return vault.false()


@case
def accepting_key_not_named():
    """Eve accepts a roster that does not name her. "the accepting key is not named by `new`" """
    vault = people()
    vault.join(EVE, CARLA)
    filed = vault.ask_roster(CARLA, SAFE, roster_of(ADA, BEN, CY))
    vault.accept(filed, EVE)
    return vault.false()


@case
def accepting_key_is_another_of_hers():
    """Ada accepts with a key the roster does not name. "the accepting key is not named by `new`" """
    vault = people()
    vault.enrol(ADA, 2)
    filed = vault.ask_roster(CARLA, SAFE, roster_of(ADA, BEN, CY))
    vault.accept(filed, ADA, key=ADA.key(2))
    return vault.false()


@case
def acceptance_says_another_key():
    """Key 2 is touched, the statement says key 1. "the statement's `authenticator` is the `authenticator` in `data`" """
    vault = people()
    vault.enrol(ADA, 2)
    filed = vault.ask_roster(CARLA, SAFE, roster_of((ADA, [ADA.key(1), ADA.key(2)]), BEN, CY))
    vault.next(statement=put("authenticator", ADA.key(1).id)).accept(filed, ADA, key=ADA.key(2))
    return vault.false()


@case
def acceptance_of_a_release():
    """There is no `new` to accept. "the accepting key is not named by `new`" """
    vault = asked()
    vault.accept(vault.filed, ADA)
    return vault.false()


@case
def acceptance_of_nothing():
    """An acceptance of a request nobody filed. "it names no filed request" """
    vault = people()
    filed = vault.copy().ask_roster(CARLA, SAFE, roster_of(ADA, BEN, CY))
    vault.fresh("nonce")
    vault.accept(filed, ADA)
    return vault.false()


@case
def denier_was_replaced():
    """Replaced Cy denies a request filed under the new roster. "neither the named roster nor the one in force" """
    vault = changed()
    vault.seal(SAFE, DB, version=2)
    filed = vault.ask_release(ROB, DB, version=2)
    vault.deny(filed, CY)
    return vault.false()


@case
def denial_of_a_roster_that_was_set():
    """Cy denies the change that removed him, too late. "or the request is spent or ended" """
    vault = changed()
    vault.deny(vault.filed, CY)
    return vault.false()


@case
def revoked_key_denies():
    """A denial with a revoked key. "its assertion is invalid" """
    vault = asked()
    vault.revoke(CY, CARLA)
    vault.deny(vault.filed, CY)
    return vault.false()


@case
def suspended_key_accepts():
    """An acceptance with a suspended key. "its assertion is invalid" """
    vault = people()
    filed = vault.ask_roster(CARLA, SAFE, roster_of(ADA, BEN, CY))
    vault.suspend(BEN, CARLA)
    vault.accept(filed, BEN)
    return vault.false()


@case
def approval_of_a_founding():
    """Approving a founding is allowed, and counts for nothing; denying it is not: nobody is on a roster yet."""
    vault = people()
    filed = vault.ask_roster(CARLA, SAFE, roster_of(ADA, BEN, CY))
    vault.approve(filed, ADA)
    vault.deny(filed, BEN)
    return vault.false()
