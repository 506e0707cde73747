use proptest::prelude::*;
use proptest::sample::subsequence;

use crate::hash::Hash;
use crate::ids::{AuthenticatorId, CredentialId, SafeId, UserId};
use crate::secret::header::Header;
use crate::secret::kept::Kept32;
use crate::secret::random::from_os;
use crate::secret::seal::{Place, seal_for};
use crate::secret::*;
use crate::statement::Challenge;

/// m, n, and m distinct places in any order.
fn quorums() -> impl Strategy<Value = (u8, u8, Vec<u8>)> {
    prop_oneof![4 => 1u8..=9, 1 => 90u8..=100]
        .prop_flat_map(|n| (1..=n.min(9), Just(n)))
        .prop_flat_map(|(m, n)| {
            let places = subsequence((1..=n).collect::<Vec<_>>(), usize::from(m)).prop_shuffle();
            (Just(m), Just(n), places)
        })
}

fn header(m: u8, n: u8, version: u64) -> Header {
    Header {
        credential: CredentialId::from_uuid_bytes([1; 16]),
        epoch: 1,
        ledger: Hash([2; 32]),
        m,
        n,
        roster: Hash([3; 32]),
        safe: SafeId::from_uuid_bytes([4; 16]),
        sealed_as: SealedAs {
            kind: SecretKind::Password,
            name: "a".into(),
            target: None,
        },
        version,
    }
}

/// The approver of place x, who has one key.
fn key_of(x: u8) -> ShareKey {
    let prf = PrfOutput::copy_of(&[x; 32]).unwrap();
    ShareKey::from_prf(&prf, &[x], &Hash([2; 32]), UserId::from_uuid_bytes([x; 16]))
        .ok()
        .unwrap()
}

fn sealed(m: u8, n: u8, version: u64, plaintext: &[u8]) -> Sealed {
    let places: Vec<Place> = (1..=n)
        .map(|x| Place {
            x,
            approver: UserId::from_uuid_bytes([x; 16]),
            keys: vec![(
                AuthenticatorId::from_uuid_bytes([x; 16]),
                key_of(x).public().unwrap(),
            )],
        })
        .collect();
    let plaintext = Plaintext::new(plaintext.to_vec());
    from_os(|os| seal_for(&header(m, n, version), &places, &plaintext, os))
        .ok()
        .unwrap()
}

/// What reaches the requester of approvers at these places.
fn delivered(sealed: &Sealed, places: &[u8], to: &DeliveryKey) -> Vec<Share> {
    places
        .iter()
        .map(|x| {
            let mine = sealed.shares.iter().find(|share| share.x == *x).unwrap();
            let share = open_share(mine, &key_of(*x), &sealed.envelope)
                .ok()
                .unwrap();
            let challenge = Challenge([*x; 32]);
            let message = reseal_share(&share, &to.public().unwrap(), &challenge).unwrap();
            open_delivered_share(&message, *x, to, &challenge, &sealed.envelope)
                .ok()
                .unwrap()
        })
        .collect()
}

fn copy(shares: &[Share]) -> Vec<Share> {
    let copy = |s: &Share| Share {
        x: s.x,
        ctx: s.ctx,
        bytes: Kept32::copy_of(s.bytes.expose()).unwrap(),
    };
    shares.iter().map(copy).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    /// P1, P2: any m of n open; m-1 don't; every wrong share is named; another version's parts are refused.
    #[test]
    fn any_m_of_n_open_and_every_wrong_share_is_named(
        (m, n, places) in quorums(),
        plaintext in proptest::collection::vec(any::<u8>(), 1..300),
        bit in 0usize..256,
    ) {
        let one = sealed(m, n, 1, &plaintext);
        let to = DeliveryKey::generate().unwrap();
        let shares = delivered(&one, &places, &to);

        let leaf = Hash([9; 32]);
        let message = seal_h(&one.h, &to.public().unwrap(), &leaf, &one.envelope).unwrap();
        let h = open_delivered_h(&message, &to, &leaf, &one.envelope).ok().unwrap();
        let opened = combine(&one.envelope, &shares, &h).ok().unwrap();
        prop_assert_eq!(opened.expose(), plaintext.as_slice());

        let mut fewer = copy(&shares);
        fewer.pop();
        prop_assert_eq!(
            combine(&one.envelope, &fewer, &h).err(),
            Some(OpenError::TooFewShares { have: usize::from(m) - 1, need: m })
        );

        for i in 0..shares.len() {
            let mut bent = copy(&shares);
            let mut bytes = *bent[i].bytes.expose();
            bytes[bit / 8] ^= 1 << (bit % 8);
            bent[i].bytes = Kept32::copy_of(&bytes).unwrap();
            let x = places[i];
            prop_assert_eq!(combine(&one.envelope, &bent, &h).err(), Some(OpenError::WrongShare { x }));
        }

        let mut twice = copy(&shares);
        twice.extend(copy(&shares[..1]));
        prop_assert_eq!(
            combine(&one.envelope, &twice, &h).err(),
            Some(OpenError::RepeatedShare { x: places[0] })
        );

        // The same value, roster and people, one version on: nothing of the one fits the other.
        let two = sealed(m, n, 2, &plaintext);
        prop_assert_eq!(combine(&one.envelope, &shares, &two.h).err(), Some(OpenError::WrongKey));
        prop_assert_eq!(
            combine(&two.envelope, &shares, &two.h).err(),
            Some(OpenError::WrongShare { x: places[0] })
        );
        prop_assert_eq!(
            open_share(&two.shares[0], &key_of(1), &one.envelope).err(),
            Some(OpenError::NotForThisKey)
        );
        prop_assert_eq!(
            open_delivered_h(&message, &to, &leaf, &two.envelope).err(),
            Some(OpenError::NotForThisKey)
        );
        prop_assert_ne!(one.envelope.hash(), two.envelope.hash());
    }

    /// No bytes make the parser panic, and what it takes it gives back unchanged.
    #[test]
    fn the_parser_takes_only_what_it_would_write(
        at in any::<prop::sample::Index>(),
        byte in any::<u8>(),
    ) {
        let good = sealed(2, 3, 1, b"x").envelope;
        let mut bytes = good.bytes().to_vec();
        let at = at.index(bytes.len());
        bytes[at] = byte;
        if let Ok(parsed) = Envelope::parse(&bytes) {
            let rewritten = Envelope::assemble(parsed.header(), parsed.parts());
            let rewritten = rewritten.unwrap();
            prop_assert_eq!(rewritten.bytes(), bytes.as_slice());
        }
    }
}
