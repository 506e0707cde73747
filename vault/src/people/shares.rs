//! One's own shares, for a further key of one's own: its owner's page opens them with a key in hand and seals them to the new one
//! (DESIGN.md 5). Share envelopes lie beside the version and are replaceable; whoever writes nonsense here has a key that opens
//! nothing, and each share is checked against its commitment where it is used.

use actix_web::{HttpResponse, web};
use quorum::ids::{AuthenticatorId, CredentialId, UserId};
use serde::Deserialize;
use serde_json::{Value, json};
use sqlx::{Any, AnyConnection, Executor, Row};

use super::store::{self, at};
use crate::app::App;
use crate::b64::{self, Bytes};
use crate::error::{Error, Result};
use crate::http::ok;
use crate::who::Person;

/// An HPKE message that carries a share.
const SEALED: usize = 80;

/// Every share of one's own that a live key of one's own opens, with the envelope that commits to it.
pub(super) async fn list(app: web::Data<App>, who: Person) -> Result<HttpResponse> {
    ok(json!({ "shares": of(&app.ledger.db().pool, who.user).await? }))
}

async fn of<'e>(e: impl Executor<'e, Database = Any>, user: UserId) -> Result<Vec<Value>> {
    let rows = sqlx::query(
        "SELECT s.credential, s.version, s.authenticator, a.credential_id, s.x, s.sealed, v.envelope FROM shares s \
         JOIN authenticators a ON a.authenticator = s.authenticator AND a.user_id = s.approver \
         JOIN versions v ON v.credential = s.credential AND v.version = s.version \
         WHERE s.approver = $1 AND a.revoked IS NULL AND a.suspended IS NULL AND v.seq IS NOT NULL AND v.state <> 'superseded' \
         ORDER BY s.credential, s.version",
    )
    .bind(user.to_string())
    .fetch_all(e)
    .await?;
    rows.iter()
        .map(|row| {
            Ok(json!({
                "credential": row.try_get::<String, _>(0)?, "version": row.try_get::<i64, _>(1)?,
                "approver": user.to_string(), "authenticator": row.try_get::<String, _>(2)?,
                "credential_id": b64::encode(&row.try_get::<Vec<u8>, _>(3)?), "x": row.try_get::<i64, _>(4)?,
                "sealed": b64::encode(&row.try_get::<Vec<u8>, _>(5)?),
                "envelope": String::from_utf8(row.try_get(6)?).map_err(Error::internal)?,
            }))
        })
        .collect()
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Sent {
    shares: Vec<Share>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Share {
    credential: String,
    version: u64,
    sealed: Bytes,
}

/// Keeps shares that their owner sealed to a further key. What is there already stays as it is.
pub(super) async fn add(
    app: web::Data<App>,
    who: Person,
    key: web::Path<String>,
    body: web::Json<Sent>,
) -> Result<HttpResponse> {
    let shares = body.into_inner().shares;
    if shares.is_empty() || shares.iter().any(|s| s.sealed.0.len() != SEALED) {
        return Err(Error::invalid(
            "Nothing was kept.",
            "There is no sealed share, or one has another length.",
            "Reload the page and add the key again.",
        ));
    }
    let key: AuthenticatorId = key.parse().map_err(|_| Error::missing("key"))?;
    let held = store::key_by_id(&app.ledger.db().pool, key)
        .await?
        .filter(|k| k.user == who.user)
        .ok_or_else(|| Error::missing("key"))?;
    held.must_be_live()?;
    if held.share_key.is_none() {
        return Err(Error::conflict(
            "Nothing was kept.",
            "That key can hold no share.",
            "Seal them to a key that has the PRF.",
        ));
    }
    let (user, sent) = (who.user, shares.len());
    let kept = app
        .ledger
        .aside(move |tx| {
            Box::pin(async move {
                let mut kept = 0;
                for share in shares {
                    let credential =
                        store::id(&share.credential).map_err(|_| Error::missing("credential"))?;
                    kept += keep(tx.conn(), user, key, credential, &share).await?;
                }
                Ok(kept)
            })
        })
        .await?;
    ok(json!({ "sent": sent, "kept": kept }))
}

/// The place is the one that another key of the same person has in that version: nobody gets a share who had none. Only of a
/// version that is in the ledger: an import that waits for its signature names exactly the roster's keys.
async fn keep(
    c: &mut AnyConnection,
    user: UserId,
    key: AuthenticatorId,
    credential: CredentialId,
    share: &Share,
) -> Result<u64> {
    let done = sqlx::query(
        "INSERT INTO shares (credential, version, approver, authenticator, x, sealed) \
         SELECT credential, version, approver, $1, MIN(x), $2 FROM shares WHERE credential = $3 AND version = $4 AND approver = $5 \
         AND EXISTS (SELECT 1 FROM versions v WHERE v.credential = $3 AND v.version = $4 AND v.seq IS NOT NULL) \
         GROUP BY credential, version, approver ON CONFLICT DO NOTHING",
    )
    .bind(key.to_string())
    .bind(share.sealed.0.clone())
    .bind(credential.to_string())
    .bind(at(share.version))
    .bind(user.to_string())
    .execute(c)
    .await?;
    Ok(done.rows_affected())
}
