//! Spellings of binary in text: hex, base64 and ids, each with exactly one spelling for a value.

/// 16 bytes that name a thing.
pub(super) type Id = [u8; 16];
/// A SHA-256 value.
pub(super) type Hash = [u8; 32];

const NO: u8 = 0xff;

const fn alphabet(letters: &[u8]) -> [u8; 256] {
    let mut table = [NO; 256];
    let mut rest = letters;
    let mut value = 0;
    while let [letter, after @ ..] = rest {
        // Const evaluation: an index out of range would not compile.
        #[allow(clippy::indexing_slicing)]
        {
            table[*letter as usize] = value;
        }
        value += 1;
        rest = after;
    }
    table
}

static HEX: [u8; 256] = alphabet(b"0123456789abcdef");
static URL: [u8; 256] =
    alphabet(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_");
static STANDARD: [u8; 256] =
    alphabet(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/");

fn look(table: &[u8; 256], byte: u8) -> u8 {
    table.get(usize::from(byte)).copied().unwrap_or(NO)
}

/// `2 * N` lower-case hex digits.
pub(super) fn hex<const N: usize>(text: &[u8]) -> Option<[u8; N]> {
    if text.len() != N * 2 {
        return None;
    }
    let mut out = [0; N];
    let mut bad = 0;
    for (byte, pair) in out.iter_mut().zip(text.chunks_exact(2)) {
        if let [high, low] = pair {
            let (high, low) = (look(&HEX, *high), look(&HEX, *low));
            bad |= high | low;
            *byte = high.wrapping_shl(4) | low;
        }
    }
    // A digit's value is below 16; what is no digit sets the high bits.
    (bad < 16).then_some(out)
}

/// A lower-case UUID.
pub(super) fn id(text: &[u8]) -> Option<Id> {
    let text: &[u8; 36] = text.try_into().ok()?;
    let mut digits = [0_u8; 32];
    let mut into = digits.iter_mut();
    for (at, byte) in text.iter().enumerate() {
        if matches!(at, 8 | 13 | 18 | 23) {
            if *byte != b'-' {
                return None;
            }
        } else {
            *into.next()? = *byte;
        }
    }
    hex(&digits)
}

/// The length of what unpadded base64url stands for, when it is spelt right: no padding, trailing bits zero.
pub(super) fn base64url_len(text: &[u8]) -> Option<usize> {
    length(&URL, text)
}

fn length(table: &[u8; 256], text: &[u8]) -> Option<usize> {
    let bad = text.iter().fold(0, |bad, b| bad | look(table, *b));
    let last = text.last().map_or(0, |b| look(table, *b));
    let spare = match text.len() % 4 {
        0 => 0,
        2 => last & 0x0f,
        3 => last & 0x03,
        _ => return None,
    };
    (bad < 64 && spare == 0).then(|| text.len() / 4 * 3 + (text.len() % 4).saturating_sub(1))
}

fn decode(table: &[u8; 256], text: &[u8], out: &mut Vec<u8>) -> Option<()> {
    out.clear();
    let len = length(table, text)?;
    out.reserve(len);
    for four in text.chunks(4) {
        let mut bits = 0_u32;
        for at in 0..4 {
            let six = four.get(at).map_or(0, |b| look(table, *b));
            bits = (bits << 6) | u32::from(six);
        }
        let [_, a, b, c] = bits.to_be_bytes();
        out.extend_from_slice(&[a, b, c]);
    }
    out.truncate(len);
    Some(())
}

/// Decodes unpadded base64url into `out`, which is emptied first.
pub(super) fn base64url(text: &[u8], out: &mut Vec<u8>) -> Option<()> {
    decode(&URL, text, out)
}

/// Decodes unpadded base64url of exactly `N` bytes.
pub(super) fn base64url_array<const N: usize>(text: &[u8]) -> Option<[u8; N]> {
    let mut out = Vec::new();
    base64url(text, &mut out)?;
    out.try_into().ok()
}

/// Decodes padded standard base64 (signed notes use it).
pub(super) fn base64(text: &[u8]) -> Option<Vec<u8>> {
    if !text.len().is_multiple_of(4) {
        return None;
    }
    let bare = text
        .strip_suffix(b"==")
        .or_else(|| text.strip_suffix(b"="))
        .unwrap_or(text);
    let mut out = Vec::new();
    decode(&STANDARD, bare, &mut out)?;
    (bare.len().div_ceil(4) * 4 == text.len()).then_some(out)
}

/// The spelling of a `pin` (FORMATS.md 3): a certificate's key, a socket, or a host key.
pub(super) fn is_pin(text: &[u8]) -> bool {
    if let Some(digits) = text.strip_prefix(b"sha256:") {
        return hex::<32>(digits).is_some();
    }
    if let Some(code) = text.strip_prefix(b"ssh:SHA256:") {
        return length(&STANDARD, code) == Some(32);
    }
    text == b"unix"
}

/// Unpadded base64url of 32 bytes: how a challenge stands in client data.
pub(super) fn challenge(hash: &Hash) -> [u8; 43] {
    const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let mut out = [0; 43];
    let mut into = out.iter_mut();
    for three in hash.chunks(3) {
        let mut bits = 0_u32;
        for at in 0..3 {
            bits = (bits << 8) | three.get(at).copied().map_or(0, u32::from);
        }
        for shift in [18, 12, 6, 0] {
            let six = usize::try_from((bits >> shift) & 63).unwrap_or(0);
            if let (Some(place), Some(letter)) = (into.next(), LETTERS.get(six)) {
                *place = *letter;
            }
        }
    }
    out
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing)]
    use super::*;
    use base64::Engine as _;
    use base64::engine::general_purpose::{STANDARD as THEIRS, URL_SAFE_NO_PAD as THEIR_URL};

    #[test]
    fn hex_has_one_spelling() {
        assert_eq!(hex::<2>(b"0aff"), Some([0x0a, 0xff]));
        for bad in ["0aFF", "0af", "0aff0", "0ag0", "", "0a f"] {
            assert_eq!(hex::<2>(bad.as_bytes()), None, "{bad}");
        }
    }

    #[test]
    fn ids_are_lower_case_uuids() {
        assert!(id(b"01890a5d-ac96-774b-bcce-b302099a8057").is_some());
        for bad in [
            "01890A5d-ac96-774b-bcce-b302099a8057",
            "01890a5dac96774bbcceb302099a8057",
            "{01890a5d-ac96-774b-bcce-b302099a8057}",
            "01890a5d-ac96-774b-bcce-b302099a805",
            "01890a5d-ac96-774bb-cce-b302099a8057",
        ] {
            assert!(id(bad.as_bytes()).is_none(), "{bad}");
        }
    }

    #[test]
    fn base64_agrees_with_another_implementation() {
        for len in 0..70_usize {
            let bytes: Vec<u8> = (0..len).map(|i| (i * 37 + len) as u8).collect();
            let url = THEIR_URL.encode(&bytes);
            let mut out = Vec::new();
            base64url(url.as_bytes(), &mut out).unwrap();
            assert_eq!(out, bytes);
            assert_eq!(base64url_len(url.as_bytes()), Some(len));
            assert_eq!(base64(THEIRS.encode(&bytes).as_bytes()).unwrap(), bytes);
            if len == 32 {
                let hash: Hash = bytes.clone().try_into().unwrap();
                assert_eq!(challenge(&hash), url.as_bytes());
            }
        }
        for bad in ["A", "AB", "AAB", "AA==", "A A", "AA+A", "AAAAA"] {
            assert!(base64url_len(bad.as_bytes()).is_none(), "{bad}");
        }
        for bad in [
            "AA", "AA=", "AA===", "AB==", "A===", "====", "=", "AAA_", "AAAA====",
        ] {
            assert!(base64(bad.as_bytes()).is_none(), "{bad}");
        }
    }

    #[test]
    fn pins() {
        assert!(is_pin(b"unix"));
        assert!(is_pin(format!("sha256:{}", "a".repeat(64)).as_bytes()));
        assert!(is_pin(format!("ssh:SHA256:{}A", "a".repeat(42)).as_bytes()));
        assert!(!is_pin(
            format!("ssh:SHA256:{}B", "a".repeat(42)).as_bytes()
        ));
        assert!(!is_pin(format!("sha256:{}", "A".repeat(64)).as_bytes()));
        assert!(!is_pin(b"unix "));
        assert!(!is_pin(b""));
    }
}
