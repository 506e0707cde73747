"""What acting entries do: rosters, targets, roles, versions, releases, grants, rotations."""

from decisions import approved, request_of, spend
from shapes import PURPOSES
from state import SECOND, ZEROS, Entry, Request, Roster, Rotation, State, Version, require, rule


@rule("roster.set")
def roster_set(state: State, e: Entry):
    request = spend(state, e, "roster", "new safe")
    new, safe = e.data["new"], e.data["safe"]
    state.once("(safe, epoch)", (safe, new["epoch"]))
    former = request.named
    if former is None:
        require(not e.data["approvals"], "roster: approvals at epoch 1")
    else:
        approved(state, e, request)
        require(
            new["epoch"] == state.in_force[safe].epoch + 1,
            "roster: not the epoch after the one in force",
        )
        require(new["drill"] == former.drill, "roster: drill changes")
    _acceptances(e, request, new, former)
    _members(state, new)
    roster = Roster(
        e.leaf, safe, new["epoch"], new["m"], new["denials"], new["drill"],
        new["request_life_s"] * SECOND, new["grant_life_s"] * SECOND,
        {a["user"]: set(a["authenticators"]) for a in new["approvers"]},
    )  # fmt: skip
    state.rosters[e.leaf] = state.in_force[safe] = roster


def _acceptances(e: Entry, request: Request, new: dict, former: Roster | None):
    listed = e.data["acceptances"]
    require(
        all(seq in request.acceptances for seq in listed),
        "roster: an acceptance is listed that is none of this request",
    )
    by = {request.acceptances[seq] for seq in listed}
    named = {key for approver in new["approvers"] for key in approver["authenticators"]}
    newly = named - former.keys if former else named
    require(newly <= by, "roster: a newly named key has not accepted")


def _members(state: State, new: dict):
    users, n = [a["user"] for a in new["approvers"]], len(new["approvers"])
    enough = 2 <= new["m"] or (new["m"] == 1 and new["drill"])
    require(enough and new["m"] <= n <= 100, "roster: not 2 <= m <= n <= 100")
    require(len(set(users)) == n, "roster: a user twice")
    for approver in new["approvers"]:
        user = approver["user"]
        state.role(user, "approver")
        require(approver["name"] == state.people[user].name, "roster: name is not the invited one")
        require(approver["authenticators"], "roster: an approver without a key")
        for authenticator in approver["authenticators"]:
            key = state.key_of(authenticator, user)
            require(key.live, "roster: a key that is not live")
            require(key.can_hold_share, "roster: a key that can hold no share")


@rule("target.set")
def target_set(state: State, e: Entry):
    approved(state, e, spend(state, e, "target", "safe " + PURPOSES["target"]))
    credential, place = e.data["credential"], (e.data["target"], e.data["account"])
    state.belongs(credential, e.data["safe"])
    require(
        state.bound_to.get(place, credential) == credential,
        "belonging: this account of the target is bound to another credential",
    )
    state.bound_to.pop(state.bound.get(credential), None)
    state.bound[credential] = place
    state.bound_to[place] = credential


@rule("role.set")
def role_set(state: State, e: Entry):
    approved(state, e, spend(state, e, "role", "safe " + PURPOSES["role"]))
    place = (e.data["safe"], e.data["target"], e.data["name"])
    last = state.roles.get(place)
    require(
        e.data["previous"] == (last.leaf if last else ZEROS),
        "belonging: previous is not the last role.set",
    )
    state.roles[place] = e


@rule("version.destroyed")
def version_destroyed(state: State, e: Entry):
    approved(state, e, spend(state, e, "destroy", "safe versions"))
    for version in _versions(state, e):
        version.destroyed = True


@rule("reseal.opened")
def reseal_opened(state: State, e: Entry):
    request = spend(state, e, "reseal", "safe " + PURPOSES["reseal"])
    approved(state, e, request)
    for version in _versions(state, e):
        require(version.seq < request.entry.seq, "belonging: a version sealed after the filing")
    state.resealed.update(item["credential"] for item in e.data["versions"])


def _versions(state: State, e: Entry) -> list[Version]:
    found = []
    for item in e.data["versions"]:
        version = state.versions.get((item["credential"], item["version"]))
        require(
            version and version.safe == e.data["safe"],
            "belonging: a version that is not sealed in that safe",
        )
        require(version.envelope == item["envelope"], "belonging: a version has another envelope")
        require(not version.destroyed, "belonging: a version is destroyed")
        found.append(version)
    return found


@rule("version.sealed")
def version_sealed(state: State, e: Entry):
    data = e.data
    _origin(state, e)
    roster = state.rosters.get(data["roster"])
    require(roster and roster.safe == data["safe"], "belonging: roster is no roster.set of that safe")
    require(roster.epoch == data["epoch"], "belonging: epoch is not the roster's")
    keys = set(data["authenticators"])
    require(keys <= roster.keys, "belonging: a key that the roster does not name")
    require(all(keys & own for own in roster.approvers.values()), "belonging: an approver without a key")
    state.belongs(data["credential"], data["safe"])
    state.once("(credential, version)", (data["credential"], data["version"]))
    state.versions[data["credential"], data["version"]] = Version(
        e.seq, data["safe"], data["envelope"], data["roster"], data["epoch"],
        roster_in_force=state.in_force[data["safe"]] is roster,
    )  # fmt: skip


def _origin(state: State, e: Entry):
    data = e.data
    require(
        ("import" in data) == (data["origin"] == "imported"),
        "sealed: import belongs to imported versions, and only there",
    )
    if data["origin"] == "resealed":
        require(data["credential"] in state.resealed, "belonging: resealed without a reseal.opened")
    if data["origin"] == "imported":
        s = e.imported
        state.statement(s)
        state.role(s["signer"], "custodian")
        for member in ("credential", "envelope", "safe", "version"):
            require(s[member] == data[member], f"sealed: {member} differs from the import's")
        state.touched(e, data["import"], s["signer"], e.import_challenge)


@rule("release.opened")
def release_opened(state: State, e: Entry):
    data = e.data
    request = spend(state, e, "release", "credential envelope epoch roster safe version")
    require(data["requester"] == request.statement["signer"], "decisions: requester is not who filed")
    approved(state, e, request)
    version = state.versions[data["credential"], data["version"]]  # sealed before the filing, which saw it
    require(version.safe == data["safe"], "release: the version is another safe's")
    require(version.envelope == data["envelope"], "release: the version has another envelope")
    require(version.roster == data["roster"], "release: the version was sealed under another roster")
    require(version.epoch == data["epoch"], "release: the version was sealed in another epoch")
    require(version.roster_in_force, "release: the roster was not in force when the version was sealed")
    require(not version.destroyed, "release: the version is destroyed")
    request.opened = e.time


@rule("release.closed")
def release_closed(state: State, e: Entry):
    request = request_of(state, e)
    require(request.opened is not None, "order: closed without a release.opened")
    require(not request.closed, "order: closed twice")
    if e.data["why"] == "expired":
        end = request.opened + request.statement["duration_s"] * SECOND
        require(e.time >= end, "order: expired before its time")
    request.closed = True


@rule("grant.started")
def grant_started(state: State, e: Entry):
    request = spend(state, e, "access", "target")
    s = request.statement
    role = state.roles.get((s["safe"], s["target"], s["role_name"]))
    require(
        role and role.leaf == s["role"],
        "grant: the role is not the newest of its (safe, target, name)",
    )
    require(role.data["needed"] == s["needed"], "grant: needed is not the role's")
    approved(state, e, request, needed=role.data["needed"])
    require(s["duration_s"] <= role.data["max_s"], "grant: duration_s > max_s")
    require(e.data["until"] <= e.time + s["duration_s"] * SECOND, "grant: until is later than duration_s")
    state.once("grant", e.data["grant"])
    state.grants[e.data["grant"]] = True


@rule("grant.ended")
def grant_ended(state: State, e: Entry):
    require(state.grants.get(e.data["grant"]), "order: no running grant")
    state.grants[e.data["grant"]] = False


FORMER = {
    "rotation.applied": ("staged",),
    "rotation.proved": ("applied",),
    "rotation.promoted": ("proved",),
    "rotation.failed": ("staged", "applied", "proved"),
}


@rule("rotation.staged", *FORMER)
def rotated(state: State, e: Entry):
    data, stage = e.data, e.event.removeprefix("rotation.")
    if stage == "staged":
        state.once("rotation", data["rotation"])
        sealed = (data["credential"], data["version"]) in state.versions
        require(sealed, "belonging: a rotation's version is not sealed before staged")
        state.rotations[data["rotation"]] = Rotation(data["credential"], data["version"], stage)
        return
    rotation = state.rotations.get(data["rotation"])
    require(rotation, "order: no such rotation")
    require(rotation.stage in FORMER[e.event], f"order: {stage} after {rotation.stage}")
    same = (rotation.credential, rotation.version) == (data["credential"], data["version"])
    require(same, "order: one credential and version each")
    rotation.stage = stage
