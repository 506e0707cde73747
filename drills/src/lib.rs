//! drills: rehearsals that play against a running Vitrine over HTTP, with software authenticators.

pub mod client;
pub mod key;
