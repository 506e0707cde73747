//! The thread that keeps a token open: logs in, reads and checks the keys, watches, and repairs.
//!
//! Repair goes from cheap to dear: is the login still good (then one session was bad and its thread takes
//! another); session, login and keys again; at last the module's finalise and initialise, which costs every
//! token of the module its sessions. What fails is tried again after 100 ms, twice that, ... 30 s: the breaker is
//! open meanwhile and calls fail at once. A refused PIN ends it until [`crate::Token::reopen`].

use std::sync::Arc;
use std::time::{Duration, Instant};

use cryptoki::error::{Error, RvError};
use cryptoki::session::UserType;

use crate::module::{Closed, Desk, Module};
use crate::ops;
use crate::pool::{Phase, Shared};
use crate::seat::{Held, Login};
use crate::secret::Pin;
use crate::table::Table;

/// How often a token that nobody calls is probed.
const WATCH: Duration = Duration::from_secs(5);
/// How long an initialisation waits for calls under way, at most.
const PATIENCE: Duration = Duration::from_secs(2);

enum Failure {
    Pin(String),
    Other(String),
}

impl From<Error> for Failure {
    fn from(e: Error) -> Self {
        let why = ops::words(&e);
        if ops::refuses_pin(&e) {
            Self::Pin(why)
        } else {
            Self::Other(why)
        }
    }
}

impl From<Closed> for Failure {
    fn from(e: Closed) -> Self {
        Self::Other(e.to_string())
    }
}

struct Supervisor<'a> {
    shared: &'a Arc<Shared>,
    module: Arc<Module>,
    /// Keeps the login alive: most modules end it with the last session.
    anchor: Option<Held>,
    failures: u32,
    logins: u64,
}

pub(crate) fn run(shared: &Arc<Shared>) {
    let patience = shared.deadline.min(PATIENCE);
    let Some(module) = joined(shared, patience) else {
        return;
    };
    let _ = shared.module.set(module.clone()); // set once: there is one supervisor
    Supervisor {
        shared,
        module: module.clone(),
        anchor: None,
        failures: 0,
        logins: 0,
    }
    .watch();
    module.leave(patience);
}

/// The module, loaded and initialised; tried until it is, or until the token is closed.
fn joined(shared: &Shared, patience: Duration) -> Option<Arc<Module>> {
    for failures in 0.. {
        let why = match Module::at(&shared.path) {
            Ok(module) => match module.join(patience) {
                Ok(()) => return Some(module),
                Err(e) => e.to_string(),
            },
            Err(e) => ops::words(&e),
        };
        let why = format!("the PKCS#11 module {}: {why}", shared.path.display());
        shared.down(why, Phase::pause(failures));
        let mut inner = shared.lock();
        while let Phase::Down { retry } = inner.phase
            && !inner.closing
            && Instant::now() < retry
        {
            inner = shared.wait(inner, retry).0;
        }
        if inner.closing {
            return None;
        }
    }
    None
}

enum Order {
    Open { by_hand: bool },
    Probe,
    End,
}

impl Supervisor<'_> {
    fn watch(&mut self) {
        loop {
            match self.next_order() {
                Order::End => break,
                Order::Open { by_hand } => self.open(by_hand),
                Order::Probe => self.probe(),
            }
        }
        self.wait_for_workers();
        if let Some(anchor) = self.anchor.take()
            && let Ok(pass) = self.module.enter(self.until())
        {
            anchor.close(&pass);
        }
    }

    fn next_order(&self) -> Order {
        let mut inner = self.shared.lock();
        let watch = Instant::now() + WATCH;
        loop {
            if inner.closing {
                return Order::End;
            }
            let until = match inner.phase {
                Phase::Reopening { by_hand } => return Order::Open { by_hand },
                Phase::Down { retry } if Instant::now() >= retry => {
                    return Order::Open { by_hand: false };
                }
                Phase::Down { retry } => retry,
                Phase::Ready if Instant::now() >= watch => return Order::Probe,
                Phase::Ready => watch,
                Phase::WrongPin => Instant::now() + WATCH,
            };
            inner = self.shared.wait(inner, until).0;
        }
    }

    /// Nobody may have called for hours: is it still there?
    fn probe(&mut self) {
        if let Some(login) = self.shared.login()
            && let Err(Failure::Other(why) | Failure::Pin(why)) = self.works(&login)
        {
            self.shared.suspect(&login, why);
        }
    }

    /// The login still works in the anchor's session.
    fn works(&mut self, login: &Login) -> Result<(), Failure> {
        let pass = self.module.enter(self.until())?;
        let Some(session) = self
            .anchor
            .as_ref()
            .and_then(|anchor| anchor.session(&pass))
        else {
            return Err(Failure::Other(
                "the module was initialised again".to_owned(),
            ));
        };
        // Not under the table's lock: the call may hang.
        let probe = login.table().a_probe();
        Ok(probe.run(session)?)
    }

    /// From cheap to dear, until something works.
    fn open(&mut self, by_hand: bool) {
        let before = self.shared.login();
        if !by_hand
            && self.failures == 0
            && let Some(login) = &before
            && self.works(login).is_ok()
        {
            return self.ready(login.clone());
        }
        let generation = self.module.generation();
        let opened = match self.log_in(before.as_deref(), true) {
            // Last, because every token of the module pays for it.
            Err(Failure::Other(why)) => match self
                .module
                .again(generation, self.shared.deadline.min(PATIENCE))
            {
                Ok(true) => self.log_in(before.as_deref(), false),
                Ok(false) => Err(Failure::Other(why)),
                Err(e) => Err(Failure::Other(format!("{why}; {e}"))),
            },
            other => other,
        };
        match opened {
            Ok(login) => self.ready(Arc::new(login)),
            Err(Failure::Pin(why)) => self.shared.down(why, Phase::WrongPin),
            Err(Failure::Other(why)) => {
                self.shared.down(why, Phase::pause(self.failures));
                self.failures += 1;
            }
        }
    }

    /// Opens a session, logs in, reads the keys. `strict`: a key that was there must be there, because a module
    /// whose token was taken away may show an empty one until it is initialised again.
    fn log_in(&mut self, before: Option<&Login>, strict: bool) -> Result<Login, Failure> {
        let pin = self.shared.lock().pin.clone();
        let pass = self.module.enter(self.until())?;
        if let Some(old) = self.anchor.take() {
            old.close(&pass);
        }
        let slot = pass.slot(&self.shared.select).map_err(Failure::Other)?;
        let session = pass.pkcs11().open_ro_session_no_drop(slot)?;
        self.logins += 1;
        let anchor = Held::new(session, self.logins, &pass);
        let opened = match anchor.session(&pass) {
            Some(session) => pin
                .pin()
                .map_err(|e| Failure::Other(e.to_string()))
                .and_then(|pin| user(session, pin, before.is_some()))
                .and_then(|()| {
                    let seen = before
                        .map(|login| login.table().seen.clone())
                        .unwrap_or_default();
                    Ok(Table::read(&Desk { pass: &pass, slot }, seen)?)
                }),
            None => Err(Failure::Other(
                "the session is of another generation".to_owned(),
            )),
        };
        let table = match opened {
            Ok(table) => table,
            Err(failure) => {
                anchor.close(&pass);
                return Err(failure);
            }
        };
        if strict && let Some(before) = before {
            let gone = before
                .table()
                .good
                .keys()
                .filter(|id| !table.has(id))
                .count();
            if gone > 0 {
                anchor.close(&pass);
                return Err(Failure::Other(format!(
                    "{gone} keys are gone from the token"
                )));
            }
        }
        self.anchor = Some(anchor);
        Ok(Login {
            number: self.logins,
            generation: pass.generation,
            slot,
            table: table.into(),
        })
    }

    fn ready(&mut self, login: Arc<Login>) {
        self.failures = 0;
        let mut inner = self.shared.lock();
        inner.login = Some(login);
        inner.opened = true;
        inner.enter(Phase::Ready);
        self.shared.changed.notify_all();
    }

    /// The workers give back their sessions before the module is left.
    fn wait_for_workers(&self) {
        let until = self.until();
        let mut inner = self.shared.lock();
        while inner.workers > 0 {
            match self.shared.wait(inner, until) {
                (guard, true) => inner = guard,
                (_, false) => return,
            }
        }
    }

    fn until(&self) -> Instant {
        Instant::now() + self.shared.deadline
    }
}

/// Logs in as user, asking the token about the PIN exactly once. The login is the whole process's: if it is
/// there already it is either another owner's, which is as good, or (`stale`) what is left of ours, whose object
/// handles can't be trusted any more.
fn user(session: &cryptoki::session::Session, pin: &Pin, stale: bool) -> Result<(), Failure> {
    match session.login(UserType::User, Some(pin.expose())) {
        Err(Error::Pkcs11(RvError::UserAlreadyLoggedIn, _)) if stale => {
            session.logout()?;
            Ok(session.login(UserType::User, Some(pin.expose()))?)
        }
        Ok(()) | Err(Error::Pkcs11(RvError::UserAlreadyLoggedIn, _)) => Ok(()),
        Err(e) => Err(e.into()),
    }
}
