//! Connectors: code that talks to a kind of target. Each changes one account's credential to a value that Vitrine
//! generated, and says from the target's own record whether it holds. One file each.
//!
//! 1. What was set is what the target has, no other password gets in, and old sessions are gone
//!    (`what_is_set_is_what_the_target_has`).
//! 2. The server is the one whose pin was signed, or nothing is said to it; there is no plain text
//!    (`over_tls_the_pin_decides`).
//! 3. A login may change the one account of its target (`a_second_target_touches_nothing_of_the_first`,
//!    `the_service_login_can_do_three_things_and_no_more`), and `doctor` sees it when it may do more
//!    (`doctor_sees_what_is_too_much`).
//! 4. The server itself keeps an account for one credential, whatever spelling of its address is used, and whichever of its
//!    databases is named (`p1_the_server_keeps_an_account_in_one_place`).
//! 5. Of two sagas of one target the later ends the earlier's session (`p6_the_later_session_ends_the_former`).
//! 6. No password is sent to whoever asks, the server or what took its place (`p11_a_password_is_never_sent`).
//! 7. Nothing that a target writes gets into an entry or a page, its five characters of error code excepted.
//!
//! What no rotation sees: a login begun with the old password before the new one was set may finish after the sessions
//! were ended, within PostgreSQL's `authentication_timeout`; and whoever was a superuser while he had the password may
//! have left himself another way in.

pub mod install;
pub mod postgres;
pub mod scram;

use std::fmt;

/// What a target did not do, in words for people. Never carries a password or a verifier.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TargetError {
    /// No connection, or none in time: nothing is known to have changed.
    Unreachable(String),
    /// The server there is not the one that the signed pin names. Nothing was sent to it.
    WrongServer(String),
    /// The login was refused.
    LoginRefused(String),
    /// The target said no.
    Refused(String),
}

impl fmt::Display for TargetError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            TargetError::Unreachable(why) => write!(f, "the target does not answer ({why})"),
            TargetError::WrongServer(why) => write!(f, "the server is not the pinned one ({why})"),
            TargetError::LoginRefused(who) => write!(f, "the target refused the login {who}"),
            TargetError::Refused(why) => write!(f, "the target refused: {why}"),
        }
    }
}

impl std::error::Error for TargetError {}
