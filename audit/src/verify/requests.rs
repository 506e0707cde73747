//! Requests, decisions, and what makes an acting entry true (FORMATS.md 4, "Decisions", "The named roster", "spent").

use super::event::{Ended, Roles};
use super::lie::{Judged, hold, lie};
use super::marks::Space;
use super::state::{At, Cast, Casts, Judge, Key, Life, Live, Person, Roster, fate};
use super::statement::{Decision, On, OneVersion, Purpose, Release, Request};
use super::text::{Hash, Id};

/// A second in microseconds.
const SECOND: i128 = 1_000_000;
/// How long requests may live that neither release nor give access: 14 days.
const FOURTEEN_DAYS: i128 = 14 * 24 * 3600 * SECOND;

/// How many approvals an acting entry needs.
#[derive(Clone, Copy)]
pub(super) enum Needed {
    /// The larger `m` of the named roster and the one in force.
    Rosters,
    /// As many as a role says.
    Role(i64),
}

/// `time` and so many seconds more.
pub(super) fn after(time: i64, seconds: i64) -> i128 {
    i128::from(time) + i128::from(seconds) * SECOND
}

impl Judge {
    /// A request is filed.
    pub(super) fn filed(
        &mut self,
        request: Request,
        statement: Hash,
        signer: Person,
        key: Key,
        at: At,
    ) -> Judged {
        match request.purpose {
            Purpose::Release(_) | Purpose::Access(_) => self.must(
                signer,
                Roles::REQUESTER,
                "a request by somebody who is no requester",
            )?,
            _ => self.must(
                signer,
                Roles::CUSTODIAN,
                "a request by somebody who is no custodian",
            )?,
        }
        hold(
            self.person(signer)?.name == request.requester_name,
            "the requester's name is not the invited one",
        )?;
        hold(
            self.marks.add(Space::Request, &request.request, 0),
            "a request is filed twice",
        )?;
        let roster = self.named_roster(&request)?;
        self.within_limits(&request, roster, at)?;
        let live = Live {
            leaf: at.leaf,
            statement,
            requester: signer,
            key,
            seq: at.seq,
            expires: request.expires,
            roster,
            safe: request.safe,
            purpose: request.purpose,
            casts: Casts::default(),
            acceptances: Vec::new(),
        };
        self.requests.insert(request.request, Box::new(live));
        Ok(())
    }

    /// The roster a request names, which must be the right one for its purpose; none when it founds a safe.
    fn named_roster(&self, request: &Request) -> Judged<Option<Roster>> {
        if let Purpose::Roster(new) = &request.purpose
            && request.roster == [0; 32]
        {
            hold(new.epoch == 1, "only epoch 1 replaces no roster")?;
            hold(
                !self.safes.contains_key(&request.safe),
                "the roster named is not the one in force",
            )?;
            return Ok(None);
        }
        let at = *self
            .roster_of
            .get(&request.roster)
            .ok_or(lie("the roster named was never set"))?;
        let roster = self.roster(at)?;
        hold(
            roster.safe == request.safe,
            "the roster named is another safe's",
        )?;
        let wrong_epoch = "the epoch is not the named roster's";
        match &request.purpose {
            Purpose::Release(release) => {
                hold(release.epoch == roster.epoch, wrong_epoch)?;
                self.sealed_under(&release.credential, release.version, &release.envelope, at)?;
            }
            Purpose::Reseal { versions, .. } => {
                named_once(versions)?;
                for v in versions {
                    self.sealed_under(&v.credential, v.version, &v.envelope, at)?;
                }
            }
            purpose => {
                hold(
                    self.safes.get(&request.safe) == Some(&at),
                    "the roster named is not the one in force",
                )?;
                match purpose {
                    Purpose::Access(access) => hold(access.epoch == roster.epoch, wrong_epoch)?,
                    Purpose::Roster(new) => hold(
                        new.epoch == roster.epoch.saturating_add(1),
                        "the new roster's epoch does not follow the one it replaces",
                    )?,
                    Purpose::Destroy { versions } => named_once(versions)?,
                    _ => {}
                }
            }
        }
        Ok(Some(at))
    }

    fn sealed_under(
        &self,
        credential: &Id,
        version: i64,
        envelope: &Hash,
        roster: Roster,
    ) -> Judged {
        let sealed = self.versions.get(&(*credential, version));
        hold(
            sealed.is_some_and(|v| v.roster == roster && v.envelope == *envelope),
            "the version was not sealed under the roster named",
        )
    }

    fn within_limits(&self, request: &Request, roster: Option<Roster>, at: At) -> Judged {
        let roster = roster.map(|at| self.roster(at)).transpose()?;
        let (request_life, grant_life) =
            roster.map_or((0, 0), |r| (r.request_life_s, r.grant_life_s));
        let (till, duration) = match &request.purpose {
            Purpose::Release(release) => {
                hold(
                    release.open_within_s <= request_life,
                    "the time to open is longer than the roster allows",
                )?;
                (after(at.time, request_life), Some(release.duration_s))
            }
            Purpose::Access(access) => (after(at.time, request_life), Some(access.duration_s)),
            _ => (i128::from(at.time) + FOURTEEN_DAYS, None),
        };
        hold(
            i128::from(request.expires) <= till,
            "the request lives longer than the roster allows",
        )?;
        hold(
            duration.is_none_or(|duration| duration <= grant_life),
            "the duration is longer than the roster allows",
        )
    }

    /// The live request of that id, or why there is none.
    pub(super) fn live(&mut self, request: &Id) -> Judged<&mut Live> {
        // Two look-ups: a borrow that is given away on one path can't be given back on the other.
        if !self.requests.contains_key(request) {
            return Err(lie(match self.marks.flags(Space::Request, request) {
                None => "it names no filed request",
                Some(flags) if flags & fate::SPENT != 0 => "the request was spent before",
                Some(_) => "the request has ended",
            }));
        }
        self.requests
            .get_mut(request)
            .map(|live| &mut **live)
            .ok_or(lie("it names no filed request"))
    }

    /// The live request that a decision or an acceptance is about.
    fn about(&mut self, on: &On) -> Judged<&mut Live> {
        let request = on.request.ok_or(lie("it names no filed request"))?;
        let live = self.live(&request)?;
        hold(
            live.statement == on.subject,
            "the subject is not the request as it was filed",
        )?;
        hold(
            live.leaf == on.entry,
            "the entry is not that of the request",
        )?;
        Ok(live)
    }

    /// An approval or a denial.
    pub(super) fn decided(
        &mut self,
        decision: &Decision,
        signer: Person,
        key: Key,
        at: At,
    ) -> Judged {
        let live = self.about(&decision.on)?;
        // A denial may follow one's own approval; nothing else may follow anything.
        let (approved, denied) = live.casts.of(signer);
        hold(
            !denied && (decision.deny || !approved),
            "the approver decides twice",
        )?;
        let (named, safe) = (live.roster, live.safe);
        if decision.deny {
            let on_named = named
                .map(|at| self.roster(at))
                .transpose()?
                .is_some_and(|roster| roster.has(signer));
            let on_other = self.in_force(&safe).is_some_and(|r| r.has(signer));
            hold(
                on_named || on_other,
                "a denial by somebody on neither roster",
            )?;
        }
        self.about(&decision.on)?.casts.push(Cast {
            seq: at.seq,
            time: at.time,
            person: signer,
            key,
            deny: decision.deny,
        });
        Ok(())
    }

    /// A key accepts its place on a new roster.
    pub(super) fn accepted(&mut self, on: &On, key: Key, at: At) -> Judged {
        let authenticator = self.key(key)?.id;
        let live = self.about(on)?;
        let named = match &live.purpose {
            Purpose::Roster(new) => new
                .approvers
                .iter()
                .any(|a| a.authenticators.contains(&authenticator)),
            _ => false,
        };
        hold(named, "the accepting key is not named by the new roster")?;
        hold(
            live.acceptances.iter().all(|(_, other)| *other != key),
            "a key accepts twice",
        )?;
        live.acceptances.push((at.seq, key));
        Ok(())
    }

    /// The denials that end a request: the smaller number of the named roster and the one in force.
    fn denials_needed(&self, live: &Live) -> Judged<Option<i64>> {
        let named = live.roster.map(|at| self.roster(at)).transpose()?;
        let both = [named, self.in_force(&live.safe)];
        Ok(both.into_iter().flatten().map(|r| r.denials).min())
    }

    fn is_denied(&self, live: &Live) -> Judged<bool> {
        let denials = live.casts.iter().filter(|cast| cast.deny).count();
        let denials = i64::try_from(denials).unwrap_or(i64::MAX);
        Ok(self
            .denials_needed(live)?
            .is_some_and(|needed| denials >= needed))
    }

    /// A request ends without an acting entry.
    pub(super) fn request_ended(&mut self, request: &Id, why: Ended, at: At) -> Judged {
        let expires = self.live(request)?.expires;
        match why {
            Ended::Expired => hold(at.time >= expires, "a request expires before its time")?,
            Ended::Denied => {
                let live = self.requests.get(request);
                let live = live.ok_or(lie("it names no filed request"))?;
                hold(
                    self.is_denied(live)?,
                    "a request ends as denied without that many denials",
                )?;
            }
            Ended::Otherwise => {}
        }
        self.finish(request, fate::ENDED);
        Ok(())
    }

    /// `release.refused`.
    pub(super) fn refused(&mut self, request: &Id) -> Judged {
        let flags = self
            .marks
            .flags(Space::Request, request)
            .ok_or(lie("a refusal names no filed request"))?;
        hold(
            flags & fate::SPENT == 0,
            "a request is refused after it was spent",
        )?;
        hold(flags & fate::REFUSED == 0, "a request is refused twice")?;
        self.marks
            .set(Space::Request, request, flags | fate::REFUSED);
        Ok(())
    }

    /// Forgets a live request and keeps what became of it.
    pub(super) fn finish(&mut self, request: &Id, became: u8) -> Option<Box<Live>> {
        let flags = self.marks.flags(Space::Request, request).unwrap_or(0);
        self.marks.set(Space::Request, request, flags | became);
        self.requests.remove(request)
    }

    /// Checks what every acting entry needs, and gives the request with the time from which a release's opening counts: that of the approval
    /// that was the last one needed.
    pub(super) fn acting(
        &mut self,
        request: &Id,
        safe: &Id,
        approvals: &[u64],
        needed: Needed,
        at: At,
    ) -> Judged<(&Live, Option<i64>)> {
        self.live(request)?;
        let flags = self.marks.flags(Space::Request, request).unwrap_or(0);
        hold(flags & fate::REFUSED == 0, "the request was refused before")?;
        let live: &Live = self
            .requests
            .get(request)
            .ok_or(lie("it names no filed request"))?;
        hold(live.safe == *safe, "the entry differs from its request")?;
        hold(
            matches!(live.purpose, Purpose::Release(_)) || at.time < live.expires,
            "the request had expired",
        )?;
        hold(
            self.key(live.key)?.life != Life::Revoked,
            "the key that filed the request was revoked",
        )?;
        hold(!self.is_denied(live)?, "the request was denied")?;
        let named = live.roster.map(|at| self.roster(at)).transpose()?;
        let needed = match needed {
            Needed::Role(needed) => needed,
            Needed::Rosters => [named, self.in_force(safe)]
                .into_iter()
                .flatten()
                .map(|r| r.m)
                .max()
                .unwrap_or(0),
        };
        for seq in approvals {
            let cast = live
                .casts
                .at(*seq)
                .filter(|cast| !cast.deny)
                .ok_or(lie("an approval listed is no approval of this request"))?;
            self.counts(cast, live)?;
        }
        let listed = i64::try_from(approvals.len()).unwrap_or(i64::MAX);
        hold(listed >= needed, "there are too few approvals")?;
        let last = usize::try_from(needed.saturating_sub(1)).unwrap_or(usize::MAX);
        let reached = live
            .casts
            .iter()
            .filter(|cast| !cast.deny && self.counts(cast, live).is_ok())
            .nth(last)
            .map(|cast| cast.time);
        Ok((live, reached))
    }

    /// Whether an approval counts now, and if not, why.
    fn counts(&self, cast: &Cast, live: &Live) -> Judged {
        hold(
            cast.time < live.expires,
            "an approval listed came after the request had expired",
        )?;
        hold(
            self.key(cast.key)?.life == Life::Live,
            "the key of an approval listed is no longer live",
        )?;
        hold(
            cast.person != live.requester,
            "an approval listed is the requester's own",
        )?;
        let named = live.roster.map(|at| self.roster(at)).transpose()?;
        hold(
            named.is_some_and(|roster| roster.has(cast.person)),
            "an approval listed is by somebody not on the named roster",
        )?;
        hold(
            self.in_force(&live.safe)
                .is_some_and(|roster| roster.has(cast.person)),
            "an approval listed is by somebody not on the roster in force",
        )?;
        let (_, denied) = live.casts.of(cast.person);
        hold(!denied, "an approval listed was taken back by a denial")
    }

    /// The release that a request asks for, and its named roster.
    pub(super) fn release_of(live: &Live) -> Judged<(&Release, Roster)> {
        match (&live.purpose, live.roster) {
            (Purpose::Release(release), Some(roster)) => Ok((release, roster)),
            _ => Err(lie("the request is for something else")),
        }
    }
}

/// Versions of `reseal` and `destroy`: one at least, none twice.
fn named_once(versions: &[OneVersion]) -> Judged {
    hold(!versions.is_empty(), "the request names no version")?;
    let mut names: Vec<_> = versions.iter().map(|v| (v.credential, v.version)).collect();
    names.sort_unstable();
    let twice = names
        .windows(2)
        .any(|pair| matches!(pair, [a, b] if a == b));
    hold(!twice, "the request names a version twice")
}
