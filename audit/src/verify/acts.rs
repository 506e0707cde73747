//! Acting entries and what follows from them (FORMATS.md 4, from "release.opened" to "Order").

use std::collections::HashSet;

use super::event::Roles;
use super::event::{Acted, GrantStarted, Opened, Origin, RosterSet, Sealed, Signed, Step};
use super::judge::place_of_last;
use super::lie::{Judged, hold, lie};
use super::marks::Space;
use super::requests::{Needed, after};
use super::state::{
    At, Credential, Judge, Key, Life, Person, Role, RosterState, Rotation, Version, fate,
};
use super::statement::{Kind, NewRole, NewRoster, NewTarget, OneVersion, Purpose};
use super::text::{Hash, Id};

const DIFFERS: &str = "the entry differs from its request";
const ELSE: &str = "the request is for something else";

/// Flags of a grant's id.
const GRANT_RUNS: u8 = 0;
const GRANT_ENDED: u8 = 1;

impl Judge {
    /// `roster.set`.
    pub(super) fn roster_set(&mut self, set: RosterSet, at: At) -> Judged {
        let (live, _) =
            self.acting(&set.request, &set.safe, &set.approvals, Needed::Rosters, at)?;
        let Purpose::Roster(new) = &live.purpose else {
            return Err(lie(ELSE));
        };
        hold(*new == set.new, DIFFERS)?;
        let (named, accepted) = (live.roster, live.acceptances.clone());
        let before = self.safes.get(&set.safe).copied();
        hold(
            named == before,
            "the roster it replaces is no longer in force",
        )?;
        let before = before.map(|at| self.roster(at)).transpose()?;
        let n = i64::try_from(set.new.approvers.len()).unwrap_or(i64::MAX);
        let least = if set.new.drill { 1 } else { 2 };
        hold(
            least <= set.new.m && set.new.m <= n && n <= 100,
            "the roster's m and n are out of bounds",
        )?;
        match before {
            None => {
                hold(set.new.epoch == 1, "a safe's first epoch is not 1")?;
                hold(
                    set.approvals.is_empty(),
                    "a safe is founded with approvals listed",
                )?;
            }
            Some(before) => {
                hold(
                    set.new.epoch == before.epoch.saturating_add(1),
                    "the new roster's epoch does not follow the one it replaces",
                )?;
                hold(set.new.drill == before.drill, "a safe changes its `drill`")?;
            }
        }
        let approvers = self.approvers(&set.new, at)?;
        let mut by = HashSet::new();
        for seq in &set.acceptances {
            let place = accepted.binary_search_by_key(seq, |(seq, _)| *seq).ok();
            let (_, key) = place
                .and_then(|place| accepted.get(place))
                .ok_or(lie("an acceptance listed is none of this request"))?;
            by.insert(*key);
        }
        for (person, keys) in &approvers {
            let old = before.and_then(|roster| roster.keys(*person));
            hold(
                keys.iter()
                    .all(|key| by.contains(key) || old.is_some_and(|old| old.contains(key))),
                "a key newly named did not accept",
            )?;
        }
        self.rosters.push(RosterState {
            leaf: at.leaf,
            safe: set.safe,
            epoch: set.new.epoch,
            m: set.new.m,
            denials: set.new.denials,
            request_life_s: set.new.request_life_s,
            grant_life_s: set.new.grant_life_s,
            drill: set.new.drill,
            approvers,
        });
        let roster = place_of_last(self.rosters.len())?;
        self.roster_of.insert(at.leaf, roster);
        self.safes.insert(set.safe, roster);
        self.finish(&set.request, fate::SPENT);
        Ok(())
    }

    /// The people and keys a new roster names, by person.
    fn approvers(&self, new: &NewRoster, at: At) -> Judged<Vec<(Person, Vec<Key>)>> {
        let mut approvers = Vec::with_capacity(new.approvers.len());
        for approver in &new.approvers {
            let person = self.invited(
                &approver.user,
                at.time,
                "a roster names somebody never invited",
            )?;
            self.must(
                person,
                Roles::APPROVER,
                "a roster names somebody who is no approver",
            )?;
            hold(
                self.person(person)?.name == approver.name,
                "the name is not the invited one",
            )?;
            hold(
                !approver.authenticators.is_empty(),
                "a roster names an approver without a key",
            )?;
            let mut keys = Vec::with_capacity(approver.authenticators.len());
            for authenticator in &approver.authenticators {
                let key = *self
                    .key_of
                    .get(authenticator)
                    .ok_or(lie("a roster names a key never enrolled"))?;
                let state = self.key(key)?;
                hold(
                    state.person == person,
                    "a roster names a key of somebody else",
                )?;
                hold(
                    state.life == Life::Live,
                    "a roster names a key that is not live",
                )?;
                hold(state.share, "a roster names a key that holds no share")?;
                keys.push(key);
            }
            approvers.push((person, keys));
        }
        approvers.sort_unstable_by_key(|(person, _)| *person);
        let twice = approvers
            .windows(2)
            .any(|pair| matches!(pair, [(a, _), (b, _)] if a == b));
        hold(!twice, "a roster names somebody twice")?;
        Ok(approvers)
    }

    /// `target.set`, `role.set`, `version.destroyed`, `reseal.opened`.
    pub(super) fn acted(&mut self, acted: Acted, at: At) -> Judged {
        let (live, _) = self.acting(
            &acted.request,
            &acted.safe,
            &acted.approvals,
            Needed::Rosters,
            at,
        )?;
        hold(
            std::mem::discriminant(&live.purpose) == std::mem::discriminant(&acted.purpose),
            ELSE,
        )?;
        hold(live.purpose == acted.purpose, DIFFERS)?;
        let filed = live.seq;
        match acted.purpose {
            Purpose::Target(target) => self.target_set(target, acted.safe)?,
            Purpose::Role(role) => self.role_set(role, acted.safe, at.leaf)?,
            Purpose::Destroy { versions } => {
                for v in &versions {
                    self.standing(v, &acted.safe)?.destroyed = true;
                }
            }
            Purpose::Reseal { versions, .. } => {
                for v in &versions {
                    hold(
                        self.standing(v, &acted.safe)?.seq < filed,
                        "a version is resealed that was sealed after the filing",
                    )?;
                }
                for v in &versions {
                    if let Some(credential) = self.credentials.get_mut(&v.credential) {
                        credential.resealed = true;
                    }
                }
            }
            _ => return Err(lie(ELSE)),
        }
        self.finish(&acted.request, fate::SPENT);
        Ok(())
    }

    /// A version that is sealed in that safe with that envelope, and not destroyed.
    fn standing(&mut self, named: &OneVersion, safe: &Id) -> Judged<&mut Version> {
        let version = self
            .versions
            .get_mut(&(named.credential, named.version))
            .ok_or(lie("a version named was never sealed"))?;
        let home = self
            .rosters
            .get(version.roster as usize)
            .map(|roster| roster.safe);
        hold(home == Some(*safe), "a version named is another safe's")?;
        hold(
            version.envelope == named.envelope,
            "a version named has another envelope",
        )?;
        hold(!version.destroyed, "a version named was destroyed")?;
        Ok(version)
    }

    /// The credential, which belongs to that safe from now on if it is new.
    fn belongs(&mut self, credential: Id, safe: Id) -> Judged<&mut Credential> {
        let known = self.credentials.entry(credential).or_insert(Credential {
            safe,
            binding: None,
            resealed: false,
        });
        hold(known.safe == safe, "the credential belongs to another safe")?;
        Ok(known)
    }

    fn target_set(&mut self, target: NewTarget, safe: Id) -> Judged {
        let place = (target.target, target.account);
        hold(
            self.bindings
                .get(&place)
                .is_none_or(|bound| *bound == target.credential),
            "the account is bound to another credential",
        )?;
        let credential = self.belongs(target.credential, safe)?;
        if let Some(before) = credential.binding.replace(place.clone()) {
            self.bindings.remove(&before);
        }
        self.bindings.insert(place, target.credential);
        Ok(())
    }

    fn role_set(&mut self, role: NewRole, safe: Id, leaf: Hash) -> Judged {
        let name = (safe, role.target, role.name);
        let last = self.roles.get(&name).map_or([0; 32], |role| role.leaf);
        hold(
            role.previous == last,
            "the role does not follow the last one of its name",
        )?;
        let new = Role {
            leaf,
            max_s: role.max_s,
            needed: role.needed,
        };
        self.roles.insert(name, new);
        Ok(())
    }

    /// `version.sealed`.
    pub(super) fn sealed(&mut self, sealed: Sealed, at: At) -> Judged {
        let roster = *self
            .roster_of
            .get(&sealed.roster)
            .ok_or(lie("the roster named was never set"))?;
        let state = self.roster(roster)?;
        hold(
            state.safe == sealed.safe,
            "the roster named is another safe's",
        )?;
        hold(
            state.epoch == sealed.epoch,
            "the epoch is not the named roster's",
        )?;
        let mut named = HashSet::with_capacity(sealed.authenticators.len());
        for authenticator in &sealed.authenticators {
            let key = self.key_of.get(authenticator).copied();
            named.insert(key.ok_or(lie("a version is sealed to a key never enrolled"))?);
        }
        let mut known = 0;
        for (_, keys) in &state.approvers {
            let own = keys.iter().filter(|key| named.contains(key)).count();
            hold(own > 0, "a version is sealed to no key of an approver")?;
            known += own;
        }
        hold(
            known == named.len(),
            "a version is sealed to a key that its roster does not name",
        )?;
        let in_force = self.safes.get(&sealed.safe) == Some(&roster);
        let credential = self.belongs(sealed.credential, sealed.safe)?;
        hold(
            sealed.origin != Origin::Resealed || credential.resealed,
            "a version is resealed that no reseal had opened",
        )?;
        if let Some(import) = &sealed.import {
            self.imported(import, &sealed, at)?;
        }
        let version = Version {
            envelope: sealed.envelope,
            roster,
            seq: at.seq,
            in_force,
            destroyed: false,
        };
        let before = self
            .versions
            .insert((sealed.credential, sealed.version), version);
        hold(before.is_none(), "a version is sealed twice")
    }

    fn imported(&mut self, import: &Signed, sealed: &Sealed, at: At) -> Judged {
        let statement = &import.statement;
        self.fresh(&statement.nonce)?;
        let signer = self.invited(&statement.signer, at.time, "the signer was never invited")?;
        self.touched(&import.touch, signer, at)?;
        self.must(
            signer,
            Roles::CUSTODIAN,
            "an import by somebody who is no custodian",
        )?;
        let same = match &statement.kind {
            Kind::Import(said) => {
                said.credential == sealed.credential
                    && said.envelope == sealed.envelope
                    && said.safe == sealed.safe
                    && said.version == sealed.version
            }
            _ => false,
        };
        hold(same, "the import's statement is for another version")
    }

    /// `release.opened`.
    pub(super) fn opened(&mut self, opened: &Opened, at: At) -> Judged {
        let (live, reached) = self.acting(
            &opened.request,
            &opened.safe,
            &opened.approvals,
            Needed::Rosters,
            at,
        )?;
        let (release, named) = Self::release_of(live)?;
        let (requester, filed) = (live.requester, live.seq);
        let same = release.credential == opened.credential
            && release.version == opened.version
            && release.envelope == opened.envelope
            && release.epoch == opened.epoch;
        let (open_within, duration) = (release.open_within_s, release.duration_s);
        hold(same, DIFFERS)?;
        hold(self.roster(named)?.leaf == opened.roster, DIFFERS)?;
        hold(self.person(requester)?.id == opened.requester, DIFFERS)?;
        let till = reached.map(|time| after(time, open_within));
        hold(
            till.is_some_and(|till| i128::from(at.time) < till),
            "the release is opened too late",
        )?;
        let version = self
            .versions
            .get(&(opened.credential, opened.version))
            .filter(|v| v.seq < filed && v.envelope == opened.envelope && v.roster == named)
            .ok_or(lie("the version was not sealed under the roster named"))?;
        hold(
            version.in_force,
            "the version was sealed under a roster that was not in force",
        )?;
        hold(!version.destroyed, "a version named was destroyed")?;
        self.finish(&opened.request, fate::SPENT);
        self.releases
            .insert(opened.request, after(at.time, duration));
        Ok(())
    }

    /// `release.closed`.
    pub(super) fn closed(&mut self, request: &Id, expired: bool, at: At) -> Judged {
        let end = *self
            .releases
            .get(request)
            .ok_or(lie("a release is closed that is not open"))?;
        hold(
            !expired || i128::from(at.time) >= end,
            "a release expires before its time",
        )?;
        self.releases.remove(request);
        Ok(())
    }

    /// `grant.started`.
    pub(super) fn grant_started(&mut self, grant: &GrantStarted, at: At) -> Judged {
        let live = self.live(&grant.request)?;
        let Purpose::Access(access) = &live.purpose else {
            return Err(lie(ELSE));
        };
        hold(access.target == grant.target, DIFFERS)?;
        let safe = live.safe;
        let (wanted, leaf, needed, duration) = (
            (safe, access.target, access.role_name.clone()),
            access.role,
            access.needed,
            access.duration_s,
        );
        let role = self.roles.get(&wanted);
        let role = role
            .filter(|role| role.leaf == leaf)
            .ok_or(lie("the role is not the newest of its name"))?;
        hold(
            role.needed == needed,
            "the role needs another number of approvals",
        )?;
        hold(
            duration <= role.max_s,
            "the duration is longer than the role allows",
        )?;
        hold(
            i128::from(grant.until) <= after(at.time, duration),
            "the grant is longer than was asked for",
        )?;
        self.acting(
            &grant.request,
            &safe,
            &grant.approvals,
            Needed::Role(needed),
            at,
        )?;
        hold(
            self.marks.add(Space::Grant, &grant.grant, GRANT_RUNS),
            "a grant is started twice",
        )?;
        self.finish(&grant.request, fate::SPENT);
        Ok(())
    }

    /// `grant.ended`.
    pub(super) fn grant_ended(&mut self, grant: &Id) -> Judged {
        hold(
            self.marks.flags(Space::Grant, grant) == Some(GRANT_RUNS),
            "a grant ends that does not run",
        )?;
        self.marks.set(Space::Grant, grant, GRANT_ENDED);
        Ok(())
    }

    /// A step of a rotation.
    pub(super) fn rotation(
        &mut self,
        step: Step,
        credential: Id,
        rotation: Id,
        version: i64,
    ) -> Judged {
        if step == Step::Staged {
            hold(
                self.versions.contains_key(&(credential, version)),
                "a rotation is staged with a version never sealed",
            )?;
            hold(
                self.marks.add(Space::Rotation, &rotation, 0),
                "a rotation is staged twice",
            )?;
            let state = Rotation {
                credential,
                version,
                step,
            };
            self.rotations.insert(rotation, state);
            return Ok(());
        }
        let state = self
            .rotations
            .get_mut(&rotation)
            .ok_or(lie("a rotation goes on that is not under way"))?;
        hold(
            state.credential == credential && state.version == version,
            "a rotation changes its credential or its version",
        )?;
        let follows = match step {
            Step::Staged => false,
            Step::Applied => state.step == Step::Staged,
            Step::Proved => state.step == Step::Applied,
            Step::Promoted => state.step == Step::Proved,
            Step::Failed => true,
        };
        hold(follows, "a rotation's steps are out of order")?;
        state.step = step;
        if matches!(step, Step::Promoted | Step::Failed) {
            self.rotations.remove(&rotation);
        }
        Ok(())
    }
}
