//! The requester's side of a release: asking with a delivery key of one's own, and opening what comes back.

use std::fmt;

use quorum::Hash;
use quorum::entry::{Entry, Event};
use quorum::evidence::{Proved, Trust};
use quorum::ids::UserId;
use quorum::secret::{self, DeliveryKey, Envelope, Plaintext, Share};
use quorum::statement::{Decision, Kind, Purpose, ReleasePurpose, Statement};
use serde::Deserialize;
use serde_json::json;

use super::requests::{Asking, Filed};
use super::{By, Client, Credential, Error, Person, Result, Version, ledger, unproved, wire};

/// How a release is asked for.
#[derive(Clone, Debug)]
pub struct ReleaseAsk {
    /// Why.
    pub reason: String,
    /// An incident's number.
    pub ticket: Option<String>,
    /// How long the opening lasts, in seconds.
    pub duration_s: u64,
    /// How long after the quorum is reached it may be opened, in seconds.
    pub open_within_s: u64,
    /// Seconds from now in which approvals count.
    pub life_s: u64,
}

impl ReleaseAsk {
    /// For a quarter of an hour, to be approved and opened within one.
    #[must_use]
    pub fn because(reason: &str) -> Self {
        Self {
            reason: reason.to_owned(),
            ticket: None,
            duration_s: 900,
            open_within_s: 900,
            life_s: 900,
        }
    }
}

/// A release that was asked for, with the key that alone can open it.
pub struct Release {
    /// The filing.
    pub filed: Filed,
    /// The delivery key's private half; in this process alone.
    pub delivery: DeliveryKey,
}

/// What the service gives at an opening: sealed to the delivery key, nothing of it secret from others.
#[derive(Clone, Debug, Deserialize)]
pub struct Opening {
    /// The `release.opened`, canonical.
    pub entry: String,
    /// Its place.
    pub seq: u64,
    /// Its inclusion proof.
    #[serde(deserialize_with = "wire::texts")]
    pub proof: Vec<Hash>,
    /// The checkpoint that covers it.
    pub checkpoint: String,
    /// Entry 0, under the same checkpoint.
    #[serde(deserialize_with = "wire::proved")]
    pub founding: Proved,
    /// That the checkpoint extends what was asked from.
    #[serde(deserialize_with = "wire::texts")]
    pub consistency: Vec<Hash>,
    /// The secret's envelope.
    pub envelope: String,
    /// `h`, sealed to the delivery key.
    #[serde(deserialize_with = "wire::bytes")]
    pub h: Vec<u8>,
    /// The approvers' shares, sealed to the delivery key.
    pub shares: Vec<DeliveredShare>,
    /// When it ends, in microseconds.
    pub ends: i64,
}

/// What was re-sealed so far.
#[derive(Deserialize)]
struct Given {
    envelope: String,
    shares: Vec<DeliveredShare>,
}

/// A share that an approver re-sealed.
#[derive(Clone, Debug, Deserialize)]
pub struct DeliveredShare {
    /// Whose.
    #[serde(deserialize_with = "wire::text")]
    pub approver: UserId,
    /// Their name.
    pub name: String,
    /// Their place.
    pub x: u8,
    /// The HPKE message.
    #[serde(deserialize_with = "wire::bytes")]
    pub sealed: Vec<u8>,
    /// The approval that it came with, canonical.
    pub statement: String,
}

/// An opened secret.
pub struct Opened {
    /// The secret.
    pub plaintext: Plaintext,
    /// The version.
    pub version: u64,
    /// Place of the `release.opened`.
    pub seq: u64,
    /// When the opening ends, in microseconds.
    pub ends: i64,
    /// Shares that were wrong while others were enough: somebody to talk to.
    pub wrong: Vec<WrongShare>,
}

/// A share that does not hold, and whose it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WrongShare {
    /// Whose.
    pub name: String,
    /// Their place.
    pub x: u8,
    /// What is wrong with it.
    pub why: String,
}

impl fmt::Display for WrongShare {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { name, x, why } = self;
        write!(f, "the share of {name} (place {x}) is wrong: {why}")
    }
}

impl Client {
    /// Asks for one version of a credential.
    ///
    /// # Errors
    /// A refusal.
    pub async fn ask_release(
        &self,
        person: &Person,
        key: usize,
        credential: &Credential,
        version: &Version,
        ask: &ReleaseAsk,
    ) -> Result<Release> {
        self.ask_release_from(person, key, credential, version, ask, None)
            .await
    }

    /// As [`Client::ask_release`], for a terminal that follows by its poll secret.
    ///
    /// # Errors
    /// A refusal.
    pub async fn ask_release_from(
        &self,
        person: &Person,
        key: usize,
        credential: &Credential,
        version: &Version,
        ask: &ReleaseAsk,
        poll: Option<Hash>,
    ) -> Result<Release> {
        let delivery = DeliveryKey::generate()?;
        let purpose = ReleasePurpose {
            credential: credential.credential,
            delivery_key: delivery.public()?,
            duration_s: ask.duration_s,
            envelope: version.envelope,
            epoch: version.epoch,
            open_within_s: ask.open_within_s,
            sealed_as: version.sealed_as()?,
            version: version.version,
        };
        let asking = Asking {
            safe: credential.safe,
            roster: version.roster,
            purpose: Purpose::Release(purpose),
            reason: ask.reason.clone(),
            ticket: ask.ticket.clone(),
            life_s: ask.life_s,
        };
        let filed = self.file(person, key, &asking, poll).await?;
        Ok(Release { filed, delivery })
    }

    /// Opens a release: what the service gives, checked and combined.
    ///
    /// # Errors
    /// A refusal; [`Error::Unproved`]; [`Error::Share`] with whose share is wrong; [`Error::Secret`].
    pub async fn open(&self, person: &mut Person, release: &Release) -> Result<Opened> {
        let from = person.pinned.map_or(0, |pinned| pinned.size);
        let opening = self.opening_from(person.by(), release, from).await?;
        let trust = self.trust_of(person, &opening)?;
        opening.combine(&trust, release)
    }

    /// The re-sealed shares of a release that waits, each checked: how many are good, and whose are wrong. Nothing is opened.
    ///
    /// # Errors
    /// A refusal; [`Error::Unproved`].
    pub async fn shares(&self, by: By<'_>, release: &Release) -> Result<(usize, Vec<WrongShare>)> {
        let path = format!("/requests/{}/shares", release.filed.request);
        let given: Given = self.get(&path, by).await?.read()?;
        let envelope = asked_envelope(&given.envelope, release)?;
        let (good, wrong) = checked(&given.shares, release, &envelope);
        Ok((good.len(), wrong))
    }

    /// What came with an opening as trust: its checkpoint is of the founded ledger, signed, and extends what this person's
    /// device has seen.
    ///
    /// # Errors
    /// [`Error::Unproved`].
    pub fn trust_of(&self, person: &mut Person, opening: &Opening) -> Result<Trust> {
        let Opening {
            checkpoint,
            founding,
            consistency,
            ..
        } = opening;
        self.trust(person, checkpoint, founding, consistency)
    }

    /// What the service gives at an opening, unchecked.
    ///
    /// # Errors
    /// A refusal.
    pub async fn opening(&self, by: By<'_>, release: &Release) -> Result<Opening> {
        self.opening_from(by, release, 0).await
    }

    /// As [`Client::opening`], with the proof that the ledger extends its tree of size `from`.
    ///
    /// # Errors
    /// A refusal.
    pub async fn opening_from(&self, by: By<'_>, release: &Release, from: u64) -> Result<Opening> {
        let path = format!("/requests/{}/open", release.filed.request);
        self.post(&path, by, &json!({ "from": from })).await?.read()
    }
}

impl Opening {
    /// Checks that the opening is in the ledger and is of what was asked for, each share against its commitment, and the
    /// key against its own; then decrypts.
    ///
    /// # Errors
    /// [`Error::Unproved`]; [`Error::Share`]; [`Error::Secret`].
    pub fn combine(&self, trust: &Trust, release: &Release) -> Result<Opened> {
        let Purpose::Release(asked) = &release.filed.asked.purpose else {
            return Err(unproved("no release was asked for"));
        };
        let entry = self.entry.as_bytes();
        ledger::included(trust, &self.checkpoint, self.seq, entry, &self.proof)?;
        let leaf = check_opened(entry, &release.filed, asked)?;
        let envelope = asked_envelope(&self.envelope, release)?;
        let h = secret::open_delivered_h(&self.h, &release.delivery, &leaf, &envelope)?;
        let (shares, mut wrong) = checked(&self.shares, release, &envelope);
        if shares.len() < usize::from(envelope.header().m) && !wrong.is_empty() {
            return Err(Error::Share(Box::new(wrong.swap_remove(0))));
        }
        let plaintext = secret::combine(&envelope, &shares, &h)?;
        Ok(Opened {
            plaintext,
            version: asked.version,
            seq: self.seq,
            ends: self.ends,
            wrong,
        })
    }
}

/// The envelope that a release was asked for by.
fn asked_envelope(text: &str, release: &Release) -> Result<Envelope> {
    let Purpose::Release(asked) = &release.filed.asked.purpose else {
        return Err(unproved("no release was asked for"));
    };
    let envelope = Envelope::parse(text.as_bytes()).map_err(unproved)?;
    if envelope.hash() == asked.envelope {
        Ok(envelope)
    } else {
        Err(unproved("the envelope is not the one that was asked for"))
    }
}

fn checked(
    given: &[DeliveredShare],
    release: &Release,
    envelope: &Envelope,
) -> (Vec<Share>, Vec<WrongShare>) {
    let (mut good, mut wrong) = (Vec::new(), Vec::new());
    for delivered in given {
        match delivered.open(&release.delivery, envelope, &release.filed) {
            Ok(share) => good.push(share),
            Err(why) => wrong.push(WrongShare {
                name: delivered.name.clone(),
                x: delivered.x,
                why,
            }),
        }
    }
    (good, wrong)
}

impl DeliveredShare {
    fn open(
        &self,
        key: &DeliveryKey,
        envelope: &Envelope,
        filed: &Filed,
    ) -> std::result::Result<Share, String> {
        let statement = Statement::parse(self.statement.as_bytes()).map_err(|e| e.to_string())?;
        let ours = match &statement.kind {
            Kind::Approval(approval) => {
                approval.decision == Decision::Approve
                    && approval.entry == filed.leaf
                    && statement.signer == Some(self.approver)
            }
            _ => false,
        };
        if !ours {
            return Err("it came with another approval".into());
        }
        let challenge = statement.challenge();
        let sealed = &self.sealed;
        secret::open_delivered_share(sealed, self.x, key, &challenge, envelope)
            .map_err(|e| e.to_string())
    }
}

/// The `release.opened` is of this request; gives its leaf.
fn check_opened(bytes: &[u8], filed: &Filed, asked: &ReleasePurpose) -> Result<Hash> {
    let entry = Entry::parse(bytes).map_err(unproved)?;
    let Event::ReleaseOpened(opened) = &entry.event else {
        return Err(unproved("the entry opens nothing"));
    };
    let same = opened.request == filed.request
        && opened.safe == filed.safe
        && opened.roster == filed.asked.roster
        && opened.credential == asked.credential
        && opened.version == asked.version
        && opened.envelope == asked.envelope
        && opened.epoch == asked.epoch;
    if !same {
        return Err(unproved("the entry opens something else"));
    }
    Ok(entry.leaf)
}
