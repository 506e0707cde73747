//! The ledger: what its entries say, how they are chained and signed, and how a stranger checks them.

pub mod chain;
pub mod checkpoint;
pub mod event;
pub mod export;
mod hash;
mod json;
pub mod read;
pub mod tree;
pub mod verify;
mod words;

pub use chain::{AppendError, Appended, Chain, Draft, Head, Node, leaf_hash};
pub use event::{Actor, Event};
pub use hash::{Hash, Id, Misspelt};
pub use json::Fault;
pub use words::{Thing, words, words_with};
