"""Nothing is false here: long stories, what they need, and who may have signed them."""

import base64

from ..canonical import hash_of, pseudo, uuid
from ..cases import Export, case
from ..ledger import DAY, HOUR
from ..people import Person
from ..requests import Vault, roster_of
from ..stories import ADA, BEN, CARLA, CY, DB, DORA, DRILL_SAFE, EVE, ROB, SAFE, opened

GUS = Person("gus", "Gus Late", ["requester"])
TOKEN, SPARE = uuid("credential token"), uuid("credential spare")


def whole():
    """Every event, kind of statement, purpose and closed value, in one ledger that ran for some weeks."""
    vault = Vault(label="whole", tokens=3)
    vault.found()
    vault.invite_first(CARLA)
    vault.enrol(CARLA)
    vault.start_software()
    vault.checkpoint()
    vault.enrol(CARLA, 2)
    vault.setting(CARLA, key=CARLA.key(2))
    for person in (ADA, BEN, CY, DORA, ROB, EVE):
        vault.join(person, CARLA)
    vault.set_roles(EVE, ["auditor", "operator", "requester"], CARLA)
    _an_invitation_expires(vault)
    vault.checkpoint(keys=vault.keys(1)[1:])
    vault.found_safe(SAFE, CARLA, ADA, BEN, (CY, [CY.key()]))
    vault.found_safe(DRILL_SAFE, CARLA, ADA, BEN, m=1, denials=1, drill=True, name="Drill")
    target = vault.ask_target(CARLA, SAFE, DB)
    vault.approve(target, ADA, BEN)
    vault.set_target(target)
    vault.seal(SAFE, DB)
    vault.seal(SAFE, TOKEN, by=CARLA)
    _requests_end_unspent(vault)
    _a_release_and_its_rotation(vault)
    vault.checkpoint(keys=vault.keys(1))
    _a_drill(vault)
    _keys_come_and_go(vault)
    _access(vault)
    vault.days(3)
    vault.wait(9 * DAY).accept_clock(EVE, earliest=HOUR)
    vault.change_checkpoint_keys("whole next 1", "whole next 2")
    vault.roll_kek()
    _a_new_roster(vault)
    vault.checkpoint()
    vault.days(1)
    return vault


def _an_invitation_expires(vault):
    vault.invite(GUS, CARLA, life=HOUR)
    vault.days(1)
    vault.join(GUS, CARLA)  # the same user and name: both were free again


def _requests_end_unspent(vault):
    late = vault.ask_release(ROB, DB, life=600)
    vault.approve(late, ADA)
    vault.wait(900).approve(late, BEN)
    vault.end(late, "expired")
    denied = vault.ask_release(ROB, DB)
    vault.deny(denied, ADA)
    vault.deny(denied, CY)
    vault.end(denied, "denied")
    spoilt = vault.ask_release(ROB, DB, ticket="CHG-7")
    vault.approve(spoilt, BEN)
    vault.refuse_share(spoilt, BEN)
    vault.end(spoilt, "withdrawn")
    refused = vault.ask_release(ROB, TOKEN)
    vault.approve(refused, ADA, BEN)
    vault.refuse(refused)
    restore = vault.ask_restore(CARLA, SAFE)
    vault.approve(restore, ADA, BEN)
    vault.end(restore, "restored")


def _a_release_and_its_rotation(vault):
    filed = vault.ask_release(EVE, DB)
    vault.approve(filed, ADA)
    vault.approve(filed, EVE)             # her own request: allowed, counts for nothing
    vault.approve(filed, DORA)            # on no roster: allowed, counts for nothing
    vault.deny(filed, ADA)                # thinks better of it
    counting = [vault.approve(filed, BEN), vault.approve(filed, CY)]
    vault.open(filed, counting)
    vault.close(filed)
    waiting = vault.ask_release(ROB, DB)
    vault.seal(SAFE, DB, version=2)
    vault.seal(SAFE, DB, version=3)
    first, second = vault.id("rotation"), vault.id("rotation")
    vault.rotation("staged", first, DB, 2)
    vault.rotation("applied", first, DB, 2)
    vault.rotation("failed", first, DB, 2, "the new login is refused")
    for step in ("staged", "applied", "proved", "promoted"):
        vault.rotation(step, second, DB, 3)
    vault.end(waiting, "superseded")


def _a_drill(vault):
    vault.seal(DRILL_SAFE, SPARE)
    filed = vault.ask_release(ROB, SPARE, duration_s=60)
    vault.approve(filed, BEN)
    vault.open(filed)
    vault.wait(60).close(filed, "expired")
    vault.finish_drill(DRILL_SAFE)
    vault.finish_drill(DRILL_SAFE, "failed")


def _keys_come_and_go(vault):
    vault.enrol(ADA, 2)
    vault.suspend(ADA, ADA, n=2)
    vault.unsuspend(ADA, CARLA, n=2)
    vault.suspend(BEN, CARLA)
    vault.unsuspend(BEN, CARLA)
    vault.distrust(ADA, 2, counter=3)
    vault.unsuspend(ADA, CARLA, n=2)
    vault.revoke(CARLA, CARLA, n=2)
    vault.revoke(GUS, CARLA)


def _access(vault):
    first = vault.ask_role(CARLA, SAFE)
    vault.approve(first, ADA, CY)
    vault.set_role(first)
    second = vault.ask_role(CARLA, SAFE, needed=0, previous=vault.roles[first.id])
    vault.approve(second, ADA, CY)
    vault.set_role(second)
    filed = vault.ask_access(ROB, second)
    vault.start_grant(filed)
    vault.end_grant()


def _a_new_roster(vault):
    vault.join(Person("eve again", "Eve II", ["auditor"]), CARLA)
    filed = vault.ask_roster(CARLA, SAFE, roster_of((ADA, [ADA.key(1), ADA.key(2)]), BEN, DORA, epoch=2))
    vault.accept(filed, ADA, key=ADA.key(2))
    vault.accept(filed, DORA)
    vault.approve(filed, ADA, BEN)
    vault.set_roster(filed)
    filed = vault.ask_reseal(CARLA, SAFE, (TOKEN, 1))
    vault.approve(filed, ADA, BEN)
    vault.open_reseal(filed)
    vault.seal(SAFE, TOKEN, version=2, origin="resealed")
    filed = vault.ask_destroy(CARLA, SAFE, (TOKEN, 1), (DB, 1))
    vault.approve(filed, DORA, BEN)
    vault.destroy(filed)
    vault.quiet = True


@case
def whole_ledger():
    """True: every event, kind, purpose and closed value of FORMATS.md 3 and 4 in one ledger."""
    return whole()


@case
def whole_without_founded():
    """True in itself: "no founding fingerprint was given" (exit 3)."""
    return Export(whole()).with_founded(None)


@case
def whole_with_seen():
    """True: "A `--seen` checkpoint is consistent when ... its root is this tree's at that size", at six sizes."""
    vault = whole()
    export = Export(vault)
    for size in (1, 2, 5, 64, len(vault.entries) - 1, len(vault.entries)):
        export.with_seen(vault.note(size), f"seen-{size}.txt")
    return export


@case
def continues_after_restore():
    """True: "after a restore also `continues{checkpoint,ledger,size}`"."""
    vault = Vault(label="restored")
    vault.found(continues={"checkpoint": hash_of("old root"), "ledger": hash_of("old ledger"), "size": 4711})
    vault.invite_first(CARLA)
    vault.enrol(CARLA)
    return vault


@case
def witness_line():
    """True: a line by a key nobody knows is no signature "by a key in force"; witness cosignatures look so."""
    export = Export(opened())
    blob = base64.b64encode(pseudo("key id, time, signature", 4 + 8 + 64)).decode()
    export.files["checkpoint"] += f"\u2014 witness.example/w1 {blob}\n".encode()
    return export


@case
def signed_by_both_tokens():
    """True: "Ed25519 (note type 0x01) by keys in the HSM, one a token, either may sign"."""
    export = Export(opened())
    export.files["checkpoint"] = export.ledger.note(keys=export.ledger.keys(1)).encode()
    return export


@case
def signed_by_second_token():
    """True: "at least one signature by a key in force", here the second."""
    export = Export(opened())
    export.files["checkpoint"] = export.ledger.note(keys=export.ledger.keys(1)[1:]).encode()
    return export


@case
def founding_alone():
    """True: a ledger of one entry."""
    vault = Vault()
    vault.found()
    return vault
