//! Stored entries, read for display. Nothing is checked here that a verdict could rest on: verdicts are the verifier's.

use serde::Deserialize;
use serde_json::Value;
use std::fmt;

/// One entry, its data as plain JSON.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Entry {
    /// Its number, from 0.
    pub seq: u64,
    /// Microseconds since 1970 UTC.
    pub time: i64,
    /// The event's name.
    pub event: String,
    /// An id, or `system`.
    pub actor: String,
    /// Leaf of the entry before, in hex.
    pub prev: String,
    /// The event's data.
    pub data: Value,
    /// Version of the format.
    pub v: u64,
}

/// Bytes that are no entry of a version this program knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Unreadable;

impl fmt::Display for Unreadable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the stored bytes are no entry that this program can read")
    }
}

impl std::error::Error for Unreadable {}

impl Entry {
    /// Reads stored canonical bytes.
    ///
    /// # Errors
    /// When they are no entry, or one of another version.
    pub fn parse(bytes: &[u8]) -> Result<Self, Unreadable> {
        let entry: Entry = serde_json::from_slice(bytes).map_err(|_| Unreadable)?;
        if entry.v == 1 {
            Ok(entry)
        } else {
            Err(Unreadable)
        }
    }

    /// The statement of a signed event, read; of an imported version that of its import.
    pub fn statement(&self) -> Option<Value> {
        statement(&self.data)
    }
}

pub(crate) fn statement(data: &Value) -> Option<Value> {
    let text = data
        .get("statement")
        .or_else(|| data.get("import")?.get("statement"))?;
    serde_json::from_str(text.as_str()?).ok()
}
