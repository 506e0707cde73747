//! The header of an envelope: what was sealed, for whom, under which roster.

use crate::field::{Codec, Count, Fault, FieldError, Members, members, nothing_left};
use crate::hash::{Hash, labelled};
use crate::ids::{CredentialId, SafeId};
use crate::json::{self, Object, Value};
use crate::statement::SealedAs;

members! {
    /// The header (FORMATS.md 7); `suite` and `v` are 1 and not kept.
    Header {
        /// The credential.
        credential: CredentialId,
        /// The roster's epoch.
        epoch: u64 as Count,
        /// The ledger's name.
        ledger: Hash,
        /// Shares needed.
        m: u8 as Places,
        /// Shares made: places in the roster.
        n: u8 as Places,
        /// The leaf of the `roster.set` in force.
        roster: Hash,
        /// The safe.
        safe: SafeId,
        /// Name, kind, target.
        sealed_as: SealedAs,
        /// The version.
        version: u64 as Count,
    }
}

impl Header {
    /// The canonical bytes.
    #[must_use]
    pub fn bytes(&self) -> Vec<u8> {
        json::encode(&self.to_value())
    }

    /// `ctx`: the hash that everything sealed with this header is bound to.
    #[must_use]
    pub fn ctx(&self) -> Hash {
        labelled("header", &[&self.bytes()])
    }

    pub(super) fn to_value(&self) -> Value {
        let mut members = Object::new();
        self.put_members(&mut members);
        for name in ["suite", "v"] {
            One::put(&(), &mut members, name);
        }
        Value::Obj(members)
    }

    pub(super) fn of_value(value: Value) -> Result<Self, FieldError> {
        let Value::Obj(mut members) = value else {
            return Err(fault("header", Fault::Type));
        };
        for name in ["v", "suite"] {
            One::take(&mut members, name)?;
        }
        let header = Self::take_members(&mut members)?;
        nothing_left(&members)?;
        if header.m > header.n {
            return Err(fault("m", Fault::Value));
        }
        Ok(header)
    }
}

pub(super) fn fault(member: &str, fault: Fault) -> FieldError {
    FieldError {
        member: member.to_owned(),
        fault,
    }
}

/// `m` and `n`: 1 to 100. That `m = 1` takes a drill safe is for the roster to say.
struct Places;

impl Codec for Places {
    type Out = u8;

    fn read(value: &Value) -> Result<u8, FieldError> {
        match u8::try_from(Count::read(value)?) {
            Ok(places @ 1..=100) => Ok(places),
            _ => Err(fault("", Fault::Value)),
        }
    }

    fn write(out: &u8) -> Value {
        Value::Int((*out).into())
    }
}

/// The number of this format, and of its one suite.
struct One;

impl Codec for One {
    type Out = ();

    fn read(value: &Value) -> Result<(), FieldError> {
        if *value == Value::Int(1) {
            Ok(())
        } else {
            Err(fault("", Fault::Value))
        }
    }

    fn write((): &()) -> Value {
        Value::Int(1)
    }
}
