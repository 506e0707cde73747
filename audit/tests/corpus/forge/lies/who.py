"""FORMATS.md 4, "Who": what somebody did who may not."""

from ..cases import add, case
from ..requests import roster_of
from ..stories import ADA, BEN, CARLA, CY, DB, EVE, ROB, ROUTER, SAFE, people, role, safe, sealed

# Who

WHO = {  # name: (beginning, what, the entry, written by somebody who may not)
    "invite": (people, "invites", lambda v, by: v.invite(EVE, by)),
    "roles": (people, "gives roles", lambda v, by: v.set_roles(ADA, ["approver", "custodian"], by)),
    "own-roles": (people, "gives herself roles", lambda v, by: v.set_roles(by, ["custodian"], by)),
    "setting": (people, "changes a setting", lambda v, by: v.setting(by)),
    "import": (safe, "imports", lambda v, by: v.seal(SAFE, ROUTER, by=by)),
    "revoke": (people, "revokes another's key", lambda v, by: v.revoke(CARLA, by)),
    "suspend": (people, "suspends another's key", lambda v, by: v.suspend(CARLA, by)),
    "roster": (people, "founds a safe", lambda v, by: v.ask_roster(by, SAFE, roster_of(ADA, BEN, CY))),
    "roster-change": (safe, "asks for another roster", lambda v, by: v.ask_roster(
        by, SAFE, roster_of(ADA, BEN, m=2, epoch=2))),
    "role": (safe, "asks for a role", lambda v, by: v.ask_role(by, SAFE)),
    "target": (safe, "asks for a target", lambda v, by: v.ask_target(by, SAFE, DB)),
    "reseal": (sealed, "asks to reseal", lambda v, by: v.ask_reseal(by, SAFE, (DB, 1))),
    "destroy": (sealed, "asks to destroy", lambda v, by: v.ask_destroy(by, SAFE, (DB, 1))),
    "restore": (safe, "asks to restore", lambda v, by: v.ask_restore(by, SAFE)),
}
CUSTODIAN = ('"Custodian: `invite` `roles` `unsuspend` `setting` `import`, `revoke` and `suspend` of another\'s key, requests of '
             'every purpose but `release` and `access`"')

for _name, (_begin, _what, _write) in WHO.items():
    for _label, _by, _who in (("approver", ADA, "An approver"), ("requester", ROB, "A requester")):
        def _forbidden(begin=_begin, write=_write, by=_by):
            vault = begin()
            write(vault, by)
            return vault.false()
        add(f"who-{_label}-{_name}", f"{_who} {_what}. {CUSTODIAN}", _forbidden)


@case
def custodian_asks_for_release():
    """A custodian who is no requester asks for a secret. "Requester: `release` `access`" """
    vault = sealed()
    vault.ask_release(CARLA, DB)
    return vault.false()


@case
def approver_asks_for_release():
    """An approver who is no requester asks for a secret. "Requester: `release` `access`" """
    vault = sealed()
    vault.ask_release(ADA, DB)
    return vault.false()


@case
def custodian_asks_for_access():
    """A custodian who is no requester asks for access. "Requester: `release` `access`" """
    vault = role()
    vault.ask_access(CARLA, vault.role)
    return vault.false()


@case
def operator_asks_for_access():
    """An operator who is no requester asks for access. "Requester: `release` `access`" """
    vault = role()
    vault.join(EVE, CARLA)
    vault.ask_access(EVE, vault.role)
    return vault.false()


@case
def owner_restores():
    """Ada restores her own key with another of hers. "Custodian: ... `unsuspend`" """
    vault = people()
    vault.enrol(ADA, 2)
    vault.suspend(ADA, ADA, n=2)
    vault.unsuspend(ADA, ADA, n=2)
    return vault.false()


@case
def approver_restores_another():
    """Ben restores Ada's key. "Custodian: ... `unsuspend`" """
    vault = people()
    vault.suspend(ADA, CARLA)
    vault.unsuspend(ADA, BEN)
    return vault.false()


@case
def custodian_no_more_invites():
    """Carla gave up her role and invites. "by role at that seq" """
    vault = people()
    vault.set_roles(CARLA, ["auditor"], CARLA)
    vault.invite(EVE, CARLA)
    return vault.false()


@case
def custodian_no_more_takes_it_back():
    """Carla gave up her role and gives it to herself. "by role at that seq" """
    vault = people()
    vault.set_roles(CARLA, [*CARLA.roles, "auditor"], CARLA)
    vault.set_roles(CARLA, ["auditor"], CARLA)
    vault.set_roles(CARLA, ["custodian"], CARLA)
    return vault.false()


@case
def custodian_not_yet():
    """Eve changes a setting one entry before she becomes custodian. "by role at that seq" """
    vault = people()
    vault.join(EVE, CARLA)
    vault.setting(EVE)
    vault.false()
    vault.set_roles(EVE, ["custodian"], CARLA)
    return vault


@case
def requester_no_more():
    """Rob lost the role and asks. "by role at that seq" """
    vault = sealed()
    vault.set_roles(ROB, ["auditor"], CARLA)
    vault.ask_release(ROB, DB)
    return vault.false()


@case
def clock_by_a_revoked_key():
    """Anybody may accept the clock, but with a live key. "Anybody with a live key: `clock`" """
    vault = people()
    vault.revoke(BEN, CARLA)
    vault.accept_clock(BEN)
    return vault.false()
