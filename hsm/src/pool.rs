//! A token: threads that own its sessions, a bounded queue before them, and what callers see.

use std::collections::VecDeque;
use std::path::PathBuf;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, OnceLock, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant, SystemTime};

use futures_channel::oneshot;

use crate::call::Call;
use crate::error::{HsmError, OpenError};
use crate::module::Module;
use crate::seat::{Login, Seat};
use crate::secret::PinSource;
use crate::spec::{Health, Select, State, TokenSpec};
use crate::supervisor;

pub(crate) enum Phase {
    /// By hand: with a PIN that may be another, so that nothing of the old login is good enough.
    Reopening {
        by_hand: bool,
    },
    Ready,
    Down {
        retry: Instant,
    },
    WrongPin,
}

/// The first pause of the breaker, doubled at each failure.
const FIRST_PAUSE: Duration = Duration::from_millis(100);
/// The longest.
const LONGEST_PAUSE: Duration = Duration::from_secs(30);

impl Phase {
    /// Down, after so many failures before this one.
    pub(crate) fn pause(failures: u32) -> Self {
        let pause = FIRST_PAUSE.saturating_mul(1 << failures.min(16));
        Self::Down {
            retry: Instant::now() + pause.min(LONGEST_PAUSE),
        }
    }
}

pub(crate) struct Inner {
    pub(crate) phase: Phase,
    since: SystemTime,
    moved: Instant,
    pub(crate) last_error: Option<String>,
    pub(crate) pin: Arc<PinSource>,
    pub(crate) login: Option<Arc<Login>>,
    /// The first opening has come to an end, good or bad.
    pub(crate) opened: bool,
    queue: VecDeque<Job>,
    /// When each thread's call began.
    running: Vec<Option<Instant>>,
    /// Worker threads alive.
    pub(crate) workers: usize,
    supervised: bool,
    pub(crate) closing: bool,
}

impl Inner {
    pub(crate) fn enter(&mut self, phase: Phase) {
        self.phase = phase;
        self.since = SystemTime::now();
        self.moved = Instant::now();
    }

    /// Drops the waiting calls: their callers learn at once that the token is down.
    pub(crate) fn clear_queue(&mut self) {
        self.queue.clear();
    }

    pub(crate) fn why(&self) -> String {
        self.last_error
            .clone()
            .unwrap_or_else(|| "it is not open".to_owned())
    }
}

pub(crate) struct Job {
    pub(crate) expires: Instant,
    pub(crate) run: Box<Run>,
}

/// A call: where it sits, and until when.
pub(crate) type Run = dyn FnOnce(&mut Seat, Instant) + Send;

/// What callers, workers and the supervisor share.
pub(crate) struct Shared {
    pub(crate) module: OnceLock<Arc<Module>>,
    pub(crate) path: PathBuf,
    pub(crate) select: Select,
    pub(crate) deadline: Duration,
    bound: usize,
    inner: Mutex<Inner>,
    threads: Mutex<Vec<JoinHandle<()>>>,
    /// A call waits.
    work: Condvar,
    /// The phase, the login or `closing` changed.
    pub(crate) changed: Condvar,
}

impl Shared {
    pub(crate) fn start(spec: TokenSpec) -> Result<Arc<Self>, OpenError> {
        if spec.sessions == 0 || spec.queue == 0 || spec.deadline.is_zero() {
            return Err(OpenError::Spec(
                "a token needs a session, a queue and a deadline",
            ));
        }
        let shared = Arc::new(Self {
            module: OnceLock::new(),
            path: spec.module,
            select: spec.token,
            deadline: spec.deadline,
            bound: spec.queue,
            inner: Mutex::new(Inner {
                phase: Phase::Reopening { by_hand: false },
                since: SystemTime::now(),
                moved: Instant::now(),
                last_error: None,
                pin: Arc::new(spec.pin),
                login: None,
                opened: false,
                queue: VecDeque::new(),
                running: vec![None; spec.sessions],
                workers: 0,
                supervised: false,
                closing: false,
            }),
            threads: Mutex::new(Vec::new()),
            work: Condvar::new(),
            changed: Condvar::new(),
        });
        let started = shared.spawn(spec.sessions);
        if started.is_err() {
            shared.close();
        }
        started?;
        let mut inner = shared.lock();
        let until = Instant::now() + shared.deadline;
        while !inner.opened {
            match shared.wait(inner, until) {
                (guard, true) => inner = guard,
                (mut guard, false) => {
                    // Still in the module's hands; the supervisor goes on when it comes back.
                    guard
                        .last_error
                        .get_or_insert_with(|| "opening it has not come back in time".to_owned());
                    inner = guard;
                    break;
                }
            }
        }
        drop(inner);
        Ok(shared)
    }

    fn spawn(self: &Arc<Self>, sessions: usize) -> Result<(), OpenError> {
        let trouble = |e: std::io::Error| OpenError::Threads(e.to_string());
        let shared = self.clone();
        self.lock().supervised = true;
        let supervised = thread::Builder::new()
            .name("hsm-supervisor".to_owned())
            .spawn(move || {
                supervisor::run(&shared);
                shared.lock().supervised = false;
                shared.changed.notify_all();
            });
        match supervised {
            Ok(thread) => self.threads().push(thread),
            Err(e) => {
                self.lock().supervised = false;
                return Err(trouble(e));
            }
        }
        for place in 0..sessions {
            let shared = self.clone();
            self.lock().workers += 1;
            let worker = thread::Builder::new()
                .name(format!("hsm-session-{place}"))
                .spawn(move || {
                    let leaving = Leaving(&shared);
                    Seat::new(&shared, place).work();
                    drop(leaving);
                });
            match worker {
                Ok(thread) => self.threads().push(thread),
                Err(e) => {
                    self.lock().workers -= 1;
                    return Err(trouble(e));
                }
            }
        }
        Ok(())
    }

    /// Ends the threads. Waits for them as long as a call may take; one that hangs in the module is left behind.
    pub(crate) fn close(&self) {
        let mut inner = self.lock();
        inner.closing = true;
        inner.clear_queue();
        self.work.notify_all();
        self.changed.notify_all();
        let until = Instant::now() + self.deadline;
        while inner.workers > 0 || inner.supervised {
            match self.wait(inner, until) {
                (guard, true) => inner = guard,
                (_, false) => return,
            }
        }
        drop(inner);
        // They have left the module, and may still be at what its libraries clean up for each thread: the process must not
        // run their exit handlers beside that.
        for thread in std::mem::take(&mut *self.threads()) {
            if thread.thread().id() != thread::current().id() {
                let _ = thread.join();
            }
        }
    }

    fn threads(&self) -> MutexGuard<'_, Vec<JoinHandle<()>>> {
        self.threads.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Runs `op` in a thread with a session, and waits for it.
    pub(crate) fn call<T: Send + 'static>(
        &self,
        mut op: impl FnMut(&mut Seat, Instant) -> Result<T, HsmError> + Send + 'static,
    ) -> Result<T, HsmError> {
        let (answer, answered) = mpsc::sync_channel(1);
        let expires = self.enqueue(move |seat, expires| {
            // If the caller has gone, the answer is dropped, and wiped if it is a secret.
            let _ = answer.send(op(seat, expires));
        })?;
        match answered.recv_timeout(self.deadline) {
            Ok(answer) => answer,
            Err(RecvTimeoutError::Timeout) => Err(HsmError::Deadline),
            Err(RecvTimeoutError::Disconnected) => Err(self.given_up(expires)),
        }
    }

    /// As [`Shared::call`], for who waits without a thread.
    pub(crate) fn begin<T: Send + 'static>(
        self: &Arc<Self>,
        mut op: impl FnMut(&mut Seat, Instant) -> Result<T, HsmError> + Send + 'static,
    ) -> Result<Call<T>, HsmError> {
        let (answer, answered) = oneshot::channel();
        let expires = self.enqueue(move |seat, expires| {
            let _ = answer.send(op(seat, expires));
        })?;
        Ok(Call::new(self.clone(), expires, answered))
    }

    /// Puts a call before the threads; gives when it expires.
    fn enqueue(
        &self,
        run: impl FnOnce(&mut Seat, Instant) + Send + 'static,
    ) -> Result<Instant, HsmError> {
        let expires = Instant::now() + self.deadline;
        {
            let mut inner = self.lock();
            match self.standing(&inner) {
                (State::Ready | State::Reopening, _) => {}
                (State::WrongPin, _) => return Err(HsmError::WrongPin),
                (State::Down, why) => return Err(HsmError::Down { why }),
            }
            if inner.queue.len() >= self.bound {
                // Those whose callers have gone take no place.
                let now = Instant::now();
                inner.queue.retain(|job| job.expires > now);
            }
            if inner.queue.len() >= self.bound {
                return Err(HsmError::Busy);
            }
            let run = Box::new(run);
            inner.queue.push_back(Job { expires, run });
        }
        self.work.notify_one();
        Ok(expires)
    }

    /// Why a call was dropped before it was made.
    pub(crate) fn given_up(&self, expires: Instant) -> HsmError {
        let inner = self.lock();
        match inner.phase {
            Phase::WrongPin => HsmError::WrongPin,
            _ if Instant::now() >= expires => HsmError::Deadline,
            _ => HsmError::Down { why: inner.why() },
        }
    }

    /// The next call for the worker at `place`, which has ended its last one.
    pub(crate) fn next_job(&self, place: usize) -> Option<Job> {
        let mut inner = self.lock();
        if let Some(began) = inner.running.get_mut(place) {
            *began = None;
        }
        loop {
            if inner.closing {
                return None;
            }
            let now = Instant::now();
            match inner.queue.pop_front() {
                // Its caller has gone.
                Some(job) if job.expires <= now => {}
                Some(job) => {
                    if let Some(began) = inner.running.get_mut(place) {
                        *began = Some(now);
                    }
                    return Some(job);
                }
                None => {
                    inner = self
                        .work
                        .wait(inner)
                        .unwrap_or_else(PoisonError::into_inner)
                }
            }
        }
    }

    /// How the token stands, a hung module included: that shows in what does not come back.
    fn standing(&self, inner: &Inner) -> (State, String) {
        let late = self.deadline * 2;
        let hung = inner
            .running
            .iter()
            .all(|began| began.is_some_and(|at| at.elapsed() > late));
        if inner.closing {
            return (State::Down, "it was closed".to_owned());
        }
        if inner.workers == 0 {
            return (State::Down, "its threads are gone".to_owned());
        }
        match inner.phase {
            Phase::WrongPin => (State::WrongPin, String::new()),
            Phase::Down { .. } => (State::Down, inner.why()),
            _ if hung => (
                State::Down,
                "no call has come back for a long time".to_owned(),
            ),
            Phase::Reopening { .. } if inner.moved.elapsed() > late => (
                State::Down,
                "reopening it has not come back for a long time".to_owned(),
            ),
            Phase::Reopening { .. } => (State::Reopening, String::new()),
            Phase::Ready => (State::Ready, String::new()),
        }
    }

    pub(crate) fn health(&self) -> Health {
        let inner = self.lock();
        let (state, why) = self.standing(&inner);
        let now = Instant::now();
        Health {
            state,
            since: inner.since,
            last_error: if why.is_empty() {
                inner.last_error.clone()
            } else {
                Some(why)
            },
            queue: inner.queue.iter().filter(|job| job.expires > now).count(),
            running: inner.running.iter().flatten().count(),
        }
    }

    /// The keys as last read, also while the token is down.
    pub(crate) fn login(&self) -> Option<Arc<Login>> {
        self.lock().login.clone()
    }

    pub(crate) fn reopen(&self, pin: PinSource) {
        let mut inner = self.lock();
        inner.pin = Arc::new(pin);
        inner.enter(Phase::Reopening { by_hand: true });
        inner.opened = false;
        self.changed.notify_all();
        let until = Instant::now() + self.deadline;
        while !inner.opened && !inner.closing {
            match self.wait(inner, until) {
                (guard, true) => inner = guard,
                (_, false) => return,
            }
        }
    }

    /// An opening failed: calls do too, at once, until it is tried again.
    pub(crate) fn down(&self, why: String, phase: Phase) {
        let mut inner = self.lock();
        inner.last_error = Some(why);
        inner.opened = true;
        match (&inner.phase, &phase) {
            // Still down: since when it is does not change.
            (Phase::Down { .. }, Phase::Down { .. }) => inner.phase = phase,
            _ => inner.enter(phase),
        }
        inner.clear_queue();
        self.changed.notify_all();
    }

    /// A worker or the supervisor saw the login fail. Whoever is first starts the reopening.
    pub(crate) fn suspect(&self, login: &Login, why: String) {
        let mut inner = self.lock();
        let current = inner
            .login
            .as_ref()
            .is_some_and(|l| l.number == login.number);
        if current && matches!(inner.phase, Phase::Ready) {
            inner.last_error = Some(why);
            inner.enter(Phase::Reopening { by_hand: false });
            self.changed.notify_all();
        }
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits for a change until `until`; false if it is past.
    pub(crate) fn wait<'a>(
        &self,
        inner: MutexGuard<'a, Inner>,
        until: Instant,
    ) -> (MutexGuard<'a, Inner>, bool) {
        let left = until.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return (inner, false);
        }
        (
            self.changed
                .wait_timeout(inner, left)
                .unwrap_or_else(PoisonError::into_inner)
                .0,
            true,
        )
    }
}

/// Counts a worker out, also when it panics.
struct Leaving<'a>(&'a Shared);

impl Drop for Leaving<'_> {
    fn drop(&mut self) {
        self.0.lock().workers -= 1;
        self.0.changed.notify_all();
    }
}
