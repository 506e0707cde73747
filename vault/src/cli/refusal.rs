//! A refusal as the program says it: what happened, why, what to do next; with the reference where a server gave one,
//! and the cause where this machine knows it.

use serde_json::{Value, json};

use crate::error::{Error, Words};

/// The answer of every verb.
pub(super) type Result<T> = std::result::Result<T, Refusal>;

/// Why a verb came to nothing.
pub(super) struct Refusal {
    error: Error,
    reference: Option<String>,
}

impl From<Error> for Refusal {
    fn from(error: Error) -> Refusal {
        Refusal {
            error,
            reference: None,
        }
    }
}

impl Refusal {
    /// As a server told it.
    pub(super) fn told(error: Error, reference: &str) -> Refusal {
        Refusal {
            error,
            reference: Some(reference.to_owned()).filter(|r| !r.is_empty()),
        }
    }

    /// A server said it, so one is there.
    pub(super) fn was_told(&self) -> bool {
        self.reference.is_some()
    }

    /// Nothing of that name is there.
    pub(super) fn is_missing(&self) -> bool {
        matches!(self.error, Error::Missing(_))
    }

    /// It is not as the call supposed.
    pub(super) fn is_conflict(&self) -> bool {
        matches!(self.error, Error::Conflict(_))
    }

    /// Nothing answers, for now.
    pub(super) fn is_outage(&self) -> bool {
        self.error.status() == 503
    }

    pub(super) fn words(&self) -> Words {
        let mut words = self.error.words();
        if matches!(self.error, Error::Internal(_)) && self.reference.is_none() {
            words.next = "Try again; if it stays, the cause says where to look.".into();
        }
        words
    }

    /// In one line.
    pub(super) fn line(&self) -> String {
        let Words { what, why, next } = self.words();
        let mut line = format!("{what} {why} {next}");
        if let Some(reference) = &self.reference {
            line.push_str(&format!(" Reference {reference}."));
        }
        plain(&line)
    }

    pub(super) fn json(&self) -> Value {
        let w = self.words();
        let mut told =
            json!({ "type": self.error.kind(), "title": w.what, "detail": w.why, "next": w.next });
        if let Some(members) = told.as_object_mut() {
            let mut add = |name: &str, text: Option<&str>| {
                if let Some(text) = text.filter(|t| !t.is_empty()) {
                    members.insert(name.into(), text.into());
                }
            };
            add("reference", self.reference.as_deref());
            add("cause", self.error.cause());
        }
        told
    }

    /// For people, on stderr.
    pub(super) fn say(&self) {
        let w = self.words();
        eprintln!(
            "{}\n  {}\n  {}",
            plain(&w.what),
            plain(&w.why),
            plain(&w.next)
        );
        if let Some(cause) = self.error.cause().filter(|c| !c.is_empty()) {
            eprintln!("  Cause: {}", plain(cause));
        }
        if let Some(reference) = &self.reference {
            eprintln!("  Reference: {}", plain(reference));
        }
    }
}

/// Words that came from elsewhere move no cursor and colour nothing.
pub(super) fn plain(text: &str) -> String {
    text.chars()
        .map(|c| {
            if c.is_control() && c != '\n' {
                '\u{fffd}'
            } else {
                c
            }
        })
        .collect()
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_has_a_reference_or_a_cause_to_follow() {
        let told = Refusal::told(
            Error::conflict("Not opened.", "One has signed.", "Wait."),
            "abc123",
        );
        assert_eq!(
            told.line(),
            "Not opened. One has signed. Wait. Reference abc123."
        );
        assert_eq!(told.json().get("reference").unwrap(), "abc123");
        let ours = Refusal::from(Error::internal("no such file"));
        assert_eq!(ours.json().get("cause").unwrap(), "no such file");
        assert!(!ours.words().next.contains("reference"));
    }

    #[test]
    fn a_server_does_not_move_the_cursor() {
        assert_eq!(plain("a\u{1b}[2Jb\u{7}"), "a\u{fffd}[2Jb\u{fffd}");
    }
}
