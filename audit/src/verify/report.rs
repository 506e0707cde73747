//! What a verification found, for people and for programs.

use std::fmt;

/// How a verification ended; each outcome has one exit code (FORMATS.md 6).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Everything holds, and entry 0 is the one whose fingerprint was given. Exit 0.
    Valid,
    /// Everything holds, but no founding fingerprint was given: a whole forged ledger looks the same. Exit 3.
    SelfConsistent,
    /// Something here is unknown to this version, or could not be read. Exit 2.
    NotVerified,
    /// The export says something untrue. Exit 1.
    False,
}

impl Outcome {
    /// The exit code of `vitrine audit verify`.
    pub fn exit_code(self) -> u8 {
        match self {
            Self::Valid => 0,
            Self::False => 1,
            Self::NotVerified => 2,
            Self::SelfConsistent => 3,
        }
    }

    /// The word for it in reports.
    pub fn word(self) -> &'static str {
        match self {
            Self::Valid => "valid",
            Self::False => "false",
            Self::NotVerified => "not verified",
            Self::SelfConsistent => "self-consistent only",
        }
    }
}

/// The result of [`super::verify_dir`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    /// How it ended.
    pub outcome: Outcome,
    /// Entries hashed; those before the lie when one was found.
    pub size: u64,
    /// The tree's root over `size` entries; absent when a lie ended the reading.
    pub root: Option<[u8; 32]>,
    /// The ledger's name: the leaf of entry 0. To be compared with a fingerprint that came another way.
    pub ledger: Option<[u8; 32]>,
    /// The founded `name`, once entry 0 was read.
    pub name: Option<String>,
    /// The entry that is false or unknown; absent when it is the export as a whole, or a checkpoint.
    pub seq: Option<u64>,
    /// What is false, unknown or unreadable, in a few stable words.
    pub lie: Option<String>,
    /// Assertions whose signature was checked; 0 when a lie was found.
    pub signatures: u64,
    /// Checkpoints of the export that were compared with the tree; 0 when a lie was found.
    pub checkpoints: u64,
    /// Things a person should look at that make nothing false, at most [`Report::MAX_WARNINGS`] of them.
    pub warnings: Vec<String>,
    /// How many warnings there were, listed or not.
    pub warnings_total: u64,
}

impl Report {
    /// How many warnings are kept with their words.
    pub const MAX_WARNINGS: usize = 100;

    /// The exit code of `vitrine audit verify`.
    pub fn exit_code(&self) -> u8 {
        self.outcome.exit_code()
    }

    /// The report as one JSON object on one line, without a line feed.
    pub fn json(&self) -> String {
        let hash = |h: &Option<[u8; 32]>| h.map(hex::encode);
        serde_json::json!({
            "checkpoints": self.checkpoints,
            "exit": self.exit_code(),
            "ledger": hash(&self.ledger),
            "lie": self.lie,
            "name": self.name,
            "outcome": self.outcome.word(),
            "root": hash(&self.root),
            "seq": self.seq,
            "signatures": self.signatures,
            "size": self.size,
            "warnings": self.warnings,
            "warnings_total": self.warnings_total,
        })
        .to_string()
    }
}

/// The report as lines for people.
impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let at = self.seq.map(|s| format!("entry {s}: ")).unwrap_or_default();
        let lie = self.lie.as_deref().unwrap_or_default();
        match self.outcome {
            Outcome::Valid => writeln!(f, "valid")?,
            Outcome::SelfConsistent => writeln!(
                f,
                "self-consistent only: compare the ledger's name below with a founding fingerprint that came another way"
            )?,
            Outcome::NotVerified => writeln!(f, "not verified: {at}{lie}")?,
            Outcome::False => writeln!(f, "FALSE: {at}{lie}")?,
        }
        if let Some(name) = &self.name {
            // The one text here that the ledger's writer chose: a terminal must not act on it.
            writeln!(f, "origin      {}", name.escape_debug())?;
        }
        if let Some(ledger) = &self.ledger {
            writeln!(f, "ledger      {}", hex::encode(ledger))?;
        }
        if self.outcome == Outcome::False {
            return Ok(());
        }
        writeln!(f, "entries     {}", self.size)?;
        if let Some(root) = &self.root {
            writeln!(f, "root        {}", hex::encode(root))?;
        }
        writeln!(f, "signatures  {}", self.signatures)?;
        writeln!(f, "checkpoints {}", self.checkpoints)?;
        for warning in &self.warnings {
            writeln!(f, "warning: {warning}")?;
        }
        let kept = u64::try_from(self.warnings.len()).unwrap_or(u64::MAX);
        if self.warnings_total > kept {
            writeln!(
                f,
                "warning: {} more warnings are not listed",
                self.warnings_total.saturating_sub(kept)
            )?;
        }
        Ok(())
    }
}
