//! Requests: filing, watching, deciding.

use quorum::Hash;
use quorum::ids::{RequestId, SafeId, UserId};
use quorum::secret::{self, ShareEnvelope};
use quorum::statement::{Acceptance, Approval, Decision, Kind, Purpose, Request};
use serde::Deserialize;
use serde_json::{Value, json};

use super::evidence::Evidence;
use super::wire::{self, b64};
use super::{By, Client, Person, Result, Signed, fresh_id, now_us, random, unproved};

/// What somebody is about to ask for.
#[derive(Clone, Debug)]
pub struct Asking {
    /// The safe.
    pub safe: SafeId,
    /// The roster that decides; zeros for a new safe.
    pub roster: Hash,
    /// What for.
    pub purpose: Purpose,
    /// Why, 1 to 500 characters.
    pub reason: String,
    /// An incident's number.
    pub ticket: Option<String>,
    /// Seconds from now in which approvals count.
    pub life_s: u64,
}

/// A request that was filed.
#[derive(Clone, Debug)]
pub struct Filed {
    /// Its id.
    pub request: RequestId,
    /// The code that is read out over the telephone.
    pub code: String,
    /// The safe.
    pub safe: SafeId,
    /// Seq of its entry.
    pub seq: u64,
    /// Leaf of its entry.
    pub leaf: Hash,
    /// What was asked.
    pub asked: Request,
}

/// A request as people watch it.
#[derive(Clone, Debug, Deserialize)]
pub struct Live {
    /// Id.
    #[serde(deserialize_with = "wire::text")]
    pub request: RequestId,
    /// Code.
    pub code: String,
    /// `waiting`, `reached`, `open`, `closed`, `ended`, `refused` or `done`.
    pub state: String,
    /// Signatures needed.
    pub needed: u32,
    /// Who has signed.
    pub signed: Vec<Signer>,
    /// Who denied.
    pub denied: Vec<Signer>,
    /// Everybody who could sign.
    #[serde(default)]
    pub asked: Vec<Signer>,
    /// Enough have signed.
    pub reached: bool,
    /// No signature counts from here on.
    pub expires: i64,
    /// May be opened before this.
    #[serde(default)]
    pub open_until: Option<i64>,
    /// When it was opened.
    #[serde(default)]
    pub opened: Option<i64>,
    /// When the opening ends.
    #[serde(default)]
    pub ends: Option<i64>,
    /// Why it ended or closed.
    #[serde(default)]
    pub why: Option<String>,
}

/// One person in that picture.
#[derive(Clone, Debug, Deserialize)]
pub struct Signer {
    /// Id.
    #[serde(deserialize_with = "wire::text")]
    pub user: UserId,
    /// Name.
    pub name: String,
    /// `signed`, `denied`, `reading`, `asked` or `cannot`.
    #[serde(default)]
    pub state: String,
}

impl Client {
    /// Files a request, signed with key number `key`. `poll`: the hash of a terminal's secret.
    ///
    /// # Errors
    /// A refusal.
    pub async fn file(
        &self,
        person: &Person,
        key: usize,
        asking: &Asking,
        poll: Option<Hash>,
    ) -> Result<Filed> {
        let salt: [u8; 32] = random()?;
        let asked = self.request(person, asking, &salt);
        let signed = self.sign(person, key, Kind::Request(Box::new(asked.clone())))?;
        self.file_signed(person.by(), asked, &signed, &asking.reason, &salt, poll)
            .await
    }

    /// The request that [`Client::file`] signs.
    #[must_use]
    pub fn request(&self, person: &Person, asking: &Asking, salt: &[u8; 32]) -> Request {
        let life = i64::try_from(asking.life_s).unwrap_or(i64::MAX / 2_000_000);
        Request {
            expires: now_us().saturating_add(life.saturating_mul(1_000_000)),
            reason_commitment: quorum::labelled("reason", &[salt, asking.reason.as_bytes()]),
            request: RequestId::from_uuid_bytes(fresh_id()),
            requester_name: person.name.clone(),
            roster: asking.roster,
            safe: asking.safe,
            ticket: asking.ticket.clone(),
            purpose: asking.purpose.clone(),
        }
    }

    /// Sends a request that was signed before.
    ///
    /// # Errors
    /// A refusal.
    pub async fn file_signed(
        &self,
        by: By<'_>,
        asked: Request,
        signed: &Signed,
        reason: &str,
        salt: &[u8; 32],
        poll: Option<Hash>,
    ) -> Result<Filed> {
        #[derive(Deserialize)]
        struct Sent {
            #[serde(deserialize_with = "wire::text")]
            request: RequestId,
            code: String,
            seq: u64,
            #[serde(deserialize_with = "wire::text")]
            leaf: Hash,
        }
        let mut body = json!({ "signed": signed.json(), "reason": reason, "salt": b64(salt) });
        if let (Some(poll), Some(members)) = (poll, body.as_object_mut()) {
            members.insert("poll".into(), json!(poll.to_string()));
        }
        let sent: Sent = self.post("/requests", by, &body).await?.read()?;
        if sent.request != asked.request {
            return Err(unproved("another request was filed"));
        }
        Ok(Filed {
            request: sent.request,
            code: sent.code,
            safe: asked.safe,
            seq: sent.seq,
            leaf: sent.leaf,
            asked,
        })
    }

    /// A request, now.
    ///
    /// # Errors
    /// A refusal.
    pub async fn live(&self, by: By<'_>, request: RequestId) -> Result<Live> {
        self.get(&format!("/requests/{request}"), by).await?.read()
    }

    /// Everything that was asked lately.
    ///
    /// # Errors
    /// A refusal.
    pub async fn requests(&self, person: &Person) -> Result<Vec<Live>> {
        #[derive(Deserialize)]
        struct Sent {
            requests: Vec<Live>,
        }
        let sent: Sent = self.get("/requests", person.by()).await?.read()?;
        Ok(sent.requests)
    }

    /// What an approver's page checks before it asks for a touch, checked.
    ///
    /// # Errors
    /// A refusal; [`super::Error::Unproved`] for the first thing that does not hold.
    pub async fn evidence(&self, person: &mut Person, request: RequestId) -> Result<Evidence> {
        let from = person.pinned.map_or(0, |pinned| pinned.size);
        let path = format!("/requests/{request}/evidence?from={from}");
        let sent = self.get(&path, person.by()).await?.body;
        let evidence = Evidence::check(sent, self.ledger(), person.pinned.as_ref(), now_us())?;
        if evidence.asked.request != request {
            return Err(unproved("the evidence is of another request"));
        }
        person.pinned = Some(evidence.trust.anchor());
        Ok(evidence)
    }

    /// Says yes: checks the evidence, signs, opens one's share, re-seals it to the requester, sends both.
    ///
    /// # Errors
    /// Any step's.
    pub async fn approve(
        &self,
        person: &mut Person,
        key: usize,
        request: RequestId,
    ) -> Result<Live> {
        let evidence = self.evidence(person, request).await?;
        let signed = self.decision(person, key, &evidence, Decision::Approve)?;
        let share = self.reseal(person, key, &evidence, &signed)?;
        self.send_decision(person, request, &signed, share).await
    }

    /// Says no. Asks the key for nothing but its signature.
    ///
    /// # Errors
    /// Any step's.
    pub async fn deny(&self, person: &mut Person, key: usize, request: RequestId) -> Result<Live> {
        let evidence = self.evidence(person, request).await?;
        let signed = self.decision(person, key, &evidence, Decision::Deny)?;
        self.send_decision(person, request, &signed, None).await
    }

    /// The signed answer to what the evidence shows.
    ///
    /// # Errors
    /// [`super::Error::Key`].
    pub fn decision(
        &self,
        person: &Person,
        key: usize,
        evidence: &Evidence,
        decision: Decision,
    ) -> Result<Signed> {
        let approval = Approval {
            decision,
            entry: evidence.leaf,
            subject: evidence.subject.clone(),
        };
        self.sign(person, key, Kind::Approval(approval))
    }

    /// One's share, opened with what the touch of `signed` gave, checked and sealed again to the requester. `None` where
    /// the purpose takes no share.
    ///
    /// # Errors
    /// The key holds no share; the share is not the one committed to.
    pub fn reseal(
        &self,
        person: &Person,
        key: usize,
        evidence: &Evidence,
        signed: &Signed,
    ) -> Result<Option<(u8, Vec<u8>)>> {
        let (Purpose::Release(release), Some(envelope)) =
            (&evidence.asked.purpose, &evidence.envelope)
        else {
            return Ok(None);
        };
        let held = person.key(key)?;
        let prf = signed
            .prf
            .as_ref()
            .ok_or_else(|| unproved("this key has no PRF, so it opens no share"))?;
        let mine = evidence
            .shares
            .iter()
            .find(|share| share.authenticator == held.authenticator)
            .ok_or_else(|| unproved("no share is sealed to this key"))?;
        let share_key = person.share_key(&held.key, prf, &self.ledger())?;
        let sealed = ShareEnvelope {
            approver: person.user,
            authenticator: held.authenticator,
            x: mine.x,
            sealed: mine.sealed.clone(),
        };
        let share = secret::open_share(&sealed, &share_key, envelope)?;
        let again = secret::reseal_share(&share, &release.delivery_key, &signed.challenge())?;
        Ok(Some((mine.x, again)))
    }

    /// Sends a decision, with the re-sealed share where there is one.
    ///
    /// # Errors
    /// A refusal.
    pub async fn send_decision(
        &self,
        person: &Person,
        request: RequestId,
        signed: &Signed,
        share: Option<(u8, Vec<u8>)>,
    ) -> Result<Live> {
        let mut body = json!({ "signed": signed.json() });
        if let (Some((x, sealed)), Some(members)) = (share, body.as_object_mut()) {
            members.insert("share".into(), json!({ "x": x, "sealed": b64(&sealed) }));
        }
        let path = format!("/requests/{request}/decisions");
        self.post(&path, person.by(), &body).await?.read()
    }

    /// Key number `key` agrees to be on the roster that a request proposes.
    ///
    /// # Errors
    /// Any step's.
    pub async fn accept(
        &self,
        person: &mut Person,
        key: usize,
        request: RequestId,
    ) -> Result<Live> {
        let evidence = self.evidence(person, request).await?;
        let acceptance = Acceptance {
            authenticator: person.key(key)?.authenticator,
            entry: evidence.leaf,
            subject: evidence.subject,
        };
        let signed = self.sign(person, key, Kind::Acceptance(acceptance))?;
        let body = json!({ "signed": signed.json() });
        let path = format!("/requests/{request}/acceptances");
        self.post(&path, person.by(), &body).await?.read()
    }

    /// The requester takes it back.
    ///
    /// # Errors
    /// A refusal.
    pub async fn withdraw(&self, by: By<'_>, request: RequestId) -> Result<Live> {
        self.act(by, request, "withdraw").await?.read()
    }

    /// The requester gives the release back early.
    ///
    /// # Errors
    /// A refusal.
    pub async fn check_in(&self, by: By<'_>, request: RequestId) -> Result<Live> {
        self.act(by, request, "check-in").await?.read()
    }

    pub(super) async fn act(
        &self,
        by: By<'_>,
        request: RequestId,
        what: &str,
    ) -> Result<super::Answer> {
        let body: Value = json!({});
        self.post(&format!("/requests/{request}/{what}"), by, &body)
            .await
    }
}
