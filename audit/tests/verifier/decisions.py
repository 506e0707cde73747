"""Requests, decisions, and the one entry that spends a request."""

from canonical import encode
from state import DAY, SECOND, ZEROS, Approval, Entry, Request, Roster, State, require, rule

TWO_LIVES = ("release", "access")


@rule("request.filed")
def filed(state: State, e: Entry):
    s = e.statement
    state.role(s["signer"], "requester" if s["purpose"] in TWO_LIVES else "custodian")
    state.once("request", s["request"])
    require(
        s["requester_name"] == state.people[s["signer"]].name,
        "keys: requester_name is not the invited name",
    )
    named = _named_roster(state, s)
    life = named.request_life if s["purpose"] in TWO_LIVES else 14 * DAY
    require(s["expires"] <= e.time + life, "decisions: expires is later than a request lives")
    if "open_within_s" in s:
        require(
            s["open_within_s"] * SECOND <= named.request_life,
            "decisions: open_within_s > request_life_s",
        )
    if "duration_s" in s:
        require(s["duration_s"] * SECOND <= named.grant_life, "decisions: duration_s > grant_life_s")
    request = Request(e, state.keys[e.data["authenticator"]], named)
    state.requests[s["request"]] = state.filings[e.leaf] = request


def _named_roster(state: State, s: dict) -> Roster | None:
    in_force = state.in_force.get(s["safe"])
    if s["purpose"] == "roster" and (s["new"]["epoch"] == 1 or s["roster"] == ZEROS):
        first = s["new"]["epoch"] == 1 and s["roster"] == ZEROS
        require(first, "named roster: 64 zeros at epoch 1, and only there")
        require(in_force is None, "named roster: not the one in force at the filing")
        return None
    named = state.rosters.get(s["roster"])
    require(named and named.safe == s["safe"], "named roster: no roster.set of that safe")
    require(s.get("epoch", named.epoch) == named.epoch, "named roster: epoch is not its epoch")
    if s["purpose"] in ("release", "reseal"):
        for item in s.get("versions", [s]):
            version = state.versions.get((item["credential"], item["version"]))
            require(version, "named roster: a version that was not sealed before the filing")
            require(version.roster == named.leaf, "named roster: a version was sealed under another")
    else:
        require(named is in_force, "named roster: not the one in force at the filing")
    return named


@rule("request.approved", "request.denied")
def decided(state: State, e: Entry):
    s, user = e.statement, e.actor
    request = _subject(state, s)
    approves = s["decision"] == "approve"
    require(approves == (e.event == "request.approved"), "decisions: decision is not what the event says")
    before = request.decided.get(user)
    require(
        before is None or (before == "approve" and not approves),
        "decisions: this person decides again",
    )
    if approves:
        key = state.keys[e.data["authenticator"]]
        request.approvals.append(Approval(e.seq, e.time, user, key))
    else:
        rosters = (request.named, state.in_force.get(request.statement["safe"]))
        require(
            any(roster and user in roster.approvers for roster in rosters),
            "decisions: the denier is on no roster",
        )
    request.decided[user] = s["decision"]


@rule("request.accepted")
def accepted(state: State, e: Entry):
    s = e.statement
    request = _subject(state, s)
    require(s["authenticator"] == e.data["authenticator"], "acceptance: authenticator differs")
    approvers = request.statement.get("new", {}).get("approvers", [])
    require(
        any(s["authenticator"] in a["authenticators"] for a in approvers),
        "decisions: the accepting key is not named by new",
    )
    again = s["authenticator"] in request.acceptances.values()
    require(not again, "decisions: this key accepts again")
    request.acceptances[e.seq] = s["authenticator"]


def _subject(state: State, s: dict) -> Request:
    request = state.filings.get(s["entry"])
    require(request, "decisions: entry is no filed request")
    require(encode(s["subject"]) == request.entry.text, "decisions: subject differs from what was filed")
    require(not request.spent, "decisions: the request is spent")
    require(not request.ended, "decisions: the request has ended")
    return request


@rule("request.ended")
def ended(state: State, e: Entry):
    request = request_of(state, e)
    require(not request.ended, "decisions: ended twice")
    require(not request.spent, "decisions: ended after it was spent")
    if e.data["why"] == "expired":
        require(e.time >= request.statement["expires"], "decisions: expired before its time")
    if e.data["why"] == "denied":
        rosters = _rosters(state, request)
        enough = rosters and request.denials >= min(roster.denials for roster in rosters)
        require(enough, "decisions: denied by too few")
    request.ended = True


@rule("release.refused")
def release_refused(state: State, e: Entry):
    request = request_of(state, e)
    require(not request.refused, "decisions: refused twice")
    require(not request.spent, "decisions: refused after it was spent")
    request.refused = True


@rule("share.refused")
def share_refused(state: State, e: Entry):
    request_of(state, e)


def request_of(state: State, e: Entry) -> Request:
    request = state.requests.get(e.data["request"])
    require(request, "decisions: no such filed request")
    return request


def _rosters(state: State, request: Request) -> list[Roster]:
    """The named one and the one in force; none at epoch 1."""
    if request.named is None:
        return []
    return [request.named, state.in_force[request.statement["safe"]]]


def spend(state: State, e: Entry, purpose: str, members: str) -> Request:
    """The request that this acting entry spends; its approvals are judged by `approved`."""
    request = request_of(state, e)
    s = request.statement
    require(s["purpose"] == purpose, f"decisions: the request is for {s['purpose']}")
    for member in members.split():
        require(
            encode(e.data[member]) == encode(s[member]),
            f"decisions: {member} differs from the request's",
        )
    require(not request.spent, "decisions: spent twice")
    require(not request.ended, "decisions: spent after it ended")
    require(not request.refused, "decisions: spent after it was refused")
    require(not request.key.revoked, "decisions: the filing's key is revoked")
    if purpose != "release":
        require(e.time < s["expires"], "decisions: the request has expired")
    request.spent = True
    return request


def approved(state: State, e: Entry, request: Request, needed: int | None = None):
    """Enough counting approvals, all of them listed, and no denial too many."""
    rosters = _rosters(state, request)
    m = max(roster.m for roster in rosters) if needed is None else needed
    counting = [a for a in request.approvals if _counts(a, request, rosters)]
    seqs = {a.seq for a in counting}
    listed = e.data["approvals"]
    require(seqs.issuperset(listed), "decisions: an approval is listed that does not count")
    require(len(listed) >= m, f"decisions: {len(listed)} approvals, needed are {m}")
    require(
        request.denials < min(roster.denials for roster in rosters),
        "decisions: denied by as many as it takes",
    )
    if e.event == "release.opened":
        within = request.statement["open_within_s"] * SECOND
        require(e.time < counting[m - 1].time + within, "decisions: opened later than open_within_s")


def _counts(approval: Approval, request: Request, rosters: list[Roster]) -> bool:
    return (
        approval.time < request.statement["expires"]
        and approval.key.live
        and approval.user != request.statement["signer"]
        and all(approval.user in roster.approvers for roster in rosters)
        and request.decided[approval.user] == "approve"
    )
