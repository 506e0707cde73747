//! What can be wrong with an entry: something untrue, or something this version doesn't know.

use std::borrow::Cow;

/// Why an entry isn't accepted. The words are shown to people and stay the same from release to release.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Fault {
    /// Untrue, whatever else a later version may bring.
    False(Cow<'static, str>),
    /// Not listed in version 1 of the formats.
    Unknown(Cow<'static, str>),
}

/// The outcome of one check.
pub(super) type Judged<T = ()> = Result<T, Fault>;

/// A lie in fixed words.
pub(super) fn lie(words: &'static str) -> Fault {
    Fault::False(Cow::Borrowed(words))
}

/// Something not listed, in fixed words.
pub(super) fn unknown(words: &'static str) -> Fault {
    Fault::Unknown(Cow::Borrowed(words))
}

/// `Ok` when `holds`, else the lie.
pub(super) fn hold(holds: bool, words: &'static str) -> Judged {
    if holds { Ok(()) } else { Err(lie(words)) }
}
