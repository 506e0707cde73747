//! The box that proves a share key before it counts: whoever opens it holds the private half.

use zeroize::Zeroizing;

use crate::hash::Hash;
use crate::ids::UserId;
use crate::json::{self, Object, Value};
use crate::secret::hpke_box::{self, BoxError};
use crate::secret::open::OpenError;
use crate::secret::random::{CryptoRng, from_os};
use crate::secret::share::ShareKey;

fn info(ledger: &Hash, user: UserId) -> Vec<u8> {
    let whose = json::encode(&Value::Obj(Object::from([
        ("ledger".to_owned(), Value::Str(ledger.to_string())),
        ("user".to_owned(), Value::Str(user.to_string())),
    ])));
    [b"vitrine/enrol-box/v1\n", whose.as_slice()].concat()
}

/// Seals `content` to a share key that somebody claims.
///
/// # Errors
/// [`BoxError::Key`] for a key of small order, which would prove nothing; [`BoxError::Randomness`].
pub fn seal(
    share_key: &[u8; 32],
    ledger: &Hash,
    user: UserId,
    content: &[u8],
) -> Result<Vec<u8>, BoxError> {
    from_os(|os| seal_with(share_key, ledger, user, content, os))
}

pub(super) fn seal_with(
    share_key: &[u8; 32],
    ledger: &Hash,
    user: UserId,
    content: &[u8],
    rng: &mut impl CryptoRng,
) -> Result<Vec<u8>, BoxError> {
    hpke_box::seal(share_key, &info(ledger, user), b"", content, rng)
}

/// What was in a box. Wiped on drop; cannot be printed, copied or compared.
pub struct Opened(Zeroizing<Vec<u8>>);

impl Opened {
    /// The bytes, for the one who sealed the box.
    #[must_use]
    pub fn expose(&self) -> &[u8] {
        &self.0
    }
}

/// Opens a box.
///
/// # Errors
/// [`OpenError::NotForThisKey`].
pub fn open(
    key: &ShareKey,
    ledger: &Hash,
    user: UserId,
    sealed: &[u8],
) -> Result<Opened, OpenError> {
    hpke_box::open(&key.0, &info(ledger, user), b"", sealed)
        .map(Opened)
        .ok_or(OpenError::NotForThisKey)
}
