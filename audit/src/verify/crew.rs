//! Threads that read entries and check signatures while one thread judges in order.
//!
//! Two kinds of jobs stand in one queue: a piece of the file to read (hash, parse, check what needs no state), and a batch of signatures. The judging
//! thread takes jobs too whenever it would have to wait, so that one thread alone does all of it, and two are both busy whatever the mix.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED, UnparsedPublicKey};

use super::event::{Entry, Founding, Reader};
use super::state::Signature;

/// Signatures in one job.
pub(super) const BATCH: usize = 32;
/// Batches that may wait: what comes on top of it, the judge checks before it goes on.
const WAITING: usize = 32;

enum Job {
    Read { place: u64, lines: Vec<u8> },
    Verify(Vec<Signature>),
}

/// A piece of the file, read; and its memory, to be used again.
pub(super) struct Batch {
    pub(super) entries: Vec<Entry>,
    pub(super) memory: Vec<u8>,
}

#[derive(Default)]
struct Queue {
    jobs: VecDeque<Job>,
    done: BTreeMap<u64, Batch>,
    /// Batches of signatures that are not checked to their end.
    verifying: usize,
    verified: u64,
    /// The first entry with a bad signature.
    bad: Option<u64>,
    closed: bool,
    /// A thread died, which only a fault in this program can do.
    broken: bool,
}

/// The queue that the threads share.
pub(super) struct Crew {
    queue: Mutex<Queue>,
    change: Condvar,
    founding: Option<Arc<Founding>>,
}

/// A thread of the verifier has died; nothing can be said about the export.
pub(super) struct Broken;

impl Crew {
    /// `founding` is absent when entry 0 is unknown: then entries are only hashed, and what is read of them is of no account.
    pub(super) fn new(founding: Option<Arc<Founding>>) -> Crew {
        Crew {
            queue: Mutex::default(),
            change: Condvar::new(),
            founding,
        }
    }

    fn lock(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What a helping thread does, until [`Crew::close`].
    pub(super) fn work(&self) {
        let _guard = Guard(self);
        let mut reader = Reader::default();
        let mut queue = self.lock();
        loop {
            if let Some(job) = queue.jobs.pop_front() {
                drop(queue);
                self.run(job, &mut reader);
                queue = self.lock();
            } else if queue.closed {
                return;
            } else {
                queue = self
                    .change
                    .wait(queue)
                    .unwrap_or_else(PoisonError::into_inner);
            }
        }
    }

    fn run(&self, job: Job, reader: &mut Reader) {
        match job {
            Job::Read { place, lines } => {
                let mut entries = Vec::with_capacity(lines.len() / 256);
                let whole = lines.strip_suffix(b"\n").unwrap_or(&lines);
                let mut start = 0;
                for end in memchr::memchr_iter(b'\n', whole).chain([whole.len()]) {
                    let line = whole.get(start..end).unwrap_or_default();
                    entries.push(reader.entry(line, self.founding.as_deref()));
                    start = end + 1;
                }
                let batch = Batch {
                    entries,
                    memory: lines,
                };
                self.lock().done.insert(place, batch);
            }
            Job::Verify(signatures) => {
                // In the order of their seqs, so the first bad one of a batch is its lowest.
                let bad = signatures.iter().find(|s| !verifies(s)).map(|s| s.seq);
                let count = u64::try_from(signatures.len()).unwrap_or(u64::MAX);
                let mut queue = self.lock();
                queue.verifying = queue.verifying.saturating_sub(1);
                queue.verified = queue.verified.saturating_add(count);
                queue.bad = match (queue.bad, bad) {
                    (Some(a), Some(b)) => Some(a.min(b)),
                    (a, b) => a.or(b),
                };
            }
        }
        self.change.notify_all();
    }

    /// Hands over whole lines, to be read as piece `place`.
    pub(super) fn read(&self, place: u64, lines: Vec<u8>) {
        // Before signatures: the judge waits for pieces, and for nothing else.
        let mut queue = self.lock();
        let before = queue
            .jobs
            .iter()
            .take_while(|job| matches!(job, Job::Read { .. }))
            .count();
        queue.jobs.insert(before, Job::Read { place, lines });
        drop(queue);
        self.change.notify_all();
    }

    /// Piece `place`, read. Helps while it isn't there.
    pub(super) fn take(&self, place: u64, reader: &mut Reader) -> Result<Batch, Broken> {
        let mut queue = self.lock();
        loop {
            if queue.broken {
                return Err(Broken);
            }
            if let Some(batch) = queue.done.remove(&place) {
                return Ok(batch);
            }
            queue = self.help(queue, reader);
        }
    }

    fn help<'a>(
        &'a self,
        mut queue: MutexGuard<'a, Queue>,
        reader: &mut Reader,
    ) -> MutexGuard<'a, Queue> {
        if let Some(job) = queue.jobs.pop_front() {
            drop(queue);
            self.run(job, reader);
            self.lock()
        } else {
            self.change
                .wait(queue)
                .unwrap_or_else(PoisonError::into_inner)
        }
    }

    /// Hands over signatures. Helps when too many wait. Gives the first bad one that is known.
    pub(super) fn verify(
        &self,
        signatures: Vec<Signature>,
        reader: &mut Reader,
    ) -> Result<Option<u64>, Broken> {
        let mut queue = self.lock();
        queue.verifying += 1;
        queue.jobs.push_back(Job::Verify(signatures));
        self.change.notify_all();
        while queue.verifying > WAITING {
            if queue.broken {
                return Err(Broken);
            }
            queue = self.help(queue, reader);
        }
        Ok(queue.bad)
    }

    /// Waits until all signatures are checked: how many there were, and the first bad one.
    pub(super) fn settle(&self, reader: &mut Reader) -> Result<(u64, Option<u64>), Broken> {
        let mut queue = self.lock();
        queue.jobs.retain(|job| matches!(job, Job::Verify(_)));
        while queue.verifying > 0 {
            if queue.broken {
                return Err(Broken);
            }
            queue = self.help(queue, reader);
        }
        Ok((queue.verified, queue.bad))
    }

    /// Sends the threads home.
    pub(super) fn close(&self) {
        self.lock().closed = true;
        self.change.notify_all();
    }
}

fn verifies(signature: &Signature) -> bool {
    UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, signature.key)
        .verify_digest(&signature.message, &signature.signature)
        .is_ok()
}

/// Tells the others when its thread dies.
struct Guard<'a>(&'a Crew);

impl Drop for Guard<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.0.lock().broken = true;
            self.0.change.notify_all();
        }
    }
}
