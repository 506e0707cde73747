//! Canonical JSON.

use super::{Case, cases, judge};
use quorum::json;
use serde_json::json;

const FILE: &str = "json.json";

fn make() -> Vec<Case> {
    let text = |name: &str, expect: &str, text: &str| {
        Case::new(name, "", expect, json!({"bytes": hex::encode(text)}))
    };
    let raw = |name: &str, expect: &str, bytes: &[u8]| {
        Case::new(name, "", expect, json!({"bytes": hex::encode(bytes)}))
    };
    let deep = |n: usize| format!("{}{}", "[".repeat(n), "]".repeat(n));
    let mixed = |n: usize| format!("{}1{}", "{\"a\":[".repeat(n), "]}".repeat(n));
    vec![
        text("empty object", "ok", "{}"),
        text("empty list", "ok", "[]"),
        text("empty string", "ok", "\"\""),
        text("true", "ok", "true"),
        text(
            "sorted members",
            "ok",
            r#"{"a":1,"a_b":2,"a1":3}"#.replace(r#""a_b":2,"a1":3"#, r#""a1":3,"a_b":2"#).as_str(),
        ),
        text("largest integer", "ok", "9007199254740991"),
        text("smallest integer", "ok", "-9007199254740991"),
        text("zero", "ok", "0"),
        text("quote and backslash", "ok", r#""\"\\""#),
        text("slash is not escaped", "ok", "\"/\""),
        text("beyond the basic plane", "ok", "\"\u{1f510}\""),
        text("composed letter", "ok", "\"\u{e9}\""),
        text("eight deep", "ok", &deep(8)),
        text("eight deep, mixed", "ok", &mixed(4)),
        text("line separator", "ok", "\"\u{2028}\""),
        text("right-to-left mark is no control", "ok", "\"\u{200f}\""),
        text("nine deep", "depth", &deep(9)),
        text("nine deep, mixed", "depth", &format!("[{}]", mixed(4))),
        text("a hundred thousand deep", "depth", &deep(100_000)),
        text("nothing", "syntax", ""),
        text("null", "syntax", "null"),
        text("null member", "syntax", r#"{"a":null}"#),
        text("two values", "syntax", "{}{}"),
        text("trailing comma in object", "syntax", r#"{"a":1,}"#),
        text("trailing comma in list", "syntax", "[1,]"),
        text("open object", "syntax", r#"{"a":1"#),
        text("open string", "syntax", "\"a"),
        text("open list", "syntax", "[1"),
        text("True", "syntax", "True"),
        text("single quotes", "syntax", "'a'"),
        text("comment", "syntax", "{}//"),
        text("NaN", "syntax", "NaN"),
        text("lone minus", "syntax", "-"),
        text("plus", "syntax", "+1"),
        text("byte order mark", "syntax", "\u{feff}{}"),
        text("space before", "not_canonical", " {}"),
        text("space after", "not_canonical", "{} "),
        text("line feed after", "not_canonical", "{}\n"),
        text("space after a colon", "not_canonical", r#"{"a": 1}"#),
        text("space after a comma", "not_canonical", "[1, 2]"),
        text("space in an empty list", "not_canonical", "[ ]"),
        text("members out of order", "not_canonical", r#"{"b":1,"a":2}"#),
        text(
            "underscore sorts after digits",
            "not_canonical",
            r#"{"a_b":2,"a1":3}"#,
        ),
        text("leading zero", "not_canonical", "01"),
        text("minus zero", "not_canonical", "-0"),
        text("minus leading zero", "not_canonical", "-01"),
        text("escaped slash", "not_canonical", r#""\/""#),
        text("escaped letter", "not_canonical", r#""\u0061""#),
        text("escaped quote as a number", "not_canonical", r#""\u0022""#),
        text("escaped line feed", "not_canonical", r#""\n""#),
        text("escaped control", "not_canonical", r#""\u0001""#),
        text("escaped lone surrogate", "not_canonical", r#""\ud800""#),
        text(
            "escaped surrogate pair",
            "not_canonical",
            r#""\ud83d\udd10""#,
        ),
        text("unknown escape", "not_canonical", r#""\x""#),
        text("fraction", "number", "1.5"),
        text("fraction of zero", "number", "1.0"),
        text("exponent", "number", "1e3"),
        text("large exponent", "number", "1E3"),
        text("one beyond the largest", "number", "9007199254740992"),
        text("one below the smallest", "number", "-9007199254740992"),
        text("beyond 64 bits", "number", "18446744073709551616"),
        text("upper-case member", "member", r#"{"A":1}"#),
        text("member with a hyphen", "member", r#"{"a-b":1}"#),
        text("member that starts with a digit", "member", r#"{"1a":1}"#),
        text(
            "member that starts with an underscore",
            "member",
            r#"{"_a":1}"#,
        ),
        text("empty member", "member", r#"{"":1}"#),
        text(
            "letter beyond ASCII in a member",
            "member",
            "{\"\u{e9}\":1}",
        ),
        text("repeated member", "repeated", r#"{"a":1,"a":1}"#),
        text(
            "repeated member, another value",
            "repeated",
            r#"{"a":1,"a":2}"#,
        ),
        text(
            "repeated member, inside",
            "repeated",
            r#"{"a":{"b":1,"b":2}}"#,
        ),
        text("line feed in a string", "text", "\"\n\""),
        text("tab in a string", "text", "\"\t\""),
        text("NUL in a string", "text", "\"\0\""),
        text("DEL in a string", "text", "\"\u{7f}\""),
        text("left-to-right embedding", "text", "\"\u{202a}\""),
        text("right-to-left override", "text", "\"\u{202e}\""),
        text("left-to-right isolate", "text", "\"\u{2066}\""),
        text("pop isolate", "text", "\"\u{2069}\""),
        text("byte order mark in a string", "text", "\"a\u{feff}\""),
        text("decomposed letter", "text", "\"e\u{301}\""),
        text("decomposed hangul", "text", "\"\u{1100}\u{1161}\""),
        text("singleton that NFC replaces", "text", "\"\u{212b}\""),
        text("marks out of order", "text", "\"a\u{301}\u{316}\""),
        raw("not UTF-8", "utf8", b"\"\xff\""),
        raw("overlong", "utf8", b"\"\xc0\xaf\""),
        raw("surrogate in UTF-8", "utf8", b"\"\xed\xa0\x80\""),
        raw("cut off", "utf8", b"\"\xe2\x82"),
    ]
}

#[test]
fn canonical_json() {
    let cases = cases(
        FILE,
        "Canonical JSON: what a reader takes and what it refuses, and why. `bytes` in hex.",
        make,
    );
    judge(FILE, &cases, |case| {
        let bytes = case.bytes("bytes");
        let value = json::parse(&bytes).map_err(|e| e.code().to_owned())?;
        assert_eq!(json::encode(&value), bytes, "{}", case.name);
        Ok(())
    });
}
