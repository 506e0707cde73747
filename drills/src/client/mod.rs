//! A client of Vitrine's HTTP API: what a page or a terminal does, one call at a time.
//!
//! A [`Person`] has software keys and, once signed in, a session. Each call of [`Client`] is one step that a test can
//! stop between; what is signed is always computed here from a [`Statement`], never taken from the server.
//! Cookies are kept by hand: theirs are `Secure`, and a cookie jar would not send them over plain HTTP to localhost, as browsers do.

mod credentials;
mod error;
mod evidence;
mod joining;
mod ledger;
mod people;
mod release;
mod requests;
mod safes;
mod wire;

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use quorum::Hash;
use quorum::assertion::{Assertion, RelyingParty};
use quorum::ids::UserId;
use quorum::secret::PrfOutput;
use quorum::statement::{self, Challenge, Kind, Statement};
use reqwest::Method;
use reqwest::header::{AUTHORIZATION, COOKIE, HeaderMap, SET_COOKIE};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use zeroize::Zeroizing;

pub use credentials::{Credential, Rotation, Target, TargetDraft, Version};
pub use error::{Error, Problem, Result};
pub use evidence::{Evidence, HeldShare};
pub use joining::{Registered, Registering};
pub use ledger::{Line, ProvedEntry};
pub use people::{Held, Invitation, KeyShown, Person, PersonShown};
pub use release::{DeliveredShare, Opened, Opening, Release, ReleaseAsk, WrongShare};
pub use requests::{Asking, Filed, Live, Signer};
pub use safes::{ApproverShown, NewSafe, Safe};
pub use wire::b64;

use self::error::unproved;
use crate::key::{KeyError, SoftwareKey};

/// A bearer secret as text: a session, a pre-session, a terminal's token. Wiped on drop.
pub struct Token(Zeroizing<String>);

impl Token {
    /// From text that a program was given.
    #[must_use]
    pub fn new(text: String) -> Self {
        Self(Zeroizing::new(text))
    }

    /// The text, to be sent.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }
}

/// A terminal's right to follow and open its own request.
pub struct PollSecret(Zeroizing<[u8; 32]>);

impl PollSecret {
    /// A fresh one.
    ///
    /// # Errors
    /// No randomness.
    pub fn draw() -> Result<Self> {
        Ok(Self(Zeroizing::new(random()?)))
    }

    /// What the filing carries.
    #[must_use]
    pub fn hash(&self) -> Hash {
        quorum::labelled("poll", &[self.0.as_slice()])
    }

    /// The header's value, to be sent.
    #[must_use]
    pub fn expose(&self) -> Zeroizing<String> {
        Zeroizing::new(b64(self.0.as_slice()))
    }
}

/// On whose behalf a call is made.
#[derive(Clone, Copy, Default)]
pub struct By<'a> {
    /// A session, as a cookie.
    pub session: Option<&'a Token>,
    /// A pre-session, as a cookie.
    pub pre: Option<&'a Token>,
    /// A terminal's session, as a header.
    pub bearer: Option<&'a Token>,
    /// A terminal's poll secret.
    pub poll: Option<&'a PollSecret>,
}

impl<'a> By<'a> {
    /// Nobody.
    #[must_use]
    pub fn nobody() -> Self {
        Self::default()
    }

    /// Somebody signed in.
    #[must_use]
    pub fn session(token: &'a Token) -> Self {
        Self {
            session: Some(token),
            ..Self::default()
        }
    }

    /// The terminal that a request was filed for.
    #[must_use]
    pub fn poll(secret: &'a PollSecret) -> Self {
        Self {
            poll: Some(secret),
            ..Self::default()
        }
    }
}

/// What came back, cookies taken out.
pub struct Answer {
    /// The body.
    pub body: Value,
    /// A session that was set.
    pub session: Option<Token>,
    /// A pre-session that was set.
    pub pre: Option<Token>,
}

impl Answer {
    /// The body as what the API promises.
    ///
    /// # Errors
    /// [`Error::Answer`].
    pub fn read<T: DeserializeOwned>(self) -> Result<T> {
        serde_json::from_value(self.body).map_err(|e| Error::Answer(e.to_string()))
    }
}

/// A statement, the touch that signed it, and what the key's PRF gave on the way.
pub struct Signed {
    /// The canonical bytes.
    pub statement: String,
    /// The WebAuthn credential that was touched.
    pub credential_id: Vec<u8>,
    /// What the authenticator gave.
    pub assertion: Assertion,
    /// The PRF's result. Never sent.
    pub prf: Option<PrfOutput>,
}

impl Signed {
    /// As it is sent.
    #[must_use]
    pub fn json(&self) -> Value {
        json!({
            "statement": self.statement,
            "credential_id": b64(&self.credential_id),
            "assertion": wire::assertion(&self.assertion),
        })
    }

    /// The challenge that was signed.
    #[must_use]
    pub fn challenge(&self) -> Challenge {
        statement::challenge(self.statement.as_bytes())
    }
}

/// What anybody may know of a ledger.
#[derive(Clone, Debug, Deserialize)]
pub struct LedgerAbout {
    /// Its name: the leaf of entry 0.
    #[serde(deserialize_with = "wire::text")]
    pub ledger: Hash,
    /// Its origin in checkpoints.
    pub name: String,
    /// The relying party id.
    pub rp_id: String,
    /// The origins that pages may have.
    pub origins: Vec<String>,
    /// Entries so far.
    pub size: u64,
}

/// A client of one Vitrine.
pub struct Client {
    http: reqwest::Client,
    base: String,
    about: LedgerAbout,
}

const TIMEOUT: Duration = Duration::from_secs(60);
const SESSION: &str = "__Host-vitrine";
const PRE_SESSION: &str = "__Host-vitrine-pre";

impl Client {
    /// A client of the Vitrine at `url`; over `https` with the roots of this machine. Asks it for its ledger, which is
    /// trusted on this first use: compare [`Client::ledger`] with a fingerprint that came another way.
    ///
    /// # Errors
    /// No answer, or none that is Vitrine's.
    pub async fn connect(url: &str) -> Result<Self> {
        let mut http = reqwest::Client::builder()
            .no_proxy()
            .redirect(reqwest::redirect::Policy::none())
            .timeout(TIMEOUT);
        if url.starts_with("http://") {
            // Without TLS nobody needs roots, and a bare machine has none.
            http = http.tls_certs_only([]);
        }
        Self::connect_with(url, http.build()?).await
    }

    /// As [`Client::connect`], over a connection of the caller's making.
    ///
    /// # Errors
    /// As there.
    pub async fn connect_with(url: &str, http: reqwest::Client) -> Result<Self> {
        let mut client = Self {
            http,
            base: url.trim_end_matches('/').to_owned(),
            about: LedgerAbout {
                ledger: Hash::ZERO,
                name: String::new(),
                rp_id: String::new(),
                origins: Vec::new(),
                size: 0,
            },
        };
        client.about = client.get("/ledger", By::nobody()).await?.read()?;
        Ok(client)
    }

    /// The ledger's name.
    #[must_use]
    pub const fn ledger(&self) -> Hash {
        self.about.ledger
    }

    /// What it said of its ledger.
    #[must_use]
    pub const fn about(&self) -> &LedgerAbout {
        &self.about
    }

    /// Who asks for touches.
    #[must_use]
    pub fn relying_party(&self) -> RelyingParty {
        RelyingParty {
            rp_id: self.about.rp_id.clone(),
            origins: self.about.origins.clone(),
        }
    }

    /// The address that it is reached at.
    #[must_use]
    pub fn base(&self) -> &str {
        &self.base
    }

    /// The origin that a browser would write.
    fn origin(&self) -> &str {
        let founded = &self.about.origins;
        let reached = founded.iter().find(|origin| **origin == self.base);
        reached.or(founded.first()).map_or(&self.base, |o| o)
    }

    /// `GET /api/v1<path>`.
    ///
    /// # Errors
    /// [`Error::Refused`], [`Error::Http`].
    pub async fn get(&self, path: &str, by: By<'_>) -> Result<Answer> {
        self.call(Method::GET, path, by, None).await
    }

    /// `POST /api/v1<path>` with a JSON body.
    ///
    /// # Errors
    /// [`Error::Refused`], [`Error::Http`].
    pub async fn post(&self, path: &str, by: By<'_>, body: &Value) -> Result<Answer> {
        self.call(Method::POST, path, by, Some(body)).await
    }

    /// Any call, for tests of what a route refuses. Sends neither `Origin` nor fetch metadata: this is a program.
    ///
    /// # Errors
    /// [`Error::Refused`], [`Error::Http`].
    pub async fn call(
        &self,
        method: Method,
        path: &str,
        by: By<'_>,
        body: Option<&Value>,
    ) -> Result<Answer> {
        let url = format!("{}/api/v1{path}", self.base);
        let mut request = self.http.request(method, url);
        let cookies: Vec<Zeroizing<String>> = [(SESSION, by.session), (PRE_SESSION, by.pre)]
            .into_iter()
            .filter_map(|(name, token)| Some(Zeroizing::new(format!("{name}={}", token?.expose()))))
            .collect();
        if !cookies.is_empty() {
            let all: Vec<&str> = cookies.iter().map(|c| c.as_str()).collect();
            request = request.header(COOKIE, all.join("; "));
        }
        if let Some(token) = by.bearer {
            request = request.header(AUTHORIZATION, format!("Bearer {}", token.expose()));
        }
        if let Some(secret) = by.poll {
            request = request.header("Vitrine-Poll", secret.expose().as_str());
        }
        if let Some(body) = body {
            request = request.json(body);
        }
        let response = request.send().await?;
        let status = response.status();
        let session = cookie(response.headers(), SESSION);
        let pre = cookie(response.headers(), PRE_SESSION);
        let bytes = response.bytes().await?;
        if status.is_success() {
            let body = serde_json::from_slice(&bytes).map_err(|e| Error::Answer(e.to_string()))?;
            return Ok(Answer { body, session, pre });
        }
        let mut problem: Problem = serde_json::from_slice(&bytes).unwrap_or_else(|_| Problem {
            kind: String::new(),
            title: format!("HTTP {status}."),
            detail: String::new(),
            next: String::new(),
            status: 0,
            reference: String::new(),
        });
        problem.status = status.as_u16();
        Err(Error::Refused(Box::new(problem)))
    }

    /// A statement of this ledger with a nonce of one's own.
    ///
    /// # Errors
    /// No randomness.
    pub fn statement(&self, signer: UserId, kind: Kind) -> Result<Statement> {
        Ok(Statement {
            ledger: self.ledger(),
            nonce: random()?,
            signer: Some(signer),
            kind,
        })
    }

    /// One touch of `key` over a statement.
    ///
    /// # Errors
    /// [`Error::Key`].
    pub fn touch(&self, key: &SoftwareKey, statement: &Statement) -> Result<Signed> {
        let bytes = statement.bytes();
        self.touch_bytes(key, &bytes)
    }

    /// One touch of `key` over any bytes, for tests of what is no statement.
    ///
    /// # Errors
    /// [`Error::Key`]; bytes that are no UTF-8 can't be sent at all.
    pub fn touch_bytes(&self, key: &SoftwareKey, bytes: &[u8]) -> Result<Signed> {
        let statement = String::from_utf8(bytes.to_vec()).map_err(unproved)?;
        let challenge = statement::challenge(bytes);
        let touched = key.get(&challenge, self.origin(), &self.about.rp_id)?;
        Ok(Signed {
            statement,
            credential_id: key.credential_id().to_vec(),
            assertion: touched.assertion,
            prf: touched.prf,
        })
    }

    /// What `person` says, signed with their key number `key`.
    ///
    /// # Errors
    /// [`Error::Key`]; no such key.
    pub fn sign(&self, person: &Person, key: usize, kind: Kind) -> Result<Signed> {
        let statement = self.statement(person.user, kind)?;
        self.touch(&person.key(key)?.key, &statement)
    }
}

/// The value of a cookie that was set; none for one that was taken back.
fn cookie(headers: &HeaderMap, name: &str) -> Option<Token> {
    headers
        .get_all(SET_COOKIE)
        .iter()
        .filter_map(|header| header.to_str().ok())
        .filter_map(|text| text.split(';').next()?.split_once('='))
        .find(|(found, value)| *found == name && !value.is_empty())
        .map(|(_, value)| Token::new(value.to_owned()))
}

/// Microseconds since 1970 UTC, by this machine's clock.
#[must_use]
pub fn now_us() -> i64 {
    let since = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    i64::try_from(since.as_micros()).unwrap_or(i64::MAX)
}

/// 16 bytes of a fresh UUIDv7, for ids that pages and programs draw.
pub(crate) fn fresh_id() -> [u8; 16] {
    *uuid::Uuid::now_v7().as_bytes()
}

pub(crate) fn random<const N: usize>() -> Result<[u8; N]> {
    let mut bytes = [0; N];
    aws_lc_rs::rand::fill(&mut bytes).map_err(|_| Error::Key(KeyError::Crypto))?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn cookies_are_found_by_their_whole_name_and_removals_are_none() {
        let mut headers = HeaderMap::new();
        for text in [
            "__Host-vitrine-pre=abc; Path=/; Secure",
            "__Host-vitrine=; Max-Age=0; Path=/",
            "other=__Host-vitrine=x",
        ] {
            headers.append(SET_COOKIE, text.parse().unwrap());
        }
        assert_eq!(cookie(&headers, PRE_SESSION).unwrap().expose(), "abc");
        assert!(cookie(&headers, SESSION).is_none());
    }

    #[test]
    fn a_poll_secret_hashes_under_its_label() {
        let secret = PollSecret(Zeroizing::new([3; 32]));
        assert_eq!(secret.hash(), quorum::labelled("poll", &[&[3; 32]]));
        assert_eq!(secret.expose().len(), 43);
    }
}
