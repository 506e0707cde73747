"""FORMATS.md 4, "grant.started": roles, and access given by them."""

from ..canonical import hash_of, put, uuid
from ..cases import add, case
from ..ledger import DAY, SECOND
from ..people import Person
from ..stories import (ADA, BEN, CARLA, CY, OTHER_SAFE, ROB, SAFE, access_agreed, access_asked, granted, people, role,
                       safe)

# Grants

ROLE = '"the role is the newest of its (safe, target, name) and equals `role_name` `target` `needed`"'


@case
def without_approval():
    """The role needs one approval, there is none. "**grant.started** takes the role's `needed` in place of m" """
    vault = access_asked()
    vault.start_grant(vault.filed)
    return vault.false()


@case
def needs_three():
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
def of_a_replaced_role():
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
    add(f"grant-other-{_name}", f"A grant by a request that names its role, and {_what}. {ROLE}", _grant)


@case
def of_another_safes_role():
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
def too_long():
    """`until` a microsecond after `duration_s`. "`until` <= its time + `duration_s`" """
    vault = access_agreed()
    vault.start_grant(vault.filed, until=vault.time + SECOND + 900 * SECOND + 1)
    return vault.false()


@case
def longer_than_the_role():
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
def after_expires():
    """Access, unlike a release, is no longer given after `expires`. "Every acting entry but `release.opened`" """
    vault = access_agreed()
    vault.wait(DAY / 4)
    vault.start_grant(vault.filed)
    return vault.false()


@case
def id_twice():
    """A second grant with the id of the first. "Unique in the whole ledger: ... grant" """
    vault = granted()
    filed = vault.ask_access(ROB, vault.role)
    vault.approve(filed, BEN)
    vault.start_grant(filed, grant=vault.grant)
    return vault.false()


@case
def by_a_plain_person():
    """Approved by somebody without any role on the roster. "on the named roster" """
    vault = access_asked()
    vault.join(Person("plain", "Paul Plain", ["approver"]), CARLA)
    vault.approve(vault.filed, Person("plain", "Paul Plain", ["approver"]))
    vault.start_grant(vault.filed)
    return vault.false()
