//! People and their keys, rebuilt from signed entries in the order of the ledger (FORMATS.md 4, "Who"
//! and "Keys"): every grant of power leads back, signature by signature, to entry 1.

mod lie;

use std::collections::{BTreeMap, BTreeSet};

use caseless::Caseless;
use unicode_normalization::UnicodeNormalization;

pub use lie::Lie;

use crate::assertion::{self, PublicKey};
use crate::decision::KeyLife;
use crate::entry::{Distrusted, Entry, Event, Signed};
use crate::evidence::Trust;
use crate::hash::Hash;
use crate::ids::{AuthenticatorId, UserId};
use crate::statement::{Challenge, Enrol, Invite, KeyAct, Kind, Role, Statement, challenge};

/// A name as it is compared: full case folding, then NFC. Two people never have the same.
#[must_use]
pub fn folded(name: &str) -> String {
    name.chars().default_case_fold().nfc().collect()
}

/// A person who was let in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Person {
    /// The invited name.
    pub name: String,
    /// What the person may do now.
    pub roles: BTreeSet<Role>,
    invitation: Hash,
    expires: i64,
    joined: bool,
}

impl Person {
    /// Whether the invitation expired unused: then there is no such invited person any more.
    const fn lapsed(&self, time: i64) -> bool {
        !self.joined && time >= self.expires
    }
}

/// A key that was enrolled.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Key {
    /// The owner.
    pub user: UserId,
    /// The P-256 key.
    pub public_key: PublicKey,
    /// The WebAuthn credential id.
    pub credential_id: Vec<u8>,
    /// The X25519 key that shares are sealed to, if it can hold any.
    pub share_key: Option<[u8; 32]>,
    /// When it was good.
    pub life: KeyLife,
    /// The key that let it in, for a further key.
    pub admitted_by: Option<AuthenticatorId>,
}

/// People and keys as of the last entry applied.
#[derive(Clone, Debug, Default)]
pub struct People {
    persons: BTreeMap<UserId, Person>,
    keys: BTreeMap<AuthenticatorId, Key>,
    nonces: BTreeSet<[u8; 32]>,
}

impl People {
    /// Nobody yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// The person, if let in.
    #[must_use]
    pub fn person(&self, user: UserId) -> Option<&Person> {
        self.persons.get(&user)
    }

    /// The key, if enrolled.
    #[must_use]
    pub fn key(&self, authenticator: AuthenticatorId) -> Option<&Key> {
        self.keys.get(&authenticator)
    }

    /// All keys.
    pub fn keys(&self) -> impl Iterator<Item = (AuthenticatorId, &Key)> {
        self.keys.iter().map(|(id, key)| (*id, key))
    }

    /// Takes in the next entry about people and keys; entries have to come in the order of the ledger.
    ///
    /// # Errors
    /// The entry is false, or not about people and keys.
    pub fn apply(&mut self, trust: &Trust, entry: &Entry) -> Result<(), Lie> {
        match &entry.event {
            Event::FirstInvited(statement) => self.first_invited(trust, statement),
            Event::Distrusted(distrusted) => self.distrusted(entry, distrusted),
            Event::Signed(signed) => match &signed.statement.kind {
                Kind::Invite(invite) => {
                    self.check_signed(trust, entry, signed)?;
                    self.invited(invite, entry.time)
                }
                Kind::Roles(roles) => {
                    self.check_signed(trust, entry, signed)?;
                    let person = self
                        .persons
                        .get_mut(&roles.user)
                        .filter(|person| !person.lapsed(entry.time))
                        .ok_or(Lie::UnknownPerson)?;
                    person.roles = roles.roles.iter().copied().collect();
                    Ok(())
                }
                Kind::Enrol(enrol) => self.enrolled(trust, entry, signed, enrol),
                Kind::Revoke(act) | Kind::Suspend(act) | Kind::Unsuspend(act) => {
                    self.check_signed(trust, entry, signed)?;
                    self.key_act(entry, &signed.statement.kind, act)
                }
                _ => Err(Lie::Unexpected),
            },
            _ => Err(Lie::Unexpected),
        }
    }

    /// Checks the signature of a signed entry, at its place: by a live key of a signer who may, for this ledger, with
    /// a nonce not seen before. Gives the signer. Not for `enrol`, which the new key signs itself.
    ///
    /// # Errors
    /// The rule that it breaks.
    pub fn check_signed(
        &mut self,
        trust: &Trust,
        entry: &Entry,
        signed: &Signed,
    ) -> Result<UserId, Lie> {
        let signer = signed.statement.signer.ok_or(Lie::NotTheSigners)?;
        let key = self.live_key(signed.authenticator, signer, entry.seq)?;
        let challenge = challenge(&signed.statement_bytes);
        assertion::verify(trust.rp(), &key.public_key, &challenge, &signed.assertion)?;
        self.fresh(trust, &signed.statement)?;
        let person = self.persons.get(&signer).ok_or(Lie::UnknownPerson)?;
        if !signed
            .statement
            .kind
            .authority()
            .allows(signer, &person.roles)
        {
            return Err(Lie::NotAllowed);
        }
        Ok(signer)
    }

    fn live_key(
        &self,
        authenticator: AuthenticatorId,
        owner: UserId,
        seq: u64,
    ) -> Result<&Key, Lie> {
        let key = self.keys.get(&authenticator).ok_or(Lie::UnknownKey)?;
        if key.user != owner {
            return Err(Lie::NotTheSigners);
        }
        if key.life.live_at(seq) {
            Ok(key)
        } else {
            Err(Lie::NotLive)
        }
    }

    fn fresh(&mut self, trust: &Trust, statement: &Statement) -> Result<(), Lie> {
        if statement.ledger != trust.ledger() {
            return Err(Lie::Ledger);
        }
        if self.nonces.insert(statement.nonce) {
            Ok(())
        } else {
            Err(Lie::Nonce)
        }
    }

    fn first_invited(&mut self, trust: &Trust, statement: &Statement) -> Result<(), Lie> {
        let Kind::Invite(invite) = &statement.kind else {
            return Err(Lie::Unexpected);
        };
        self.fresh(trust, statement)?;
        if !invite.roles.contains(&Role::Custodian) {
            return Err(Lie::FirstPerson);
        }
        // Time 0: nobody was invited before whose invitation could have expired.
        self.invited(invite, 0)
    }

    fn invited(&mut self, invite: &Invite, time: i64) -> Result<(), Lie> {
        // An invitation that expired unused frees user and name.
        let name = folded(&invite.name);
        let mut freed = Vec::new();
        for (user, person) in &self.persons {
            if *user == invite.user || folded(&person.name) == name {
                if !person.lapsed(time) {
                    return Err(Lie::Taken);
                }
                freed.push(*user);
            }
        }
        for user in freed {
            self.persons.remove(&user);
        }
        let person = Person {
            name: invite.name.clone(),
            roles: invite.roles.iter().copied().collect(),
            invitation: invite.invitation,
            expires: invite.expires,
            joined: false,
        };
        self.persons.insert(invite.user, person);
        Ok(())
    }

    fn enrolled(
        &mut self,
        trust: &Trust,
        entry: &Entry,
        signed: &Signed,
        enrol: &Enrol,
    ) -> Result<(), Lie> {
        if signed.statement.signer != Some(enrol.user) {
            return Err(Lie::NotTheSigners);
        }
        if enrol.authenticator != signed.authenticator {
            return Err(Lie::Authenticator);
        }
        let registration = signed.registration.as_ref().ok_or(Lie::Registration)?;
        if registration.hash() != enrol.registration_sha256 {
            return Err(Lie::Registration);
        }
        let public_key = PublicKey::from_sec1(enrol.public_key)?;
        let challenge = challenge(&signed.statement_bytes);
        assertion::verify(trust.rp(), &public_key, &challenge, &signed.assertion)?;
        self.fresh(trust, &signed.statement)?;
        let person = self.persons.get(&enrol.user).ok_or(Lie::UnknownPerson)?;
        if person.name != enrol.name {
            return Err(Lie::Name);
        }
        if person.joined {
            self.check_admission(trust, entry, signed, enrol, &challenge)?;
        } else {
            check_invitation(person, entry, signed, enrol)?;
        }
        let taken = |(id, key): (&AuthenticatorId, &Key)| {
            *id == enrol.authenticator
                || key.credential_id == enrol.credential_id
                || key.public_key == public_key
                || (key.share_key.is_some() && key.share_key == enrol.share_key)
        };
        if self.keys.iter().any(taken) {
            return Err(Lie::KeyTaken);
        }
        let key = Key {
            user: enrol.user,
            public_key,
            credential_id: enrol.credential_id.clone(),
            share_key: enrol.share_key,
            life: KeyLife {
                enrolled_at: entry.seq,
                revoked_at: None,
                suspensions: Vec::new(),
            },
            admitted_by: signed
                .admission
                .as_ref()
                .map(|admission| admission.authenticator),
        };
        self.keys.insert(enrol.authenticator, key);
        if let Some(person) = self.persons.get_mut(&enrol.user) {
            person.joined = true;
        }
        Ok(())
    }

    fn check_admission(
        &self,
        trust: &Trust,
        entry: &Entry,
        signed: &Signed,
        enrol: &Enrol,
        challenge: &Challenge,
    ) -> Result<(), Lie> {
        if enrol.invitation.is_some() {
            return Err(Lie::Invitation);
        }
        let admission = signed.admission.as_ref().ok_or(Lie::Admission)?;
        let key = self
            .live_key(admission.authenticator, enrol.user, entry.seq)
            .map_err(|_| Lie::Admission)?;
        assertion::verify(trust.rp(), &key.public_key, challenge, &admission.assertion)?;
        Ok(())
    }

    fn key_act(&mut self, entry: &Entry, kind: &Kind, act: &KeyAct) -> Result<(), Lie> {
        let key = self
            .keys
            .get_mut(&act.authenticator)
            .ok_or(Lie::UnknownKey)?;
        if key.user != act.user {
            return Err(Lie::NotTheSigners);
        }
        let life = &mut key.life;
        match kind {
            Kind::Revoke(_) if life.revoked_at.is_none() => life.revoked_at = Some(entry.seq),
            Kind::Suspend(_) if life.live_at(entry.seq) => life.suspensions.push((entry.seq, None)),
            Kind::Unsuspend(_) if life.revoked_at.is_none() => match life.suspensions.last_mut() {
                Some((_, end @ None)) => *end = Some(entry.seq),
                _ => return Err(Lie::KeyState),
            },
            _ => return Err(Lie::KeyState),
        }
        Ok(())
    }

    fn distrusted(&mut self, entry: &Entry, distrusted: &Distrusted) -> Result<(), Lie> {
        let key = self
            .keys
            .get_mut(&distrusted.authenticator)
            .ok_or(Lie::UnknownKey)?;
        if !key.life.live_at(entry.seq) {
            return Err(Lie::KeyState);
        }
        key.life.suspensions.push((entry.seq, None));
        Ok(())
    }
}

fn check_invitation(
    person: &Person,
    entry: &Entry,
    signed: &Signed,
    enrol: &Enrol,
) -> Result<(), Lie> {
    if signed.admission.is_some() {
        return Err(Lie::Admission);
    }
    if enrol.invitation != Some(person.invitation) {
        return Err(Lie::Invitation);
    }
    if entry.time >= person.expires {
        return Err(Lie::InvitationExpired);
    }
    Ok(())
}
