//! The ledger: the only way to commit.
//!
//! `write` runs a job inside the one writer's transaction; the job decides, changes its rows and
//! records its entry, and all of it lands together or not at all (promise P4). What a caller gets
//! back is a [`Receipt`], which only this module can make and which is not `Clone`: an act that
//! needs one (unwrapping `h`) consumes it.
//!
//! `aside` is the named exception for state that is no evidence: sessions, challenges, counters,
//! pending envelopes. Nothing that grants power goes through it.

pub mod anchor;
pub mod checkpoints;
pub mod proofs;
pub mod site;
pub mod view;
pub mod web;
mod writer;

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use audit::checkpoint::VerifierKey;
use futures::future::BoxFuture;
use quorum::Hash;
use quorum::entry::{Entry, EntryError, Event};
use quorum::ids::RequestId;
use quorum::statement::ReleasePurpose;
use sqlx::Row;
use tokio::sync::{mpsc, oneshot, watch};

use crate::clock::Clock;
pub(crate) use crate::convert::audit_hash;
use crate::db::{Db, Engine};
use crate::error::{Error, Result, Words};
use crate::script::{Facts, Script};

pub use anchor::Anchor;
pub use checkpoints::Checkpoint;
pub(crate) use proofs::{AskedTree, Tree};
pub use writer::{Recorded, Tx};

/// Proof that an entry is durable. Made by the writer alone; spent by whoever acts on it.
#[derive(Debug)]
pub struct Receipt {
    seq: u64,
    leaf: Hash,
    time: i64,
}

impl Receipt {
    /// The entry's place, from 0.
    pub fn seq(&self) -> u64 {
        self.seq
    }

    /// The entry's leaf hash.
    pub fn leaf(&self) -> Hash {
        self.leaf
    }

    /// The entry's time, microseconds since 1970 UTC.
    pub fn time(&self) -> i64 {
        self.time
    }
}

/// What the founding entry says, read once.
#[derive(Clone, Debug)]
pub struct Founding {
    /// The ledger's name: the leaf of entry 0.
    pub ledger: Hash,
    /// The checkpoint origin.
    pub name: String,
    /// The WebAuthn relying party id.
    pub rp_id: String,
    /// Origins that assertions may come from.
    pub origins: Vec<String>,
    /// Checkpoint keys in force, C2SP verifier keys.
    pub keys: Vec<String>,
    /// Checkpoint keys that are or were in force.
    pub every_key: Vec<VerifierKey>,
    /// The entry's bytes.
    pub entry: Vec<u8>,
}

/// The ledger of this node. Cheap to clone.
#[derive(Clone)]
pub struct Ledger {
    inner: Arc<Inner>,
}

struct Inner {
    db: Db,
    clock: Clock,
    jobs: mpsc::Sender<Box<dyn writer::Job>>,
    size: watch::Receiver<u64>,
    changes: Arc<AtomicU64>,
    notes: writer::Notes,
    grown: Arc<Mutex<proofs::Grown>>,
    first: Mutex<proofs::First>,
    founding: std::sync::OnceLock<Founding>,
    signer: checkpoints::Signer,
    skipped: crate::touch::Skipped,
    /// True while the clock waits to be accepted.
    clock_stopped: watch::Sender<bool>,
}

impl Ledger {
    /// Opens the ledger of `db`. Signs nothing and checks nothing yet: `start` does.
    pub async fn open(
        db: Db,
        clock: Clock,
        keys: crate::keys::Keys,
        anchor: Anchor,
        batch: usize,
    ) -> Result<Ledger> {
        let conn = db.writer().await?;
        let (size, last) = head(&db).await?;
        if last > 0 {
            clock.not_before(last);
        }
        let (jobs, queue) = mpsc::channel(4096);
        let (grown, size) = watch::channel(size);
        let (changes, notes) = (Arc::new(AtomicU64::new(0)), writer::Notes::default());
        let newest = Arc::new(Mutex::new(proofs::Grown::default()));
        let told = writer::Told {
            grown,
            changes: changes.clone(),
            notes: notes.clone(),
            newest: newest.clone(),
        };
        let writer = writer::Writer::new(conn, db.clone(), clock.clone(), told, batch);
        tokio::spawn(writer::take_jobs(writer, queue));
        let ledger = Ledger {
            inner: Arc::new(Inner {
                db,
                clock,
                jobs,
                size,
                changes,
                notes,
                grown: newest,
                first: Mutex::default(),
                founding: std::sync::OnceLock::new(),
                signer: checkpoints::Signer::new(keys, anchor),
                skipped: Default::default(),
                clock_stopped: watch::Sender::new(false),
            }),
        };
        ledger.load_founding().await?;
        Ok(ledger)
    }

    /// Reads entry 0, if there is one, and keeps what it says.
    pub async fn load_founding(&self) -> Result<()> {
        if self.inner.founding.get().is_some() {
            return Ok(());
        }
        let Some(row) = sqlx::query("SELECT bytes, leaf FROM ledger_entries WHERE seq = 0")
            .fetch_optional(&self.inner.db.pool)
            .await?
        else {
            return Ok(());
        };
        let entry: Vec<u8> = row.try_get(0)?;
        let leaf: Vec<u8> = row.try_get(1)?;
        let mut founding = Founding::read(&entry, hash(&leaf)?)?;
        // Found by their link: a search by event would read the whole ledger at every start.
        let changes = sqlx::query(
            "SELECT e.bytes FROM ledger_links l JOIN ledger_entries e ON e.seq = l.seq WHERE l.subject = 'checkpoint_keys' ORDER BY l.seq",
        );
        let mut every = verifier_keys(&founding.keys)?;
        for row in changes.fetch_all(&self.inner.db.pool).await? {
            founding.keys = strings(data(&row)?.pointer("/data/checkpoint_keys"));
            every.extend(verifier_keys(&founding.keys)?);
        }
        founding.every_key = every;
        let keys = verifier_keys(&founding.keys)?;
        self.inner.signer.know(keys, self.custody_keys().await?);
        let _ = self.inner.founding.set(founding);
        Ok(())
    }

    /// The key-encryption keys, oldest first. They are entered at the founding, after the first invitation; nothing rolls one yet.
    async fn custody_keys(&self) -> Result<Vec<quorum::ids::KeyId>> {
        let rolled = sqlx::query(
            "SELECT bytes FROM ledger_entries WHERE seq >= 2 AND seq < 34 AND event = 'kek.rolled' ORDER BY seq",
        );
        let mut keys = Vec::new();
        for row in rolled.fetch_all(&self.inner.db.pool).await? {
            let entry = data(&row)?;
            let key = entry.pointer("/data/key").and_then(|v| v.as_str());
            keys.push(crate::people::store::id(key.unwrap_or_default())?);
        }
        Ok(keys)
    }

    /// What the founding says.
    pub fn founding(&self) -> Result<&Founding> {
        self.inner.founding.get().ok_or_else(|| {
            Error::NotReady(Words::new(
                "There is no ledger yet.",
                "This Vitrine was not founded.",
                "Run `vitrine init --origin URL` on the server.",
            ))
        })
    }

    /// Entries that are durable now.
    pub fn size(&self) -> u64 {
        *self.inner.size.borrow()
    }

    /// A number that rises whenever sessions, keys or roles may have changed, before whoever changed them is told; none where
    /// other nodes change them too. What was read of them under a number holds as long as it is the same.
    pub(crate) fn changes(&self) -> Option<u64> {
        (self.inner.db.engine == Engine::Sqlite).then(|| self.inner.changes.load(Ordering::SeqCst))
    }

    /// A receiver that wakes at each new entry of this node.
    pub fn grown(&self) -> watch::Receiver<u64> {
        self.inner.size.clone()
    }

    /// The readers' side of the database.
    pub fn db(&self) -> &Db {
        &self.inner.db
    }

    /// Numbers that keys have lately skipped.
    pub(crate) fn skipped(&self) -> &crate::touch::Skipped {
        &self.inner.skipped
    }

    /// The clock that entries are stamped with.
    pub fn clock(&self) -> &Clock {
        &self.inner.clock
    }

    /// Runs `job` in the writer's transaction. The job's rows and its entries are durable when this returns.
    ///
    /// # Errors
    /// What the job refused with (nothing is kept then), or `NoEntry` when the commit failed.
    pub async fn write<T, F>(&self, job: F) -> Result<(T, Receipt)>
    where
        T: Send + 'static,
        F: for<'t> FnOnce(&'t mut Tx) -> BoxFuture<'t, Result<Recorded<T>>> + Send + 'static,
    {
        if self.clock_stopped() {
            return Err(clock_stopped());
        }
        self.write_any(job).await
    }

    /// As `write`, of a job that ends nobody's session, key or role: what is known of them stays known (`changes`).
    ///
    /// # Errors
    /// As `write`.
    pub async fn write_of_nobody<T, F>(&self, job: F) -> Result<(T, Receipt)>
    where
        T: Send + 'static,
        F: for<'t> FnOnce(&'t mut Tx) -> BoxFuture<'t, Result<Recorded<T>>> + Send + 'static,
    {
        if self.clock_stopped() {
            return Err(clock_stopped());
        }
        let (answer, wait) = oneshot::channel();
        self.send(writer::entry(job, false, answer)).await?;
        self.answered(wait).await
    }

    /// As `write`, of a job that reads, decides from that alone, and writes along with the commit: two trips to the database.
    /// It ends nobody's session, key or role either.
    ///
    /// # Errors
    /// As `write`.
    pub async fn write_on<T, F>(&self, reads: Script, job: F) -> Result<(T, Receipt)>
    where
        T: Send + 'static,
        F: FnOnce(&mut Tx, Facts) -> Result<Recorded<T>> + Send + 'static,
    {
        if self.clock_stopped() {
            return Err(clock_stopped());
        }
        let (answer, wait) = oneshot::channel();
        self.send(Box::new(writer::OnFacts {
            reads,
            facts: None,
            job,
            answer,
        }))
        .await?;
        self.answered(wait).await
    }

    /// Statements for this database, none yet.
    pub fn script(&self) -> Script {
        Script::new(self.inner.db.engine)
    }

    /// Enters an event that changes no row. Cheaper than `write`, for what comes often.
    pub async fn append(
        &self,
        actor: audit::Actor,
        event: audit::Event,
        links: Vec<String>,
    ) -> Result<Receipt> {
        if self.clock_stopped() {
            return Err(clock_stopped());
        }
        let (answer, wait) = oneshot::channel();
        self.send(Box::new(writer::Alone {
            actor,
            event,
            links,
            answer,
        }))
        .await?;
        self.answered(wait).await.map(|((), receipt)| receipt)
    }

    async fn send(&self, job: Box<dyn writer::Job>) -> Result<()> {
        self.inner
            .jobs
            .send(job)
            .await
            .map_err(|_| Error::internal("the writer has stopped"))
    }

    /// What became of a job that records.
    async fn answered<T>(
        &self,
        wait: oneshot::Receiver<Result<(T, Receipt)>>,
    ) -> Result<(T, Receipt)> {
        let done = wait
            .await
            .map_err(|_| Error::NoEntry("the batch was given up before this job".into()))?;
        if let Err(Error::NotReady(_)) = &done {
            // Only the clock makes the writer say this: it stepped while we ran.
            self.inner.clock_stopped.send_replace(true);
        }
        done
    }

    /// As `write`, also while the clock waits to be accepted: for `clock.accepted` itself.
    pub(crate) async fn write_any<T, F>(&self, job: F) -> Result<(T, Receipt)>
    where
        T: Send + 'static,
        F: for<'t> FnOnce(&'t mut Tx) -> BoxFuture<'t, Result<Recorded<T>>> + Send + 'static,
    {
        let (answer, wait) = oneshot::channel();
        self.send(writer::entry(job, true, answer)).await?;
        self.answered(wait).await
    }

    /// Runs `job` in the writer's transaction with no entry: sessions, challenges, counters.
    pub async fn aside<T, F>(&self, job: F) -> Result<T>
    where
        T: Send + 'static,
        F: for<'t> FnOnce(&'t mut Tx) -> BoxFuture<'t, Result<T>> + Send + 'static,
    {
        let (answer, wait) = oneshot::channel();
        self.send(writer::aside(job, answer)).await?;
        wait.await
            .map_err(|_| Error::NoEntry("the batch was given up before this job".into()))?
    }

    /// Whether a signed statement with this nonce is in the ledger already.
    pub async fn nonce_used(&self, nonce: &[u8; 32]) -> Result<bool> {
        let row = sqlx::query("SELECT 1 FROM nonces WHERE nonce = $1")
            .bind(nonce.to_vec())
            .fetch_optional(&self.inner.db.pool)
            .await?;
        Ok(row.is_some())
    }

    /// Checks at start that the database takes writes: an empty transaction, which costs no sync.
    pub async fn check_writable(&self) -> Result<()> {
        self.aside(|_| Box::pin(async { Ok(()) })).await
    }

    /// Checks at start that the clock has not stepped by more than a day since the last entry.
    /// Returns whether a person must accept it.
    pub async fn check_clock(&self) -> Result<bool> {
        let last: i64 = match sqlx::query("SELECT time FROM ledger_head WHERE id = 1")
            .fetch_optional(&self.inner.db.pool)
            .await?
        {
            Some(row) => row.try_get(0)?,
            None => return Ok(false),
        };
        let stopped = last > 0 && (self.inner.clock.wall() - last).abs() > crate::clock::DAY;
        self.inner.clock_stopped.send_replace(stopped);
        Ok(stopped)
    }

    /// Whether writes wait for somebody to accept the clock.
    pub fn clock_stopped(&self) -> bool {
        *self.inner.clock_stopped.borrow()
    }

    /// Returns once the clock needs no accepting, at once where it needs none.
    pub async fn clock_goes(&self) {
        let mut stopped = self.inner.clock_stopped.subscribe();
        let _ = stopped.wait_for(|stopped| !stopped).await;
    }

    /// Called once `clock.accepted` is durable.
    pub(crate) fn clock_accepted(&self, _receipt: &Receipt) {
        self.inner.clock_stopped.send_replace(false);
    }

    /// A receipt again, after a crash, for the `release.opened` of `request` that is durable under a checkpoint which extends
    /// the anchor, as long as that opening lasts: `duration_s` after it, and not closed. What the ledger says decides, no row.
    /// There is no third way to get one (DESIGN.md 4).
    /// With the entry, and the approvals that it lists: whether they allow it is for the caller to count again.
    pub async fn receipt_of(
        &self,
        request: RequestId,
        asked: &ReleasePurpose,
    ) -> Result<(Receipt, Vec<u8>, Vec<u64>)> {
        let rows = sqlx::query(
            "SELECT e.seq, e.bytes FROM ledger_links l JOIN ledger_entries e ON e.seq = l.seq \
             WHERE l.subject = $1 ORDER BY e.seq",
        )
        .bind(request.to_string())
        .fetch_all(&self.inner.db.pool)
        .await?;
        let (mut opening, mut closed) = (None, false);
        for row in rows {
            let bytes: Vec<u8> = row.try_get(1)?;
            let entry = match Entry::parse(&bytes) {
                Ok(entry) => entry,
                Err(EntryError::Event(_)) => continue, // opens and closes nothing
                Err(_) => return Err(anchor::broken("an entry of an opening is damaged")),
            };
            match &entry.event {
                Event::ReleaseOpened(o) if o.request == request => {
                    let same = entry.actor == "system"
                        && o.credential == asked.credential
                        && o.version == asked.version
                        && o.envelope == asked.envelope
                        && i64::try_from(entry.seq).ok() == row.try_get(0).ok();
                    let approvals = o.approvals.clone();
                    opening = same.then_some((entry, bytes, approvals));
                }
                Event::ReleaseClosed(c) => closed |= c.request == request,
                _ => {}
            }
        }
        let (opening, bytes, approvals) = opening.ok_or_else(|| Error::missing("opening"))?;
        let ends = quorum::decision::after(opening.time, asked.duration_s);
        if closed || self.inner.clock.now() >= ends {
            return Err(Error::conflict(
                "Not opened.",
                "The time of this release is over.",
                "Ask again: everybody signs anew.",
            ));
        }
        let checkpoint = self.covering(opening.seq).await?;
        self.must_include(opening.seq, opening.leaf, &checkpoint)
            .await?;
        let receipt = Receipt {
            seq: opening.seq,
            leaf: opening.leaf,
            time: opening.time,
        };
        Ok((receipt, bytes, approvals))
    }

    /// Refuses unless `leaf` stands at `seq` under `checkpoint`.
    pub async fn must_include(&self, seq: u64, leaf: Hash, checkpoint: &Checkpoint) -> Result<()> {
        let proof = self.inclusion(seq, checkpoint.size).await?;
        audit::tree::verify_inclusion(
            &audit_hash(leaf),
            seq,
            checkpoint.size,
            &audit_hash(checkpoint.root),
            &proof,
        )
        .map_err(|_| anchor::broken("an entry that something rests on is not in the tree"))
    }
}

impl Founding {
    fn read(entry: &[u8], leaf: Hash) -> Result<Founding> {
        let value: serde_json::Value = serde_json::from_slice(entry).map_err(Error::internal)?;
        let text = |p: &str| {
            value
                .pointer(p)
                .and_then(|v| v.as_str())
                .map(str::to_owned)
                .unwrap_or_default()
        };
        Ok(Founding {
            ledger: leaf,
            name: text("/data/name"),
            rp_id: text("/data/rp_id"),
            origins: strings(value.pointer("/data/origins")),
            keys: strings(value.pointer("/data/checkpoint_keys")),
            every_key: Vec::new(),
            entry: entry.to_vec(),
        })
    }
}

fn strings(v: Option<&serde_json::Value>) -> Vec<String> {
    v.and_then(|v| v.as_array())
        .into_iter()
        .flatten()
        .filter_map(|v| v.as_str().map(str::to_owned))
        .collect()
}

/// The entry in a row of its bytes.
fn data(row: &sqlx::any::AnyRow) -> Result<serde_json::Value> {
    let bytes: Vec<u8> = row.try_get(0)?;
    serde_json::from_slice(&bytes).map_err(Error::internal)
}

fn verifier_keys(keys: &[String]) -> Result<Vec<VerifierKey>> {
    let keys = keys.iter().map(|k| k.parse().map_err(Error::internal));
    keys.collect()
}

/// Entries in the database, and the time of the last.
async fn head(db: &Db) -> Result<(u64, i64)> {
    let row = sqlx::query("SELECT size, time FROM ledger_head WHERE id = 1")
        .fetch_optional(&db.pool)
        .await?;
    match row {
        Some(row) => Ok((
            u64::try_from(row.try_get::<i64, _>(0)?).map_err(Error::internal)?,
            row.try_get(1)?,
        )),
        None => Ok((0, 0)),
    }
}

/// 32 bytes of a column as a hash.
pub(crate) fn hash(bytes: &[u8]) -> Result<Hash> {
    <[u8; 32]>::try_from(bytes)
        .map(Hash)
        .map_err(|_| Error::internal("a stored hash has not 32 bytes"))
}

pub(crate) fn clock_stopped() -> Error {
    Error::NotReady(Words::new(
        "Not done.",
        "This server's clock is more than a day away from the ledger's last entry, and nobody has accepted it.",
        "Sign in, compare the time shown with a clock you trust, and accept it with your key.",
    ))
}
