//! Sealing a version: under a roster that was verified back to the safe's founding, in a tree that extends
//! the anchor. Nobody can read what was sealed without the quorum, the sealer included.

use audit::Event;
use audit::event::{Origin, VersionSealed};
use quorum::ids::CredentialId;
use quorum::secret::{self, Plaintext, SealedAs};

use super::store::{self, Credential, NewVersion};
use crate::app::App;
use crate::convert::{Audited, audit_hash};
use crate::error::{Error, Result};
use crate::ledger::{Recorded, Tx};
use crate::people::store::at;

/// Seals `plaintext` as the next version of `credential`. Nothing is stored yet.
pub async fn next(
    app: &App,
    credential: &Credential,
    plaintext: Plaintext,
    origin: &'static str,
) -> Result<NewVersion> {
    // A rolled-back database would hand us an old roster: its tree must extend the anchor first.
    app.ledger.check_extends().await?;
    let roster = app.rosters.in_force(&app.ledger, credential.safe).await?;
    crate::safes::rosters::rows_agree(&app.ledger, &roster).await?;
    let version = credential.sealed + 1;
    let sealed_as = SealedAs {
        kind: credential
            .kind
            .parse()
            .map_err(|_| Error::internal("a stored kind is no kind"))?,
        name: credential.name.clone(),
        target: credential.target,
    };
    let id = credential.credential;
    let sealed = tokio::task::spawn_blocking(move || {
        secret::seal(&roster, id, version, sealed_as, plaintext)
    })
    .await
    .map_err(Error::internal)?
    .map_err(|e| {
        Error::conflict(
            "Not sealed.",
            format!("The safe cannot take a version now: {e}."),
            "Look at the safe's roster first.",
        )
    })?;
    let custody = app.keys.wrap_h(sealed.h, *sealed.envelope.ctx()).await?;
    Ok(NewVersion {
        credential: id,
        version,
        envelope: sealed.envelope,
        custody,
        shares: sealed.shares,
        origin,
    })
}

/// Records `version.sealed` and stores the version. Refuses when another was sealed meanwhile.
pub async fn record(
    tx: &mut Tx,
    credential: &Credential,
    v: &NewVersion,
    origin: Origin,
    state: &str,
) -> Result<Recorded<()>> {
    let now = store::by_id(&mut *tx.conn(), credential.credential).await?;
    if now.sealed + 1 != v.version || now.target != credential.target {
        return Err(Error::conflict(
            "Not sealed.",
            "Another version was sealed meanwhile.",
            "Try again.",
        ));
    }
    // An import that nobody signed holds no number: whoever seals first has it.
    store::drop_pending(tx.conn(), credential.credential).await?;
    let done = enter(tx, credential, v, origin).await?;
    store::add_version(tx.conn(), v, state, Some(done.seq()), done.time()).await?;
    Ok(done)
}

/// The entry alone.
pub async fn enter(
    tx: &mut Tx,
    credential: &Credential,
    v: &NewVersion,
    origin: Origin,
) -> Result<Recorded<()>> {
    use sqlx::Row;
    let header = v.envelope.header();
    let row = sqlx::query("SELECT roster FROM safes WHERE safe = $1")
        .bind(credential.safe.to_string())
        .fetch_one(tx.conn())
        .await?;
    if row.try_get::<Vec<u8>, _>(0)? != header.roster.0 {
        return Err(Error::conflict(
            "Not sealed.",
            "The roster has changed meanwhile.",
            "Try again.",
        ));
    }
    let mut authenticators: Vec<audit::Id> =
        v.shares.iter().map(|s| s.authenticator.audited()).collect();
    authenticators.dedup();
    let event = Event::VersionSealed(Box::new(VersionSealed {
        authenticators,
        credential: credential.credential.audited(),
        envelope: audit_hash(v.envelope.hash()),
        epoch: header.epoch,
        key_commitment: audit_hash(*v.envelope.key_commitment()),
        origin,
        roster: audit_hash(header.roster),
        safe: credential.safe.audited(),
        version: v.version,
    }));
    tx.record(
        audit::Actor::System,
        event,
        &[&credential.credential, &credential.safe],
    )
}

/// The first version of a credential that nothing rotates becomes current at once; a later one replaces it.
pub async fn make_current(tx: &mut Tx, credential: CredentialId, version: u64) -> Result<()> {
    sqlx::query(
        "UPDATE versions SET state = 'proved_last' WHERE credential = $1 AND state = 'current'",
    )
    .bind(credential.to_string())
    .execute(tx.conn())
    .await?;
    sqlx::query("UPDATE versions SET state = 'current' WHERE credential = $1 AND version = $2")
        .bind(credential.to_string())
        .bind(at(version))
        .execute(tx.conn())
        .await?;
    sqlx::query("UPDATE credentials SET version = $1 WHERE credential = $2")
        .bind(at(version))
        .bind(credential.to_string())
        .execute(tx.conn())
        .await?;
    Ok(())
}
