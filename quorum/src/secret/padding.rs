//! Padding to steps of 64 bytes, so that an envelope's length says little: 0x80, then zeros
//! (ISO/IEC 7816-4).

use zeroize::Zeroizing;

/// The bytes are not a padded content: no mark, something after it, or a step too many.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BadPadding;

/// Bytes a step has.
pub(super) const STEP: usize = 64;

/// `content`, one 0x80, and zeros up to the next step; with room for `spare` bytes behind.
pub(super) fn pad(content: &[u8], spare: usize) -> Zeroizing<Vec<u8>> {
    let len = (content.len() / STEP + 1) * STEP;
    let mut padded = Zeroizing::new(Vec::with_capacity(len + spare));
    padded.extend_from_slice(content);
    padded.push(0x80);
    padded.resize(len, 0);
    padded
}

/// The content within `padded`. The only padding taken is the one that [`pad`] makes.
pub(super) fn unpad(padded: &[u8]) -> Result<&[u8], BadPadding> {
    if padded.is_empty() || !padded.len().is_multiple_of(STEP) {
        return Err(BadPadding);
    }
    let mark = padded.iter().rposition(|b| *b != 0).ok_or(BadPadding)?;
    if padded.get(mark) != Some(&0x80) || padded.len() - mark > STEP {
        return Err(BadPadding);
    }
    padded.get(..mark).ok_or(BadPadding)
}
