"""FORMATS.md 4, "Order", and how requests end: what comes too early, too late, twice or for nothing."""

from ..canonical import put, uuid
from ..cases import add, case
from ..ledger import HOUR, SECOND
from ..requests import roster_of
from ..stories import (ADA, BEN, CARLA, CY, DB, DORA, OTHER_SAFE, ROB, ROUTER, SAFE, access_agreed, approved, asked, granted,
                       opened, people, rotating, safe, sealed, target_agreed)

STEPS = '"Rotations go staged -> applied -> proved -> promoted, or failed from any of the first three"'

ROTATIONS = {  # the steps after "staged" of the same rotation; the last one is false
    "proved-before-applied": ["proved"],
    "promoted-before-applied": ["promoted"],
    "promoted-before-proved": ["applied", "promoted"],
    "applied-twice": ["applied", "applied"],
    "proved-twice": ["applied", "proved", "proved"],
    "promoted-twice": ["applied", "proved", "promoted", "promoted"],
    "applied-after-proved": ["applied", "proved", "applied"],
    "staged-again": ["staged"],
    "staged-after-promotion": ["applied", "proved", "promoted", "staged"],
    "staged-after-failure": ["failed", "staged"],
    "failed-after-promotion": ["applied", "proved", "promoted", "failed"],
    "failed-twice": ["failed", "failed"],
    "applied-after-failure": ["failed", "applied"],
    "proved-after-failure": ["applied", "failed", "proved"],
    "promoted-after-failure": ["applied", "proved", "failed", "promoted"],
}

for _name, _steps in ROTATIONS.items():
    def _rotate(steps=_steps):
        vault = rotating()
        for step in steps:
            vault.rotation(step, vault.rotation_id, DB, 2)
        return vault.false()
    add(f"order-rotation-{_name}", f"A rotation: {' -> '.join(['staged', *_steps])}. {STEPS}", _rotate)

for _step in ("applied", "proved", "promoted", "failed"):
    def _out_of_nothing(step=_step):
        vault = sealed()
        vault.rotation(step, uuid("rotation"), DB, 1)
        return vault.false()

    def _other_version(step=_step):
        vault = rotating()
        for before in {"proved": ["applied"], "promoted": ["applied", "proved"]}.get(step, []):
            vault.rotation(before, vault.rotation_id, DB, 2)
        vault.rotation(step, vault.rotation_id, DB, 1)
        return vault.false()

    def _other_credential(step=_step):
        vault = rotating()
        vault.seal(SAFE, ROUTER)
        vault.seal(SAFE, ROUTER, version=2)
        for before in {"proved": ["applied"], "promoted": ["applied", "proved"]}.get(step, []):
            vault.rotation(before, vault.rotation_id, DB, 2)
        vault.rotation(step, vault.rotation_id, ROUTER, 2)
        return vault.false()
    add(f"order-rotation-{_step}-out-of-nothing", f"`rotation.{_step}` of a rotation never staged. {STEPS}", _out_of_nothing)
    add(f"order-rotation-{_step}-other-version", f"`rotation.{_step}` names another version than was staged. \"one credential "
        'and version each"', _other_version)
    add(f"order-rotation-{_step}-other-credential", f"`rotation.{_step}` names another credential than was staged. \"one "
        'credential and version each"', _other_credential)


@case
def staged_before_sealing():
    """Version 2 is staged, and sealed only after. "a rotation's version is sealed before `staged`" """
    vault = sealed()
    vault.rotation("staged", uuid("rotation"), DB, 2)
    vault.false()
    vault.seal(SAFE, DB, version=2)
    return vault


@case
def staged_a_credential_never_sealed():
    """A rotation of a credential without versions. "a rotation's version is sealed before `staged`" """
    vault = sealed()
    vault.rotation("staged", uuid("rotation"), ROUTER, 1)
    return vault.false()


@case
def rotation_id_twice():
    """A second rotation with the id of a finished one. "Unique in the whole ledger: ... rotation" """
    vault = rotating()
    for step in ("applied", "proved", "promoted"):
        vault.rotation(step, vault.rotation_id, DB, 2)
    vault.seal(SAFE, DB, version=3)
    vault.rotation("staged", vault.rotation_id, DB, 3)
    return vault.false()


# Releases


@case
def closed_before_opening():
    """Closed when approved, not opened. "`release.closed` follows that request's `release.opened`" """
    vault = approved()
    vault.close(vault.filed)
    return vault.false()


@case
def closed_twice():
    """Checked in twice. "once" """
    vault = opened()
    vault.close(vault.filed)
    vault.close(vault.filed)
    return vault.false()


@case
def closed_then_expired():
    """Checked in, and then expired too. "once" """
    vault = opened()
    vault.close(vault.filed)
    vault.wait(HOUR).close(vault.filed, "expired")
    return vault.false()


@case
def closed_nothing():
    """A request nobody filed is closed. "`release.closed` follows that request's `release.opened`" """
    vault = opened()
    vault.next(data=put("request", uuid("a request nobody filed"))).close(vault.filed)
    return vault.false()


@case
def closed_another():
    """Another release of the same version is open; this one is closed. "that request's `release.opened`" """
    vault = opened()
    other = vault.ask_release(ROB, DB)
    vault.close(other)
    return vault.false()


@case
def closed_a_grant():
    """An access is closed as a release. "that request's `release.opened`" """
    vault = granted()
    vault.close(vault.filed)
    return vault.false()


@case
def closed_a_target():
    """A target request is closed as a release. "that request's `release.opened`" """
    vault = target_agreed()
    vault.set_target(vault.filed)
    vault.close(vault.filed)
    return vault.false()


@case
def expired_early():
    """Expired a microsecond before its end. "`expired` needs time >= the opening's + `duration_s`" """
    vault = opened()
    vault.until(vault.time + 900 * SECOND - 1).close(vault.filed, "expired")
    return vault.false()


@case
def expired_from_the_filing():
    """`duration_s` counted from the filing. "`expired` needs time >= the opening's + `duration_s`" """
    vault = opened()
    vault.until(vault.filed.time + 900 * SECOND).close(vault.filed, "expired")
    return vault.false()


# Grants


@case
def grant_ended_twice():
    """A grant ends twice. "Only a running grant ends, once" """
    vault = granted()
    vault.end_grant()
    vault.end_grant()
    return vault.false()


@case
def grant_ended_out_of_nothing():
    """A grant that never began ends. "Only a running grant ends" """
    vault = granted()
    vault.end_grant(uuid("another grant"))
    return vault.false()


@case
def grant_ended_by_request():
    """The request's id in place of the grant's. "Only a running grant ends" """
    vault = granted()
    vault.end_grant(vault.filed.id)
    return vault.false()


@case
def grant_ended_before_it_began():
    """The grant ends one entry before it begins. "Only a running grant ends" """
    vault = access_agreed()
    vault.end_grant(uuid("grant"))
    vault.false()
    vault.start_grant(vault.filed, grant=uuid("grant"))
    return vault


# How requests end

ENDS = '"It ends at most once, is refused at most once, never after it was spent"'

ENDINGS = {
    "twice": ("ends twice", asked, lambda v: (v.end(v.filed, "withdrawn"), v.end(v.filed, "withdrawn"))),
    "twice-differently": ("is withdrawn, and then superseded", asked,
                          lambda v: (v.end(v.filed, "withdrawn"), v.end(v.filed, "superseded"))),
    "withdrawn-and-expired": ("is withdrawn, and expires too", asked,
                              lambda v: (v.end(v.filed, "withdrawn"), v.wait(2 * HOUR).end(v.filed, "expired"))),
    "after-opening": ("ends after it was opened", opened, lambda v: v.end(v.filed, "withdrawn")),
    "expired-after-opening": ("expires after it was opened", opened, lambda v: v.wait(2 * HOUR).end(v.filed, "expired")),
    "superseded-after-closing": ("ends after it was closed", opened, lambda v: (v.close(v.filed), v.end(v.filed, "superseded"))),
    "after-grant": ("ends after the grant began", granted, lambda v: v.end(v.filed, "withdrawn")),
    "after-roster": ("ends after its roster was set", safe, lambda v: v.end(v.roster, "superseded")),
    "refused-twice": ("is refused twice", approved, lambda v: (v.refuse(v.filed), v.refuse(v.filed))),
    "refused-after-opening": ("is refused after it was opened", opened, lambda v: v.refuse(v.filed)),
}

for _name, (_what, _begin, _write) in ENDINGS.items():
    def _ending(begin=_begin, write=_write):
        vault = begin()
        write(vault)
        return vault.false()
    add(f"order-request-{_name}", f"A request {_what}. {ENDS}", _ending)


@case
def request_expired_early():
    """A microsecond before `expires`. "`expired` needs time >= `expires`" """
    vault = asked()
    vault.until(vault.filed.statement["expires"] - 1).end(vault.filed, "expired")
    return vault.false()


@case
def request_denied_by_nobody():
    """Ended as denied, without a denial. "`denied` that many denials" """
    vault = asked()
    vault.end(vault.filed, "denied")
    return vault.false()


@case
def request_denied_by_one():
    """Ended as denied by one, where two are needed. "`denied` that many denials" """
    vault = asked()
    vault.deny(vault.filed, CY)
    vault.end(vault.filed, "denied")
    return vault.false()


@case
def request_denied_elsewhere():
    """The denials are of another request. "`denied` that many denials" """
    vault = asked()
    other = vault.ask_release(ROB, DB)
    vault.deny(other, ADA)
    vault.deny(other, CY)
    vault.end(vault.filed, "denied")
    return vault.false()


NAMES = '"`request.ended`, `release.refused`, `share.refused` name a filed request"'

for _name, _write in {
    "ended": lambda v: v.end(v.filed, "withdrawn"), "refused": lambda v: v.refuse(v.filed),
    "share-refused": lambda v: v.refuse_share(v.filed, ADA),
}.items():
    def _nobody(write=_write):
        vault = asked()
        vault.next(data=put("request", uuid("a request nobody filed")))
        write(vault)
        return vault.false()
    add(f"order-{_name}-nobodys-request", f"A request nobody filed. {NAMES}", _nobody)


@case
def ended_before_filing():
    """A request ends one entry before it is filed. "name a filed request" """
    vault = sealed()
    filed = vault.copy().ask_release(ROB, DB)
    vault.end(filed, "withdrawn")
    vault.false()
    vault.next(statement=put("request", filed.id)).ask_release(ROB, DB)
    return vault


@case
def founding_set_after_its_end():
    """A founding was withdrawn, and is set. "neither ended nor refused before" """
    vault = people()
    filed = vault.ask_roster(CARLA, SAFE, roster_of(ADA, BEN, CY))
    vault.accept(filed, ADA, BEN, CY)
    vault.end(filed, "withdrawn")
    vault.set_roster(filed)
    return vault.false()


@case
def approved_by_revoked_before_approving():
    """Cy's key is revoked; then he approves. "**Every** signed entry is checked, not only those an opening names" """
    vault = asked()
    vault.revoke(CY, CARLA)
    vault.approve(vault.filed, CY)
    vault.false()
    vault.approve(vault.filed, ADA, BEN)
    vault.open(vault.filed, vault.filed.approvals[1:])
    return vault


@case
def unlisted_approval_is_invalid():
    """An approval with a false signature, which nobody lists. "**Every** signed entry is checked" """
    vault = asked()
    vault.next(touch={"key": BEN.key()}).approve(vault.filed, CY)
    vault.false()
    vault.approve(vault.filed, ADA, BEN)
    vault.open(vault.filed, vault.filed.approvals[1:])
    return vault


@case
def safe_founded_in_the_dark():
    """An invalid acceptance of a founding that is never set. "**Every** signed entry is checked" """
    vault = people()
    vault.join(DORA, CARLA)
    filed = vault.ask_roster(CARLA, OTHER_SAFE, roster_of(ADA, BEN, DORA))
    vault.next(touch={"flags": 0x01}).accept(filed, DORA)
    return vault.false()
