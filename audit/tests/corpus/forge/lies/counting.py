"""FORMATS.md 4, "An approval counts at t", and the times of requests and openings."""

from ..canonical import put
from ..cases import case
from ..ledger import HOUR, SECOND
from ..requests import roster_of
from ..stories import (ADA, BEN, CARLA, CY, DB, DORA, EVE, OTHER_SAFE, ROB, ROUTER, SAFE, approved, asked, changed,
                       people, safe, sealed)

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
