//! People: signing in, inviting, roles, and what becomes of keys.

use quorum::Hash;
use quorum::evidence::Anchor;
use quorum::ids::{AuthenticatorId, UserId};
use quorum::secret::{PrfOutput, ShareKey};
use quorum::statement::{Invite, KeyAct, Kind, Role, Roles, Statement};
use serde::Deserialize;
use serde_json::json;
use zeroize::Zeroizing;

use super::wire::{self, b64, from_b64};
use super::{By, Client, Error, Result, Token, fresh_id, now_us, random};
use crate::key::SoftwareKey;

/// A key that was enrolled.
pub struct Held {
    /// Its id in the ledger.
    pub authenticator: AuthenticatorId,
    /// Whether Vitrine takes it for a software key.
    pub software: bool,
    /// The key itself.
    pub key: SoftwareKey,
}

/// Somebody with keys, and what their device remembers.
pub struct Person {
    /// Id.
    pub user: UserId,
    /// The invited name.
    pub name: String,
    /// Keys in the order they were enrolled; calls name them by their place.
    pub keys: Vec<Held>,
    /// The session, while signed in.
    pub session: Option<Token>,
    /// The newest tree that their device has seen.
    pub pinned: Option<Anchor>,
}

impl Person {
    /// Their key of that place.
    ///
    /// # Errors
    /// There is none.
    pub fn key(&self, place: usize) -> Result<&Held> {
        let found = self.keys.get(place);
        found.ok_or_else(|| Error::Unproved(format!("{} has no key {place}", self.name)))
    }

    /// On their behalf.
    #[must_use]
    pub fn by(&self) -> By<'_> {
        By {
            session: self.session.as_ref(),
            ..By::default()
        }
    }

    /// The key of that place that gives their share key.
    pub(super) fn share_key(
        &self,
        key: &SoftwareKey,
        prf: &PrfOutput,
        ledger: &Hash,
    ) -> Result<ShareKey> {
        Ok(ShareKey::from_prf(
            prf,
            key.credential_id(),
            ledger,
            self.user,
        )?)
    }
}

/// An invitation's token: shown once to the custodian who made it, and carried to the person.
pub struct Invitation {
    token: Zeroizing<Vec<u8>>,
}

impl Invitation {
    /// From its text: the token, or a link that ends in `#<token>`.
    ///
    /// # Errors
    /// Not 32 bytes of base64url.
    pub fn parse(text: &str) -> Result<Self> {
        let text = text.trim();
        let token = text.rsplit_once('#').map_or(text, |(_, token)| token);
        let token = Zeroizing::new(from_b64(token)?);
        if token.len() == 32 {
            Ok(Self { token })
        } else {
            Err(Error::Answer("an invitation has 32 bytes".into()))
        }
    }

    /// What the ledger knows of it.
    #[must_use]
    pub fn hash(&self) -> Hash {
        quorum::labelled("invitation", &[&self.token])
    }

    /// Its text, to be carried to the person.
    #[must_use]
    pub fn expose(&self) -> Zeroizing<String> {
        Zeroizing::new(b64(&self.token))
    }
}

#[derive(Deserialize)]
struct SentNonce {
    #[serde(deserialize_with = "wire::bytes")]
    nonce: Vec<u8>,
}

/// A person as the service shows them.
#[derive(Clone, Debug, Deserialize)]
pub struct PersonShown {
    /// Id.
    #[serde(deserialize_with = "wire::text")]
    pub user: UserId,
    /// The invited name.
    pub name: String,
    /// Roles.
    #[serde(deserialize_with = "wire::texts")]
    pub roles: Vec<Role>,
    /// Keys.
    #[serde(default)]
    pub keys: Vec<KeyShown>,
}

/// A key as the service shows it.
#[derive(Clone, Debug, Deserialize)]
pub struct KeyShown {
    /// Id.
    #[serde(deserialize_with = "wire::text")]
    pub authenticator: AuthenticatorId,
    /// Not proved to be hardware.
    pub software: bool,
    /// Whether it can hold shares.
    pub share: bool,
    /// Whether it signs now.
    pub live: bool,
}

pub(super) fn nonce(bytes: &[u8]) -> Result<[u8; 32]> {
    bytes
        .try_into()
        .map_err(|_| Error::Answer("a nonce has 32 bytes".into()))
}

pub(super) fn pre(token: Option<Token>) -> Result<Token> {
    token.ok_or_else(|| Error::Answer("no pre-session was set".into()))
}

impl Client {
    /// Signs in with key number `key`, without a user name.
    ///
    /// # Errors
    /// A refusal; [`Error::Key`].
    pub async fn login(&self, person: &mut Person, key: usize) -> Result<()> {
        let held = person.key(key)?;
        let answer = self.post("/login/start", By::nobody(), &json!({})).await?;
        let token = answer.pre;
        let sent: SentNonce =
            serde_json::from_value(answer.body).map_err(|e| Error::Answer(e.to_string()))?;
        let statement = Statement {
            ledger: self.ledger(),
            nonce: nonce(&sent.nonce)?,
            signer: None,
            kind: Kind::Login,
        };
        let signed = self.touch(&held.key, &statement)?;
        let mut body = signed.json();
        if let Some(members) = body.as_object_mut() {
            let handle = held.key.user_handle().unwrap_or_default();
            members.insert("user_handle".into(), json!(b64(handle)));
        }
        let token = pre(token)?;
        let by = By {
            pre: Some(&token),
            ..By::nobody()
        };
        let answer = self.post("/login/finish", by, &body).await?;
        person.session = answer.session;
        Ok(())
    }

    /// Ends the session.
    ///
    /// # Errors
    /// A refusal.
    pub async fn logout(&self, person: &mut Person) -> Result<()> {
        self.post("/logout", person.by(), &json!({})).await?;
        person.session = None;
        Ok(())
    }

    /// A custodian invites somebody, for a week.
    ///
    /// # Errors
    /// A refusal.
    pub async fn invite(
        &self,
        custodian: &Person,
        name: &str,
        roles: &[Role],
    ) -> Result<Invitation> {
        let token = Zeroizing::new(random::<32>()?.to_vec());
        let invitation = Invitation { token };
        let week = 7 * 24 * 3600 * 1_000_000;
        let invite = Invite {
            expires: now_us() + week,
            invitation: invitation.hash(),
            name: name.to_owned(),
            roles: roles.to_vec(),
            user: UserId::from_uuid_bytes(fresh_id()),
        };
        let signed = self.sign(custodian, 0, Kind::Invite(invite))?;
        let body = json!({ "signed": signed.json() });
        self.post("/people", custodian.by(), &body).await?;
        Ok(invitation)
    }

    /// A custodian says what somebody may do from now on.
    ///
    /// # Errors
    /// A refusal.
    pub async fn set_roles(&self, custodian: &Person, user: UserId, roles: &[Role]) -> Result<()> {
        let kind = Kind::Roles(Roles {
            roles: roles.to_vec(),
            user,
        });
        let body = json!({ "signed": self.sign(custodian, 0, kind)?.json() });
        let path = format!("/people/{user}/roles");
        self.post(&path, custodian.by(), &body).await?;
        Ok(())
    }

    /// Ends a key for good, signed with the person's key number `key`.
    ///
    /// # Errors
    /// A refusal.
    pub async fn revoke(&self, by: &Person, key: usize, of: &KeyAct) -> Result<()> {
        self.key_act(by, key, Kind::Revoke(of.clone()), of).await
    }

    /// Lets a key rest.
    ///
    /// # Errors
    /// A refusal.
    pub async fn suspend(&self, by: &Person, key: usize, of: &KeyAct) -> Result<()> {
        self.key_act(by, key, Kind::Suspend(of.clone()), of).await
    }

    /// Lets a key serve again.
    ///
    /// # Errors
    /// A refusal.
    pub async fn unsuspend(&self, by: &Person, key: usize, of: &KeyAct) -> Result<()> {
        self.key_act(by, key, Kind::Unsuspend(of.clone()), of).await
    }

    async fn key_act(&self, by: &Person, key: usize, kind: Kind, of: &KeyAct) -> Result<()> {
        let path = format!("/keys/{}/{}", of.authenticator, kind.name());
        let body = json!({ "signed": self.sign(by, key, kind)?.json() });
        self.post(&path, by.by(), &body).await?;
        Ok(())
    }

    /// Oneself, as the service sees it.
    ///
    /// # Errors
    /// A refusal.
    pub async fn you(&self, person: &Person) -> Result<PersonShown> {
        self.get("/you", person.by()).await?.read()
    }

    /// Everybody.
    ///
    /// # Errors
    /// A refusal.
    pub async fn people(&self, person: &Person) -> Result<Vec<PersonShown>> {
        #[derive(Deserialize)]
        struct Sent {
            people: Vec<PersonShown>,
        }
        let sent: Sent = self.get("/people", person.by()).await?.read()?;
        Ok(sent.people)
    }
}
