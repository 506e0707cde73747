//! audit

pub mod verify;
