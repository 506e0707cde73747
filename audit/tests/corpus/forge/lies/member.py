"""FORMATS.md 3 and 4, member by member: for every event and every kind of statement a true specimen, and from each of its
members one case where it is missing, one of a wrong type, one whose value has not the form that "Types" asks for; and one case
with a member too many wherever an object stands."""

import json

from ..canonical import change, drop, put, uuid
from ..cases import add
from ..requests import Vault, roster_of
from .. import stories
from ..stories import ADA, BEN, CARLA, CY, DB, DORA, EVE, ROB, ROUTER, SAFE

EXACT = '"`data` has exactly the members given", "Members are exactly", "a missing member ... are 1"'
TYPE = '"A wrong type, a value outside a closed list, a missing member ... are 1"'
MORE = '"not verified (an unknown event, kind, purpose, member or `v` ...)"'

# The classes of "Types".
HASHES = set("envelope key_commitment reason_commitment invitation roster previous entry ledger access role checkpoint"
             " sha256 registration_sha256 program_sha256 report_sha256".split())
IDS = set("request safe credential user authenticator signer approver requester grant rotation target key previous_key"
          " authenticators".split())
BINARY = set("nonce public_key share_key delivery_key aaguid".split())
RAW = set("authenticator_data client_data_json signature attestation_object".split())
FROM_1 = set("version epoch m denials size max_s request_life_s grant_life_s duration_s open_within_s".split())
FROM_0 = {"needed", "counter"}
TIMES = {"expires", "time", "until"}
SEQS = {"approvals", "acceptances"}
TOLD_APART_BY = {"kind", "purpose", "v", "event"}  # a wrong type there may as well be called unknown

FORMS = {  # class: name and change of the value
    "hash": [("capitals", str.upper), ("63-digits", lambda v: v[:-1]), ("66-digits", lambda v: v + "00"),
             ("no-hex", lambda v: "g" + v[1:]), ("empty", lambda v: "")],
    "id": [("capitals", str.upper), ("bare", lambda v: v.replace("-", "")), ("braces", lambda v: "{" + v + "}"),
           ("cut", lambda v: v[:-1]), ("urn", lambda v: "urn:uuid:" + v), ("empty", lambda v: "")],
    "binary": [("padded", lambda v: v + "=" * (-len(v) % 4 or 4)), ("longer", lambda v: v + "AAAA"), ("empty", lambda v: ""),
               ("shorter", lambda v: v[4:]), ("no-base64", lambda v: "*" + v[1:])],
    "credential-id": [("empty", lambda v: ""), ("1024-bytes", lambda v: "A" * 1366), ("padded", lambda v: v + "="),
                      ("no-base64", lambda v: "*" + v[1:])],
    "raw": [("padded", lambda v: v + "=" * (-len(v) % 4 or 4)), ("no-base64", lambda v: "*" + v[1:])],
    "from-1": [("zero", lambda v: 0), ("negative", lambda v: -1)],
    "from-0": [("negative", lambda v: -1)],
    "time": [("text", lambda v: "2026-01-01T00:00:00Z")],
    "seqs": [("twice", lambda v: v[:1] * 2 + v[1:]), ("descending", lambda v: v[::-1]),
             ("strings", lambda v: [str(n) for n in v]),
             ("negative", lambda v: [-1] + v)],
    "string": [("empty", lambda v: ""), ("201-long", lambda v: "x" * 201), ("201-emoji", lambda v: "\U0001f511" * 201)],
    "closed": [("unlisted", lambda v: "whatever"), ("capitals", str.upper)],
    "pin": [("unlisted", lambda v: "none"), ("sha256-short", lambda v: "sha256:" + "ab" * 31),
            ("sha256-capitals", lambda v: "sha256:" + "AB" * 32), ("ssh-padded", lambda v: "ssh:SHA256:" + "A" * 43 + "="),
            ("ssh-url-alphabet", lambda v: "ssh:SHA256:-_" + "A" * 41), ("ssh-short", lambda v: "ssh:SHA256:" + "A" * 42),
            ("unix-path", lambda v: "unix:/run/postgresql"), ("sha1", lambda v: "sha1:" + "ab" * 20),
            ("empty", lambda v: ""), ("unix-capitals", lambda v: "UNIX")],
    "roles": [("twice", lambda v: v + v[:1]), ("unlisted", lambda v: v + ["admin"]), ("capitals", lambda v: [v[0].upper()]),
              ("number", lambda v: [1]), ("list-in-list", lambda v: [v])],
    "ids": [("twice", lambda v: v + v[:1])],
    "object": [], "objects": [], "strings": [], "boolean": [], "statement": [], "none": [],
}
WRONG = {  # class: a value of a wrong type
    "from-1": "1", "from-0": "0", "time": "0", "boolean": 1, "seqs": {}, "roles": "custodian", "ids": {}, "object": [],
    "objects": {}, "strings": "one", "statement": {},
}
CLOSED = {("request.ended", "why"), ("release.closed", "why"), ("version.sealed", "origin"), ("drill.finished", "outcome")}
STRINGS = {"origins", "checkpoint_keys", "windows"}


def class_of(event, path, value):
    name = path.split(".")[-1]
    if name.isdigit():
        name = path.split(".")[-2]
    if isinstance(value, dict):
        return "object"
    if isinstance(value, list):
        return ("seqs" if name in SEQS else "roles" if name == "roles" else "ids" if name == "authenticators"
                else "strings" if name in STRINGS else "objects")
    if name in SEQS:
        return "from-0"
    if name == "credential_id":
        return "credential-id"
    if isinstance(value, bool):
        return "boolean"
    if name in TOLD_APART_BY:
        return "none"
    if (event, name) in CLOSED or name == "decision" or path == "sealed_as.kind":
        return "closed"
    for names, found in ((HASHES, "hash"), (IDS, "id"), (BINARY, "binary"), (RAW, "raw"), (FROM_1, "from-1"),
                         (FROM_0, "from-0"), (TIMES, "time"), ({"statement"}, "statement"), ({"pin"}, "pin")):
        if name in names:
            return found
    return "string"


def _after(begin, *more):
    """A beginning with something honest behind it."""
    def build():
        vault = begin()
        for step in more:
            step(vault)
        return vault
    return build


def _founding(**how):
    return lambda: Vault(label="specimen", **how)


def _joined(*persons):
    return _after(stories.founded, *(lambda vault, person=person: vault.join(person, CARLA) for person in persons))


def _file_roster(vault):
    vault.filed = vault.ask_roster(CARLA, SAFE, roster_of(ADA, BEN, CY, m=2))


def _accepted(vault):
    _file_roster(vault)
    vault.accept(vault.filed, ADA, BEN, CY)


def _rotation(*steps):
    return _after(stories.rotating, *(lambda vault, step=step: vault.rotation(step, vault.rotation_id, DB, 2)
                                      for step in steps))


def _step(step):
    return lambda vault: vault.rotation(step, vault.rotation_id, DB, 2)


def _change_keys(vault):
    """As the last entry: the export's own checkpoint, under the old key, is then the one that is asked for."""
    vault.change_checkpoint_keys("specimen")
    vault.earlier.pop()


# name: (event, beginning, the entry)
SPECIMENS = {
    "founded": ("ledger.founded", _founding(), lambda v: v.found()),
    "continued": ("ledger.founded", _founding(), lambda v: v.found(
        continues={"checkpoint": "ab" * 32, "ledger": "cd" * 32, "size": 12})),
    "invited-first": ("person.invited", _after(_founding(), lambda v: v.found()), lambda v: v.invite_first(CARLA)),
    "invited": ("person.invited", stories.founded, lambda v: v.invite(EVE, CARLA)),
    "roles": ("person.roles", _joined(EVE), lambda v: v.set_roles(EVE, ["auditor", "requester"], CARLA)),
    "enrolled": ("authenticator.enrolled", _after(stories.founded, lambda v: v.invite(EVE, CARLA)), lambda v: v.enrol(EVE)),
    "enrolled-further": ("authenticator.enrolled", _joined(EVE), lambda v: v.enrol(EVE, 2)),
    "revoked": ("authenticator.revoked", _joined(EVE), lambda v: v.revoke(EVE, CARLA)),
    "suspended": ("authenticator.suspended", _joined(EVE), lambda v: v.suspend(EVE, CARLA)),
    "restored": ("authenticator.restored", _after(_joined(EVE), lambda v: v.suspend(EVE, CARLA)),
                 lambda v: v.unsuspend(EVE, CARLA)),
    "distrusted": ("authenticator.distrusted", _joined(EVE), lambda v: v.distrust(EVE, counter=9)),
    "filed-release": ("request.filed", stories.sealed, lambda v: v.ask_release(ROB, DB, ticket="INC-1")),
    "filed-access": ("request.filed", stories.role, lambda v: v.ask_access(ROB, v.role)),
    "filed-roster": ("request.filed", stories.people, lambda v: v.ask_roster(CARLA, SAFE, roster_of(ADA, BEN, CY))),
    "filed-roster-change": ("request.filed", _after(stories.safe, lambda v: v.join(DORA, CARLA)),
                            lambda v: v.ask_roster(CARLA, SAFE, roster_of(ADA, BEN, DORA, epoch=2))),
    "filed-role": ("request.filed", stories.safe, lambda v: v.ask_role(CARLA, SAFE)),
    "filed-target": ("request.filed", stories.safe, lambda v: v.ask_target(CARLA, SAFE, DB)),
    "filed-reseal": ("request.filed", stories.sealed, lambda v: v.ask_reseal(CARLA, SAFE, (DB, 1))),
    "filed-destroy": ("request.filed", stories.sealed, lambda v: v.ask_destroy(CARLA, SAFE, (DB, 1))),
    "filed-restore": ("request.filed", stories.safe, lambda v: v.ask_restore(CARLA, SAFE)),
    "approved": ("request.approved", stories.asked, lambda v: v.approve(v.filed, ADA)),
    "denied": ("request.denied", stories.asked, lambda v: v.deny(v.filed, ADA)),
    "accepted": ("request.accepted", _after(stories.people, _file_roster), lambda v: v.accept(v.filed, BEN)),
    "ended": ("request.ended", stories.asked, lambda v: v.end(v.filed, "withdrawn")),
    "roster-set": ("roster.set", _after(stories.people, _accepted), lambda v: v.set_roster(v.filed)),
    "roster-changed": ("roster.set", stories.changing, lambda v: v.set_roster(v.filed)),
    "target-set": ("target.set", stories.target_agreed, lambda v: v.set_target(v.filed)),
    "role-set": ("role.set", stories.role_agreed, lambda v: v.set_role(v.filed)),
    "destroyed": ("version.destroyed", stories.destroy_agreed, lambda v: v.destroy(v.filed)),
    "reseal-opened": ("reseal.opened", stories.reseal_agreed, lambda v: v.open_reseal(v.filed)),
    "sealed": ("version.sealed", stories.safe, lambda v: v.seal(SAFE, DB)),
    "imported": ("version.sealed", stories.safe, lambda v: v.seal(SAFE, ROUTER, by=CARLA)),
    "resealed": ("version.sealed", stories.resealing, lambda v: v.seal(SAFE, DB, version=2, origin="resealed")),
    "opened": ("release.opened", stories.approved, lambda v: v.open(v.filed)),
    "closed": ("release.closed", stories.opened, lambda v: v.close(v.filed)),
    "refused": ("release.refused", stories.approved, lambda v: v.refuse(v.filed)),
    "share-refused": ("share.refused", stories.approved, lambda v: v.refuse_share(v.filed, ADA)),
    "grant-started": ("grant.started", stories.access_agreed, lambda v: v.start_grant(v.filed)),
    "grant-ended": ("grant.ended", stories.granted, lambda v: v.end_grant()),
    "staged": ("rotation.staged", _after(stories.sealed, lambda v: v.seal(SAFE, DB, version=2)),
               lambda v: v.rotation("staged", v.id("rotation"), DB, 2)),
    "applied": ("rotation.applied", _rotation(), _step("applied")),
    "proved": ("rotation.proved", _rotation("applied"), _step("proved")),
    "promoted": ("rotation.promoted", _rotation("applied", "proved"), _step("promoted")),
    "failed": ("rotation.failed", _rotation(), _step("failed")),
    "setting": ("setting.changed", stories.founded, lambda v: v.setting(CARLA)),
    "clock": ("clock.accepted", stories.founded, lambda v: v.wait(1e7).accept_clock(CARLA)),
    "ticked": ("clock.ticked", stories.founded, lambda v: v.wait(43200).append("clock.ticked", {})),
    "kek": ("kek.rolled", stories.founded, lambda v: v.append("kek.rolled", {
        "key": uuid("new kek"), "previous_key": uuid("old kek"), "token": "custody-2"})),
    "checkpoint-keys": ("checkpoint_keys.changed", stories.founded, _change_keys),
    "software": ("software.started", stories.founded, lambda v: v.start_software()),
    "drill": ("drill.finished", stories.safe, lambda v: v.finish_drill(SAFE)),
}
# What several specimens have in common is worn out in one of them; the others only miss it.
FULLY = {"setting", "invited-first", "enrolled-further", "imported"}  # assertions, and the members of every statement
SHARED = {"ledger", "nonce", "signer"}
ASKED = {"expires", "reason_commitment", "request", "requester_name", "roster", "safe"}  # in filed-release
LIKE = {"continued": "founded", "applied": "staged", "proved": "staged", "promoted": "staged", "failed": "staged",
        "enrolled-further": "enrolled", "filed-roster-change": "filed-roster"}
# Absent "when there is nothing to say", or belonging to another sort of specimen and judged by rules of their own
# ("purpose": without it nobody can say which of the other members are unknown).
OPTIONAL = {"ticket", "previous_key", "continues", "share_key", "sealed_as.target", "admission", "import", "purpose"}


def _once(specimen, part, path):
    """Whether this member's types and forms are another specimen's to show."""
    name = path.split(".")[-1]
    if specimen not in FULLY and ("assertion" in path.split(".") or part == "statement" and name in SHARED):
        return True
    if specimen.startswith("filed-") and specimen != "filed-release" and path in ASKED:
        return True
    return specimen in LIKE and path.split(".")[0] not in ("continues", "admission") and name != "assertion"


def _paths(value, path=""):
    """Every place in a value: members, and the first item of each list."""
    items = value.items() if isinstance(value, dict) else list(enumerate(value))[:1] if isinstance(value, list) else ()
    for name, inner in items:
        here = f"{path}.{name}" if path else str(name)
        yield here, inner
        if name != "subject":
            yield from _paths(inner, here)


def _case(name, lie, specimen, part, edit, unknown=False):
    event, begin, write = SPECIMENS[specimen]

    def build():
        vault = begin()
        vault.next(**{part: edit})
        write(vault)
        vault.quiet = vault.unchecked = event in ("ledger.founded", "checkpoint_keys.changed")
        return vault.unknown() if unknown else vault.false()
    add(f"member-{specimen}-{name}", lie, build)


class _Turns:
    """Hands out the forms of a class in turn, so that each is used somewhere."""

    def __init__(self):
        self.turn = {}

    def next(self, found, value):
        for _ in FORMS[found]:
            n = self.turn[found] = self.turn.get(found, -1) + 1
            form, how = FORMS[found][n % len(FORMS[found])]
            if how(value) != value and (found != "seqs" or form == "negative" or len(value) > 1):
                return form, how(value)
        return None


def _register(specimen, part, value, turns):
    event = SPECIMENS[specimen][0]
    what = f"`{event}`" + (f", statement `{value['kind']}`" if part == "statement" else "")
    if part == "statement" and "purpose" in value:
        what += f" ({value['purpose']})"
    prefix = "" if part == "data" else "statement-"
    _case(f"{prefix}more", f"{what}: a member too many. {MORE}", specimen, part, put("colour", "red"), unknown=True)
    for path, inner in _paths(value):
        name, slug = path.split(".")[-1], prefix + path.replace(".", "-").replace("_", "-")
        item, found, once = name.isdigit(), class_of(event, path, inner), _once(specimen, part, path)
        if "assertion" in path.split(".")[:-1] and once:
            continue
        if isinstance(inner, dict) and name != "subject" and not once:
            _case(f"{slug}-more", f"{what}: a member too many in `{path}`. {MORE}", specimen, part,
                  put(f"{path}.colour", "red"), unknown=True)
        if not item and path not in OPTIONAL:
            _case(f"{slug}-missing", f"{what}: no `{path}`. {EXACT}", specimen, part, drop(path))
        if found == "none" or once or name == "subject":
            continue
        _case(f"{slug}-type", f"{what}: `{path}` has a wrong type. {TYPE}", specimen, part,
              put(path, WRONG.get(found, 7)))
        form = turns.next(found, inner)
        if form:
            _case(f"{slug}-{form[0]}", f"{what}: `{path}` is {form[0].replace('-', ' ')}. {TYPE}", specimen, part,
                  put(path, form[1]))


def _register_all():
    turns = _Turns()
    for specimen, (event, begin, write) in SPECIMENS.items():
        vault = begin()
        write(vault)
        entry = json.loads(vault.entries[-1])
        assert entry["event"] == event, specimen

        def true(begin=begin, write=write):
            vault = begin()
            write(vault)
            return vault
        add(f"member-{specimen}-true", f"True: a `{event}` from which the other `member-{specimen}` cases were made.", true)
        _register(specimen, "data", entry["data"], turns)
        if "statement" in entry["data"] or "import" in entry["data"]:
            _register(specimen, "statement", vault.statement, turns)


_register_all()

# Every form of the classes that matter most, on one member each.
for _form, _how in FORMS["hash"]:
    _case(f"report-{_form}", f"`report_sha256` is {_form}. \"hashes are 64 lower-case hex digits\"", "drill", "data",
          change("report_sha256", _how))
for _form, _how in FORMS["id"]:
    _case(f"key-of-kek-{_form}", f"`key` is {_form}. \"Ids are lower-case UUID text\"", "kek", "data", change("key", _how))
for _form, _how in FORMS["pin"]:
    _case(f"every-pin-{_form}", f"`pin` is {_form}. \"`pin` = `sha256:` + 64 lower-case hex digits ..., or `unix`, or "
          "`ssh:SHA256:` + the 43 characters\"", "filed-target", "statement", change("pin", _how))
for _form, _how in FORMS["roles"]:
    _case(f"every-roles-{_form}", f"`roles` is {_form}. \"`roles[]` of `requester approver custodian auditor operator`\"",
          "roles", "statement", change("roles", _how))
