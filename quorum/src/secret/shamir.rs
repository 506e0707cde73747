//! Shamir over GF(2^8), polynomial 0x11D, by `sharks`; a hash commits to every share, because
//! the arithmetic itself gives a wrong secret for a wrong share without a word.

use sharks::Sharks;
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

use crate::hash::{Hash, labelled};
use crate::secret::kept::{HalfQ, Kept32, Share};
use crate::secret::keys::Alarm;
use crate::secret::random::CryptoRng;

/// n shares of `q`, in order of x from 1, any m of which give it back.
pub(super) fn split(
    q: &HalfQ,
    m: u8,
    n: u8,
    ctx: &Hash,
    rng: &mut impl CryptoRng,
) -> Result<Vec<Share>, Alarm> {
    let dealer = Sharks(m).dealer_rng(q.0.expose(), rng);
    let mut shares = Vec::with_capacity(n.into());
    for (x, dealt) in (1..=n).zip(dealer) {
        let dealt = Zeroizing::new(Vec::from(&dealt));
        // The dealer puts x in front; a place that is not ours to give would seal to the wrong approver.
        let (dealt_x, bytes) = dealt.split_first().ok_or(Alarm)?;
        if *dealt_x != x {
            return Err(Alarm);
        }
        shares.push(Share {
            x,
            ctx: *ctx,
            bytes: Kept32::copy_of(bytes).ok_or(Alarm)?,
        });
    }
    if shares.len() == usize::from(n) {
        Ok(shares)
    } else {
        Err(Alarm)
    }
}

/// `q` of exactly m shares of distinct places. The caller has checked each against its commitment.
pub(super) fn combine(m: u8, shares: &[&Share]) -> Result<HalfQ, Alarm> {
    if shares.len() != usize::from(m) || shares.iter().any(|share| share.x == 0) {
        return Err(Alarm);
    }
    let mut points = Vec::with_capacity(shares.len());
    for share in shares {
        let mut point = Zeroizing::new([0; 33]);
        let (x, bytes) = point.split_first_mut().ok_or(Alarm)?;
        *x = share.x;
        bytes.copy_from_slice(share.bytes.expose());
        points.push(sharks::Share::try_from(point.as_slice()).map_err(|_| Alarm)?);
    }
    let q = Zeroizing::new(Sharks(m).recover(&points).map_err(|_| Alarm)?);
    Kept32::copy_of(&q).map(HalfQ).ok_or(Alarm)
}

/// Combines n/m subsets (rounded up), which together cover every place, and compares each result with
/// `q`: what is about to be sealed can be opened from everywhere.
pub(super) fn prove(q: &HalfQ, m: u8, shares: &[Share]) -> Result<(), Alarm> {
    let size = usize::from(m);
    for start in (0..shares.len()).step_by(size.max(1)) {
        // The last subset may not be a full one: it takes places from the one before.
        let start = start.min(shares.len().saturating_sub(size));
        let subset: Vec<&Share> = shares.iter().skip(start).take(size).collect();
        if !combine(m, &subset)?.0.same(&q.0) {
            return Err(Alarm);
        }
    }
    Ok(())
}

/// `share_commitment[x]`.
pub(super) fn commitment(ctx: &Hash, x: u8, share: &Kept32) -> Hash {
    labelled("share-commitment", &[ctx.as_bytes(), &[x], share.expose()])
}

/// Whether a share is the one committed to, in constant time.
pub(super) fn is_committed(ctx: &Hash, x: u8, share: &Kept32, committed: &Hash) -> bool {
    commitment(ctx, x, share).0.ct_eq(&committed.0).into()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing)]
    use super::*;
    use crate::secret::random::{NoRandomness, from_os};

    fn q(byte: u8) -> HalfQ {
        HalfQ(Kept32::copy_of(&[byte; 32]).unwrap())
    }

    fn deal(q: &HalfQ, m: u8, n: u8) -> Vec<Share> {
        from_os(|os| Ok::<_, NoRandomness>(split(q, m, n, &Hash::ZERO, os)))
            .unwrap()
            .ok()
            .unwrap()
    }

    /// RUSTSEC-2024-0398: coefficients drawn from 1..=255 made every share byte differ from the
    /// secret's, so that enough sharings of one secret gave it away. With m = 2 and x = 1 the share is
    /// the secret plus the coefficient.
    #[test]
    fn coefficients_are_uniform() {
        let secret = q(0x5A);
        let mut seen = [0u32; 256];
        let rounds = 4_000;
        for _ in 0..rounds {
            let share = &deal(&secret, 2, 2)[0];
            for byte in share.bytes.expose() {
                seen[usize::from(byte ^ 0x5A)] += 1;
            }
        }
        let expected = f64::from(rounds * 32) / 256.0;
        let chi2: f64 = seen
            .iter()
            .map(|n| (f64::from(*n) - expected).powi(2) / expected)
            .sum();
        // 255 degrees of freedom: mean 255, deviation 22.6. Below 120 or above 420 is once in 10^9.
        assert!((120.0..420.0).contains(&chi2), "chi squared is {chi2}");
        assert!(
            f64::from(seen[0]) > expected / 2.0,
            "a coefficient of zero never comes"
        );
    }

    /// The top coefficient too: with it zero a sharing would need one share less, and must be allowed
    /// to, or shares would tell something.
    #[test]
    fn m_minus_one_shares_are_as_likely_for_any_secret() {
        let mut seen = [[0u32; 256]; 2];
        for (i, secret) in [q(0), q(0xFF)].iter().enumerate() {
            for _ in 0..2_000 {
                let shares = deal(secret, 3, 5);
                for (a, b) in shares[1]
                    .bytes
                    .expose()
                    .iter()
                    .zip(shares[4].bytes.expose())
                {
                    seen[i][usize::from(a ^ b)] += 1;
                }
            }
        }
        let chi2: f64 = seen[0]
            .iter()
            .zip(&seen[1])
            .map(|(a, b)| {
                let (a, b) = (f64::from(*a), f64::from(*b));
                (a - b).powi(2) / (a + b)
            })
            .sum();
        assert!(chi2 < 420.0, "chi squared is {chi2}");
    }

    #[test]
    fn a_share_off_the_polynomial_is_caught_at_every_place() {
        for (m, n) in [(2, 2), (2, 3), (3, 7), (5, 11), (7, 7), (4, 100)] {
            let secret = q(9);
            let mut shares = deal(&secret, m, n);
            assert!(prove(&secret, m, &shares).is_ok());
            for i in 0..shares.len() {
                let right =
                    std::mem::replace(&mut shares[i].bytes, Kept32::copy_of(&[1; 32]).unwrap());
                assert!(
                    prove(&secret, m, &shares).is_err(),
                    "place {} of {m} of {n}",
                    i + 1
                );
                shares[i].bytes = right;
            }
        }
    }

    #[test]
    fn combining_wants_exactly_m_distinct_places() {
        let secret = q(3);
        let shares = deal(&secret, 3, 7);
        let at = |xs: &[usize]| combine(3, &xs.iter().map(|x| &shares[x - 1]).collect::<Vec<_>>());
        assert!(at(&[2, 4, 5]).is_ok_and(|got| got.0.same(&secret.0)));
        assert!(at(&[7, 6, 1]).is_ok_and(|got| got.0.same(&secret.0)));
        assert!(at(&[2, 4]).is_err());
        assert!(at(&[2, 4, 4]).is_err());
        assert!(at(&[2, 4, 5, 6]).is_err());
        assert!(at(&[]).is_err());
        for (m, n) in [(100, 100), (51, 100), (1, 100)] {
            let shares = deal(&secret, m, n);
            let last: Vec<&Share> = shares.iter().rev().take(m.into()).collect();
            assert!(combine(m, &last).is_ok_and(|got| got.0.same(&secret.0)));
            assert!(prove(&secret, m, &shares).is_ok());
        }
    }
}
