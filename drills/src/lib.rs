//! drills: rehearsals that play against a running Vitrine over HTTP, with software authenticators.

pub mod client;
pub mod key;
pub mod narrator;
pub mod psql;
mod report;
pub mod scenario;

pub use report::{Outcome, Report, Step};
