//! hsm
mod attributes;
mod error;
mod keys;
mod module;
mod ops;
mod pool;
mod seat;
mod secret;
pub mod softhsm;
mod spec;
mod supervisor;
mod table;
mod token;

pub use error::{HsmError, OpenError};
pub use keys::{Key, KeyFault, KeyId, KeyKind, NotAKeyId};
pub use secret::{Pin, PinError, Unwrapped};
pub use spec::{Health, Select, State, TokenSpec};
pub use token::{LONGEST, Token};
