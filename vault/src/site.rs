//! The pages' addresses.

use actix_web::web;

use crate::error::Words;

/// Page routes.
pub fn routes(_cfg: &mut web::ServiceConfig) {}

/// The refusal page.
pub fn refusal(words: &Words, _status: u16, reference: &str, _path: &str) -> String {
    format!("{} {} {} {reference}", words.what, words.why, words.next)
}
