//! Refusals as pages. What goes wrong and how HTTP says so is in `error.rs`.

pub mod view;
