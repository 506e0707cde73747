//! The page of a refusal: what happened, why, what to do next, one button.

use askama::Template;

use crate::pages::{Notice, Task, Tone};

/// Any refusal or failure that a browser navigated to.
#[derive(Template)]
#[template(path = "errors/refusal.html")]
pub struct Refusal {
    /// Shell; its title is `what`.
    pub task: Task,
    /// What happened: "Nothing can be opened now".
    pub what: String,
    /// Why: "The HSM has not answered since 03:17 UTC. This is an outage, not tampering."
    pub why: String,
    /// What did not happen, if that calms: "Your request stays".
    pub calm: Option<Notice>,
    /// What to do next, a sentence.
    pub next: String,
    /// A command to run, where one helps: `vitrine doctor`.
    pub command: Option<String>,
    /// The one button: where, and its words.
    pub button: (String, String),
    /// The HTTP request id; "request" is ours.
    pub reference: String,
}

impl Refusal {
    /// The three parts with their reference; `path` is where the browser wanted to go.
    pub fn new(
        what: &str,
        why: &str,
        next: &str,
        status: u16,
        reference: &str,
        path: &str,
    ) -> Self {
        let what = what.trim_end_matches('.');
        let button = match status {
            401 => ("/sign-in".into(), "Sign in with key".into()),
            503 => (path.into(), "Try again".into()),
            _ => ("/".into(), "Home".into()),
        };
        Self {
            task: Task {
                title: what.into(),
                ..Task::default()
            },
            what: what.into(),
            why: why.into(),
            calm: None,
            next: next.into(),
            command: next
                .contains("vitrine doctor")
                .then(|| "vitrine doctor".into()),
            button,
            reference: reference.into(),
        }
    }

    /// The same for a page of a request: its code in the bar, the way back to it.
    pub fn of_request(mut self, request: &str, code: &str) -> Self {
        self.task.place = "Request".into();
        self.task.code = Some(code.into());
        self.button = (format!("/requests/{request}"), "Back to the request".into());
        self
    }

    /// `next` cut at its backticks: each part with whether it is a command.
    pub fn next_parts(&self) -> Vec<(bool, &str)> {
        self.next
            .split('`')
            .enumerate()
            .map(|(i, part)| (i % 2 == 1, part))
            .collect()
    }

    /// The same with what did not happen.
    pub fn calm(mut self, title: impl Into<String>, text: impl Into<String>) -> Self {
        self.calm = Some(Notice {
            tone: Tone::Advice,
            title: title.into(),
            text: text.into(),
        });
        self
    }
}
