//! A reader for `client_data_json`: one JSON object as browsers write it (RFC 8259), without a
//! repeated member anywhere. It keeps only what the rules ask about, and no nesting can exhaust the stack.

use std::collections::BTreeSet;

/// What the rules ask about.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct ClientData {
    pub(crate) kind: Option<Scalar>,
    pub(crate) challenge: Option<Scalar>,
    pub(crate) origin: Option<Scalar>,
    pub(crate) cross_origin: Option<Scalar>,
    /// Whether there is a `topOrigin`, whatever its value.
    pub(crate) top_origin: bool,
}

/// The value of a member of the outermost object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Scalar {
    Text(String),
    False,
    Other,
}

/// The bytes are not one UTF-8 JSON object without repeated members.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Malformed;

/// Reads the bytes.
pub(crate) fn read(bytes: &[u8]) -> Result<ClientData, Malformed> {
    let text = std::str::from_utf8(bytes).map_err(|_| Malformed)?;
    let mut reader = Reader {
        bytes: text.as_bytes(),
        text,
        at: 0,
    };
    let data = reader.document()?;
    if reader.at == bytes.len() {
        Ok(data)
    } else {
        Err(Malformed)
    }
}

/// A container that is open.
enum Open {
    Object(BTreeSet<String>),
    List,
}

struct Reader<'a> {
    bytes: &'a [u8],
    text: &'a str,
    at: usize,
}

impl Reader<'_> {
    fn peek(&self) -> Option<u8> {
        self.bytes.get(self.at).copied()
    }

    fn space(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\t' | b'\n' | b'\r')) {
            self.at += 1;
        }
    }

    /// Eats the byte, if it comes next after white space.
    fn eat(&mut self, byte: u8) -> bool {
        self.space();
        let found = self.peek() == Some(byte);
        if found {
            self.at += 1;
        }
        found
    }

    fn want(&mut self, byte: u8) -> Result<(), Malformed> {
        if self.eat(byte) {
            Ok(())
        } else {
            Err(Malformed)
        }
    }

    fn document(&mut self) -> Result<ClientData, Malformed> {
        let mut data = ClientData::default();
        self.want(b'{')?;
        let mut open = vec![Open::Object(BTreeSet::new())];
        // True right after a container was opened: it may close at once.
        let mut fresh = true;
        while let Some(container) = open.last_mut() {
            let end = match container {
                Open::Object(_) => b'}',
                Open::List => b']',
            };
            if self.eat(end) {
                open.pop();
                fresh = false;
                continue;
            }
            if !fresh {
                self.want(b',')?;
            }
            let mut name = None;
            if let Open::Object(names) = container {
                self.space();
                let member = self.string()?;
                if !names.insert(member.clone()) {
                    return Err(Malformed);
                }
                self.want(b':')?;
                name = Some(member);
            }
            self.space();
            let outermost = open.len() == 1;
            let value = match self.peek() {
                Some(b'{') => {
                    self.at += 1;
                    open.push(Open::Object(BTreeSet::new()));
                    fresh = true;
                    Scalar::Other
                }
                Some(b'[') => {
                    self.at += 1;
                    open.push(Open::List);
                    fresh = true;
                    Scalar::Other
                }
                _ => {
                    fresh = false;
                    self.scalar()?
                }
            };
            if outermost {
                data.note(name.as_deref(), value);
            }
        }
        self.space();
        Ok(data)
    }

    fn scalar(&mut self) -> Result<Scalar, Malformed> {
        match self.peek() {
            Some(b'"') => self.string().map(Scalar::Text),
            Some(b't') => self.word("true").map(|()| Scalar::Other),
            Some(b'f') => self.word("false").map(|()| Scalar::False),
            Some(b'n') => self.word("null").map(|()| Scalar::Other),
            Some(b'-' | b'0'..=b'9') => self.number().map(|()| Scalar::Other),
            _ => Err(Malformed),
        }
    }

    fn word(&mut self, word: &str) -> Result<(), Malformed> {
        let rest = self.text.get(self.at..).ok_or(Malformed)?;
        if !rest.starts_with(word) {
            return Err(Malformed);
        }
        self.at += word.len();
        Ok(())
    }

    fn digits(&mut self) -> usize {
        let start = self.at;
        while matches!(self.peek(), Some(b'0'..=b'9')) {
            self.at += 1;
        }
        self.at - start
    }

    /// `-? (0 | [1-9][0-9]*) (. [0-9]+)? ([eE] [+-]? [0-9]+)?`; the value is nobody's concern.
    fn number(&mut self) -> Result<(), Malformed> {
        if self.peek() == Some(b'-') {
            self.at += 1;
        }
        let zero = self.peek() == Some(b'0');
        let digits = self.digits();
        if digits == 0 || (zero && digits > 1) {
            return Err(Malformed);
        }
        if self.peek() == Some(b'.') {
            self.at += 1;
            if self.digits() == 0 {
                return Err(Malformed);
            }
        }
        if matches!(self.peek(), Some(b'e' | b'E')) {
            self.at += 1;
            if matches!(self.peek(), Some(b'+' | b'-')) {
                self.at += 1;
            }
            if self.digits() == 0 {
                return Err(Malformed);
            }
        }
        Ok(())
    }

    fn string(&mut self) -> Result<String, Malformed> {
        if self.peek() != Some(b'"') {
            return Err(Malformed);
        }
        self.at += 1;
        let mut out = String::new();
        loop {
            let rest = self.text.get(self.at..).ok_or(Malformed)?;
            let c = rest.chars().next().ok_or(Malformed)?;
            self.at += c.len_utf8();
            match c {
                '"' => return Ok(out),
                '\\' => out.push(self.escape()?),
                '\0'..='\u{1f}' => return Err(Malformed),
                c => out.push(c),
            }
        }
    }

    fn escape(&mut self) -> Result<char, Malformed> {
        let c = self.peek().ok_or(Malformed)?;
        self.at += 1;
        Ok(match c {
            b'"' => '"',
            b'\\' => '\\',
            b'/' => '/',
            b'b' => '\u{8}',
            b'f' => '\u{c}',
            b'n' => '\n',
            b'r' => '\r',
            b't' => '\t',
            b'u' => return self.unicode(),
            _ => return Err(Malformed),
        })
    }

    /// After `\u`: one code unit, or a surrogate pair. Half a pair is no text.
    fn unicode(&mut self) -> Result<char, Malformed> {
        let first = self.unit()?;
        if !(0xd800..0xe000).contains(&first) {
            return char::from_u32(first).ok_or(Malformed);
        }
        if first >= 0xdc00 || self.text.get(self.at..self.at + 2) != Some("\\u") {
            return Err(Malformed);
        }
        self.at += 2;
        let second = self.unit()?;
        if !(0xdc00..0xe000).contains(&second) {
            return Err(Malformed);
        }
        char::from_u32(0x1_0000 + ((first - 0xd800) << 10) + (second - 0xdc00)).ok_or(Malformed)
    }

    fn unit(&mut self) -> Result<u32, Malformed> {
        let digits = self.text.get(self.at..self.at + 4).ok_or(Malformed)?;
        if !digits.bytes().all(|b| b.is_ascii_hexdigit()) {
            return Err(Malformed);
        }
        self.at += 4;
        u32::from_str_radix(digits, 16).map_err(|_| Malformed)
    }
}

impl ClientData {
    fn note(&mut self, name: Option<&str>, value: Scalar) {
        match name {
            Some("type") => self.kind = Some(value),
            Some("challenge") => self.challenge = Some(value),
            Some("origin") => self.origin = Some(value),
            Some("crossOrigin") => self.cross_origin = Some(value),
            Some("topOrigin") => self.top_origin = true,
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing)]
    use super::*;

    #[test]
    fn reads_what_browsers_write() {
        let data = read(
            br#"{"type":"webauthn.get","challenge":"AA","origin":"https://a","crossOrigin":false,"other_keys_can_be_added_here":"do not compare"}"#,
        )
        .unwrap();
        assert_eq!(data.kind, Some(Scalar::Text("webauthn.get".into())));
        assert_eq!(data.challenge, Some(Scalar::Text("AA".into())));
        assert_eq!(data.cross_origin, Some(Scalar::False));
        assert!(!data.top_origin);
    }

    #[test]
    fn nested_members_are_not_taken_for_outer_ones() {
        let data =
            read(br#"{"a":{"type":"webauthn.get","topOrigin":"x"},"b":["type",{"origin":1}]}"#)
                .unwrap();
        assert_eq!(data, ClientData::default());
    }

    #[test]
    fn escapes_are_read() {
        let data = read(b"{\"\\u0074ype\":\"\\ud83d\\ude00\\/\\n\"}").unwrap();
        assert_eq!(data.kind, Some(Scalar::Text("\u{1f600}/\n".into())));
    }

    #[test]
    fn refuses_what_is_not_one_object() {
        for bytes in [
            &b""[..],
            b"[]",
            b"\"x\"",
            b"{}{}",
            b"{},",
            b"{\"a\":1,}",
            b"{,}",
            b"{\"a\"}",
            b"{\"a\":}",
            b"{\"a\":1 \"b\":2}",
            b"{a:1}",
            b"{'a':1}",
            b"{\"a\":01}",
            b"{\"a\":1.}",
            b"{\"a\":.1}",
            b"{\"a\":+1}",
            b"{\"a\":1e}",
            b"{\"a\":NaN}",
            b"{\"a\":tru}",
            b"{\"a\":[1,]}",
            b"{\"a\":[1}",
            b"{\"a\":{\"b\":1]}",
            b"{\"a\":\"\\x\"}",
            b"{\"a\":\"\\ud800\"}",
            b"{\"a\":\"\\udc00\\ud800\"}",
            b"{\"a\":\"\\u00g0\"}",
            b"{\"a\":\"\\u+041\"}",
            b"{\"a\":\"\n\"}",
            b"{\"a\":\"",
            b"{\"a\":1",
            b"\xef\xbb\xbf{}",
            b"{\"a\":\"\xff\"}",
        ] {
            assert_eq!(
                read(bytes),
                Err(Malformed),
                "{}",
                String::from_utf8_lossy(bytes)
            );
        }
    }

    #[test]
    fn refuses_a_repeated_member_at_any_depth_and_under_any_spelling() {
        for bytes in [
            &br#"{"origin":"a","origin":"a"}"#[..],
            br#"{"origin":"a","\u006frigin":"b"}"#,
            br#"{"a":{"b":1,"b":1}}"#,
            br#"{"a":[{"b":1,"b":1}]}"#,
        ] {
            assert_eq!(
                read(bytes),
                Err(Malformed),
                "{}",
                String::from_utf8_lossy(bytes)
            );
        }
        assert!(read(br#"{"a":{"a":1},"b":{"a":1}}"#).is_ok());
    }

    #[test]
    fn deep_nesting_does_not_exhaust_the_stack() {
        let deep = format!("{{\"a\":{}{}}}", "[".repeat(1 << 20), "]".repeat(1 << 20));
        assert!(read(deep.as_bytes()).is_ok());
        assert_eq!(read(&deep.as_bytes()[..deep.len() - 1]), Err(Malformed));
    }
}
