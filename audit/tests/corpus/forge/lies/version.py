"""FORMATS.md 4, "Belonging", "release.opened needs a version.sealed": what is sealed, imported, resealed, destroyed."""

from ..canonical import ZEROS, drop, hash_of, put, uuid
from ..cases import add, case
from ..stories import (ADA, BEN, CARLA, CY, DB, DORA, OTHER_SAFE, ROB, ROUTER, SAFE, approved, changed, destroy_agreed,
                       people, reseal_agreed, resealing, safe, sealed)

OF_ONE = '"`roster` and `epoch` of a sealed version are those of one `roster.set` of its safe"'
TO_KEYS = '"`authenticators` of a sealed version are named by its roster, at least one of each approver"'


def _two_safes():
    vault = people()
    vault.join(DORA, CARLA)
    vault.found_safe(SAFE, CARLA, ADA, BEN, CY)
    vault.found_safe(OTHER_SAFE, CARLA, ADA, BEN, DORA, name="Network")
    return vault


SEALED = {
    "epoch": ("its epoch is 2, its roster epoch 1's", OF_ONE, put("epoch", 2)),
    "roster-unknown": ("its roster is no entry", OF_ONE, put("roster", hash_of("a roster"))),
    "roster-zeros": ("its roster is zeros", OF_ONE, put("roster", ZEROS)),
    "safe-unknown": ("its safe was never founded", OF_ONE, put("safe", OTHER_SAFE)),
    "key-unrostered": ("sealed to Carla's key too", TO_KEYS, lambda data: data["authenticators"].append(CARLA.key().id)),
    "key-unknown": ("sealed to a key nobody enrolled", TO_KEYS, lambda data: data["authenticators"].append(uuid("a key"))),
    "key-missing": ("not sealed to Cy", TO_KEYS, drop("authenticators.2")),
    "key-replaced": ("sealed to Dora's key in place of Cy's", TO_KEYS, put("authenticators.2", DORA.key().id)),
    "keys-none": ("sealed to nobody", TO_KEYS, put("authenticators", [])),
}

for _name, (_what, _rule, _edit) in SEALED.items():
    def _sealed(edit=_edit):
        vault = safe()
        vault.next(data=edit).seal(SAFE, DB)
        return vault.false()
    add(f"version-sealed-{_name}", f"`version.sealed`: {_what}. {_rule}", _sealed)


@case
def sealed_to_a_key_enrolled_later():
    """Sealed to Ada's second key, which the roster does not name. "named by its roster" """
    vault = safe()
    vault.enrol(ADA, 2)
    vault.seal(SAFE, DB, keys=[ADA.key(2).id, BEN.key().id, CY.key().id])
    return vault.false()


@case
def sealed_under_another_safes_roster():
    """Roster and epoch are another safe's. "of one `roster.set` of its safe" """
    vault = _two_safes()
    vault.next(data=put("safe", SAFE)).seal(OTHER_SAFE, DB)
    return vault.false()


@case
def sealed_epochs_mixed():
    """Roster of epoch 2, epoch 1. "those of one `roster.set`" """
    vault = changed()
    vault.next(data=put("epoch", 1)).seal(SAFE, DB, version=2)
    return vault.false()


@case
def sealed_rosters_mixed():
    """Roster of epoch 1, epoch 2, keys of epoch 1. "those of one `roster.set`" """
    vault = changed()
    vault.next(data=put("epoch", 2)).seal(SAFE, DB, version=2, roster=vault.rosters[SAFE][0])
    return vault.false()


@case
def sealed_to_the_removed():
    """Under epoch 2, to the keys of epoch 1. "`authenticators` of a sealed version are named by its roster" """
    vault = changed()
    vault.seal(SAFE, DB, version=2, keys=[ADA.key().id, BEN.key().id, CY.key().id])
    return vault.false()


@case
def sealed_twice():
    """A version is sealed again. "Unique in the whole ledger: ... (credential, version)" """
    vault = sealed()
    vault.next(data=put("envelope", hash_of("another envelope"))).seal(SAFE, DB)
    return vault.false()


@case
def sealed_again_after_destruction():
    """A destroyed version is sealed again. "Unique in the whole ledger: ... (credential, version)" """
    vault = destroy_agreed()
    vault.destroy(vault.filed)
    vault.seal(SAFE, DB)
    return vault.false()


@case
def sealed_in_two_safes():
    """Version 2 of the credential is sealed in another safe. "A credential belongs for ever to the safe of its first" """
    vault = _two_safes()
    vault.seal(SAFE, DB)
    vault.seal(OTHER_SAFE, DB, version=2)
    return vault.false()


@case
def sealed_elsewhere_than_bound():
    """Its target was set in one safe, its first version is sealed in another. "of its first `target.set`" """
    vault = _two_safes()
    filed = vault.ask_target(CARLA, SAFE, DB)
    vault.approve(filed, ADA, BEN)
    vault.set_target(filed)
    vault.seal(OTHER_SAFE, DB)
    return vault.false()


@case
def bound_elsewhere_than_sealed():
    """Its first version was sealed in one safe, its target is set in another. "or `version.sealed`" """
    vault = _two_safes()
    vault.seal(SAFE, DB)
    filed = vault.ask_target(CARLA, OTHER_SAFE, DB)
    vault.approve(filed, ADA, BEN)
    vault.set_target(filed)
    return vault.false(also=[filed.seq])


@case
def sealed_elsewhere_after_destruction():
    """Destroyed in one safe, and its next version sealed in another. "belongs for ever" """
    vault = _two_safes()
    vault.seal(SAFE, DB)
    filed = vault.ask_destroy(CARLA, SAFE, (DB, 1))
    vault.approve(filed, ADA, BEN)
    vault.destroy(filed)
    vault.seal(OTHER_SAFE, DB, version=2)
    return vault.false()


# Imports

IMPORTS = {
    "credential": ("another credential", put("credential", uuid("another"))),
    "envelope": ("another envelope", put("envelope", hash_of("another envelope"))),
    "safe": ("another safe", put("safe", OTHER_SAFE)),
    "version": ("another version", put("version", 2)),
}

for _name, (_what, _edit) in IMPORTS.items():
    def _imported(edit=_edit):
        vault = safe()
        vault.next(statement=edit).seal(SAFE, ROUTER, by=CARLA)
        return vault.false()
    add(f"version-import-{_name}", f"An import for which {_what} was signed. \"`import` | `credential` `envelope` `safe` "
        '`version`"', _imported)


@case
def imported_without_import():
    """`origin` says imported, and nobody signed. "imported ones also `import{assertion,authenticator,statement}`" """
    vault = safe()
    vault.seal(SAFE, ROUTER, origin="imported")
    return vault.false()


@case
def import_signed_by_another():
    """The import's statement is Carla's, the touch Ada's. "which is the signer's" """
    vault = safe()
    vault.next(touch={"key": ADA.key()}, data=put("import.authenticator", ADA.key().id)).seal(SAFE, ROUTER, by=CARLA)
    return vault.false()


@case
def import_by_a_revoked_key():
    """Imported with a revoked key. "not revoked before t" """
    vault = safe()
    vault.enrol(CARLA, 2)
    vault.revoke(CARLA, CARLA, key=CARLA.key(2))
    vault.seal(SAFE, ROUTER, by=CARLA)
    return vault.false()


@case
def import_by_a_custodian_no_more():
    """Imported after the role was given up. "Custodian: ... `import`" """
    vault = safe()
    vault.set_roles(CARLA, ["auditor"], CARLA)
    vault.seal(SAFE, ROUTER, by=CARLA)
    return vault.false()


@case
def import_of_another_ledger():
    """The import was signed for another ledger. "**The ledger's name**, `ledger` below, is the leaf of entry 0" """
    vault = safe()
    vault.next(statement=put("ledger", hash_of("another"))).seal(SAFE, ROUTER, by=CARLA)
    return vault.false()


@case
def import_without_uv():
    """The import's touch has no UV. "UP and UV set" """
    vault = safe()
    vault.next(touch={"flags": 1}).seal(SAFE, ROUTER, by=CARLA)
    return vault.false()


@case
def import_of_another_kind():
    """The import's statement is of a kind nobody knows. "an unknown event, kind, purpose, member or `v`" """
    vault = safe()
    vault.next(statement=put("kind", "transfer")).seal(SAFE, ROUTER, by=CARLA)
    return vault.unknown()


# Resealing and destroying


@case
def resealed_without_reseal():
    """`origin` says resealed, and nothing was opened for it. "`resealed` follows a `reseal.opened`" """
    vault = sealed()
    vault.seal(SAFE, DB, version=2, origin="resealed")
    return vault.false()


@case
def resealed_before_the_opening():
    """The reseal is agreed, not yet opened. "`resealed` follows a `reseal.opened`" """
    vault = reseal_agreed()
    vault.seal(SAFE, DB, version=2, origin="resealed")
    vault.false()
    vault.open_reseal(vault.filed)
    return vault


@case
def resealed_another_credential():
    """The reseal that was opened names another credential. "that names the credential" """
    vault = resealing()
    vault.seal(SAFE, ROUTER, origin="resealed")
    return vault.false()


@case
def reseal_filed_before_sealing():
    """A reseal of a version not yet sealed. "under which every version named was sealed before the filing" """
    vault = sealed()
    vault.seal(SAFE, DB, version=2)
    later = vault.versions((DB, 2))
    vault = sealed()
    vault.next(statement=put("versions", later)).ask_reseal(CARLA, SAFE, (DB, 1))
    vault.false()
    vault.seal(SAFE, DB, version=2)
    return vault


@case
def reseal_of_a_destroyed_version():
    """Destroyed between filing and opening. "sealed in that safe with that `envelope` and not destroyed" """
    vault = reseal_agreed()
    filed = vault.ask_destroy(CARLA, SAFE, (DB, 1))
    vault.approve(filed, ADA, BEN)
    vault.destroy(filed)
    vault.open_reseal(vault.filed)
    return vault.false()


def _destroy(edit):
    vault = sealed()
    vault.next(statement=edit)
    vault.filed = vault.ask_destroy(CARLA, SAFE, (DB, 1))
    vault.approve(vault.filed, ADA, BEN)
    vault.destroy(vault.filed)
    return vault.false(also=[vault.filed.seq])


@case
def destroys_what_was_never_sealed():
    """Version 9 was never sealed. "sealed in that safe with that `envelope` and not destroyed" """
    return _destroy(put("versions.0.version", 9))


@case
def destroys_another_envelope():
    """The envelope named is another. "with that `envelope`" """
    return _destroy(put("versions.0.envelope", hash_of("another envelope")))


@case
def destroys_in_another_safe():
    """The version lies in another safe. "sealed in that safe" """
    vault = _two_safes()
    vault.seal(SAFE, DB)
    vault.filed = vault.ask_destroy(CARLA, OTHER_SAFE, (DB, 1))
    vault.approve(vault.filed, ADA, BEN)
    vault.destroy(vault.filed)
    return vault.false(also=[vault.filed.seq])


@case
def destroys_twice():
    """Two requests destroy the same version. "and not destroyed" """
    vault = destroy_agreed()
    again = vault.ask_destroy(CARLA, SAFE, (DB, 1))
    vault.approve(again, ADA, CY)
    vault.destroy(vault.filed)
    vault.destroy(again)
    return vault.false()


@case
def destroys_one_of_two_twice():
    """Of two versions named one is destroyed already. "and not destroyed" """
    vault = sealed()
    vault.seal(SAFE, DB, version=2)
    both = vault.ask_destroy(CARLA, SAFE, (DB, 2), (DB, 1))
    one = vault.ask_destroy(CARLA, SAFE, (DB, 1))
    for filed in (both, one):
        vault.approve(filed, BEN, CY)
    vault.destroy(one)
    vault.destroy(both)
    return vault.false()


@case
def released_after_destruction():
    """Destroyed between filing and opening. "**release.opened** needs a `version.sealed` ... and not destroyed" """
    vault = approved()
    filed = vault.ask_destroy(CARLA, SAFE, (DB, 1))
    vault.approve(filed, ADA, CY)
    vault.destroy(filed)
    vault.open(vault.filed)
    return vault.false()


@case
def released_under_a_roster_not_in_force_at_sealing():
    """Sealed under epoch 1 when epoch 2 was in force, asked for and opened. "its roster in force when it was sealed" """
    vault = changed()
    vault.seal(SAFE, DB, version=2, roster=vault.rosters[SAFE][0])
    filed = vault.ask_release(ROB, DB, version=2)
    vault.approve(filed, ADA, BEN)
    vault.open(filed)
    return vault.false()


@case
def release_filed_before_sealing():
    """Asked for before it is sealed. "under which every version named was sealed before the filing, else the filing is false" """
    vault = safe()
    trial = vault.copy()
    trial.seal(SAFE, DB)
    vault.sealed = trial.sealed
    vault.ask_release(ROB, DB)
    vault.false()
    vault.seal(SAFE, DB)
    return vault


@case
def release_of_a_version_never_sealed():
    """Version 2 was never sealed. "under which every version named was sealed before the filing" """
    vault = sealed()
    vault.next(statement=put("version", 2)).ask_release(ROB, DB)
    return vault.false()


@case
def release_of_a_credential_never_sealed():
    """A credential without versions. "under which every version named was sealed before the filing" """
    vault = sealed()
    vault.next(statement=put("credential", ROUTER)).ask_release(ROB, DB)
    return vault.false()


@case
def release_in_another_safe():
    """The version lies in another safe, whose roster is named. "the leaf of a `roster.set` of that safe" """
    vault = _two_safes()
    vault.seal(SAFE, DB)
    vault.next(statement=put("safe", OTHER_SAFE)).ask_release(ROB, DB)
    return vault.false()


@case
def release_in_another_safe_with_its_roster():
    """The version lies in one safe; request, roster and epoch are another's. "under which every version named was sealed" """
    vault = _two_safes()
    vault.seal(SAFE, DB)
    vault.next(statement=[put("safe", OTHER_SAFE), put("roster", vault.in_force(OTHER_SAFE))]).ask_release(ROB, DB)
    return vault.false()


@case
def released_with_another_envelope():
    """Envelope of another version in request and opening. "with equal safe credential version envelope epoch roster" """
    vault = sealed()
    vault.seal(SAFE, DB, version=2)
    vault.next(statement=put("envelope", vault.sealed[DB, 2]["envelope"]))
    vault.filed = vault.ask_release(ROB, DB)
    vault.approve(vault.filed, ADA, BEN)
    vault.open(vault.filed)
    return vault.false(also=[vault.filed.seq])
