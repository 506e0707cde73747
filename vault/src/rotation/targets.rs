//! Targets: drafts with their service login, and the signed binding that a rotation follows.
//!
//! A row finds a target; what is acted on is a `VerifiedTarget`: the `target.set` entry with the m signatures behind it (promise
//! P12, `p12_a_forged_target_set_is_not_followed`).
//! The login's password is made here and wrapped by the service token: a thief of database and HSM login has it, and
//! can take the listed accounts, loudly; he can read nothing that is sealed.

use std::sync::Arc;
use std::time::Duration;

use quorum::Hash;
use quorum::ids::{CredentialId, SafeId, TargetId};
use quorum::roster::VerifiedTarget;
use quorum::secret::generate::{Policy, generate};
use quorum::statement::Pin;
use sqlx::Row;

use crate::app::App;
use crate::connectors::install::{self, Binding};
use crate::connectors::postgres::{self, Login, Place, Session};
use crate::connectors::{TargetError, scram};
use crate::credentials::store::Credential;
use crate::error::{Error, Result, Words};
use crate::people::store::{id, seq, sql};
use crate::safes::rosters::unproved;

use super::bindings;

/// A target that a quorum signed for, with Vitrine's login there. Only [`signed`] makes one, and nothing but one is followed.
#[derive(Clone)]
pub struct Target {
    verified: Arc<VerifiedTarget>,
    /// Whose password.
    pub account: String,
    login_name: String,
    login: Vec<u8>,
}

impl Target {
    /// Its id.
    pub fn id(&self) -> TargetId {
        self.verified.target()
    }

    /// The safe whose quorum chose it.
    pub fn safe(&self) -> SafeId {
        self.verified.safe()
    }
}

/// A target's row: a draft, or what says where the binding is entered. No authority.
#[derive(Clone)]
pub struct Draft {
    /// Id.
    target: TargetId,
    pub(super) credential: CredentialId,
    connector: String,
    /// Where.
    pub address: String,
    /// Whose password.
    pub account: String,
    pin: String,
    /// Vitrine's own login.
    pub login_name: String,
    login: Vec<u8>,
    verifier: String,
    seq: Option<u64>,
}

const TARGET: &str = "SELECT target, credential, connector, address, account, pin, login_name, login, verifier, seq FROM targets";

fn read(r: &sqlx::any::AnyRow) -> Result<Draft> {
    Ok(Draft {
        target: id(&r.try_get::<String, _>(0)?)?,
        credential: id(&r.try_get::<String, _>(1)?)?,
        connector: r.try_get(2)?,
        address: r.try_get(3)?,
        account: r.try_get(4)?,
        pin: r.try_get(5)?,
        login_name: r.try_get(6)?,
        login: r.try_get(7)?,
        verifier: r.try_get(8)?,
        seq: r.try_get::<Option<i64>, _>(9)?.map(seq).transpose()?,
    })
}

/// What a login is wrapped with: everything that a draft says. A row that was changed has no login, and an administrator is given
/// no SQL by it (`p12_a_changed_draft_gives_no_sql`).
fn aad(
    (target, credential): (TargetId, CredentialId),
    connector: &str,
    (address, account): (&str, &str),
    pin: &str,
) -> Hash {
    let parts = [connector, address, account, pin].map(str::as_bytes);
    let [connector, address, account, pin] = parts;
    quorum::labelled(
        "target login",
        &[
            target.as_bytes(),
            credential.as_bytes(),
            connector,
            address,
            account,
            pin,
        ],
    )
}

impl Draft {
    fn aad(&self) -> Hash {
        aad(
            (self.target, self.credential),
            &self.connector,
            (&self.address, &self.account),
            &self.pin,
        )
    }
}

/// Drafts a target and makes its service login. Nothing is bound until m approvers have signed.
pub async fn draft(
    app: &App,
    credential: &Credential,
    connector: &str,
    address: &str,
    account: &str,
    pin: &str,
) -> Result<(TargetId, String)> {
    let refused = |why: String| {
        Error::invalid(
            "No target was drafted.",
            why,
            "Mend the form and try again.",
        )
    };
    if connector != postgres::NAME {
        return Err(refused(format!(
            "There is no connector {connector:?}; this Vitrine has postgresql."
        )));
    }
    if credential.kind != "password" {
        return Err(refused("Only a password is rotated at PostgreSQL.".into()));
    }
    if address.chars().count() > 200 || !quorum::json::is_clean(address) {
        return Err(refused("An address has 1 to 200 characters.".into()));
    }
    if !quorum::json::is_clean(account) {
        return Err(refused(
            "The role's name has signs that cannot be signed.".into(),
        ));
    }
    postgres::check_account(account)
        .map_err(|e| refused(format!("The role is not right: {e}.")))?;
    let parsed: Pin = pin
        .parse()
        .map_err(|e| refused(format!("The pin is {e}.")))?;
    Place::parse(address, parsed)
        .map_err(|e| refused(format!("The address is not right: {e}.")))?;
    refuse_bound(app, credential.credential, address, account).await?;
    let target = TargetId::from_uuid_bytes(*uuid::Uuid::now_v7().as_bytes());
    let password = generate(&Policy::default()).map_err(Error::internal)?;
    let (verifier, password) =
        tokio::task::spawn_blocking(move || (scram::verifier(password.expose()), password))
            .await
            .map_err(Error::internal)?;
    let verifier = verifier.map_err(Error::internal)?;
    let mut row = Draft {
        target,
        credential: credential.credential,
        connector: connector.to_owned(),
        address: address.to_owned(),
        account: account.to_owned(),
        pin: pin.to_owned(),
        login_name: install::login_name(target),
        login: Vec::new(),
        verifier,
        seq: None,
    };
    row.login = app.keys.wrap_login(&row.aad().0, password).await?;
    let sql = script(app, &row).await?;
    app.ledger
        .aside(move |tx| {
            Box::pin(async move {
                sqlx::query(
                    "INSERT INTO targets (target, credential, connector, address, account, pin, login_name, login, verifier, server, live) \
                     VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, 0)",
                )
                .bind(row.target.to_string())
                .bind(row.credential.to_string())
                .bind(row.connector)
                .bind(row.address.clone())
                .bind(row.account)
                .bind(row.pin)
                .bind(row.login_name)
                .bind(row.login)
                .bind(row.verifier)
                .bind(postgres::server(&row.address).to_owned())
                .execute(tx.conn())
                .await?;
                Ok(())
            })
        })
        .await?;
    Ok((target, sql))
}

/// (target, account) belongs to one credential, whichever database of the server its address names: said before an administrator is asked to run anything.
async fn refuse_bound(
    app: &App,
    credential: CredentialId,
    address: &str,
    account: &str,
) -> Result<()> {
    let bound = sqlx::query("SELECT credential FROM targets WHERE server = $1 AND account = $2 AND live = 1 AND credential <> $3")
        .bind(postgres::server(address).to_owned())
        .bind(account.to_owned())
        .bind(credential.to_string())
        .fetch_optional(&app.ledger.db().pool)
        .await?;
    if bound.is_some() {
        Err(crate::requests::settle::already_bound())
    } else {
        Ok(())
    }
}

/// The script for a target's administrator. It takes away the logins of this credential's drafts and bindings that
/// are out of use.
async fn script(app: &App, t: &Draft) -> Result<String> {
    let rows = sqlx::query(
        "SELECT target FROM targets WHERE credential = $1 AND target <> $2 AND live = 0 AND address = $3 ORDER BY target",
    )
    .bind(t.credential.to_string())
    .bind(t.target.to_string())
    .bind(t.address.clone())
    .fetch_all(&app.ledger.db().pool)
    .await?;
    let former: Vec<String> = rows
        .iter()
        .map(|r| Ok(install::login_name(id(&r.try_get::<String, _>(0)?)?)))
        .collect::<Result<_>>()?;
    Ok(install::sql(&Binding {
        login: &t.login_name,
        credential: t.credential,
        address: &t.address,
        database: &place_of(t)?.database,
        account: &t.account,
        verifier: &t.verifier,
        former: &former,
    }))
}

/// The administrator's SQL of a draft, again.
pub async fn sql_of(app: &App, target: TargetId) -> Result<String> {
    let row = sqlx::query(sql!(TARGET, " WHERE target = $1"))
        .bind(target.to_string())
        .fetch_optional(&app.ledger.db().pool)
        .await?;
    let t = row
        .as_ref()
        .map(read)
        .transpose()?
        .ok_or_else(|| Error::missing("target"))?;
    // The row is no authority for what an administrator installs: a verifier put there would let its owner in, and another
    // account would be listed for our login.
    let password = app.keys.unwrap_login(&t.aad().0, &t.login).await?;
    let verifier = t.verifier.clone();
    let fits = tokio::task::spawn_blocking(move || scram::fits(&verifier, password.expose()))
        .await
        .map_err(Error::internal)?;
    if !fits || t.login_name != install::login_name(t.target) {
        return Err(unproved("a target's login is not the one that was made"));
    }
    script(app, &t).await
}

/// The rows of bound targets.
pub async fn live(app: &App) -> Result<Vec<Draft>> {
    let rows = sqlx::query(sql!(TARGET, " WHERE live = 1 ORDER BY address, account"))
        .fetch_all(&app.ledger.db().pool)
        .await?;
    rows.iter().map(read).collect()
}

/// The credential's bound target: that of the `target.set` that its row points at, checked back to the quorum that signed
/// for it. A row that says something else, or points at an entry that no quorum signed for, is refused, and nothing is
/// said to anybody (promise P12).
pub async fn signed(app: &App, credential: CredentialId) -> Result<Target> {
    let pool = &app.ledger.db().pool;
    let row = sqlx::query(sql!(TARGET, " WHERE credential = $1 AND live = 1"))
        .bind(credential.to_string())
        .fetch_optional(pool)
        .await?;
    let draft = row
        .as_ref()
        .map(read)
        .transpose()?
        .ok_or_else(|| Error::missing("target"))?;
    let place = draft
        .seq
        .ok_or_else(|| unproved("a bound target has no entry"))?;
    let set = bindings::verified(app, place).await?;
    let same = set.credential() == credential
        && set.account() == draft.account
        && set.address() == draft.address
        && set.connector() == draft.connector
        && set.pin().to_string() == draft.pin
        && set.target() == draft.target;
    if !same {
        return Err(unproved("a target's row was changed"));
    }
    // What is rotated in is sealed for the credential's safe: it must be the one whose quorum chose the target.
    let home = sqlx::query("SELECT safe FROM credentials WHERE credential = $1")
        .bind(credential.to_string())
        .fetch_one(pool)
        .await?;
    if home.try_get::<String, _>(0)? != set.safe().to_string() {
        return Err(unproved("a credential's row names another safe"));
    }
    // The newest binding of this credential, not one that was replaced since.
    let newer = sqlx::query("SELECT l.seq FROM ledger_links l JOIN ledger_entries e ON e.seq = l.seq WHERE l.subject = $1 AND e.event = 'target.set' AND e.seq > $2")
        .bind(credential.to_string())
        .bind(crate::people::store::at(place))
        .fetch_optional(pool)
        .await?;
    if newer.is_some() {
        return Err(unproved(
            "a target's row points at a binding that was replaced",
        ));
    }
    if draft.login_name != install::login_name(set.target()) {
        return Err(unproved("a target's login is not the one that was made"));
    }
    Ok(Target {
        account: set.account().to_owned(),
        verified: set,
        login_name: draft.login_name,
        login: draft.login,
    })
}

/// Where a draft says that a target is.
fn place_of(draft: &Draft) -> Result<Place> {
    let pin: Pin = draft
        .pin
        .parse()
        .map_err(|_| unproved("a target's pin is no pin"))?;
    Place::parse(&draft.address, pin).map_err(unproved)
}

/// Where a target is.
pub fn place(target: &Target) -> Result<Place> {
    let set = &target.verified;
    if set.connector() != postgres::NAME {
        return Err(unproved("a target has a connector that is not here"));
    }
    Place::parse(set.address(), set.pin()).map_err(unproved)
}

/// A conversation as Vitrine's own login.
pub async fn session(app: &App, target: &Target) -> Result<Session> {
    let set = &target.verified;
    let aad = aad(
        (set.target(), set.credential()),
        set.connector(),
        (set.address(), set.account()),
        &set.pin().to_string(),
    );
    let password = app.keys.unwrap_login(&aad.0, &target.login).await?;
    let login = Login {
        name: &target.login_name,
        password: password.expose(),
    };
    postgres::connect(&place(target)?, &login, deadline(app))
        .await
        .map_err(|e| refused(&e))
}

/// As [`session`], with the target that a row is about once it was checked.
pub async fn session_of(app: &App, row: &Draft) -> Result<Session> {
    session(app, &signed(app, row.credential).await?).await
}

/// How long one conversation may take.
pub fn deadline(app: &App) -> Duration {
    Duration::from_secs(app.config.rotation.deadline_s.clamp(1, 60))
}

/// A target's refusal as an error of the service.
pub fn refused(e: &TargetError) -> Error {
    Error::Down(
        Words::new(
            "Not changed.",
            format!("{e}."),
            "Run `vitrine doctor`; it will be tried again.",
        ),
        e.to_string(),
    )
}
