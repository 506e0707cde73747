"""FORMATS.md 4, "Keys": enrolling, admitting, revoking, suspending."""

from ..canonical import b64, change, drop, hash_of, put
from ..cases import add, case
from ..ledger import HOUR, SECOND
from ..people import BE, UP, UV, touch
from ..stories import ADA, BEN, CARLA, DORA, EVE, people

# Enrolment

FIRST = '"A first key carries the `invitation` of that user\'s `person.invited`, before its `expires`, and no `admission`"'
FURTHER = '"a further key the reverse"'
BY_NEW_KEY = '"signed by the new key"'

ENROLMENTS = {
    "invitation-other": ("the hash is of another token", FIRST, {"statement": put("invitation", hash_of("a token"))}),
    "invitation-missing": ("a first key without invitation", FIRST, {"statement": drop("invitation")}),
    "name": ("the name is not the invited one", '"`name` and `requester_name` are the invited name"',
             {"statement": put("name", "Eve Smith")}),
    "name-case": ("the name is the invited one in capitals", '"`name` and `requester_name` are the invited name"',
                  {"statement": put("name", "EVE")}),
    "user": ("`user` is another than `signer`", '"`signer`, the person whose touch it is"',
             {"statement": put("user", ADA.user)}),
    "authenticator": ("statement and data name different keys",
                      '"the statement\'s `authenticator` is the `authenticator` in `data`"',
                      {"statement": put("authenticator", EVE.key(3).id)}),
    "signed-by-another": ("touched by a key that is not the one enrolled", BY_NEW_KEY, {"touch": {"key": EVE.key(2)}}),
    "signed-by-the-inviter": ("touched by Carla's key", BY_NEW_KEY, {"touch": {"key": CARLA.key()}}),
    "public-key": ("the public key is another one's", BY_NEW_KEY, {"statement": put("public_key", b64(EVE.key(2).public))}),
    "public-key-off-curve": ("the public key is no point of the curve", '"`public_key` (SEC1 point)"',
                             {"statement": put("public_key", b64(b"\x04" + bytes(31) + b"\1" + bytes(31) + b"\1"))}),
    "public-key-compressed": ("the public key is compressed", '"`public_key` 65"', {"statement": put(
        "public_key", b64(bytes([2 + EVE.key().public[64] % 2]) + EVE.key().public[1:33]))}),
    "public-key-hybrid": ("the public key begins with 06 or 07", '"`public_key` (SEC1 point)"', {"statement": put(
        "public_key", b64(bytes([6 + EVE.key().public[64] % 2]) + EVE.key().public[1:]))}),
    "registration-hash": ("the registration is not the one that was signed", '"`H("registration", canonical bytes)`"',
                          {"statement": put("registration_sha256", hash_of("another registration"))}),
    "registration-changed": ("the registration was changed afterwards", '"`H("registration", canonical bytes)`"',
                             {"data": put("registration.attestation_object", "oA")}),
    "backed-up": ("the touch of a key that may be copied", '"BE and BS clear"', {"touch": {"flags": UP | UV | BE}}),
    "create": ("the client data is the registration's", '"`type` is `webauthn.get`"',
               {"touch": {"client": put("type", "webauthn.create")}}),
}

for _name, (_what, _rule, _lie) in ENROLMENTS.items():
    def _enrolment(lie=_lie):
        vault = people()
        vault.invite(EVE, CARLA)
        vault.next(**lie).enrol(EVE)
        return vault.false()
    add(f"key-enrol-{_name}", f"Enrolment of a first key: {_what}. {_rule}", _enrolment)


def _admission(vault, admit=None, **touch):
    """An admission as data, over the statement that is being signed."""
    def edit(data):
        data["admission"] = {"assertion": vault.touch(admit, data["statement"].encode(), touch), "authenticator": admit.id}
    return edit


@case
def enrol_first_with_admission():
    """A first key admitted by Carla's. "and no `admission`" """
    vault = people()
    vault.invite(EVE, CARLA)
    vault.next(data=_admission(vault, CARLA.key())).enrol(EVE)
    return vault.false()


@case
def enrol_never_invited():
    """Nobody invited Eve. "carries the `invitation` of that user's `person.invited`" """
    vault = people()
    vault.enrol(EVE)
    return vault.false()


@case
def enrol_with_anothers_invitation():
    """Eve uses the invitation of Dora. "of that user's `person.invited`" """
    vault = people()
    vault.invite(EVE, CARLA)
    vault.invite(DORA, CARLA)
    vault.next(statement=put("invitation", vault.invitation(DORA))).enrol(EVE)
    return vault.false()


@case
def enrol_at_expiry():
    """A first key exactly at `expires`. "before its `expires`" """
    vault = people()
    vault.invite(EVE, CARLA, life=HOUR)
    vault.until(vault.time - SECOND + HOUR * SECOND).enrol(EVE)
    return vault.false()


@case
def enrol_long_after():
    """A first key a day late. "before its `expires`" """
    vault = people()
    vault.invite(EVE, CARLA, life=HOUR)
    vault.days(1)
    vault.enrol(EVE)
    return vault.false()


@case
def enrol_with_the_freed_invitation():
    """The first invitation expired, a second was sent; the first token is used. "the `invitation` of that user's" """
    vault = people()
    vault.invite(EVE, CARLA, life=HOUR)
    vault.days(1)
    vault.invite(EVE, CARLA)
    vault.next(statement=put("invitation", vault.invitation(EVE, 1))).enrol(EVE)
    return vault.false()


@case
def enrol_with_the_invitation_again():
    """A second key with the used invitation. "a further key the reverse" """
    vault = people()
    vault.next(statement=put("invitation", vault.invitation(ADA)), data=drop("admission")).enrol(ADA, 2)
    return vault.false()


@case
def enrol_with_the_invitation_after_revocation():
    """All keys of Ada are revoked; the used invitation opens nothing again. "a further key the reverse" """
    vault = people()
    vault.revoke(ADA, CARLA)
    vault.next(statement=put("invitation", vault.invitation(ADA)), data=drop("admission")).enrol(ADA, 2)
    return vault.false()


ADMISSIONS = {
    "missing": ("without admission", {"data": drop("admission")}),
    "with-invitation": ("with the invitation and an admission", {"statement": put("invitation", hash_of("a token"))}),
    "other-text": ("the admission is over another statement", {"admission": {"over": b"{}"}}),
    "flags": ("the admission has no UV", {"admission": {"flags": UP}}),
    "backed-up": ("the admission is by a key that may be copied", {"admission": {"flags": UP | UV | BE}}),
    "origin": ("the admission is from a foreign origin", {"admission": {"origin": "https://evil.example"}}),
    "challenge-padded": ("the admission's challenge is padded", {"admission": {
        "client": change("challenge", lambda text: text + "=")}}),
    "signature": ("the admission's signature is another key's", {"admission": {"key": ADA.key(2)}}),
    "own-signature": ("the new key's own signature is another's", {"touch": {"key": ADA.key(1)}}),
    "names-unknown-key": ("the admission names a key nobody enrolled", {"data": put(
        "admission.authenticator", ADA.key(5).id)}),
}

for _name, (_what, _lie) in ADMISSIONS.items():
    def _further(lie=_lie):
        vault = people()
        vault.next(**lie).enrol(ADA, 2)
        return vault.false()
    add(f"key-admission-{_name}", f"Enrolment of a further key: {_what}. \"`admission`: the same statement signed by "
        f"another live key of that user\", {FURTHER}", _further)


@case
def admission_by_another_person():
    """Ada's second key is admitted by Ben's. "another live key of that user" """
    vault = people()
    vault.enrol(ADA, 2, admit=BEN.key())
    return vault.false()


@case
def admission_by_the_custodian():
    """Ada's second key is admitted by Carla's. "another live key of that user" """
    vault = people()
    vault.enrol(ADA, 2, admit=CARLA.key())
    return vault.false()


@case
def admission_by_itself():
    """The new key admits itself. "another live key of that user" """
    vault = people()
    vault.enrol(ADA, 2, admit=ADA.key(2))
    return vault.false()


@case
def admission_by_a_revoked_key():
    """Admitted by a revoked key. "another live key of that user" """
    vault = people()
    vault.revoke(ADA, CARLA)
    vault.enrol(ADA, 2)
    return vault.false()


@case
def admission_by_a_suspended_key():
    """Admitted by a suspended key. "another live key of that user" """
    vault = people()
    vault.suspend(ADA, CARLA)
    vault.enrol(ADA, 2)
    return vault.false()


@case
def admission_by_a_distrusted_key():
    """Admitted by a distrusted key. "another live key of that user" """
    vault = people()
    vault.distrust(ADA)
    vault.enrol(ADA, 2)
    return vault.false()


# Acts on keys: "name an enrolled key of `user`", "Revoked once and for good; suspended only when live; restored only when
# suspended"

ON_KEYS = {
    "revoke-twice": ("Revoked again", '"Revoked once and for good"', ["revoke", "revoke"]),
    "suspend-twice": ("Suspended again", '"suspended only when live"', ["suspend", "suspend"]),
    "suspend-revoked": ("A revoked key is suspended", '"suspended only when live"', ["revoke", "suspend"]),
    "suspend-distrusted": ("A distrusted key is suspended", '"suspended only when live"', ["distrust", "suspend"]),
    "restore-live": ("A live key is restored", '"restored only when suspended"', ["unsuspend"]),
    "restore-twice": ("Restored again", '"restored only when suspended"', ["suspend", "unsuspend", "unsuspend"]),
    "restore-revoked": ("A revoked key is restored", '"Revoked once and for good"', ["revoke", "unsuspend"]),
    "restore-suspended-revoked": ("A key suspended, then revoked, is restored", '"Revoked once and for good"',
                                  ["suspend", "revoke", "unsuspend"]),
    "distrust-suspended": ("A suspended key is distrusted", '"suspends an enrolled, live key"', ["suspend", "distrust"]),
    "distrust-revoked": ("A revoked key is distrusted", '"suspends an enrolled, live key"', ["revoke", "distrust"]),
    "distrust-twice": ("Distrusted again", '"suspends an enrolled, live key"', ["distrust", "distrust"]),
}

for _name, (_what, _rule, _steps) in ON_KEYS.items():
    def _on_key(steps=_steps):
        vault = people()
        for step in steps:
            vault.distrust(ADA) if step == "distrust" else getattr(vault, step)(ADA, CARLA)
        return vault.false()
    add(f"key-{_name}", f"{_what}. {_rule}", _on_key)

for _step in ("revoke", "suspend", "unsuspend"):
    def _unknown_key(step=_step):
        vault = people()
        getattr(vault, step)(ADA, CARLA, n=4)
        return vault.false()

    def _key_of_another(step=_step):
        vault = people()
        if step == "unsuspend":
            vault.suspend(BEN, CARLA)
        vault.next(statement=put("authenticator", BEN.key().id))
        getattr(vault, step)(ADA, CARLA)
        return vault.false()
    _rule = '"`revoke`, `suspend`, `unsuspend` name an enrolled key of `user`"'
    add(f"key-{_step}-unknown-key", f"`{_step}` of a key nobody enrolled. {_rule}", _unknown_key)
    add(f"key-{_step}-key-of-another", f"`{_step}` says Ada and names Ben's key. {_rule}", _key_of_another)


@case
def distrust_unknown_key():
    """A key nobody enrolled is distrusted. "suspends an enrolled, live key" """
    vault = people()
    vault.distrust(ADA, 4)
    return vault.false()


@case
def revoke_own_by_anothers_user():
    """Ben revokes Ada's key and says it is his. "name an enrolled key of `user`" """
    vault = people()
    vault.next(statement=put("authenticator", ADA.key().id)).revoke(BEN, BEN)
    return vault.false()


@case
def roles_of_nobody():
    """Roles for a user nobody invited. "`roles` an invited user" """
    vault = people()
    vault.set_roles(EVE, ["auditor"], CARLA)
    return vault.false()


@case
def roles_of_the_lapsed():
    """Roles for Eve, whose invitation expired unused. "`roles` an invited user", "an invitation that expired unused frees user and name" """
    vault = people()
    vault.invite(EVE, CARLA, life=HOUR)
    vault.days(1)
    vault.set_roles(EVE, ["auditor"], CARLA)
    return vault.false()


@case
def roles_of_the_lapsed_whose_name_was_taken():
    """Roles for the user whose name somebody else has since. "an invitation that expired unused frees user and name" """
    vault = people()
    vault.invite(EVE, CARLA, life=HOUR)
    vault.days(1)
    vault.join(EVE.twin("eve two"), CARLA)
    vault.set_roles(EVE, ["auditor"], CARLA)
    return vault.false()
