"""Requests, decisions and acting entries on top of the plain ledger (FORMATS.md 3 and 4)."""

import copy
from dataclasses import dataclass, field

from .canonical import ZEROS, b64, hash_of, uuid
from .ledger import HOUR, SECOND, Ledger
from .people import x25519_public


@dataclass
class Filed:
    """A request.filed and what followed it."""

    id: str
    seq: int
    leaf: str
    statement: dict
    time: int
    approvals: list = field(default_factory=list)
    acceptances: list = field(default_factory=list)

    def has(self, *names):
        return {name: copy.deepcopy(self.statement[name]) for name in names}


def roster_of(*approvers, m=2, epoch=1, denials=2, drill=False, name="Root accounts", request_life_s=4 * HOUR,
              grant_life_s=HOUR):
    """`new` of a roster request. An approver is a person, or (person, [their keys])."""
    named = [pair if isinstance(pair, tuple) else (pair, [pair.key()]) for pair in approvers]
    return {"approvers": [{"authenticators": [key.id for key in keys], "name": person.name, "user": person.user}
                          for person, keys in named],
            "denials": denials, "drill": drill, "epoch": epoch, "grant_life_s": grant_life_s, "m": m, "name": name,
            "request_life_s": request_life_s}


class Vault(Ledger):
    """A ledger with requests. Every method writes one entry."""

    def in_force(self, safe):
        """Leaf of the safe's newest roster.set."""
        return self.rosters[safe][-1][0] if safe in self.rosters else ZEROS

    def file(self, purpose, by, safe, members, life=HOUR, roster=None, key=None, ticket=None):
        """Files a request; `life` in seconds from the filing."""
        members = {"expires": self.time + SECOND + round(life * SECOND), "purpose": purpose,
                   "reason_commitment": hash_of(f"reason {self.fresh('reason')}"), "request": self.id("request"),
                   "requester_name": by.name, "roster": roster or self.in_force(safe), "safe": safe, **members,
                   **({"ticket": ticket} if ticket else {})}
        seq = self.signed("request.filed", by, "request", members, key)
        return Filed(members["request"], seq, self.leaf(seq), self.statement, self.time)

    def ask_release(self, by, credential, version=1, duration_s=900, open_within_s=HOUR, **more):
        sealed = self.sealed[credential, version]
        members = {name: sealed[name] for name in ("credential", "envelope", "epoch", "version")}
        return self.file("release", by, sealed["safe"], {
            **members, "delivery_key": self.delivery_key(), "duration_s": duration_s, "open_within_s": open_within_s,
            "sealed_as": {"kind": "password", "name": "db superuser", "target": uuid("target 1")}},
            roster=sealed["roster"], **more)

    def ask_access(self, by, role, duration_s=900, **more):
        """`role`: the Filed request that set it."""
        safe = role.statement["safe"]
        return self.file("access", by, safe, {
            "delivery_key": self.delivery_key(), "duration_s": duration_s, "epoch": self.rosters[safe][-1][1]["epoch"],
            "needed": role.statement["needed"], "role": self.roles[role.id], "role_name": role.statement["name"],
            "target": role.statement["target"]}, **more)

    def ask_roster(self, by, safe, new, **more):
        return self.file("roster", by, safe, {"new": new}, **more)

    def ask_role(self, by, safe, name="read only", target=None, needed=1, previous=ZEROS, max_s=HOUR, **more):
        return self.file("role", by, safe, {
            "access": hash_of("template " + name), "max_s": max_s, "name": name, "needed": needed, "previous": previous,
            "target": target or uuid("target 1"), "windows": ["mon-fri 08:00-18:00"]}, **more)

    def ask_target(self, by, safe, credential, target=None, account="postgres", pin="unix", **more):
        return self.file("target", by, safe, {
            "account": account, "address": "db1.example:5432/postgres", "connector": "postgresql",
            "credential": credential, "pin": pin, "target": target or uuid("target 1")}, **more)

    def versions(self, *named):
        return [{name: self.sealed[pair][name] for name in ("credential", "envelope", "version")} for pair in named]

    def ask_reseal(self, by, safe, *named, **more):
        """`named`: (credential, version) pairs, sealed."""
        return self.file("reseal", by, safe, {
            "delivery_key": self.delivery_key(), "versions": self.versions(*named)},
            roster=self.sealed[named[0]]["roster"], **more)

    def ask_destroy(self, by, safe, *named, **more):
        return self.file("destroy", by, safe, {"versions": self.versions(*named)}, **more)

    def ask_restore(self, by, safe, **more):
        return self.file("restore", by, safe, {"checkpoint": hash_of("backup")}, **more)

    def delivery_key(self):
        return b64(x25519_public(f"delivery {self.fresh('delivery')}"))

    # Decisions

    def _decide(self, event, filed, by, key, members):
        kind = "acceptance" if event == "request.accepted" else "approval"
        return self.signed(event, by, kind, {"entry": filed.leaf, "subject": copy.deepcopy(filed.statement), **members}, key)

    def approve(self, filed, *people, key=None):
        for by in people:
            filed.approvals.append(self._decide("request.approved", filed, by, key, {"decision": "approve"}))
        return filed.approvals[-1]

    def deny(self, filed, by, key=None):
        return self._decide("request.denied", filed, by, key, {"decision": "deny"})

    def accept(self, filed, *people, key=None):
        for by in people:
            used = key or by.key()
            filed.acceptances.append(self._decide("request.accepted", filed, by, used, {"authenticator": used.id}))
        return filed.acceptances[-1]

    def end(self, filed, why):
        return self.append("request.ended", {"request": filed.id, "why": why})

    # Acting entries. `approvals`: seqs, all that were given unless said.

    def _act(self, event, filed, approvals, names, **more):
        return self.append(event, {
            "approvals": list(filed.approvals if approvals is None else approvals), "request": filed.id,
            **filed.has(*names), **more})

    def open(self, filed, approvals=None):
        return self._act("release.opened", filed, approvals, (
            "credential", "envelope", "epoch", "roster", "safe", "version"), requester=filed.statement["signer"])

    def close(self, filed, why="checked_in"):
        return self.append("release.closed", {"request": filed.id, "why": why})

    def refuse(self, filed, why="the token is down"):
        return self.append("release.refused", {"request": filed.id, "why": why})

    def refuse_share(self, filed, approver, why="the commitment does not match"):
        return self.append("share.refused", {"approver": approver.user, "request": filed.id, "why": why})

    def set_roster(self, filed, approvals=None, acceptances=None):
        safe = filed.statement["safe"]
        seq = self._act("roster.set", filed, approvals, ("new", "safe"), acceptances=list(
            filed.acceptances if acceptances is None else acceptances))
        self.rosters.setdefault(safe, []).append((self.leaf(seq), filed.statement["new"]))
        return seq

    def set_target(self, filed, approvals=None):
        return self._act("target.set", filed, approvals, (
            "account", "address", "connector", "credential", "pin", "safe", "target"))

    def set_role(self, filed, approvals=None):
        seq = self._act("role.set", filed, approvals, (
            "access", "max_s", "name", "needed", "previous", "safe", "target", "windows"))
        self.roles[filed.id] = self.leaf(seq)
        return seq

    def destroy(self, filed, approvals=None):
        return self._act("version.destroyed", filed, approvals, ("safe", "versions"))

    def open_reseal(self, filed, approvals=None):
        return self._act("reseal.opened", filed, approvals, ("delivery_key", "safe", "versions"))

    def start_grant(self, filed, approvals=None, grant=None, until=None):
        self.grant = grant or self.id("grant")
        until = until or self.time + SECOND + filed.statement["duration_s"] * SECOND
        return self._act("grant.started", filed, approvals, ("target",), grant=self.grant, until=until)

    def end_grant(self, grant=None, why="checked in"):
        return self.append("grant.ended", {"grant": grant or self.grant, "why": why})

    # Shorthand of several entries

    def join(self, person, by):
        """Invited and enrolled."""
        self.invite(person, by)
        self.enrol(person)

    def found_safe(self, safe, by, *approvers, **new):
        """Asked, accepted by every key, set."""
        filed = self.ask_roster(by, safe, roster_of(*approvers, **new))
        for approver in approvers:
            person, keys = approver if isinstance(approver, tuple) else (approver, [approver.key()])
            for key in keys:
                self.accept(filed, person, key=key)
        self.set_roster(filed)
        return filed
