//! quorum: what people sign, and what their signatures add up to.

#[cfg(test)]
extern crate self as quorum;

pub mod assertion;
#[allow(dead_code)]
pub mod field;
#[allow(dead_code)]
pub mod hash;
pub mod ids;
pub mod json;
pub mod roster;
pub mod secret;
pub mod statement;

pub use hash::{Hash, labelled};
