//! Canonical JSON (FORMATS.md 1): RFC 8785 with less.
//!
//! [`parse`] takes exactly one spelling of a value and refuses every other, so that equal values
//! have equal bytes and a hash of the bytes is a hash of the meaning.

use std::collections::BTreeMap;
use std::fmt;

use unicode_normalization::is_nfc;

/// The largest integer that every JSON reader keeps exact, 2^53-1.
pub const MAX_INT: i64 = 9_007_199_254_740_991;

/// How many containers may be open at once, the outermost being the first.
pub const MAX_DEPTH: usize = 8;

/// The members of an object, in the order of their names.
pub type Object = BTreeMap<String, Value>;

/// A value that canonical JSON can hold. There is no `null` and no fraction.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Value {
    /// `true` or `false`.
    Bool(bool),
    /// An integer within ±(2^53-1).
    Int(i64),
    /// Text in NFC without the characters that FORMATS.md 1 forbids.
    Str(String),
    /// A list.
    Arr(Vec<Value>),
    /// An object; its members are distinct and sorted by construction.
    Obj(Object),
}

/// Why bytes are no canonical JSON, or why a value can't be written as such.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum JsonError {
    /// Not UTF-8.
    Utf8,
    /// No JSON at all, or `null`, at this byte.
    Syntax(usize),
    /// JSON, but not the one canonical spelling: white space, an escape that isn't needed, members out
    /// of order, a leading zero, `-0`. At this byte.
    NotCanonical(usize),
    /// A fraction, an exponent, or an integer beyond ±(2^53-1), at this byte.
    Number(usize),
    /// A string that is not NFC or has a forbidden character, ending at this byte.
    Text(usize),
    /// A member name that is not `[a-z][a-z0-9_]*`, ending at this byte.
    Member(usize),
    /// The same member twice in one object, ending at this byte.
    Repeated(usize),
    /// More than eight containers deep.
    Depth,
}

impl JsonError {
    /// The error's name in the test vectors.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::Utf8 => "utf8",
            Self::Syntax(_) => "syntax",
            Self::NotCanonical(_) => "not_canonical",
            Self::Number(_) => "number",
            Self::Text(_) => "text",
            Self::Member(_) => "member",
            Self::Repeated(_) => "repeated",
            Self::Depth => "depth",
        }
    }
}

impl fmt::Display for JsonError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Utf8 => write!(f, "not UTF-8"),
            Self::Syntax(at) => write!(f, "no JSON value at byte {at}"),
            Self::NotCanonical(at) => write!(f, "not the canonical spelling at byte {at}"),
            Self::Number(at) => write!(f, "not an integer within 2^53-1 at byte {at}"),
            Self::Text(at) => write!(f, "a forbidden character, or not NFC, before byte {at}"),
            Self::Member(at) => write!(f, "a bad member name before byte {at}"),
            Self::Repeated(at) => write!(f, "a repeated member before byte {at}"),
            Self::Depth => write!(f, "more than {MAX_DEPTH} containers deep"),
        }
    }
}

impl std::error::Error for JsonError {}

/// Reads canonical JSON.
///
/// # Errors
/// Any bytes other than the canonical spelling of a [`Value`].
pub fn parse(bytes: &[u8]) -> Result<Value, JsonError> {
    let text = std::str::from_utf8(bytes).map_err(|_| JsonError::Utf8)?;
    let mut reader = Reader { text, at: 0 };
    let value = reader.value(0)?;
    if reader.at != text.len() {
        return Err(reader.stray());
    }
    // Last, because it is the rule itself; what came before only gives better names to its breaches.
    if encode(&value) != bytes {
        return Err(JsonError::NotCanonical(0));
    }
    Ok(value)
}

/// Writes the canonical bytes of a value. A value that breaks the rules of [`check`] gives bytes that
/// [`parse`] refuses.
#[must_use]
pub fn encode(value: &Value) -> Vec<u8> {
    let mut out = String::new();
    write_value(value, &mut out);
    out.into_bytes()
}

/// Whether a value that was built, not read, keeps the rules of FORMATS.md 1.
///
/// # Errors
/// The first rule that it breaks.
pub fn check(value: &Value) -> Result<(), JsonError> {
    parse(&encode(value)).map(|_| ())
}

/// What keeps text out of canonical JSON, and what people should be shown no text with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TextFault {
    /// A control character (U+0000-001F, U+007F) or U+FEFF.
    Control,
    /// A bidirectional control (U+202A-202E, U+2066-2069): what follows it reads in another order than it is written.
    Bidirectional,
    /// Not NFC.
    NotNfc,
}

impl fmt::Display for TextFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Control => "a control character",
            Self::Bidirectional => "a character that changes the direction of writing",
            Self::NotNfc => "text that is not in Unicode NFC",
        })
    }
}

impl std::error::Error for TextFault {}

/// The first rule of FORMATS.md 1 that a string breaks, if any: NFC without control characters, bidirectional controls and U+FEFF.
#[must_use]
pub fn text_fault(text: &str) -> Option<TextFault> {
    fault_but(text, |_| false)
}

/// As [`text_fault`], for text of several lines that is no part of canonical JSON, a request's reason: LF and TAB are none.
#[must_use]
pub fn lines_fault(text: &str) -> Option<TextFault> {
    fault_but(text, |c| matches!(c, '\n' | '\t'))
}

/// Whether a string breaks no rule of FORMATS.md 1.
#[must_use]
pub fn is_clean(text: &str) -> bool {
    text_fault(text).is_none()
}

fn fault_but(text: &str, allowed: impl Fn(char) -> bool) -> Option<TextFault> {
    let fault = |c: char| forbidden(c).filter(|_| !allowed(c));
    let not_nfc = || (!is_nfc(text)).then_some(TextFault::NotNfc);
    text.chars().find_map(fault).or_else(not_nfc)
}

const fn forbidden(c: char) -> Option<TextFault> {
    match c {
        '\0'..='\u{1f}' | '\u{7f}' | '\u{feff}' => Some(TextFault::Control),
        '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => Some(TextFault::Bidirectional),
        _ => None,
    }
}

/// Whether a member name is `[a-z][a-z0-9_]*`.
fn is_member_name(name: &str) -> bool {
    name.starts_with(|c: char| c.is_ascii_lowercase())
        && name
            .bytes()
            .all(|b| matches!(b, b'a'..=b'z' | b'0'..=b'9' | b'_'))
}

impl Value {
    /// The text, if it is text.
    #[must_use]
    pub fn as_str(&self) -> Option<&str> {
        if let Self::Str(text) = self {
            Some(text)
        } else {
            None
        }
    }

    /// The integer, if it is one.
    #[must_use]
    pub const fn as_int(&self) -> Option<i64> {
        if let Self::Int(int) = self {
            Some(*int)
        } else {
            None
        }
    }

    /// The members, if it is an object.
    #[must_use]
    pub const fn as_object(&self) -> Option<&Object> {
        if let Self::Obj(members) = self {
            Some(members)
        } else {
            None
        }
    }

    /// The items, if it is a list.
    #[must_use]
    pub fn as_list(&self) -> Option<&[Self]> {
        if let Self::Arr(items) = self {
            Some(items)
        } else {
            None
        }
    }
}

fn write_value(value: &Value, out: &mut String) {
    match value {
        Value::Bool(true) => out.push_str("true"),
        Value::Bool(false) => out.push_str("false"),
        Value::Int(int) => out.push_str(&int.to_string()),
        Value::Str(text) => write_text(text, out),
        Value::Arr(items) => {
            out.push('[');
            for (i, item) in items.iter().enumerate() {
                if i > 0 {
                    out.push(',');
                }
                write_value(item, out);
            }
            out.push(']');
        }
        Value::Obj(members) => {
            out.push('{');
            for (i, (name, member)) in members.iter().enumerate() {
                if i > 0 {
                    out.push(',');
                }
                write_text(name, out);
                out.push(':');
                write_value(member, out);
            }
            out.push('}');
        }
    }
}

fn write_text(text: &str, out: &mut String) {
    out.push('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            // Forbidden anyway; escaped so that a refused value is still JSON in an error report.
            '\0'..='\u{1f}' => out.push_str(&format!("\\u{:04x}", u32::from(c))),
            _ => out.push(c),
        }
    }
    out.push('"');
}

struct Reader<'a> {
    text: &'a str,
    at: usize,
}

impl Reader<'_> {
    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn eat(&mut self, byte: u8) -> bool {
        let found = self.peek() == Some(byte);
        if found {
            self.at += 1;
        }
        found
    }

    fn want(&mut self, byte: u8) -> Result<(), JsonError> {
        if self.eat(byte) {
            Ok(())
        } else {
            Err(self.stray())
        }
    }

    /// What to call a byte that doesn't belong here.
    fn stray(&self) -> JsonError {
        match self.peek() {
            Some(b' ' | b'\t' | b'\n' | b'\r') => JsonError::NotCanonical(self.at),
            _ => JsonError::Syntax(self.at),
        }
    }

    fn value(&mut self, open: usize) -> Result<Value, JsonError> {
        match self.peek() {
            Some(b'{') => self.object(open + 1),
            Some(b'[') => self.list(open + 1),
            Some(b'"') => self.string().map(Value::Str),
            Some(b'-' | b'0'..=b'9') => self.int().map(Value::Int),
            Some(b't') => self.word("true", true),
            Some(b'f') => self.word("false", false),
            _ => Err(self.stray()),
        }
    }

    fn word(&mut self, word: &str, value: bool) -> Result<Value, JsonError> {
        if self
            .text
            .get(self.at..)
            .is_some_and(|rest| rest.starts_with(word))
        {
            self.at += word.len();
            Ok(Value::Bool(value))
        } else {
            Err(JsonError::Syntax(self.at))
        }
    }

    fn object(&mut self, open: usize) -> Result<Value, JsonError> {
        if open > MAX_DEPTH {
            return Err(JsonError::Depth);
        }
        self.want(b'{')?;
        let mut members = Object::new();
        if self.eat(b'}') {
            return Ok(Value::Obj(members));
        }
        loop {
            if self.peek() != Some(b'"') {
                return Err(self.stray());
            }
            let name = self.string()?;
            if !is_member_name(&name) {
                return Err(JsonError::Member(self.at));
            }
            if members.contains_key(&name) {
                return Err(JsonError::Repeated(self.at));
            }
            if members
                .last_key_value()
                .is_some_and(|(last, _)| *last > name)
            {
                return Err(JsonError::NotCanonical(self.at));
            }
            self.want(b':')?;
            let value = self.value(open)?;
            members.insert(name, value);
            if !self.eat(b',') {
                break;
            }
        }
        self.want(b'}')?;
        Ok(Value::Obj(members))
    }

    fn list(&mut self, open: usize) -> Result<Value, JsonError> {
        if open > MAX_DEPTH {
            return Err(JsonError::Depth);
        }
        self.want(b'[')?;
        let mut items = Vec::new();
        if self.eat(b']') {
            return Ok(Value::Arr(items));
        }
        loop {
            items.push(self.value(open)?);
            if !self.eat(b',') {
                break;
            }
        }
        self.want(b']')?;
        Ok(Value::Arr(items))
    }

    fn int(&mut self) -> Result<i64, JsonError> {
        let start = self.at;
        let negative = self.eat(b'-');
        let digits = self.at;
        while matches!(self.peek(), Some(b'0'..=b'9')) {
            self.at += 1;
        }
        if self.at == digits {
            return Err(JsonError::Syntax(self.at));
        }
        if matches!(self.peek(), Some(b'.' | b'e' | b'E')) {
            return Err(JsonError::Number(self.at));
        }
        let body = self.text.get(digits..self.at).unwrap_or_default();
        if body.starts_with('0') && (body.len() > 1 || negative) {
            return Err(JsonError::NotCanonical(start));
        }
        let size: i64 = body.parse().map_err(|_| JsonError::Number(start))?;
        if size > MAX_INT {
            return Err(JsonError::Number(start));
        }
        Ok(if negative { -size } else { size })
    }

    fn string(&mut self) -> Result<String, JsonError> {
        self.want(b'"')?;
        let mut text = String::new();
        let mut chars = self.text.get(self.at..).unwrap_or_default().char_indices();
        let start = self.at;
        while let Some((i, c)) = chars.next() {
            match c {
                '"' => {
                    self.at = start + i + 1;
                    return if is_nfc(&text) {
                        Ok(text)
                    } else {
                        Err(JsonError::Text(self.at))
                    };
                }
                '\\' => match chars.next() {
                    Some((_, escaped @ ('"' | '\\'))) => text.push(escaped),
                    _ => return Err(JsonError::NotCanonical(start + i)),
                },
                c if forbidden(c).is_some() => return Err(JsonError::Text(start + i)),
                c => text.push(c),
            }
        }
        Err(JsonError::Syntax(self.text.len()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_with_a_fault_is_named() {
        for good in [
            "",
            "INC-4127: replica stuck",
            "\u{202f}\u{200f}é中\u{1f511}",
            "\u{85}",
        ] {
            assert_eq!(
                (text_fault(good), lines_fault(good)),
                (None, None),
                "{good:?}"
            );
            assert!(is_clean(good));
        }
        let faults = [
            ("a\rb", TextFault::Control),
            ("\0", TextFault::Control),
            ("\u{1b}[2J", TextFault::Control),
            ("\u{7f}", TextFault::Control),
            ("\u{feff}a", TextFault::Control),
            ("a \u{202e}b", TextFault::Bidirectional),
            ("\u{202a}", TextFault::Bidirectional),
            ("\u{2066}a\u{2069}", TextFault::Bidirectional),
            ("e\u{301}", TextFault::NotNfc),
            ("e\u{301}\u{202e}", TextFault::Bidirectional),
        ];
        for (text, fault) in faults {
            assert_eq!(text_fault(text), Some(fault), "{text:?}");
            assert_eq!(lines_fault(text), Some(fault), "{text:?}");
            assert!(!is_clean(text));
        }
        for lines in ["two\nlines", "\ta", "\n"] {
            assert_eq!(text_fault(lines), Some(TextFault::Control));
            assert_eq!(lines_fault(lines), None);
        }
        assert_eq!(
            lines_fault("two\nlines\u{202e}"),
            Some(TextFault::Bidirectional)
        );
    }
}
