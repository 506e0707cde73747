//! The envelope: the one thing that requests, approvals and entries refer to by its hash.

use std::fmt;

use crate::field::{Blob, Bytes, Fault, FieldError, List, Members, members, nothing_left};
use crate::hash::{Hash, labelled};
use crate::json::{self, JsonError, Object, Value};
use crate::secret::header::{Header, fault};
use crate::secret::padding::STEP;

/// Bytes of an AES-GCM tag.
pub(super) const TAG: usize = 16;

/// Why bytes are no envelope.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum EnvelopeError {
    /// Not canonical JSON.
    Json(JsonError),
    /// A member is missing, unknown, of another type or out of range.
    Field(FieldError),
    /// Not one share commitment for each place.
    Commitments,
}

impl fmt::Display for EnvelopeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Json(error) => write!(f, "the envelope is not canonical JSON: {error}"),
            Self::Field(error) => write!(f, "the envelope is malformed: {error}"),
            Self::Commitments => write!(f, "the envelope has not one commitment for each place"),
        }
    }
}

impl std::error::Error for EnvelopeError {}

impl From<FieldError> for EnvelopeError {
    fn from(error: FieldError) -> Self {
        Self::Field(error)
    }
}

members! {
    /// The envelope's members beside the header.
    #[allow(unreachable_pub)]
    Parts {
        /// Ciphertext and tag.
        body: Vec<u8> as Blob<{ STEP + TAG }, { usize::MAX }>,
        /// What the key must come to.
        key_commitment: Hash,
        /// The nonce of the body.
        nonce: [u8; 12] as Bytes<12>,
        /// What the shares must hash to, in order of x.
        share_commitments: Vec<Hash> as List<Hash>,
    }
}

/// Header, body and commitments of one sealed version. Never changes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Envelope {
    bytes: Vec<u8>,
    header: Header,
    ctx: Hash,
    parts: Parts,
}

impl Envelope {
    /// Reads canonical bytes.
    ///
    /// # Errors
    /// Anything but exactly the format.
    pub fn parse(bytes: &[u8]) -> Result<Self, EnvelopeError> {
        let Value::Obj(mut members) = json::parse(bytes).map_err(EnvelopeError::Json)? else {
            return Err(fault("envelope", Fault::Type).into());
        };
        let header = members
            .remove("header")
            .ok_or(fault("header", Fault::Missing))?;
        let header = Header::of_value(header)?;
        let parts = Parts::take_members(&mut members)?;
        nothing_left(&members)?;
        if !(parts.body.len() - TAG).is_multiple_of(STEP) {
            return Err(fault("body", Fault::Value).into());
        }
        if parts.share_commitments.len() != usize::from(header.n) {
            return Err(EnvelopeError::Commitments);
        }
        Ok(Self {
            bytes: bytes.to_vec(),
            ctx: header.ctx(),
            header,
            parts,
        })
    }

    /// Writes the parts and reads them back: what cannot be read as it was meant is not sealed.
    pub(super) fn assemble(header: &Header, parts: &Parts) -> Result<Self, EnvelopeError> {
        let mut members = Object::from([("header".to_owned(), header.to_value())]);
        parts.put_members(&mut members);
        let read = Self::parse(&json::encode(&Value::Obj(members)))?;
        if read.header != *header || read.parts != *parts {
            return Err(fault("header", Fault::Value).into());
        }
        Ok(read)
    }

    /// The canonical bytes.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// `envelope`, as requests and entries name it.
    #[must_use]
    pub fn hash(&self) -> Hash {
        labelled("envelope", &[&self.bytes])
    }

    /// What was sealed, for whom.
    #[must_use]
    pub const fn header(&self) -> &Header {
        &self.header
    }

    /// The header's hash, to which everything sealed with it is bound.
    #[must_use]
    pub const fn ctx(&self) -> &Hash {
        &self.ctx
    }

    /// What the key must come to.
    #[must_use]
    pub const fn key_commitment(&self) -> &Hash {
        &self.parts.key_commitment
    }

    /// What the share of place `x` (from 1) must hash to.
    #[must_use]
    pub fn share_commitment(&self, x: u8) -> Option<&Hash> {
        self.parts
            .share_commitments
            .get(usize::from(x).checked_sub(1)?)
    }

    pub(super) const fn parts(&self) -> &Parts {
        &self.parts
    }
}
