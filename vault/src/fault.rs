//! Fault points: places between two steps of a release or a rotation where a test kills the process.
//!
//! `VITRINE_FAULT=name` makes the process abort when it comes to that point, as `kill -9` would: nothing is
//! flushed, nothing is caught. It can only stop the service, never make it go on.

/// Dies here if the environment says so.
pub fn point(name: &str) {
    static AT: std::sync::OnceLock<Option<String>> = std::sync::OnceLock::new();
    if AT
        .get_or_init(|| std::env::var("VITRINE_FAULT").ok())
        .as_deref()
        == Some(name)
    {
        std::process::abort();
    }
}
