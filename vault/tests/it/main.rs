//! The service as a whole: the real program, real tokens, real databases, software keys of a drill.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    missing_docs,
    unreachable_pub
)]

#[macro_use]
mod app;
mod attacks;
mod connectors;
mod faults;
mod hardening;
mod over;
mod people;
mod program;
mod release;
mod rotation;
mod routes;
mod rows;
mod testbed;
