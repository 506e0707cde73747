//! One touch of an authenticator: everything about it that needs no state (FORMATS.md 4, "An assertion is valid").
//!
//! What remains is the key: whose it is, whether it is live, and the signature itself.

use aws_lc_rs::digest;

use super::event::Founding;
use super::json::Value;
use super::lie::{Judged, hold, lie};
use super::text::{self, Hash, Id};

/// A touch whose client data and flags are right, still to be checked against its key.
pub(super) struct Touch {
    /// The key it claims to be.
    pub(super) authenticator: Id,
    /// SHA-256 of what was signed.
    pub(super) message: digest::Digest,
    /// r and s, 32 bytes each.
    pub(super) signature: [u8; 64],
    /// The authenticator's signature counter.
    pub(super) counter: u32,
}

/// Memory kept between touches.
#[derive(Default)]
pub(super) struct Scratch {
    authenticator: Vec<u8>,
    client: Vec<u8>,
    signature: Vec<u8>,
}

impl Touch {
    /// Reads `assertion`, which passed its table, as an answer to `challenge`.
    pub(super) fn read(
        authenticator: Id,
        assertion: Value<'_>,
        challenge: &Hash,
        founding: &Founding,
        scratch: &mut Scratch,
    ) -> Judged<Touch> {
        let field = |name: &str, into: &mut Vec<u8>| {
            assertion
                .get(name)
                .and_then(Value::plain)
                .and_then(|raw| text::base64url(raw, into))
                .ok_or(lie("an assertion is not of its type"))
        };
        field("authenticator_data", &mut scratch.authenticator)?;
        field("client_data_json", &mut scratch.client)?;
        field("signature", &mut scratch.signature)?;
        let client = Client::read(&scratch.client)?;
        hold(
            client.kind.as_deref() == Some(b"webauthn.get"),
            "the assertion is no answer to a request for one",
        )?;
        hold(
            client.challenge.as_deref() == Some(text::challenge(challenge).as_slice()),
            "the assertion's challenge is not the statement's hash",
        )?;
        hold(
            client
                .origin
                .is_some_and(|o| founding.origins.iter().any(|f| f.as_bytes() == o)),
            "the assertion comes from an origin that was not founded",
        )?;
        hold(
            !client.foreign,
            "the assertion was made inside another site's page",
        )?;
        let data = scratch.authenticator.as_slice();
        let (Some(rp), Some(flags), Some(counter)) = (
            data.get(..32),
            data.get(32),
            data.get(33..).and_then(|rest| rest.first_chunk::<4>()),
        ) else {
            return Err(lie("the authenticator data is too short"));
        };
        hold(
            rp == founding.rp_hash,
            "the assertion is for another relying party",
        )?;
        hold(
            flags & 0x05 == 0x05,
            "the assertion proves no touch by a verified person",
        )?;
        hold(
            flags & 0x18 == 0,
            "the assertion comes from a key that can be copied",
        )?;
        let signature = strict_der(&scratch.signature)
            .ok_or(lie("the assertion's signature is not strict DER"))?;
        let mut message = digest::Context::new(&digest::SHA256);
        message.update(data);
        message.update(digest::digest(&digest::SHA256, &scratch.client).as_ref());
        Ok(Touch {
            authenticator,
            message: message.finish(),
            signature,
            counter: u32::from_be_bytes(*counter),
        })
    }
}

/// `SEQUENCE { INTEGER r, INTEGER s }` in DER without any freedom, as r and s of 32 bytes each.
pub(super) fn strict_der(der: &[u8]) -> Option<[u8; 64]> {
    let [0x30, len, body @ ..] = der else {
        return None;
    };
    // Two integers of at most 33 bytes: the long form of a length is never the shortest.
    if usize::from(*len) != body.len() || *len >= 0x80 {
        return None;
    }
    let mut out = [0; 64];
    let (r, s) = out.split_at_mut(32);
    let rest = integer(body, r)?;
    let rest = integer(rest, s)?;
    rest.is_empty().then_some(out)
}

/// One non-negative INTEGER in its shortest form; gives what follows it.
fn integer<'a>(der: &'a [u8], into: &mut [u8]) -> Option<&'a [u8]> {
    let [0x02, len, rest @ ..] = der else {
        return None;
    };
    let (digits, rest) = rest.split_at_checked(usize::from(*len))?;
    let digits = match digits {
        [0x80..=0xff, ..] | [] => return None,
        [0, 0..=0x7f, ..] => return None,
        [0, digits @ ..] if !digits.is_empty() => digits,
        digits => digits,
    };
    let from = into.len().checked_sub(digits.len())?;
    into.get_mut(from..)?.copy_from_slice(digits);
    Some(rest)
}

/// What counts in a client data JSON.
#[derive(Default)]
struct Client {
    kind: Option<Vec<u8>>,
    challenge: Option<Vec<u8>>,
    origin: Option<Vec<u8>>,
    /// `crossOrigin` is there and anything but `false`, or `topOrigin` is there.
    foreign: bool,
}

impl Client {
    fn read(bytes: &[u8]) -> Judged<Client> {
        let words = "the client data is not one JSON object without duplicate members";
        let text = std::str::from_utf8(bytes).map_err(|_| lie(words))?;
        let mut parser = Loose {
            bytes: text.as_bytes(),
            at: 0,
        };
        let mut client = Client::default();
        parser
            .document(&mut |name, value| match (name, value) {
                (b"type", Seen::Text(text)) => client.kind = Some(text),
                (b"challenge", Seen::Text(text)) => client.challenge = Some(text),
                (b"origin", Seen::Text(text)) => client.origin = Some(text),
                (b"crossOrigin", value) => client.foreign |= !matches!(value, Seen::No),
                (b"topOrigin", _) => client.foreign = true,
                _ => {}
            })
            .ok_or(lie(words))?;
        hold(parser.at == bytes.len(), words)?;
        Ok(client)
    }
}

/// A value of a client data JSON, as far as anybody asks.
enum Seen {
    Text(Vec<u8>),
    No,
    Other,
}

/// RFC 8259 as browsers write it: any spacing, any escapes, any numbers, any depth (which costs no stack); but no duplicate member at any level, and
/// no lone surrogate.
struct Loose<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl Loose<'_> {
    fn peek(&self) -> Option<u8> {
        self.bytes.get(self.at).copied()
    }

    fn eat(&mut self, byte: u8) -> Option<()> {
        (self.peek()? == byte).then(|| self.at += 1)
    }

    fn space(&mut self) {
        while let Some(b' ' | b'\t' | b'\r' | b'\n') = self.peek() {
            self.at += 1;
        }
    }

    /// One object; its own members, and not those inside them, are shown to `member`.
    fn document(&mut self, member: &mut dyn FnMut(&[u8], Seen)) -> Option<()> {
        // The names in all objects that are open, and for each open container, the innermost last, where its own begin; a list has none.
        let mut names: Vec<Vec<u8>> = Vec::new();
        let mut open = vec![Some(0)];
        // A container was just opened: it may close without a value, and its first value follows no comma.
        let mut fresh = true;
        self.space();
        self.eat(b'{')?;
        while let Some(&own) = open.last() {
            self.space();
            if self.eat(if own.is_some() { b'}' } else { b']' }).is_some() {
                own.map_or(Some(()), |from| closed(&mut names, from))?;
                open.pop();
                fresh = false;
                continue;
            }
            if !fresh {
                self.eat(b',')?;
                self.space();
            }
            if own.is_some() {
                names.push(self.string()?);
                self.space();
                self.eat(b':')?;
                self.space();
            }
            let outermost = open.len() == 1;
            let inner = match self.peek()? {
                b'{' => Some(Some(names.len())),
                b'[' => Some(None),
                _ => None,
            };
            fresh = inner.is_some();
            let value = if let Some(inner) = inner {
                self.at += 1;
                open.push(inner);
                Seen::Other
            } else {
                self.scalar()?
            };
            if outermost {
                member(names.last()?, value);
            }
        }
        self.space();
        Some(())
    }

    fn scalar(&mut self) -> Option<Seen> {
        match self.peek()? {
            b'"' => self.string().map(Seen::Text),
            b't' => self.word(b"true").map(|()| Seen::Other),
            b'f' => self.word(b"false").map(|()| Seen::No),
            b'n' => self.word(b"null").map(|()| Seen::Other),
            _ => self.number().map(|()| Seen::Other),
        }
    }

    fn word(&mut self, word: &[u8]) -> Option<()> {
        self.bytes.get(self.at..)?.strip_prefix(word)?;
        self.at += word.len();
        Some(())
    }

    fn digits(&mut self) -> Option<()> {
        let start = self.at;
        while let Some(b'0'..=b'9') = self.peek() {
            self.at += 1;
        }
        (self.at > start).then_some(())
    }

    fn number(&mut self) -> Option<()> {
        let _ = self.eat(b'-');
        if self.eat(b'0').is_none() {
            self.digits()?;
        }
        if self.eat(b'.').is_some() {
            self.digits()?;
        }
        if let Some(b'e' | b'E') = self.peek() {
            self.at += 1;
            if let Some(b'+' | b'-') = self.peek() {
                self.at += 1;
            }
            self.digits()?;
        }
        Some(())
    }

    fn string(&mut self) -> Option<Vec<u8>> {
        self.eat(b'"')?;
        let mut out = Vec::new();
        loop {
            let byte = self.peek()?;
            self.at += 1;
            match byte {
                b'"' => return Some(out),
                b'\\' => {
                    let escape = self.peek()?;
                    self.at += 1;
                    let c = match escape {
                        b'"' | b'\\' | b'/' => char::from(escape),
                        b'b' => '\u{8}',
                        b'f' => '\u{c}',
                        b'n' => '\n',
                        b'r' => '\r',
                        b't' => '\t',
                        b'u' => self.escaped_char()?,
                        _ => return None,
                    };
                    out.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
                }
                0..=0x1f => return None,
                other => out.push(other),
            }
        }
    }

    fn unit(&mut self) -> Option<u32> {
        let four = self.bytes.get(self.at..)?.first_chunk::<4>()?;
        self.at += 4;
        four.iter().try_fold(0, |unit, digit| {
            Some(unit * 16 + char::from(*digit).to_digit(16)?)
        })
    }

    fn escaped_char(&mut self) -> Option<char> {
        let first = self.unit()?;
        if !(0xd800..0xdc00).contains(&first) {
            return char::from_u32(first);
        }
        self.eat(b'\\')?;
        self.eat(b'u')?;
        let second = self.unit()?;
        if !(0xdc00..0xe000).contains(&second) {
            return None;
        }
        char::from_u32(0x10000 + ((first - 0xd800) << 10) + (second - 0xdc00))
    }
}

/// Forgets the names from there on, those of an object that closes; none when one of them stands twice.
fn closed(names: &mut Vec<Vec<u8>>, from: usize) -> Option<()> {
    let own = names.get_mut(from..)?;
    own.sort_unstable();
    let twice = own.windows(2).any(|pair| matches!(pair, [a, b] if a == b));
    names.truncate(from);
    (!twice).then_some(())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing)]
    use super::*;

    #[test]
    fn der_is_strict() {
        let der = |r: &[u8], s: &[u8]| {
            let mut body = vec![2, r.len() as u8];
            body.extend_from_slice(r);
            body.extend_from_slice(&[2, s.len() as u8]);
            body.extend_from_slice(s);
            let mut out = vec![0x30, body.len() as u8];
            out.extend_from_slice(&body);
            out
        };
        let long = [&[0][..], &[0xff; 32]].concat();
        assert_eq!(strict_der(&der(&[1], &[2])).unwrap()[31], 1);
        assert_eq!(strict_der(&der(&long, &long)).unwrap(), [0xff; 64]);
        assert!(strict_der(&der(&[0x7f; 32], &[0, 0x80])).is_some());
        for (r, s) in [
            (&[0x80][..], &[1][..]),
            (&[0, 1], &[1]),
            (&[1], &[0, 0]),
            (&[], &[1]),
            (&[1; 33], &[1]),
            (&[1], &[0xff; 32]),
        ] {
            assert!(strict_der(&der(r, s)).is_none(), "{r:?} {s:?}");
        }
        let good = der(&[1], &[2]);
        assert!(strict_der(&[&good[..], &[0]].concat()).is_none());
        assert!(strict_der(&good[..good.len() - 1]).is_none());
        assert!(strict_der(&[0x30, 0x81, 6, 2, 1, 1, 2, 1, 1]).is_none());
        assert!(strict_der(&[0x30, 0x80, 2, 1, 1, 2, 1, 1, 0, 0]).is_none());
        assert!(strict_der(&[0x30, 9, 2, 1, 1, 2, 1, 1, 2, 1, 1]).is_none());
        assert!(strict_der(&[]).is_none());
    }

    #[test]
    fn client_data_is_read_as_browsers_write_it() {
        let client = Client::read(
            br#" {"type":"webauthn.get", "challenge":"abc","origin":"https:\/\/x","crossOrigin":false,"n":[1,-0.5e+3,null,{"a":{}}],"u":"\ud83d\ude00"} "#,
        )
        .unwrap();
        assert_eq!(client.origin.unwrap(), b"https://x");
        assert!(!client.foreign);
        for (text, foreign) in [
            (r#"{"crossOrigin":true}"#, true),
            (r#"{"crossOrigin":null}"#, true),
            (r#"{"crossOrigin":"false"}"#, true),
            (r#"{"topOrigin":null}"#, true),
            (r#"{"x":{"topOrigin":1,"crossOrigin":true}}"#, false),
            ("{}", false),
        ] {
            assert_eq!(
                Client::read(text.as_bytes()).unwrap().foreign,
                foreign,
                "{text}"
            );
        }
        for bad in [
            "",
            "[]",
            "1",
            "{",
            "{}x",
            r#"{"a":1,"a":1}"#,
            r#"{"a":1,"\u0061":1}"#,
            r#"{"b":{"a":1,"a":2}}"#,
            r#"{"a":"\ud800"}"#,
            r#"{"a":"\udc00"}"#,
            r#"{"a":01}"#,
            r#"{"a":.5}"#,
            r#"{"a":1.}"#,
            "{\"a\":\"\n\"}",
            r#"{"a":NaN}"#,
            r#"{"a":'x'}"#,
            r#"{"a":1,}"#,
            r#"{,"a":1}"#,
            r#"{"a":[1,]}"#,
            r#"{"a":[,1]}"#,
            r#"{"a":[1 2]}"#,
            r#"{"a":[1}}"#,
            r#"{"a":{"b":1]}"#,
            r#"{"a":{"b"}}"#,
            r#"{"a":[{"b":1},{"b":1,"c":2,"b":3}]}"#,
            "\u{feff}{}",
        ] {
            assert!(Client::read(bad.as_bytes()).is_err(), "{bad}");
        }
        assert!(Client::read(b"{\"a\":\"\xff\"}").is_err());
    }

    /// FORMATS.md sets client data no depth, so none is refused for it, and none costs stack.
    #[test]
    fn client_data_may_be_nested_at_will() {
        for depth in [33, 5_000, 1 << 20] {
            let nested = |inside: &str| {
                format!(
                    "{{\"type\":\"t\",\"a\":{}{inside}{},\"b\":1}}",
                    r#"[{"a":"#.repeat(depth),
                    "}]".repeat(depth)
                )
            };
            let client = Client::read(nested(r#"{"type":1,"topOrigin":2}"#).as_bytes()).unwrap();
            assert_eq!(
                (client.kind.as_deref(), client.foreign),
                (Some(&b"t"[..]), false)
            );
            for bad in [r#"{"a":1,"a":1}"#, r#"1,"a":1"#, "[", "]", "}", "{}}", "1]"] {
                assert!(Client::read(nested(bad).as_bytes()).is_err(), "{bad}");
            }
        }
    }
}
