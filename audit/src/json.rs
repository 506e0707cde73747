//! Canonical JSON (FORMATS.md 1), written straight into bytes. An encoder only: the reader that judges is the verifier's own.
//!
//! Appends dominate the service's CPU, so members are written in their sorted order as they come (checked in debug builds) and nothing is
//! built up first. The first fault is kept and everything after it is in vain: a caller asks once, at the end.

use crate::{Hash, Id};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use unicode_normalization::is_nfc;

/// The largest integer that every JSON reader holds exactly: 2^53 - 1.
pub(crate) const MAX_INTEGER: i64 = (1 << 53) - 1;
/// Containers within containers, the outermost being 1.
const MAX_DEPTH: u8 = 8;

/// Why a value cannot stand in an entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// The string is not Unicode NFC.
    NotNfc,
    /// The string has a control character, a bidirectional control or U+FEFF.
    Character(char),
    /// The string is empty or longer than 200 code points.
    Length,
    /// The integer is outside what the format allows for this member.
    Number,
    /// The list is empty, too long, repeats itself or is not ascending.
    List,
    /// The bytes are not of the length this member has, or the text not of its shape.
    Shape,
    /// More than 8 containers deep.
    Depth,
}

impl std::fmt::Display for Fault {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Fault::NotNfc => f.write_str("is not Unicode NFC"),
            Fault::Character(c) => write!(f, "has the forbidden character U+{:04X}", u32::from(*c)),
            Fault::Length => f.write_str("is not 1 to 200 characters long"),
            Fault::Number => f.write_str("is out of range"),
            Fault::List => f.write_str("is empty, too long, out of order or repeats itself"),
            Fault::Shape => f.write_str("has not the shape the format asks for"),
            Fault::Depth => f.write_str("is nested too deeply"),
        }
    }
}

/// Canonical bytes in the making.
pub(crate) struct Json {
    out: Vec<u8>,
    depth: u8,
    member: &'static str,
    fault: Option<(&'static str, Fault)>,
}

impl Json {
    pub(crate) fn with_capacity(bytes: usize) -> Self {
        Json {
            out: Vec::with_capacity(bytes),
            depth: 0,
            member: "",
            fault: None,
        }
    }

    /// The bytes, or the first member that could not be written and why.
    pub(crate) fn finish(self) -> Result<Vec<u8>, (&'static str, Fault)> {
        match self.fault {
            None => Ok(self.out),
            Some(fault) => Err(fault),
        }
    }

    pub(crate) fn refuse(&mut self, fault: Fault) {
        if self.fault.is_none() {
            self.fault = Some((self.member, fault));
        }
    }

    fn open(&mut self, bracket: u8) {
        self.depth = self.depth.saturating_add(1);
        if self.depth > MAX_DEPTH {
            self.refuse(Fault::Depth);
        }
        self.out.push(bracket);
    }

    fn close(&mut self, bracket: u8) {
        self.depth = self.depth.saturating_sub(1);
        self.out.push(bracket);
    }

    pub(crate) fn object(&mut self, members: impl FnOnce(&mut Object<'_>)) {
        self.open(b'{');
        members(&mut Object {
            json: self,
            last: "",
        });
        self.close(b'}');
    }

    pub(crate) fn array<T>(
        &mut self,
        items: impl IntoIterator<Item = T>,
        mut write: impl FnMut(&mut Self, T),
    ) {
        self.open(b'[');
        for (i, item) in items.into_iter().enumerate() {
            if i > 0 {
                self.out.push(b',');
            }
            write(self, item);
        }
        self.close(b']');
    }

    /// A string of any length.
    pub(crate) fn string(&mut self, text: &str) {
        self.escaped(text, false);
    }

    /// A string in which LF is allowed (the notes of `checkpoints.jsonl`).
    pub(crate) fn note(&mut self, text: &str) {
        self.escaped(text, true);
    }

    fn escaped(&mut self, text: &str, line_feeds: bool) {
        self.out.push(b'"');
        let (mut rest, mut ascii) = (text.as_bytes(), true);
        while let Some(at) = rest.iter().position(|&b| {
            ascii &= b < 0x80;
            b < 0x20 || b == b'"' || b == b'\\' || b == 0x7f
        }) {
            let (plain, special) = rest.split_at(at);
            self.out.extend_from_slice(plain);
            match special.first() {
                Some(b'\n') if line_feeds => self.out.extend_from_slice(b"\\n"),
                Some(&b) if b == b'"' || b == b'\\' => self.out.extend_from_slice(&[b'\\', b]),
                Some(&b) => self.refuse(Fault::Character(char::from(b))),
                None => {}
            }
            rest = special.get(1..).unwrap_or_default();
        }
        self.out.extend_from_slice(rest);
        if !ascii {
            self.refuse_odd_unicode(text);
        }
        self.out.push(b'"');
    }

    #[cold]
    fn refuse_odd_unicode(&mut self, text: &str) {
        if let Some(c) = text
            .chars()
            .find(|c| matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}'))
        {
            self.refuse(Fault::Character(c));
        }
        if !is_nfc(text) {
            self.refuse(Fault::NotNfc);
        }
    }

    /// A string of 1 to 200 code points.
    pub(crate) fn short(&mut self, text: &str) {
        if text.is_empty() || (text.len() > 200 && text.chars().count() > 200) {
            self.refuse(Fault::Length);
        }
        self.string(text);
    }

    pub(crate) fn integer(&mut self, value: i64) {
        if !(-MAX_INTEGER..=MAX_INTEGER).contains(&value) {
            self.refuse(Fault::Number);
        }
        let mut digits = [0_u8; 20];
        let mut left = value.unsigned_abs();
        let mut used = 0;
        for place in digits.iter_mut().rev() {
            *place = b'0' + u8::try_from(left % 10).unwrap_or_default();
            left /= 10;
            used += 1;
            if left == 0 {
                break;
            }
        }
        if value < 0 {
            self.out.push(b'-');
        }
        self.out
            .extend_from_slice(digits.get(digits.len() - used..).unwrap_or_default());
    }

    /// An integer not below `least`.
    pub(crate) fn counting(&mut self, least: u64, value: u64) {
        if value < least {
            self.refuse(Fault::Number);
        }
        self.integer(i64::try_from(value).unwrap_or(i64::MAX));
    }

    pub(crate) fn hash(&mut self, hash: &Hash) {
        let mut digits = [0; 64];
        if hex::encode_to_slice(hash.0, &mut digits).is_err() {
            self.refuse(Fault::Shape);
        }
        self.raw_string(&digits);
    }

    pub(crate) fn id(&mut self, id: Id) {
        self.raw_string(&id.text());
    }

    /// Bytes as base64url without padding.
    pub(crate) fn binary(&mut self, bytes: &[u8]) {
        self.out.push(b'"');
        let start = self.out.len();
        self.out.resize(start + bytes.len().div_ceil(3) * 4, 0);
        let place = self.out.get_mut(start..).unwrap_or_default();
        match URL_SAFE_NO_PAD.encode_slice(bytes, place) {
            Ok(written) => self.out.truncate(start + written),
            Err(_) => self.refuse(Fault::Shape),
        }
        self.out.push(b'"');
    }

    /// ASCII that needs no escape.
    fn raw_string(&mut self, text: &[u8]) {
        self.out.push(b'"');
        self.out.extend_from_slice(text);
        self.out.push(b'"');
    }
}

/// The members of one object, in ascending order of their names.
pub(crate) struct Object<'a> {
    json: &'a mut Json,
    last: &'static str,
}

impl Object<'_> {
    /// Writes the name and gives the encoder for the value.
    pub(crate) fn member(&mut self, name: &'static str) -> &mut Json {
        debug_assert!(self.last < name, "{name} after {}", self.last);
        if !self.last.is_empty() {
            self.json.out.push(b',');
        }
        self.last = name;
        self.json.raw_string(name.as_bytes());
        self.json.out.push(b':');
        self.json.member = name;
        self.json
    }

    pub(crate) fn short(&mut self, name: &'static str, text: &str) {
        self.member(name).short(text);
    }

    /// A word of a closed list.
    pub(crate) fn word(&mut self, name: &'static str, word: &'static str) {
        self.member(name).raw_string(word.as_bytes());
    }

    pub(crate) fn boolean(&mut self, name: &'static str, value: bool) {
        let text: &[u8] = if value { b"true" } else { b"false" };
        self.member(name).out.extend_from_slice(text);
    }

    /// An integer from 1.
    pub(crate) fn number(&mut self, name: &'static str, value: u64) {
        self.member(name).counting(1, value);
    }

    /// An integer from 0.
    pub(crate) fn zero_up(&mut self, name: &'static str, value: u64) {
        self.member(name).counting(0, value);
    }

    /// Microseconds since 1970 UTC.
    pub(crate) fn time(&mut self, name: &'static str, micros: i64) {
        self.member(name).integer(micros);
    }

    pub(crate) fn hash(&mut self, name: &'static str, hash: &Hash) {
        self.member(name).hash(hash);
    }

    pub(crate) fn id(&mut self, name: &'static str, id: Id) {
        self.member(name).id(id);
    }

    pub(crate) fn binary(&mut self, name: &'static str, bytes: &[u8]) {
        self.member(name).binary(bytes);
    }

    pub(crate) fn object(&mut self, name: &'static str, members: impl FnOnce(&mut Object<'_>)) {
        self.member(name).object(members);
    }

    /// Ids that must be distinct.
    pub(crate) fn ids(&mut self, name: &'static str, ids: &[Id]) {
        let json = self.member(name);
        if repeats(ids) {
            json.refuse(Fault::List);
        }
        json.array(ids, |json, id| json.id(*id));
    }

    /// Strings of 1 to 200 that must be distinct.
    pub(crate) fn shorts(&mut self, name: &'static str, texts: &[String]) {
        let json = self.member(name);
        if repeats(texts) {
            json.refuse(Fault::List);
        }
        json.array(texts, |json, text| json.short(text));
    }

    /// Strictly ascending sequence numbers.
    pub(crate) fn seqs(&mut self, name: &'static str, seqs: &[u64]) {
        let json = self.member(name);
        if !seqs.is_sorted_by(|a, b| a < b) {
            json.refuse(Fault::List);
        }
        json.array(seqs, |json, seq| json.counting(0, *seq));
    }
}

/// Whether a list names one thing twice. Lists here are short (100 approvers at most), so comparing pairs beats sorting.
pub(crate) fn repeats<T: PartialEq>(items: &[T]) -> bool {
    items
        .iter()
        .enumerate()
        .any(|(i, item)| items.iter().skip(i + 1).any(|other| other == item))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing)]
    use super::*;
    use proptest::prelude::*;

    fn written(write: impl FnOnce(&mut Json)) -> Result<String, Fault> {
        let mut json = Json::with_capacity(16);
        write(&mut json);
        json.finish()
            .map(|bytes| String::from_utf8(bytes).unwrap())
            .map_err(|(_, fault)| fault)
    }

    #[test]
    fn strings_are_escaped_as_rfc_8785_says() {
        assert_eq!(
            written(|j| j.string(r#"a"b\c/é"#)).unwrap(),
            r#""a\"b\\c/é""#
        );
        assert_eq!(written(|j| j.note("a\nb")).unwrap(), r#""a\nb""#);
    }

    #[test]
    fn forbidden_strings_are_refused() {
        for c in [
            '\0', '\n', '\u{1f}', '\u{7f}', '\u{202a}', '\u{202e}', '\u{2066}', '\u{2069}',
            '\u{feff}',
        ] {
            assert_eq!(
                written(|j| j.string(&format!("é{c}"))),
                Err(Fault::Character(c))
            );
        }
        assert_eq!(written(|j| j.string("e\u{301}")), Err(Fault::NotNfc));
        assert_eq!(written(|j| j.note("\r")), Err(Fault::Character('\r')));
        assert_eq!(written(|j| j.short("")), Err(Fault::Length));
        assert_eq!(
            written(|j| j.short(&"é".repeat(200)))
                .unwrap()
                .chars()
                .count(),
            202
        );
        assert_eq!(written(|j| j.short(&"é".repeat(201))), Err(Fault::Length));
    }

    #[test]
    fn the_ninth_container_is_refused() {
        fn nest(json: &mut Json, left: u8) {
            json.array((left > 1).then_some(()), |json, ()| nest(json, left - 1));
        }
        assert_eq!(written(|j| nest(j, 8)).unwrap(), "[[[[[[[[]]]]]]]]");
        assert_eq!(written(|j| nest(j, 9)), Err(Fault::Depth));
    }

    #[test]
    fn integers_stay_exact() {
        for n in [0, 1, -1, 9, 10, -10, MAX_INTEGER, -MAX_INTEGER] {
            assert_eq!(written(|j| j.integer(n)).unwrap(), n.to_string());
        }
        for n in [MAX_INTEGER + 1, -MAX_INTEGER - 1, i64::MAX, i64::MIN] {
            assert_eq!(written(|j| j.integer(n)), Err(Fault::Number));
        }
        assert_eq!(written(|j| j.counting(1, 0)), Err(Fault::Number));
        assert_eq!(written(|j| j.counting(0, u64::MAX)), Err(Fault::Number));
    }

    proptest! {
        #[test]
        fn what_is_written_reads_back(text in ".{0,40}", bytes: Vec<u8>, n in -MAX_INTEGER..=MAX_INTEGER) {
            if let Ok(json) = written(|j| j.string(&text)) {
                prop_assert_eq!(serde_json::from_str::<String>(&json).unwrap(), text);
            }
            let json = written(|j| j.binary(&bytes)).unwrap();
            prop_assert_eq!(URL_SAFE_NO_PAD.decode(json.trim_matches('"')).unwrap(), bytes);
            prop_assert_eq!(written(|j| j.integer(n)).unwrap(), n.to_string());
        }
    }
}
