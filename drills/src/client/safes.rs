//! Safes: founding one, looking at one.

use quorum::Hash;
use quorum::ids::{AuthenticatorId, SafeId, UserId};
use quorum::statement::{NewApprover, NewRoster, Purpose, RosterPurpose};
use serde::Deserialize;
use serde_json::json;

use super::requests::{Asking, Filed};
use super::{Client, Credential, Person, Result, fresh_id, wire};

/// A safe as the service shows it.
#[derive(Clone, Debug, Deserialize)]
pub struct Safe {
    /// Id.
    #[serde(deserialize_with = "wire::text")]
    pub safe: SafeId,
    /// Name.
    pub name: String,
    /// For rehearsals.
    pub drill: bool,
    /// Roster epoch.
    pub epoch: u64,
    /// Leaf of the roster in force.
    #[serde(deserialize_with = "wire::text")]
    pub roster: Hash,
    /// Approvals needed.
    pub m: u64,
    /// Approvers.
    pub n: u64,
    /// Denials that end a request.
    pub denials: u64,
    /// The longest life of a request, in seconds.
    pub request_life_s: u64,
    /// The longest release, in seconds.
    pub grant_life_s: u64,
    /// Who approves.
    pub approvers: Vec<ApproverShown>,
    /// Live approvers minus m.
    pub margin: i64,
    /// What is in it.
    pub credentials: Vec<Credential>,
}

/// An approver as the service shows them.
#[derive(Clone, Debug, Deserialize)]
pub struct ApproverShown {
    /// Id.
    #[serde(deserialize_with = "wire::text")]
    pub user: UserId,
    /// Name.
    pub name: String,
    /// Place, from 1.
    pub x: u8,
    /// Whether they can sign now.
    pub can_sign: bool,
}

/// A safe to be.
#[derive(Clone, Debug)]
pub struct NewSafe {
    /// Its name.
    pub name: String,
    /// For rehearsals: software keys, for ever.
    pub drill: bool,
    /// Approvals needed.
    pub m: u64,
    /// Denials that end a request.
    pub denials: u64,
    /// The longest life of a request, in seconds.
    pub request_life_s: u64,
    /// The longest release, in seconds.
    pub grant_life_s: u64,
}

impl NewSafe {
    /// A drill safe, m of n, an hour for requests, a quarter of one for releases.
    #[must_use]
    pub fn drill(name: &str, m: u64, n: u64) -> Self {
        Self {
            name: name.to_owned(),
            drill: true,
            m,
            denials: n.saturating_sub(m).saturating_add(1),
            request_life_s: 3600,
            grant_life_s: 900,
        }
    }

    /// Its roster, with all keys of these people.
    #[must_use]
    pub fn roster(&self, epoch: u64, approvers: &[&Person]) -> NewRoster {
        let approvers = approvers.iter().map(|person| NewApprover {
            authenticators: authenticators(person),
            name: person.name.clone(),
            user: person.user,
        });
        NewRoster {
            approvers: approvers.collect(),
            denials: self.denials,
            drill: self.drill,
            epoch,
            grant_life_s: self.grant_life_s,
            m: self.m,
            name: self.name.clone(),
            request_life_s: self.request_life_s,
        }
    }
}

fn authenticators(person: &Person) -> Vec<AuthenticatorId> {
    person.keys.iter().map(|held| held.authenticator).collect()
}

impl Client {
    /// A custodian asks for a new safe. It is founded once every key named has accepted.
    ///
    /// # Errors
    /// A refusal.
    pub async fn propose_safe(
        &self,
        custodian: &Person,
        new: NewRoster,
        reason: &str,
    ) -> Result<Filed> {
        let asking = Asking {
            safe: SafeId::from_uuid_bytes(fresh_id()),
            roster: Hash::ZERO,
            purpose: Purpose::Roster(RosterPurpose { new }),
            reason: reason.to_owned(),
            ticket: None,
            life_s: 24 * 3600,
        };
        self.file(custodian, 0, &asking, None).await
    }

    /// A custodian asks for another roster of a safe.
    ///
    /// # Errors
    /// A refusal.
    pub async fn propose_roster(
        &self,
        custodian: &Person,
        safe: &Safe,
        new: NewRoster,
        reason: &str,
    ) -> Result<Filed> {
        let asking = Asking {
            safe: safe.safe,
            roster: safe.roster,
            purpose: Purpose::Roster(RosterPurpose { new }),
            reason: reason.to_owned(),
            ticket: None,
            life_s: 24 * 3600,
        };
        self.file(custodian, 0, &asking, None).await
    }

    /// Founds a safe: proposes it, and has every key of every approver accept. All are signed in.
    ///
    /// # Errors
    /// Any step's.
    pub async fn found_safe(
        &self,
        custodian: &Person,
        new: &NewSafe,
        approvers: &mut [&mut Person],
    ) -> Result<Safe> {
        let named: Vec<&Person> = approvers.iter().map(|person| &**person).collect();
        let roster = new.roster(1, &named);
        let filed = self
            .propose_safe(custodian, roster, "A new safe for this drill.")
            .await?;
        for person in approvers.iter_mut() {
            for key in 0..person.keys.len() {
                self.accept(person, key, filed.request).await?;
            }
        }
        self.safe(custodian, filed.safe).await
    }

    /// A safe.
    ///
    /// # Errors
    /// A refusal.
    pub async fn safe(&self, person: &Person, safe: SafeId) -> Result<Safe> {
        self.get(&format!("/safes/{safe}"), person.by())
            .await?
            .read()
    }

    /// Every safe.
    ///
    /// # Errors
    /// A refusal.
    pub async fn safes(&self, person: &Person) -> Result<Vec<Safe>> {
        #[derive(Deserialize)]
        struct Sent {
            safes: Vec<Safe>,
        }
        let sent: Sent = self.get("/safes", person.by()).await?.read()?;
        Ok(sent.safes)
    }

    /// Adds a credential to a safe; nothing is sealed yet.
    ///
    /// # Errors
    /// A refusal.
    pub async fn add_credential(
        &self,
        custodian: &Person,
        safe: SafeId,
        name: &str,
        kind: quorum::statement::SecretKind,
    ) -> Result<Credential> {
        let credential = quorum::ids::CredentialId::from_uuid_bytes(fresh_id());
        let body =
            json!({ "credential": credential.to_string(), "name": name, "kind": kind.as_str() });
        let path = format!("/safes/{safe}/credentials");
        self.post(&path, custodian.by(), &body).await?.read()
    }

    /// Files how a drill of a safe ended, by the SHA-256 of its report; gives the entry's seq.
    ///
    /// # Errors
    /// A refusal: the safe is not for drills, or `custodian` is none.
    pub async fn file_drill(
        &self,
        custodian: &Person,
        safe: SafeId,
        passed: bool,
        report_sha256: Hash,
    ) -> Result<u64> {
        #[derive(Deserialize)]
        struct Filed {
            seq: u64,
        }
        let outcome = if passed { "passed" } else { "failed" };
        let body = json!({ "outcome": outcome, "report_sha256": report_sha256.to_string() });
        let path = format!("/safes/{safe}/drills");
        let filed: Filed = self.post(&path, custodian.by(), &body).await?.read()?;
        Ok(filed.seq)
    }
}
