//! The opening, in the terminal: everything that comes is checked against what was asked.

use quorum::Hash;
use quorum::entry::Event;
use quorum::ids::UserId;
use quorum::secret::{self, Envelope, OpenError, Plaintext};
use quorum::statement::{self, Decision, Kind, Statement};
use serde_json::{Value, json};

use super::filing::{Filing, hashes, proved};
use super::held::Held;
use super::known::Known;
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
    /// Checks what was filed against what was asked, opens, checks everything that came, and puts the secret together here.
    pub(super) async fn open(&self, remote: &Remote, known: &Known) -> Result<Opened> {
        let filing = self.filing(remote, known).await?;
        self.shares_hold(remote, &filing).await?;
        let got = remote
            .call(
                reqwest::Method::POST,
                &self.path("/open"),
                &Auth::Poll(&self.poll),
                Some(json!({ "from": known.size() })),
            )
            .await?;
        let text = |p: &str| {
            got.get(p)
                .and_then(Value::as_str)
                .unwrap_or_default()
                .to_owned()
        };
        let envelope = Envelope::parse(text("envelope").as_bytes()).map_err(wrong)?;
        if let Some(what) = filing.fault_of(&envelope) {
            return Err(wrong(format!("the sealed secret says another {what}")).into());
        }
        let leaf = self.opened(&got, known, &filing)?;
        let h = b64::decode(&text("h")).ok_or_else(|| wrong("h is missing"))?;
        let h = secret::open_delivered_h(&h, &self.key, &leaf, &envelope).map_err(wrong)?;
        let (shares, bad) = self.shares(&got, &filing, &envelope);
        if !bad.is_empty() {
            eprintln!(
                "The share of {} is not good. It is left out; tell a custodian.",
                named(&bad)
            );
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

    /// Checks what was re-sealed before the opening spends the request: where too few shares are good, nothing is opened, and whose
    /// are bad is said and entered.
    async fn shares_hold(&self, remote: &Remote, filing: &Filing) -> Result<()> {
        let call = |method, path: &str, body| {
            let path = self.path(path);
            async move {
                remote
                    .call(method, &path, &Auth::Poll(&self.poll), body)
                    .await
            }
        };
        let given = match call(reqwest::Method::GET, "/shares", None).await {
            Err(e) if e.is_conflict() => return Ok(()), // it is open already, or over: the opening says which
            given => given?,
        };
        let envelope = given.get("envelope").and_then(Value::as_str);
        let envelope = Envelope::parse(envelope.unwrap_or_default().as_bytes()).map_err(wrong)?;
        if let Some(what) = filing.fault_of(&envelope) {
            return Err(wrong(format!("the sealed secret says another {what}")).into());
        }
        let (good, bad) = self.shares(&given, filing, &envelope);
        if good.len() >= usize::from(envelope.header().m) {
            return Ok(());
        }
        for sent in &bad {
            let body = json!({ "approver": sent.get("approver") });
            call(reqwest::Method::POST, "/shares/refused", Some(body)).await?;
        }
        let why = match bad.is_empty() {
            true => "Fewer shares came than are needed.".to_owned(),
            false => format!(
                "The share of {} is not the one that was sealed; it is in the ledger.",
                named(&bad)
            ),
        };
        let next = format!(
            "Let another approver sign {}, then ask here again. And tell a custodian.",
            self.code()
        );
        Err(Error::conflict("Nothing was opened.", why, next).into())
    }

    /// The good ones of the re-sealed shares that came, and the others as they came.
    fn shares<'a>(
        &self,
        given: &'a Value,
        filing: &Filing,
        envelope: &Envelope,
    ) -> (Vec<secret::Share>, Vec<&'a Value>) {
        let mut good: Vec<(UserId, secret::Share)> = Vec::new();
        let mut bad = Vec::new();
        let sent = given.get("shares").and_then(Value::as_array);
        for sent in sent.into_iter().flatten() {
            match self.share(sent, filing, envelope) {
                Some((by, share)) if good.iter().all(|(b, s)| *b != by && s.x() != share.x()) => {
                    good.push((by, share));
                }
                _ => bad.push(sent),
            }
        }
        (good.into_iter().map(|(_, share)| share).collect(), bad)
    }

    /// The opening is in the known ledger, under a checkpoint that goes on from what was seen, and opens what was filed; gives
    /// its leaf.
    fn opened(&self, got: &Value, known: &Known, filing: &Filing) -> Result<Hash> {
        let (entry, founding) = proved(got)
            .zip(got.get("founding").and_then(proved))
            .ok_or_else(|| wrong("the opening came without its proof"))?;
        let note = got.get("checkpoint").and_then(Value::as_str);
        let consistency = got.get("consistency").and_then(hashes);
        let trust = known.trust(
            note.unwrap_or_default(),
            &founding,
            &consistency.unwrap_or_default(),
        )?;
        let entry = trust.entry(&entry).map_err(wrong)?;
        let (request, release) = (&filing.request, &filing.release);
        match &entry.event {
            Event::ReleaseOpened(o)
                if o.request == self.request
                    && o.requester == filing.requester
                    && o.safe == request.safe
                    && o.roster == request.roster
                    && o.epoch == release.epoch
                    && o.credential == release.credential
                    && o.version == release.version
                    && o.envelope == release.envelope =>
            {
                Ok(entry.leaf)
            }
            _ => Err(wrong("the ledger has another opening").into()),
        }
    }

    /// One re-sealed share, and whose it is: handed over with an approval of this very filing.
    fn share(
        &self,
        sent: &Value,
        filing: &Filing,
        envelope: &Envelope,
    ) -> Option<(UserId, secret::Share)> {
        let text = |p: &str| sent.get(p).and_then(Value::as_str);
        let approval = text("statement")?.as_bytes();
        let x = u8::try_from(sent.get("x")?.as_u64()?).ok()?;
        let statement = Statement::parse(approval).ok()?;
        let by = statement.signer?;
        let good = match statement.kind {
            Kind::Approval(a) => {
                a.decision == Decision::Approve
                    && a.entry == filing.leaf
                    && quorum::json::encode(&a.subject) == filing.bytes
            }
            _ => false,
        };
        if !good || statement.ledger != filing.ledger() || by.to_string() != text("approver")? {
            return None;
        }
        let sealed = b64::decode(text("sealed")?)?;
        let challenge = statement::challenge(approval);
        let share = secret::open_delivered_share(&sealed, x, &self.key, &challenge, envelope);
        Some((by, share.ok()?))
    }
}

/// Whose shares these are.
fn named(sent: &[&Value]) -> String {
    let name = |s: &&Value| plain(s.get("name").and_then(Value::as_str).unwrap_or_default());
    sent.iter().map(name).collect::<Vec<_>>().join(", ")
}

fn wrong(why: impl std::fmt::Display) -> Error {
    Error::Tampered(Words::new(
        "Not opened.",
        format!("What the server gave does not fit: {why}."),
        "Check in, and call a custodian.",
    ))
}
