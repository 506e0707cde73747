"""FORMATS.md 4, "The named roster" of every purpose, and `expires`."""

from ..canonical import change, put
from ..cases import add, case
from ..ledger import DAY, SECOND
from ..requests import roster_of
from ..stories import ADA, BEN, CARLA, CY, DB, OTHER_SAFE, ROB, SAFE, changed, people, role, safe, sealed

# The named roster of every purpose, and its limits

PURPOSES = {
    "release": (sealed, lambda v, **k: v.ask_release(ROB, DB, **k)),
    "access": (role, lambda v, **k: v.ask_access(ROB, v.role, **k)),
    "roster": (safe, lambda v, **k: v.ask_roster(CARLA, SAFE, roster_of(ADA, BEN, epoch=2), **k)),
    "role": (safe, lambda v, **k: v.ask_role(CARLA, SAFE, **k)),
    "target": (safe, lambda v, **k: v.ask_target(CARLA, SAFE, DB, **k)),
    "reseal": (sealed, lambda v, **k: v.ask_reseal(CARLA, SAFE, (DB, 1), **k)),
    "destroy": (sealed, lambda v, **k: v.ask_destroy(CARLA, SAFE, (DB, 1), **k)),
    "restore": (safe, lambda v, **k: v.ask_restore(CARLA, SAFE, **k)),
}
THE_NAMED = '"**The named roster** of a request is `roster`: the leaf of a `roster.set` of that safe"'
LIMIT = '"`expires` <= filing time + `request_life_s` for `release` and `access`, + 14 days for the rest (epoch 1 too)"'

for _purpose, (_begin, _ask) in PURPOSES.items():
    def _zeros(begin=_begin, ask=_ask):
        vault = begin()
        vault.next(statement=put("roster", "0" * 64))
        ask(vault)
        return vault.false()

    def _of_another_safe(begin=_begin, ask=_ask):
        vault = begin()
        vault.found_safe(OTHER_SAFE, CARLA, ADA, BEN)
        vault.next(statement=put("roster", vault.in_force(OTHER_SAFE)))
        ask(vault)
        return vault.false()

    def _no_roster(begin=_begin, ask=_ask):
        vault = begin()
        vault.next(statement=put("roster", vault.leaf(5)))
        ask(vault)
        return vault.false()

    def _too_long(begin=_begin, ask=_ask, purpose=_purpose):
        vault = begin()
        life = 4 * 3600 if purpose in ("release", "access") else 14 * DAY
        vault.next(statement=change("expires", lambda _: vault.time + SECOND + life * SECOND + 1))
        ask(vault)
        return vault.false()

    def _replaced(begin=_begin, ask=_ask, purpose=_purpose):
        vault = begin()
        old = vault.in_force(SAFE)
        filed = vault.ask_roster(CARLA, SAFE, roster_of(ADA, BEN, epoch=2))
        vault.approve(filed, ADA, BEN)
        vault.set_roster(filed)
        vault.next(statement=[put("roster", old)] + [put("epoch", 1)] * (purpose == "access"))
        ask(vault)
        return vault.false()
    add(f"named-zeros-{_purpose}", f"A `{_purpose}` names zeros as its roster. {THE_NAMED}", _zeros)
    add(f"named-of-another-safe-{_purpose}", f"A `{_purpose}` names another safe's roster. {THE_NAMED}", _of_another_safe)
    add(f"named-none-{_purpose}", f"A `{_purpose}` names an entry that is no `roster.set`. {THE_NAMED}", _no_roster)
    add(f"named-expires-{_purpose}", f"A `{_purpose}` that runs a microsecond too long. {LIMIT}", _too_long)
    if _purpose not in ("release", "reseal"):
        add(f"named-replaced-{_purpose}", f"A `{_purpose}` names the roster that was replaced. \"for other purposes the "
            'one in force at the filing"', _replaced)


@case
def founding_expires_late():
    """A founding that runs 14 days and a microsecond. "+ 14 days for the rest (epoch 1 too)" """
    vault = people()
    vault.next(statement=change("expires", lambda _: vault.time + SECOND + 14 * DAY * SECOND + 1))
    vault.ask_roster(CARLA, SAFE, roster_of(ADA, BEN, CY))
    return vault.false()


@case
def newer_release():
    """A release names epoch 2 for a version sealed under epoch 1. "the one under which every version named was sealed" """
    vault = changed()
    vault.next(statement=[put("roster", vault.in_force(SAFE)), put("epoch", 2)]).ask_release(ROB, DB)
    return vault.false()


@case
def newer_reseal():
    """A reseal names epoch 2 for a version sealed under epoch 1. "the one under which every version named was sealed" """
    vault = changed()
    vault.next(statement=put("roster", vault.in_force(SAFE))).ask_reseal(CARLA, SAFE, (DB, 1))
    return vault.false()


@case
def mixed_reseal():
    """A reseal of two versions, sealed under two rosters. "under which every version named was sealed before the filing" """
    vault = changed()
    vault.seal(SAFE, DB, version=2)
    vault.ask_reseal(CARLA, SAFE, (DB, 1), (DB, 2))
    return vault.false()


@case
def epoch_release():
    """A release names its roster, and another epoch. "`epoch`, where given, is its epoch" """
    vault = sealed()
    vault.next(statement=put("epoch", 2)).ask_release(ROB, DB)
    return vault.false()


@case
def epoch_access():
    """An access names its roster, and another epoch. "`epoch`, where given, is its epoch" """
    vault = role()
    vault.next(statement=put("epoch", 7)).ask_access(ROB, vault.role)
    return vault.false()
