//! The HSM, for async callers. Calls are made by threads of the token's own pool; here they are only waited for.
//!
//! Custody: `h` of each version is wrapped by a key of each token; unwrapping consumes a [`Receipt`]
//! (promise P4) and goes to the next token when one is down (P9). Checkpoints: either token signs.
//! Service: the connectors' own logins, which rotate without a quorum.

use std::path::Path;
use std::sync::{Arc, OnceLock};

use audit::checkpoint::VerifierKey;
use hsm::{Call, HsmError, KeyKind, Select, State, Token, TokenSpec, softhsm};
use quorum::Hash;
use quorum::ids::KeyId;
use quorum::secret::{HalfH, Plaintext, custody_aad};

use crate::config::{Config, TokenAt};
use crate::error::{Error, Result, Words};
use crate::ledger::Receipt;

/// Labels of the SoftHSM tokens that a first start makes.
pub const SOFT_TOKENS: [&str; 5] = [
    "custody-1",
    "custody-2",
    "checkpoint-1",
    "checkpoint-2",
    "service",
];

/// Labels of keys inside tokens.
const WRAPPING: &str = "vitrine-custody";
const SIGNING: &str = "vitrine-checkpoint";
const SERVICE: &str = "vitrine-service";

/// One opened token and its name for people.
struct Named {
    name: String,
    token: Token,
}

impl Named {
    /// The answer to a call that was begun, if it comes in time.
    async fn answer<T>(
        &self,
        begun: std::result::Result<Call<T>, HsmError>,
    ) -> std::result::Result<T, HsmError> {
        let timely = tokio::time::timeout(self.token.deadline(), begun?).await;
        timely.unwrap_or(Err(HsmError::Deadline))
    }
}

/// All tokens of this node.
#[derive(Clone)]
pub struct Keys {
    tokens: Arc<Tokens>,
}

struct Tokens {
    custody: Vec<Named>,
    checkpoint: Vec<Named>,
    service: Named,
    soft: bool,
    /// Set once the ledger is read: a key's label decides nothing, and a token of another vault may have the same.
    known: OnceLock<Known>,
}

/// The keys that the ledger knows.
struct Known {
    /// In force, for checkpoints.
    signing: Vec<VerifierKey>,
    /// Key-encryption keys, oldest first.
    wrapping: Vec<KeyId>,
}

impl Tokens {
    /// The token's key that may sign checkpoints.
    fn signing(&self, named: &Named) -> Option<(hsm::KeyId, &VerifierKey)> {
        let known = &self.known.get()?.signing;
        named.token.keys().into_iter().find_map(|k| {
            let key = known.iter().find(|v| Some(*v.as_bytes()) == k.public)?;
            Some((k.id, key))
        })
    }

    /// The token's newest key-encryption key.
    fn wrapping(&self, named: &Named) -> Option<hsm::KeyId> {
        let (known, keys) = (&self.known.get()?.wrapping, named.token.keys());
        let held = |id: &KeyId| keys.iter().find(|k| ours(&k.id) == *id);
        known.iter().rev().find_map(held).map(|k| k.id)
    }
}

/// `h` wrapped by one key.
#[derive(Clone)]
pub struct Wrapped {
    /// The key-encryption key.
    pub key: KeyId,
    /// IV, ciphertext, tag.
    pub wrapped: Vec<u8>,
}

/// How a token is, for pages and `doctor`.
#[derive(Clone, Debug)]
pub struct TokenHealth {
    /// Which one.
    pub name: String,
    /// Answers.
    pub ready: bool,
    /// Answers, and holds no key that the ledger knows.
    pub foreign: bool,
    /// What went wrong last.
    pub last_error: Option<String>,
    /// Microseconds since 1970 when it came into this state.
    pub since: i64,
}

/// Makes the SoftHSM tokens of a data directory where none are configured. The process must have been started
/// with [`softhsm::environment`].
pub fn provision(config: &Config) -> Result<()> {
    if config.hsm.custody.is_empty() {
        softhsm::provision(&config.data.join("tokens"), &SOFT_TOKENS)
            .map_err(|e| not_started(&e.to_string()))?;
    }
    Ok(())
}

impl Keys {
    /// Opens every token, and asserts the attributes of every key on them.
    pub fn open(config: &Config) -> Result<Keys> {
        let dir = config.data.join("tokens");
        let soft = config.hsm.custody.is_empty();
        let (custody, checkpoint, service) = if soft {
            let open = |label: &str| soft_token(&dir, label);
            (
                vec![open("custody-1")?, open("custody-2")?],
                vec![open("checkpoint-1")?, open("checkpoint-2")?],
                open("service")?,
            )
        } else {
            let hsm = &config.hsm;
            if hsm.custody.len() < 2 || !(1..=3).contains(&hsm.checkpoint.len()) {
                return Err(not_started(
                    "`[[hsm.custody]]` names two tokens or more, `[[hsm.checkpoint]]` one to three",
                ));
            }
            let service = hsm
                .service
                .as_ref()
                .ok_or_else(|| not_started("`[hsm.service]` is missing"))?;
            (
                hsm.custody
                    .iter()
                    .enumerate()
                    .map(|(i, t)| token(&format!("custody-{}", i + 1), t))
                    .collect::<Result<_>>()?,
                hsm.checkpoint
                    .iter()
                    .enumerate()
                    .map(|(i, t)| token(&format!("checkpoint-{}", i + 1), t))
                    .collect::<Result<_>>()?,
                token("service", service)?,
            )
        };
        let keys = Keys {
            tokens: Arc::new(Tokens {
                custody,
                checkpoint,
                service,
                soft,
                known: OnceLock::new(),
            }),
        };
        keys.refuse_unfit()?;
        Ok(keys)
    }

    /// A key that was ever extractable, or was not made inside, stops the start.
    fn refuse_unfit(&self) -> Result<()> {
        for named in self.all() {
            if let Some((key, fault)) = named.token.refused_keys().first() {
                return Err(not_started(&format!(
                    "token {}: key {key} is refused ({fault})",
                    named.name
                )));
            }
        }
        Ok(())
    }

    fn all(&self) -> impl Iterator<Item = &Named> {
        self.tokens
            .custody
            .iter()
            .chain(&self.tokens.checkpoint)
            .chain([&self.tokens.service])
    }

    /// Says which keys the ledger knows: no other signs or wraps.
    pub fn know(&self, signing: Vec<VerifierKey>, wrapping: Vec<KeyId>) {
        let _ = self.tokens.known.set(Known { signing, wrapping });
    }

    /// SoftHSM, which is no HSM.
    pub fn soft(&self) -> bool {
        self.tokens.soft
    }

    /// Makes the keys that are missing, at founding. Returns (key, token) of the key-encryption keys.
    pub fn found(&self) -> Result<Vec<(KeyId, String)>> {
        if let Some(absent) = self.health().into_iter().find(|t| !t.ready) {
            let why = absent.last_error.unwrap_or_else(|| "no answer".to_owned());
            return Err(not_started(&format!("token {}: {why}", absent.name)));
        }
        let mut wrapping = Vec::new();
        for named in &self.tokens.custody {
            let key = match labelled(&named.token, WRAPPING) {
                Some(key) => key,
                None => named
                    .token
                    .make_wrapping_key(WRAPPING)
                    .map_err(|e| down(&e))?,
            };
            wrapping.push((ours(&key), named.name.clone()));
        }
        for named in &self.tokens.checkpoint {
            if labelled(&named.token, SIGNING).is_none() {
                named
                    .token
                    .make_signing_key(SIGNING)
                    .map_err(|e| down(&e))?;
            }
        }
        if labelled(&self.tokens.service.token, SERVICE).is_none() {
            self.tokens
                .service
                .token
                .make_wrapping_key(SERVICE)
                .map_err(|e| down(&e))?;
        }
        Ok(wrapping)
    }

    /// The checkpoint keys, for the founding entry.
    pub fn checkpoint_keys(&self, name: &str) -> Result<Vec<VerifierKey>> {
        let mut keys = Vec::new();
        for named in &self.tokens.checkpoint {
            let key = labelled(&named.token, SIGNING)
                .ok_or_else(|| not_started("a checkpoint token has no key"))?;
            let public = named.token.public_key(&key).map_err(|e| down(&e))?;
            keys.push(VerifierKey::new(name, public).map_err(|e| not_started(&e.to_string()))?);
        }
        Ok(keys)
    }

    /// Wraps `h` by the ledger's key of every custody token that answers; at least one must.
    pub async fn wrap_h(&self, h: HalfH, ctx: Hash) -> Result<Vec<Wrapped>> {
        let tokens = self.tokens.clone();
        blocking(move || {
            let (mut list, mut last) = (Vec::new(), None);
            for named in &tokens.custody {
                let Some(key) = tokens.wrapping(named) else { continue };
                let aad = custody_aad(ours(&key), &ctx);
                match named.token.wrap(&key, &aad, h.expose()) {
                    Ok(wrapped) => list.push(Wrapped { key: ours(&key), wrapped }),
                    Err(e) => {
                        tracing::warn!(token = %named.name, error = %e, "a custody token did not wrap");
                        last = Some(e);
                    }
                }
            }
            if list.is_empty() { Err(last.as_ref().map_or_else(|| no_key("custody"), down)) } else { Ok(list) }
        })
        .await
    }

    /// Unwraps `h`, once, for the opening that `receipt` proves.
    ///
    /// # Errors
    /// `Down` when no token with a key of the list answers; `Tampered` when a working token refuses the bytes.
    pub async fn unwrap_h(
        &self,
        receipt: Receipt,
        list: Vec<Wrapped>,
        ctx: Hash,
    ) -> Result<(HalfH, Spent)> {
        let spent = Spent {
            seq: receipt.seq(),
            leaf: receipt.leaf(),
        };
        let (mut last, mut changed) = (None, false);
        for named in &self.tokens.custody {
            let held = named.token.keys().into_iter().find_map(|k| {
                let item = list.iter().find(|w| w.key == ours(&k.id))?;
                Some((k.id, item))
            });
            let Some((key, item)) = held else { continue };
            let aad = custody_aad(item.key, &ctx);
            let begun = named.token.begin_unwrap(&key, &aad, &item.wrapped);
            match named.answer(begun).await {
                Ok(bytes) => {
                    let h = HalfH::copy_of(bytes.expose()).ok_or_else(tampered)?;
                    return Ok((h, spent));
                }
                // The other token's copy may be whole; only where none opens is the secret lost.
                Err(HsmError::Tampered) => {
                    tracing::error!(token = %named.name, "a custody token refuses its copy: somebody changed it");
                    changed = true;
                }
                Err(e) => {
                    tracing::warn!(token = %named.name, error = %e, "a custody token did not unwrap");
                    last = Some(e);
                }
            }
        }
        if changed && last.is_none() {
            return Err(tampered());
        }
        let none = || Error::internal("no token holds a key of this version");
        Err(last.as_ref().map_or_else(none, down))
    }

    /// The signed note over a checkpoint's body, by whichever token with a key in force answers first in order.
    ///
    /// # Errors
    /// `Down` when none does: what another key signs proves nothing, and would be filed for ever.
    pub async fn sign_checkpoint(&self, body: &[u8]) -> Result<String> {
        let mut last = None;
        for named in &self.tokens.checkpoint {
            let Some((id, key)) = self.tokens.signing(named) else {
                continue;
            };
            let signed = named.answer(named.token.begin_sign(&id, body)).await;
            let noted = signed.and_then(|signature| {
                let note = audit::checkpoint::note(body, &[(key, signature)]);
                let keys = std::slice::from_ref(key);
                match audit::checkpoint::verify(&note, key.name(), keys) {
                    Ok(_) => Ok(note),
                    Err(e) => Err(HsmError::Down { why: e.to_string() }),
                }
            });
            match noted {
                Ok(note) => return Ok(note),
                Err(e) => {
                    tracing::warn!(token = %named.name, error = %e, "a checkpoint token did not sign");
                    last = Some(e);
                }
            }
        }
        Err(last.as_ref().map_or_else(|| no_key("checkpoint"), down))
    }

    /// Wraps a connector's own login by the service token.
    pub async fn wrap_login(&self, aad: &[u8], login: Plaintext) -> Result<Vec<u8>> {
        let (tokens, aad) = (self.tokens.clone(), aad.to_vec());
        blocking(move || {
            let named = &tokens.service;
            let key = labelled(&named.token, SERVICE)
                .ok_or_else(|| not_started("the service token has no key"))?;
            named
                .token
                .wrap(&key, &aad, login.expose())
                .map_err(|e| down(&e))
        })
        .await
    }

    /// Unwraps a connector's own login.
    pub async fn unwrap_login(&self, aad: &[u8], wrapped: &[u8]) -> Result<Plaintext> {
        let (tokens, aad, wrapped) = (self.tokens.clone(), aad.to_vec(), wrapped.to_vec());
        blocking(move || {
            let named = &tokens.service;
            let key = labelled(&named.token, SERVICE)
                .ok_or_else(|| not_started("the service token has no key"))?;
            match named.token.unwrap(&key, &aad, &wrapped) {
                Ok(bytes) => Ok(Plaintext::new(bytes.expose().to_vec())),
                Err(HsmError::Tampered) => Err(tampered()),
                Err(e) => Err(down(&e)),
            }
        })
        .await
    }

    /// How every token is.
    pub fn health(&self) -> Vec<TokenHealth> {
        let t = &*self.tokens;
        let custody = t.custody.iter().map(|n| (n, t.wrapping(n).is_some()));
        let checkpoint = t.checkpoint.iter().map(|n| (n, t.signing(n).is_some()));
        custody
            .chain(checkpoint)
            .chain([(&t.service, true)])
            .map(|(named, known)| {
                let h = named.token.health();
                let since = h
                    .since
                    .duration_since(std::time::UNIX_EPOCH)
                    .unwrap_or_default()
                    .as_micros();
                let ready = h.state == State::Ready;
                TokenHealth {
                    name: named.name.clone(),
                    ready,
                    foreign: ready && !known && t.known.get().is_some(),
                    last_error: h.last_error,
                    since: i64::try_from(since).unwrap_or(i64::MAX),
                }
            })
            .collect()
    }

    /// The refusal while no custody or no checkpoint token answers.
    pub fn outage(&self) -> Error {
        down(&HsmError::Down {
            why: "no token answers".into(),
        })
    }

    /// One of each sort answers, with a key of the ledger: the service can work.
    pub fn ready(&self) -> bool {
        let t = &*self.tokens;
        let up = |named: &Named| named.token.health().state == State::Ready;
        let wraps = |named: &Named| up(named) && t.wrapping(named).is_some();
        let signs = |named: &Named| up(named) && t.signing(named).is_some();
        t.custody.iter().any(wraps) && t.checkpoint.iter().any(signs)
    }
}

/// A receipt that was spent: what it said, worth nothing any more.
pub struct Spent {
    /// The entry's place.
    pub seq: u64,
    /// The entry's leaf.
    pub leaf: Hash,
}

fn soft_token(dir: &Path, label: &str) -> Result<Named> {
    let mut spec = softhsm::spec(dir, label).map_err(|e| not_started(&e.to_string()))?;
    spec.sessions = 2;
    spec.deadline = std::time::Duration::from_secs(3);
    Ok(Named {
        name: label.to_owned(),
        token: opened(spec, label)?,
    })
}

fn token(name: &str, at: &TokenAt) -> Result<Named> {
    let select = match (&at.serial, &at.label, at.slot) {
        (Some(serial), None, None) => Select::Serial(serial.clone()),
        (None, Some(label), None) => Select::Label(label.clone()),
        (None, None, Some(slot)) => Select::Slot(slot),
        _ => {
            return Err(not_started(&format!(
                "token {name}: give exactly one of serial, label and slot"
            )));
        }
    };
    let mut spec = TokenSpec::new(at.module.clone(), select, at.pin());
    spec.sessions = at.sessions;
    spec.deadline = at.deadline();
    spec.queue = at.queue;
    Ok(Named {
        name: name.to_owned(),
        token: opened(spec, name)?,
    })
}

fn opened(spec: TokenSpec, name: &str) -> Result<Token> {
    Token::open(spec).map_err(|e| not_started(&format!("token {name}: {e}")))
}

fn labelled(token: &Token, label: &str) -> Option<hsm::KeyId> {
    let kind = if label == SIGNING {
        KeyKind::Signing
    } else {
        KeyKind::Wrapping
    };
    token
        .keys()
        .into_iter()
        .find(|k| k.label == label && k.kind == kind)
        .map(|k| k.id)
}

fn ours(key: &hsm::KeyId) -> KeyId {
    KeyId::from_uuid_bytes(*key.as_bytes())
}

async fn blocking<T: Send + 'static>(f: impl FnOnce() -> Result<T> + Send + 'static) -> Result<T> {
    tokio::task::spawn_blocking(f)
        .await
        .map_err(|_| Error::internal("an HSM call was lost"))?
}

fn not_started(why: &str) -> Error {
    Error::NotReady(Words::new(
        "Refused.",
        format!("The HSM: {why}."),
        "Run `vitrine doctor`, mend what it names, then start again.",
    ))
}

/// No token of this sort holds a key that the ledger knows.
fn no_key(sort: &str) -> Error {
    down(&HsmError::Down {
        why: format!("no {sort} token holds a key that this ledger knows"),
    })
}

/// A token that does not answer, which is not the same as bytes that are wrong.
fn down(e: &HsmError) -> Error {
    Error::Down(
        Words::new(
            "Nothing can be opened now.",
            "The HSM does not answer. Your request and its signatures stay.",
            "Run `vitrine doctor` on the server, or wait and try again.",
        ),
        e.to_string(),
    )
}

fn tampered() -> Error {
    Error::Tampered(Words::new(
        "Refused. The stored secret is not the one that was sealed.",
        "The HSM works and refuses these bytes: somebody changed them. This is no outage.",
        "Call a custodian; keep the database as it is.",
    ))
}
