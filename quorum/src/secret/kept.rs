//! Secret values: a type for each purpose, on the heap, wiped on drop.

use subtle::ConstantTimeEq;
use zeroize::{Zeroize, Zeroizing};

use crate::hash::Hash;

/// 32 secret bytes, filled in place so that no copy stays on the stack.
pub(super) struct Kept32(Box<[u8; 32]>);

impl Kept32 {
    pub(super) fn fill<E>(write: impl FnOnce(&mut [u8; 32]) -> Result<(), E>) -> Result<Self, E> {
        let mut kept = Self(Box::new([0; 32]));
        write(&mut kept.0)?;
        Ok(kept)
    }

    /// A copy of exactly 32 bytes; the source stays its owner's to wipe.
    pub(super) fn copy_of(bytes: &[u8]) -> Option<Self> {
        Self::fill(|kept| {
            if bytes.len() != kept.len() {
                return Err(());
            }
            kept.copy_from_slice(bytes);
            Ok(())
        })
        .ok()
    }

    pub(super) fn expose(&self) -> &[u8; 32] {
        &self.0
    }

    /// Compares in constant time.
    pub(super) fn same(&self, other: &Self) -> bool {
        self.0.ct_eq(other.0.as_ref()).into()
    }
}

impl Drop for Kept32 {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}

/// `q`, the half of the key that is split among approvers.
pub struct HalfQ(pub(super) Kept32);

/// `h`, the half of the key that tokens wrap.
///
/// Like every secret type of this crate it cannot be printed,
/// ```compile_fail,E0277
/// let h = quorum::secret::HalfH::copy_of(&[7; 32]).unwrap();
/// println!("{h:?}");
/// ```
/// nor copied by accident,
/// ```compile_fail,E0599
/// let h = quorum::secret::HalfH::copy_of(&[7; 32]).unwrap();
/// let again = h.clone();
/// ```
/// nor compared in variable time:
/// ```compile_fail,E0369
/// let h = quorum::secret::HalfH::copy_of(&[7; 32]).unwrap();
/// assert!(h == h);
/// ```
pub struct HalfH(pub(super) Kept32);

impl HalfH {
    /// From what a token unwrapped: 32 bytes, else `None`. The source stays its owner's to wipe.
    #[must_use]
    pub fn copy_of(bytes: &[u8]) -> Option<Self> {
        Kept32::copy_of(bytes).map(Self)
    }

    /// The bytes, for a token to wrap.
    #[must_use]
    pub fn expose(&self) -> &[u8; 32] {
        self.0.expose()
    }
}

/// What an authenticator's PRF gave for the one salt of FORMATS.md 7: 32 bytes that never leave the
/// approver's machine.
pub struct PrfOutput(pub(super) Kept32);

impl PrfOutput {
    /// The salt to ask for: `eval.first` = SHA-256("vitrine/prf/v1\n").
    #[must_use]
    pub fn salt() -> [u8; 32] {
        crate::hash::labelled("prf", &[]).0
    }

    /// From an authenticator: 32 bytes, else `None`. The source stays its owner's to wipe.
    #[must_use]
    pub fn copy_of(bytes: &[u8]) -> Option<Self> {
        Kept32::copy_of(bytes).map(Self)
    }
}

/// One approver's part of `q`, checked against the envelope that `ctx` stands for.
pub struct Share {
    pub(super) x: u8,
    pub(super) ctx: Hash,
    pub(super) bytes: Kept32,
}

impl Share {
    /// The place of its approver in the roster, from 1.
    #[must_use]
    pub const fn x(&self) -> u8 {
        self.x
    }

    /// The context of the envelope it belongs to.
    #[must_use]
    pub const fn ctx(&self) -> &Hash {
        &self.ctx
    }
}

/// What is sealed: a password, a key, a note.
pub struct Plaintext(Zeroizing<Vec<u8>>);

impl Plaintext {
    /// Takes the bytes over; their buffer is wiped with this value.
    #[must_use]
    pub fn new(bytes: Vec<u8>) -> Self {
        Self(Zeroizing::new(bytes))
    }

    /// The bytes, for the one who may see them.
    #[must_use]
    pub fn expose(&self) -> &[u8] {
        &self.0
    }

    /// How many bytes.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there is nothing in it.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Compares in constant time (the length is no secret).
    #[must_use]
    pub fn same(&self, other: &Self) -> bool {
        self.0.ct_eq(&other.0).into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Does not compile where `$type` has one of the traits: then `<$type as Ambiguous<_>>` has two
    /// answers.
    macro_rules! has_none_of {
        ($type:ty: $($trait:path),+) => {
            const _: fn() = || {
                trait Ambiguous<A> {
                    fn item() {}
                }
                impl<T: ?Sized> Ambiguous<()> for T {}
                $({
                    struct Has;
                    impl<T: ?Sized + $trait> Ambiguous<Has> for T {}
                })+
                let _ = <$type as Ambiguous<_>>::item;
            };
        };
    }

    macro_rules! secret {
        ($($type:ty),+) => {$(
            has_none_of!($type: std::fmt::Debug, std::fmt::Display, Clone, PartialEq, serde::Serialize);
        )+};
    }

    secret!(
        Kept32,
        HalfQ,
        HalfH,
        PrfOutput,
        Share,
        Plaintext,
        crate::secret::ShareKey,
        crate::secret::DeliveryKey,
        crate::secret::enrol_box::Opened,
        crate::secret::keys::OnceKey
    );

    #[test]
    fn other_lengths_are_refused() {
        for len in [0, 31, 33, 64] {
            assert!(HalfH::copy_of(&vec![1; len]).is_none());
            assert!(PrfOutput::copy_of(&vec![1; len]).is_none());
        }
    }
}
