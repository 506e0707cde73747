//! The vectors of `quorum/vectors/secret-*.json`, and what holds for any m, n and plaintext.
#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

mod any;
mod refused;
mod vectors;

use std::collections::VecDeque;
use std::convert::Infallible;

use hpke::rand_core::{TryCryptoRng, TryRng};

/// Gives bytes that were written down: single draws (the coefficients) from one list, whole buffers from
/// another.
struct Tape {
    singles: VecDeque<u8>,
    buffers: VecDeque<Vec<u8>>,
}

impl TryRng for Tape {
    type Error = Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        Ok(self.singles.pop_front().unwrap().into())
    }

    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        unreachable!("nothing here draws eight bytes")
    }

    fn try_fill_bytes(&mut self, bytes: &mut [u8]) -> Result<(), Infallible> {
        bytes.copy_from_slice(&self.buffers.pop_front().unwrap());
        Ok(())
    }
}

impl TryCryptoRng for Tape {}
