//! What binds a wrapped `h` to its key and its envelope.

use crate::hash::Hash;
use crate::ids::KeyId;

/// The AAD under which a token wraps `h` (`CKM_AES_GCM`): label, the key id's 36 ASCII bytes, the
/// context of the envelope.
#[must_use]
pub fn custody_aad(key: KeyId, ctx: &Hash) -> Vec<u8> {
    [
        b"vitrine/custody/v1\n",
        key.to_string().as_bytes(),
        ctx.as_bytes(),
    ]
    .concat()
}
