//! Sealing and opening by the public functions alone, under rosters with real signatures.
#![allow(missing_docs, clippy::unwrap_used, clippy::indexing_slicing)]

#[path = "support/safe.rs"]
mod safe;
#[path = "support/world.rs"]
mod world;

use quorum::Hash;
use quorum::secret::generate::{Policy, generate};
use quorum::secret::{
    DeliveryKey, Envelope, HalfH, OpenError, Plaintext, SealError, Sealed, Share, ShareKey,
    combine, open_delivered_h, open_delivered_share, open_share, reseal_share, seal_h,
};
use quorum::statement::{Challenge, KeyAct, Kind};
use safe::{Safe, approver};

/// The share of place `x`, by way of its approver's machine to the requester's.
fn delivered(sealed: &Sealed, x: u8, own: &ShareKey, to: &DeliveryKey) -> Share {
    let envelope = Envelope::parse(sealed.envelope.bytes()).unwrap();
    let mine = sealed.shares.iter().find(|share| share.x == x).unwrap();
    let share = open_share(mine, own, &envelope).unwrap();
    let challenge = Challenge([x; 32]);
    let message = reseal_share(&share, &to.public().unwrap(), &challenge).unwrap();
    open_delivered_share(&message, x, to, &challenge, &envelope).unwrap()
}

fn all(safe: &Safe, sealed: &Sealed, xs: &[u8], to: &DeliveryKey) -> Vec<Share> {
    xs.iter()
        .map(|x| delivered(sealed, *x, &safe.keys[usize::from(*x) - 1], to))
        .collect()
}

#[test]
fn one_release() {
    let safe = Safe::new(3, 5);
    let roster = safe.world.roster();
    let password = generate(&Policy::default()).unwrap();
    let sealed = safe
        .seal(7, Plaintext::new(password.expose().to_vec()))
        .unwrap();

    let header = sealed.envelope.header();
    assert_eq!(
        (header.m, header.n, header.epoch, header.version),
        (3, 5, 1, 7)
    );
    assert_eq!(
        (header.ledger, header.roster),
        (safe.world.ledger(), roster.leaf())
    );
    assert_eq!(header.safe, safe.safe);
    for (share, approver) in sealed.shares.iter().zip(roster.approvers()) {
        assert_eq!((share.approver, share.x), (approver.user, approver.x));
        assert_eq!(
            share.authenticator,
            approver.authenticators[0].authenticator
        );
    }

    let to = DeliveryKey::generate().unwrap();
    let shares = all(&safe, &sealed, &[5, 2, 4], &to);
    let leaf = Hash([8; 32]);
    let message = seal_h(&sealed.h, &to.public().unwrap(), &leaf, &sealed.envelope).unwrap();
    let h = open_delivered_h(&message, &to, &leaf, &sealed.envelope).unwrap();
    assert!(
        combine(&sealed.envelope, &shares, &h)
            .unwrap()
            .same(&password)
    );

    // What m-1 approvers and the HSM's half come to.
    let error = combine(&sealed.envelope, &shares[1..], &sealed.h).err();
    assert_eq!(error, Some(OpenError::TooFewShares { have: 2, need: 3 }));
    // What all approvers come to without it.
    let shares = all(&safe, &sealed, &[1, 2, 3, 4, 5], &to);
    let no_h = HalfH::copy_of(&[0; 32]).unwrap();
    assert_eq!(
        combine(&sealed.envelope, &shares, &no_h).err(),
        Some(OpenError::WrongKey)
    );
}

#[test]
fn sealing_the_same_again_shares_nothing_with_before() {
    let safe = Safe::new(2, 3);
    let to = DeliveryKey::generate().unwrap();
    let one = safe.seal(1, Plaintext::new(b"same".to_vec())).unwrap();
    let two = safe.seal(1, Plaintext::new(b"same".to_vec())).unwrap();
    assert_eq!(one.envelope.ctx(), two.envelope.ctx());
    assert_ne!(one.envelope.hash(), two.envelope.hash());
    assert_ne!(one.h.expose(), two.h.expose());
    let shares = all(&safe, &one, &[1, 3], &to);
    assert_eq!(
        combine(&two.envelope, &shares, &two.h).err(),
        Some(OpenError::WrongShare { x: 1 })
    );
    assert_eq!(
        combine(&one.envelope, &shares, &two.h).err(),
        Some(OpenError::WrongKey)
    );
    // Even with the same header, a share envelope of the one opens to a share that the other refuses.
    let error = open_share(&one.shares[0], &safe.keys[0], &two.envelope).err();
    assert_eq!(error, Some(OpenError::WrongShare { x: 1 }));
}

#[test]
fn a_changed_roster_is_another_context_and_another_quorum() {
    let mut safe = Safe::new(2, 3);
    let old = safe.seal(1, Plaintext::new(b"old".to_vec())).unwrap();
    safe.keys.push(approver(&mut safe.world, "Approver 4"));
    let new = safe.world.new_roster(2, 3, &[2, 3, 4]);
    safe.world.change_roster(safe.safe, &[2, 3], new);
    let sealed = safe.seal(2, Plaintext::new(b"new".to_vec())).unwrap();
    assert_eq!(
        (sealed.envelope.header().m, sealed.envelope.header().epoch),
        (3, 2)
    );

    let to = DeliveryKey::generate().unwrap();
    let shares: Vec<Share> = (1..=3u8)
        .map(|x| delivered(&sealed, x, &safe.keys[usize::from(x)], &to))
        .collect();
    assert_eq!(
        combine(&sealed.envelope, &shares, &sealed.h)
            .unwrap()
            .expose(),
        b"new"
    );
    // The one who left opens nothing new, and still what was sealed before: that is what rotation is for.
    for share in &sealed.shares {
        let error = open_share(share, &safe.keys[0], &sealed.envelope).err();
        assert_eq!(error, Some(OpenError::NotForThisKey));
    }
    assert!(open_share(&old.shares[0], &safe.keys[0], &old.envelope).is_ok());
}

#[test]
fn an_approver_without_a_key_stops_sealing() {
    let mut safe = Safe::new(2, 3);
    let (user, authenticator) = (safe.world.players[2].user, safe.world.players[2].keys[0]);
    let act = KeyAct {
        authenticator,
        user,
        why: "lost".into(),
    };
    safe.world
        .sign(2, 0, "authenticator.revoked", Kind::Revoke(act));
    let error = safe.seal(1, Plaintext::new(b"x".to_vec())).err();
    assert_eq!(error, Some(SealError::NoKey { approver: user }));
}
