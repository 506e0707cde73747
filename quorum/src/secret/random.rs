//! The operating system's randomness, behind the trait that `hpke` and `sharks` ask for.

use std::convert::Infallible;
use std::fmt;

pub(super) use hpke::rand_core::{CryptoRng, Rng};
use hpke::rand_core::{TryCryptoRng, TryRng};

/// The operating system gave no randomness. Nothing was made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NoRandomness;

impl fmt::Display for NoRandomness {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the operating system gave no randomness")
    }
}

impl std::error::Error for NoRandomness {}

/// The trait has no way to fail, so a failure is kept here and judged at the end by [`from_os`].
pub(super) struct Os {
    failed: bool,
}

/// Does `work` with the operating system's randomness, and throws its result away if there was none.
pub(super) fn from_os<T, E: From<NoRandomness>>(
    work: impl FnOnce(&mut Os) -> Result<T, E>,
) -> Result<T, E> {
    let mut os = Os { failed: false };
    let made = work(&mut os);
    if os.failed {
        return Err(NoRandomness.into());
    }
    made
}

impl TryRng for Os {
    type Error = Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        let mut bytes = [0; 4];
        self.try_fill_bytes(&mut bytes)?;
        Ok(u32::from_le_bytes(bytes))
    }

    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        let mut bytes = [0; 8];
        self.try_fill_bytes(&mut bytes)?;
        Ok(u64::from_le_bytes(bytes))
    }

    fn try_fill_bytes(&mut self, bytes: &mut [u8]) -> Result<(), Infallible> {
        if getrandom::fill(bytes).is_err() {
            bytes.fill(0);
            self.failed = true;
        }
        Ok(())
    }
}

impl TryCryptoRng for Os {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_takes_the_result_with_it() {
        let made = from_os(|os| {
            os.failed = true;
            Ok::<_, NoRandomness>(7)
        });
        assert_eq!(made, Err(NoRandomness));
    }
}
