"""FORMATS.md 3 and 4: `ledger.founded`, entry 1, statements of another ledger or kind."""

from ..canonical import change, drop, hash_of, put, uuid
from ..cases import add, case
from ..ledger import NAME
from ..notes import NoteKey
from ..requests import Vault
from ..stories import ADA, CARLA, asked, people

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
    add(f"founding-founding-{_name}", f"`ledger.founded`: {_what}. {_rule}", _named)


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
    add(f"founding-checkpoint-keys-{_name}", f"`ledger.founded`, checkpoint keys: {_what}. {KEYS}", _founded)


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
    add(f"founding-{_name}", f"{_event} with a statement of kind `{_kind}`. \"data, or kind of statement\"", _other_kind)


@case
def login_as_an_event():
    """A login's statement, whole, in `setting.changed`. `login` is the statement of no event"""
    vault = people()
    vault.next(statement=[put("kind", "login"), drop("name"), drop("value"), drop("signer")]).setting(CARLA)
    return vault.false()
