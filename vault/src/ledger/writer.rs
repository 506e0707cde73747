//! The one writer of this node: it takes waiting jobs together into one transaction, a savepoint each,
//! so that durable appends run at group-commit speed.
//!
//! If we crash before COMMIT returns, nothing happened. If we crash after it and before the callers
//! are told, the entries are there: every act behind a receipt can be asked for again.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use audit::chain::{AppendError, Appended, Chain, Head};
use audit::{Actor, Draft, Event};
use futures::future::BoxFuture;
use quorum::Hash;
use sqlx::any::AnyRow;
use sqlx::{AnyConnection, Row};
use tokio::sync::{mpsc, oneshot, watch};

use super::Receipt;
use super::proofs::Grown;
use crate::clock::Clock;
use crate::db::{Db, Engine};
use crate::error::{Error, Result};
use crate::script::{Facts, Script};

/// A trip to the database that takes longer than this is given up, its connection with it: longer than a lock is waited for
/// (db.rs). What was on its way may have landed all the same, as when an answer is lost; nobody is told that it has.
const TRIP: Duration = Duration::from_secs(8);

async fn timely<T>(trip: impl Future<Output = Result<T>>) -> Result<T> {
    let late = |_| Err(Error::NoEntry("the database gives no answer".into()));
    tokio::time::timeout(TRIP, trip).await.unwrap_or_else(late)
}

/// The writer's transaction, as a job sees it.
pub struct Tx {
    conn: AnyConnection,
    /// What the jobs so far have written last, and the database has not seen yet.
    writes: Script,
    chain: Chain,
    now: i64,
    appended: Vec<(Appended, &'static str, String)>,
    links: Vec<(String, u64)>,
    /// A savepoint stands.
    marked: bool,
    /// Rolled back: there is nothing to commit.
    over: bool,
    engine: Engine,
}

/// What a job that changes state must return: there is no other way to make one than to record an entry.
pub struct Recorded<T> {
    value: T,
    receipt: Receipt,
    writes: Option<Script>,
}

impl<T> Recorded<T> {
    /// Carries a value to the caller beside the receipt.
    pub fn with<U>(self, value: U) -> Recorded<U> {
        self.map(|_| value)
    }

    /// Carries what `make` makes of its value.
    pub fn map<U>(self, make: impl FnOnce(T) -> U) -> Recorded<U> {
        Recorded {
            value: make(self.value),
            receipt: self.receipt,
            writes: self.writes,
        }
    }

    /// Goes along with these writes, in the text that commits: one trip to the database for all. They are run after the job,
    /// so nobody counts on what they changed: whether they may happen was decided from what the job has read.
    pub fn writing(mut self, writes: Script) -> Recorded<T> {
        match &mut self.writes {
            Some(before) => before.append(writes),
            none => *none = Some(writes),
        }
        self
    }

    /// The entry's place.
    pub fn seq(&self) -> u64 {
        self.receipt.seq
    }

    /// The entry's time.
    pub fn time(&self) -> i64 {
        self.receipt.time
    }

    /// The entry's leaf hash.
    pub fn leaf(&self) -> Hash {
        self.receipt.leaf
    }
}

impl Tx {
    /// The connection inside the transaction.
    pub fn conn(&mut self) -> &mut AnyConnection {
        &mut self.conn
    }

    /// The time that the next entry will carry: never before the last one's.
    pub fn now(&self) -> i64 {
        self.now.max(self.chain.time())
    }

    /// The seq that the next entry will have.
    pub fn next_seq(&self) -> u64 {
        self.chain.size()
    }

    /// The leaf of the last entry, which the next names as `prev`.
    pub fn prev(&self) -> Hash {
        Hash(self.chain.prev().0)
    }

    /// The bytes of the entry that was recorded last; none before the first.
    pub fn newest(&self) -> &[u8] {
        self.appended.last().map_or(&[], |(entry, ..)| &entry.bytes)
    }

    /// Appends an entry. `links` are the ids it is about, for looking it up again.
    pub fn record(
        &mut self,
        actor: Actor,
        event: Event,
        links: &[&(dyn std::fmt::Display + Sync)],
    ) -> Result<Recorded<()>> {
        let draft = Draft { actor, event };
        let name = draft.event.name();
        let appended = self.chain.append(&draft, self.now).map_err(|e| match e {
            AppendError::Clock { .. } => super::clock_stopped(),
            e => Error::internal(format!("entry {name} refused: {e}")),
        })?;
        let actor = match actor {
            Actor::System => "system".to_owned(),
            Actor::Id(id) => id.to_string(),
        };
        let receipt = Receipt {
            seq: appended.seq,
            leaf: Hash(appended.leaf.0),
            time: appended.time,
        };
        let mut names: Vec<String> = links.iter().map(|l| l.to_string()).collect();
        names.sort();
        names.dedup();
        self.links
            .extend(names.into_iter().map(|l| (l, appended.seq)));
        self.appended.push((appended, name, actor));
        Ok(Recorded {
            value: (),
            receipt,
            writes: None,
        })
    }

    /// A nonce is used once in the whole ledger (FORMATS.md 3, "unique").
    pub async fn use_nonce(&mut self, nonce: &[u8; 32]) -> Result<()> {
        let done = sqlx::query("INSERT INTO nonces (nonce) VALUES ($1) ON CONFLICT DO NOTHING")
            .bind(nonce.to_vec())
            .execute(&mut self.conn)
            .await?;
        if done.rows_affected() == 0 {
            return Err(crate::touch::used_before());
        }
        Ok(())
    }
}

type Reply = Box<dyn FnOnce(std::result::Result<(), String>) + Send>;

/// One waiting write, its answer still owed.
pub(super) trait Job: Send {
    /// Runs inside the transaction. A refusal is answered here; a success is answered once the batch has landed.
    fn run<'t>(self: Box<Self>, tx: &'t mut Tx) -> BoxFuture<'t, Option<Reply>>;
    /// Answers that nothing was written.
    fn fail(self: Box<Self>, cause: String);
    /// Whether it may change rows of its own, so that a refusal has something to undo.
    fn touches_rows(&self) -> bool {
        true
    }
    /// Whether it may end a session or a key, or change a role.
    fn touches_people(&self) -> bool {
        self.touches_rows()
    }
    /// What it reads first; read along with the begin of a transaction that it has to itself.
    fn reads(&self) -> Option<&Script> {
        None
    }
    /// Gets what it reads first.
    fn given(&mut self, _: Facts) {}
}

struct Pending<F, T> {
    job: F,
    answer: oneshot::Sender<Result<T>>,
    people: bool,
}

impl<F, T> Job for Pending<F, T>
where
    T: Send + 'static,
    F: for<'t> FnOnce(&'t mut Tx) -> BoxFuture<'t, Result<T>> + Send + 'static,
{
    fn run<'t>(self: Box<Self>, tx: &'t mut Tx) -> BoxFuture<'t, Option<Reply>> {
        let Pending { job, answer, .. } = *self;
        run(job, answer, tx)
    }

    fn fail(self: Box<Self>, cause: String) {
        let _ = self.answer.send(Err(Error::NoEntry(cause)));
    }

    fn touches_people(&self) -> bool {
        self.people
    }
}

/// Runs a job; a refusal is answered at once.
fn run<'t, T: Send + 'static>(
    job: impl FnOnce(&'t mut Tx) -> BoxFuture<'t, Result<T>> + Send + 't,
    answer: oneshot::Sender<Result<T>>,
    tx: &'t mut Tx,
) -> BoxFuture<'t, Option<Reply>> {
    Box::pin(async move {
        match job(tx).await {
            Ok(value) => {
                let reply: Reply = Box::new(move |committed| {
                    let _ = answer.send(committed.map(|()| value).map_err(Error::NoEntry));
                });
                Some(reply)
            }
            Err(e) => {
                let _ = answer.send(Err(e));
                None
            }
        }
    })
}

/// A job that records; `people` where it may end a session or a key, or change a role.
pub(super) fn entry<T, F>(
    job: F,
    people: bool,
    answer: oneshot::Sender<Result<(T, Receipt)>>,
) -> Box<dyn Job>
where
    T: Send + 'static,
    F: for<'t> FnOnce(&'t mut Tx) -> BoxFuture<'t, Result<Recorded<T>>> + Send + 'static,
{
    let job = any_transaction(move |tx| {
        Box::pin(async move {
            let done = job(tx).await?;
            Ok(tx.take(done))
        })
    });
    Box::new(Pending {
        job,
        answer,
        people,
    })
}

/// A job that reads, decides from that alone, and writes: two trips to the database.
pub(super) struct OnFacts<F, T> {
    pub(super) reads: Script,
    pub(super) facts: Option<Facts>,
    pub(super) job: F,
    pub(super) answer: oneshot::Sender<Result<(T, Receipt)>>,
}

impl<F, T> Job for OnFacts<F, T>
where
    T: Send + 'static,
    F: FnOnce(&mut Tx, Facts) -> Result<Recorded<T>> + Send + 'static,
{
    fn run<'t>(self: Box<Self>, tx: &'t mut Tx) -> BoxFuture<'t, Option<Reply>> {
        let OnFacts {
            reads,
            facts,
            job,
            answer,
        } = *self;
        let job = move |tx: &'t mut Tx| -> BoxFuture<'t, Result<(T, Receipt)>> {
            Box::pin(async move {
                let facts = match facts {
                    Some(facts) => facts,
                    None => reads.fetch(tx.conn()).await?,
                };
                let done = job(tx, facts)?;
                Ok(tx.take(done))
            })
        };
        run(job, answer, tx)
    }

    fn fail(self: Box<Self>, cause: String) {
        let _ = self.answer.send(Err(Error::NoEntry(cause)));
    }

    fn touches_people(&self) -> bool {
        false
    }

    fn reads(&self) -> Option<&Script> {
        Some(&self.reads)
    }

    fn given(&mut self, facts: Facts) {
        self.facts = Some(facts);
    }
}

/// Says to the compiler that a closure takes a transaction of any lifetime.
fn any_transaction<T, F>(job: F) -> F
where
    F: for<'t> FnOnce(&'t mut Tx) -> BoxFuture<'t, Result<T>>,
{
    job
}

/// An entry and nothing else.
pub(super) struct Alone {
    pub(super) actor: Actor,
    pub(super) event: Event,
    pub(super) links: Vec<String>,
    pub(super) answer: oneshot::Sender<Result<((), Receipt)>>,
}

impl Job for Alone {
    fn run<'t>(self: Box<Self>, tx: &'t mut Tx) -> BoxFuture<'t, Option<Reply>> {
        let Alone {
            actor,
            event,
            links,
            answer,
        } = *self;
        let links: Vec<&(dyn std::fmt::Display + Sync)> = links.iter().map(|l| l as _).collect();
        let reply = match tx.record(actor, event, &links) {
            Ok(done) => {
                let reply: Reply = Box::new(move |committed| {
                    let _ = answer.send(
                        committed
                            .map(|()| ((), done.receipt))
                            .map_err(Error::NoEntry),
                    );
                });
                Some(reply)
            }
            Err(e) => {
                let _ = answer.send(Err(e));
                None
            }
        };
        Box::pin(std::future::ready(reply))
    }

    fn fail(self: Box<Self>, cause: String) {
        let _ = self.answer.send(Err(Error::NoEntry(cause)));
    }

    fn touches_rows(&self) -> bool {
        false
    }
}

/// A job without an entry.
pub(super) fn aside<T, F>(job: F, answer: oneshot::Sender<Result<T>>) -> Box<dyn Job>
where
    T: Send + 'static,
    F: for<'t> FnOnce(&'t mut Tx) -> BoxFuture<'t, Result<T>> + Send + 'static,
{
    Box::new(Pending {
        job,
        answer,
        people: true,
    })
}

/// Signed checkpoints that wait for a batch to go along with: size and note.
pub(super) type Notes = Arc<Mutex<Vec<(u64, String)>>>;

/// What the writer shares with the ledger's handles.
pub(super) struct Told {
    /// Entries that are durable.
    pub(super) grown: watch::Sender<u64>,
    /// Batches that may have ended somebody's session or key; counted before anybody is told.
    pub(super) changes: Arc<AtomicU64>,
    pub(super) notes: Notes,
    /// What was appended last.
    pub(super) newest: Arc<Mutex<Grown>>,
}

/// The writer's own state.
pub(super) struct Writer {
    conn: Option<AnyConnection>,
    db: Db,
    clock: Clock,
    told: Told,
    batch: usize,
}

impl Writer {
    pub(super) fn new(
        conn: AnyConnection,
        db: Db,
        clock: Clock,
        told: Told,
        batch: usize,
    ) -> Writer {
        Writer {
            conn: Some(conn),
            db,
            clock,
            told,
            batch: batch.max(1),
        }
    }
}

/// Takes jobs until every handle of the ledger is dropped.
pub(super) async fn take_jobs(mut writer: Writer, mut queue: mpsc::Receiver<Box<dyn Job>>) {
    let mut waiting = Vec::new();
    while queue.recv_many(&mut waiting, writer.batch).await > 0 {
        writer.commit_all(&mut waiting).await;
    }
}

impl Writer {
    /// One transaction over all `jobs`, and an answer to each.
    async fn commit_all(&mut self, jobs: &mut Vec<Box<dyn Job>>) {
        let mut replies = Vec::with_capacity(jobs.len());
        let outcome = self.transact(jobs, &mut replies).await;
        let told = match outcome {
            Ok(size) => {
                self.told
                    .grown
                    .send_if_modified(|s| std::mem::replace(s, size) != size);
                Ok(())
            }
            Err(e) => {
                let cause = e.cause().map_or_else(|| e.to_string(), str::to_owned);
                tracing::error!(%cause, "a batch was not committed");
                // It may have been, its answer lost: whatever was known of people is read again.
                self.told.changes.fetch_add(1, Ordering::SeqCst);
                Err(cause)
            }
        };
        for reply in replies {
            reply(told.clone());
        }
        if let Err(cause) = told {
            for job in jobs.drain(..) {
                job.fail(cause.clone());
            }
        }
    }

    async fn transact(
        &mut self,
        jobs: &mut Vec<Box<dyn Job>>,
        replies: &mut Vec<Reply>,
    ) -> Result<u64> {
        let several = jobs.len() > 1;
        let people = jobs.iter().any(|job| job.touches_people());
        let alone = jobs.first_mut().filter(|_| !several);
        let mut tx = timely(self.begin(alone)).await?;
        for job in jobs.drain(..) {
            replies.extend(timely(tx.attempt(job, several)).await?);
        }
        let notes = match self.told.notes.lock() {
            Ok(mut notes) => std::mem::take(&mut *notes),
            Err(_) => Vec::new(),
        };
        let size = timely(tx.finish(&notes)).await?;
        if let Ok(mut newest) = self.told.newest.lock() {
            newest.add(tx.appended.iter().map(|(entry, ..)| entry));
        }
        if people {
            self.told.changes.fetch_add(1, Ordering::SeqCst);
        }
        self.conn = Some(tx.conn);
        Ok(size)
    }

    /// A connection in a transaction that holds the head, and the head's row. One that was kept may be dead since the database
    /// was started again: nothing was asked of it yet, so another is taken.
    async fn locked(
        &mut self,
        reads: Option<Script>,
    ) -> Result<(AnyConnection, Option<AnyRow>, Facts)> {
        if let Some(mut kept) = self.conn.take() {
            match self.db.engine.begin(&mut kept, reads.clone()).await {
                Ok((head, facts)) => return Ok((kept, head, facts)),
                Err(sqlx::Error::Io(_)) => {}
                // PostgreSQL, appendix A, class 57: the server was shut down, or the session ended by its operator.
                Err(sqlx::Error::Database(e)) if e.code().is_some_and(|c| c.starts_with("57P")) => {
                }
                Err(e) => return Err(e.into()),
            }
        }
        let mut fresh = self.db.writer().await?;
        let (head, facts) = self.db.engine.begin(&mut fresh, reads).await?;
        Ok((fresh, head, facts))
    }

    /// Begins; a job that has the transaction to itself is given what it reads first.
    async fn begin(&mut self, alone: Option<&mut Box<dyn Job>>) -> Result<Tx> {
        self.db.same_file()?;
        let reads = alone.as_ref().and_then(|job| job.reads());
        let (conn, head, facts) = self.locked(reads.cloned()).await?;
        if let Some(job) = alone {
            job.given(facts);
        }
        let chain = match head {
            Some(row) => {
                let head = Head {
                    size: u64::try_from(row.try_get::<i64, _>(0)?).map_err(Error::internal)?,
                    prev: audit::Hash(super::hash(&row.try_get::<Vec<u8>, _>(1)?)?.0),
                    time: row.try_get(2)?,
                    frontier: row.try_get(3)?,
                };
                Chain::resume(head)
                    .map_err(|e| Error::internal(format!("the ledger's head is damaged: {e}")))?
            }
            None => Chain::new(),
        };
        Ok(Tx {
            conn,
            writes: Script::new(self.db.engine),
            chain,
            now: self.clock.now(),
            appended: Vec::new(),
            links: Vec::new(),
            marked: false,
            over: false,
            engine: self.db.engine,
        })
    }
}

impl Tx {
    /// Runs one job. A refusal leaves no trace.
    async fn attempt(&mut self, job: Box<dyn Job>, several: bool) -> Result<Option<Reply>> {
        let (before, entries, links) = (self.chain.clone(), self.appended.len(), self.links.len());
        let marked = several && job.touches_rows();
        if marked {
            self.mark().await?;
        }
        let reply = job.run(self).await;
        if reply.is_none() {
            self.chain = before;
            self.appended.truncate(entries);
            self.links.truncate(links);
            let undo = match (marked, several) {
                (true, _) => "ROLLBACK TO SAVEPOINT job",
                (false, true) => return Ok(None), // it touched no row
                (false, false) => {
                    self.over = true; // it was alone in its transaction
                    "ROLLBACK"
                }
            };
            sqlx::raw_sql(undo).execute(&mut self.conn).await?;
        }
        Ok(reply)
    }

    /// A savepoint before the next job's rows, in place of the last one's, which has written what it had to. COMMIT releases
    /// whatever stands.
    async fn mark(&mut self) -> Result<()> {
        let mut script = self.rest();
        if std::mem::replace(&mut self.marked, true) {
            script.add("RELEASE SAVEPOINT job", []);
        }
        script.add("SAVEPOINT job", []);
        script.run(&mut self.conn).await?;
        Ok(())
    }

    /// What is written and not sent.
    fn rest(&mut self) -> Script {
        let none = Script::new(self.engine);
        std::mem::replace(&mut self.writes, none)
    }

    /// What a job has recorded; its last writes go with the next text.
    fn take<T>(&mut self, done: Recorded<T>) -> (T, Receipt) {
        if let Some(writes) = done.writes {
            self.writes.append(writes);
        }
        (done.value, done.receipt)
    }

    /// Writes the batch's entries and the new head, and commits: one text, one trip to the database.
    async fn finish(&mut self, notes: &[(u64, String)]) -> Result<u64> {
        let size = self.chain.size();
        if self.over {
            return Ok(size);
        }
        let mut script = self.rest();
        if !self.appended.is_empty() {
            self.entries(&mut script);
            let head = self.chain.head();
            script.add(
                "INSERT INTO ledger_head (id, size, prev, time, frontier) VALUES (1, $1, $2, $3, $4) \
                 ON CONFLICT (id) DO UPDATE SET size = excluded.size, prev = excluded.prev, time = excluded.time, frontier = excluded.frontier",
                [
                    head.size.into(),
                    head.prev.0[..].into(),
                    head.time.into(),
                    head.frontier[..].into(),
                ],
            );
        }
        for (size, note) in notes {
            script.add(
                "INSERT INTO ledger_checkpoints (size, note) VALUES ($1, $2) ON CONFLICT DO NOTHING",
                [(*size).into(), note.as_str().into()],
            );
        }
        script.add("COMMIT", []);
        script.run(&mut self.conn).await?;
        Ok(size)
    }

    /// What the batch appended.
    fn entries(&self, script: &mut Script) {
        let entries = self.appended.iter().map(|(entry, event, actor)| {
            vec![
                entry.seq.into(),
                entry.time.into(),
                (*event).into(),
                actor.as_str().into(),
                entry.leaf.0[..].into(),
                entry.bytes[..].into(),
            ]
        });
        let into = "ledger_entries (seq, time, event, actor, leaf, bytes)";
        script.insert(into, entries);
        let nodes = self.appended.iter().flat_map(|(entry, ..)| &entry.nodes);
        let nodes = nodes.map(|n| {
            vec![
                i64::from(n.level).into(),
                n.index.into(),
                n.hash.0[..].into(),
            ]
        });
        script.insert("ledger_nodes (level, n, hash)", nodes);
        let links = self.links.iter();
        let links = links.map(|(subject, seq)| vec![subject.as_str().into(), (*seq).into()]);
        script.insert("ledger_links (subject, seq)", links);
    }
}
