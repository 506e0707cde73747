//! What an approver is shown, checked from bytes and signatures (DESIGN.md 5, "What the approver's page checks").

use quorum::Hash;
use quorum::assertion::{self, PublicKey};
use quorum::entry::{Entry, Event, Signed};
use quorum::evidence::{Anchor, Proved, Trust};
use quorum::ids::{AuthenticatorId, UserId};
use quorum::json;
use quorum::secret::Envelope;
use quorum::statement::{self, Enrol, Kind, Purpose, ReleasePurpose, Request};
use serde::Deserialize;

use super::wire::{self, SentProved};
use super::{Error, Result, unproved};

/// One of one's own share envelopes.
#[derive(Clone, Debug, Deserialize)]
pub struct HeldShare {
    /// Whose share.
    #[serde(deserialize_with = "wire::text")]
    pub approver: UserId,
    /// The key that it is sealed to.
    #[serde(deserialize_with = "wire::text")]
    pub authenticator: AuthenticatorId,
    /// The place, from 1.
    pub x: u8,
    /// The HPKE message.
    #[serde(deserialize_with = "wire::bytes")]
    pub sealed: Vec<u8>,
}

/// A request, as far as bytes and signatures show it.
pub struct Evidence {
    /// The checkpoint that everything is proved under.
    pub trust: Trust,
    /// What is asked.
    pub asked: Request,
    /// Who asks: the signer.
    pub requester: UserId,
    /// The leaf of the `request.filed`.
    pub leaf: Hash,
    /// The request statement as an object, for an approval's `subject`.
    pub subject: json::Value,
    /// The reason, where the service still has it; it is the one committed to.
    pub reason: Option<String>,
    /// The envelope that a release asks for.
    pub envelope: Option<Envelope>,
    /// One's own shares of it.
    pub shares: Vec<HeldShare>,
}

#[derive(Deserialize)]
struct Sent {
    checkpoint: String,
    #[serde(deserialize_with = "wire::texts")]
    consistency: Vec<Hash>,
    entries: Vec<SentProved>,
    roles: SentRoles,
    #[serde(default)]
    envelope: Option<String>,
    reason: SentReason,
    #[serde(default)]
    shares: Vec<HeldShare>,
}

#[derive(Deserialize)]
struct SentRoles {
    request: u64,
    #[serde(default)]
    sealed: Option<u64>,
}

#[derive(Deserialize)]
struct SentReason {
    #[serde(default)]
    text: Option<String>,
    #[serde(default)]
    salt: Option<String>,
}

impl Evidence {
    /// Checks what the service sent. `founded` is the fingerprint this client pinned, `seen` the newest tree of this
    /// person's device, `now` its clock.
    ///
    /// # Errors
    /// [`Error::Unproved`] for the first thing that does not hold.
    pub fn check(
        sent: serde_json::Value,
        founded: Hash,
        seen: Option<&Anchor>,
        now: i64,
    ) -> Result<Self> {
        let sent: Sent = serde_json::from_value(sent).map_err(|e| Error::Answer(e.to_string()))?;
        let entries: Vec<Proved> = sent.entries.into_iter().map(Proved::from).collect();
        let at = |seq: u64| {
            let found = entries.iter().find(|entry| entry.seq == seq);
            found.ok_or_else(|| unproved(format!("entry {seq} is missing")))
        };
        let trust = Trust::check(&sent.checkpoint, at(0)?, founded, seen, &sent.consistency)
            .map_err(unproved)?;
        let filed = trust.entry(at(sent.roles.request)?).map_err(unproved)?;
        let signed = signed(&filed)?;
        let Kind::Request(asked) = &signed.statement.kind else {
            return Err(unproved("the entry is no request"));
        };
        let requester = requester(&trust, signed, &entries)?;
        if now >= asked.expires {
            return Err(unproved("the request has expired"));
        }
        let reason = reason(asked, &sent.reason)?;
        let envelope = match &asked.purpose {
            Purpose::Release(release) => {
                let text = sent.envelope.as_deref();
                let text = text.ok_or_else(|| unproved("the envelope is missing"))?;
                let envelope = Envelope::parse(text.as_bytes()).map_err(unproved)?;
                let sealed = sent
                    .roles
                    .sealed
                    .ok_or_else(|| unproved("no entry of the sealing"))?;
                check_envelope(&envelope, founded, asked, release)?;
                check_sealed(&trust.entry(at(sealed)?).map_err(unproved)?, asked, release)?;
                Some(envelope)
            }
            _ => None,
        };
        let subject = json::parse(&signed.statement_bytes).map_err(unproved)?;
        Ok(Self {
            asked: (**asked).clone(),
            requester,
            leaf: filed.leaf,
            subject,
            reason,
            envelope,
            shares: sent.shares,
            trust,
        })
    }
}

fn signed(entry: &Entry) -> Result<&Signed> {
    match &entry.event {
        Event::Signed(signed) => Ok(signed),
        _ => Err(unproved(format!("entry {} is not signed", entry.seq))),
    }
}

/// The signer, whose enrolled key verifies the filing's assertion.
fn requester(trust: &Trust, filing: &Signed, entries: &[Proved]) -> Result<UserId> {
    let signer = filing
        .statement
        .signer
        .ok_or_else(|| unproved("the request has no signer"))?;
    let enrol = enrolment(trust, filing.authenticator, entries)?;
    if enrol.user != signer {
        return Err(unproved("the request was signed with another person's key"));
    }
    let key = PublicKey::from_sec1(enrol.public_key).map_err(unproved)?;
    let challenge = statement::challenge(&filing.statement_bytes);
    assertion::verify(trust.rp(), &key, &challenge, &filing.assertion).map_err(unproved)?;
    Ok(signer)
}

fn enrolment(trust: &Trust, key: AuthenticatorId, entries: &[Proved]) -> Result<Enrol> {
    for proved in entries {
        // Other events than those that `quorum` reads are nothing to this.
        let Ok(entry) = trust.entry(proved) else {
            continue;
        };
        if let Event::Signed(signed) = entry.event
            && let Kind::Enrol(enrol) = signed.statement.kind
            && enrol.authenticator == key
        {
            return Ok(enrol);
        }
    }
    Err(unproved("the enrolment of the requester's key is missing"))
}

fn reason(asked: &Request, sent: &SentReason) -> Result<Option<String>> {
    let (Some(text), Some(salt)) = (&sent.text, &sent.salt) else {
        return Ok(None);
    };
    let salt = wire::from_b64(salt)?;
    if quorum::labelled("reason", &[&salt, text.as_bytes()]) == asked.reason_commitment {
        Ok(Some(text.clone()))
    } else {
        Err(unproved("the reason is not the one that was signed"))
    }
}

fn check_envelope(
    envelope: &Envelope,
    ledger: Hash,
    asked: &Request,
    release: &ReleasePurpose,
) -> Result<()> {
    let header = envelope.header();
    let same = envelope.hash() == release.envelope
        && header.ledger == ledger
        && header.safe == asked.safe
        && header.roster == asked.roster
        && header.credential == release.credential
        && header.version == release.version
        && header.epoch == release.epoch
        && header.sealed_as == release.sealed_as;
    if same {
        Ok(())
    } else {
        Err(unproved("the envelope is not the one that is asked for"))
    }
}

fn check_sealed(entry: &Entry, asked: &Request, release: &ReleasePurpose) -> Result<()> {
    let Event::VersionSealed(sealed) = &entry.event else {
        return Err(unproved("the entry is no sealing"));
    };
    let same = sealed.envelope == release.envelope
        && sealed.credential == release.credential
        && sealed.version == release.version
        && sealed.epoch == release.epoch
        && sealed.roster == asked.roster
        && sealed.safe == asked.safe;
    if same {
        Ok(())
    } else {
        Err(unproved("the sealing is not of what is asked for"))
    }
}
