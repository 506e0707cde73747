//! Decisions, checked against the ledger before an acting entry is written on them (promise P12): a row of `casts` finds
//! the entry of a decision, and grants nothing by itself.
//!
//! Checked of each approval and acceptance: its entry is in the ledger, at its place, and says what the row says; it is about
//! this very request; its signature is good, under the key that the verified roster has for it, else under the one that its
//! owner's enrolment has. A denial needs no proof: one that was made up stops a request, as its author could by deleting it.
//! (`p12_a_forged_approval_row_counts_for_nothing`.)
//!
//! That happens before the writer's transaction; inside, rows count only as far as they are still those that were checked.

use std::collections::BTreeMap;

use quorum::assertion::{self, PublicKey};
use quorum::entry::{Entry, Signed};
use quorum::evidence::Trust;
use quorum::ids::{AuthenticatorId, UserId};
use quorum::json::Value;
use quorum::statement::{Decision, Kind, challenge};

use super::decide::Rosters;
use super::store::{self, Filed, Said};
use crate::app::App;
use crate::error::Result;
use crate::ledger::Checkpoint;
use crate::safes::rosters::{self, unproved};

/// What was said of one request, as far as it was checked.
pub struct Proof {
    by_seq: BTreeMap<u64, Said>,
}

impl Proof {
    /// Those of the rows that were checked, and every denial. What came since has to wait for the next check.
    pub fn keep(&self, said: Vec<Said>) -> Vec<Said> {
        let good = |s: &Said| {
            s.decision == "deny" || self.by_seq.get(&s.seq).is_some_and(|known| same(known, s))
        };
        said.into_iter().filter(good).collect()
    }
}

fn same(a: &Said, b: &Said) -> bool {
    (a.seq, a.time, a.user, a.authenticator) == (b.seq, b.time, b.user, b.authenticator)
        && a.decision == b.decision
        && a.statement == b.statement
}

/// Checks all that was said of a request so far, and its filing.
///
/// # Errors
/// `Tampered` where a row says what no signed entry says.
pub async fn decisions(app: &App, filed: &Filed, rosters: Option<&Rosters>) -> Result<Proof> {
    let mut said = store::said(&app.ledger.db().pool, filed.request).await?;
    said.retain(|s| s.decision != "deny");
    // The newest: whatever happened to the keys since is under it too.
    let checkpoint = app.ledger.checkpoint().await?;
    let trust = rosters::trust(&app.ledger, &checkpoint).await?;
    let check = Check {
        app,
        rosters,
        trust,
        checkpoint,
    };
    let subject = quorum::json::parse(&filed.statement)
        .map_err(|_| unproved("a stored request does not read"))?;
    check.filing(filed).await?;
    futures::future::try_join_all(said.iter().map(|s| check.said(filed, &subject, s))).await?;
    Ok(Proof {
        by_seq: said.into_iter().map(|s| (s.seq, s)).collect(),
    })
}

struct Check<'a> {
    app: &'a App,
    rosters: Option<&'a Rosters>,
    trust: Trust,
    checkpoint: Checkpoint,
}

impl Check<'_> {
    /// The entry at `place`, in the ledger.
    async fn entry(&self, place: u64) -> Result<Entry> {
        if place >= self.checkpoint.size {
            return Err(unproved("a row names an entry that is not there"));
        }
        let proved = rosters::proved(&self.app.ledger, place, &self.checkpoint).await?;
        self.trust
            .entry(&proved)
            .map_err(|e| unproved(&e.to_string()))
    }

    async fn filing(&self, filed: &Filed) -> Result<()> {
        let entry = self.entry(filed.seq).await?;
        let signed = entry
            .signed()
            .filter(|s| matches!(s.statement.kind, Kind::Request(_)))
            .ok_or_else(|| unproved("a request was never filed"))?;
        let same = entry.leaf == filed.leaf
            && entry.time == filed.filed
            && signed.statement_bytes == filed.statement
            && signed.authenticator == filed.authenticator;
        if !same {
            return Err(unproved("a request's row was changed"));
        }
        self.signature(signed, filed.requester).await
    }

    async fn said(&self, filed: &Filed, subject: &Value, said: &Said) -> Result<()> {
        let entry = self.entry(said.seq).await?;
        let signed = entry
            .signed()
            .ok_or_else(|| unproved("a decision has no entry"))?;
        let (word, about, on) = match &signed.statement.kind {
            Kind::Approval(a) if a.decision == Decision::Approve => {
                ("approve", a.entry, &a.subject)
            }
            Kind::Acceptance(a) => ("accept", a.entry, &a.subject),
            _ => return Err(unproved("a decision's entry is none")),
        };
        let same = word == said.decision
            && entry.time == said.time
            && signed.statement_bytes == said.statement
            && signed.authenticator == said.authenticator;
        if !same {
            return Err(unproved("a decision's row was changed"));
        }
        if about != filed.leaf || on != subject {
            return Err(unproved("a decision is about another request"));
        }
        self.signature(signed, said.user).await
    }

    /// That `user` signed, with the key that the entry names.
    async fn signature(&self, signed: &Signed, user: UserId) -> Result<()> {
        let statement = &signed.statement;
        if statement.signer != Some(user) || statement.ledger != self.trust.ledger() {
            return Err(unproved("somebody else signed than a row says"));
        }
        let key = match self.rostered(user, signed.authenticator) {
            Some(key) => key,
            None => {
                let under = (&self.trust, &self.checkpoint);
                let rosters = &self.app.rosters;
                rosters
                    .enrolled_key(&self.app.ledger, user, signed.authenticator, under)
                    .await?
            }
        };
        let challenge = challenge(&signed.statement_bytes);
        assertion::verify(self.trust.rp(), &key, &challenge, &signed.assertion)
            .map(|_| ())
            .map_err(|e| unproved(&format!("a signature is not good: {e}")))
    }

    fn rostered(&self, user: UserId, key: AuthenticatorId) -> Option<PublicKey> {
        let rosters = self.rosters?;
        let mut keys = [&rosters.named, &rosters.in_force]
            .into_iter()
            .filter_map(|roster| roster.approver(user))
            .flat_map(|approver| &approver.authenticators);
        keys.find(|k| k.authenticator == key).map(|k| k.public_key)
    }
}
