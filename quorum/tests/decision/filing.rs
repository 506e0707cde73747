//! What a request must keep to when it is filed.

use super::{SHARED, access, release, request, roster, target};
use quorum::Hash;
use quorum::decision::{FilingError, check_filing, check_founding};
use quorum::ids::SafeId;
use quorum::roster::RosterLimit;
use quorum::statement::{
    DestroyPurpose, Purpose, ReleasePurpose, Request, ResealPurpose, RestorePurpose, RosterPurpose,
};

const NOW: i64 = 1_000_000_000;
const SECOND: i64 = 1_000_000;
const LIFE: i64 = 4 * 3600 * SECOND;
const FORTNIGHT: i64 = 14 * 24 * 3600 * SECOND;

fn file(req: &Request, named: u64, in_force: u64) -> Result<(), FilingError> {
    check_filing(req, roster(named), roster(in_force), NOW)
}

fn named(purpose: Purpose, epoch: u64) -> Request {
    request(purpose, roster(epoch).leaf(), NOW + LIFE)
}

fn release_with(change: impl FnOnce(&mut ReleasePurpose)) -> Purpose {
    let Purpose::Release(mut purpose) = release(300) else {
        panic!()
    };
    change(&mut purpose);
    Purpose::Release(purpose)
}

fn reseal() -> Purpose {
    Purpose::Reseal(ResealPurpose {
        delivery_key: [1; 32],
        versions: vec![],
    })
}

#[test]
fn a_release_names_the_roster_it_was_sealed_under() {
    assert_eq!(file(&named(release(300), 1), 1, 1), Ok(()));
    assert_eq!(file(&named(release(300), 1), 1, 4), Ok(()));
    assert_eq!(
        file(&named(release(300), 1), 2, 4),
        Err(FilingError::Roster)
    );
    assert_eq!(
        file(&named(release(300), 4), 1, 4),
        Err(FilingError::Roster)
    );
    assert_eq!(file(&named(reseal(), 2), 2, 4), Ok(()));
    let mut zero = named(release(300), 1);
    zero.roster = Hash::ZERO;
    assert_eq!(file(&zero, 1, 1), Err(FilingError::Roster));
}

#[test]
fn a_roster_from_later_than_the_one_in_force_is_refused() {
    let later = named(release_with(|r| r.epoch = 4), 4);
    assert_eq!(file(&later, 4, 1), Err(FilingError::Roster));
}

#[test]
fn every_other_purpose_names_the_roster_in_force() {
    let others = [
        access(1),
        target(),
        Purpose::Destroy(DestroyPurpose { versions: vec![] }),
        Purpose::Restore(RestorePurpose {
            checkpoint: Hash([1; 32]),
        }),
    ];
    for purpose in others {
        let name = purpose.name();
        assert_eq!(file(&named(purpose.clone(), 1), 1, 1), Ok(()), "{name}");
        assert_eq!(
            file(&named(purpose, 1), 1, 4),
            Err(FilingError::Roster),
            "{name}"
        );
    }
}

#[test]
fn another_safe_or_epoch_is_refused() {
    let mut other = named(release(300), 1);
    other.safe = SafeId::from_uuid_bytes([9; 16]);
    assert_eq!(file(&other, 1, 1), Err(FilingError::Safe));
    for epoch in [0, 2, 3] {
        let wrong = named(release_with(|r| r.epoch = epoch), 1);
        assert_eq!(file(&wrong, 1, 4), Err(FilingError::Epoch), "{epoch}");
    }
    let Purpose::Access(mut wrong) = access(1) else {
        panic!()
    };
    wrong.epoch = 2;
    assert_eq!(
        file(&named(Purpose::Access(wrong), 1), 1, 1),
        Err(FilingError::Epoch)
    );
}

#[test]
fn limits_are_those_of_the_named_roster() {
    let life_s = roster(1).request_life_s();
    assert_eq!(file(&named(release(life_s), 1), 1, 1), Ok(()));
    assert_eq!(
        file(&named(release(life_s + 1), 1), 1, 1),
        Err(FilingError::OpenWithin)
    );
    let grant_s = roster(1).grant_life_s();
    assert_eq!(
        file(&named(release_with(|r| r.duration_s = grant_s), 1), 1, 1),
        Ok(())
    );
    let long = named(release_with(|r| r.duration_s = grant_s + 1), 1);
    assert_eq!(file(&long, 1, 1), Err(FilingError::Duration));
    let Purpose::Access(mut long) = access(1) else {
        panic!()
    };
    long.duration_s = grant_s + 1;
    assert_eq!(
        file(&named(Purpose::Access(long), 1), 1, 1),
        Err(FilingError::Duration)
    );
}

#[test]
fn a_request_ends_in_time() {
    let ends = |purpose: Purpose, expires: i64| {
        let mut req = named(purpose, 1);
        req.expires = expires;
        file(&req, 1, 1)
    };
    for (purpose, life) in [
        (release(300), LIFE),
        (access(1), LIFE),
        (target(), FORTNIGHT),
        (reseal(), FORTNIGHT),
    ] {
        assert_eq!(ends(purpose.clone(), NOW + life), Ok(()));
        assert_eq!(
            ends(purpose.clone(), NOW + life + 1),
            Err(FilingError::Expires)
        );
        assert_eq!(ends(purpose.clone(), i64::MAX), Err(FilingError::Expires));
        assert_eq!(ends(purpose.clone(), NOW + 1), Ok(()));
        assert_eq!(ends(purpose.clone(), NOW), Err(FilingError::Expires));
        assert_eq!(ends(purpose, 0), Err(FilingError::Expires));
    }
}

#[test]
fn a_new_roster_follows_the_one_in_force() {
    let new = |epoch: u64, m: u64| {
        let new = SHARED.world.new_roster(epoch, m, &[1, 2, 3]);
        named(Purpose::Roster(RosterPurpose { new }), 5)
    };
    assert_eq!(file(&new(6, 2), 5, 5), Ok(()));
    assert_eq!(
        file(&new(5, 2), 5, 5),
        Err(FilingError::New(RosterLimit::Epoch))
    );
    assert_eq!(
        file(&new(7, 2), 5, 5),
        Err(FilingError::New(RosterLimit::Epoch))
    );
    assert_eq!(
        file(&new(6, 1), 5, 5),
        Err(FilingError::New(RosterLimit::Threshold))
    );
    assert_eq!(
        file(&new(6, 4), 5, 5),
        Err(FilingError::New(RosterLimit::Threshold))
    );
    assert_eq!(
        file(&new(6, u64::MAX), 5, 5),
        Err(FilingError::New(RosterLimit::Threshold))
    );
}

#[test]
fn only_a_roster_request_founds_a_safe() {
    assert_eq!(
        check_founding(&named(target(), 1), NOW),
        Err(FilingError::Purpose)
    );
    let new = SHARED.world.new_roster(1, 2, &[1, 2, 3]);
    let mut founding = named(Purpose::Roster(RosterPurpose { new }), 1);
    assert_eq!(check_founding(&founding, NOW), Err(FilingError::Roster));
    founding.roster = Hash::ZERO;
    assert_eq!(check_founding(&founding, NOW), Ok(()));
}
