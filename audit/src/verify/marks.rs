//! What was there before: a set of names that keeps 16 bytes for each, and so knows a second use of anything in a ledger of any length.
//!
//! A name is kept as 120 bits of SHA-256 over a key drawn for this run and the name, beside 8 bits of flags. Nobody who wrote the ledger knows the
//! key, so nobody can make two names meet, nor crowd one place of the table; by chance two of 10^8 meet in one run of 10^20. The table grows shard by
//! shard and by a fifth, so that it never holds much more than it needs: 19 to 24 bytes for a name.

use std::hash::{BuildHasher as _, RandomState};

use sha2::{Digest as _, Sha256};

/// What kind of name it is. Two kinds never meet.
#[derive(Clone, Copy)]
pub(super) enum Space {
    Nonce = 1,
    Request,
    Grant,
    Rotation,
    CredentialId,
    PublicKey,
    ShareKey,
}

const SHARDS: usize = 64;
const TAKEN: u8 = 0x80;

/// A place in the table: flags, then the name's code.
type Slot = [u8; 16];

/// The set.
pub(super) struct Marks {
    key: [u8; 32],
    shards: Vec<Shard>,
}

#[derive(Default)]
struct Shard {
    slots: Vec<Slot>,
    used: usize,
}

impl Marks {
    /// An empty set with a key of its own.
    pub(super) fn new() -> Marks {
        // From the 128 random bits that the standard library's maps rest on: here and there they only have to be unknown to who wrote the input.
        // A generator for secrets takes 20 ms to start.
        let random = RandomState::new();
        let mut key = [0; 32];
        for (at, eight) in key.chunks_exact_mut(8).enumerate() {
            eight.copy_from_slice(&random.hash_one(at).to_le_bytes());
        }
        let mut shards = Vec::new();
        shards.resize_with(SHARDS, Shard::default);
        Marks { key, shards }
    }

    fn code(&self, space: Space, name: &[u8]) -> Slot {
        let hash = Sha256::new()
            .chain_update(self.key)
            .chain_update([space as u8])
            .chain_update(name)
            .finalize();
        let mut slot = [0; 16];
        for (to, from) in slot.iter_mut().zip(hash) {
            *to = from;
        }
        slot
    }

    fn shard(&mut self, code: &Slot) -> Option<&mut Shard> {
        // The byte that becomes the flags: it takes no part in the search within a shard.
        let [first, ..] = code;
        self.shards.get_mut(usize::from(*first) % SHARDS)
    }

    /// Adds a name with these flags (7 bits); false when it was there, and then nothing is changed.
    pub(super) fn add(&mut self, space: Space, name: &[u8], flags: u8) -> bool {
        let code = self.code(space, name);
        self.shard(&code)
            .is_some_and(|shard| shard.add(code, flags | TAKEN))
    }

    /// The flags of a name that is there.
    pub(super) fn flags(&mut self, space: Space, name: &[u8]) -> Option<u8> {
        let code = self.code(space, name);
        let slot = self.shard(&code)?.find(&code)?;
        let [flags, ..] = slot;
        Some(*flags & !TAKEN)
    }

    /// Whether a name is there.
    pub(super) fn has(&mut self, space: Space, name: &[u8]) -> bool {
        self.flags(space, name).is_some()
    }

    /// How many names there are.
    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.shards.iter().map(|shard| shard.used).sum()
    }

    /// Sets the flags of a name that is there.
    pub(super) fn set(&mut self, space: Space, name: &[u8], new: u8) {
        let code = self.code(space, name);
        if let Some([flags, ..]) = self.shard(&code).and_then(|shard| shard.find(&code)) {
            *flags = new | TAKEN;
        }
    }
}

impl Shard {
    fn home(code: &Slot, places: usize) -> usize {
        let [_, a, b, c, d, e, f, g, h, ..] = *code;
        let spread = u64::from_le_bytes([a, b, c, d, e, f, g, h]);
        // The upper half of the product: even over any number of places. It is below `places`.
        ((u128::from(spread) * places as u128) >> 64) as usize
    }

    /// The place of a code: where it is, or the free one where it belongs.
    fn place(&mut self, code: &Slot) -> Option<&mut Slot> {
        let places = self.slots.len();
        let home = Self::home(code, places);
        let ([_, own @ ..], mut at) = (code, home);
        for _ in 0..places {
            let [flags, other @ ..] = self.slots.get(at)?;
            if *flags == 0 || other == own {
                return self.slots.get_mut(at);
            }
            at = if at + 1 < places { at + 1 } else { 0 };
        }
        None
    }

    fn find(&mut self, code: &Slot) -> Option<&mut Slot> {
        self.place(code).filter(|slot| !matches!(slot, [0, ..]))
    }

    fn add(&mut self, mut code: Slot, flags: u8) -> bool {
        // Five places of six at most are taken.
        if (self.used + 1) * 6 > self.slots.len() * 5 {
            self.grow();
        }
        let Some(slot) = self.place(&code) else {
            return false;
        };
        if !matches!(slot, [0, ..]) {
            return false;
        }
        let [first, ..] = &mut code;
        *first = flags;
        *slot = code;
        self.used += 1;
        true
    }

    fn grow(&mut self) {
        let places = self.slots.len() + self.slots.len() / 5 + 8;
        let mut fresh = Vec::new();
        fresh.reserve_exact(places);
        fresh.resize(places, [0; 16]);
        let old = std::mem::replace(&mut self.slots, fresh);
        for code in old {
            if let [1..=0xff, ..] = code
                && let Some(slot) = self.place(&code)
            {
                *slot = code;
            }
        }
    }

    #[cfg(test)]
    fn bytes(&self) -> usize {
        self.slots.capacity() * 16
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing)]
    use super::*;

    #[test]
    fn a_name_is_there_once() {
        let mut marks = Marks::new();
        assert!(marks.add(Space::Nonce, b"a", 0));
        assert!(!marks.add(Space::Nonce, b"a", 0));
        assert!(marks.add(Space::Grant, b"a", 5));
        assert_eq!(marks.flags(Space::Grant, b"a"), Some(5));
        marks.set(Space::Grant, b"a", 0);
        assert_eq!(marks.flags(Space::Grant, b"a"), Some(0));
        assert!(!marks.has(Space::Request, b"a"));
        marks.set(Space::Request, b"a", 1);
        assert!(!marks.has(Space::Request, b"a"));
    }

    #[test]
    fn a_name_costs_at_most_24_bytes() {
        let mut marks = Marks::new();
        for i in 0..200_000_u32 {
            assert!(marks.add(Space::Nonce, &i.to_be_bytes(), 1));
            if i > 20_000 && i % 10_000 == 0 {
                let bytes: usize = marks.shards.iter().map(Shard::bytes).sum();
                assert!(bytes <= 24 * i as usize, "{bytes} for {i}");
            }
        }
        for i in 0..200_000_u32 {
            assert!(marks.has(Space::Nonce, &i.to_be_bytes()));
            assert!(!marks.add(Space::Nonce, &i.to_be_bytes(), 1));
        }
        assert!(!marks.has(Space::Nonce, &200_000_u32.to_be_bytes()));
    }
}
