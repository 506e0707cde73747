"""FORMATS.md 3 and 4: founding, invitations, keys, "Who" and "Unique in the whole ledger" for people and keys."""

from ..canonical import b64, change, drop, hash_of, put, uuid
from ..cases import add, case
from ..ledger import HOUR, NAME, SECOND
from ..notes import NoteKey
from ..people import BE, UP, UV, Person
from ..requests import Vault, roster_of
from ..stories import (ADA, BEN, CARLA, CY, DB, DORA, EVE, ROB, ROUTER, SAFE, asked, founded, people, role, safe, sealed)

# Founding

FOUNDING = {
    "name-with-space": ("the name has a space", '"`name` (origin; no spaces, no `+`)"', "vitrine example"),
    "name-with-plus": ("the name has a plus", '"`name` (origin; no spaces, no `+`)"', "vitrine+example"),
}

for _name, (_what, _rule, _value) in FOUNDING.items():
    def _named(value=_value):
        vault = Vault(name=value)
        vault.found()
        vault.quiet = vault.unchecked = True
        return vault.false()
    add(f"people-founding-{_name}", f"`ledger.founded`: {_what}. {_rule}", _named)


def _key(label="another token", name=NAME, kind=1):
    return NoteKey(label, name, kind).verifier


KEYS = '"`checkpoint_keys[]` (1 to 3 C2SP verifier keys, each named `name`)"'
CHECKPOINT_KEYS = {
    "none": ("there is none", lambda keys: []),
    "four": ("there are four", lambda keys: [*keys, _key("third"), _key("fourth")]),
    "named-otherwise": ("one is named otherwise", lambda keys: [*keys, _key(name="witness.example")]),
    "key-id": ("one's key id is not its hash", lambda keys: [*keys, _key().replace("+", "+0", 1)[:len(NAME) + 9]
                                                            + _key()[len(NAME) + 9:]]),
    "key-id-short": ("one's key id has 7 digits", lambda keys: [*keys, _key()[:len(NAME) + 1] + _key()[len(NAME) + 2:]]),
    "base64": ("one is no base64", lambda keys: [*keys, _key()[:-1] + "*"]),
    "short": ("one has 31 bytes", lambda keys: [*keys, _key()[:-4]]),
    "no-plus": ("one has no plus", lambda keys: [*keys, _key().replace("+", "-", 2)]),
    "signer-line": ("one is a signature line's key without algorithm", lambda keys: [*keys, NAME]),
}

for _name, (_what, _how) in CHECKPOINT_KEYS.items():
    def _founded(how=_how):
        vault = Vault()
        vault.next(data=change("checkpoint_keys", how)).found()
        vault.quiet = vault.unchecked = True
        return vault.false()
    add(f"people-checkpoint-keys-{_name}", f"`ledger.founded`, checkpoint keys: {_what}. {KEYS}", _founded)


@case
def founded_twice():
    """A second founding. "`ledger.founded` ... seq 0, only" """
    vault = people()
    vault.found()
    return vault.false()


@case
def not_founded():
    """The ledger begins with software. "`ledger.founded` ... seq 0, only" """
    vault = Vault()
    vault.start_software()
    vault.quiet = vault.unchecked = True
    return vault.false()


@case
def founded_by_a_workload_twice():
    """A second founding that continues the first. "`ledger.founded` ... seq 0, only" """
    vault = people()
    vault.found(continues={"checkpoint": hash_of("root"), "ledger": vault.founded, "size": 3})
    return vault.false()


# Entry 1

@case
def first_is_no_custodian():
    """The first person is an approver. "The first person is a custodian" """
    vault = Vault()
    vault.found()
    vault.next(data=put("roles", ["approver", "requester"])).invite_first(CARLA)
    return vault.false()


@case
def first_by_a_workload():
    """Entry 1's `actor` is a workload. "unsigned, by `system`" """
    vault = Vault()
    vault.found()
    vault.next(actor=uuid("workload")).invite_first(CARLA)
    return vault.false()


@case
def first_by_herself():
    """Entry 1's `actor` is the person it invites. "unsigned, by `system`" """
    vault = Vault()
    vault.found()
    vault.next(actor=CARLA.user).invite_first(CARLA)
    return vault.false()


@case
def first_of_another_ledger():
    """Entry 1 names another ledger. "**The ledger's name**, `ledger` below, is the leaf of entry 0" """
    vault = Vault()
    vault.found()
    vault.next(data=put("ledger", hash_of("another"))).invite_first(CARLA)
    return vault.false()


@case
def first_of_an_unknown_kind():
    """Entry 1's statement is of a kind nobody knows. "an unknown event, kind, purpose, member or `v`" """
    vault = Vault()
    vault.found()
    vault.next(data=put("kind", "welcome")).invite_first(CARLA)
    return vault.unknown()


@case
def statement_of_another_ledger():
    """A signed statement names another ledger. "Every statement has `kind`, `ledger`, `nonce`, `v`" """
    vault = people()
    vault.next(statement=put("ledger", hash_of("another"))).setting(CARLA)
    return vault.false()


@case
def approval_for_another_ledger():
    """An approval names another ledger. "**The ledger's name**, `ledger` below, is the leaf of entry 0" """
    vault = asked()
    vault.next(statement=put("ledger", hash_of("another"))).approve(vault.filed, ADA)
    return vault.false()


# Kinds in the wrong event

KINDS = {
    "suspend-says-revoke": ("`authenticator.suspended`", "revoke", lambda v: v.suspend(ADA, CARLA)),
    "revoke-says-suspend": ("`authenticator.revoked`", "suspend", lambda v: v.revoke(ADA, CARLA)),
    "roles-says-invite": ("`person.roles`", "invite", lambda v: v.set_roles(ADA, ["approver"], CARLA)),
}

for _name, (_event, _kind, _write) in KINDS.items():
    def _other_kind(kind=_kind, write=_write):
        vault = people()
        vault.next(statement=put("kind", kind))
        write(vault)
        return vault.false()
    add(f"people-{_name}", f"{_event} with a statement of kind `{_kind}`. \"data, or kind of statement\"", _other_kind)


@case
def login_as_an_event():
    """A login's statement, whole, in `setting.changed`. `login` is the statement of no event"""
    vault = people()
    vault.next(statement=[put("kind", "login"), drop("name"), drop("value"), drop("signer")]).setting(CARLA)
    return vault.false()


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
    add(f"people-enrol-{_name}", f"Enrolment of a first key: {_what}. {_rule}", _enrolment)


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
    add(f"people-admission-{_name}", f"Enrolment of a further key: {_what}. \"`admission`: the same statement signed by "
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
    add(f"people-{_name}", f"{_what}. {_rule}", _on_key)

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
    add(f"people-{_step}-unknown-key", f"`{_step}` of a key nobody enrolled. {_rule}", _unknown_key)
    add(f"people-{_step}-key-of-another", f"`{_step}` says Ada and names Ben's key. {_rule}", _key_of_another)


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
        add(f"people-{_label}-{_name}", f"{_who} {_what}. {CUSTODIAN}", _forbidden)


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


# Unique in the whole ledger

UNIQUE = '"Unique in the whole ledger"'
EXPIRED = '"(full case folding, then NFC; an invitation that expired unused frees user and name)"'


def _second(name, first="Ada Strau\u00df"):
    """Two people with names that must not both be taken."""
    vault = founded()
    vault.join(Person("name one", first, ["auditor"]), CARLA)
    vault.invite(Person("name two", name, ["auditor"]), CARLA)
    return vault.false()


NAMES = {
    "equal": ("equal", "Ada Strau\u00df", "Ada Strau\u00df"),
    "capitals": ("capitals", "Ada Lovelace", "ADA LOVELACE"),
    "sharp-s": ("\u00df and SS", "Ada Strau\u00df", "ADA STRAUSS"),
    "capital-sharp-s": ("\u00df and its capital", "Ada Strau\u00df", "ADA STRAU\u1e9e"),
    "ligature": ("a ligature and its letters", "Ada \ufb01sher", "Ada Fisher"),
    "final-sigma": ("final sigma", "\u039d\u03af\u03ba\u03bf\u03c2", "\u039d\u03af\u03ba\u03bf\u03c3"),
    "folded-then-nfc": ("equal only in NFC after folding", "\u0390rene", "\u03aa\u0301rene"),
    "long-s": ("long s", "Ada \u017fmith", "Ada Smith"),
    "dotted-capital-i": ("capital I with dot, and i with a combining dot", "\u0130lknur", "i\u0307lknur"),
    "accent": ("an accented capital", "\u00c9lodie", "\u00e9lodie"),
    "micro": ("the micro sign and mu", "\u00b5-team", "\u03bc-team"),
    "cherokee": ("Cherokee small letters, which fold to capitals", "\uab70", "\u13a0"),
    "deseret": ("capitals beyond the BMP", "\U00010400", "\U00010428"),
}

for _name, (_what, _one, _two) in NAMES.items():
    def _same_name(one=_one, two=_two):
        return _second(two, one)
    add(f"people-name-{_name}", f"Two people's names: {_what}. {UNIQUE}, {EXPIRED}", _same_name)


@case
def name_of_the_first():
    """The name of entry 1's person, invited again. "Unique in the whole ledger" """
    vault = founded()
    vault.invite(CARLA.twin("carla two", name="CARLA custodian"), CARLA)
    return vault.false()


@case
def name_of_an_open_invitation():
    """A name whose invitation still runs. "an invitation that expired unused frees user and name" """
    vault = founded()
    vault.invite(EVE, CARLA)
    vault.invite(EVE.twin("eve two"), CARLA)
    return vault.false()


@case
def name_of_a_used_invitation():
    """The invitation expired, but it was used. "an invitation that expired unused frees user and name" """
    vault = founded()
    vault.invite(EVE, CARLA, life=HOUR)
    vault.enrol(EVE)
    vault.days(1)
    vault.invite(EVE.twin("eve two"), CARLA)
    return vault.false()


@case
def name_of_somebody_without_keys():
    """All keys of Eve are revoked; her name stays hers. "Unique in the whole ledger" """
    vault = founded()
    vault.join(EVE, CARLA)
    vault.revoke(EVE, CARLA)
    vault.days(3)
    vault.invite(EVE.twin("eve two"), CARLA)
    return vault.false()


@case
def user_invited_twice():
    """A user is invited under another name. "Unique in the whole ledger: user" """
    vault = founded()
    vault.join(EVE, CARLA)
    vault.invite(EVE.twin("eve two", user=EVE.user, name="Eva"), CARLA)
    return vault.false()


@case
def user_of_an_open_invitation():
    """A user whose invitation still runs is invited again. "an invitation that expired unused frees user and name" """
    vault = founded()
    vault.invite(EVE, CARLA)
    vault.invite(EVE.twin("eve two", user=EVE.user, name="Eva"), CARLA)
    return vault.false()


@case
def user_of_a_used_invitation():
    """The invitation expired, but it was used. "an invitation that expired unused frees user and name" """
    vault = founded()
    vault.invite(EVE, CARLA, life=HOUR)
    vault.enrol(EVE)
    vault.days(1)
    vault.invite(EVE.twin("eve two", user=EVE.user, name="Eva"), CARLA)
    return vault.false()


@case
def name_freed_and_taken_twice():
    """A freed name is given away, and then once more. "Unique in the whole ledger" """
    vault = founded()
    vault.invite(EVE, CARLA, life=HOUR)
    vault.days(1)
    vault.invite(EVE.twin("eve two"), CARLA)
    vault.invite(EVE.twin("eve three"), CARLA)
    return vault.false()


TAKEN = {
    "authenticator": ("id", lambda key: [put("authenticator", key.id)]),
    "credential-id": ("credential id", lambda key: [put("credential_id", b64(key.credential_id))]),
    "share-key": ("share key", lambda key: [put("share_key", b64(key.share_key))]),
}

for _name, (_what, _edits) in TAKEN.items():
    def _taken(edits=_edits, name=_name):
        vault = people()
        vault.invite(EVE, CARLA)
        also = {"data": put("authenticator", ADA.key().id)} if name == "authenticator" else {}
        vault.next(statement=edits(ADA.key()), **also).enrol(EVE)
        return vault.false()
    add(f"people-{_name}-taken", f"Eve's new key has the {_what} of Ada's. {UNIQUE}", _taken)


@case
def public_key_taken():
    """Eve enrols Ada's public key (Ada touches for her). "Unique in the whole ledger: ... public_key" """
    vault = people()
    vault.invite(EVE, CARLA)
    vault.next(statement=put("public_key", b64(ADA.key().public)), touch={"key": ADA.key()}).enrol(EVE)
    return vault.false()


@case
def public_key_enrolled_again_by_its_owner():
    """Ada enrols the same public key under a new id. "Unique in the whole ledger: ... public_key" """
    vault = people()
    vault.next(statement=put("public_key", b64(ADA.key().public)), touch={"key": ADA.key()}).enrol(ADA, 2)
    return vault.false()


@case
def revoked_public_key_again():
    """A revoked public key is enrolled again under a new id. "Unique in the whole ledger: ... public_key" """
    vault = people()
    vault.enrol(ADA, 2)
    vault.revoke(ADA, CARLA, n=2)
    vault.next(statement=put("public_key", b64(ADA.key(2).public)), touch={"key": ADA.key(2)}).enrol(ADA, 3)
    return vault.false()


@case
def share_key_of_her_own_other_key():
    """Ada's second key has the share key of her first. "Unique in the whole ledger: ... share_key" """
    vault = people()
    vault.next(statement=put("share_key", b64(ADA.key().share_key))).enrol(ADA, 2)
    return vault.false()


def _nonce_of(statement):
    return put("nonce", statement["nonce"])


@case
def nonce_twice():
    """Two settings with one nonce. "Unique in the whole ledger: ... nonce" """
    vault = people()
    vault.setting(CARLA)
    vault.next(statement=_nonce_of(vault.statement)).setting(CARLA, value="700")
    return vault.false()


@case
def nonce_of_the_first_entry():
    """The nonce of entry 1 again. "Unique in the whole ledger: ... nonce" """
    import json
    vault = people()
    vault.next(statement=put("nonce", json.loads(vault.entries[1])["data"]["nonce"])).setting(CARLA)
    return vault.false()


@case
def nonce_of_another_person():
    """Ben's approval has the nonce of Ada's. "Unique in the whole ledger: ... nonce" """
    vault = asked()
    vault.approve(vault.filed, ADA)
    vault.next(statement=_nonce_of(vault.statement)).approve(vault.filed, BEN)
    return vault.false()


@case
def nonce_of_an_import():
    """A setting has the nonce of an import. "Unique in the whole ledger: ... nonce" """
    vault = safe()
    vault.seal(SAFE, ROUTER, by=CARLA)
    vault.next(statement=_nonce_of(vault.statement)).setting(CARLA)
    return vault.false()


@case
def nonce_of_the_request():
    """An approval has the nonce of the request it approves. "Unique in the whole ledger: ... nonce" """
    vault = asked()
    vault.next(statement=_nonce_of(vault.filed.statement)).approve(vault.filed, ADA)
    return vault.false()


@case
def nonce_of_an_enrolment():
    """A setting has the nonce of an enrolment. "Unique in the whole ledger: ... nonce" """
    vault = people()
    vault.join(EVE, CARLA)
    vault.next(statement=_nonce_of(vault.statement)).setting(CARLA)
    return vault.false()


@case
def whole_entry_replayed():
    """A signed setting is written again, word for word. "Unique in the whole ledger: ... nonce" """
    import json
    vault = people()
    vault.setting(CARLA)
    vault.append("setting.changed", json.loads(vault.entries[-1])["data"], actor=CARLA.user)
    return vault.false()
