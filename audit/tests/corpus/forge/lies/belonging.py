"""FORMATS.md 4, "Belonging": targets and roles."""

from ..canonical import hash_of, uuid
from ..cases import case
from ..stories import ADA, BEN, CARLA, CY, DB, OTHER_SAFE, ROUTER, SAFE, bound, role, safe

# Targets and roles


def _bind(vault, credential, safe_=SAFE, **more):
    filed = vault.ask_target(CARLA, safe_, credential, **more)
    vault.approve(filed, ADA, BEN)
    vault.set_target(filed)
    return filed


@case
def account_taken():
    """The router's credential takes the account of the database's. "(target, account) bound to another credential" """
    vault = bound()
    filed = _bind(vault, ROUTER)
    return vault.false(also=[filed.seq])


@case
def account_taken_from_another_safe():
    """A credential of another safe takes the account. "(target, account) bound to another credential is false" """
    vault = bound()
    vault.found_safe(OTHER_SAFE, CARLA, ADA, BEN)
    filed = _bind(vault, ROUTER, OTHER_SAFE)
    return vault.false(also=[filed.seq])


@case
def account_taken_meanwhile():
    """Both asked when it was free; the second set is too late. "(target, account) bound to another credential is false" """
    vault = safe()
    one, two = vault.ask_target(CARLA, SAFE, DB), vault.ask_target(CARLA, SAFE, ROUTER)
    for filed in (one, two):
        vault.approve(filed, ADA, BEN)
        vault.set_target(filed)
    return vault.false()


@case
def account_taken_back():
    """Freed, taken by another, and taken back while that one holds it. "bound to another credential is false" """
    vault = bound()
    _bind(vault, DB, account="postgres2")
    _bind(vault, ROUTER)
    filed = _bind(vault, DB)
    return vault.false(also=[filed.seq])


def _set_role(vault, **more):
    filed = vault.ask_role(CARLA, SAFE, **more)
    vault.approve(filed, ADA, BEN)
    vault.set_role(filed)
    return vault.false(also=[filed.seq])


@case
def role_without_previous():
    """A role is set again with zeros as `previous`. "the leaf of the last `role.set`" """
    return _set_role(role())


@case
def role_with_a_previous_out_of_nothing():
    """A first role names a `previous`. "else 64 zeros" """
    return _set_role(safe(), previous=hash_of("a role"))


@case
def role_with_anothers_previous():
    """A role of another name names this one as `previous`. "of its (safe, target, name)" """
    vault = role()
    return _set_role(vault, name="superuser", previous=vault.roles[vault.role.id])


@case
def role_with_another_targets_previous():
    """A role of the same name at another target. "of its (safe, target, name)" """
    vault = role()
    return _set_role(vault, target=uuid("target 2"), previous=vault.roles[vault.role.id])


@case
def role_with_an_older_previous():
    """The third role names the first. "the leaf of the last `role.set`" """
    vault = role()
    first = vault.roles[vault.role.id]
    _set_role(vault, previous=first)
    vault.verdict = None
    return _set_role(vault, previous=first)


@case
def role_overtaken():
    """Two requests follow the same role; the second set is too late. "the leaf of the last `role.set`" """
    vault = role()
    previous = vault.roles[vault.role.id]
    one, two = (vault.ask_role(CARLA, SAFE, previous=previous, needed=n) for n in (1, 2))
    for filed in (one, two):
        vault.approve(filed, BEN, CY)
        vault.set_role(filed)
    return vault.false()


@case
def role_previous_is_the_filing():
    """`previous` is the leaf of the filing, not of the `role.set`. "the leaf of the last `role.set`" """
    vault = role()
    return _set_role(vault, previous=vault.role.leaf)
