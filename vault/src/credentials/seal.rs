//! Sealing a version: under a roster that was verified back to the safe's founding, in a tree that extends
//! the anchor. Nobody can read what was sealed without the quorum, the sealer included.

use std::collections::BTreeSet;

use audit::Event;
use audit::event::{Origin, VersionSealed};
use quorum::ids::CredentialId;
use quorum::secret::{self, Plaintext, SealedAs};

use super::store::{self, Credential, NewVersion};
use crate::app::App;
use crate::convert::{Audited, audit_hash};
use crate::error::{Error, Result};
use crate::ledger::{Recorded, Tx};
use crate::people::store::{self as people, at};
use crate::rotation::bindings;
use crate::rotation::targets::Target;
use crate::safes::rosters::{self, unproved};

/// Seals `plaintext` as the next version of `credential`, of what lives at `target` where it is bound. Nothing is stored yet.
pub async fn next(
    app: &App,
    credential: &Credential,
    target: Option<&Target>,
    plaintext: Plaintext,
    origin: &'static str,
) -> Result<NewVersion> {
    // A rolled-back database would hand us an old roster: its tree must extend the anchor first.
    app.ledger.check_extends().await?;
    is_as_entered(app, credential, target).await?;
    let roster = app.rosters.in_force(&app.ledger, credential.safe).await?;
    rosters::rows_agree(&app.ledger, &roster).await?;
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

/// Refuses to seal by a row that is not what the ledger says: people will be asked by the name, the kind and the target that are
/// sealed now, and the safe's quorum will open it. What no entry says yet is the row's to say: the name and kind of a first version.
async fn is_as_entered(app: &App, credential: &Credential, target: Option<&Target>) -> Result<()> {
    let id = credential.credential;
    let checkpoint = app.ledger.checkpoint().await?;
    let trust = rosters::trust(&app.ledger, &checkpoint).await?;
    let under = (&trust, &checkpoint);
    let home = bindings::home(app, id, under).await?;
    let chosen = target.map(Target::safe).or(home);
    if chosen.is_some_and(|safe| safe != credential.safe)
        || home.is_some_and(|safe| Some(safe) != chosen)
    {
        return Err(unproved("a credential's row names another safe"));
    }
    if credential.target != target.map(Target::id)
        || target.is_none() && bindings::is_bound(app, id).await?
    {
        return Err(unproved("a credential's row names another target"));
    }
    let Some(last) = bindings::last_sealed(app, id, under).await? else {
        return match credential.sealed {
            0 => Ok(()),
            _ => Err(unproved(
                "a credential's row counts versions that nobody sealed",
            )),
        };
    };
    if last.version > credential.sealed {
        return Err(sealed_meanwhile());
    }
    let before = store::envelope(&app.ledger.db().pool, id, credential.sealed).await?;
    let header = &before.header().sealed_as;
    if last.version != credential.sealed || last.envelope != before.hash() {
        return Err(unproved(
            "a credential's last version is not the one that was sealed",
        ));
    }
    if header.name != credential.name || header.kind.as_str() != credential.kind {
        return Err(unproved(
            "a credential's row has another name or kind than its last version",
        ));
    }
    Ok(())
}

fn sealed_meanwhile() -> Error {
    Error::conflict(
        "Not sealed.",
        "Another version was sealed meanwhile.",
        "Try again.",
    )
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
        return Err(sealed_meanwhile());
    }
    if (now.safe, &now.name, &now.kind) != (credential.safe, &credential.name, &credential.kind) {
        return Err(unproved("a credential's row was changed"));
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
    // The roster was verified before: a key may have ended since, and none that ended is given a share, whatever made us miss it.
    let keys: BTreeSet<_> = v.shares.iter().map(|s| s.authenticator).collect();
    let lives = people::lives(tx.conn(), &keys).await?;
    let ended = |key| {
        lives
            .get(key)
            .is_none_or(|life| life.revoked_before(tx.next_seq()))
    };
    if keys.iter().any(ended) {
        return Err(Error::conflict(
            "Not sealed.",
            "A key of the roster was revoked meanwhile.",
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
