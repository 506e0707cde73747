//! hsm
mod error;
mod keys;
mod module;
mod ops;
mod pool;
mod secret;
pub mod softhsm;
mod supervisor;
mod token;

pub use error::{HsmError, OpenError};
pub use keys::{Key, KeyFault, KeyId, KeyKind, NotAKeyId};
pub use pool::{Health, Select, State, TokenSpec};
pub use secret::{Pin, PinError, Unwrapped};
pub use token::{LONGEST, Token};
