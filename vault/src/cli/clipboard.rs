//! The terminal's clipboard, by OSC 52 (xterm, "Operating System Commands"): it works over SSH, and leaves nothing on the
//! screen, in the scrollback or on a disk of this machine. Not trusted: other programs of that desktop read a clipboard.

use std::io::{IsTerminal, Write};
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use zeroize::Zeroizing;

use super::refusal::Result;
use super::signals::Signals;
use crate::error::Error;

/// As long as most password programs leave one there.
pub(super) const STAYS: Duration = Duration::from_secs(45);

/// The clipboard of the terminal that the program was started at. Cleared on drop, where something was put there.
pub(super) struct Clipboard {
    out: Box<dyn Write>,
    full: bool,
}

impl Clipboard {
    /// Refuses where there is no terminal that could have one.
    pub(super) fn of_terminal() -> Result<Clipboard> {
        let out: Box<dyn Write> = if std::io::stderr().is_terminal() {
            Box::new(std::io::stderr())
        } else if std::io::stdout().is_terminal() {
            Box::new(std::io::stdout())
        } else {
            return Err(none("Neither stdout nor stderr is a terminal.").into());
        };
        match std::env::var("TERM").as_deref() {
            Err(_) | Ok("" | "dumb" | "linux") => {
                Err(none("This kind of terminal ($TERM) has no clipboard.").into())
            }
            Ok(_) => Ok(Clipboard { out, full: false }),
        }
    }

    /// Puts it there. Terminals do not say whether they took it.
    pub(super) fn put(&mut self, secret: &[u8]) -> Result<()> {
        let mut text = Zeroizing::new(String::with_capacity(secret.len() * 4 / 3 + 16));
        text.push_str("\x1b]52;c;");
        STANDARD.encode_string(secret, &mut text);
        text.push('\x07');
        self.full = true;
        self.out
            .write_all(text.as_bytes())
            .and_then(|()| self.out.flush())
            .map_err(|e| Error::internal(e).into())
    }

    /// Waits for Enter, for `time`, or for what would end the program; then clears it.
    pub(super) async fn clear_after(mut self, time: Duration, mut signals: Signals) {
        let (pressed, enter) = tokio::sync::oneshot::channel();
        let mut waiting = None;
        if std::io::stdin().is_terminal() {
            std::thread::spawn(move || {
                let _ = std::io::stdin().read_line(&mut String::new());
                let _ = pressed.send(());
            });
        } else {
            waiting = Some(pressed); // nobody can press it; kept, or it would seem pressed
        }
        tokio::select! {
            _ = enter => {}
            () = tokio::time::sleep(time) => {}
            () = signals.any() => {}
        }
        drop(waiting);
        self.clear();
    }

    /// A space over it, then nothing: there are terminals that do not take nothing.
    fn clear(&mut self) {
        if std::mem::take(&mut self.full) {
            let _ = self
                .out
                .write_all(b"\x1b]52;c;IA==\x07\x1b]52;c;\x07")
                .and_then(|()| self.out.flush());
        }
    }
}

impl Drop for Clipboard {
    fn drop(&mut self) {
        self.clear();
    }
}

fn none(why: &'static str) -> Error {
    Error::invalid(
        "Not asked.",
        format!("--copy needs a terminal's clipboard. {why}"),
        "Run it in a terminal window, or without --copy: it prints on stdout, and nowhere else.",
    )
}
