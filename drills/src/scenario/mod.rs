//! Scenarios: what is rehearsed.

mod break_glass;

pub use break_glass::{Administrator, Names, Options, TargetAt, break_glass};
