//! A worker's place in the pool: its thread owns the session in it, opens again what was lost, and tries once
//! more what may be done twice.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use cryptoki::session::Session;
use cryptoki::slot::Slot;

use crate::error::HsmError;
use crate::keys::{KeyFault, KeyId};
use crate::module::{Desk, Pass};
use crate::ops;
use crate::pool::{Phase, Shared};
use crate::table::{Found, Table};

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
        let why = ops::words(&e);
        if ops::is_loss(&e) {
            Self::Lost(why)
        } else {
            Self::Final(HsmError::Failed { why })
        }
    }
}

/// A worker's place: its thread owns the session in it.
pub(crate) struct Seat<'a> {
    shared: &'a Shared,
    place: usize,
    held: Option<Held>,
}

impl<'a> Seat<'a> {
    pub(crate) fn new(shared: &'a Shared, place: usize) -> Self {
        Self {
            shared,
            place,
            held: None,
        }
    }

    /// Does calls until the token is closed.
    pub(crate) fn work(&mut self) {
        while let Some(job) = self.shared.next_job(self.place) {
            (job.run)(self, job.expires);
        }
        self.release();
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
            let fresh = Table::look_for(&self.desk(), id, seen)?;
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
        Ok(step(&*self.desk().writing_session()?)?)
    }

    fn desk(&self) -> Desk<'_> {
        Desk {
            pass: self.pass,
            slot: self.login.slot,
        }
    }
}
