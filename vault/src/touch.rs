//! A touch: one statement that a person signed with a key, checked as far as it can be before the
//! writer's transaction, and used up inside it.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use quorum::assertion::{self, Assertion, RelyingParty};
use quorum::ids::{AuthenticatorId, UserId};
use quorum::statement::{self, Statement};
use serde::Deserialize;

use crate::b64::Bytes;
use crate::clock::SECOND;
use crate::convert::Audited;
use crate::error::{Error, Result};
use crate::ledger::{Ledger, Tx};
use crate::people::store::{self as people, Key};
use crate::script::{Facts, Script, name};

/// A signed statement as pages and programs send it.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Signed {
    /// The statement's canonical bytes, as text.
    pub statement: String,
    /// The WebAuthn credential that was touched.
    pub credential_id: Bytes,
    /// What the authenticator gave.
    pub assertion: SentAssertion,
}

/// An assertion as sent.
#[derive(Deserialize, Clone)]
#[serde(deny_unknown_fields)]
pub struct SentAssertion {
    /// Raw authenticator data.
    pub authenticator_data: Bytes,
    /// Raw client data.
    pub client_data_json: Bytes,
    /// DER signature.
    pub signature: Bytes,
}

impl From<&SentAssertion> for Assertion {
    fn from(s: &SentAssertion) -> Assertion {
        Assertion {
            authenticator_data: s.authenticator_data.0.clone(),
            client_data_json: s.client_data_json.0.clone(),
            signature: s.signature.0.clone(),
        }
    }
}

/// A checked touch: the statement is canonical, of this ledger, and signed by a live key of its signer.
pub struct Touch {
    /// What was signed.
    pub statement: Statement,
    /// Its canonical bytes.
    pub bytes: Vec<u8>,
    /// The person.
    pub user: UserId,
    /// The key.
    pub authenticator: AuthenticatorId,
    /// Its SEC1 point, 65 bytes.
    pub public_key: Vec<u8>,
    assertion: Assertion,
    counter: u32,
    skipped: Skipped,
}

/// The numbers that keys have lately skipped. A touch whose answer was lost may be sent again after a later one of that key: its
/// number was never seen, where a copy's was, or lies further back. In memory alone: a node that does not know suspends the key.
#[derive(Clone, Default)]
pub struct Skipped {
    held: Arc<Mutex<HashMap<(AuthenticatorId, u32), i64>>>,
}

impl Skipped {
    const MOST: usize = 4096;
    /// Touches that pages hold back at once; other sites may have had more, and say nothing.
    const WIDEST: u32 = 4;
    /// Microseconds that bytes may wait to be sent again.
    const LATEST: i64 = 15 * 60 * SECOND;

    /// A touch with `counter` was taken, the last before it with `last`.
    fn rose(&self, key: AuthenticatorId, last: u32, counter: u32, now: i64) {
        let between = last.saturating_add(1)..counter;
        if last == 0 || between.is_empty() || counter - last > Skipped::WIDEST + 1 {
            return;
        }
        if let Ok(mut held) = self.held.lock() {
            if held.len() >= Skipped::MOST {
                held.retain(|_, at| now < *at + Skipped::LATEST);
            }
            if held.len() < Skipped::MOST {
                held.extend(between.map(|n| ((key, n), now)));
            }
        }
    }

    fn has(&self, key: AuthenticatorId, counter: u32, now: i64) -> bool {
        let at = self.held.lock().ok();
        let at = at.and_then(|held| held.get(&(key, counter)).copied());
        at.is_some_and(|at| now < at + Skipped::LATEST)
    }
}

/// The relying party of this ledger.
pub fn relying_party(ledger: &Ledger) -> Result<RelyingParty> {
    let founding = ledger.founding()?;
    Ok(RelyingParty {
        rp_id: founding.rp_id.clone(),
        origins: founding.origins.clone(),
    })
}

/// The statement in `text`, canonical and of this ledger.
pub fn statement_of(ledger: &Ledger, text: &str) -> Result<Statement> {
    let statement = Statement::parse(text.as_bytes()).map_err(|e| bad_statement(&e.to_string()))?;
    if statement.ledger != ledger.founding()?.ledger {
        return Err(bad_statement("it names another ledger"));
    }
    Ok(statement)
}

/// The refusal of a statement that is not what it should be.
pub fn bad_statement(why: &str) -> Error {
    Error::invalid(
        "Nothing was done.",
        format!("The signed statement is not valid: {why}."),
        "Reload the page and try again.",
    )
}

/// The statement that was signed, which must be `user`'s.
pub fn signed_by(ledger: &Ledger, user: UserId, signed: &Signed) -> Result<Statement> {
    let statement = statement_of(ledger, &signed.statement)?;
    if statement.signer == Some(user) {
        Ok(statement)
    } else {
        Err(bad_statement("its signer is not you"))
    }
}

/// The refusal of a statement that is in the ledger already.
pub fn used_before() -> Error {
    Error::conflict(
        "Not done.",
        "This signed statement was used before.",
        "Reload the page and sign anew.",
    )
}

/// The refusal of an assertion that does not hold.
pub fn bad_assertion(why: &str) -> Error {
    Error::invalid(
        "Nothing was done.",
        format!("The signature does not hold: {why}."),
        "Touch the key again; if it stays, use another key and tell a custodian.",
    )
}

impl Touch {
    /// Checks `signed` against the key that its credential id names, which must be a live key of `user`.
    pub async fn check(ledger: &Ledger, user: UserId, signed: &Signed) -> Result<Touch> {
        let statement = signed_by(ledger, user, signed)?;
        let key = people::key_by_credential(&ledger.db().pool, &signed.credential_id.0).await?;
        Touch::checked(ledger, user, signed, statement, key).await
    }

    /// As `check`, of a statement that was read, with the key that the credential id names.
    pub async fn checked(
        ledger: &Ledger,
        user: UserId,
        signed: &Signed,
        statement: Statement,
        key: Option<Key>,
    ) -> Result<Touch> {
        let key = key.filter(|k| k.user == user).ok_or_else(|| {
            Error::invalid(
                "Nothing was done.",
                "That key is not one of yours.",
                "Use a key that your page lists.",
            )
        })?;
        key.must_be_live()?;
        let bytes = signed.statement.clone().into_bytes();
        let assertion = Assertion::from(&signed.assertion);
        let counter = check_assertion(ledger, &key.public_key, &bytes, &assertion)?;
        if !rose(counter, key.counter.into()) && ledger.nonce_used(&statement.nonce).await? {
            return Err(used_before()); // the same bytes again, no copied key
        }
        trust_counter(ledger, &key, counter).await?;
        Ok(Touch {
            statement,
            bytes,
            user: key.user,
            authenticator: key.authenticator,
            public_key: key.public_key,
            assertion,
            counter,
            skipped: ledger.skipped().clone(),
        })
    }

    /// As `checked`, under the key that a verified roster has for `user`. Whether it is live, and its counter rose, is seen where
    /// the touch is used up, and nowhere else: what is refused there is to be checked against the key's row.
    pub fn rostered(
        ledger: &Ledger,
        user: UserId,
        signed: &Signed,
        statement: Statement,
        (authenticator, point): (AuthenticatorId, [u8; 65]),
    ) -> Result<Touch> {
        let bytes = signed.statement.clone().into_bytes();
        let assertion = Assertion::from(&signed.assertion);
        let counter = check_assertion(ledger, &point, &bytes, &assertion)?;
        Ok(Touch {
            statement,
            bytes,
            user,
            authenticator,
            public_key: point.to_vec(),
            assertion,
            counter,
            skipped: ledger.skipped().clone(),
        })
    }

    /// Uses the touch up inside the transaction: the key is still live, its counter rose, the nonce is new.
    pub async fn spend(&self, tx: &mut Tx) -> Result<()> {
        use_key(tx, self.authenticator, self.counter, false).await?;
        tx.use_nonce(&self.statement.nonce).await
    }

    /// Asks for what `used_up` decides from.
    pub fn ask(&self, reads: &mut Script) {
        reads.add(
            [people::KEY, " WHERE authenticator = $1"].concat(),
            [name(self.authenticator)],
        );
        reads.add(
            "SELECT 1 FROM nonces WHERE nonce = $1",
            [self.statement.nonce[..].into()],
        );
    }

    /// As `spend`, from what was asked for: what is to be written. `proving`: the key has also proved that it opens its share.
    pub fn used_up(
        &self,
        facts: &mut Facts,
        now: i64,
        proving: bool,
        writes: &mut Script,
    ) -> Result<()> {
        let key = facts.row()?.as_ref().map(people::key).transpose()?;
        let known = facts.row()?.is_some();
        let key = key.ok_or_else(|| Error::missing("key"))?;
        key.must_be_live()?;
        if !rose(self.counter, key.counter.into()) {
            return Err(later_touch());
        }
        if known {
            return Err(used_before());
        }
        self.skipped
            .rose(key.authenticator, key.counter, self.counter, now);
        writes.add(
            "UPDATE authenticators SET counter = $1, proved_at = COALESCE($3, proved_at) WHERE authenticator = $2",
            [
                i64::from(self.counter).into(),
                name(key.authenticator),
                proving.then_some(now).into(),
            ],
        );
        writes.add(
            "INSERT INTO nonces (nonce) VALUES ($1)",
            [self.statement.nonce[..].into()],
        );
        Ok(())
    }

    /// The `data` of a signed event.
    pub fn signed(&self) -> audit::event::Signed {
        audit::event::Signed {
            authenticator: self.authenticator.audited(),
            statement: self.bytes.clone(),
            assertion: event_assertion(&self.assertion),
        }
    }
}

/// Checks an assertion over `statement` and gives its counter.
pub fn check_assertion(
    ledger: &Ledger,
    key: &[u8],
    statement: &[u8],
    a: &Assertion,
) -> Result<u32> {
    let point = <[u8; 65]>::try_from(key)
        .map_err(|_| Error::internal("a stored public key has not 65 bytes"))?;
    let key = assertion::PublicKey::from_sec1(point)
        .map_err(|e| Error::internal(format!("stored public key: {e}")))?;
    assertion::verify(
        &relying_party(ledger)?,
        &key,
        &statement::challenge(statement),
        a,
    )
    .map(|v| v.counter)
    .map_err(|e| bad_assertion(&e.to_string()))
}

/// An assertion in the ledger's form.
pub fn event_assertion(a: &Assertion) -> audit::event::Assertion {
    audit::event::Assertion {
        authenticator_data: a.authenticator_data.clone(),
        client_data_json: a.client_data_json.clone(),
        signature: a.signature.clone(),
    }
}

/// Refuses a counter that went back, suspends its key until a custodian restores it, and says so in the ledger; one that the key
/// has lately skipped is a touch that comes late, and refused alone.
///
/// # Errors
/// `Conflict` when it went back; what the ledger says when that could not be recorded.
pub async fn trust_counter(ledger: &Ledger, key: &Key, counter: u32) -> Result<()> {
    let (skipped, now) = (ledger.skipped(), ledger.clock().now());
    if rose(counter, key.counter.into()) {
        skipped.rose(key.authenticator, key.counter, counter, now);
        return Ok(());
    }
    if skipped.has(key.authenticator, counter, now) {
        return Err(later_touch());
    }
    let key = key.clone();
    ledger
        .write(move |tx| {
            Box::pin(async move {
                let event = audit::Event::AuthenticatorDistrusted {
                    authenticator: key.authenticator.audited(),
                    counter,
                };
                let done = tx.record(
                    audit::Actor::System,
                    event,
                    &[&key.authenticator, &key.user],
                )?;
                people::suspend(tx.conn(), key.authenticator, done.seq()).await?;
                Ok(done)
            })
        })
        .await?;
    Err(Error::conflict(
        "Refused. This key's counter went back.",
        "A counter that does not rise is what a copied key looks like. The key is suspended.",
        "Use your other key, and call a custodian.",
    ))
}

/// Both sides do not count, or the counter is above the key's last.
fn rose(counter: u32, last: i64) -> bool {
    i64::from(counter) > last || (counter, last) == (0, 0)
}

/// Inside the transaction: the key is live now, and its counter rose (or neither side counts).
pub async fn use_key(tx: &mut Tx, key: AuthenticatorId, counter: u32, proved: bool) -> Result<()> {
    let used = sqlx::query(
        "UPDATE authenticators SET counter = $1, proved_at = COALESCE($3, proved_at) WHERE authenticator = $2 \
         AND revoked IS NULL AND suspended IS NULL AND (counter < $1 OR counter = 0 AND $1 = 0)",
    )
    .bind(i64::from(counter))
    .bind(key.to_string())
    .bind(proved.then(|| tx.now()))
    .execute(tx.conn())
    .await?;
    if used.rows_affected() == 1 {
        return Ok(());
    }
    people::key_by_id(tx.conn(), key)
        .await?
        .ok_or_else(|| Error::missing("key"))?
        .must_be_live()?;
    Err(later_touch())
}

fn later_touch() -> Error {
    Error::conflict(
        "Nothing was done.",
        "A later touch of this key came first.",
        "Touch the key again.",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_is_late_where_it_was_skipped_lately_and_never_where_it_was_seen() {
        let (skipped, key) = (
            Skipped::default(),
            AuthenticatorId::from_uuid_bytes([7; 16]),
        );
        let other = AuthenticatorId::from_uuid_bytes([8; 16]);
        skipped.rose(key, 4, 5, 0);
        skipped.rose(key, 5, 7, 0);
        let late = |n| skipped.has(key, n, 1);
        assert_eq!(
            [4, 5, 6, 7, 8].map(late),
            [false, false, true, false, false]
        );
        assert!(!skipped.has(other, 6, 1) && !skipped.has(key, 6, Skipped::LATEST));
        // What another site may have had, and what never counted, is no page's.
        skipped.rose(key, 7, 8 + Skipped::WIDEST + 1, 0);
        skipped.rose(other, 0, 3, 0);
        assert!(!late(9) && !skipped.has(other, 1, 1));
    }
}
