//! Scenarios: what is rehearsed.

mod break_glass;
mod kept;

pub use break_glass::{Administrator, Names, Options, TargetAt, break_glass};
pub use kept::are_kept;
