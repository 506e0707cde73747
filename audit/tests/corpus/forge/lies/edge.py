"""Nothing is false here: stories that walk along an edge of a rule."""

import base64

from ..canonical import drop, pseudo, uuid
from ..cases import Export, case
from ..ledger import DAY, HOUR, SECOND
from ..people import Person
from ..requests import roster_of
from ..stories import (ADA, BEN, CARLA, CY, DB, DORA, EVE, OTHER_SAFE, ROB, ROUTER, SAFE, access_agreed, approved,
                       asked, changed, destroy_agreed, founded, granted, opened, people, resealing, role, rotating,
                       safe, sealed, target_agreed)
from .assertion import client, nested, with_high_s, with_low_s
from .chain import entry_of_size
from .roster import crowd


@case
def counter_goes_back():
    """True: "Counters: both zero or greater than that key's last in seq order; otherwise a warning"."""
    vault = approved()
    filed = vault.ask_release(ROB, DB)
    vault.next(touch={"counter": 1}).approve(filed, ADA)
    return vault


@case
def second_origin():
    """True: "`origin` is byte-equal to a founded origin", the second one."""
    vault = founded()
    vault.next(touch={"origin": vault.origins[1]}).setting(CARLA)
    return vault


@case
def client_data_has_more():
    """True: clients may add members; no rule of "An assertion is valid" forbids them."""
    def more(client):
        client["other_keys_can_be_added_here"] = "do not compare clientDataJSON against a template"
        client["extraData"] = {"float": 1.5, "nothing": None, "list": [1, 2]}
    vault = founded()
    vault.next(touch={"client": more}).setting(CARLA)
    return vault


def client_data_nested(depth):
    """Every rule is about the outermost object's members; those inside are nobody's concern."""
    inside = b'{"type":1,"topOrigin":1}'
    inside = b"[%s]" % inside if depth % 2 else inside
    vault = founded()
    vault.next(touch=nested(b'[{"a":', inside, b"}]", (depth - 2) // 2)).setting(CARLA)
    return vault


@case
def client_data_with_a_pair():
    """True: two escapes that are one character; neither is a lone surrogate."""
    vault = founded()
    vault.next(touch=client(lambda line: line[:-1] + b',"\\ud83d\\uDE00":"\\uD83D\\ude00"}')).setting(CARLA)
    return vault


@case
def client_data_33_deep():
    """True: client data has no greatest depth; 33 containers."""
    return client_data_nested(33)


@case
def client_data_5000_deep():
    """True: client data has no greatest depth; 5000 containers."""
    return client_data_nested(5000)


@case
def cross_origin_absent():
    """True: "`crossOrigin` absent or false"."""
    vault = founded()
    vault.next(touch={"client": lambda client: client.pop("crossOrigin")}).setting(CARLA)
    return vault


@case
def authenticator_data_with_extensions():
    """True: "`authenticator_data` has at least 37 bytes": extension outputs follow."""
    vault = founded()
    vault.next(touch={"flags": 0x85, "authenticator_data": lambda data: data + b"\xa1\x69credProps\xa0"}).setting(CARLA)
    return vault


@case
def high_s():
    """True: "strict DER, high s allowed"."""
    vault = founded()
    vault.next(touch={"signature": with_high_s}).setting(CARLA)
    return vault


@case
def low_s():
    """True: and low s."""
    vault = founded()
    vault.next(touch={"signature": with_low_s}).setting(CARLA)
    return vault


@case
def more_listed_than_needed():
    """True: "at least max(m ...) counting approvals by distinct users, all in `approvals`": three of two."""
    vault = asked()
    vault.approve(vault.filed, ADA, BEN, CY)
    vault.open(vault.filed)
    return vault


@case
def fewer_listed_than_given():
    """True: of three counting approvals two are listed."""
    vault = asked()
    vault.approve(vault.filed, ADA, BEN, CY)
    vault.open(vault.filed, vault.filed.approvals[1:])
    return vault


@case
def one_denial_of_two():
    """True: "fewer valid denials than the smaller `denials`": one, of two."""
    vault = asked()
    vault.deny(vault.filed, CY)
    vault.approve(vault.filed, ADA, BEN)
    vault.open(vault.filed)
    return vault


@case
def denial_after_expiry():
    """True: the list of false decisions does not name lateness."""
    vault = asked()
    vault.wait(2 * HOUR).deny(vault.filed, CY)
    return vault


@case
def approval_by_unrostered_key():
    """True: the signer must be on the roster, not the key that was touched; this one holds no share."""
    vault = asked()
    spare = Person("ben", BEN.name, BEN.roles, share=False)
    vault.enrol(spare, 2, admit=BEN.key())
    vault.approve(vault.filed, ADA)
    vault.approve(vault.filed, BEN, key=spare.key(2))
    vault.open(vault.filed)
    return vault


@case
def opened_after_expires():
    """True: "Every acting entry but `release.opened` has time < `expires`"."""
    vault = approved()
    vault.wait(HOUR - 1).open(vault.filed)
    assert vault.time > vault.filed.statement["expires"]
    return vault


@case
def opened_at_last_moment():
    """True: "time < that of the m-th counting approval + `open_within_s`", by one microsecond."""
    vault = approved()
    vault.until(vault.time + HOUR * SECOND - 1).open(vault.filed)
    return vault


@case
def revoked_approval_moves_the_mth():
    """True: Ada's key is revoked, so the second counting approval is Cy's, and the time runs from there."""
    vault = approved()
    vault.wait(1800).approve(vault.filed, CY)
    vault.revoke(ADA, CARLA)
    vault.wait(2400).open(vault.filed, vault.filed.approvals[1:])
    return vault


@case
def expired_exactly():
    """True: "`expired` needs time >= `expires`"."""
    vault = asked()
    vault.until(vault.filed.statement["expires"]).end(vault.filed, "expired")
    return vault


@case
def closed_exactly():
    """True: "`expired` needs time >= the opening's + `duration_s`"."""
    vault = opened()
    vault.until(vault.time + 900 * SECOND).close(vault.filed, "expired")
    return vault


@case
def request_as_long_as_allowed():
    """True: `expires`, `open_within_s` and `duration_s` exactly as the roster allows."""
    vault = sealed()
    vault.ask_release(ROB, DB, life=4 * HOUR, open_within_s=4 * HOUR, duration_s=HOUR)
    vault.ask_target(CARLA, SAFE, DB, life=14 * DAY)
    vault.ask_roster(CARLA, OTHER_SAFE, roster_of(ADA, BEN), life=14 * DAY)
    return vault


@case
def approval_just_in_time():
    """True: "its time < `expires`", by one microsecond."""
    vault = asked()
    vault.approve(vault.filed, ADA)
    vault.until(vault.filed.statement["expires"] - 1).approve(vault.filed, BEN)
    vault.open(vault.filed)
    return vault


@case
def filing_key_suspended():
    """True: "the filing's key not revoked before t": suspension is no revocation."""
    vault = approved()
    vault.suspend(ROB, CARLA)
    vault.open(vault.filed)
    return vault


@case
def suspended_meanwhile():
    """True: "its key is live at its own seq and at t": suspended between the two, and restored."""
    vault = approved()
    vault.suspend(ADA, CARLA)
    vault.unsuspend(ADA, CARLA)
    vault.open(vault.filed)
    return vault


@case
def old_version_under_new_roster():
    """True: approvals by two who are "on the named roster and on the roster in force"."""
    vault = changed()
    filed = vault.ask_release(ROB, DB)
    vault.approve(filed, ADA, BEN)
    vault.open(filed)
    return vault


@case
def larger_m_reached():
    """True: m of the named roster is 2, m in force 3, and three count on both."""
    vault = sealed()
    filed = vault.ask_roster(CARLA, SAFE, roster_of(ADA, BEN, CY, epoch=2, m=3))
    vault.approve(filed, ADA, BEN)
    vault.set_roster(filed)
    filed = vault.ask_release(ROB, DB)
    vault.approve(filed, CY, BEN, ADA)
    vault.open(filed)
    return vault


@case
def role_needs_more_than_m():
    """True: "**grant.started** takes the role's `needed` in place of m": three, and three approve."""
    vault = safe()
    vault.role = vault.ask_role(CARLA, SAFE, needed=3)
    vault.approve(vault.role, ADA, BEN)
    vault.set_role(vault.role)
    filed = vault.ask_access(ROB, vault.role)
    vault.approve(filed, ADA, BEN, CY)
    vault.start_grant(filed)
    return vault


@case
def keys_revoked_afterwards():
    """True: every key of a release is revoked after the opening; "not revoked before t" looks back, not ahead."""
    vault = opened()
    for person in (ADA, BEN, CY, ROB):
        vault.revoke(person, CARLA)
    vault.close(vault.filed)
    return vault


@case
def name_freed_for_another_user():
    """True: "an invitation that expired unused frees user and name", each for itself."""
    vault = founded()
    vault.invite(EVE, CARLA, life=HOUR)
    vault.days(1)
    vault.join(EVE.twin("eve two"), CARLA)
    vault.join(EVE.twin("eve three", user=EVE.user, name="Eva"), CARLA)
    return vault


@case
def sealed_to_one_key_of_two():
    """True: "at least one of each approver": Ada is named with two keys, and one is sealed to."""
    vault = people()
    vault.enrol(ADA, 2)
    vault.found_safe(SAFE, CARLA, (ADA, [ADA.key(1), ADA.key(2)]), BEN)
    vault.seal(SAFE, DB, keys=[BEN.key().id, ADA.key(2).id])
    return vault


@case
def target_set_again_for_its_own():
    """True: "(target, account) bound to another credential is false": to the same one, with a new pin, it is not."""
    vault = target_agreed()
    vault.set_target(vault.filed)
    filed = vault.ask_target(CARLA, SAFE, DB, pin="sha256:" + "5e" * 32)
    vault.approve(filed, BEN, CY)
    vault.set_target(filed)
    return vault


@case
def sealed_as_without_target():
    """True: "`sealed_as{kind,name,target?}`"."""
    vault = sealed()
    vault.next(statement=drop("sealed_as.target")).ask_release(ROB, DB)
    return vault


@case
def one_id_for_several_things():
    """True: a safe's id may be a credential's, a target's and a grant's too; ids are unique among their own."""
    vault = safe()
    vault.seal(SAFE, SAFE)
    filed = vault.ask_target(CARLA, SAFE, SAFE, target=SAFE)
    vault.approve(filed, BEN, CY)
    vault.set_target(filed)
    return vault


@case
def two_grants_of_one_role():
    """True: two grants run at once, and end in the other order."""
    vault = granted()
    first = vault.grant
    filed = vault.ask_access(ROB, vault.role)
    vault.approve(filed, CY)
    vault.start_grant(filed)
    vault.end_grant(first)
    vault.end_grant()
    return vault


@case
def roster_changes_while_asked():
    """True: the roster changes between approvals and opening, and two still count on both."""
    vault = asked()
    vault.join(DORA, CARLA)
    change = vault.ask_roster(CARLA, SAFE, roster_of(BEN, CY, DORA, epoch=2, m=2))
    vault.accept(change, DORA)
    vault.approve(vault.filed, BEN, CY)
    vault.approve(change, ADA, BEN)
    vault.set_roster(change)
    vault.open(vault.filed)
    return vault


@case
def approvers_accept_their_new_keys():
    """True: approving a change and accepting one's own new key are two things ("acceptance by every key newly named")."""
    vault = safe()
    vault.enrol(ADA, 2)
    vault.enrol(BEN, 2)
    filed = vault.ask_roster(CARLA, SAFE, roster_of((ADA, [ADA.key(1), ADA.key(2)]), (BEN, [BEN.key(2)]), epoch=2))
    vault.approve(filed, ADA, BEN)
    vault.accept(filed, ADA, key=ADA.key(2))
    vault.accept(filed, BEN, key=BEN.key(2))
    vault.set_roster(filed)
    return vault


@case
def denied_after_approving():
    """True: "the person decides again (a denial after one's own approval excepted)"."""
    vault = asked()
    vault.approve(vault.filed, ADA)
    vault.deny(vault.filed, ADA)
    return vault


@case
def custodian_no_more():
    """True: "by role at that seq": Carla files as a custodian and is none when the target is set."""
    vault = target_agreed()
    vault.set_roles(CARLA, ["auditor"], CARLA)
    vault.set_target(vault.filed)
    return vault


@case
def revokes_with_the_key_itself():
    """True: "not revoked before t": a key may revoke itself."""
    vault = people()
    vault.revoke(BEN, BEN)
    return vault


@case
def revokes_a_suspended_key():
    """True: "Revoked once and for good; suspended only when live": suspended may be revoked."""
    vault = people()
    vault.suspend(BEN, CARLA)
    vault.revoke(BEN, CARLA)
    return vault


@case
def roles_before_enrolment():
    """True: "`roles` an invited user": not yet enrolled is enough."""
    vault = founded()
    vault.invite(EVE, CARLA)
    vault.set_roles(EVE, ["custodian", "operator"], CARLA)
    vault.enrol(EVE)
    vault.setting(EVE)
    return vault


@case
def roles_before_the_invitation_lapses():
    """True: "`roles` an invited user": until the last microsecond, and again after another invitation."""
    vault = founded()
    vault.invite(EVE, CARLA, life=HOUR)
    vault.until(vault.time - SECOND + HOUR * SECOND - 1).set_roles(EVE, ["custodian"], CARLA)
    vault.days(1)
    vault.invite(EVE, CARLA)
    vault.set_roles(EVE, ["operator"], CARLA)
    vault.enrol(EVE)
    return vault


@case
def grant_with_no_approval_needed():
    """True: "`needed` ... from 0"."""
    vault = safe()
    vault.role = vault.ask_role(CARLA, SAFE, needed=0)
    vault.approve(vault.role, CY, BEN)
    vault.set_role(vault.role)
    filed = vault.ask_access(ROB, vault.role)
    vault.start_grant(filed)
    return vault


@case
def grant_ends():
    """True: a running grant ends, once."""
    vault = granted()
    vault.end_grant()
    return vault


@case
def grant_for_less():
    """True: "`until` <= its time + `duration_s`"."""
    vault = access_agreed()
    vault.start_grant(vault.filed, until=vault.time + 60 * SECOND)
    return vault


@case
def role_set_again():
    """True: "A role's `previous` is the leaf of the last `role.set` of its (safe, target, name)"; other names begin anew."""
    vault = role()
    again = vault.ask_role(CARLA, SAFE, previous=vault.roles[vault.role.id])
    other = vault.ask_role(CARLA, SAFE, name="read and write")
    for filed in (again, other):
        vault.approve(filed, BEN, CY)
        vault.set_role(filed)
    return vault


@case
def account_freed_and_taken():
    """True: "A `target.set` replaces that credential's binding and frees the former"."""
    vault = target_agreed()
    vault.set_target(vault.filed)
    for credential, account in ((DB, "postgres2"), (ROUTER, "postgres")):
        filed = vault.ask_target(CARLA, SAFE, credential, account=account)
        vault.approve(filed, ADA, CY)
        vault.set_target(filed)
    return vault


@case
def pins_of_every_form():
    """True: the three forms of `pin`."""
    vault = safe()
    host = base64.b64encode(b"\xfb\xef" + pseudo("host key", 30)).decode().rstrip("=")
    for n, pin in enumerate(("sha256:" + "0a" * 32, "unix", "ssh:SHA256:" + host)):
        filed = vault.ask_target(CARLA, SAFE, uuid(f"pinned {n}"), target=uuid(f"pinned target {n}"), pin=pin)
        vault.approve(filed, ADA, CY)
        vault.set_target(filed)
    return vault


@case
def destroyed():
    """True: a version destroyed by two."""
    vault = destroy_agreed()
    vault.destroy(vault.filed)
    return vault


@case
def resealed():
    """True: "`resealed` follows a `reseal.opened` that names the credential"."""
    vault = resealing()
    vault.seal(SAFE, DB, version=2, origin="resealed")
    return vault


@case
def rotation_fails_after_proof():
    """True: "or failed from any of the first three"."""
    vault = rotating()
    for step in ("applied", "proved", "failed"):
        vault.rotation(step, vault.rotation_id, DB, 2)
    return vault


@case
def rotation_fails_at_once():
    """True: failed when only staged."""
    vault = rotating()
    vault.rotation("failed", vault.rotation_id, DB, 2)
    return vault


@case
def two_rotations_at_once():
    """True: two candidates of one credential, each a rotation of its own."""
    vault = rotating()
    vault.seal(SAFE, DB, version=3)
    other = vault.id("rotation")
    vault.rotation("staged", other, DB, 3)
    for step in ("applied", "proved", "promoted"):
        vault.rotation(step, other, DB, 3)
    vault.rotation("failed", vault.rotation_id, DB, 2)
    return vault


@case
def exactly_a_day():
    """True: time "never rises by more than 24 h"."""
    vault = people()
    vault.wait(DAY).roll_kek()
    return vault


@case
def same_time():
    """True: time "never decreases": equal is enough."""
    vault = people()
    vault.until(vault.time).roll_kek()
    return vault


@case
def clock_window_ends():
    """True: "the entry's lies in [`time`, `time` + 24 h]": both ends."""
    vault = people()
    vault.wait(30 * DAY).accept_clock(BEN)
    vault.wait(30 * DAY).accept_clock(BEN, earliest=DAY)
    return vault


@case
def workload_writes():
    """True: `actor` is "else `system` or a workload's id"."""
    vault = people()
    vault.next(actor=uuid("workload")).roll_kek()
    return vault


@case
def workload_becomes_a_user():
    """True: "(an id that is no user's)" is judged at that seq; somebody is invited under that id only later."""
    vault = people()
    vault.next(actor=EVE.user).roll_kek()
    vault.join(EVE, CARLA)
    return vault


@case
def checkpoint_keys_changed_last():
    """True: the change is the last entry, and the final checkpoint, of size k+1, is the one under the old key."""
    vault = people()
    vault.change_checkpoint_keys("next")
    vault.earlier.pop()
    return vault


@case
def checkpoint_keys_changed_twice_running():
    """True: two changes next to each other, a checkpoint of size k+1 for each."""
    vault = people()
    vault.change_checkpoint_keys("next 1", "next 2", "next 3")
    vault.change_checkpoint_keys("next 4")
    vault.roll_kek()
    return vault


@case
def old_signature_beside_the_new():
    """True: after the change the old key is nobody's; its line is no signature by a key in force."""
    vault = people()
    old = vault.keys(1)
    vault.change_checkpoint_keys("next")
    vault.roll_kek()
    export = Export(vault)
    export.files["checkpoint"] = vault.note(keys=[old[0], *vault.keys(len(vault.entries))]).encode()
    return export


@case
def reads_like_canonical_trouble():
    """True: quotes, backslashes, U+2028, C1 controls, emoji, 200 code points beyond the BMP."""
    vault = people()
    vault.start_software(release='"\\/\u2028\u0085 \u00e9\u4e2d\U0001f511')
    vault.start_software(release="\U0001f511" * 200)
    vault.distrust(BEN, counter=2**53 - 1)
    return vault


@case
def longest_and_shortest_credential_id():
    """True: "`credential_id` 1 to 1023"."""
    vault = founded()
    vault.join(Person("short", "Short Id", ["auditor"], credential_id=b"\0"), CARLA)
    vault.join(Person("long", "Long Id", ["auditor"], credential_id=b"\xff" * 1023), CARLA)
    return vault


@case
def names_that_only_look_alike():
    """True: names unique under "full case folding, then NFC": these differ."""
    vault = founded()
    for n, name in enumerate(("Ilknur", "\u0131lknur", "Strase", "Stra\u00dfe", "Ada", "\u0410da")):
        vault.invite(Person(f"alike {n}", name, ["auditor"]), CARLA)
    return vault


@case
def entry_of_64_kib():
    """True: "an entry at most 64 KiB", exactly."""
    return entry_of_size(65536)


@case
def biggest_roster():
    """True: "2 <= m <= n <= 100": a hundred."""
    return crowd(100)
