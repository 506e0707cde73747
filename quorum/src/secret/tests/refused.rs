use super::vectors::{Case, cases, header};
use crate::secret::header::Header;
use crate::secret::seal::{Place, seal_for};
use crate::secret::*;

#[test]
fn what_is_not_worth_sealing_is_refused() {
    let case = &cases("seal")[0];
    let good = header(case.str("header"));
    let places = |xs: &[u8]| -> Vec<Place> {
        let key = |a: &Case| {
            a.list("keys")
                .iter()
                .map(|k| (k.id("authenticator"), k.hex32("share_key")))
                .collect()
        };
        let approvers = case.list("approvers");
        xs.iter()
            .map(|x| Place {
                x: *x,
                approver: approvers[0].id("approver"),
                keys: key(&approvers[0]),
            })
            .collect()
    };
    let seal = |header: &Header, places: &[Place], bytes: &[u8]| {
        random::from_os(|os| seal_for(header, places, &Plaintext::new(bytes.to_vec()), os)).err()
    };
    let all = places(&[1, 2, 3]);
    assert_eq!(seal(&good, &all, b"x"), None);
    assert_eq!(seal(&good, &all, &vec![1; MAX_PLAINTEXT]), None);
    assert_eq!(seal(&good, &all, b""), Some(SealError::Empty));
    let long = vec![1; MAX_PLAINTEXT + 1];
    assert_eq!(
        seal(&good, &all, &long),
        Some(SealError::TooLong { len: long.len() })
    );
    for xs in [
        &[1, 2][..],
        &[1, 2, 3, 4],
        &[1, 2, 2],
        &[2, 1, 3],
        &[0, 1, 2],
        &[],
    ] {
        assert_eq!(
            seal(&good, &places(xs), b"x"),
            Some(SealError::Alarm),
            "{xs:?}"
        );
    }
    let mut keyless = places(&[1, 2, 3]);
    keyless[1].keys.clear();
    let approver = keyless[1].approver;
    assert_eq!(
        seal(&good, &keyless, b"x"),
        Some(SealError::NoKey { approver })
    );
    let mut small = places(&[1, 2, 3]);
    small[2].keys[0].1 = [0; 32];
    let (approver, authenticator) = (small[2].approver, small[2].keys[0].0);
    assert_eq!(
        seal(&good, &small, b"x"),
        Some(SealError::ShareKey {
            approver,
            authenticator
        })
    );
    let bad = |bend: &dyn Fn(&mut Header)| {
        let mut header = good.clone();
        bend(&mut header);
        seal(&header, &all, b"x")
    };
    assert!(matches!(
        bad(&|h| h.version = 0),
        Some(SealError::Header(_))
    ));
    assert!(matches!(
        bad(&|h| h.version = 1 << 53),
        Some(SealError::Header(_))
    ));
    assert!(matches!(
        bad(&|h| h.version = u64::MAX),
        Some(SealError::Header(_))
    ));
    assert!(matches!(bad(&|h| h.epoch = 0), Some(SealError::Header(_))));
    assert!(matches!(
        bad(&|h| h.sealed_as.name.clear()),
        Some(SealError::Header(_))
    ));
    assert!(matches!(
        bad(&|h| h.sealed_as.name = "a\nb".into()),
        Some(SealError::Header(_))
    ));
    assert!(matches!(
        bad(&|h| h.sealed_as.name = "e\u{301}".into()),
        Some(SealError::Header(_))
    ));
    assert_eq!(bad(&|h| h.m = 0), Some(SealError::Alarm));
    assert_eq!(bad(&|h| h.m = 4), Some(SealError::Alarm));
}
