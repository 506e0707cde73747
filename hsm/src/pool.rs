//! A token: threads that own its sessions, a bounded queue before them, and what callers see.

use std::collections::VecDeque;
use std::fmt;
use std::path::PathBuf;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, OnceLock, PoisonError};
use std::thread;
use std::time::{Duration, Instant, SystemTime};

use cryptoki::session::Session;
use cryptoki::slot::Slot;

use crate::error::{HsmError, OpenError};
use crate::keys::{Found, KeyFault, KeyId, Table};
use crate::module::{Module, Pass};
use crate::ops;
use crate::secret::Pin;
use crate::supervisor;

/// Which token of the module.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Select {
    /// By `CK_TOKEN_INFO.serialNumber`, without trailing blanks. The one to prefer: it is unique.
    Serial(String),
    /// By label, without trailing blanks. Two tokens with it are an error.
    Label(String),
    /// By slot id, for modules whose token information can't be read.
    Slot(u64),
}

impl fmt::Display for Select {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Serial(serial) => write!(f, "serial {serial}"),
            Self::Label(label) => write!(f, "label {label}"),
            Self::Slot(id) => write!(f, "slot {id}"),
        }
    }
}

/// What a [`crate::Token`] needs to know.
pub struct TokenSpec {
    /// The PKCS#11 module, a shared object.
    pub module: PathBuf,
    /// The token in it.
    pub token: Select,
    /// Its user PIN.
    pub pin: Pin,
    /// Threads, each with a session of its own: calls that run at once.
    pub sessions: usize,
    /// How long a call may take, from asking to answer.
    pub deadline: Duration,
    /// How many calls may wait; one more is [`HsmError::Busy`].
    pub queue: usize,
}

impl TokenSpec {
    /// Two sessions, five seconds, 256 waiting calls.
    pub fn new(module: PathBuf, token: Select, pin: Pin) -> Self {
        Self {
            module,
            token,
            pin,
            sessions: 2,
            deadline: Duration::from_secs(5),
            queue: 256,
        }
    }
}

/// How a token is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// It answers.
    Ready,
    /// Something was lost a moment ago and is being opened again; calls wait.
    Reopening,
    /// It does not answer; calls fail at once. It is tried again by itself, ever less often.
    Down,
    /// It refused the PIN. It is not tried again by itself.
    WrongPin,
}

/// A token's health, for pages and metrics.
#[derive(Debug, Clone)]
pub struct Health {
    /// How it is.
    pub state: State,
    /// Since when.
    pub since: SystemTime,
    /// What went wrong last, if anything did since it was opened.
    pub last_error: Option<String>,
    /// Calls that wait.
    pub queue: usize,
    /// Calls that run.
    pub running: usize,
}

/// One login, with what hangs on it. Handles and sessions of another login are dead.
pub(crate) struct Login {
    pub(crate) number: u64,
    /// The module's generation that it belongs to.
    pub(crate) generation: u64,
    pub(crate) slot: Slot,
    pub(crate) table: Mutex<Table>,
}

impl Login {
    pub(crate) fn table(&self) -> MutexGuard<'_, Table> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A session and the login it belongs to. Never closed by dropping: after an initialisation its number may be
/// another token's session.
pub(crate) struct Held {
    session: Session,
    login: u64,
    generation: u64,
}

impl Held {
    pub(crate) fn new(session: Session, login: u64, pass: &Pass<'_>) -> Self {
        Self {
            session,
            login,
            generation: pass.generation,
        }
    }

    pub(crate) fn session(&self, pass: &Pass<'_>) -> Option<&Session> {
        (self.generation == pass.generation).then_some(&self.session)
    }

    /// Closes the session if it can still be ours.
    pub(crate) fn close(self, pass: &Pass<'_>) {
        if self.generation == pass.generation {
            // Either it is closed now or it was dead before.
            let _ = self.session.close();
        }
    }
}

pub(crate) enum Phase {
    Reopening,
    Ready,
    Down { retry: Instant },
    WrongPin,
}

pub(crate) struct Inner {
    pub(crate) phase: Phase,
    since: SystemTime,
    moved: Instant,
    pub(crate) last_error: Option<String>,
    pub(crate) pin: Arc<Pin>,
    pub(crate) login: Option<Arc<Login>>,
    /// The module never came: the first opening's error.
    pub(crate) broken: Option<String>,
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

    fn why(&self) -> String {
        self.last_error
            .clone()
            .unwrap_or_else(|| "it is not open".to_owned())
    }
}

struct Job {
    expires: Instant,
    run: Box<Run>,
}

/// A call: where it sits, and until when.
type Run = dyn FnOnce(&mut Seat, Instant) + Send;

/// What callers, workers and the supervisor share.
pub(crate) struct Shared {
    pub(crate) module: OnceLock<Arc<Module>>,
    pub(crate) path: PathBuf,
    pub(crate) select: Select,
    pub(crate) deadline: Duration,
    bound: usize,
    inner: Mutex<Inner>,
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
                phase: Phase::Reopening,
                since: SystemTime::now(),
                moved: Instant::now(),
                last_error: None,
                pin: Arc::new(spec.pin),
                login: None,
                broken: None,
                opened: false,
                queue: VecDeque::new(),
                running: vec![None; spec.sessions],
                workers: 0,
                supervised: false,
                closing: false,
            }),
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
        let broken = inner.broken.take();
        drop(inner);
        match broken {
            Some(why) => Err(OpenError::Module {
                path: shared.path.clone(),
                why,
            }),
            None => Ok(shared),
        }
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
        if let Err(e) = supervised {
            self.lock().supervised = false;
            return Err(trouble(e));
        }
        for place in 0..sessions {
            let shared = self.clone();
            self.lock().workers += 1;
            let worker = thread::Builder::new()
                .name(format!("hsm-session-{place}"))
                .spawn(move || {
                    let leaving = Leaving(&shared);
                    Seat {
                        shared: &shared,
                        place,
                        held: None,
                    }
                    .work();
                    drop(leaving);
                });
            if let Err(e) = worker {
                self.lock().workers -= 1;
                return Err(trouble(e));
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
    }

    /// Runs `op` in a thread with a session.
    pub(crate) fn call<T: Send + 'static>(
        &self,
        mut op: impl FnMut(&mut Seat, Instant) -> Result<T, HsmError> + Send + 'static,
    ) -> Result<T, HsmError> {
        let (answer, answered) = mpsc::sync_channel(1);
        let expires = Instant::now() + self.deadline;
        let run = Box::new(move |seat: &mut Seat, expires| {
            // If the caller has gone, the answer is dropped, and wiped if it is a secret.
            let _ = answer.send(op(seat, expires));
        });
        {
            let mut inner = self.lock();
            match self.standing(&inner) {
                (State::Ready | State::Reopening, _) => {}
                (State::WrongPin, _) => return Err(HsmError::WrongPin),
                (State::Down, why) => return Err(HsmError::Down { why }),
            }
            let now = Instant::now();
            inner.queue.retain(|job| job.expires > now);
            if inner.queue.len() >= self.bound {
                return Err(HsmError::Busy);
            }
            inner.queue.push_back(Job { expires, run });
        }
        self.work.notify_one();
        match answered.recv_timeout(self.deadline) {
            Ok(answer) => answer,
            Err(RecvTimeoutError::Timeout) => Err(HsmError::Deadline),
            Err(RecvTimeoutError::Disconnected) => {
                let inner = self.lock();
                match inner.phase {
                    Phase::WrongPin => Err(HsmError::WrongPin),
                    _ if Instant::now() >= expires => Err(HsmError::Deadline),
                    _ => Err(HsmError::Down { why: inner.why() }),
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
        match inner.phase {
            Phase::WrongPin => (State::WrongPin, String::new()),
            Phase::Down { .. } => (State::Down, inner.why()),
            _ if hung => (
                State::Down,
                "no call has come back for a long time".to_owned(),
            ),
            Phase::Reopening if inner.moved.elapsed() > late => (
                State::Down,
                "reopening it has not come back for a long time".to_owned(),
            ),
            Phase::Reopening => (State::Reopening, String::new()),
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

    pub(crate) fn reopen(&self, pin: Pin) {
        let mut inner = self.lock();
        inner.pin = Arc::new(pin);
        inner.enter(Phase::Reopening);
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

    /// A worker or the supervisor saw the login fail. Whoever is first starts the reopening.
    pub(crate) fn suspect(&self, login: &Login, why: String) {
        let mut inner = self.lock();
        let current = inner
            .login
            .as_ref()
            .is_some_and(|l| l.number == login.number);
        if current && matches!(inner.phase, Phase::Ready) {
            inner.last_error = Some(why);
            inner.enter(Phase::Reopening);
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

    pub(crate) fn wake_workers(&self) {
        self.work.notify_all();
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

/// Why one attempt gave nothing.
pub(crate) enum Trouble {
    /// Session, login, token or module are gone: open again, try again.
    Lost(String),
    /// A decryption failed as it would with altered bytes.
    Data,
    /// The answer.
    Final(HsmError),
}

impl From<cryptoki::error::Error> for Trouble {
    fn from(e: cryptoki::error::Error) -> Self {
        if ops::is_loss(&e) {
            Self::Lost(e.to_string())
        } else {
            Self::Final(HsmError::Failed { why: e.to_string() })
        }
    }
}

/// A worker's place: its thread owns the session in it.
pub(crate) struct Seat<'a> {
    shared: &'a Shared,
    place: usize,
    held: Option<Held>,
}

impl Seat<'_> {
    fn work(&mut self) {
        while let Some(job) = self.next_job() {
            (job.run)(self, job.expires);
        }
        self.release();
    }

    fn next_job(&mut self) -> Option<Job> {
        let mut inner = self.shared.lock();
        if let Some(place) = inner.running.get_mut(self.place) {
            *place = None;
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
                    if let Some(place) = inner.running.get_mut(self.place) {
                        *place = Some(now);
                    }
                    return Some(job);
                }
                None => {
                    inner = self
                        .shared
                        .work
                        .wait(inner)
                        .unwrap_or_else(PoisonError::into_inner)
                }
            }
        }
    }

    /// Runs `step` with a session of the login in force; what is lost is opened again and tried once more.
    pub(crate) fn with<T>(
        &mut self,
        until: Instant,
        mut step: impl FnMut(&Place<'_>) -> Result<T, Trouble>,
    ) -> Result<T, Trouble> {
        self.attempt(2, until, &mut step)
    }

    /// As [`Seat::with`] for what must not be done twice: what fails is not tried again.
    pub(crate) fn once<T>(
        &mut self,
        until: Instant,
        mut step: impl FnMut(&Place<'_>) -> Result<T, Trouble>,
    ) -> Result<T, Trouble> {
        self.attempt(1, until, &mut step)
    }

    fn attempt<T>(
        &mut self,
        mut attempts: u32,
        until: Instant,
        step: &mut dyn FnMut(&Place<'_>) -> Result<T, Trouble>,
    ) -> Result<T, Trouble> {
        let shared = self.shared;
        let repeatable = attempts > 1;
        loop {
            if Instant::now() >= until {
                return Err(Trouble::Final(HsmError::Deadline));
            }
            let login = self.login(until)?;
            let Some(module) = shared.module.get() else {
                return Err(Trouble::Final(HsmError::Down {
                    why: "it is not open".to_owned(),
                }));
            };
            let pass = match module.enter(until) {
                Ok(pass) => pass,
                Err(e) if Instant::now() >= until => {
                    return Err(Trouble::Final(HsmError::Down { why: e.to_string() }));
                }
                Err(e) => {
                    shared.suspect(&login, e.to_string());
                    continue;
                }
            };
            if pass.generation != login.generation {
                // Another token's recovery initialised the module. Nothing was tried yet.
                shared.suspect(&login, "the module was initialised again".to_owned());
                continue;
            }
            let outcome = match self.sit(&login, &pass) {
                Ok(session) => step(&Place {
                    session,
                    login: &login,
                    pass: &pass,
                }),
                Err(e) => Err(Trouble::from(e)),
            };
            let Err(trouble) = outcome else {
                return outcome;
            };
            // After any error the session may be in the middle of an operation for ever.
            if let Some(held) = self.held.take() {
                held.close(&pass);
            }
            drop(pass);
            let Trouble::Lost(why) = trouble else {
                return Err(trouble);
            };
            shared.suspect(&login, why.clone());
            attempts -= 1;
            if attempts == 0 {
                // Let the supervisor judge before answering: is it the token, or only this call?
                self.login(until)?;
                return Err(Trouble::Final(match repeatable {
                    true => HsmError::Failed { why },
                    false => HsmError::Down { why },
                }));
            }
        }
    }

    fn sit(&mut self, login: &Login, pass: &Pass<'_>) -> Result<&Session, cryptoki::error::Error> {
        if let Some(old) = self
            .held
            .take_if(|held| held.login != login.number || held.generation != pass.generation)
        {
            old.close(pass);
        }
        let held = match self.held.take() {
            Some(held) => held,
            None => Held::new(
                pass.pkcs11().open_ro_session_no_drop(login.slot)?,
                login.number,
                pass,
            ),
        };
        Ok(&self.held.insert(held).session)
    }

    /// The login in force; waits while it is being made.
    fn login(&self, until: Instant) -> Result<Arc<Login>, Trouble> {
        let mut inner = self.shared.lock();
        loop {
            if inner.closing {
                return Err(Trouble::Final(HsmError::Down {
                    why: "it was closed".to_owned(),
                }));
            }
            match (&inner.phase, &inner.login) {
                (Phase::Ready, Some(login)) => return Ok(login.clone()),
                (Phase::WrongPin, _) => return Err(Trouble::Final(HsmError::WrongPin)),
                (Phase::Down { .. }, _) => {
                    return Err(Trouble::Final(HsmError::Down { why: inner.why() }));
                }
                _ => {}
            }
            match self.shared.wait(inner, until) {
                (guard, true) => inner = guard,
                (_, false) => return Err(Trouble::Final(HsmError::Deadline)),
            }
        }
    }

    /// Gives the session back before the thread ends.
    fn release(&mut self) {
        if let (Some(held), Some(module)) = (self.held.take(), self.shared.module.get())
            && let Ok(pass) = module.enter(Instant::now() + self.shared.deadline)
        {
            held.close(&pass);
        }
    }
}

/// Where a call is made: a session, its login, and the right to be in the module.
pub(crate) struct Place<'a> {
    pub(crate) session: &'a Session,
    login: &'a Login,
    pass: &'a Pass<'a>,
}

impl Place<'_> {
    /// What `take` wants of a good key, which is looked for on the token if it is new.
    pub(crate) fn key<T>(
        &self,
        id: &KeyId,
        take: impl Fn(&Found, &Table) -> T,
    ) -> Result<T, Trouble> {
        let known = || -> Option<Result<T, KeyFault>> {
            let table = self.login.table();
            match (table.bad.get(id), table.good.get(id)) {
                (Some(fault), _) => Some(Err(*fault)),
                (None, Some(found)) => Some(Ok(take(found, &table))),
                (None, None) => None,
            }
        };
        let mut verdict = known();
        if verdict.is_none() {
            // Another process may have made it. The table is not locked while the module works.
            let seen = self.login.table().seen.clone();
            let fresh = Table::look_for(self.session, id, seen)?;
            self.login.table().merge(fresh);
            verdict = known();
        }
        match verdict {
            Some(Ok(taken)) => Ok(taken),
            Some(Err(fault)) => Err(Trouble::Final(HsmError::Refused(*id, fault))),
            None => Err(Trouble::Final(HsmError::NoKey(*id))),
        }
    }

    /// The key is no longer on the token.
    pub(crate) fn forget(&self, id: &KeyId) {
        self.login.table().forget(id);
    }

    /// Runs `step` in a session that may write, closed afterwards. The others can't; the login holds for all.
    pub(crate) fn writing<T>(
        &self,
        step: impl FnOnce(&Session) -> Result<T, cryptoki::error::Error>,
    ) -> Result<T, Trouble> {
        let session = self
            .pass
            .pkcs11()
            .open_rw_session_no_drop(self.login.slot)?;
        let outcome = step(&session);
        let _ = session.close();
        Ok(outcome?)
    }
}
