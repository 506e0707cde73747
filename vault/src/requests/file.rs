//! Filing: a touch that asks. Immutable from here on.

use audit::Event;
use quorum::Hash;
use quorum::decision;
use quorum::ids::{CredentialId, RequestId};
use quorum::statement::{Kind, Purpose, Request as Asked};
use serde::Deserialize;
use sqlx::{AnyConnection, Row};

use super::State;
use super::decide;
use super::store::{self, Filed};
use crate::app::App;
use crate::b64::Bytes;
use crate::convert::actor;
use crate::credentials::store as credentials;
use crate::error::{Error, Result};
use crate::people::store as people;
use crate::touch::{Signed, Touch, bad_statement};
use crate::who::Person;

/// A filing as sent.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SentFiling {
    signed: Signed,
    reason: String,
    salt: Bytes,
    #[serde(default)]
    poll: Option<String>,
}

/// Files a request; gives its id, code, seq and leaf.
pub async fn file(
    app: &App,
    who: &Person,
    sent: SentFiling,
) -> Result<(RequestId, String, u64, Hash)> {
    let touch = Touch::check(&app.ledger, who.user, &sent.signed).await?;
    let Kind::Request(asked) = touch.statement.kind.clone() else {
        return Err(bad_statement("it is no request"));
    };
    let poll = sent
        .poll
        .as_deref()
        .map(str::parse::<Hash>)
        .transpose()
        .map_err(|_| bad_statement("the terminal's link is not complete"))?;
    check_reason(&asked, &sent.reason, &sent.salt.0)?;
    may_ask(who, &asked)?;
    if asked.requester_name != who.name {
        return Err(bad_statement("it carries another name than yours"));
    }
    let (rosters, (), newest) = futures::try_join!(
        check_rosters(app, &asked, touch.authenticator, who),
        check_sealed(app, &asked),
        app.rosters.newest_key_event(&app.ledger)
    )?;
    let key = app.rosters.known_key(who.user, touch.authenticator, newest);
    let checked = key.is_some_and(|key| key.as_bytes()[..] == touch.public_key[..]);
    let (credential, version) = match &asked.purpose {
        Purpose::Release(r) => (Some(r.credential), Some(r.version)),
        Purpose::Target(t) => (Some(t.credential), None),
        _ => (None, None),
    };
    if let Purpose::Roster(r) = &asked.purpose {
        crate::safes::check_new_roster(app, asked.safe, &r.new).await?;
    }
    let request = asked.request;
    let code = super::code(request);
    let row_code = code.clone();
    let (filed, receipt) = app
        .ledger
        .write_of_nobody(move |tx| {
            Box::pin(async move {
                if let Some(rosters) = &rosters {
                    decide::still_in_force(tx.conn(), rosters).await?;
                    decision::check_filing(&asked, &rosters.named, &rosters.in_force, tx.now())
                        .map_err(not_filed)?;
                } else {
                    decision::check_founding(&asked, tx.now()).map_err(not_filed)?;
                }
                check_purpose(tx.conn(), &asked).await?;
                touch.spend(tx).await?;
                let mut links: Vec<&(dyn std::fmt::Display + Sync)> =
                    vec![&asked.request, &asked.safe, &touch.user];
                if let Some(c) = &credential {
                    links.push(c);
                }
                let done = tx.record(
                    actor(touch.user),
                    Event::RequestFiled(touch.signed()),
                    &links,
                )?;
                let row = Filed {
                    request: asked.request,
                    code: row_code,
                    state: State::Waiting,
                    requester: touch.user,
                    authenticator: touch.authenticator,
                    safe: asked.safe,
                    credential,
                    version,
                    statement: touch.bytes.clone(),
                    reason: Some(sent.reason),
                    salt: Some(sent.salt.0),
                    poll,
                    seq: done.seq(),
                    leaf: done.leaf(),
                    filed: done.time(),
                    expires: asked.expires,
                    open_until: None,
                    opened: None,
                    opened_at: None,
                    ends: None,
                    closed: None,
                    why: None,
                };
                store::add(tx.conn(), &row, asked.purpose.name()).await?;
                Ok(done.with(row))
            })
        })
        .await?;
    if checked {
        app.checked.filing(&filed);
    }
    Ok((request, code, receipt.seq(), receipt.leaf()))
}

fn not_filed(e: decision::FilingError) -> Error {
    Error::invalid(
        "Not asked.",
        format!("The rules refuse: {e}."),
        "Reload the page and ask again.",
    )
}

/// `reason_commitment = H("reason", salt || text)`; text and salt stay out of the ledger.
fn check_reason(asked: &Asked, reason: &str, salt: &[u8]) -> Result<()> {
    let length = reason.chars().count();
    if reason.trim().is_empty() || length > super::REASON {
        return Err(Error::invalid(
            "Not asked.",
            "A reason of 1 to 500 characters goes with every request.",
            "Say why in a sentence or two.",
        ));
    }
    if let Some(fault) = quorum::json::lines_fault(reason) {
        return Err(Error::invalid(
            "Not asked.",
            format!("The reason cannot be shown as it is: {fault}."),
            "Type it again, in plain text.",
        ));
    }
    if salt.len() != 32
        || quorum::labelled("reason", &[salt, reason.as_bytes()]) != asked.reason_commitment
    {
        return Err(bad_statement("the reason is not the one that was signed"));
    }
    Ok(())
}

/// Requesters ask for releases and access; custodians for everything else (FORMATS.md 4, "Who").
fn may_ask(who: &Person, asked: &Asked) -> Result<()> {
    let role = match asked.purpose {
        Purpose::Release(_) | Purpose::Access(_) => "requester",
        _ => "custodian",
    };
    if !who.is(role) {
        return Err(Error::forbidden(
            "Not asked.",
            format!("This needs the role {role}."),
            "Ask a custodian for the role, or ask somebody who has it.",
        ));
    }
    match asked.purpose {
        Purpose::Release(_) | Purpose::Roster(_) | Purpose::Target(_) => Ok(()),
        _ => Err(Error::invalid(
            "Not asked.",
            format!(
                "Requests of purpose {} are not served yet.",
                asked.purpose.name()
            ),
            "Use a release, a roster or a target request.",
        )),
    }
}

async fn check_rosters(
    app: &App,
    asked: &Asked,
    key: quorum::ids::AuthenticatorId,
    who: &Person,
) -> Result<Option<decide::Rosters>> {
    let probe = Filed {
        request: asked.request,
        code: String::new(),
        state: State::Waiting,
        requester: who.user,
        authenticator: key,
        safe: asked.safe,
        credential: None,
        version: None,
        statement: Vec::new(),
        reason: None,
        salt: None,
        poll: None,
        seq: 0,
        leaf: Hash([0; 32]),
        filed: 0,
        expires: asked.expires,
        open_until: None,
        opened: None,
        opened_at: None,
        ends: None,
        closed: None,
        why: None,
    };
    decide::rosters_of(app, &probe, asked).await
}

/// The version says what it was sealed as, in bytes that never change.
async fn check_sealed(app: &App, asked: &Asked) -> Result<()> {
    let Purpose::Release(release) = &asked.purpose else {
        return Ok(());
    };
    let pool = &app.ledger.db().pool;
    let envelope = credentials::envelope(pool, release.credential, release.version).await?;
    let header = envelope.header();
    if envelope.hash() != release.envelope || header.safe != asked.safe {
        return Err(not_the_sealed_one());
    }
    if header.sealed_as != release.sealed_as {
        return Err(bad_statement("it says something else than what was sealed"));
    }
    Ok(())
}

fn not_the_sealed_one() -> Error {
    bad_statement("it does not name the version that is sealed")
}

/// What the rows can say of it: the version is not replaced, the account is free, the safe is new.
async fn check_purpose(conn: &mut AnyConnection, asked: &Asked) -> Result<()> {
    match &asked.purpose {
        Purpose::Release(r) => {
            let sealed = credentials::state_of(conn, r.credential, r.version).await?;
            if sealed.hash != r.envelope || sealed.roster != asked.roster {
                return Err(not_the_sealed_one());
            }
            if sealed.state == "superseded" {
                return Err(Error::conflict(
                    "Not asked.",
                    "That version was replaced.",
                    "Reload the page and ask for the current one.",
                ));
            }
            Ok(())
        }
        Purpose::Roster(r) => {
            let known = sqlx::query("SELECT epoch FROM safes WHERE safe = $1")
                .bind(asked.safe.to_string())
                .fetch_optional(conn)
                .await?;
            match (known, r.new.epoch) {
                (None, 1) => Ok(()),
                (Some(row), epoch) if people::seq(row.try_get(0)?)? + 1 == epoch => Ok(()),
                _ => Err(Error::conflict(
                    "Not asked.",
                    "The roster has moved on meanwhile.",
                    "Reload the safe and propose the change again.",
                )),
            }
        }
        Purpose::Target(t) => {
            target_is_free(conn, asked, t.credential, &t.address, &t.account).await
        }
        _ => Ok(()),
    }
}

async fn target_is_free(
    conn: &mut AnyConnection,
    asked: &Asked,
    credential: CredentialId,
    address: &str,
    account: &str,
) -> Result<()> {
    let row = sqlx::query("SELECT safe FROM credentials WHERE credential = $1")
        .bind(credential.to_string())
        .fetch_optional(&mut *conn)
        .await?
        .ok_or_else(|| Error::missing("credential"))?;
    if row.try_get::<String, _>(0)? != asked.safe.to_string() {
        return Err(bad_statement("the credential is in another safe"));
    }
    let taken = sqlx::query("SELECT credential FROM targets WHERE server = $1 AND account = $2 AND live = 1 AND credential <> $3")
        .bind(crate::connectors::postgres::server(address).to_owned())
        .bind(account.to_owned())
        .bind(credential.to_string())
        .fetch_optional(conn)
        .await?;
    if taken.is_some() {
        Err(super::settle::already_bound())
    } else {
        Ok(())
    }
}
