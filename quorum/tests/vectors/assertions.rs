//! Assertions: each rule of "An assertion is valid", broken alone.

use super::world::{ORIGIN, RP_ID, SoftKey, authenticator_data, client_data};
use super::{Case, cases, judge};
use quorum::assertion::{Assertion, PublicKey, RelyingParty, verify};
use quorum::statement::{Challenge, challenge};
use serde_json::json;
use sha2::{Digest, Sha256};

const FILE: &str = "assertion.json";
const OTHER_ORIGIN: &str = "https://vault.example:8443";

struct Maker {
    key: SoftKey,
    challenge: Challenge,
    all: Vec<Case>,
}

impl Maker {
    fn push(&mut self, name: &str, expect: &str, assertion: &Assertion) {
        let public_key = self.key.public_key();
        self.push_with(name, expect, assertion, &public_key);
    }

    fn push_with(&mut self, name: &str, expect: &str, assertion: &Assertion, public_key: &[u8]) {
        let given = json!({
            "rp_id": RP_ID,
            "origins": [ORIGIN, OTHER_ORIGIN],
            "public_key": hex::encode(public_key),
            "challenge": hex::encode(self.challenge.0),
            "authenticator_data": hex::encode(&assertion.authenticator_data),
            "client_data_json": hex::encode(&assertion.client_data_json),
            "signature": hex::encode(&assertion.signature),
        });
        self.all.push(Case::new(name, "", expect, given));
    }

    fn client(&mut self, name: &str, expect: &str, client_data: impl Into<Vec<u8>>) {
        let touch = self
            .key
            .touch_with(client_data.into(), authenticator_data(0x05, 7));
        self.push(name, expect, &touch);
    }

    fn authenticator(&mut self, name: &str, expect: &str, data: Vec<u8>) {
        let touch = self.key.touch_with(client_data(self.challenge), data);
        self.push(name, expect, &touch);
    }
}

fn make() -> Vec<Case> {
    let challenge = challenge(br#"{"kind":"login"}"#);
    let mut make = Maker {
        key: SoftKey::new(),
        challenge,
        all: Vec::new(),
    };
    client_cases(&mut make);
    authenticator_cases(&mut make);
    signature_cases(&mut make);
    key_cases(&mut make);
    deep_cases(&mut make);
    make.all
}

fn client_cases(make: &mut Maker) {
    let good = String::from_utf8(client_data(make.challenge)).unwrap();
    let other = Challenge(Sha256::digest(b"another statement").into());
    let challenge_text = good.split('"').nth(7).unwrap().to_owned();
    make.client("as it should be", "ok", good.clone());
    make.client("the other origin", "ok", good.replace(ORIGIN, OTHER_ORIGIN));
    make.client(
        "without crossOrigin",
        "ok",
        good.replace(r#","crossOrigin":false"#, ""),
    );
    let more = good.replace(
        "}",
        r#","other_keys_can_be_added_here":"do not compare","x":{"y":[1.5e3,null,true]}}"#,
    );
    make.client("with more members", "ok", more);
    make.client(
        "with white space",
        "ok",
        good.replace(':', " : ").replace("https : ", "https:"),
    );
    make.client(
        "with escapes",
        "ok",
        good.replace("https://", "https:\\/\\/")
            .replace("\"type\"", "\"\\u0074ype\""),
    );
    make.client("members in another order", "ok", format!(
        r#"{{"origin":"{ORIGIN}","challenge":"{challenge_text}","crossOrigin":false,"type":"webauthn.get"}}"#
    ));
    make.client(
        "a registration",
        "type",
        good.replace("webauthn.get", "webauthn.create"),
    );
    make.client(
        "type in another case",
        "type",
        good.replace("webauthn.get", "Webauthn.get"),
    );
    make.client(
        "no type",
        "type",
        good.replace(r#""type":"webauthn.get","#, ""),
    );
    make.client(
        "type only inside",
        "type",
        good.replace(
            r#""type":"webauthn.get","#,
            r#""x":{"type":"webauthn.get"},"#,
        ),
    );
    make.client(
        "another statement's challenge",
        "challenge",
        client_data(other),
    );
    make.client(
        "challenge padded",
        "challenge",
        good.replace(&challenge_text, &format!("{challenge_text}=")),
    );
    make.client(
        "challenge cut short",
        "challenge",
        good.replace(&challenge_text, &challenge_text[..42]),
    );
    make.client(
        "challenge in hex",
        "challenge",
        good.replace(&challenge_text, &hex::encode(make.challenge.0)),
    );
    make.client(
        "challenge with trailing bits",
        "challenge",
        good.replace(&challenge_text, &next_digit(&challenge_text)),
    );
    make.client(
        "challenge in a list",
        "challenge",
        good.replace(
            &format!("\"{challenge_text}\""),
            &format!("[\"{challenge_text}\"]"),
        ),
    );
    make.client(
        "no challenge",
        "challenge",
        good.replace(&format!("\"challenge\":\"{challenge_text}\","), ""),
    );
    make.client(
        "another origin",
        "origin",
        good.replace(ORIGIN, "https://vault.example.org"),
    );
    make.client(
        "origin with a slash",
        "origin",
        good.replace(ORIGIN, "https://vault.example/"),
    );
    make.client(
        "origin in upper case",
        "origin",
        good.replace(ORIGIN, "https://VAULT.example"),
    );
    make.client(
        "origin with its default port",
        "origin",
        good.replace(ORIGIN, "https://vault.example:443"),
    );
    make.client(
        "origin without TLS",
        "origin",
        good.replace(ORIGIN, "http://vault.example"),
    );
    make.client(
        "origin of a subdomain",
        "origin",
        good.replace(ORIGIN, "https://evil.vault.example"),
    );
    make.client(
        "no origin",
        "origin",
        good.replace(&format!(",\"origin\":\"{ORIGIN}\""), ""),
    );
    make.client(
        "across origins",
        "cross_origin",
        good.replace("false", "true"),
    );
    make.client(
        "crossOrigin null",
        "cross_origin",
        good.replace("false", "null"),
    );
    make.client(
        "crossOrigin as text",
        "cross_origin",
        good.replace("false", "\"false\""),
    );
    make.client(
        "crossOrigin zero",
        "cross_origin",
        good.replace("false", "0"),
    );
    make.client(
        "with a topOrigin",
        "top_origin",
        good.replace('}', &format!(",\"topOrigin\":\"{ORIGIN}\"}}")),
    );
    make.client(
        "topOrigin null",
        "top_origin",
        good.replace('}', ",\"topOrigin\":null}"),
    );
    make.client(
        "origin twice",
        "client_data",
        good.replace('}', &format!(",\"origin\":\"{ORIGIN}\"}}")),
    );
    make.client(
        "evil origin first",
        "client_data",
        good.replacen('{', "{\"origin\":\"https://evil.example\",", 1),
    );
    make.client(
        "challenge twice",
        "client_data",
        good.replacen('{', &format!("{{\"challenge\":\"{challenge_text}\","), 1),
    );
    make.client(
        "origin twice, once escaped",
        "client_data",
        good.replace('}', ",\"\\u006frigin\":\"https://evil.example\"}"),
    );
    make.client(
        "a member twice, inside",
        "client_data",
        good.replace('}', ",\"x\":{\"y\":1,\"y\":1}}"),
    );
    make.client("byte order mark", "client_data", format!("\u{feff}{good}"));
    make.client("a list", "client_data", format!("[{good}]"));
    make.client("two objects", "client_data", format!("{good}{good}"));
    make.client("something after", "client_data", format!("{good}x"));
    make.client("not closed", "client_data", &good[..good.len() - 1]);
    make.client("trailing comma", "client_data", good.replace('}', ",}"));
    make.client("comment", "client_data", good.replace('}', "/**/}"));
    make.client(
        "a lone surrogate",
        "client_data",
        good.replace('}', ",\"x\":\"\\ud800\"}"),
    );
    make.client("empty", "client_data", "");
    let mut broken = good.clone().into_bytes();
    broken.splice(1..1, b"\"x\":\"\xff\",".iter().copied());
    make.client("not UTF-8", "client_data", broken);
    let utf16: Vec<u8> = good.encode_utf16().flat_map(u16::to_le_bytes).collect();
    make.client("UTF-16", "client_data", utf16);
}

/// No depth is too much, and none hides anything.
fn deep_cases(make: &mut Maker) {
    let good = String::from_utf8(client_data(make.challenge)).unwrap();
    let with = |open: &str, inside: &str, close: &str, depth: usize| {
        let member = format!(
            ",\"x\":{}{inside}{}}}",
            open.repeat(depth),
            close.repeat(depth)
        );
        good.replace('}', &member)
    };
    let inner = "{\"type\":1,\"topOrigin\":1}";
    let twice = "{\"y\":1,\"y\":1}";
    make.client(
        "33 deep",
        "ok",
        with("[{\"y\":", &format!("[{inner}]"), "}]", 15),
    );
    make.client("5000 deep", "ok", with("[", inner, "]", 4998));
    make.client(
        "a member twice, 33 deep",
        "client_data",
        with("[{\"y\":", &format!("[{twice}]"), "}]", 15),
    );
    make.client(
        "a member twice, 5000 deep",
        "client_data",
        with("[", twice, "]", 4998),
    );
    make.client(
        "a member twice, around 33 deep",
        "client_data",
        with("[{\"y\":", "1", ",\"y\":1}]", 16),
    );
    make.client(
        "not closed, 5000 deep",
        "client_data",
        with("[", "[", "]", 4998),
    );
}

fn authenticator_cases(make: &mut Maker) {
    let good = authenticator_data(0x05, 7);
    make.authenticator("counter zero", "ok", authenticator_data(0x05, 0));
    make.authenticator(
        "counter at its end",
        "ok",
        authenticator_data(0x05, u32::MAX),
    );
    let extended = [authenticator_data(0x85, 7), vec![0xa1, 0x61, 0x78, 0xf5]].concat();
    make.authenticator("with extensions", "ok", extended);
    make.authenticator("nobody there", "user_present", authenticator_data(0x04, 7));
    make.authenticator(
        "nobody verified",
        "user_verified",
        authenticator_data(0x01, 7),
    );
    make.authenticator("no flags", "user_present", authenticator_data(0, 7));
    make.authenticator("backup eligible", "backed_up", authenticator_data(0x0d, 7));
    make.authenticator("backed up", "backed_up", authenticator_data(0x1d, 7));
    make.authenticator(
        "backed up, not eligible",
        "backed_up",
        authenticator_data(0x15, 7),
    );
    let other = [Sha256::digest(b"example").to_vec(), good[32..].to_vec()].concat();
    make.authenticator("another relying party", "rp_id", other);
    let other = [Sha256::digest(ORIGIN).to_vec(), good[32..].to_vec()].concat();
    make.authenticator("the origin's hash", "rp_id", other);
    make.authenticator("36 bytes", "authenticator_data", good[..36].to_vec());
    make.authenticator("32 bytes", "authenticator_data", good[..32].to_vec());
    make.authenticator("no bytes", "authenticator_data", Vec::new());
}

/// r and s of a DER signature, as big-endian magnitudes.
fn integers(der: &[u8]) -> (Vec<u8>, Vec<u8>) {
    let r_length = usize::from(der[3]);
    let r = &der[4..4 + r_length];
    let s = &der[6 + r_length..];
    let strip = |x: &[u8]| x.iter().copied().skip_while(|b| *b == 0).collect();
    (strip(r), strip(s))
}

fn der_integer(magnitude: &[u8]) -> Vec<u8> {
    let pad: &[u8] = if magnitude.first().is_none_or(|top| *top >= 0x80) {
        &[0]
    } else {
        &[]
    };
    let body = [pad, magnitude].concat();
    [&[0x02, body.len() as u8], body.as_slice()].concat()
}

fn sequence(body: &[u8]) -> Vec<u8> {
    [&[0x30, body.len() as u8], body].concat()
}

/// The order of P-256 minus a number (SEC 2, section 2.4.2).
fn negated(s: &[u8]) -> Vec<u8> {
    let n =
        hex::decode("ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551").unwrap();
    let s = [vec![0; 32 - s.len()], s.to_vec()].concat();
    let mut borrow = 0i16;
    let mut out = vec![0; 32];
    for i in (0..32).rev() {
        let digit = i16::from(n[i]) - i16::from(s[i]) - borrow;
        borrow = i16::from(digit < 0);
        out[i] = (digit & 0xff) as u8;
    }
    out.into_iter().skip_while(|b| *b == 0).collect()
}

fn signature_cases(make: &mut Maker) {
    let touch = make
        .key
        .touch_with(client_data(make.challenge), authenticator_data(0x05, 7));
    let (r, s) = integers(&touch.signature);
    let low = |s: &[u8]| [vec![0; 32 - s.len()], s.to_vec()].concat()[0] < 0x80;
    let (small, large) = if low(&s) {
        (s.clone(), negated(&s))
    } else {
        (negated(&s), s.clone())
    };
    let with = |signature: Vec<u8>| Assertion {
        signature,
        ..touch.clone()
    };
    let rs = |r: Vec<u8>, s: Vec<u8>| sequence(&[r, s].concat());
    let (der_r, der_s) = (der_integer(&r), der_integer(&s));
    let good = rs(der_r.clone(), der_s.clone());
    assert_eq!(good, touch.signature);
    make.push("low s", "ok", &with(rs(der_r.clone(), der_integer(&small))));
    make.push(
        "high s",
        "ok",
        &with(rs(der_r.clone(), der_integer(&large))),
    );

    let cut = [&[0x02, der_r[1] - 1], &der_r[3..]].concat();
    let unpadded = |x: &[u8]| [&[0x02, x.len() as u8], x].concat();
    let padded = |x: &[u8]| [&[0x02, x.len() as u8 + 2, 0, 0], x].concat();
    let padded_once = |x: &[u8]| [&[0x02, x.len() as u8 + 1, 0], x].concat();
    make.push(
        "r padded with two zeros",
        "der",
        &with(rs(padded(&r), der_s.clone())),
    );
    make.push(
        "s padded with two zeros",
        "der",
        &with(rs(der_r.clone(), padded(&s))),
    );
    make.push(
        "a small s padded with a zero",
        "der",
        &with(rs(der_r.clone(), padded_once(&small_of(&small)))),
    );
    make.push(
        "a negative s",
        "der",
        &with(rs(der_r.clone(), unpadded(&large_of(&large)))),
    );
    make.push(
        "a negative r",
        "der",
        &with(rs(unpadded(&large_of(&r)), der_s.clone())),
    );
    make.push("r zero", "der", &with(rs(vec![0x02, 1, 0], der_s.clone())));
    make.push("s zero", "der", &with(rs(der_r.clone(), vec![0x02, 1, 0])));
    make.push("r empty", "der", &with(rs(vec![0x02, 0], der_s.clone())));
    make.push(
        "s of 33 bytes",
        "der",
        &with(rs(
            der_r.clone(),
            der_integer(&[&[1], [0x55; 32].as_slice()].concat()),
        )),
    );
    make.push(
        "s of 34 bytes",
        "der",
        &with(rs(
            der_r.clone(),
            der_integer(&[&[0x80], [0x55; 32].as_slice()].concat()),
        )),
    );
    make.push(
        "a byte after",
        "der",
        &with([good.clone(), vec![0]].concat()),
    );
    make.push(
        "a byte after, inside",
        "der",
        &with(sequence(&[der_r.clone(), der_s.clone(), vec![0]].concat())),
    );
    make.push(
        "a third integer",
        "der",
        &with(sequence(
            &[der_r.clone(), der_s.clone(), vec![2, 1, 1]].concat(),
        )),
    );
    make.push("one integer", "der", &with(sequence(&der_r)));
    make.push("cut short", "der", &with(good[..good.len() - 1].to_vec()));
    make.push(
        "a length too long",
        "der",
        &with([&[0x30, good[1] + 1], &good[2..]].concat()),
    );
    make.push(
        "a length in two bytes",
        "der",
        &with([&[0x30, 0x81, good[1]], &good[2..]].concat()),
    );
    make.push(
        "an indefinite length",
        "der",
        &with([&[0x30, 0x80], &good[2..], &[0, 0]].concat()),
    );
    let long_r = [&[0x02, 0x81, der_r[1]], &der_r[2..]].concat();
    make.push(
        "an integer's length in two bytes",
        "der",
        &with(rs(long_r, der_s.clone())),
    );
    make.push("a set", "der", &with([&[0x31], &good[1..]].concat()));
    make.push(
        "an octet string inside",
        "der",
        &with(rs([&[0x04], &der_r[1..]].concat(), der_s.clone())),
    );
    let raw = [
        vec![0; 32 - r.len()],
        r.clone(),
        vec![0; 32 - s.len()],
        s.clone(),
    ]
    .concat();
    make.push("raw r and s", "der", &with(raw));
    make.push("empty signature", "der", &with(Vec::new()));

    let order =
        hex::decode("ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551").unwrap();
    make.push(
        "r the order",
        "signature",
        &with(rs(der_integer(&order), der_s.clone())),
    );
    make.push(
        "s the order",
        "signature",
        &with(rs(der_r.clone(), der_integer(&order))),
    );
    make.push(
        "r and s swapped",
        "signature",
        &with(rs(der_s.clone(), der_r.clone())),
    );
    make.push(
        "r and s one",
        "signature",
        &with(rs(vec![2, 1, 1], vec![2, 1, 1])),
    );
    let mut flipped = s.clone();
    *flipped.last_mut().unwrap() ^= 1;
    make.push(
        "a bit of s flipped",
        "signature",
        &with(rs(der_r.clone(), der_integer(&flipped))),
    );
    if cut[2] != 0 && cut[2] < 0x80 {
        make.push(
            "r without its first byte",
            "signature",
            &with(rs(cut, der_s)),
        );
    }
    let mut counter = touch.clone();
    counter.authenticator_data[36] ^= 1;
    make.push("a bit of the counter flipped", "signature", &counter);
    let mut client = touch.clone();
    client.client_data_json = [touch.client_data_json.as_slice(), b" "].concat();
    make.push("a space after the client data", "signature", &client);
    let mut extended = touch.clone();
    extended.authenticator_data.push(0);
    make.push(
        "a byte after the authenticator data",
        "signature",
        &extended,
    );
    let over =
        Sha256::digest([touch.authenticator_data.as_slice(), &touch.client_data_json].concat());
    let not_hashed = make
        .key
        .touch_with(over.to_vec(), touch.authenticator_data.clone());
    make.push(
        "signed over another message",
        "signature",
        &with(not_hashed.signature),
    );
}

/// Something below 2^255, so that its encoding needs no padding.
fn small_of(magnitude: &[u8]) -> Vec<u8> {
    let mut all = magnitude.to_vec();
    all[0] &= 0x7f;
    all[0] |= 1;
    all
}

/// Something of 2^255 or more, so that its encoding needs padding.
fn large_of(magnitude: &[u8]) -> Vec<u8> {
    let mut all = magnitude.to_vec();
    all[0] |= 0x80;
    all
}

fn key_cases(make: &mut Maker) {
    let touch = make
        .key
        .touch_with(client_data(make.challenge), authenticator_data(0x05, 7));
    let key = make.key.public_key();
    let other = SoftKey::new().public_key();
    make.push_with("another key", "signature", &touch, &other);
    let mut off = key;
    off[64] ^= 1;
    make.push_with("a point off the curve", "key", &touch, &off);
    let mut hybrid = key;
    hybrid[0] = 6 | (key[64] & 1);
    make.push_with("the hybrid form", "key", &touch, &hybrid);
    let mut infinity = [0; 65];
    make.push_with("all zeros", "key", &touch, &infinity);
    infinity[0] = 4;
    make.push_with("the point zero zero", "key", &touch, &infinity);
    let swapped = [&key[..1], &key[33..], &key[1..33]].concat();
    make.push_with("x and y swapped", "key", &touch, &swapped);
}

fn next_digit(text: &str) -> String {
    let (rest, last) = text.split_at(text.len() - 1);
    let next = char::from(last.as_bytes()[0] + 1);
    format!("{rest}{next}")
}

#[test]
fn assertions() {
    let cases = cases(
        FILE,
        "Assertions over one challenge by one key. Bytes in hex.",
        make,
    );
    judge(FILE, &cases, |case| {
        let origins = case.given["origins"].as_array().unwrap();
        let rp = RelyingParty {
            rp_id: case.text("rp_id").into(),
            origins: origins
                .iter()
                .map(|origin| origin.as_str().unwrap().into())
                .collect(),
        };
        let assertion = Assertion {
            authenticator_data: case.bytes("authenticator_data"),
            client_data_json: case.bytes("client_data_json"),
            signature: case.bytes("signature"),
        };
        let challenge = Challenge(case.bytes("challenge").try_into().unwrap());
        let key = PublicKey::from_sec1(case.bytes("public_key").try_into().unwrap());
        let verified = key.and_then(|key| verify(&rp, &key, &challenge, &assertion));
        let verified = verified.map_err(|e| e.code().to_owned())?;
        assert_eq!(
            verified.counter.to_be_bytes(),
            assertion.authenticator_data[33..37]
        );
        Ok(())
    });
}
