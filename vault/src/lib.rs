//! The service and the `vitrine` program: one folder per domain, each {mod = rules, store = its SQL, web = its HTTP}.
//!
//! State changes happen one way: who (an extractor type) -> decide (pure) -> record (`ledger.write`, the only
//! commit, with its entry) -> act (spends the receipt). README.md walks one release through the files.

pub mod app;
pub mod b64;
pub mod cli;
pub mod clock;
pub mod config;
pub mod connectors;
pub mod convert;
pub mod credentials;
pub mod db;
pub mod error;
pub mod errors;
pub mod fault;
pub mod http;
pub mod keys;
pub mod ledger;
pub mod pages;
pub mod people;
pub mod requests;
pub mod rotation;
pub mod safes;
pub mod script;
pub mod site;
pub mod startup;
pub mod sweeper;
pub mod touch;
pub mod who;
