//! The opening, in the terminal: everything that comes is checked against what was asked.

use quorum::Hash;
use quorum::entry::Event;
use quorum::evidence::{Proved, Trust};
use quorum::secret::{self, Envelope, OpenError, Plaintext};
use quorum::statement::{self, Decision, Kind, Purpose, ReleasePurpose, Statement};
use serde_json::{Value, json};

use super::held::Held;
use super::refusal::{Result, plain};
use super::remote::{Auth, Remote};
use crate::b64;
use crate::error::{Error, Words};

/// What an opening gives.
pub(super) struct Opened {
    pub(super) plaintext: Plaintext,
    /// Seq of the `release.opened`.
    pub(super) entry: u64,
    /// Microseconds since 1970.
    pub(super) ends: i64,
}

impl Held {
    /// Opens, checks everything that came against what was asked, and puts the secret together here.
    pub(super) async fn open(&self, remote: &Remote, live: &Value) -> Result<Opened> {
        let asked = live
            .get("statement")
            .and_then(Value::as_str)
            .unwrap_or_default()
            .as_bytes()
            .to_vec();
        let statement = Statement::parse(&asked).map_err(wrong)?;
        let release = match statement.kind {
            Kind::Request(r) if r.request == self.request => match r.purpose {
                Purpose::Release(release) => release,
                _ => return Err(wrong("the request is for something else").into()),
            },
            _ => return Err(wrong("the request is another one").into()),
        };
        if release.delivery_key != self.key.public().map_err(Error::internal)? {
            return Err(wrong("the request names another terminal's key").into());
        }
        let got = remote
            .call(
                reqwest::Method::POST,
                &self.path("/open"),
                &Auth::Poll(&self.poll),
                Some(json!({})),
            )
            .await?;
        let text = |p: &str| {
            got.get(p)
                .and_then(Value::as_str)
                .unwrap_or_default()
                .to_owned()
        };
        let envelope = Envelope::parse(text("envelope").as_bytes()).map_err(wrong)?;
        if envelope.hash() != release.envelope {
            return Err(wrong("the envelope is not the one that was approved").into());
        }
        let leaf = self.opened(&got, statement.ledger, &release)?;
        let h = b64::decode(&text("h")).ok_or_else(|| wrong("h is missing"))?;
        let h = secret::open_delivered_h(&h, &self.key, &leaf, &envelope).map_err(wrong)?;
        let mut shares = Vec::new();
        for sent in got
            .get("shares")
            .and_then(Value::as_array)
            .into_iter()
            .flatten()
        {
            if let Some(share) = self.share(sent, &asked, &envelope) {
                shares.push(share);
            }
        }
        let plaintext = secret::combine(&envelope, &shares, &h).map_err(|e| match e {
            OpenError::WrongShare { x } => wrong(format!(
                "the share of place {x} is not the one that was sealed"
            )),
            other => wrong(other),
        })?;
        let number = |name: &str| got.get(name).and_then(Value::as_i64).unwrap_or_default();
        let ends = number("ends");
        self.see(&json!({ "state": "open", "ends": ends }));
        Ok(Opened {
            plaintext,
            entry: u64::try_from(number("seq")).unwrap_or_default(),
            ends,
        })
    }

    /// The opening is in the ledger that the request was signed for, under a signed checkpoint, and opens what was asked
    /// for; gives its leaf.
    fn opened(&self, got: &Value, ledger: Hash, release: &ReleasePurpose) -> Result<Hash> {
        let proved = |at: &Value| {
            let hashes = at.get("proof")?.as_array()?.iter();
            Some(Proved {
                seq: at.get("seq")?.as_u64()?,
                entry: at.get("entry")?.as_str()?.as_bytes().to_vec(),
                proof: hashes
                    .map(|h| h.as_str()?.parse().ok())
                    .collect::<Option<_>>()?,
            })
        };
        let (entry, founding) = proved(got)
            .zip(got.get("founding").and_then(proved))
            .ok_or_else(|| wrong("the opening came without its proof"))?;
        let note = got.get("checkpoint").and_then(Value::as_str);
        let trust =
            Trust::check(note.unwrap_or_default(), &founding, ledger, None, &[]).map_err(wrong)?;
        let entry = trust.entry(&entry).map_err(wrong)?;
        match &entry.event {
            Event::ReleaseOpened(o)
                if o.request == self.request
                    && o.credential == release.credential
                    && o.version == release.version
                    && o.envelope == release.envelope =>
            {
                Ok(entry.leaf)
            }
            _ => Err(wrong("the ledger has another opening").into()),
        }
    }

    /// One re-sealed share; a bad one is named and left out.
    fn share(&self, sent: &Value, asked: &[u8], envelope: &Envelope) -> Option<secret::Share> {
        let text = |p: &str| {
            sent.get(p)
                .and_then(Value::as_str)
                .unwrap_or_default()
                .to_owned()
        };
        let approval = text("statement");
        let x = sent
            .get("x")
            .and_then(Value::as_u64)
            .and_then(|x| u8::try_from(x).ok())?;
        let good = match Statement::parse(approval.as_bytes()).ok()?.kind {
            Kind::Approval(a) => {
                a.decision == Decision::Approve && quorum::json::encode(&a.subject) == asked
            }
            _ => false,
        };
        let opened = good
            .then(|| {
                secret::open_delivered_share(
                    &b64::decode(&text("sealed"))?,
                    x,
                    &self.key,
                    &statement::challenge(approval.as_bytes()),
                    envelope,
                )
                .ok()
            })
            .flatten();
        if opened.is_none() {
            eprintln!(
                "The share of {} is not good. It is left out; tell a custodian.",
                plain(&text("name"))
            );
        }
        opened
    }
}

fn wrong(why: impl std::fmt::Display) -> Error {
    Error::Tampered(Words::new(
        "Not opened.",
        format!("What the server gave does not fit: {why}."),
        "Check in, and call a custodian.",
    ))
}
