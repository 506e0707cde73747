//! One entry after another: order, time, people and their keys (FORMATS.md 2 and 4, "Who", "Keys").

use super::assertion::Touch;
use super::event::{Actor, Body, Entry, Event, Roles, Signed, not_canonical};
use super::lie::{Judged, hold, lie};
use super::marks::Space;
use super::state::{At, Judge, KeyState, Life, Person, PersonState, folded};
use super::statement::{Enrol, Invite, KeyAct, Kind};
use super::text::Id;

/// 24 hours in microseconds.
const DAY: i64 = 24 * 3600 * 1_000_000;

impl Judge {
    /// Judges the next entry. After an error the judge is not asked again.
    pub(super) fn entry(&mut self, seq: u64, entry: Entry) -> Judged {
        let lines = entry.read.map_err(not_canonical)?;
        let own = lines.seq.and_then(|seq| u64::try_from(seq).ok());
        hold(own == Some(seq), "`seq` is not the entry's place")?;
        hold(
            lines.prev == Some(self.prev),
            "`prev` is not the leaf of the entry before it",
        )?;
        if let (0, Some(founded)) = (seq, self.founded) {
            hold(
                founded == entry.leaf,
                "the founding is not the one whose fingerprint was given",
            )?;
        }
        let body = lines.body?;
        let at = At {
            seq,
            time: body.time,
            leaf: entry.leaf,
        };
        self.clock(&body, at)?;
        self.happened(body.actor, body.event, at)?;
        self.time = at.time;
        self.prev = at.leaf;
        Ok(())
    }

    fn clock(&self, body: &Body, at: At) -> Judged {
        if at.seq == 0 {
            return Ok(());
        }
        hold(at.time >= self.time, "the time goes back")?;
        let accepted = match &body.event {
            Event::Signed(signed) => match signed.statement.kind {
                Kind::Clock { entry, time } => {
                    hold(
                        entry == self.prev,
                        "the clock was accepted after another entry",
                    )?;
                    let till = time.saturating_add(DAY);
                    hold(
                        (time..=till).contains(&at.time),
                        "the time is not the one that was accepted",
                    )?;
                    true
                }
                _ => false,
            },
            _ => false,
        };
        let rise = at.time.saturating_sub(self.time);
        hold(
            accepted || rise <= DAY,
            "the time jumps by more than 24 hours",
        )
    }

    fn happened(&mut self, actor: Actor, event: Event, at: At) -> Judged {
        let is_founding = matches!(event, Event::Founded(_));
        hold(
            is_founding == (at.seq == 0),
            if is_founding {
                "the ledger is founded twice"
            } else {
                "entry 0 is not the founding"
            },
        )?;
        let is_first = matches!(event, Event::FirstInvited(_));
        hold(
            is_first == (at.seq == 1),
            if is_first {
                "an invitation that nobody signed"
            } else {
                "entry 1 is not the first person's invitation"
            },
        )?;
        if let Event::Signed(signed) = event {
            return self.stated(actor, *signed, at);
        }
        self.unsigned_by(actor)?;
        match event {
            Event::Founded(founding) => {
                self.checkpoint_keys = founding.keys.clone();
                self.founding = Some(std::sync::Arc::from(founding));
                Ok(())
            }
            Event::FirstInvited(first) => {
                let (invite, nonce) = *first;
                hold(
                    actor == Actor::System,
                    "the first person is not invited by `system`",
                )?;
                hold(
                    invite.roles.has(Roles::CUSTODIAN),
                    "the first person is not a custodian",
                )?;
                self.fresh(&nonce)?;
                self.invite(invite, at)
            }
            Event::Signed(_) | Event::Told => Ok(()),
            Event::Distrusted { authenticator } => {
                let key = self.enrolled(&authenticator)?;
                hold(
                    key.life == Life::Live,
                    "a key is distrusted that is not live",
                )?;
                key.life = Life::Suspended;
                Ok(())
            }
            Event::RequestEnded { request, why } => self.request_ended(&request, why, at),
            Event::RosterSet(set) => self.roster_set(*set, at),
            Event::Acted(acted) => self.acted(*acted, at),
            Event::Sealed(sealed) => self.sealed(*sealed, at),
            Event::Opened(opened) => self.opened(&opened, at),
            Event::Closed { request, expired } => self.closed(&request, expired, at),
            Event::Refused { request } => self.refused(&request),
            Event::ShareRefused { request } => hold(
                self.marks.has(Space::Request, &request),
                "a refusal names no filed request",
            ),
            Event::GrantStarted(grant) => self.grant_started(&grant, at),
            Event::GrantEnded { grant } => self.grant_ended(&grant),
            Event::Rotation {
                step,
                credential,
                rotation,
                version,
            } => self.rotation(step, credential, rotation, version),
            Event::KeysChanged(keys) => {
                self.next_checkpoint_keys = Some(keys);
                Ok(())
            }
        }
    }

    pub(super) fn fresh(&mut self, nonce: &[u8; 32]) -> Judged {
        hold(
            self.marks.add(Space::Nonce, nonce, 0),
            "a nonce is used twice",
        )
    }

    fn stated(&mut self, actor: Actor, signed: Signed, at: At) -> Judged {
        let Signed {
            statement,
            touch,
            admission,
        } = signed;
        hold(
            actor == Actor::Id(statement.signer),
            "the actor is not the signer",
        )?;
        self.fresh(&statement.nonce)?;
        if let Kind::Enrol(enrol) = statement.kind {
            return self.enrol(statement.signer, *enrol, &touch, admission.as_ref(), at);
        }
        let signer = self.invited(&statement.signer, at.time, "the signer was never invited")?;
        let key = self.touched(&touch, signer, at)?;
        match statement.kind {
            Kind::Invite(invite) => {
                self.must(
                    signer,
                    Roles::CUSTODIAN,
                    "an invitation by somebody who is no custodian",
                )?;
                self.invite(invite, at)
            }
            Kind::Roles { roles, user } => {
                self.must(
                    signer,
                    Roles::CUSTODIAN,
                    "roles given by somebody who is no custodian",
                )?;
                let user = self.invited(&user, at.time, "roles for somebody never invited")?;
                if let Some(person) = self.people.get_mut(user as usize) {
                    person.roles = roles;
                }
                Ok(())
            }
            Kind::KeyAct {
                act,
                authenticator,
                user,
            } => self.key_act(act, &authenticator, &user, signer, at),
            Kind::Request(request) => self.filed(*request, statement.hash, signer, key, at),
            Kind::Decision(decision) => self.decided(&decision, signer, key, at),
            Kind::Acceptance { authenticator, on } => {
                hold(
                    authenticator == touch.authenticator,
                    "an acceptance by another key than it names",
                )?;
                self.accepted(&on, key, at)
            }
            Kind::Setting => self.must(
                signer,
                Roles::CUSTODIAN,
                "a setting changed by somebody who is no custodian",
            ),
            Kind::Clock { .. } => Ok(()),
            Kind::Import(_) | Kind::Enrol(_) | Kind::Passing => {
                Err(lie("the statement is of another kind than the event"))
            }
        }
    }

    /// An invitation, the first or a later one: the user and the name must be free.
    fn invite(&mut self, invite: Invite, at: At) -> Judged {
        let folded = folded(&invite.name);
        let known = self.person_of.get(&invite.user).copied();
        if let Some(known) = known {
            hold(
                self.person(known)?.lapsed(at.time),
                "a user is invited twice",
            )?;
        }
        if let Some(namesake) = self.person_named.get(&folded) {
            hold(
                self.person(*namesake)?.lapsed(at.time),
                "two people have one name",
            )?;
        }
        let state = PersonState {
            id: invite.user,
            name: invite.name,
            roles: invite.roles,
            invitation: invite.invitation,
            expires: invite.expires,
            joined: false,
        };
        let person = match known {
            Some(person) => {
                if let Some(place) = self.people.get_mut(person as usize) {
                    let before = std::mem::replace(place, state);
                    let name = self::folded(&before.name);
                    if self.person_named.get(&name) == Some(&person) {
                        self.person_named.remove(&name);
                    }
                }
                person
            }
            None => {
                self.people.push(state);
                place_of_last(self.people.len())?
            }
        };
        self.person_of.insert(invite.user, person);
        self.person_named.insert(folded, person);
        Ok(())
    }

    fn enrol(
        &mut self,
        signer: Id,
        enrol: Enrol,
        touch: &Touch,
        admission: Option<&Touch>,
        at: At,
    ) -> Judged {
        hold(
            signer == enrol.user,
            "a key is enrolled for somebody else than its signer",
        )?;
        hold(
            touch.authenticator == enrol.authenticator,
            "a key is enrolled by another key than it names",
        )?;
        let user = *self
            .person_of
            .get(&enrol.user)
            .ok_or(lie("a key is enrolled for somebody never invited"))?;
        let person = self.person(user)?;
        hold(person.name == enrol.name, "the name is not the invited one")?;
        if person.joined {
            hold(
                enrol.invitation.is_none(),
                "a further key carries an invitation",
            )?;
            let admission = admission.ok_or(lie("no other key admits the further key"))?;
            hold(
                admission.authenticator != enrol.authenticator,
                "a key admits itself",
            )?;
            self.touched(admission, user, at)?;
        } else {
            hold(
                enrol.invitation == Some(person.invitation),
                "a first key does not carry its user's invitation",
            )?;
            hold(at.time < person.expires, "the invitation has expired")?;
            hold(admission.is_none(), "a first key carries an admission")?;
        }
        self.unique(&enrol)?;
        self.signed(touch, enrol.public_key, at);
        self.keys.push(KeyState {
            id: enrol.authenticator,
            person: user,
            public: enrol.public_key,
            share: enrol.share_key.is_some(),
            life: Life::Live,
            counter: touch.counter,
        });
        let key = place_of_last(self.keys.len())?;
        self.key_of.insert(enrol.authenticator, key);
        if let Some(person) = self.people.get_mut(user as usize) {
            person.joined = true;
        }
        Ok(())
    }

    fn unique(&mut self, enrol: &Enrol) -> Judged {
        hold(
            !self.key_of.contains_key(&enrol.authenticator),
            "an authenticator is enrolled twice",
        )?;
        hold(
            self.marks.add(Space::CredentialId, &enrol.credential_id, 0),
            "a credential id is enrolled twice",
        )?;
        hold(
            self.marks.add(Space::PublicKey, &enrol.public_key, 0),
            "a public key is enrolled twice",
        )?;
        hold(
            enrol
                .share_key
                .is_none_or(|key| self.marks.add(Space::ShareKey, &key, 0)),
            "a share key is enrolled twice",
        )
    }

    fn enrolled(&mut self, authenticator: &Id) -> Judged<&mut KeyState> {
        let key = self.key_of.get(authenticator).copied();
        key.and_then(|key| self.keys.get_mut(key as usize))
            .ok_or(lie("the authenticator was never enrolled"))
    }

    fn key_act(
        &mut self,
        act: KeyAct,
        authenticator: &Id,
        user: &Id,
        signer: Person,
        at: At,
    ) -> Judged {
        let owner = self.invited(user, at.time, "a key of somebody never invited")?;
        if act == KeyAct::Unsuspend {
            self.must(
                signer,
                Roles::CUSTODIAN,
                "a key restored by somebody who is no custodian",
            )?;
        } else if owner != signer {
            self.must(
                signer,
                Roles::CUSTODIAN,
                "another's key revoked or suspended by somebody who is no custodian",
            )?;
        }
        let key = self.enrolled(authenticator)?;
        hold(key.person == owner, "the key is not that user's")?;
        key.life = match (act, key.life) {
            (KeyAct::Revoke, Life::Revoked) => return Err(lie("a key is revoked twice")),
            (KeyAct::Revoke, _) => Life::Revoked,
            (KeyAct::Suspend, Life::Live) => Life::Suspended,
            (KeyAct::Suspend, _) => return Err(lie("a key is suspended that is not live")),
            (KeyAct::Unsuspend, Life::Suspended) => Life::Live,
            (KeyAct::Unsuspend, _) => return Err(lie("a key is restored that is not suspended")),
        };
        Ok(())
    }
}

/// The place of what was pushed last.
pub(super) fn place_of_last(len: usize) -> Judged<u32> {
    u32::try_from(len.saturating_sub(1)).map_err(|_| lie("more than 2^32 of one thing"))
}
