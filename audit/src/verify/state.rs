//! What the judge knows at one entry: everything that later entries may be held against, and nothing else.

use std::collections::HashMap;
use std::sync::Arc;

use unicode_normalization::UnicodeNormalization as _;

use super::assertion::Touch;
use super::event::{Actor, Founding, Roles};
use super::lie::{Judged, hold, lie};
use super::marks::Marks;
use super::note::VerifierKey;
use super::report::Report;
use super::statement::Purpose;
use super::text::{Hash, Id};

/// Where the judge stands: the entry that is being judged.
#[derive(Clone, Copy)]
pub(super) struct At {
    pub(super) seq: u64,
    pub(super) time: i64,
    pub(super) leaf: Hash,
}

/// A place in [`Judge::people`].
pub(super) type Person = u32;
/// A place in [`Judge::keys`].
pub(super) type Key = u32;
/// A place in [`Judge::rosters`].
pub(super) type Roster = u32;

pub(super) struct PersonState {
    pub(super) id: Id,
    pub(super) name: String,
    pub(super) roles: Roles,
    pub(super) invitation: Hash,
    pub(super) expires: i64,
    /// Has enrolled a key, live or not.
    pub(super) joined: bool,
}

impl PersonState {
    /// Invited, never came, and it is too late: the id and the name are free again.
    pub(super) fn lapsed(&self, time: i64) -> bool {
        !self.joined && time >= self.expires
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Life {
    Live,
    Suspended,
    Revoked,
}

pub(super) struct KeyState {
    pub(super) id: Id,
    pub(super) person: Person,
    pub(super) public: [u8; 65],
    /// Enrolled with a share key.
    pub(super) share: bool,
    pub(super) life: Life,
    pub(super) counter: u32,
}

pub(super) struct RosterState {
    pub(super) leaf: Hash,
    pub(super) safe: Id,
    pub(super) epoch: i64,
    pub(super) m: i64,
    pub(super) denials: i64,
    pub(super) request_life_s: i64,
    pub(super) grant_life_s: i64,
    pub(super) drill: bool,
    /// By person.
    pub(super) approvers: Vec<(Person, Vec<Key>)>,
}

impl RosterState {
    /// The keys of a person on it.
    pub(super) fn keys(&self, person: Person) -> Option<&[Key]> {
        let at = self.approvers.binary_search_by_key(&person, |(p, _)| *p);
        let (_, keys) = self.approvers.get(at.ok()?)?;
        Some(keys)
    }

    /// Whether the person is on it.
    pub(super) fn has(&self, person: Person) -> bool {
        self.keys(person).is_some()
    }
}

/// One decision on a request.
pub(super) struct Cast {
    pub(super) seq: u64,
    pub(super) time: i64,
    pub(super) person: Person,
    pub(super) key: Key,
    pub(super) deny: bool,
}

/// The decisions on one request, in the order of their seqs.
#[derive(Default)]
pub(super) struct Casts {
    list: Vec<Cast>,
    /// Who approved and who denied, once there are so many that looking through the list takes long.
    index: HashMap<Person, (bool, bool)>,
}

impl Casts {
    const MANY: usize = 64;

    /// Whether the person approved, and whether the person denied.
    pub(super) fn of(&self, person: Person) -> (bool, bool) {
        if !self.index.is_empty() {
            return self.index.get(&person).copied().unwrap_or_default();
        }
        let own = self.list.iter().filter(|cast| cast.person == person);
        own.fold((false, false), |(approved, denied), cast| {
            (approved | !cast.deny, denied | cast.deny)
        })
    }

    pub(super) fn push(&mut self, cast: Cast) {
        let (person, deny) = (cast.person, cast.deny);
        self.list.push(cast);
        if !self.index.is_empty() {
            Self::note(&mut self.index, person, deny);
        } else if self.list.len() >= Self::MANY {
            for cast in &self.list {
                Self::note(&mut self.index, cast.person, cast.deny);
            }
        }
    }

    fn note(index: &mut HashMap<Person, (bool, bool)>, person: Person, deny: bool) {
        let (approved, denied) = index.entry(person).or_default();
        *approved |= !deny;
        *denied |= deny;
    }

    /// The decision of that seq.
    pub(super) fn at(&self, seq: u64) -> Option<&Cast> {
        let place = self.list.binary_search_by_key(&seq, |cast| cast.seq);
        self.list.get(place.ok()?)
    }

    pub(super) fn iter(&self) -> std::slice::Iter<'_, Cast> {
        self.list.iter()
    }
}

/// A request that is neither spent nor ended.
pub(super) struct Live {
    /// The leaf of its `request.filed`.
    pub(super) leaf: Hash,
    /// The statement's hash.
    pub(super) statement: Hash,
    pub(super) requester: Person,
    pub(super) key: Key,
    pub(super) seq: u64,
    pub(super) expires: i64,
    /// The roster it names; none when it founds a safe.
    pub(super) roster: Option<Roster>,
    pub(super) safe: Id,
    pub(super) purpose: Purpose,
    pub(super) casts: Casts,
    /// Seqs of acceptances, and the keys that accepted; in that order.
    pub(super) acceptances: Vec<(u64, Key)>,
}

/// What became of a request, as flags of its id in [`Marks`].
pub(super) mod fate {
    pub(in super::super) const SPENT: u8 = 1;
    pub(in super::super) const ENDED: u8 = 2;
    pub(in super::super) const REFUSED: u8 = 4;
}

pub(super) struct Credential {
    pub(super) safe: Id,
    pub(super) binding: Option<(Id, String)>,
    /// A `reseal.opened` named it.
    pub(super) resealed: bool,
}

pub(super) struct Version {
    pub(super) envelope: Hash,
    pub(super) roster: Roster,
    pub(super) seq: u64,
    /// Its roster was in force when it was sealed.
    pub(super) in_force: bool,
    pub(super) destroyed: bool,
}

pub(super) struct Role {
    pub(super) leaf: Hash,
    pub(super) max_s: i64,
    pub(super) needed: i64,
}

pub(super) struct Rotation {
    pub(super) credential: Id,
    pub(super) version: i64,
    pub(super) step: super::event::Step,
}

/// A signature that is still to be checked. Everything else about its entry was found good.
pub(super) struct Signature {
    pub(super) seq: u64,
    pub(super) key: [u8; 65],
    pub(super) message: aws_lc_rs::digest::Digest,
    pub(super) signature: [u8; 64],
}

/// The judge.
pub(super) struct Judge {
    pub(super) founded: Option<Hash>,
    pub(super) founding: Option<Arc<Founding>>,
    pub(super) time: i64,
    pub(super) prev: Hash,
    pub(super) marks: Marks,
    pub(super) people: Vec<PersonState>,
    pub(super) person_of: HashMap<Id, Person>,
    pub(super) person_named: HashMap<String, Person>,
    pub(super) keys: Vec<KeyState>,
    pub(super) key_of: HashMap<Id, Key>,
    pub(super) rosters: Vec<RosterState>,
    pub(super) roster_of: HashMap<Hash, Roster>,
    /// The roster in force of each safe.
    pub(super) safes: HashMap<Id, Roster>,
    pub(super) requests: HashMap<Id, Box<Live>>,
    /// Releases that are open, and when they end at the latest.
    pub(super) releases: HashMap<Id, i128>,
    pub(super) credentials: HashMap<Id, Credential>,
    pub(super) versions: HashMap<(Id, i64), Version>,
    /// Which credential a (target, account) is bound to.
    pub(super) bindings: HashMap<(Id, String), Id>,
    /// The newest of each (safe, target, name).
    pub(super) roles: HashMap<(Id, Id, String), Role>,
    pub(super) rotations: HashMap<Id, Rotation>,
    /// The keys that sign checkpoints up to the size this entry makes.
    pub(super) checkpoint_keys: Vec<VerifierKey>,
    /// Those that sign larger ones, when this entry changes them.
    pub(super) next_checkpoint_keys: Option<Vec<VerifierKey>>,
    /// Signatures to check, filled as entries are judged.
    pub(super) signatures: Vec<Signature>,
    pub(super) warnings: Vec<String>,
    pub(super) warnings_total: u64,
}

impl Judge {
    /// Before entry 0.
    pub(super) fn new(founded: Option<Hash>) -> Judge {
        Judge {
            founded,
            founding: None,
            time: 0,
            prev: [0; 32],
            marks: Marks::new(),
            people: Vec::new(),
            person_of: HashMap::new(),
            person_named: HashMap::new(),
            keys: Vec::new(),
            key_of: HashMap::new(),
            rosters: Vec::new(),
            roster_of: HashMap::new(),
            safes: HashMap::new(),
            requests: HashMap::new(),
            releases: HashMap::new(),
            credentials: HashMap::new(),
            versions: HashMap::new(),
            bindings: HashMap::new(),
            roles: HashMap::new(),
            rotations: HashMap::new(),
            checkpoint_keys: Vec::new(),
            next_checkpoint_keys: None,
            signatures: Vec::new(),
            warnings: Vec::new(),
            warnings_total: 0,
        }
    }

    pub(super) fn person(&self, at: Person) -> Judged<&PersonState> {
        self.people
            .get(at as usize)
            .ok_or(lie("the person was never invited"))
    }

    /// Somebody invited, by id.
    pub(super) fn invited(&self, id: &Id, time: i64, otherwise: &'static str) -> Judged<Person> {
        let person = *self.person_of.get(id).ok_or(lie(otherwise))?;
        hold(!self.person(person)?.lapsed(time), otherwise)?;
        Ok(person)
    }

    pub(super) fn must(&self, person: Person, role: u8, otherwise: &'static str) -> Judged {
        hold(self.person(person)?.roles.has(role), otherwise)
    }

    pub(super) fn key(&self, at: Key) -> Judged<&KeyState> {
        self.keys
            .get(at as usize)
            .ok_or(lie("the authenticator was never enrolled"))
    }

    pub(super) fn roster(&self, at: Roster) -> Judged<&RosterState> {
        self.rosters
            .get(at as usize)
            .ok_or(lie("the roster was never set"))
    }

    /// The roster in force of a safe.
    pub(super) fn in_force(&self, safe: &Id) -> Option<&RosterState> {
        self.safes
            .get(safe)
            .and_then(|at| self.rosters.get(*at as usize))
    }

    /// A touch by a live key of that person; its signature is put down to be checked.
    pub(super) fn touched(&mut self, touch: &Touch, person: Person, at: At) -> Judged<Key> {
        let key = *self
            .key_of
            .get(&touch.authenticator)
            .ok_or(lie("the authenticator was never enrolled"))?;
        let state = self
            .keys
            .get_mut(key as usize)
            .ok_or(lie("the authenticator was never enrolled"))?;
        hold(
            state.person == person,
            "the authenticator is not the signer's",
        )?;
        match state.life {
            Life::Live => {}
            Life::Suspended => return Err(lie("the authenticator is suspended")),
            Life::Revoked => return Err(lie("the authenticator was revoked")),
        }
        let last = std::mem::replace(&mut state.counter, touch.counter);
        let public = state.public;
        if touch.counter <= last && (touch.counter, last) != (0, 0) {
            let name = uuid(&touch.authenticator);
            self.warn(format!(
                "entry {}: the counter of authenticator {name} did not rise ({last}, then {})",
                at.seq, touch.counter
            ));
        }
        self.signed(touch, public, at);
        Ok(key)
    }

    /// Puts a signature down to be checked.
    pub(super) fn signed(&mut self, touch: &Touch, key: [u8; 65], at: At) {
        self.signatures.push(Signature {
            seq: at.seq,
            key,
            message: touch.message,
            signature: touch.signature,
        });
    }

    fn warn(&mut self, words: String) {
        self.warnings_total = self.warnings_total.saturating_add(1);
        if self.warnings.len() < Report::MAX_WARNINGS {
            self.warnings.push(words);
        }
    }

    /// Who may stand as the actor of an entry that nobody signed: nobody who was invited before it. Who else it names is not kept, since
    /// anybody who appends may name a new one with every entry.
    pub(super) fn unsigned_by(&self, actor: Actor) -> Judged {
        let Actor::Id(id) = actor else {
            return Ok(());
        };
        hold(
            !self.person_of.contains_key(&id),
            "an entry that nobody signed has a person as its actor",
        )
    }
}

/// Names that differ in case alone are one name: full case folding, then NFC.
pub(super) fn folded(name: &str) -> String {
    caseless::default_case_fold_str(name).nfc().collect()
}

/// An id as text.
pub(super) fn uuid(id: &Id) -> String {
    let mut text = String::with_capacity(36);
    for (at, byte) in id.iter().enumerate() {
        if matches!(at, 4 | 6 | 8 | 10) {
            text.push('-');
        }
        text.push_str(&hex::encode([*byte]));
    }
    text
}
