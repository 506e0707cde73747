//! Canonical JSON (FORMATS.md 1), read from bytes without copying them.
//!
//! The grammar leaves exactly one spelling for each value: no space, sorted distinct members, the shortest integer, `\"` and `\\` as the only
//! escapes (every other character that RFC 8785 escapes is forbidden). So a byte string that passes here is the one that re-encoding would give, and
//! no encoder is needed to compare with.

use std::borrow::Cow;

/// Containers inside one another, the outermost being 1.
const DEPTH: u8 = 8;
/// The largest magnitude of an integer: 2^53 - 1.
const INTEGER: i64 = 9_007_199_254_740_991;

/// What a value is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Object,
    Array,
    Text,
    Int,
    Bool,
}

#[derive(Clone, Copy)]
struct Node {
    /// The member's name, between its quotes; empty outside objects.
    key: (u32, u32),
    /// The value's bytes: with their brackets for containers, without their quotes for strings.
    span: (u32, u32),
    /// The node after this one and all that is in it.
    next: u32,
    kind: Kind,
    escaped: bool,
}

/// Nodes of one parsed document in the order of its bytes; kept between documents for its memory.
#[derive(Default)]
pub(super) struct Tape {
    nodes: Vec<Node>,
}

impl Tape {
    /// Reads `bytes` as canonical JSON, or says what isn't canonical.
    pub(super) fn parse<'a>(&'a mut self, bytes: &'a [u8]) -> Result<Value<'a>, &'static str> {
        self.read(bytes, false)
    }

    /// As [`Tape::parse`], with line feeds (`\n`) allowed in strings: for checkpoint lines alone.
    pub(super) fn parse_with_lines<'a>(
        &'a mut self,
        bytes: &'a [u8],
    ) -> Result<Value<'a>, &'static str> {
        self.read(bytes, true)
    }

    fn read<'a>(&'a mut self, bytes: &'a [u8], lines: bool) -> Result<Value<'a>, &'static str> {
        self.nodes.clear();
        if u32::try_from(bytes.len()).is_err() {
            return Err("too long");
        }
        let mut parser = Parser {
            bytes,
            at: 0,
            nodes: &mut self.nodes,
            lines,
        };
        parser.value((0, 0), 0)?;
        if parser.at != bytes.len() {
            return Err("bytes after the value");
        }
        Ok(Value {
            bytes,
            nodes: &self.nodes,
            at: 0,
        })
    }
}

struct Parser<'a> {
    bytes: &'a [u8],
    at: usize,
    nodes: &'a mut Vec<Node>,
    lines: bool,
}

type Parsed<T = ()> = Result<T, &'static str>;

impl Parser<'_> {
    fn peek(&self) -> Option<u8> {
        self.bytes.get(self.at).copied()
    }

    fn take(&mut self, byte: u8, otherwise: &'static str) -> Parsed {
        if self.peek() == Some(byte) {
            self.at += 1;
            Ok(())
        } else {
            Err(otherwise)
        }
    }

    /// One value. Recursion ends at [`DEPTH`].
    fn value(&mut self, key: (u32, u32), depth: u8) -> Parsed {
        match self.peek() {
            Some(b'"') => self.string(key),
            Some(b'{') => self.container(key, depth, Kind::Object),
            Some(b'[') => self.container(key, depth, Kind::Array),
            Some(b'-' | b'0'..=b'9') => self.integer(key),
            Some(b't') => self.word(key, b"true"),
            Some(b'f') => self.word(key, b"false"),
            Some(b'n') => Err("null"),
            Some(b' ' | b'\t' | b'\r' | b'\n') => Err("a space between values"),
            Some(_) => Err("not JSON"),
            None => Err("cut off"),
        }
    }

    fn push(&mut self, kind: Kind, key: (u32, u32), span: (usize, usize), escaped: bool) {
        // Lengths were checked to fit in 32 bits before the first call.
        let span = (span.0 as u32, span.1 as u32);
        let next = (self.nodes.len() as u32).saturating_add(1);
        self.nodes.push(Node {
            key,
            span,
            next,
            kind,
            escaped,
        });
    }

    fn container(&mut self, key: (u32, u32), depth: u8, kind: Kind) -> Parsed {
        if depth >= DEPTH {
            return Err("more than 8 containers deep");
        }
        let (start, own) = (self.at, self.nodes.len());
        let close = if kind == Kind::Object { b'}' } else { b']' };
        self.push(kind, key, (start, start), false);
        self.at += 1;
        if self.peek() == Some(close) {
            self.at += 1;
        } else {
            let mut last: &[u8] = b"";
            let bytes = self.bytes;
            loop {
                let mut name = (0, 0);
                if kind == Kind::Object {
                    let (from, to) = self.name()?;
                    let spelt = bytes.get(from..to).unwrap_or_default();
                    if spelt <= last {
                        return Err("members out of order or twice");
                    }
                    last = spelt;
                    name = (from as u32, to as u32);
                }
                self.value(name, depth + 1)?;
                match self.peek() {
                    Some(b',') => self.at += 1,
                    Some(byte) if byte == close => {
                        self.at += 1;
                        break;
                    }
                    Some(b' ' | b'\t' | b'\r' | b'\n') => return Err("a space between values"),
                    Some(_) => return Err("not JSON"),
                    None => return Err("cut off"),
                }
            }
        }
        let (end, next) = (self.at as u32, self.nodes.len() as u32);
        if let Some(node) = self.nodes.get_mut(own) {
            node.span.1 = end;
            node.next = next;
        }
        Ok(())
    }

    /// A member's name and its colon.
    fn name(&mut self) -> Parsed<(usize, usize)> {
        self.take(b'"', "not JSON")?;
        let start = self.at;
        let rest = self.bytes.get(start..).unwrap_or_default();
        let len = rest
            .iter()
            .position(|b| !matches!(b, b'a'..=b'z' | b'0'..=b'9' | b'_'))
            .unwrap_or(rest.len());
        if !rest.first().is_some_and(u8::is_ascii_lowercase) {
            return Err("a member name that no member may have");
        }
        self.at = start + len;
        self.take(b'"', "a member name that no member may have")?;
        self.take(b':', "not JSON")?;
        Ok((start, start + len))
    }

    fn integer(&mut self, key: (u32, u32)) -> Parsed {
        let start = self.at;
        let negative = self.peek() == Some(b'-');
        if negative {
            self.at += 1;
        }
        let digits = self.at;
        let mut value: i64 = 0;
        while let Some(digit @ b'0'..=b'9') = self.peek() {
            value = value
                .saturating_mul(10)
                .saturating_add(i64::from(digit - b'0'));
            self.at += 1;
        }
        let (first, len) = (self.bytes.get(digits), self.at - digits);
        if len == 0 {
            return Err("not JSON");
        }
        if first == Some(&b'0') && (len > 1 || negative) {
            return Err("a leading zero or a negative zero");
        }
        if value > INTEGER {
            return Err("an integer beyond 2^53 - 1");
        }
        if let Some(b'.' | b'e' | b'E') = self.peek() {
            return Err("a number that is no integer");
        }
        self.push(Kind::Int, key, (start, self.at), false);
        Ok(())
    }

    fn word(&mut self, key: (u32, u32), word: &[u8]) -> Parsed {
        let (start, end) = (self.at, self.at + word.len());
        if self.bytes.get(start..end) != Some(word) {
            return Err("not JSON");
        }
        self.at = end;
        self.push(Kind::Bool, key, (start, end), false);
        Ok(())
    }

    fn string(&mut self, key: (u32, u32)) -> Parsed {
        self.at += 1;
        let start = self.at;
        let (mut escaped, mut ascii) = (false, true);
        loop {
            self.skip_plain();
            match self.peek() {
                Some(b'"') => break,
                Some(b'\\') => {
                    escaped = true;
                    match self.bytes.get(self.at + 1) {
                        Some(b'"' | b'\\') => self.at += 2,
                        Some(b'n') if self.lines => self.at += 2,
                        _ => {
                            return Err(
                                "an escape that is not needed or stands for a forbidden character",
                            );
                        }
                    }
                }
                Some(0..=0x1f | 0x7f) => return Err("a control character"),
                Some(0x80..) => {
                    ascii = false;
                    self.at += 1;
                }
                Some(_) => self.at += 1,
                None => return Err("cut off"),
            }
        }
        let end = self.at;
        if !ascii {
            beyond_ascii(self.bytes.get(start..end).unwrap_or_default())?;
        }
        self.at += 1;
        self.push(Kind::Text, key, (start, end), escaped);
        Ok(())
    }

    /// Moves past characters that need no look, eight at a time.
    fn skip_plain(&mut self) {
        const ONES: u64 = 0x0101_0101_0101_0101;
        const HIGH: u64 = 0x8080_8080_8080_8080;
        while let Some(eight) = self
            .bytes
            .get(self.at..)
            .and_then(|rest| rest.first_chunk::<8>())
        {
            let w = u64::from_le_bytes(*eight);
            // The lowest set bit is right in each of these; higher ones may be borrows, and don't matter.
            let is = |byte: u64| {
                let x = w ^ (ONES * byte);
                x.wrapping_sub(ONES) & !x
            };
            let below_space = w.wrapping_sub(ONES * 0x20) & !w;
            let found = (below_space | is(0x22) | is(0x5c) | is(0x7f) | w) & HIGH;
            if found != 0 {
                self.at += (found.trailing_zeros() / 8) as usize;
                return;
            }
            self.at += 8;
        }
    }
}

/// The rules for text that isn't ASCII. Escapes don't disturb them: neither `"` nor `\` composes with anything.
fn beyond_ascii(bytes: &[u8]) -> Parsed {
    let text = std::str::from_utf8(bytes).map_err(|_| "text that is not UTF-8")?;
    if text
        .chars()
        .any(|c| matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}'))
    {
        return Err("a bidirectional control or U+FEFF");
    }
    if unicode_normalization::is_nfc(text) {
        Ok(())
    } else {
        Err("text that is not in NFC")
    }
}

/// A value in a parsed document.
#[derive(Clone, Copy)]
pub(super) struct Value<'a> {
    bytes: &'a [u8],
    nodes: &'a [Node],
    at: usize,
}

impl<'a> Value<'a> {
    fn node(self) -> Option<&'a Node> {
        self.nodes.get(self.at)
    }

    fn cut(self, (from, to): (u32, u32)) -> &'a [u8] {
        self.bytes
            .get(from as usize..to as usize)
            .unwrap_or_default()
    }

    /// What it is.
    pub(super) fn kind(self) -> Kind {
        self.node().map_or(Kind::Bool, |n| n.kind)
    }

    /// Its bytes: containers with their brackets, strings without their quotes and as spelt.
    pub(super) fn raw(self) -> &'a [u8] {
        self.node().map_or(b"", |n| self.cut(n.span))
    }

    /// Members of an object or items of an array, the names of items being empty.
    pub(super) fn children(self) -> Children<'a> {
        let (at, end) = match self.node() {
            Some(n) if matches!(n.kind, Kind::Object | Kind::Array) => {
                (self.at + 1, n.next as usize)
            }
            _ => (0, 0),
        };
        Children { of: self, at, end }
    }

    /// The member of that name.
    pub(super) fn get(self, name: &str) -> Option<Value<'a>> {
        if self.kind() != Kind::Object {
            return None;
        }
        self.children()
            .find(|(key, _)| *key == name.as_bytes())
            .map(|(_, value)| value)
    }

    /// The integer.
    pub(super) fn int(self) -> Option<i64> {
        if self.kind() != Kind::Int {
            return None;
        }
        let (digits, negative) = match self.raw().split_first() {
            Some((b'-', digits)) => (digits, true),
            _ => (self.raw(), false),
        };
        // At most sixteen digits were let in.
        let value = digits.iter().fold(0_i64, |sum, digit| {
            sum.wrapping_mul(10)
                .wrapping_add(i64::from(digit.wrapping_sub(b'0')))
        });
        Some(if negative { -value } else { value })
    }

    /// `true` or `false`.
    pub(super) fn flag(self) -> Option<bool> {
        (self.kind() == Kind::Bool).then(|| self.raw() == b"true")
    }

    /// The string's bytes where its spelling holds no escape: words, ids, hashes and base64 never do.
    pub(super) fn plain(self) -> Option<&'a [u8]> {
        let node = self.node()?;
        (node.kind == Kind::Text && !node.escaped).then(|| self.cut(node.span))
    }

    /// The string's bytes.
    pub(super) fn unescaped(self) -> Option<Cow<'a, [u8]>> {
        let node = self.node()?;
        if node.kind != Kind::Text {
            return None;
        }
        let raw = self.cut(node.span);
        if !node.escaped {
            return Some(Cow::Borrowed(raw));
        }
        let mut out = Vec::with_capacity(raw.len());
        let mut bytes = raw;
        while let Some(at) = bytes.iter().position(|b| *b == b'\\') {
            let (before, rest) = bytes.split_at(at);
            out.extend_from_slice(before);
            match rest {
                [_, b'n', after @ ..] => {
                    out.push(b'\n');
                    bytes = after;
                }
                [_, other, after @ ..] => {
                    out.push(*other);
                    bytes = after;
                }
                _ => bytes = b"",
            }
        }
        out.extend_from_slice(bytes);
        Some(Cow::Owned(out))
    }

    /// The string.
    pub(super) fn text(self) -> Option<String> {
        String::from_utf8(self.unescaped()?.into_owned()).ok()
    }

    /// The string's length in code points.
    pub(super) fn code_points(self) -> Option<usize> {
        let node = self.node()?;
        if node.kind != Kind::Text {
            return None;
        }
        let count = |bytes: &[u8]| bytes.iter().filter(|b| **b & 0xc0 != 0x80).count();
        if node.escaped {
            return self.unescaped().map(|bytes| count(&bytes));
        }
        Some(count(self.cut(node.span)))
    }
}

/// An iterator over what a container holds.
pub(super) struct Children<'a> {
    of: Value<'a>,
    at: usize,
    end: usize,
}

impl<'a> Iterator for Children<'a> {
    type Item = (&'a [u8], Value<'a>);

    fn next(&mut self) -> Option<Self::Item> {
        if self.at >= self.end {
            return None;
        }
        let node = self.of.nodes.get(self.at)?;
        let value = Value {
            at: self.at,
            ..self.of
        };
        self.at = node.next as usize;
        Some((self.of.cut(node.key), value))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing)]
    use super::*;

    fn why(text: &str) -> &'static str {
        Tape::default().parse(text.as_bytes()).err().unwrap()
    }

    #[test]
    fn reads_what_is_canonical() {
        let text = r#"{"a":[1,-2,0,9007199254740991],"b":{"c_1":"x\"y\\z","d":"é"},"e":true,"f":false,"g":{},"h":[]}"#;
        let mut tape = Tape::default();
        let doc = tape.parse(text.as_bytes()).unwrap();
        let a: Vec<_> = doc
            .get("a")
            .unwrap()
            .children()
            .map(|(_, v)| v.int().unwrap())
            .collect();
        assert_eq!(a, [1, -2, 0, 9_007_199_254_740_991]);
        let b = doc.get("b").unwrap();
        assert_eq!(b.raw(), r#"{"c_1":"x\"y\\z","d":"é"}"#.as_bytes());
        assert_eq!(b.get("c_1").unwrap().text().unwrap(), "x\"y\\z");
        assert_eq!(b.get("c_1").unwrap().code_points(), Some(5));
        assert_eq!(b.get("d").unwrap().code_points(), Some(1));
        assert_eq!(doc.get("e").unwrap().flag(), Some(true));
        assert_eq!(doc.get("f").unwrap().flag(), Some(false));
        assert_eq!(doc.get("g").unwrap().children().count(), 0);
        assert_eq!(doc.children().count(), 6);
        assert!(doc.get("c_1").is_none());
    }

    #[test]
    fn refuses_every_other_spelling() {
        for text in [
            "",
            " 1",
            "1 ",
            "01",
            "-0",
            "00",
            "1.0",
            "1e3",
            "-",
            "+1",
            "9007199254740992",
            "-9007199254740992",
            "99999999999999999999999999",
            "null",
            "nul",
            "tru",
            "True",
            "'a'",
            "\"",
            "\"a",
            "\"\\u0041\"",
            "\"\\/\"",
            "\"\\n\"",
            "\"\\",
            "\"a\tb\"",
            "\"\u{7f}\"",
            "\"\u{202a}\"",
            "\"\u{2069}\"",
            "\"\u{feff}\"",
            "\"e\u{301}\"",
            "{",
            "[",
            "{}}",
            "[1,]",
            "[,1]",
            "[1 ,2]",
            "{\"a\":1,}",
            "{\"b\":1,\"a\":2}",
            "{\"a\":1,\"a\":1}",
            "{\"A\":1}",
            "{\"\":1}",
            "{\"1a\":1}",
            "{\"a\\\"\":1}",
            "{\"a\" :1}",
            "{\"a\": 1}",
            "{\"a\"}",
            "{a:1}",
            "\u{feff}1",
            "[[[[[[[[[]]]]]]]]]",
            "1\n",
            "é",
        ] {
            assert!(Tape::default().parse(text.as_bytes()).is_err(), "{text:?}");
        }
        assert!(Tape::default().parse(b"\"\xff\"").is_err());
        assert!(Tape::default().parse(b"\"\xed\xa0\x80\"").is_err());
        assert_eq!(why("[[[[[[[[[1]]]]]]]]]"), "more than 8 containers deep");
        assert!(Tape::default().parse(b"[[[[[[[[1]]]]]]]]").is_ok());
    }

    #[test]
    fn specials_are_found_at_every_place_of_a_word() {
        for at in 0..40 {
            for bad in [0_u8, 0x1f, 0x7f, b'\n'] {
                let mut text = vec![b'x'; 40];
                text[at] = bad;
                let text = [b"\"", text.as_slice(), b"\""].concat();
                assert!(Tape::default().parse(&text).is_err(), "{bad} at {at}");
            }
            let plain = [b"\"", vec![b' '; at].as_slice(), b"\""].concat();
            assert!(Tape::default().parse(&plain).is_ok());
        }
    }

    #[test]
    fn lines_only_where_asked_for() {
        let mut tape = Tape::default();
        let doc = tape.parse_with_lines(br#"{"note":"a\nb"}"#).unwrap();
        assert_eq!(doc.get("note").unwrap().text().unwrap(), "a\nb");
    }

    proptest::proptest! {
        #[test]
        fn never_panics(bytes in proptest::collection::vec(proptest::prelude::any::<u8>(), 0..64)) {
            let _ = Tape::default().parse(&bytes);
        }

        /// Against a parser and an encoder written by others: what is accepted here, they read, and write back as the same bytes.
        #[test]
        fn accepts_only_what_re_encodes_to_itself(text in r#"[\[\]{}",:0-9a-c\\.\-tfrue ]{0,24}"#) {
            if Tape::default().parse(text.as_bytes()).is_ok() {
                let value: serde_json::Value = serde_json::from_str(&text).unwrap();
                proptest::prop_assert_eq!(serde_json::to_string(&value).unwrap(), text);
            }
        }
    }
}
