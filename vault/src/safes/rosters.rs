//! Verified rosters: gathered from stored entries, proved by `quorum` back to the safe's founding.
//!
//! Nothing here trusts a row for more than finding entries: a row that points elsewhere gives evidence
//! that does not hold together, and no roster (promise P12).

use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Mutex};

use quorum::Hash;
use quorum::assertion::PublicKey;
use quorum::entry::Entry;
use quorum::evidence::{Anchor, Proved, Trust};
use quorum::ids::{AuthenticatorId, RequestId, SafeId, UserId};
use quorum::people::People;
use quorum::roster::{RosterEvidence, RosterStep, VerifiedRoster, VerifiedTarget};
use sqlx::Row;
use sqlx::any::AnyRow;

use crate::error::{Error, Result, Words};
use crate::ledger::{Checkpoint, Ledger};
use crate::people::store::{at, seq, sql};
use crate::script::{Facts, Script, Value, name};

type Held<K, T> = Arc<Mutex<HashMap<(K, u64), T>>>;

/// Rosters that were verified, kept by the leaf of their `roster.set` and the newest event about a key of theirs. In the
/// same way what hangs on them: bindings by the leaf of their `target.set`, and enrolled keys.
#[derive(Clone, Default)]
pub struct Rosters {
    held: Held<Hash, Arc<VerifiedRoster>>,
    bound: Held<Hash, Arc<VerifiedTarget>>,
    keys: Held<AuthenticatorId, (UserId, PublicKey)>,
}

/// What the rows say of a roster: where to look for it, no more.
#[derive(Clone, Copy)]
struct Said {
    epoch: u64,
    leaf: Hash,
}

impl Rosters {
    /// The safe's roster of `epoch`, verified under a checkpoint of now.
    pub async fn of(
        &self,
        ledger: &Ledger,
        safe: SafeId,
        epoch: u64,
    ) -> Result<Arc<VerifiedRoster>> {
        let row = sqlx::query(sql!(
            "SELECT r.epoch, r.leaf, ",
            NEWEST_KEY_EVENT,
            " FROM rosters r WHERE r.safe = $1 AND r.epoch = $2"
        ))
        .bind(safe.to_string())
        .bind(at(epoch))
        .fetch_optional(&ledger.db().pool)
        .await?
        .ok_or_else(|| Error::missing("roster"))?;
        self.held_or_verified(ledger, safe, said(&row, 0)?, seq(row.try_get(2)?)?)
            .await
    }

    /// The safe's roster in force.
    pub async fn in_force(&self, ledger: &Ledger, safe: SafeId) -> Result<Arc<VerifiedRoster>> {
        let row = sqlx::query(sql!(
            "SELECT r.epoch, r.leaf, ",
            NEWEST_KEY_EVENT,
            " FROM safes s JOIN rosters r ON r.safe = s.safe AND r.epoch = s.epoch WHERE s.safe = $1"
        ))
        .bind(safe.to_string())
        .fetch_optional(&ledger.db().pool)
        .await?
        .ok_or_else(|| Error::missing("safe"))?;
        self.held_or_verified(ledger, safe, said(&row, 0)?, seq(row.try_get(2)?)?)
            .await
    }

    /// The safe's roster whose `roster.set` is `leaf`, and the one in force.
    pub async fn named_and_in_force(
        &self,
        ledger: &Ledger,
        safe: SafeId,
        leaf: Hash,
    ) -> Result<(Arc<VerifiedRoster>, Arc<VerifiedRoster>)> {
        let mut reads = ledger.script();
        ask_named(&mut reads, safe, leaf);
        let row = reads.fetch(&ledger.db().pool).await?.row()?;
        self.named_by(ledger, safe, leaf, row).await
    }

    /// The roster of the same safe that was in force before the entry `seq`, from the one in force now.
    pub async fn before(
        &self,
        ledger: &Ledger,
        now: &Arc<VerifiedRoster>,
        seq: u64,
    ) -> Result<Arc<VerifiedRoster>> {
        let mut then = now.clone();
        while set_at(ledger, &then).await? >= seq {
            let epoch = then.epoch().saturating_sub(1);
            then = self.of(ledger, then.safe(), epoch).await?;
        }
        Ok(then)
    }

    /// As `named_and_in_force`, from the row that was asked for.
    pub async fn named_by(
        &self,
        ledger: &Ledger,
        safe: SafeId,
        leaf: Hash,
        row: Option<AnyRow>,
    ) -> Result<(Arc<VerifiedRoster>, Arc<VerifiedRoster>)> {
        let row = row.ok_or_else(|| unproved("a request names a roster that is not there"))?;
        let newest = seq(row.try_get(4)?)?;
        let named = self
            .held_or_verified(ledger, safe, said(&row, 0)?, newest)
            .await?;
        if named.leaf() != leaf {
            return Err(unproved("a request names another roster"));
        }
        let in_force = self
            .held_or_verified(ledger, safe, said(&row, 2)?, newest)
            .await?;
        Ok((named, in_force))
    }

    /// As `named_by`, with the newest event about a key that they were verified under.
    pub async fn named_under(
        &self,
        ledger: &Ledger,
        safe: SafeId,
        leaf: Hash,
        row: Option<AnyRow>,
    ) -> Result<(Arc<VerifiedRoster>, Arc<VerifiedRoster>, u64)> {
        let newest = row.as_ref().map(|row| row.try_get(4)).transpose()?;
        let (named, in_force) = self.named_by(ledger, safe, leaf, row).await?;
        Ok((named, in_force, seq(newest.unwrap_or_default())?))
    }

    /// A key of `user` that was checked back to its enrolment, as long as no key event came since; none where it was not.
    pub(crate) fn known_key(
        &self,
        user: UserId,
        authenticator: AuthenticatorId,
        newest: u64,
    ) -> Option<PublicKey> {
        let (owner, key) = held(&self.keys, &(authenticator, newest))?;
        (owner == user).then_some(key)
    }

    async fn held_or_verified(
        &self,
        ledger: &Ledger,
        safe: SafeId,
        said: Said,
        newest: u64,
    ) -> Result<Arc<VerifiedRoster>> {
        let key = (said.leaf, newest);
        let roster = match held(&self.held, &key) {
            Some(held) => held,
            None => Arc::new(verify(ledger, safe, said.epoch).await?),
        };
        // Also of one that was held: a row may point a safe at another safe's roster.
        if roster.leaf() != said.leaf || roster.safe() != safe || roster.epoch() != said.epoch {
            return Err(unproved("a row names another roster than the ledger"));
        }
        keep(&self.held, key, &roster);
        Ok(roster)
    }

    /// A binding that was verified before.
    pub(crate) fn bound(&self, key: &(Hash, u64)) -> Option<Arc<VerifiedTarget>> {
        held(&self.bound, key)
    }

    /// Keeps a verified binding.
    pub(crate) fn keep_bound(
        &self,
        key: (Hash, u64),
        target: VerifiedTarget,
    ) -> Arc<VerifiedTarget> {
        let target = Arc::new(target);
        keep(&self.bound, key, &target);
        target
    }

    /// The newest revocation that the rows know of.
    pub(crate) async fn newest_key_event(&self, ledger: &Ledger) -> Result<u64> {
        let row = sqlx::query(sql!("SELECT ", NEWEST_KEY_EVENT))
            .fetch_one(&ledger.db().pool)
            .await?;
        seq(row.try_get(0)?)
    }

    /// A key of `user`, from its enrolment, checked back to the first custodian's. Whether it is still live is not asked.
    pub(crate) async fn enrolled_key(
        &self,
        ledger: &Ledger,
        user: UserId,
        authenticator: AuthenticatorId,
        (trust, checkpoint): (&Trust, &Checkpoint),
    ) -> Result<PublicKey> {
        let key = (authenticator, self.newest_key_event(ledger).await?);
        let (owner, public_key) = match held(&self.keys, &key) {
            Some(held) => held,
            None => {
                let people =
                    people_of(ledger, [user.to_string()].into(), trust, checkpoint).await?;
                let found = people
                    .key(authenticator)
                    .ok_or_else(|| unproved("a key that signed was never enrolled"))?;
                let found = (found.user, found.public_key);
                keep(&self.keys, key, &found);
                found
            }
        };
        if owner == user {
            Ok(public_key)
        } else {
            Err(unproved("a key that signed is somebody else's"))
        }
    }
}

fn held<K: Eq + std::hash::Hash, T: Clone>(held: &Held<K, T>, key: &(K, u64)) -> Option<T> {
    held.lock().ok().and_then(|held| held.get(key).cloned())
}

fn keep<K: Eq + std::hash::Hash, T: Clone>(kept: &Held<K, T>, key: (K, u64), what: &T) {
    if let Ok(mut kept) = kept.lock() {
        if kept.len() > 256 {
            kept.clear();
        }
        kept.entry(key).or_insert_with(|| what.clone());
    }
}

/// The last event after which a key may no longer hold: a roster that was verified before it is verified again.
const NEWEST_KEY_EVENT: &str = "(SELECT COALESCE(MAX(revoked), 0) FROM authenticators)";

/// The place of a roster's `roster.set`, as the entry itself says: the row only finds it.
async fn set_at(ledger: &Ledger, roster: &VerifiedRoster) -> Result<u64> {
    let row = sqlx::query(
        "SELECT e.bytes FROM rosters r JOIN ledger_entries e ON e.seq = r.seq WHERE r.leaf = $1",
    )
    .bind(roster.leaf().0.to_vec())
    .fetch_optional(&ledger.db().pool)
    .await?;
    let bytes: Option<Vec<u8>> = row.map(|r| r.try_get(0)).transpose()?;
    let entry = bytes.as_deref().map(Entry::parse);
    match entry {
        Some(Ok(entry)) if entry.leaf == roster.leaf() => Ok(entry.seq),
        _ => Err(unproved("a roster's row points at another entry")),
    }
}

/// Asks where to look for the safe's roster whose `roster.set` is `leaf`, and for the one in force.
pub fn ask_named(reads: &mut Script, safe: SafeId, leaf: Hash) {
    let which = "n.safe = $1 AND n.leaf = $2";
    reads.add(named(which), [name(safe), leaf.into()]);
}

/// As `ask_named`, for the roster that the version of a release is sealed under.
pub fn ask_sealed_under(reads: &mut Script, release: RequestId) {
    let which = "(n.safe, n.leaf) = (SELECT q.safe, v.roster FROM requests q JOIN versions v \
                 ON v.credential = q.credential AND v.version = q.version WHERE q.request = $1)";
    reads.add(named(which), [name(release)]);
}

/// Refuses unless the row that was asked for says of rosters that were verified under `newest` what they say themselves, and no
/// key has come to its end since.
pub fn still_named(
    row: Option<&AnyRow>,
    named: &VerifiedRoster,
    in_force: &VerifiedRoster,
    newest: u64,
) -> Result<()> {
    let row = row.ok_or_else(|| unproved("a request names a roster that is not there"))?;
    let same = |roster: &VerifiedRoster, from| -> Result<bool> {
        let said = said(row, from)?;
        Ok(said.leaf == roster.leaf() && said.epoch == roster.epoch())
    };
    if same(named, 0)? && same(in_force, 2)? && seq(row.try_get(4)?)? == newest {
        Ok(())
    } else {
        Err(crate::requests::store::moved_on())
    }
}

fn named(which: &str) -> String {
    format!(
        "SELECT n.epoch, n.leaf, r.epoch, r.leaf, {NEWEST_KEY_EVENT} FROM rosters n JOIN safes s ON s.safe = n.safe \
         JOIN rosters r ON r.safe = s.safe AND r.epoch = s.epoch WHERE {which}"
    )
}

fn said(row: &AnyRow, from: usize) -> Result<Said> {
    Ok(Said {
        epoch: seq(row.try_get(from)?)?,
        leaf: crate::ledger::hash(&row.try_get::<Vec<u8>, _>(from + 1)?)?,
    })
}

/// Refuses when a row says something else than the verified roster: somebody wrote to the database. Nothing is sealed
/// or opened under a roster whose rows were touched, though the rows themselves grant nothing.
pub async fn rows_agree(ledger: &Ledger, roster: &VerifiedRoster) -> Result<()> {
    let mut reads = ledger.script();
    ask_rows(&mut reads, roster);
    agree(&mut reads.fetch(&ledger.db().pool).await?, roster)
}

/// Asks for the rows of a roster: its safe's, and its keys'.
pub fn ask_rows(reads: &mut Script, roster: &VerifiedRoster) {
    reads.add(
        "SELECT epoch, roster, m, denials, request_life_s, grant_life_s, drill FROM safes WHERE safe = $1",
        [name(roster.safe())],
    );
    let keys = roster.approvers().iter().flat_map(|a| &a.authenticators);
    reads.add(
        "SELECT authenticator, user_id, share_key, credential_id, public_key FROM authenticators WHERE authenticator IN ($1)",
        [Value::Texts(keys.map(|k| k.authenticator.to_string()).collect())],
    );
}

/// As `rows_agree`, from the rows that were asked for.
pub fn agree(facts: &mut Facts, roster: &VerifiedRoster) -> Result<()> {
    let safe = facts.row()?.ok_or_else(|| unproved("a safe is missing"))?;
    safe_agrees(&safe, roster)?;
    keys_agree(&facts.rows()?, roster)
}

fn safe_agrees(row: &AnyRow, roster: &VerifiedRoster) -> Result<()> {
    let same = seq(row.try_get(0)?)? == roster.epoch()
        && row.try_get::<Vec<u8>, _>(1)? == roster.leaf().0
        && seq(row.try_get(2)?)? == u64::from(roster.m().get())
        && seq(row.try_get(3)?)? == roster.denials()
        && seq(row.try_get(4)?)? == roster.request_life_s()
        && seq(row.try_get(5)?)? == roster.grant_life_s()
        && (row.try_get::<i64, _>(6)? != 0) == roster.drill();
    if same {
        Ok(())
    } else {
        Err(unproved("a safe's row was changed"))
    }
}

fn keys_agree(rows: &[AnyRow], roster: &VerifiedRoster) -> Result<()> {
    let keys = roster
        .approvers()
        .iter()
        .flat_map(|a| a.authenticators.iter().map(move |key| (a.user, key)));
    let mut wanted: HashMap<String, _> = keys
        .map(|(user, key)| (key.authenticator.to_string(), (user, key)))
        .collect();
    for row in rows {
        let (user, key) = wanted
            .remove(&row.try_get::<String, _>(0)?)
            .ok_or_else(|| unproved("a key is there twice"))?;
        let same = row.try_get::<String, _>(1)? == user.to_string()
            && row.try_get::<Option<Vec<u8>>, _>(2)?.as_deref() == Some(&key.share_key)
            && row.try_get::<Vec<u8>, _>(3)? == key.credential_id
            && row.try_get::<Vec<u8>, _>(4)? == key.public_key.as_bytes();
        if !same {
            return Err(unproved("a key's row was changed"));
        }
    }
    if !wanted.is_empty() {
        return Err(unproved("a key is missing"));
    }
    Ok(())
}

/// What holds the service together is not what the ledger says.
pub fn unproved(why: &str) -> Error {
    Error::Tampered(Words::new(
        "Refused.",
        format!("The database does not agree with the signed ledger: {why}."),
        "This is no outage. Keep the database as it is and call a custodian.",
    ))
}

/// Our own checkpoint as trust: it was checked against the anchor before it was signed.
pub async fn trust(ledger: &Ledger, checkpoint: &Checkpoint) -> Result<Trust> {
    let founding = proved(ledger, 0, checkpoint).await?;
    let anchor = Anchor {
        size: checkpoint.size,
        root: checkpoint.root,
    };
    Trust::check(
        &checkpoint.note,
        &founding,
        ledger.founding()?.ledger,
        Some(&anchor),
        &[],
    )
    .map_err(|e| unproved(&e.to_string()))
}

/// One stored entry with its proof.
pub async fn proved(ledger: &Ledger, place: u64, checkpoint: &Checkpoint) -> Result<Proved> {
    let (entry, proof) = futures::try_join!(
        bytes_of(ledger, place),
        ledger.inclusion(place, checkpoint.size)
    )?;
    Ok(Proved {
        seq: place,
        entry,
        proof: proof.into_iter().map(|h| Hash(h.0)).collect(),
    })
}

async fn bytes_of(ledger: &Ledger, place: u64) -> Result<Vec<u8>> {
    if place == 0 {
        return Ok(ledger.founding()?.entry.clone());
    }
    let row = sqlx::query("SELECT bytes FROM ledger_entries WHERE seq = $1")
        .bind(at(place))
        .fetch_optional(&ledger.db().pool)
        .await?
        .ok_or_else(|| unproved("an entry is missing"))?;
    Ok(row.try_get(0)?)
}

async fn all_proved(
    ledger: &Ledger,
    places: impl IntoIterator<Item = u64>,
    checkpoint: &Checkpoint,
) -> Result<Vec<Proved>> {
    let mut list = Vec::new();
    for place in places {
        list.push(proved(ledger, place, checkpoint).await?);
    }
    Ok(list)
}

async fn verify(ledger: &Ledger, safe: SafeId, epoch: u64) -> Result<VerifiedRoster> {
    let checkpoint = ledger.checkpoint().await?;
    let trust = trust(ledger, &checkpoint).await?;
    let evidence = gather(ledger, safe, epoch, &checkpoint).await?;
    VerifiedRoster::verify(&trust, &evidence).map_err(|e| unproved(&e.to_string()))
}

/// Every entry that the roster of `epoch` stands on.
pub async fn gather(
    ledger: &Ledger,
    safe: SafeId,
    epoch: u64,
    checkpoint: &Checkpoint,
) -> Result<RosterEvidence> {
    gather_with(ledger, safe, epoch, BTreeSet::new(), checkpoint).await
}

/// As [`gather`], with everything about some more `people`.
pub(crate) async fn gather_with(
    ledger: &Ledger,
    safe: SafeId,
    epoch: u64,
    mut people: BTreeSet<String>,
    checkpoint: &Checkpoint,
) -> Result<RosterEvidence> {
    let pool = &ledger.db().pool;
    let rows = sqlx::query(
        "SELECT r.seq, q.seq, r.request FROM rosters r JOIN requests q ON q.request = r.request \
         WHERE r.safe = $1 AND r.epoch <= $2 ORDER BY r.epoch",
    )
    .bind(safe.to_string())
    .bind(at(epoch))
    .fetch_all(pool)
    .await?;
    let mut steps = Vec::new();
    for row in rows {
        let (set, filed, request) = (
            seq(row.try_get(0)?)?,
            seq(row.try_get(1)?)?,
            row.try_get::<String, _>(2)?,
        );
        let casts = sqlx::query(
            "SELECT seq, user_id FROM casts WHERE request = $1 AND seq < $2 ORDER BY seq",
        )
        .bind(request.clone())
        .bind(at(set))
        .fetch_all(pool)
        .await?;
        let mut decisions = Vec::new();
        for cast in casts {
            decisions.push(seq(cast.try_get(0)?)?);
            people.insert(cast.try_get::<String, _>(1)?);
        }
        let requester = sqlx::query("SELECT requester FROM requests WHERE request = $1")
            .bind(request)
            .fetch_one(pool)
            .await?;
        people.insert(requester.try_get(0)?);
        let set = proved(ledger, set, checkpoint).await?;
        people.extend(named_in(&set.entry));
        steps.push(RosterStep {
            set,
            request: proved(ledger, filed, checkpoint).await?,
            decisions: all_proved(ledger, decisions, checkpoint).await?,
        });
    }
    Ok(RosterEvidence {
        rosters: steps,
        ..about(ledger, people, checkpoint).await?
    })
}

/// Everything about people and their keys, and about those who let them in, gave them roles or ended their keys: whoever
/// did that signed it, and their own keys go along, back to the first custodian's.
async fn about(
    ledger: &Ledger,
    people: BTreeSet<String>,
    checkpoint: &Checkpoint,
) -> Result<RosterEvidence> {
    let (mut enrolments, mut invitations, mut revocations) =
        (BTreeSet::new(), BTreeSet::new(), BTreeSet::new());
    let (mut waiting, mut done): (Vec<String>, BTreeSet<String>) = (
        people.into_iter().filter(|p| p != "system").collect(),
        BTreeSet::new(),
    );
    while let Some(person) = waiting.pop() {
        if !done.insert(person.clone()) {
            continue;
        }
        let rows = sqlx::query("SELECT e.seq, e.event, e.actor FROM ledger_links l JOIN ledger_entries e ON e.seq = l.seq WHERE l.subject = $1")
            .bind(person)
            .fetch_all(&ledger.db().pool)
            .await?;
        for row in rows {
            let place = seq(row.try_get(0)?)?;
            let event = row.try_get::<String, _>(1)?;
            if event.starts_with("person.") || event.starts_with("authenticator.") {
                waiting.extend(Some(row.try_get::<String, _>(2)?).filter(|a| a != "system"));
            }
            match event.as_str() {
                "authenticator.enrolled" => enrolments.insert(place),
                "person.invited" | "person.roles" => invitations.insert(place),
                "authenticator.revoked"
                | "authenticator.suspended"
                | "authenticator.restored"
                | "authenticator.distrusted" => revocations.insert(place),
                _ => false,
            };
        }
    }
    Ok(RosterEvidence {
        rosters: Vec::new(),
        enrolments: all_proved(ledger, enrolments, checkpoint).await?,
        invitations: all_proved(ledger, invitations, checkpoint).await?,
        revocations: all_proved(ledger, revocations, checkpoint).await?,
    })
}

/// People and their keys, replayed from signed entries.
async fn people_of(
    ledger: &Ledger,
    users: BTreeSet<String>,
    trust: &Trust,
    checkpoint: &Checkpoint,
) -> Result<People> {
    let about = about(ledger, users, checkpoint).await?;
    let all = about.enrolments.iter().chain(&about.invitations);
    let mut all: Vec<&Proved> = all.chain(&about.revocations).collect();
    all.sort_by_key(|proved| proved.seq);
    let mut people = People::new();
    for proved in all {
        let entry = trust.entry(proved).map_err(|e| unproved(&e.to_string()))?;
        people
            .apply(trust, &entry)
            .map_err(|e| unproved(&format!("entry {} is false: {e}", proved.seq)))?;
    }
    Ok(people)
}

fn named_in(roster_set: &[u8]) -> Vec<String> {
    let entry: serde_json::Value = serde_json::from_slice(roster_set).unwrap_or_default();
    let approvers = entry
        .pointer("/data/new/approvers")
        .and_then(|a| a.as_array())
        .cloned()
        .unwrap_or_default();
    approvers
        .iter()
        .filter_map(|a| a.get("user").and_then(|u| u.as_str()).map(str::to_owned))
        .collect()
}
