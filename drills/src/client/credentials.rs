//! Credentials: values made and imported, targets, rotations.

use std::time::Duration;

use quorum::Hash;
use quorum::ids::{CredentialId, SafeId, TargetId};
use quorum::statement::{Import, Kind, Pin, Purpose, SealedAs, TargetPurpose};
use serde::Deserialize;
use serde_json::{Value, json};
use zeroize::Zeroizing;

use super::requests::{Asking, Filed};
use super::{Client, Error, Person, Result, Safe, wire};

/// A credential as the service shows it.
#[derive(Clone, Debug, Deserialize)]
pub struct Credential {
    /// Id.
    #[serde(deserialize_with = "wire::text")]
    pub credential: CredentialId,
    /// Name.
    pub name: String,
    /// Kind.
    pub kind: String,
    /// Safe.
    #[serde(deserialize_with = "wire::text")]
    pub safe: SafeId,
    /// `empty`, `sealed`, `waiting`, `open`, `rotating` or `stuck`.
    pub state: String,
    /// The state, for people.
    #[serde(default)]
    pub words: String,
    /// Where it lives.
    #[serde(default)]
    pub target: Option<Target>,
    /// Versions that may be asked for, newest first.
    pub versions: Vec<Version>,
}

impl Credential {
    /// The version that is current, if one is.
    #[must_use]
    pub fn current(&self) -> Option<&Version> {
        self.versions.iter().find(|v| v.state == "current")
    }
}

/// A target as the service shows it.
#[derive(Clone, Debug, Deserialize)]
pub struct Target {
    /// Id.
    #[serde(deserialize_with = "wire::text")]
    pub target: TargetId,
    /// Where.
    pub address: String,
    /// Who.
    pub account: String,
    /// Whether m approvers bound it.
    #[serde(default)]
    pub live: bool,
}

/// A version as the service shows it.
#[derive(Clone, Debug, Deserialize)]
pub struct Version {
    /// Number.
    pub version: u64,
    /// Hash of its envelope.
    #[serde(deserialize_with = "wire::text")]
    pub envelope: Hash,
    /// Epoch of the roster that it is sealed to.
    pub epoch: u64,
    /// That roster's leaf.
    #[serde(deserialize_with = "wire::text")]
    pub roster: Hash,
    /// `current`, `candidate`, `proved_last` or `superseded`.
    pub state: String,
    /// The header, canonical.
    pub header: String,
}

impl Version {
    /// What the header says it was sealed as. A claim until the envelope itself is seen.
    ///
    /// # Errors
    /// It does not read.
    pub fn sealed_as(&self) -> Result<SealedAs> {
        #[derive(Deserialize)]
        struct Part {
            sealed_as: Inner,
        }
        #[derive(Deserialize)]
        struct Inner {
            #[serde(deserialize_with = "wire::text")]
            kind: quorum::statement::SecretKind,
            name: String,
            #[serde(default, deserialize_with = "wire::maybe_text")]
            target: Option<TargetId>,
        }
        let part: Part =
            serde_json::from_str(&self.header).map_err(|e| Error::Answer(e.to_string()))?;
        Ok(SealedAs {
            kind: part.sealed_as.kind,
            name: part.sealed_as.name,
            target: part.sealed_as.target,
        })
    }
}

/// A target that a custodian has described.
#[derive(Clone, Debug)]
pub struct TargetDraft {
    /// Its id.
    pub target: TargetId,
    /// What the target's administrator runs once. Carries a SCRAM verifier and no password.
    pub sql: String,
}

/// The newest rotation of a credential.
#[derive(Clone, Debug, Deserialize)]
pub struct Rotation {
    /// Its id.
    pub rotation: String,
    /// The state's name.
    pub state: String,
    /// The state, for people.
    pub words: String,
    /// The version it makes.
    #[serde(default)]
    pub version: Option<u64>,
    /// Tries so far.
    #[serde(default)]
    pub attempts: i64,
    /// When it ended, in microseconds.
    #[serde(default)]
    pub ended: Option<i64>,
    /// It waits for a person.
    #[serde(default)]
    pub stuck: bool,
}

#[derive(Deserialize)]
struct Made {
    version: u64,
    #[serde(deserialize_with = "wire::text")]
    envelope: Hash,
}

const STEP: Duration = Duration::from_millis(100);

impl Client {
    /// A credential.
    ///
    /// # Errors
    /// A refusal.
    pub async fn credential(
        &self,
        person: &Person,
        credential: CredentialId,
    ) -> Result<Credential> {
        let path = format!("/credentials/{credential}");
        self.get(&path, person.by()).await?.read()
    }

    /// Has Vitrine draw a value and seal it. Gives the version.
    ///
    /// # Errors
    /// A refusal.
    pub async fn generate(&self, custodian: &Person, credential: CredentialId) -> Result<u64> {
        let path = format!("/credentials/{credential}/generate");
        let made: Made = self.post(&path, custodian.by(), &json!({})).await?.read()?;
        Ok(made.version)
    }

    /// Puts a value in from outside: sealed first, then signed for by the custodian. Gives the version.
    ///
    /// # Errors
    /// A refusal.
    pub async fn import(
        &self,
        custodian: &Person,
        credential: &Credential,
        value: &str,
    ) -> Result<u64> {
        let id = credential.credential;
        let path = format!("/credentials/{id}/import");
        let body = json!({ "safe": credential.safe.to_string(), "value": value });
        let made: Made = self.post(&path, custodian.by(), &body).await?.read()?;
        if let Value::Object(mut members) = body
            && let Some(Value::String(value)) = members.remove("value")
        {
            drop(Zeroizing::new(value));
        }
        let import = Import {
            credential: id,
            envelope: made.envelope,
            safe: credential.safe,
            version: made.version,
        };
        let signed = self.sign(custodian, 0, Kind::Import(import))?;
        let body = json!({ "signed": signed.json() });
        let path = format!("/credentials/{id}/import/finish");
        self.post(&path, custodian.by(), &body).await?;
        Ok(made.version)
    }

    /// Describes the target of a credential: makes the connector's login and the SQL that lets it in.
    ///
    /// # Errors
    /// A refusal.
    pub async fn draft_target(
        &self,
        custodian: &Person,
        credential: CredentialId,
        address: &str,
        account: &str,
        pin: Pin,
    ) -> Result<TargetDraft> {
        #[derive(Deserialize)]
        struct Sent {
            #[serde(deserialize_with = "wire::text")]
            target: TargetId,
            sql: String,
        }
        let body = json!({
            "account": account, "address": address, "connector": "postgresql", "pin": pin.to_string(),
        });
        let path = format!("/credentials/{credential}/target");
        let sent: Sent = self.post(&path, custodian.by(), &body).await?.read()?;
        Ok(TargetDraft {
            target: sent.target,
            sql: sent.sql,
        })
    }

    /// A custodian asks the safe's approvers to bind a credential to a drafted target.
    ///
    /// # Errors
    /// A refusal.
    pub async fn propose_target(
        &self,
        custodian: &Person,
        safe: &Safe,
        target: TargetPurpose,
        reason: &str,
    ) -> Result<Filed> {
        let asking = Asking {
            safe: safe.safe,
            roster: safe.roster,
            purpose: Purpose::Target(target),
            reason: reason.to_owned(),
            ticket: None,
            life_s: 24 * 3600,
        };
        self.file(custodian, 0, &asking, None).await
    }

    /// Starts a rotation.
    ///
    /// # Errors
    /// A refusal.
    pub async fn rotate(&self, person: &Person, credential: CredentialId) -> Result<()> {
        let path = format!("/credentials/{credential}/rotate");
        self.post(&path, person.by(), &json!({})).await?;
        Ok(())
    }

    /// The newest rotation of a credential, if there ever was one.
    ///
    /// # Errors
    /// A refusal.
    pub async fn rotation(
        &self,
        person: &Person,
        credential: CredentialId,
    ) -> Result<Option<Rotation>> {
        let path = format!("/credentials/{credential}/rotation");
        self.get(&path, person.by()).await?.read()
    }

    /// Waits until a version above `above` is current and its rotation has ended.
    ///
    /// # Errors
    /// [`Error::Late`] after `within`, or when the rotation waits for a person; with the rotation's own words.
    pub async fn rotated(
        &self,
        person: &Person,
        credential: CredentialId,
        above: u64,
        within: Duration,
    ) -> Result<Version> {
        let until = tokio::time::Instant::now() + within;
        loop {
            let shown = self.credential(person, credential).await?;
            let rotation = self.rotation(person, credential).await?;
            let ended = rotation.as_ref().is_none_or(|r| r.ended.is_some());
            if let Some(version) = shown.current().filter(|v| v.version > above)
                && ended
            {
                return Ok(version.clone());
            }
            let words = rotation.as_ref().map_or("no rotation yet", |r| &r.words);
            if rotation.as_ref().is_some_and(|r| r.stuck) || tokio::time::Instant::now() >= until {
                return Err(Error::Late(format!("a rotation ({words})")));
            }
            tokio::time::sleep(STEP).await;
        }
    }
}
