//! How values travel in JSON: ids, hashes and words as text, bytes as base64url without padding.

use std::fmt::Display;
use std::str::FromStr;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use quorum::Hash;
use quorum::assertion::Assertion;
use quorum::evidence::Proved;
use serde::Deserialize;
use serde::de::{Deserializer, Error as _};
use serde_json::{Value, json};

use super::{Error, Result};

/// Base64url without padding.
#[must_use]
pub fn b64(bytes: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

pub(super) fn from_b64(text: &str) -> Result<Vec<u8>> {
    URL_SAFE_NO_PAD
        .decode(text)
        .map_err(|_| Error::Answer("not base64url".into()))
}

/// Serde: anything that is written as text.
pub(super) fn text<'de, D, T>(from: D) -> std::result::Result<T, D::Error>
where
    D: Deserializer<'de>,
    T: FromStr<Err: Display>,
{
    String::deserialize(from)?.parse().map_err(D::Error::custom)
}

/// Serde: as [`text`], where it may be absent or null.
pub(super) fn maybe_text<'de, D, T>(from: D) -> std::result::Result<Option<T>, D::Error>
where
    D: Deserializer<'de>,
    T: FromStr<Err: Display>,
{
    let text = Option::<String>::deserialize(from)?;
    text.map(|t| t.parse().map_err(D::Error::custom))
        .transpose()
}

/// Serde: a list of texts.
pub(super) fn texts<'de, D, T>(from: D) -> std::result::Result<Vec<T>, D::Error>
where
    D: Deserializer<'de>,
    T: FromStr<Err: Display>,
{
    let all = Vec::<String>::deserialize(from)?;
    all.iter()
        .map(|t| t.parse().map_err(D::Error::custom))
        .collect()
}

/// Serde: bytes.
pub(super) fn bytes<'de, D: Deserializer<'de>>(from: D) -> std::result::Result<Vec<u8>, D::Error> {
    let text = String::deserialize(from)?;
    URL_SAFE_NO_PAD.decode(text).map_err(D::Error::custom)
}

/// An assertion as it is sent.
pub(super) fn assertion(a: &Assertion) -> Value {
    json!({
        "authenticator_data": b64(&a.authenticator_data),
        "client_data_json": b64(&a.client_data_json),
        "signature": b64(&a.signature),
    })
}

/// An entry with its proof, as it comes.
#[derive(Deserialize)]
pub(super) struct SentProved {
    pub(super) seq: u64,
    pub(super) entry: String,
    #[serde(deserialize_with = "texts")]
    pub(super) proof: Vec<Hash>,
}

/// An entry with its proof.
pub(super) fn proved<'de, D: Deserializer<'de>>(from: D) -> std::result::Result<Proved, D::Error> {
    SentProved::deserialize(from).map(Proved::from)
}

impl From<SentProved> for Proved {
    fn from(sent: SentProved) -> Self {
        Self {
            seq: sent.seq,
            entry: sent.entry.into_bytes(),
            proof: sent.proof,
        }
    }
}
