//! Requests: filing, deciding, spending. One mechanism for every purpose. Rules without I/O.

pub mod decide;
pub mod evidence;
pub mod file;
pub mod lately;
pub mod live;
pub mod poll;
pub mod proved;
pub mod release;
pub mod settle;
pub mod shares;
pub mod site;
pub mod store;
pub mod view;
pub mod web;

use quorum::ids::RequestId;

/// Crockford's base 32, without I, L, O, U.
const CROCKFORD: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";

/// A reason is at most this many characters.
pub const REASON: usize = 500;

/// The request code for telephone use: the last 40 bits of the id, `7KQ4-M2XD`. Not secret, opens nothing.
pub fn code(request: RequestId) -> String {
    let bits = request
        .as_bytes()
        .iter()
        .skip(11)
        .fold(0_u64, |acc, b| acc << 8 | u64::from(*b));
    let mut text = String::with_capacity(9);
    for place in (0..8).rev() {
        if place == 3 {
            text.push('-');
        }
        let digit = usize::try_from(bits >> (place * 5) & 31).unwrap_or(0);
        text.push(CROCKFORD.get(digit).map_or('0', |b| char::from(*b)));
    }
    text
}

/// A code as somebody typed or heard it: whatever its case, with or without its hyphen, O for 0, I or L for 1.
pub fn read_code(text: &str) -> Option<String> {
    let mut code = String::with_capacity(9);
    for c in text.chars().filter(|c| !matches!(c, '-' | ' ')) {
        if code.len() == 4 {
            code.push('-');
        }
        code.push(match c.to_ascii_uppercase() {
            'O' => '0',
            'I' | 'L' => '1',
            c if c.is_ascii() && CROCKFORD.contains(&(c as u8)) => c,
            _ => return None,
        });
    }
    (code.len() == 9).then_some(code)
}

/// Enough have signed a release, and nobody opened it in time: once that is reached its own limit alone decides.
pub fn too_late(filed: &store::Filed, now: i64) -> bool {
    match (filed.state, filed.open_until) {
        (State::Reached, Some(until)) => until <= now,
        // The sweeper has refused it since.
        (State::Refused, until) => until.is_some(),
        _ => false,
    }
}

/// Where a request stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// Signatures are missing.
    Waiting,
    /// Enough have signed; the act has not happened.
    Reached,
    /// A release is open.
    Open,
    /// A release was given back or its time is over.
    Closed,
    /// Nothing came of it.
    Ended,
    /// The act was refused.
    Refused,
    /// An act other than a release has happened.
    Done,
}

impl State {
    /// As rows, pages and programs say it.
    pub fn as_str(self) -> &'static str {
        match self {
            State::Waiting => "waiting",
            State::Reached => "reached",
            State::Open => "open",
            State::Closed => "closed",
            State::Ended => "ended",
            State::Refused => "refused",
            State::Done => "done",
        }
    }

    /// From a row; an unknown word is no state, and nothing is allowed in it.
    pub fn of(word: &str) -> Option<State> {
        [
            State::Waiting,
            State::Reached,
            State::Open,
            State::Closed,
            State::Ended,
            State::Refused,
            State::Done,
        ]
        .into_iter()
        .find(|s| s.as_str() == word)
    }

    /// Signatures still count, and the act may still happen.
    pub fn pending(self) -> bool {
        matches!(self, State::Waiting | State::Reached)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_is_the_last_forty_bits() {
        let id =
            RequestId::from_uuid_bytes([0xff, 0xff, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x21]);
        assert_eq!(code(id), "0000-0011");
    }

    #[test]
    fn a_code_is_read_as_it_was_heard() {
        for heard in [
            "S133-N26V",
            "s133n26v",
            " S133 N26V",
            "sl33-n26v",
            "SI33N26V",
        ] {
            assert_eq!(read_code(heard).as_deref(), Some("S133-N26V"), "{heard}");
        }
        for none in [
            "",
            "S133-N26",
            "S133-N26VV",
            "S133-N26U",
            "S133-N26\u{e9}",
            "foo",
        ] {
            assert_eq!(read_code(none), None, "{none}");
        }
    }

    #[test]
    fn an_unknown_state_is_none() {
        assert_eq!(State::of("opened"), None);
    }
}
