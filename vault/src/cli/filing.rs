//! What was filed for this terminal, checked before anything is opened: a server could answer with a request of its own, and
//! with a value of its own. From signatures, proofs and what is kept here, never from what the server calls it.

use std::collections::BTreeSet;

use quorum::Hash;
use quorum::entry::{Entry, Event, RosterSet, Signed};
use quorum::evidence::{Proved, Trust};
use quorum::ids::{CredentialId, UserId};
use quorum::people::People;
use quorum::secret::Envelope;
use quorum::statement::{self, Kind, Purpose, ReleasePurpose, Request};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use sha2::{Digest, Sha256};
use unicode_normalization::UnicodeNormalization;

use super::held::{Asking, Held};
use super::known::{Known, lie};
use super::refusal::{Result, plain};
use super::remote::{Auth, Remote};
use crate::b64;
use crate::error::Error;

/// What this terminal asked for, as far as it has to know it again.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Asked {
    /// Part of a name, or an id.
    credential: String,
    seconds: u64,
    /// SHA-256 of the reason.
    reason: String,
    ticket: String,
}

impl Asked {
    pub(super) fn of(asking: &Asking) -> Asked {
        let ticket = asking.ticket.as_deref().unwrap_or_default();
        Asked {
            credential: asking.credential.clone(),
            seconds: asking.seconds,
            reason: digest(&asking.why),
            ticket: tidy(ticket),
        }
    }

    /// What of a filing is not what was asked: what the filing says, what was asked here, and what else it may be.
    fn differs(&self, filing: &Filing, reason: &str) -> Option<(String, String, &'static str)> {
        let Filing {
            request,
            release,
            roster,
            ..
        } = filing;
        let name = &release.sealed_as.name;
        let meant = match self.credential.parse::<CredentialId>() {
            Ok(id) => id == release.credential,
            Err(_) => named(&self.credential, &filing.called()),
        };
        let seconds = self.seconds.min(roster.new.grant_life_s);
        let ticket = request.ticket.as_deref().unwrap_or_default();
        let quoted = |text: &str| format!("\u{201c}{text}\u{201d}");
        if !meant {
            let hint = " Is it the one that you meant? Then ask by its whole name.";
            Some((quoted(name), quoted(&self.credential), hint))
        } else if release.duration_s != seconds {
            let say = |s: u64| format!("{s} seconds");
            Some((say(release.duration_s), say(seconds), ""))
        } else if ticket != self.ticket {
            let say = |t: &str| format!("ticket {}", quoted(t));
            Some((say(ticket), say(&self.ticket), ""))
        } else if digest(reason) != self.reason {
            let says = "another reason".to_owned();
            Some((says, "the one that you gave".into(), ""))
        } else {
            None
        }
    }
}

/// Every word that was typed is in what the credential is called, as the pages find it.
fn named(typed: &str, called: &str) -> bool {
    let (typed, called) = (crate::people::fold(typed), crate::people::fold(called));
    typed.split_whitespace().all(|word| called.contains(word))
}

/// Of a reason as the pages file it.
fn digest(reason: &str) -> String {
    let lines = reason.replace("\r\n", "\n").replace('\r', "\n");
    let text: String = lines.nfc().collect();
    hex::encode(Sha256::digest(text.trim().as_bytes()))
}

fn tidy(text: &str) -> String {
    let text: String = text.nfc().collect();
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// A filing that is in the known ledger, signed by who may ask, and is what was asked here.
pub(super) struct Filing {
    pub(super) request: Request,
    pub(super) release: ReleasePurpose,
    pub(super) requester: UserId,
    /// The statement's bytes.
    pub(super) bytes: Vec<u8>,
    /// The leaf of the `request.filed`.
    pub(super) leaf: Hash,
    roster: RosterSet,
    /// Account and address, where it lives somewhere.
    target: Option<(String, String)>,
    ledger: Hash,
}

#[derive(Deserialize)]
struct Sent {
    checkpoint: String,
    consistency: Vec<String>,
    entries: Vec<Value>,
    roles: Roles,
    reason: Reason,
}

/// Places of entries.
#[derive(Deserialize)]
struct Roles {
    request: u64,
    roster: u64,
    target: Option<u64>,
    invited: Vec<u64>,
    enrolled: Vec<u64>,
    revoked: Vec<u64>,
    role_changes: Vec<u64>,
}

#[derive(Deserialize)]
struct Reason {
    text: Option<String>,
    salt: Option<String>,
}

/// An entry with its proof, as it comes.
pub(super) fn proved(at: &Value) -> Option<Proved> {
    Some(Proved {
        seq: at.get("seq")?.as_u64()?,
        entry: at.get("entry")?.as_str()?.as_bytes().to_vec(),
        proof: hashes(at.get("proof")?)?,
    })
}

/// A list of hashes.
pub(super) fn hashes(list: &Value) -> Option<Vec<Hash>> {
    let hashes = list.as_array()?.iter();
    hashes.map(|h| h.as_str()?.parse().ok()).collect()
}

/// Entries that were shown, under the checkpoint that proves them.
struct Shown {
    trust: Trust,
    entries: Vec<Proved>,
}

impl Shown {
    fn entry(&self, seq: u64) -> std::result::Result<Entry, String> {
        let proved = self.entries.iter().find(|e| e.seq == seq);
        let proved = proved.ok_or_else(|| format!("entry {seq} is not shown"))?;
        self.trust.entry(proved).map_err(|e| e.to_string())
    }
}

impl Held {
    /// What was filed for this terminal: refused where it is not what was asked here, or not proved.
    pub(super) async fn filing(&self, remote: &Remote, known: &Known) -> Result<Filing> {
        let path = self.path(&format!("/evidence?from={}", known.size()));
        let sent = remote
            .call(reqwest::Method::GET, &path, &Auth::Poll(&self.poll), None)
            .await?;
        Ok(self.checked(sent, known)?)
    }

    fn checked(&self, sent: Value, known: &Known) -> std::result::Result<Filing, Error> {
        let sent: Sent = serde_json::from_value(sent).map_err(|e| self.unproved(&e.to_string()))?;
        let malformed = || self.unproved("a proof does not read");
        let entries: Option<Vec<Proved>> = sent.entries.iter().map(proved).collect();
        let entries = entries.ok_or_else(malformed)?;
        let consistency = sent.consistency.iter().map(|h| h.parse().ok());
        let consistency: Option<Vec<Hash>> = consistency.collect();
        let founding = entries.iter().find(|e| e.seq == 0).ok_or_else(malformed)?;
        let trust = known.trust(
            &sent.checkpoint,
            founding,
            &consistency.ok_or_else(malformed)?,
        )?;
        let shown = Shown { trust, entries };
        let filing = filing(&shown, &sent.roles).map_err(|e| self.unproved(&e))?;
        let key = self.key.public().map_err(Error::internal)?;
        if filing.request.request != self.request {
            return Err(self.another("another request", "this one", ""));
        }
        if filing.release.delivery_key != key {
            return Err(self.another(
                "another terminal\u{2019}s key",
                "this terminal\u{2019}s",
                "",
            ));
        }
        let (Some(reason), Some(salt)) = (&sent.reason.text, &sent.reason.salt) else {
            return Err(self.unproved("its reason is not shown"));
        };
        let salt = b64::decode(salt).and_then(|salt| <[u8; 32]>::try_from(salt).ok());
        let committed = salt.map(|salt| statement::reason_commitment(&salt, reason));
        if committed != Some(filing.request.reason_commitment) {
            return Err(self.unproved("the reason shown is not the one that was signed"));
        }
        match self.asked.differs(&filing, reason) {
            Some((says, asked, hint)) => Err(self.another(&says, &asked, hint)),
            None => Ok(filing),
        }
    }

    fn unproved(&self, why: &str) -> Error {
        lie(
            format!(
                "What was filed as {} is not proved: {}.",
                self.code(),
                plain(why)
            ),
            format!("Call a custodian, and say {}.", self.code()),
        )
    }

    fn another(&self, says: &str, asked: &str, hint: &str) -> Error {
        let key = self.fingerprint().unwrap_or_default();
        lie(
            format!(
                "What was filed as {} is not what was asked here: it says {}, and asked was {}.",
                self.code(),
                plain(says),
                plain(asked)
            ),
            format!(
                "Call a custodian, say {}, and compare what its page says with what you asked for, and its key with {key}.{hint}",
                self.code()
            ),
        )
    }
}

/// Reads the filing from what was shown: signed by a live key of who may ask, back to the founding, under its roster.
fn filing(shown: &Shown, roles: &Roles) -> std::result::Result<Filing, String> {
    let filed = shown.entry(roles.request)?;
    let Some(signed) = filed.signed() else {
        return Err("it is not signed".into());
    };
    let requester = signer(shown, roles, &filed, signed)?;
    let Kind::Request(request) = &signed.statement.kind else {
        return Err("it is no request".into());
    };
    let Purpose::Release(release) = &request.purpose else {
        return Err("it opens nothing".into());
    };
    let set = shown.entry(roles.roster)?;
    let roster = match set.event {
        Event::RosterSet(roster)
            if set.leaf == request.roster
                && roster.safe == request.safe
                && roster.new.epoch == release.epoch =>
        {
            roster
        }
        _ => return Err("its roster is another one".into()),
    };
    let target = match (release.sealed_as.target, roles.target) {
        (None, _) => None,
        (Some(target), Some(place)) => match shown.entry(place)?.event {
            Event::TargetSet(set)
                if set.target == target && set.credential == release.credential =>
            {
                Some((set.account, set.address))
            }
            _ => return Err("its target is another one".into()),
        },
        _ => return Err("its target is not shown".into()),
    };
    Ok(Filing {
        request: (**request).clone(),
        release: release.clone(),
        requester,
        bytes: signed.statement_bytes.clone(),
        leaf: filed.leaf,
        roster,
        target,
        ledger: signed.statement.ledger,
    })
}

fn signer(
    shown: &Shown,
    roles: &Roles,
    filed: &Entry,
    signed: &Signed,
) -> std::result::Result<UserId, String> {
    let about = [
        &roles.invited,
        &roles.enrolled,
        &roles.revoked,
        &roles.role_changes,
    ];
    let about: BTreeSet<u64> = about.into_iter().flatten().copied().collect();
    let mut people = People::new();
    let learn = |people: &mut People, seqs: &mut dyn Iterator<Item = &u64>| {
        for seq in seqs {
            let entry = shown.entry(*seq)?;
            let applied = people.apply(&shown.trust, &entry);
            applied.map_err(|e| format!("entry {seq}: {e}"))?;
        }
        Ok::<(), String>(())
    };
    learn(&mut people, &mut about.range(..filed.seq))?;
    let signer = people.check_signed(&shown.trust, filed, signed);
    let signer = signer.map_err(|e| e.to_string())?;
    learn(&mut people, &mut about.range(filed.seq..))?;
    let key = people.key(signed.authenticator);
    if key.is_none_or(|key| key.life.revoked_at.is_some()) {
        return Err("the key that signed it was revoked".into());
    }
    Ok(signer)
}

impl Filing {
    /// What it is called, and where: what the pages find it by.
    fn called(&self) -> String {
        let (account, address) = self.target.clone().unwrap_or_default();
        let (name, safe) = (&self.release.sealed_as.name, &self.roster.new.name);
        format!("{name} {safe} {account} {address}")
    }

    /// The ledger that it was signed for.
    pub(super) fn ledger(&self) -> Hash {
        self.ledger
    }

    /// What of an envelope is not what was signed.
    pub(super) fn fault_of(&self, envelope: &Envelope) -> Option<&'static str> {
        let (header, new) = (envelope.header(), &self.roster.new);
        let (request, release) = (&self.request, &self.release);
        let same = [
            (envelope.hash() == release.envelope, "hash"),
            (header.ledger == self.ledger, "ledger"),
            (header.safe == request.safe, "safe"),
            (header.roster == request.roster, "roster"),
            (header.epoch == release.epoch, "epoch"),
            (header.credential == release.credential, "credential"),
            (header.version == release.version, "version"),
            (header.sealed_as == release.sealed_as, "name"),
            (u64::from(header.m) == new.m, "threshold"),
            (usize::from(header.n) == new.approvers.len(), "roster"),
        ];
        same.iter().find(|(same, _)| !same).map(|(_, what)| *what)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reason_and_a_ticket_are_known_again_as_the_pages_file_them() {
        assert_eq!(
            digest(" Down.\r\nSince noon, cafe\u{301}. "),
            digest("Down.\nSince noon, caf\u{e9}.")
        );
        assert_ne!(digest("Down."), digest("Down"));
        assert_eq!(tidy(" INC-7  b "), "INC-7 b");
    }

    #[test]
    fn a_credential_is_meant_by_every_word_that_was_typed() {
        let called = "orders-primary superuser Production postgres db.internal:5432/orders";
        for typed in ["orders", "ORDERS production", "superuser db.internal", ""] {
            assert!(named(typed, called), "{typed}");
        }
        assert!(!named("orders staging", called));
    }
}
