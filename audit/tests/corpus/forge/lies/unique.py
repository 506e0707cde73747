"""FORMATS.md 4, "Unique in the whole ledger", for people, keys and nonces. (Other things: with their own families.)"""

import json

from ..canonical import b64, put
from ..cases import add, case
from ..ledger import HOUR
from ..people import Person
from ..stories import ADA, BEN, CARLA, EVE, ROUTER, SAFE, asked, founded, people, safe

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
    add(f"unique-name-{_name}", f"Two people's names: {_what}. {UNIQUE}, {EXPIRED}", _same_name)


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
    add(f"unique-{_name}-taken", f"Eve's new key has the {_what} of Ada's. {UNIQUE}", _taken)


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
    vault = people()
    vault.setting(CARLA)
    vault.append("setting.changed", json.loads(vault.entries[-1])["data"], actor=CARLA.user)
    return vault.false()
