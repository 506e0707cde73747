//! Decisions, checked against the ledger before an acting entry is written on them (promise P12): a row of `casts` finds
//! the entry of a decision, and grants nothing by itself.
//!
//! Checked of each approval and acceptance: its entry is in the ledger, at its place, and says what the row says; it is about
//! this very request; its signature is good, under the key that the verified roster has for it, else under the one that its
//! owner's enrolment has. What this node has checked before, or checked and entered itself, it knows by its leaf. A denial needs no proof: one that was made up stops a request, as its author could by deleting it.
//! (`p12_a_forged_approval_row_counts_for_nothing`.)
//!
//! That a request still waits is read from the ledger too: what its entries say was denied, ended, opened or closed stays so,
//! whatever its rows say (`p12_what_is_over_stays_over_whatever_its_row_says`).
//!
//! That happens before the writer's transaction; inside, rows count only as far as they are still those that were checked.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex};

use quorum::Hash;
use quorum::assertion::{self, PublicKey};
use quorum::entry::{Entry, EntryError, Event, Signed};
use quorum::evidence::Trust;
use quorum::hash::leaf;
use quorum::ids::{AuthenticatorId, RequestId, UserId};
use quorum::statement::{Decision, Kind, challenge};
use sqlx::Row;

use super::decide::Rosters;
use super::store::{self, Filed, Said};
use crate::app::App;
use crate::error::Result;
use crate::ledger::Checkpoint;
use crate::people::store::seq;
use crate::safes::rosters::{self, unproved};
use crate::script::{Facts, Script, name};
use crate::touch::Touch;

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

/// Signed entries that this node has checked against their rows, and their signatures under a proved key: those that it found in
/// the tree, and those that it entered itself. By the leaf, which stands for every byte of the entry, and a digest of the row: the
/// same bytes need no second check. In memory alone: whoever alters it has the process already.
#[derive(Clone, Default)]
pub struct Checked {
    held: Arc<Mutex<HashMap<Hash, Hash>>>,
}

impl Checked {
    const MOST: usize = 16_384;

    /// Takes down that a request was checked.
    pub fn filing(&self, filed: &Filed) {
        self.add(filed.leaf, filing_digest(filed));
    }

    /// Takes down that a decision on `filed`, entered with this leaf, was checked.
    pub fn decision(&self, leaf: Hash, filed: &Filed, said: &Said) {
        self.add(leaf, decision_digest(filed, said));
    }

    fn add(&self, leaf: Hash, row: Hash) {
        if let Ok(mut held) = self.held.lock() {
            if held.len() >= Checked::MOST {
                held.clear();
            }
            held.insert(leaf, row);
        }
    }

    fn has(&self, leaf: Hash, row: Hash) -> bool {
        let held = self.held.lock();
        held.is_ok_and(|held| held.get(&leaf) == Some(&row))
    }
}

/// Of everything in a row that its entry is compared with.
pub fn filing_digest(filed: &Filed) -> Hash {
    quorum::labelled(
        "checked",
        &[
            b"filed",
            &filed.seq.to_be_bytes(),
            &filed.filed.to_be_bytes(),
            filed.requester.as_bytes(),
            filed.authenticator.as_bytes(),
            &filed.leaf.0,
            &filed.statement,
        ],
    )
}

fn decision_digest(filed: &Filed, said: &Said) -> Hash {
    let word: &[u8] = match said.decision.as_str() {
        "approve" => b"appro",
        "accept" => b"accep",
        _ => b"other",
    };
    quorum::labelled(
        "checked",
        &[
            word,
            &said.seq.to_be_bytes(),
            &said.time.to_be_bytes(),
            said.user.as_bytes(),
            said.authenticator.as_bytes(),
            &filed.leaf.0,
            &said.statement,
        ],
    )
}

/// Whether a touch was checked under the very key that a verified roster has for it.
pub fn by_roster(rosters: &Rosters, touch: &Touch) -> bool {
    rostered(Some(rosters), touch.user, touch.authenticator)
        .is_some_and(|key| key.as_bytes()[..] == touch.public_key[..])
}

fn rostered(rosters: Option<&Rosters>, user: UserId, key: AuthenticatorId) -> Option<PublicKey> {
    let rosters = rosters?;
    let mut keys = [&rosters.named, &rosters.in_force]
        .into_iter()
        .filter_map(|roster| roster.approver(user))
        .flat_map(|approver| &approver.authenticators);
    keys.find(|k| k.authenticator == key).map(|k| k.public_key)
}

/// What was said of a request, and the entries that rows name for it.
pub struct Told {
    /// What was said.
    pub said: Vec<Said>,
    entries: BTreeMap<u64, Vec<u8>>,
}

impl Told {
    /// Asks for it.
    pub fn ask(reads: &mut Script, request: RequestId) {
        store::ask_said(reads, request);
        reads.add(
            "SELECT seq, bytes FROM ledger_entries WHERE seq IN (SELECT c.seq FROM casts c WHERE c.request = $1 \
             UNION SELECT q.seq FROM requests q WHERE q.request = $1 UNION SELECT l.seq FROM ledger_links l WHERE l.subject = $1)",
            [name(request)],
        );
    }

    /// What was asked for.
    pub fn read(facts: &mut Facts) -> Result<Told> {
        let said = store::read_said(&facts.rows()?)?;
        let mut entries = BTreeMap::new();
        for row in facts.rows()? {
            entries.insert(seq(row.try_get(0)?)?, row.try_get(1)?);
        }
        Ok(Told { said, entries })
    }

    /// Reads it now.
    pub async fn now(app: &App, request: RequestId) -> Result<Told> {
        let mut reads = app.ledger.script();
        Told::ask(&mut reads, request);
        Told::read(&mut reads.fetch(&app.ledger.db().pool).await?)
    }

    /// Refuses a request that waits by its row alone: an entry says that it was ended, opened, closed or settled, or that
    /// somebody denied it whose denial is in no row. Only for what was read at one moment with the row, under the writer's lock.
    pub fn still_waits(&self, filed: &Filed) -> Result<()> {
        for (seq, bytes) in &self.entries {
            let counted = |s: &Said| s.seq == *seq && s.decision != "deny";
            if *seq == filed.seq || self.said.iter().any(counted) {
                continue; // compared with its row
            }
            let entry = match Entry::parse(bytes) {
                Ok(entry) if entry.seq == *seq => entry,
                Err(EntryError::Event(name)) if name == "share.refused" => continue,
                _ => {
                    return Err(unproved(
                        "an entry about a request is not what may be there",
                    ));
                }
            };
            let over = match &entry.event {
                Event::RequestEnded(e) => e.request == filed.request,
                Event::ReleaseOpened(e) => e.request == filed.request,
                Event::ReleaseClosed(e) => e.request == filed.request,
                Event::RosterSet(e) => e.request == filed.request,
                Event::TargetSet(e) => e.request == filed.request,
                _ => false,
            };
            if over {
                return Err(unproved(
                    "a request's row says that it waits, and an entry that it is over",
                ));
            }
            if denies(&entry, filed.leaf) && !self.said.iter().any(|s| s.seq == *seq) {
                return Err(unproved("somebody denied a request, and no row says so"));
            }
        }
        Ok(())
    }
}

fn denies(entry: &Entry, filing: Hash) -> bool {
    let kind = entry.signed().map(|s| &s.statement.kind);
    matches!(kind, Some(Kind::Approval(a)) if a.decision == Decision::Deny && a.entry == filing)
}

/// Checks all that was said of a request so far, and its filing.
///
/// # Errors
/// `Tampered` where a row says what no signed entry says.
pub async fn decisions(
    app: &App,
    filed: &Filed,
    rosters: Option<&Rosters>,
    told: Told,
) -> Result<Proof> {
    let (proof, news) = sorted(&app.checked, filed, told)?;
    if !news.is_empty() {
        check(app, rosters, &news).await?;
    }
    Ok(proof)
}

/// As `decisions`, where all of them were checked before; none where one was not.
///
/// # Errors
/// As `decisions`.
pub fn known(checked: &Checked, filed: &Filed, told: Told) -> Result<Option<Proof>> {
    let (proof, news) = sorted(checked, filed, told)?;
    Ok(news.is_empty().then_some(proof))
}

/// A signed entry, who a row says signed it, and the row's digest.
type New = (Entry, UserId, Hash);

/// What was said, and what of it was not checked before: each entry says what its row says.
fn sorted(checked: &Checked, filed: &Filed, told: Told) -> Result<(Proof, Vec<New>)> {
    let Told { mut said, entries } = told;
    said.retain(|s| s.decision != "deny");
    let mut news = Vec::new();
    let at = |seq: u64| {
        let bytes = entries.get(&seq);
        bytes.ok_or_else(|| unproved("a row names an entry that is not there"))
    };
    let (bytes, row) = (at(filed.seq)?, filing_digest(filed));
    if !checked.has(leaf(bytes), row) {
        let entry = read(bytes, filed.seq)?;
        filing_says(&entry, filed)?;
        news.push((entry, filed.requester, row));
    }
    for s in &said {
        let (bytes, row) = (at(s.seq)?, decision_digest(filed, s));
        if !checked.has(leaf(bytes), row) {
            let entry = read(bytes, s.seq)?;
            decision_says(&entry, s, filed)?;
            news.push((entry, s.user, row));
        }
    }
    let by_seq = said.into_iter().map(|s| (s.seq, s)).collect();
    Ok((Proof { by_seq }, news))
}

fn read(bytes: &[u8], seq: u64) -> Result<Entry> {
    let entry = Entry::parse(bytes).map_err(|_| unproved("an entry is damaged"))?;
    if entry.seq == seq {
        Ok(entry)
    } else {
        Err(unproved("an entry stands at another's place"))
    }
}

/// Checks that these entries are in the tree, and who signed them; keeps that their rows were checked.
async fn check(app: &App, rosters: Option<&Rosters>, news: &[New]) -> Result<()> {
    // The newest: whatever happened to the keys since is under it too.
    let checkpoint = app.ledger.checkpoint().await?;
    let trust = rosters::trust(&app.ledger, &checkpoint).await?;
    let check = Check {
        app,
        rosters,
        trust,
        checkpoint,
    };
    let all = news
        .iter()
        .map(|(entry, signer, _)| check.entered_and_signed(entry, *signer));
    futures::future::try_join_all(all).await?;
    for (entry, _, row) in news {
        app.checked.add(entry.leaf, *row);
    }
    Ok(())
}

fn filing_says(entry: &Entry, filed: &Filed) -> Result<()> {
    let signed = entry
        .signed()
        .filter(|s| matches!(s.statement.kind, Kind::Request(_)))
        .ok_or_else(|| unproved("a request was never filed"))?;
    let same = entry.leaf == filed.leaf
        && entry.time == filed.filed
        && signed.statement_bytes == filed.statement
        && signed.authenticator == filed.authenticator;
    if same {
        Ok(())
    } else {
        Err(unproved("a request's row was changed"))
    }
}

fn decision_says(entry: &Entry, said: &Said, filed: &Filed) -> Result<()> {
    let subject = quorum::json::parse(&filed.statement)
        .map_err(|_| unproved("a stored request does not read"))?;
    let signed = entry
        .signed()
        .ok_or_else(|| unproved("a decision has no entry"))?;
    let (word, about, on) = match &signed.statement.kind {
        Kind::Approval(a) if a.decision == Decision::Approve => ("approve", a.entry, &a.subject),
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
    if about != filed.leaf || *on != subject {
        return Err(unproved("a decision is about another request"));
    }
    Ok(())
}

struct Check<'a> {
    app: &'a App,
    rosters: Option<&'a Rosters>,
    trust: Trust,
    checkpoint: Checkpoint,
}

impl Check<'_> {
    async fn entered_and_signed(&self, entry: &Entry, signer: UserId) -> Result<()> {
        if entry.seq >= self.checkpoint.size {
            return Err(unproved("a row names an entry that is not there"));
        }
        let proved = rosters::proved(&self.app.ledger, entry.seq, &self.checkpoint).await?;
        let found = self
            .trust
            .entry(&proved)
            .map_err(|e| unproved(&e.to_string()))?;
        let signed = found
            .signed()
            .filter(|_| found.leaf == entry.leaf)
            .ok_or_else(|| unproved("an entry changed while it was read"))?;
        self.signature(signed, signer).await
    }

    /// That `user` signed, with the key that the entry names.
    async fn signature(&self, signed: &Signed, user: UserId) -> Result<()> {
        let statement = &signed.statement;
        if statement.signer != Some(user) || statement.ledger != self.trust.ledger() {
            return Err(unproved("somebody else signed than a row says"));
        }
        let key = match rostered(self.rosters, user, signed.authenticator) {
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
}
