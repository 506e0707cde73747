//! What would end the program, taken instead while something is left to be put back.

use tokio::signal::unix::{Signal, SignalKind, signal};

use super::refusal::Result;
use crate::error::Error;

/// The signals that end a program.
pub(super) struct Signals {
    pub(super) interrupt: Signal,
    pub(super) quit: Signal,
    pub(super) terminate: Signal,
    pub(super) hang_up: Signal,
}

impl Signals {
    /// From here on they end nothing by themselves.
    pub(super) fn taken() -> Result<Signals> {
        let on = |kind| signal(kind).map_err(Error::internal);
        Ok(Signals {
            interrupt: on(SignalKind::interrupt())?,
            quit: on(SignalKind::quit())?,
            terminate: on(SignalKind::terminate())?,
            hang_up: on(SignalKind::hangup())?,
        })
    }

    /// Waits for any of them.
    pub(super) async fn any(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.quit.recv() => {}
            _ = self.terminate.recv() => {}
            _ = self.hang_up.recv() => {}
        }
    }
}
