//! What a drill leaves: its steps with their times, and how it ended.

use std::time::{Duration, Instant};

use quorum::Hash;
use serde::Serialize;

use crate::client::now_us;
use crate::narrator::Narrator;

/// How a drill ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// Everything happened as it should.
    Passed,
    /// Something did not.
    Failed,
}

/// One step, told when it was done.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Step {
    /// Seconds from the beginning to its end.
    pub at_s: f64,
    /// Seconds that it took.
    pub took_s: f64,
    /// What happened.
    pub line: String,
}

/// A drill, told and timed. Holds no secret.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Report {
    /// The scenario's name.
    pub scenario: &'static str,
    /// How it ended.
    pub outcome: Outcome,
    /// Why it failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub failure: Option<String>,
    /// The ledger's name, once it answered.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ledger: Option<String>,
    /// The drill safe, once it was founded.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub safe: Option<String>,
    /// The credential, once it was added.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub credential: Option<String>,
    /// The release's request, once it was filed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub request: Option<String>,
    /// When it began, in microseconds since 1970 UTC.
    pub began: i64,
    /// Seconds that all of it took.
    pub seconds: f64,
    /// The steps, in their order.
    pub steps: Vec<Step>,
}

impl Report {
    /// As one JSON object, indented.
    #[must_use]
    pub fn json(&self) -> String {
        // Strings and finite numbers alone: this cannot fail.
        serde_json::to_string_pretty(self).unwrap_or_default()
    }

    /// SHA-256 of [`Report::json`], as `drill.finished` names it.
    #[must_use]
    pub fn sha256(&self) -> Hash {
        let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, self.json().as_bytes());
        Hash(digest.as_ref().try_into().unwrap_or([0; 32])) // 32 bytes always
    }

    /// Whether everything happened as it should.
    #[must_use]
    pub fn passed(&self) -> bool {
        self.outcome == Outcome::Passed
    }
}

/// A drill that goes on.
pub(crate) struct Story<'a> {
    narrator: &'a mut dyn Narrator,
    began: Instant,
    last: Duration,
    pub(crate) report: Report,
}

impl<'a> Story<'a> {
    pub(crate) fn begin(scenario: &'static str, narrator: &'a mut dyn Narrator) -> Self {
        Self {
            narrator,
            began: Instant::now(),
            last: Duration::ZERO,
            report: Report {
                scenario,
                outcome: Outcome::Failed,
                failure: None,
                ledger: None,
                safe: None,
                credential: None,
                request: None,
                began: now_us(),
                seconds: 0.0,
                steps: Vec::new(),
            },
        }
    }

    /// A step is done.
    pub(crate) fn tell(&mut self, line: impl Into<String>) {
        let (at, line) = (self.began.elapsed(), line.into());
        self.narrator.say(at, &line);
        self.report.steps.push(Step {
            at_s: seconds(at),
            took_s: seconds(at.saturating_sub(self.last)),
            line,
        });
        self.last = at;
    }

    pub(crate) fn end(mut self, failure: Option<String>) -> Report {
        if let Some(why) = &failure {
            self.tell(format!("FAILED: {why}"));
        } else {
            self.report.outcome = Outcome::Passed;
        }
        self.report.failure = failure;
        self.report.seconds = seconds(self.began.elapsed());
        self.report
    }
}

/// To the millisecond: more is noise.
fn seconds(span: Duration) -> f64 {
    (span.as_secs_f64() * 1000.0).round() / 1000.0
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing)]

    use super::*;
    use crate::narrator::Silent;

    #[test]
    fn a_story_becomes_a_report() {
        let mut silent = Silent;
        let mut story = Story::begin("break-glass", &mut silent);
        story.tell("one");
        story.tell("two");
        let report = story.end(None);
        assert!(report.passed());
        let json: serde_json::Value = serde_json::from_str(&report.json()).unwrap();
        assert_eq!(json["outcome"], "passed");
        assert_eq!(json["steps"][1]["line"], "two");
        assert!(json.get("failure").is_none());
    }

    #[test]
    fn a_failure_is_the_last_step() {
        let mut silent = Silent;
        let report = Story::begin("break-glass", &mut silent).end(Some("no answer".into()));
        assert!(!report.passed());
        assert_eq!(report.steps.last().unwrap().line, "FAILED: no answer");
        assert_eq!(report.failure.as_deref(), Some("no answer"));
    }
}
