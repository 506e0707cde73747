//! Whom a new roster names, as they stand when it is set: weeks may lie between the filing and `roster.set`.

use std::collections::BTreeMap;
use std::fmt;

use super::KeyLife;
use crate::ids::{AuthenticatorId, UserId};
use crate::statement::NewRoster;

/// A person whom a roster names, as of the acting entry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NamedPerson {
    /// The invited name.
    pub name: String,
    /// Whether the person has the role `approver` now.
    pub approver: bool,
}

/// A key that a roster names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NamedKey {
    /// The owner.
    pub user: UserId,
    /// Whether it was enrolled with a `share_key`.
    pub share_key: bool,
    /// When it was good.
    pub life: KeyLife,
}

/// What is known of the people and keys that a roster names. Who or what is missing was never invited or enrolled.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NamedFacts {
    /// People.
    pub people: BTreeMap<UserId, NamedPerson>,
    /// Keys, whosever they are.
    pub keys: BTreeMap<AuthenticatorId, NamedKey>,
}

/// Why a roster may not be set for whom it names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NamedFault {
    /// Nobody of that id was invited.
    UnknownPerson(UserId),
    /// The person is no approver, or is none any more.
    NotApprover(UserId),
    /// The name is not the invited one.
    Name(UserId),
    /// The key was never enrolled.
    UnknownKey(AuthenticatorId),
    /// The key is somebody else's.
    NotTheirs(AuthenticatorId),
    /// The key was revoked, is suspended, or was enrolled too late.
    NotLive(AuthenticatorId),
    /// The key can hold no share.
    NoShareKey(AuthenticatorId),
}

impl fmt::Display for NamedFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::UnknownPerson(user) => write!(f, "{user} was never invited"),
            Self::NotApprover(user) => write!(f, "{user} is no approver"),
            Self::Name(user) => write!(f, "{user} was invited under another name"),
            Self::UnknownKey(key) => write!(f, "key {key} was never enrolled"),
            Self::NotTheirs(key) => write!(f, "key {key} is somebody else's"),
            Self::NotLive(key) => write!(f, "key {key} is not live"),
            Self::NoShareKey(key) => write!(f, "key {key} can hold no share"),
        }
    }
}

impl std::error::Error for NamedFault {}

/// Whether `new` may be set by the entry at `seq` for the people and keys that it names: each person an approver under the invited name, each key
/// that person's, live at `seq`, and able to hold a share (FORMATS.md 4, "roster.set"). For "now", `seq` is the ledger's size.
///
/// What `new` is by itself (m and n, who is named twice or without a key), [`check_new`](crate::roster::check_new) says; whether the request can be
/// spent, [`check_acting`](super::check_acting).
///
/// # Errors
/// The first fault, in the order in which they are named, each person before that person's keys.
pub fn check_named(new: &NewRoster, facts: &NamedFacts, seq: u64) -> Result<(), NamedFault> {
    for approver in &new.approvers {
        let user = approver.user;
        let person = facts.people.get(&user);
        let person = person.ok_or(NamedFault::UnknownPerson(user))?;
        if !person.approver {
            return Err(NamedFault::NotApprover(user));
        }
        if person.name != approver.name {
            return Err(NamedFault::Name(user));
        }
        for id in &approver.authenticators {
            check_key(*id, user, facts, seq)?;
        }
    }
    Ok(())
}

fn check_key(
    id: AuthenticatorId,
    user: UserId,
    facts: &NamedFacts,
    seq: u64,
) -> Result<(), NamedFault> {
    let key = facts.keys.get(&id).ok_or(NamedFault::UnknownKey(id))?;
    if key.user != user {
        Err(NamedFault::NotTheirs(id))
    } else if !key.life.live_at(seq) {
        Err(NamedFault::NotLive(id))
    } else if !key.share_key {
        Err(NamedFault::NoShareKey(id))
    } else {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing)]
    use super::*;
    use crate::statement::NewApprover;

    const SEQ: u64 = 100;

    fn user(n: u8) -> UserId {
        UserId::from_uuid_bytes([n; 16])
    }

    fn key(n: u8) -> AuthenticatorId {
        AuthenticatorId::from_uuid_bytes([n; 16])
    }

    /// Persons 1 and 2; key n is that of person n, and key 3 is person 2's, too.
    fn facts() -> NamedFacts {
        let person = |name: &str| NamedPerson {
            name: name.into(),
            approver: true,
        };
        let owned = |n: u8| NamedKey {
            user: user(n),
            share_key: true,
            life: KeyLife {
                enrolled_at: 7,
                revoked_at: None,
                suspensions: Vec::new(),
            },
        };
        NamedFacts {
            people: [(user(1), person("Ada")), (user(2), person("Ben"))].into(),
            keys: [(key(1), owned(1)), (key(2), owned(2)), (key(3), owned(2))].into(),
        }
    }

    fn new() -> NewRoster {
        let named = |n: u8, name: &str, keys: &[u8]| NewApprover {
            authenticators: keys.iter().map(|n| key(*n)).collect(),
            name: name.into(),
            user: user(n),
        };
        NewRoster {
            approvers: vec![named(1, "Ada", &[1]), named(2, "Ben", &[2, 3])],
            denials: 1,
            drill: false,
            epoch: 2,
            grant_life_s: 1,
            m: 2,
            name: "Safe".into(),
            request_life_s: 1,
        }
    }

    fn spoilt(change: impl FnOnce(&mut NewRoster, &mut NamedFacts)) -> Result<(), NamedFault> {
        let (mut new, mut facts) = (new(), facts());
        change(&mut new, &mut facts);
        check_named(&new, &facts, SEQ)
    }

    #[test]
    fn approvers_with_live_keys_may_be_named() {
        assert_eq!(spoilt(|_, _| {}), Ok(()));
        // Whoever is not named may be anything.
        assert_eq!(
            spoilt(|new, facts| {
                new.approvers.pop();
                facts.people.remove(&user(2));
                facts.keys.remove(&key(2));
            }),
            Ok(())
        );
    }

    #[test]
    fn who_is_no_approver_any_more_may_not_be_named() {
        use NamedFault::{Name, NotApprover, UnknownPerson};
        let person = |change: fn(&mut NamedPerson)| {
            spoilt(|_, facts| change(facts.people.get_mut(&user(2)).unwrap()))
        };
        assert_eq!(person(|p| p.approver = false), Err(NotApprover(user(2))));
        assert_eq!(person(|p| p.name = "Benno".into()), Err(Name(user(2))));
        let gone = spoilt(|_, facts| {
            facts.people.remove(&user(2));
        });
        assert_eq!(gone, Err(UnknownPerson(user(2))));
        // The name is compared as it is, and another's does not do.
        let named = |name: &str| spoilt(|new, _| new.approvers[0].name = name.into());
        assert_eq!(named("ada"), Err(Name(user(1))));
        assert_eq!(named("Ben"), Err(Name(user(1))));
    }

    #[test]
    fn a_key_that_died_since_the_filing_may_not_be_named() {
        use NamedFault::{NoShareKey, NotLive, NotTheirs, UnknownKey};
        let third = |change: &dyn Fn(&mut NamedKey)| {
            spoilt(|_, facts| change(facts.keys.get_mut(&key(3)).unwrap()))
        };
        let life = |change: &dyn Fn(&mut KeyLife)| third(&|key| change(&mut key.life));
        assert_eq!(third(&|k| k.user = user(1)), Err(NotTheirs(key(3))));
        assert_eq!(third(&|k| k.share_key = false), Err(NoShareKey(key(3))));
        let gone = spoilt(|_, facts| {
            facts.keys.remove(&key(3));
        });
        assert_eq!(gone, Err(UnknownKey(key(3))));
        for (enrolled, good) in [(SEQ - 1, true), (SEQ, false), (SEQ + 1, false)] {
            assert_eq!(life(&|l| l.enrolled_at = enrolled).is_ok(), good);
        }
        // Dead from the entry after its revocation or suspension on, and live again from the one after its restoring.
        for (at, good) in [(SEQ - 1, false), (SEQ, true)] {
            let due = if good { Ok(()) } else { Err(NotLive(key(3))) };
            assert_eq!(life(&|l| l.revoked_at = Some(at)), due);
            assert_eq!(life(&|l| l.suspensions = vec![(at, None)]), due);
            let restored = life(&|l| l.suspensions = vec![(8, Some(at))]);
            assert_eq!(restored.is_ok(), !good);
        }
    }

    #[test]
    fn the_first_fault_is_said() {
        let both = spoilt(|_, facts| {
            facts.keys.get_mut(&key(1)).unwrap().life.revoked_at = Some(9);
            facts.people.get_mut(&user(2)).unwrap().approver = false;
        });
        assert_eq!(both, Err(NamedFault::NotLive(key(1))));
    }
}
