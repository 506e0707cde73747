"""Honest beginnings, as short as they can be, each one built once and copied for every case."""

import functools

from .canonical import uuid
from .people import Person
from .requests import Vault, roster_of

CARLA = Person("carla", "Carla Custodian", ["custodian"])
ADA = Person("ada", "Ada Lovelace", ["approver"], counts=True)
BEN = Person("ben", "Ben Åkesson", ["approver"])
CY = Person("cy", "Cy Nguyễn", ["approver", "auditor"])
DORA = Person("dora", "Dora \u4e2d\u6751 \U0001f511", ["approver"])
ROB = Person("rob", 'Rob "on call" O\'Neil \\', ["requester"])
EVE = Person("eve", "Eve", ["auditor", "operator"])
SAFE, DRILL_SAFE, OTHER_SAFE = uuid("safe"), uuid("drill safe"), uuid("other safe")
DB, ROUTER = uuid("credential db"), uuid("credential router")


def stage(build):
    """A story others begin from: built once, handed out as a copy."""
    built = functools.cache(build)

    @functools.wraps(build)
    def copied():
        return built().copy()
    return copied


@stage
def founded():
    """Entries 0 to 2: the ledger, and Carla with her key."""
    vault = Vault()
    vault.found()
    vault.invite_first(CARLA)
    vault.enrol(CARLA)
    return vault


@stage
def people():
    """Three approvers and a requester join."""
    vault = founded()
    for person in (ADA, BEN, CY, ROB):
        vault.join(person, CARLA)
    return vault


@stage
def safe():
    """A safe, 2 of 3."""
    vault = people()
    vault.roster = vault.found_safe(SAFE, CARLA, ADA, BEN, CY)
    return vault


@stage
def sealed():
    """A generated secret in it."""
    vault = safe()
    vault.seal(SAFE, DB)
    return vault


@stage
def asked():
    """Rob asks for it: `vault.filed`."""
    vault = sealed()
    vault.filed = vault.ask_release(ROB, DB, ticket="INC-4711")
    return vault


@stage
def approved():
    """Ada and Ben agree."""
    vault = asked()
    vault.approve(vault.filed, ADA, BEN)
    return vault


@stage
def opened():
    """The release is open."""
    vault = approved()
    vault.open(vault.filed)
    return vault


@stage
def changing():
    """Carla asks to replace Cy by Dora; Dora accepts, Ada and Ben agree; not yet set: `vault.filed`."""
    vault = sealed()
    vault.join(DORA, CARLA)
    vault.filed = vault.ask_roster(CARLA, SAFE, roster_of(ADA, BEN, DORA, epoch=2))
    vault.accept(vault.filed, DORA)
    vault.approve(vault.filed, ADA, BEN)
    return vault


@stage
def changed():
    """Epoch 2: Ada, Ben, Dora. The version is still sealed under epoch 1."""
    vault = changing()
    vault.set_roster(vault.filed)
    return vault


def _agreed(begin, ask):
    @stage
    def build():
        vault = begin()
        vault.filed = ask(vault)
        vault.approve(vault.filed, ADA, BEN)
        return vault
    return build


target_agreed = _agreed(safe, lambda vault: vault.ask_target(CARLA, SAFE, DB))
role_agreed = _agreed(safe, lambda vault: vault.ask_role(CARLA, SAFE))
destroy_agreed = _agreed(sealed, lambda vault: vault.ask_destroy(CARLA, SAFE, (DB, 1)))
reseal_agreed = _agreed(sealed, lambda vault: vault.ask_reseal(CARLA, SAFE, (DB, 1)))
restore_agreed = _agreed(safe, lambda vault: vault.ask_restore(CARLA, SAFE))


@stage
def bound():
    """The credential has a target."""
    vault = target_agreed()
    vault.set_target(vault.filed)
    return vault


@stage
def role():
    """A role that one approver can grant: `vault.role`."""
    vault = role_agreed()
    vault.role = vault.filed
    vault.set_role(vault.role)
    return vault


@stage
def access_asked():
    """Rob asks for access by that role: `vault.filed`."""
    vault = role()
    vault.filed = vault.ask_access(ROB, vault.role)
    return vault


@stage
def access_agreed():
    """Ada agrees."""
    vault = access_asked()
    vault.approve(vault.filed, ADA)
    return vault


@stage
def granted():
    """The grant runs."""
    vault = access_agreed()
    vault.start_grant(vault.filed)
    return vault


@stage
def rotating():
    """A second version is sealed, and its rotation staged: `vault.rotation_id`."""
    vault = sealed()
    vault.seal(SAFE, DB, version=2)
    vault.rotation_id = vault.id("rotation")
    vault.rotation("staged", vault.rotation_id, DB, 2)
    return vault


@stage
def resealing():
    """The reseal is open."""
    vault = reseal_agreed()
    vault.open_reseal(vault.filed)
    return vault
