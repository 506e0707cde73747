//! The keys of a login: read, checked one by one, and recognised from login to login.

use std::collections::BTreeMap;

use cryptoki::error::Error;
use cryptoki::object::{Attribute, AttributeType, ObjectClass, ObjectHandle};
use cryptoki::session::Session;

use crate::attributes::Attributes;
use crate::keys::{ED25519_NAME, ED25519_OID, Key, KeyFault, KeyId, KeyKind};
use crate::module::Desk;
use crate::ops;

/// What a key was when this process first saw it: it is recognised by that after every reopening.
#[derive(Clone)]
pub(crate) enum Witness {
    /// A short ciphertext that only this key opens.
    Canary(ops::Canary),
    /// The public half.
    Public([u8; 32]),
}

pub(crate) struct Found {
    pub(crate) handle: ObjectHandle,
    /// The public half's handle, of a signing key.
    public: Option<ObjectHandle>,
    pub(crate) key: Key,
}

/// The keys of one login. Handles are good for that login alone.
#[derive(Default)]
pub(crate) struct Table {
    pub(crate) good: BTreeMap<KeyId, Found>,
    pub(crate) bad: BTreeMap<KeyId, KeyFault>,
    /// Carried from login to login, never forgotten.
    pub(crate) seen: Seen,
}

pub(crate) type Seen = BTreeMap<KeyId, Witness>;

impl Table {
    /// Reads and checks every key of the token that has a 16-byte id; others are none of ours.
    ///
    /// # Errors
    /// Only what says something about the token. What says something about one key goes to `bad`.
    pub(crate) fn read(desk: &Desk<'_>, seen: Seen) -> Result<Self, Error> {
        Self::read_those(desk, &[Attribute::Token(true)], seen)
    }

    /// Looks for one key that was not there before: another process may have made it.
    pub(crate) fn look_for(desk: &Desk<'_>, id: &KeyId, seen: Seen) -> Result<Self, Error> {
        Self::read_those(
            desk,
            &[Attribute::Token(true), Attribute::Id(id.0.to_vec())],
            seen,
        )
    }

    fn read_those(desk: &Desk<'_>, those: &[Attribute], seen: Seen) -> Result<Self, Error> {
        let mut table = Self {
            seen,
            ..Self::default()
        };
        let mut handles = Vec::new();
        let session = desk.session()?;
        for class in [ObjectClass::SECRET_KEY, ObjectClass::PRIVATE_KEY] {
            let template = [&[Attribute::Class(class)], those].concat();
            handles.extend(session.find_objects(&template)?);
        }
        drop(session);
        // If a key fails as if the token were lost: is it lost? If another key still works, it is the key's fault.
        let mut doubt = None;
        for handle in handles {
            // A session of its own for each: a failure leaves one in the middle of something for ever.
            doubt = table.add(&*desk.session()?, handle)?.or(doubt);
        }
        match doubt {
            Some(e) if table.good.is_empty() => return Err(e),
            Some(_) => table.a_probe().run(&*desk.session()?)?,
            None => {}
        }
        Ok(table)
    }

    /// What shows that the token still works: its first good key does; without a key, the session answers.
    pub(crate) fn a_probe(&self) -> Probe {
        self.good
            .iter()
            .find_map(|(id, found)| match (self.seen.get(id)?, found.public) {
                (Witness::Canary(canary), _) => Some(Probe::Canary(found.handle, canary.clone())),
                (Witness::Public(_), public) => Some(Probe::Pair(found.handle, public?)),
            })
            .unwrap_or(Probe::Session)
    }

    /// The token has an object with this id.
    pub(crate) fn has(&self, id: &KeyId) -> bool {
        self.good.contains_key(id) || self.bad.contains_key(id)
    }

    /// The key was destroyed.
    pub(crate) fn forget(&mut self, id: &KeyId) {
        self.good.remove(id);
        self.bad.remove(id);
        self.seen.remove(id);
    }

    /// Takes in what [`Table::look_for`] found.
    pub(crate) fn merge(&mut self, other: Self) {
        self.good.extend(other.good);
        self.bad.extend(other.bad);
        for (id, witness) in other.seen {
            self.seen.entry(id).or_insert(witness);
        }
    }

    /// Checks the object and takes it in under its id. Gives what failed as if the token were lost.
    fn add(&mut self, session: &Session, handle: ObjectHandle) -> Result<Option<Error>, Error> {
        let attributes = match Attributes::read(session, handle) {
            Ok(attributes) => attributes,
            Err(e) if ops::is_loss(&e) => return Err(e),
            // Without an id nothing can name it.
            Err(_) => return Ok(None),
        };
        let Some(id) = attributes.id else {
            return Ok(None);
        };
        let mut doubt = None;
        let verdict = match attributes
            .check()
            .map(|kind| (kind, self.prove(session, handle, id, kind)))
        {
            Err(fault) => Err(fault),
            Ok((kind, Ok(proved))) => proved.map(|public| (kind, public)),
            Ok((_, Err(e))) => {
                if ops::is_loss(&e) {
                    doubt = Some(e);
                }
                Err(KeyFault::Unusable)
            }
        };
        if self.has(&id) {
            self.good.remove(&id);
            self.bad.insert(id, KeyFault::Duplicate);
            return Ok(None);
        }
        match verdict {
            Ok((kind, public)) => {
                let (public_handle, public) = public.unzip();
                let key = Key {
                    id,
                    label: attributes.label,
                    kind,
                    public,
                };
                self.good.insert(
                    id,
                    Found {
                        handle,
                        public: public_handle,
                        key,
                    },
                );
            }
            Err(fault) => {
                self.bad.insert(id, fault);
            }
        }
        Ok(doubt)
    }

    /// The key works, and is the one that had this id before. Gives the public half, if it has one.
    fn prove(
        &mut self,
        session: &Session,
        handle: ObjectHandle,
        id: KeyId,
        kind: KeyKind,
    ) -> Result<Result<Option<PublicHalf>, KeyFault>, Error> {
        match kind {
            KeyKind::Wrapping => {
                if let Some(Witness::Canary(canary)) = self.seen.get(&id)
                    && canary.opens(session, handle).is_ok()
                {
                    return Ok(Ok(None));
                }
                // A new one must open before the old one's failure says anything about the key.
                let canary = ops::Canary::make(session, handle, &id)?;
                canary.opens(session, handle)?;
                if self.seen.contains_key(&id) {
                    return Ok(Err(KeyFault::Changed));
                }
                self.seen.insert(id, Witness::Canary(canary));
                Ok(Ok(None))
            }
            KeyKind::Signing => {
                let Some((public_handle, public)) = public_half(session, &id)? else {
                    return Ok(Err(KeyFault::PublicKey));
                };
                match self.seen.get(&id) {
                    Some(Witness::Public(before)) if *before == public => {}
                    Some(_) => return Ok(Err(KeyFault::Changed)),
                    None => {}
                }
                if !ops::pair_matches(session, handle, public_handle)? {
                    return Ok(Err(KeyFault::PublicKey));
                }
                self.seen.insert(id, Witness::Public(public));
                Ok(Ok(Some((public_handle, public))))
            }
        }
    }
}

/// See [`Table::a_probe`].
pub(crate) enum Probe {
    Canary(ObjectHandle, ops::Canary),
    Pair(ObjectHandle, ObjectHandle),
    Session,
}

impl Probe {
    pub(crate) fn run(&self, session: &Session) -> Result<(), Error> {
        match self {
            Self::Canary(key, canary) => canary.opens(session, *key),
            Self::Pair(private, public) => match ops::pair_matches(session, *private, *public)? {
                true => Ok(()),
                false => Err(Error::InvalidValue),
            },
            Self::Session => {
                session.get_session_info()?;
                session.generate_random_vec(8).map(drop)
            }
        }
    }
}

type PublicHalf = (ObjectHandle, [u8; 32]);

/// The public half of the signing key `id`: exactly one object, of the right curve.
fn public_half(session: &Session, id: &KeyId) -> Result<Option<PublicHalf>, Error> {
    let template = [
        Attribute::Class(ObjectClass::PUBLIC_KEY),
        Attribute::Token(true),
        Attribute::Id(id.0.to_vec()),
    ];
    let found = session.find_objects(&template)?;
    let [handle] = found.as_slice() else {
        return Ok(None);
    };
    let (mut point, mut params) = (None, None);
    for attribute in
        session.get_attributes(*handle, &[AttributeType::EcPoint, AttributeType::EcParams])?
    {
        match attribute {
            Attribute::EcPoint(bytes) => point = Some(bytes),
            Attribute::EcParams(bytes) => params = Some(bytes),
            _ => {}
        }
    }
    let curve = params.is_some_and(|p| p == ED25519_OID || p == ED25519_NAME);
    Ok(point
        .filter(|_| curve)
        .and_then(|p| ed25519_point(&p))
        .map(|public| (*handle, public)))
}

/// `CKA_EC_POINT` as tokens give it: a DER OCTET STRING (SoftHSM), or the 32 bytes themselves (kryoptic).
fn ed25519_point(bytes: &[u8]) -> Option<[u8; 32]> {
    let raw = match bytes {
        [0x04, 0x20, raw @ ..] if raw.len() == 32 => raw,
        raw => raw,
    };
    raw.try_into().ok()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::indexing_slicing)]
    use super::ed25519_point;

    #[test]
    fn point_is_taken_in_der_and_raw() {
        let raw = [0x04; 32];
        let der = [&[0x04, 0x20][..], &raw].concat();
        assert_eq!(ed25519_point(&der), Some(raw));
        assert_eq!(ed25519_point(&raw), Some(raw));
        for other in [
            &der[..33],
            &[&der[..], &[0]].concat(),
            &raw[..31],
            &[0x04, 0x1f],
            &[],
        ] {
            assert_eq!(ed25519_point(other), None, "{other:02x?}");
        }
    }
}
