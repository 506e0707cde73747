//! Checkpoints (FORMATS.md 5): C2SP signed notes of three lines, and the keys that sign them.

use aws_lc_rs::digest;
use aws_lc_rs::signature::{ED25519, UnparsedPublicKey};

use super::text::{self, Hash};

/// A note's size: plenty for three lines and the signatures of many witnesses.
pub(super) const NOTE_MAX: usize = 65_536;

/// An Ed25519 key that signs checkpoints.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct VerifierKey {
    /// The first 4 bytes of SHA-256(name || LF || 0x01 || key).
    pub(super) id: [u8; 4],
    key: [u8; 32],
}

impl VerifierKey {
    /// Parses `<name>+<8 hex>+<base64(0x01 || key)>` of that very name.
    pub(super) fn parse(text: &str, name: &str) -> Option<VerifierKey> {
        let rest = text.strip_prefix(name)?.strip_prefix('+')?;
        let (id, code) = rest.split_once('+')?;
        let id: [u8; 4] = text::hex(id.as_bytes())?;
        let typed = text::base64(code.as_bytes())?;
        let [0x01, key @ ..] = typed.as_slice() else {
            return None;
        };
        let mut context = digest::Context::new(&digest::SHA256);
        context.update(name.as_bytes());
        context.update(b"\n");
        context.update(&typed);
        let own = context.finish();
        (own.as_ref().first_chunk::<4>() == Some(&id)).then_some(VerifierKey {
            id,
            key: key.try_into().ok()?,
        })
    }

    fn verifies(&self, text: &[u8], signature: &[u8]) -> bool {
        UnparsedPublicKey::new(&ED25519, self.key)
            .verify(text, signature)
            .is_ok()
    }
}

/// What a checkpoint says, whoever signed it.
pub(super) struct Checkpoint<'a> {
    pub(super) origin: &'a str,
    pub(super) size: u64,
    pub(super) root: Hash,
    /// The signed bytes: three lines with their line feeds.
    text: &'a [u8],
    signatures: Vec<Signature<'a>>,
}

struct Signature<'a> {
    name: &'a str,
    id: [u8; 4],
    bytes: Vec<u8>,
}

impl<'a> Checkpoint<'a> {
    /// Parses a whole note.
    pub(super) fn parse(note: &'a [u8]) -> Option<Checkpoint<'a>> {
        if note.len() > NOTE_MAX {
            return None;
        }
        let whole = std::str::from_utf8(note).ok()?;
        if whole.chars().any(|c| c < ' ' && c != '\n') {
            return None;
        }
        let (body, signed) = whole.split_once("\n\n")?;
        let mut lines = body.split('\n');
        let (origin, size, root) = (lines.next()?, lines.next()?, lines.next()?);
        if lines.next().is_some() || origin.is_empty() {
            return None;
        }
        let digits = !size.is_empty() && size.bytes().all(|b| b.is_ascii_digit());
        if !digits || size.starts_with('0') {
            return None;
        }
        let signatures = signed
            .strip_suffix('\n')?
            .split('\n')
            .map(Signature::parse)
            .collect::<Option<Vec<_>>>()?;
        Some(Checkpoint {
            origin,
            size: size.parse().ok()?,
            root: text::base64(root.as_bytes())?.try_into().ok()?,
            text: note.get(..body.len() + 1)?,
            signatures,
        })
    }

    /// Checks the signatures by the keys in force: one at least, and none that is bad. Others, of witnesses say, are left alone.
    pub(super) fn check_signatures(
        &self,
        name: &str,
        keys: &[VerifierKey],
    ) -> Result<(), &'static str> {
        let mut good = 0_u32;
        for signature in self.signatures.iter().filter(|s| s.name == name) {
            let Some(key) = keys.iter().find(|key| key.id == signature.id) else {
                continue;
            };
            if !key.verifies(self.text, &signature.bytes) {
                return Err("has a bad signature");
            }
            good = good.saturating_add(1);
        }
        if good == 0 {
            return Err("is not signed by a key in force");
        }
        Ok(())
    }
}

impl<'a> Signature<'a> {
    fn parse(line: &'a str) -> Option<Signature<'a>> {
        let (name, code) = line.strip_prefix("\u{2014} ")?.split_once(' ')?;
        if name.is_empty() || name.contains(|c: char| c == '+' || c.is_whitespace()) {
            return None;
        }
        let mut bytes = text::base64(code.as_bytes())?;
        let id = *bytes.first_chunk::<4>()?;
        if bytes.len() < 5 {
            return None;
        }
        bytes.drain(..4);
        Some(Signature { name, id, bytes })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing)]
    use super::super::forge::{CheckpointKey, note, note_over};
    use super::*;

    const NAME: &str = "vitrine.example/ledger";

    #[test]
    fn a_verifier_key_is_spelt_in_one_way() {
        let key = CheckpointKey::new(NAME);
        let vkey = key.vkey();
        assert!(VerifierKey::parse(&vkey, NAME).is_some());
        assert!(VerifierKey::parse(&vkey, "vitrine.example").is_none());
        for bad in [
            vkey.to_uppercase(),
            format!("{vkey}="),
            format!("{vkey} "),
            vkey.replacen("+", "++", 1),
            vkey.replacen("+A", "+B", 1),
            NAME.to_owned(),
            String::new(),
        ] {
            assert!(VerifierKey::parse(&bad, NAME).is_none(), "{bad}");
        }
    }

    #[test]
    fn a_checkpoint_has_three_lines_and_good_signatures() {
        let (key, other) = (CheckpointKey::new(NAME), CheckpointKey::new(NAME));
        let keys = [VerifierKey::parse(&key.vkey(), NAME).unwrap()];
        let check = |note: &str| {
            Checkpoint::parse(note.as_bytes()).map(|c| c.check_signatures(NAME, &keys))
        };
        let root = [7; 32];
        let good = note(NAME, 5, &root, &[&key]);
        let parsed = Checkpoint::parse(good.as_bytes()).unwrap();
        assert_eq!((parsed.origin, parsed.size, parsed.root), (NAME, 5, root));
        assert_eq!(check(&good), Some(Ok(())));
        assert_eq!(check(&note(NAME, 5, &root, &[&other, &key])), Some(Ok(())));
        assert_eq!(
            check(&note(NAME, 5, &root, &[&other])),
            Some(Err("is not signed by a key in force"))
        );
        let text = good.split_once("\n\n").unwrap().0;
        let tampered = good.replacen("\n5\n", "\n6\n", 1);
        assert_eq!(check(&tampered), Some(Err("has a bad signature")));
        let both = format!("{good}{}", tampered_line(&good));
        assert_eq!(check(&both), Some(Err("has a bad signature")));
        for bad in [
            format!("{text}\n"),
            format!("{text}\n\n"),
            good.trim_end().to_owned(),
            format!("{good}\n"),
            good.replacen("\n5\n", "\n05\n", 1),
            good.replacen("\n5\n", "\n0\n", 1),
            good.replacen("\n5\n", "\n+5\n", 1),
            good.replacen("\n5\n", "\n99999999999999999999999\n", 1),
            good.replacen("\u{2014} ", "- ", 1),
            good.replacen('\n', "\r\n", 1),
            good.replacen("=\n", "\n", 1),
            note_over(
                &format!(
                    "{NAME}\n5\n{}\nextension\n",
                    text.rsplit_once('\n').unwrap().1
                ),
                &[&key],
            ),
            format!("\n{good}"),
        ] {
            assert_eq!(check(&bad), None, "{bad:?}");
        }
    }

    /// The note's signature line with its last but one signature byte changed.
    fn tampered_line(good: &str) -> String {
        let line = good.lines().last().unwrap();
        let (head, code) = line.rsplit_once(' ').unwrap();
        let flipped = if &code[10..11] == "A" { "B" } else { "A" };
        format!("{head} {}{flipped}{}\n", &code[..10], &code[11..])
    }
}
