//! quorum: what people sign, and what their signatures add up to.

#[cfg(test)]
extern crate self as quorum;

pub mod assertion;
mod client_data;
pub mod decision;
pub mod entry;
pub mod evidence;
pub mod field;
pub mod hash;
pub mod ids;
pub mod json;
pub mod people;
pub mod roster;
pub mod secret;
pub mod statement;
#[cfg(test)]
#[path = "../tests/support/world.rs"]
mod world;

pub use hash::{Hash, labelled};
