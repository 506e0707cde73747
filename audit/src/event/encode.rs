//! Events as canonical bytes: each object's members in ascending order.

use super::{
    Actor, Admission, Assertion, Enrolment, Event, FirstInvitation, Founding, GrantStarted,
    NewRoster, Origin, ReleaseOpened, ResealOpened, Role, RoleSet, RosterSet, Rotation, Signed,
    SoftwareStarted, TargetSet, VersionRef, VersionSealed, VersionsAct, statement,
};
use crate::checkpoint::VerifierKey;
use crate::json::{Fault, Json, Object, repeats};
use crate::{AppendError, Hash, Id};

/// What the chain adds to a draft.
pub(crate) struct Place {
    pub(crate) seq: u64,
    pub(crate) prev: Hash,
    pub(crate) time: i64,
}

/// The largest entry, in bytes.
pub(crate) const MAX_ENTRY: usize = 64 * 1024;

pub(crate) fn entry(actor: Actor, event: &Event, place: &Place) -> Result<Vec<u8>, AppendError> {
    let mut json = Json::with_capacity(768);
    json.object(|o| {
        match actor {
            Actor::System => o.word("actor", "system"),
            Actor::Id(id) => o.id("actor", id),
        }
        o.object("data", |o| event.write(o));
        o.word("event", event.name());
        o.hash("prev", &place.prev);
        o.zero_up("seq", place.seq);
        o.time("time", place.time);
        o.number("v", 1);
    });
    let bytes = json
        .finish()
        .map_err(|(member, fault)| AppendError::Member { member, fault })?;
    if bytes.len() > MAX_ENTRY {
        return Err(AppendError::TooLong(bytes.len()));
    }
    Ok(bytes)
}

impl Event {
    /// Refuses what the types allow and the format does not, as far as strings and numbers don't show it.
    pub(crate) fn check(&self, actor: Actor) -> Result<(), AppendError> {
        if let Some((signed, expected)) = self.signed() {
            signed.check(&expected, Some(actor))?;
        }
        match self {
            Event::VersionSealed(sealed) => match &sealed.origin {
                Origin::Imported(import) => import.check(&statement::IMPORT, None),
                Origin::Generated | Origin::Resealed => Ok(()),
            },
            _ => Ok(()),
        }
    }

    fn write(&self, o: &mut Object<'_>) {
        if let Some((signed, _)) = self.signed() {
            return match self {
                Event::AuthenticatorEnrolled(enrolment) => enrolment.write(o),
                _ => signed.write(o),
            };
        }
        match self {
            Event::LedgerFounded(founding) => founding.write(o),
            Event::FirstPersonInvited(invitation) => invitation.write(o),
            Event::AuthenticatorDistrusted {
                authenticator,
                counter,
            } => {
                o.id("authenticator", *authenticator);
                o.zero_up("counter", u64::from(*counter));
            }
            Event::RequestEnded { request, why } => {
                o.id("request", *request);
                o.word("why", why.word());
            }
            Event::RosterSet(set) => set.write(o),
            Event::TargetSet(set) => set.write(o),
            Event::RoleSet(set) => set.write(o),
            Event::VersionDestroyed(act) => act.write(o),
            Event::ResealOpened(opened) => opened.write(o),
            Event::VersionSealed(sealed) => sealed.write(o),
            Event::ReleaseOpened(opened) => opened.write(o),
            Event::ReleaseClosed { request, why } => {
                o.id("request", *request);
                o.word("why", why.word());
            }
            Event::ReleaseRefused { request, why } => {
                o.id("request", *request);
                o.short("why", why);
            }
            Event::ShareRefused {
                approver,
                request,
                why,
            } => {
                o.id("approver", *approver);
                o.id("request", *request);
                o.short("why", why);
            }
            Event::GrantStarted(started) => started.write(o),
            Event::GrantEnded { grant, why } => {
                o.id("grant", *grant);
                o.short("why", why);
            }
            Event::RotationStaged(r)
            | Event::RotationApplied(r)
            | Event::RotationProved(r)
            | Event::RotationPromoted(r)
            | Event::RotationFailed(r) => r.write(o),
            Event::KekRolled {
                key,
                previous_key,
                token,
            } => {
                o.id("key", *key);
                if let Some(previous) = previous_key {
                    o.id("previous_key", *previous);
                }
                o.short("token", token);
            }
            Event::CheckpointKeysChanged { checkpoint_keys } => keys(o, checkpoint_keys),
            Event::SoftwareStarted(started) => started.write(o),
            Event::DrillFinished {
                passed,
                report_sha256,
                safe,
            } => {
                o.word("outcome", if *passed { "passed" } else { "failed" });
                o.hash("report_sha256", report_sha256);
                o.id("safe", *safe);
            }
            Event::ClockTicked => {}
            Event::PersonInvited(_)
            | Event::PersonRoles(_)
            | Event::AuthenticatorEnrolled(_)
            | Event::AuthenticatorRevoked(_)
            | Event::AuthenticatorSuspended(_)
            | Event::AuthenticatorRestored(_)
            | Event::RequestFiled(_)
            | Event::RequestApproved(_)
            | Event::RequestDenied(_)
            | Event::RequestAccepted(_)
            | Event::SettingChanged(_)
            | Event::ClockAccepted(_) => {}
        }
    }
}

/// 1 to 3 distinct keys of one name.
fn keys(o: &mut Object<'_>, keys: &[VerifierKey]) {
    let json = o.member("checkpoint_keys");
    let one_name = keys
        .iter()
        .all(|key| keys.first().is_some_and(|first| first.name() == key.name()));
    if !(1..=3).contains(&keys.len()) || repeats(keys) || !one_name {
        json.refuse(Fault::List);
    }
    json.array(keys, |json, key| json.short(&key.to_string()));
}

fn versions(o: &mut Object<'_>, versions: &[VersionRef]) {
    let json = o.member("versions");
    if versions.is_empty() {
        json.refuse(Fault::List);
    }
    json.array(versions, |json, version| {
        json.object(|o| {
            o.id("credential", version.credential);
            o.hash("envelope", &version.envelope);
            o.number("version", version.version);
        });
    });
}

/// Ids of which there is at least one.
fn some_ids(o: &mut Object<'_>, name: &'static str, ids: &[Id]) {
    if ids.is_empty() {
        o.member(name).refuse(Fault::List);
        return;
    }
    o.ids(name, ids);
}

impl Assertion {
    fn write(&self, o: &mut Object<'_>) {
        o.binary("authenticator_data", &self.authenticator_data);
        o.binary("client_data_json", &self.client_data_json);
        o.binary("signature", &self.signature);
    }
}

impl Signed {
    fn write(&self, o: &mut Object<'_>) {
        o.object("assertion", |o| self.assertion.write(o));
        o.id("authenticator", self.authenticator);
        self.write_statement(o);
    }

    fn write_statement(&self, o: &mut Object<'_>) {
        let json = o.member("statement");
        match std::str::from_utf8(&self.statement) {
            Ok(text) => json.string(text),
            Err(_) => json.refuse(Fault::Shape),
        }
    }
}

impl Enrolment {
    fn write(&self, o: &mut Object<'_>) {
        if let Some(Admission {
            assertion,
            authenticator,
        }) = &self.admission
        {
            o.object("admission", |o| {
                o.object("assertion", |o| assertion.write(o));
                o.id("authenticator", *authenticator);
            });
        }
        o.object("assertion", |o| self.signed.assertion.write(o));
        o.id("authenticator", self.signed.authenticator);
        o.object("registration", |o| {
            o.binary("attestation_object", &self.registration.attestation_object);
            o.binary("client_data_json", &self.registration.client_data_json);
        });
        self.signed.write_statement(o);
    }
}

impl Founding {
    fn write(&self, o: &mut Object<'_>) {
        keys(o, &self.checkpoint_keys);
        if let Some(continues) = &self.continues {
            o.object("continues", |o| {
                o.hash("checkpoint", &continues.checkpoint);
                o.hash("ledger", &continues.ledger);
                o.number("size", continues.size);
            });
        }
        let json = o.member("name");
        if self
            .checkpoint_keys
            .iter()
            .any(|key| key.name() != self.name)
        {
            json.refuse(Fault::Shape);
        }
        json.short(&self.name);
        if self.origins.is_empty() {
            o.member("origins").refuse(Fault::List);
        } else {
            o.shorts("origins", &self.origins);
        }
        o.short("rp_id", &self.rp_id);
    }
}

impl FirstInvitation {
    fn write(&self, o: &mut Object<'_>) {
        o.time("expires", self.expires);
        o.hash("invitation", &self.invitation);
        o.word("kind", "invite");
        o.hash("ledger", &self.ledger);
        o.short("name", &self.name);
        o.binary("nonce", &self.nonce);
        let json = o.member("roles");
        if repeats(&self.roles) || !self.roles.contains(&Role::Custodian) {
            json.refuse(Fault::List);
        }
        json.array(&self.roles, |json, role| json.string(role.word()));
        o.id("user", self.user);
        o.number("v", 1);
    }
}

impl NewRoster {
    fn write(&self, o: &mut Object<'_>) {
        let json = o.member("approvers");
        let users: Vec<Id> = self
            .approvers
            .iter()
            .map(|approver| approver.user)
            .collect();
        if users.is_empty() || repeats(&users) {
            json.refuse(Fault::List);
        }
        json.array(&self.approvers, |json, approver| {
            json.object(|o| {
                some_ids(o, "authenticators", &approver.authenticators);
                o.short("name", &approver.name);
                o.id("user", approver.user);
            });
        });
        o.number("denials", self.denials);
        o.boolean("drill", self.drill);
        o.number("epoch", self.epoch);
        o.number("grant_life_s", self.grant_life_s);
        o.number("m", self.m);
        o.short("name", &self.name);
        o.number("request_life_s", self.request_life_s);
    }
}

impl RosterSet {
    fn write(&self, o: &mut Object<'_>) {
        o.seqs("acceptances", &self.acceptances);
        o.seqs("approvals", &self.approvals);
        o.object("new", |o| self.new.write(o));
        o.id("request", self.request);
        o.id("safe", self.safe);
    }
}

impl TargetSet {
    fn write(&self, o: &mut Object<'_>) {
        o.short("account", &self.account);
        o.short("address", &self.address);
        o.seqs("approvals", &self.approvals);
        o.short("connector", &self.connector);
        o.id("credential", self.credential);
        let json = o.member("pin");
        if !is_pin(&self.pin) {
            json.refuse(Fault::Shape);
        }
        json.short(&self.pin);
        o.id("request", self.request);
        o.id("safe", self.safe);
        o.id("target", self.target);
    }
}

/// `sha256:` and 64 lower-case hex digits, `unix`, or `ssh:SHA256:` and the 43 characters of unpadded base64 of 32 bytes.
fn is_pin(pin: &str) -> bool {
    use base64::{Engine as _, engine::general_purpose::STANDARD_NO_PAD};
    if let Some(digits) = pin.strip_prefix("sha256:") {
        return digits.parse::<Hash>().is_ok();
    }
    if let Some(key) = pin.strip_prefix("ssh:SHA256:") {
        return STANDARD_NO_PAD
            .decode(key)
            .is_ok_and(|hash| hash.len() == 32);
    }
    pin == "unix"
}

impl RoleSet {
    fn write(&self, o: &mut Object<'_>) {
        o.hash("access", &self.access);
        o.seqs("approvals", &self.approvals);
        o.number("max_s", self.max_s);
        o.short("name", &self.name);
        o.zero_up("needed", self.needed);
        o.hash("previous", &self.previous);
        o.id("request", self.request);
        o.id("safe", self.safe);
        o.id("target", self.target);
        o.shorts("windows", &self.windows);
    }
}

impl VersionsAct {
    fn write(&self, o: &mut Object<'_>) {
        o.seqs("approvals", &self.approvals);
        o.id("request", self.request);
        o.id("safe", self.safe);
        versions(o, &self.versions);
    }
}

impl ResealOpened {
    fn write(&self, o: &mut Object<'_>) {
        o.seqs("approvals", &self.approvals);
        o.binary("delivery_key", &self.delivery_key);
        o.id("request", self.request);
        o.id("safe", self.safe);
        versions(o, &self.versions);
    }
}

impl VersionSealed {
    fn write(&self, o: &mut Object<'_>) {
        some_ids(o, "authenticators", &self.authenticators);
        o.id("credential", self.credential);
        o.hash("envelope", &self.envelope);
        o.number("epoch", self.epoch);
        if let Origin::Imported(import) = &self.origin {
            o.object("import", |o| import.write(o));
        }
        o.hash("key_commitment", &self.key_commitment);
        o.word("origin", self.origin.word());
        o.hash("roster", &self.roster);
        o.id("safe", self.safe);
        o.number("version", self.version);
    }
}

impl ReleaseOpened {
    fn write(&self, o: &mut Object<'_>) {
        o.seqs("approvals", &self.approvals);
        o.id("credential", self.credential);
        o.hash("envelope", &self.envelope);
        o.number("epoch", self.epoch);
        o.id("request", self.request);
        o.id("requester", self.requester);
        o.hash("roster", &self.roster);
        o.id("safe", self.safe);
        o.number("version", self.version);
    }
}

impl GrantStarted {
    fn write(&self, o: &mut Object<'_>) {
        o.seqs("approvals", &self.approvals);
        o.id("grant", self.grant);
        o.id("request", self.request);
        o.id("target", self.target);
        o.time("until", self.until);
    }
}

impl Rotation {
    fn write(&self, o: &mut Object<'_>) {
        o.id("credential", self.credential);
        o.short("observed", &self.observed);
        o.id("rotation", self.rotation);
        o.number("version", self.version);
    }
}

impl SoftwareStarted {
    fn write(&self, o: &mut Object<'_>) {
        let json = o.member("pages");
        json.array(&self.pages, |json, page| {
            json.object(|o| {
                o.short("path", &page.path);
                o.hash("sha256", &page.sha256);
            });
        });
        o.hash("program_sha256", &self.program_sha256);
        o.short("release", &self.release);
    }
}
