//! One PKCS#11 module in this process: loaded once, initialised once, shared by all its tokens.
//!
//! `C_Initialize` and `C_Finalize` are per process, so that two owners would pull the floor from under each
//! other. Every call into a module is made while holding a [`Pass`]; initialising again waits until no pass is
//! out, for a bounded time, and raises the *generation*: handles of an older generation are dead, and because a
//! module may deal the same numbers again they are forgotten, never closed.

use std::collections::BTreeMap;
use std::marker::PhantomData;
use std::ops::Deref;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use cryptoki::context::{CInitializeArgs, CInitializeFlags, Pkcs11};
use cryptoki::error::{Error, RvError};
use cryptoki::session::Session;
use cryptoki::slot::Slot;

use crate::ops;
use crate::spec::Select;

/// A call that has been in the module for longer than this counts as hung: initialising again is refused at
/// once instead of making everybody wait for it.
const HUNG: Duration = Duration::from_secs(1);

/// The shortest time between two initialisations that tokens ask for.
const BETWEEN: Duration = Duration::from_secs(1);

static MODULES: Mutex<BTreeMap<PathBuf, Arc<Module>>> = Mutex::new(BTreeMap::new());

pub(crate) struct Module {
    pkcs11: Pkcs11,
    gate: Mutex<Gate>,
    moved: Condvar,
}

struct Gate {
    initialised: bool,
    generation: u64,
    /// Tokens that use the module; the last one out finalises it.
    users: usize,
    /// Calls in the module, by ticket, with their beginning.
    inside: BTreeMap<u64, Instant>,
    next_ticket: u64,
    /// Somebody initialises, finalises, or waits for `inside` to be empty.
    exclusive: bool,
    since: Option<Instant>,
}

/// Why the module could not be entered or initialised.
#[derive(Debug)]
pub(crate) enum Closed {
    /// Somebody holds it for longer than the caller may wait.
    Hung,
    /// It is not initialised.
    NotInitialised,
    /// The module said no.
    Said(Error),
}

impl std::fmt::Display for Closed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Hung => write!(f, "a call into the module has not come back"),
            Self::NotInitialised => write!(f, "the module is not initialised"),
            Self::Said(e) => f.write_str(&ops::words(e)),
        }
    }
}

/// The right to call into the module. While it is out the module is not finalised.
pub(crate) struct Pass<'a> {
    module: &'a Module,
    ticket: u64,
    pub(crate) generation: u64,
}

impl Pass<'_> {
    pub(crate) fn pkcs11(&self) -> &Pkcs11 {
        &self.module.pkcs11
    }

    /// The slot that holds the wanted token *now*: slots move when tokens come and go.
    pub(crate) fn slot(&self, select: &Select) -> Result<Slot, String> {
        let slots = self
            .pkcs11()
            .get_slots_with_token()
            .map_err(|e| ops::words(&e))?;
        let wanted = |slot: &Slot| match select {
            Select::Slot(id) => slot.id() == *id,
            // A token whose information can't be read can be named by its slot alone.
            Select::Serial(serial) => self
                .pkcs11()
                .get_token_info(*slot)
                .is_ok_and(|t| t.token_initialized() && t.serial_number() == serial),
            Select::Label(label) => self
                .pkcs11()
                .get_token_info(*slot)
                .is_ok_and(|t| t.token_initialized() && t.label() == label),
        };
        let mut found = slots.into_iter().filter(wanted);
        match (found.next(), found.next()) {
            (Some(slot), None) => Ok(slot),
            (None, _) => Err(format!("no token with {select}")),
            (Some(_), Some(_)) => Err(format!("two tokens with {select}: name it by serial")),
        }
    }
}

impl Drop for Pass<'_> {
    fn drop(&mut self) {
        self.module.gate().inside.remove(&self.ticket);
        self.module.moved.notify_all();
    }
}

/// A slot to open sessions at, while a pass is out.
pub(crate) struct Desk<'a> {
    pub(crate) pass: &'a Pass<'a>,
    pub(crate) slot: Slot,
}

/// A session that is closed when it is dropped: never after its pass, when its number may be another token's.
pub(crate) struct Brief<'a> {
    session: Session,
    _pass: PhantomData<&'a Pass<'a>>,
}

impl<'a> Desk<'a> {
    pub(crate) fn session(&self) -> Result<Brief<'a>, Error> {
        let session = self.pass.pkcs11().open_ro_session(self.slot)?;
        Ok(Brief {
            session,
            _pass: PhantomData,
        })
    }

    /// One that may write. The others can't.
    pub(crate) fn writing_session(&self) -> Result<Brief<'a>, Error> {
        let session = self.pass.pkcs11().open_rw_session(self.slot)?;
        Ok(Brief {
            session,
            _pass: PhantomData,
        })
    }
}

impl Deref for Brief<'_> {
    type Target = Session;

    fn deref(&self) -> &Session {
        &self.session
    }
}

impl Module {
    /// The module at `path`, loaded if need be. Never unloaded: some modules crash on the way out.
    pub(crate) fn at(path: &Path) -> Result<Arc<Self>, Error> {
        let mut modules = MODULES.lock().unwrap_or_else(PoisonError::into_inner);
        let name = path.canonicalize().unwrap_or_else(|_| path.to_owned());
        if let Some(module) = modules.get(&name) {
            return Ok(module.clone());
        }
        let module = Arc::new(Self {
            pkcs11: Pkcs11::new(path)?,
            gate: Mutex::new(Gate {
                initialised: false,
                generation: 0,
                users: 0,
                inside: BTreeMap::new(),
                next_ticket: 0,
                exclusive: false,
                since: None,
            }),
            moved: Condvar::new(),
        });
        modules.insert(name, module.clone());
        Ok(module)
    }

    /// Counts one more user and initialises the module for the first.
    pub(crate) fn join(&self, bound: Duration) -> Result<(), Closed> {
        {
            let mut gate = self.wait_while_exclusive(Instant::now() + bound)?;
            gate.users += 1;
            if gate.initialised {
                return Ok(());
            }
        }
        let joined = self.exclusively(bound, |initialised| {
            if initialised {
                Ok(true)
            } else {
                self.initialise()
            }
        });
        if joined.is_err() {
            self.gate().users -= 1;
        }
        joined
    }

    /// Counts one user less; after the last one the module is finalised, because some modules crash in the
    /// process's exit handlers otherwise.
    pub(crate) fn leave(&self, bound: Duration) {
        let mut gate = self.gate();
        gate.users = gate.users.saturating_sub(1);
        drop(gate);
        // Asked again inside: somebody may have joined. A module that can't be finalised stays as it is.
        let _ = self.exclusively(bound, |initialised| {
            if !initialised || self.gate().users > 0 {
                return Ok(initialised);
            }
            self.finalise().map(|()| false)
        });
    }

    /// How often it was initialised.
    pub(crate) fn generation(&self) -> u64 {
        self.gate().generation
    }

    /// Finalises and initialises, unless that happened since `seen` or just now, and says whether the
    /// generation is another one than `seen`. The last resort: all tokens of the module lose their sessions and
    /// open them again.
    pub(crate) fn again(&self, seen: u64, bound: Duration) -> Result<bool, Closed> {
        {
            let gate = self.gate();
            let recent = gate.since.is_some_and(|at| at.elapsed() < BETWEEN);
            if gate.initialised && (gate.generation != seen || recent) {
                return Ok(gate.generation != seen);
            }
        }
        self.exclusively(bound, |initialised| {
            if initialised {
                if self.gate().generation != seen {
                    return Ok(true);
                }
                self.finalise()?;
            }
            self.initialise()
        })?;
        Ok(true)
    }

    /// Enters the module, waiting for an initialisation under way until `until`.
    pub(crate) fn enter(&self, until: Instant) -> Result<Pass<'_>, Closed> {
        let mut gate = self.wait_while_exclusive(until)?;
        if !gate.initialised {
            return Err(Closed::NotInitialised);
        }
        let ticket = gate.next_ticket;
        gate.next_ticket += 1;
        gate.inside.insert(ticket, Instant::now());
        Ok(Pass {
            module: self,
            ticket,
            generation: gate.generation,
        })
    }

    /// Runs `step` while nobody else is in the module. It gets and gives whether the module is initialised.
    ///
    /// The lock is not held meanwhile: if `step` hangs, others time out instead of hanging too.
    fn exclusively(
        &self,
        bound: Duration,
        step: impl FnOnce(bool) -> Result<bool, Error>,
    ) -> Result<(), Closed> {
        let until = Instant::now() + bound;
        let mut gate = self.wait_while_exclusive(until)?;
        if gate.inside.values().any(|began| began.elapsed() > HUNG) {
            return Err(Closed::Hung);
        }
        gate.exclusive = true;
        while !gate.inside.is_empty() {
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                gate.exclusive = false;
                self.moved.notify_all();
                return Err(Closed::Hung);
            }
            gate = self
                .moved
                .wait_timeout(gate, left)
                .unwrap_or_else(PoisonError::into_inner)
                .0;
        }
        let was = gate.initialised;
        drop(gate);
        let outcome = step(was);
        let mut gate = self.gate();
        gate.exclusive = false;
        self.moved.notify_all();
        match outcome {
            Ok(now) => {
                gate.initialised = now;
                Ok(())
            }
            Err(e) => {
                // Whatever failed, nothing is sure: the next one initialises, and finds "already" if it was.
                gate.initialised = false;
                Err(Closed::Said(e))
            }
        }
    }

    fn wait_while_exclusive(&self, until: Instant) -> Result<MutexGuard<'_, Gate>, Closed> {
        let mut gate = self.gate();
        while gate.exclusive {
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Err(Closed::Hung);
            }
            gate = self
                .moved
                .wait_timeout(gate, left)
                .unwrap_or_else(PoisonError::into_inner)
                .0;
        }
        Ok(gate)
    }

    fn initialise(&self) -> Result<bool, Error> {
        // Without OS locking SoftHSM destroys its own token under threads.
        let args = CInitializeArgs::new(CInitializeFlags::OS_LOCKING_OK);
        match self.pkcs11.initialize(args) {
            Ok(()) | Err(Error::Pkcs11(RvError::CryptokiAlreadyInitialized, _)) => {}
            Err(e) => return Err(e),
        }
        let mut gate = self.gate();
        gate.generation += 1;
        gate.since = Some(Instant::now());
        Ok(true)
    }

    fn finalise(&self) -> Result<(), Error> {
        match self.pkcs11.clone().finalize() {
            Ok(()) | Err(Error::Pkcs11(RvError::CryptokiNotInitialized, _)) => Ok(()),
            Err(e) => Err(e),
        }
    }

    fn gate(&self) -> MutexGuard<'_, Gate> {
        self.gate.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
