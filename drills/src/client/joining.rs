//! Joining, and adding a further key: register, prove the share key, enrol.

use quorum::Hash;
use quorum::entry::Registration;
use quorum::ids::{AuthenticatorId, UserId};
use quorum::secret::{
    Envelope, PrfOutput, ShareEnvelope, ShareKey, enrol_box, open_share, seal_to_own,
};
use quorum::statement::{Enrol, Kind, Statement};
use serde::Deserialize;
use serde_json::{Value, json};

use super::people::{Held, Invitation, Person, nonce, pre};
use super::wire::{self, b64, from_b64};
use super::{Answer, By, Client, Error, Result, Signed, Token, fresh_id, random, unproved};
use crate::key::{Created, KeyError, SoftwareKey};

/// A registration that was begun: what the server gave for it.
pub struct Registering {
    /// The nonce that the `register` statement must carry.
    pub nonce: [u8; 32],
    /// Whose key it will be.
    pub user: UserId,
    /// The invited name.
    pub name: String,
    /// The invitation, for a first key.
    pub invitation: Option<Invitation>,
    /// Credential ids that are enrolled already.
    pub exclude: Vec<Vec<u8>>,
    /// The pre-session.
    pub pre: Token,
}

/// A registration that the key has answered.
pub struct Registered {
    /// The `register` statement.
    pub register: String,
    /// What `create()` gave.
    pub registration: Registration,
    /// The share key, where the key has the PRF.
    pub share_key: Option<[u8; 32]>,
}

#[derive(Deserialize)]
struct SentStart {
    #[serde(deserialize_with = "wire::bytes")]
    nonce: Vec<u8>,
    #[serde(deserialize_with = "wire::text")]
    user: UserId,
    name: String,
    #[serde(deserialize_with = "wire::text")]
    ledger: Hash,
    #[serde(default)]
    exclude: Vec<String>,
}

#[derive(Deserialize)]
struct SentBox {
    #[serde(rename = "box", deserialize_with = "wire::bytes")]
    sealed: Vec<u8>,
}

#[derive(Deserialize)]
struct OwnShare {
    credential: String,
    version: u64,
    #[serde(deserialize_with = "wire::text")]
    authenticator: AuthenticatorId,
    x: u8,
    #[serde(deserialize_with = "wire::bytes")]
    sealed: Vec<u8>,
    envelope: String,
}

impl Client {
    /// Accepts an invitation with a fresh key: register, prove the share key, enrol. Signs the person in.
    ///
    /// # Errors
    /// Any step's.
    pub async fn join(&self, invitation: Invitation, key: SoftwareKey) -> Result<Person> {
        let begun = self.join_start(invitation).await?;
        self.join_with(begun, key).await
    }

    /// The first step of joining.
    ///
    /// # Errors
    /// A refusal.
    pub async fn join_start(&self, invitation: Invitation) -> Result<Registering> {
        let body = json!({ "invitation": invitation.expose().as_str() });
        let answer = self.post("/join/start", By::nobody(), &body).await?;
        self.begun(answer, Some(invitation))
    }

    /// The other steps of joining.
    ///
    /// # Errors
    /// Any step's.
    pub async fn join_with(&self, begun: Registering, mut key: SoftwareKey) -> Result<Person> {
        let made = self.register(&begun, &mut key)?;
        let enrolled = self
            .enrol(By::nobody(), "/join", &begun, &made, &key)
            .await?;
        let body = self.finish_body(&begun, &made, &enrolled);
        let by = By {
            pre: Some(&begun.pre),
            ..By::nobody()
        };
        let answer = self.post("/join/finish", by, &body).await?;
        let software = software_of(&answer.body);
        let session = answer.session;
        Ok(Person {
            user: begun.user,
            name: begun.name,
            keys: vec![Held {
                authenticator: enrolled.authenticator,
                software,
                key,
            }],
            session,
            pinned: None,
        })
    }

    /// Adds a further key of one's own, admitted by key number `by_key`. Gives its place.
    ///
    /// # Errors
    /// Any step's.
    pub async fn add_key(
        &self,
        person: &mut Person,
        by_key: usize,
        mut key: SoftwareKey,
    ) -> Result<usize> {
        let begun = self.key_start(person).await?;
        let made = self.register(&begun, &mut key)?;
        let enrolled = self
            .enrol(person.by(), "/you/keys", &begun, &made, &key)
            .await?;
        let old = person.key(by_key)?;
        let admission = self.touch_bytes(&old.key, enrolled.signed.statement.as_bytes())?;
        let mut body = self.finish_body(&begun, &made, &enrolled);
        if let Some(members) = body.as_object_mut() {
            members.insert(
                "admission".into(),
                json!({
                    "credential_id": b64(&admission.credential_id),
                    "assertion": wire::assertion(&admission.assertion),
                }),
            );
        }
        let by = By {
            pre: Some(&begun.pre),
            ..person.by()
        };
        let answer = self.post("/you/keys/finish", by, &body).await?;
        if let (Some(prf), Some(share_key)) = (&admission.prf, &made.share_key) {
            let old = self.share_key_of(person.user, &person.key(by_key)?.key, prf)?;
            self.seal_to_own(person, by_key, &old, enrolled.authenticator, share_key)
                .await?;
        }
        let software = software_of(&answer.body);
        person.keys.push(Held {
            authenticator: enrolled.authenticator,
            software,
            key,
        });
        Ok(person.keys.len() - 1)
    }

    /// Opens every share that key `by_key` holds and seals it to a further key.
    async fn seal_to_own(
        &self,
        person: &Person,
        by_key: usize,
        old: &ShareKey,
        to: AuthenticatorId,
        share_key: &[u8; 32],
    ) -> Result<()> {
        #[derive(Deserialize)]
        struct Sent {
            shares: Vec<OwnShare>,
        }
        let sent: Sent = self.get("/you/shares", person.by()).await?.read()?;
        let held = person.key(by_key)?.authenticator;
        let mut sealed = Vec::new();
        for own in sent.shares.into_iter().filter(|s| s.authenticator == held) {
            let envelope = Envelope::parse(own.envelope.as_bytes()).map_err(unproved)?;
            let theirs = ShareEnvelope {
                approver: person.user,
                authenticator: held,
                x: own.x,
                sealed: own.sealed,
            };
            let share = open_share(&theirs, old, &envelope)?;
            let again = seal_to_own(&share, person.user, to, share_key)?;
            sealed.push(json!({
                "credential": own.credential, "version": own.version, "sealed": b64(&again.sealed),
            }));
        }
        for some in sealed.chunks(100) {
            let path = format!("/you/keys/{to}/shares");
            self.post(&path, person.by(), &json!({ "shares": some }))
                .await?;
        }
        Ok(())
    }

    /// The first step of adding a key.
    ///
    /// # Errors
    /// A refusal.
    pub async fn key_start(&self, person: &Person) -> Result<Registering> {
        let answer = self
            .post("/you/keys/start", person.by(), &json!({}))
            .await?;
        self.begun(answer, None)
    }

    fn begun(&self, answer: Answer, invitation: Option<Invitation>) -> Result<Registering> {
        let token = answer.pre;
        let sent: SentStart =
            serde_json::from_value(answer.body).map_err(|e| Error::Answer(e.to_string()))?;
        if sent.ledger != self.ledger() {
            return Err(unproved("the registration is for another ledger"));
        }
        Ok(Registering {
            nonce: nonce(&sent.nonce)?,
            user: sent.user,
            name: sent.name,
            invitation,
            exclude: sent
                .exclude
                .iter()
                .map(|id| from_b64(id))
                .collect::<Result<_>>()?,
            pre: pre(token)?,
        })
    }

    /// `create()` over the `register` statement, and a further touch where it gave no PRF result.
    ///
    /// # Errors
    /// [`Error::Key`]; a key that is enrolled already.
    pub fn register(&self, begun: &Registering, key: &mut SoftwareKey) -> Result<Registered> {
        if begun.exclude.iter().any(|id| id == key.credential_id()) {
            return Err(Error::Key(KeyError::Occupied));
        }
        let register = Statement {
            ledger: self.ledger(),
            nonce: begun.nonce,
            signer: None,
            kind: Kind::Register {
                invitation: begun.invitation.as_ref().map(Invitation::hash),
                user: begun.user,
            },
        };
        let Created { registration, prf } = key.create(
            &register.challenge(),
            self.origin(),
            &self.about.rp_id,
            begun.user.as_bytes(),
        )?;
        let prf = match prf {
            Some(prf) => Some(prf),
            // This assertion goes nowhere: it is made for the PRF alone, so its nonce is our own.
            None => {
                let prove = Statement {
                    ledger: self.ledger(),
                    nonce: random()?,
                    signer: None,
                    kind: Kind::Prove { user: begun.user },
                };
                self.touch(key, &prove)?.prf
            }
        };
        let share_key = match prf {
            Some(prf) => Some(self.share_key_of(begun.user, key, &prf)?.public()?),
            None => None,
        };
        Ok(Registered {
            register: String::from_utf8(register.bytes()).map_err(unproved)?,
            registration,
            share_key,
        })
    }

    fn share_key_of(&self, user: UserId, key: &SoftwareKey, prf: &PrfOutput) -> Result<ShareKey> {
        let ledger = self.ledger();
        Ok(ShareKey::from_prf(prf, key.credential_id(), &ledger, user)?)
    }

    /// The box for the share key, and the `enrol` touch that opens it.
    async fn enrol(
        &self,
        by: By<'_>,
        path: &str,
        begun: &Registering,
        made: &Registered,
        key: &SoftwareKey,
    ) -> Result<Enrolled> {
        let by = By {
            pre: Some(&begun.pre),
            ..by
        };
        let sealed = match &made.share_key {
            Some(share_key) => {
                let body = json!({ "share_key": b64(share_key) });
                let sent: SentBox = self.post(&format!("{path}/box"), by, &body).await?.read()?;
                Some(sent.sealed)
            }
            None => None,
        };
        let authenticator = AuthenticatorId::from_uuid_bytes(fresh_id());
        let enrol = Enrol {
            aaguid: key.aaguid(),
            authenticator,
            credential_id: key.credential_id().to_vec(),
            invitation: begun.invitation.as_ref().map(Invitation::hash),
            name: begun.name.clone(),
            public_key: key.public_key()?,
            registration_sha256: made.registration.hash(),
            share_key: made.share_key,
            user: begun.user,
        };
        let statement = self.statement(begun.user, Kind::Enrol(enrol))?;
        let signed = self.touch(key, &statement)?;
        let opened = match (sealed, &signed.prf) {
            (Some(sealed), Some(prf)) => {
                let share_key = self.share_key_of(begun.user, key, prf)?;
                let opened = enrol_box::open(&share_key, &self.ledger(), begun.user, &sealed)?;
                Some(opened)
            }
            _ => None,
        };
        Ok(Enrolled {
            authenticator,
            signed,
            opened,
        })
    }

    fn finish_body(&self, begun: &Registering, made: &Registered, enrolled: &Enrolled) -> Value {
        let mut body = json!({
            "register": made.register,
            "registration": {
                "attestation_object": b64(&made.registration.attestation_object),
                "client_data_json": b64(&made.registration.client_data_json),
            },
            "signed": enrolled.signed.json(),
        });
        if let Some(members) = body.as_object_mut() {
            if let Some(invitation) = &begun.invitation {
                members.insert("invitation".into(), json!(invitation.expose().as_str()));
            }
            if let Some(opened) = &enrolled.opened {
                members.insert("box".into(), json!(b64(opened.expose())));
            }
        }
        body
    }
}

struct Enrolled {
    authenticator: AuthenticatorId,
    signed: Signed,
    opened: Option<enrol_box::Opened>,
}

fn software_of(body: &Value) -> bool {
    body.get("software")
        .and_then(Value::as_bool)
        .unwrap_or(true)
}
