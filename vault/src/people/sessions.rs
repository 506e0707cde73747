//! Sessions: opaque 256-bit ids, hashed at rest, listed and revocable; and the pre-sessions that
//! carry a server-drawn nonce to one login, registration or proof.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use quorum::Hash;
use quorum::ids::UserId;
use sqlx::{Any, Executor, Row};

use super::store::{User, id, roles_of, seq};
use crate::clock::SECOND;
use crate::error::{Error, Result};
use crate::ledger::{Ledger, hash};

/// Without activity a session ends after this (DESIGN: idle 15 minutes).
pub const IDLE: i64 = 15 * 60 * SECOND;
/// Any session, at most. A terminal's has no other end.
pub const LONGEST: i64 = 12 * 3600 * SECOND;
/// A server-drawn nonce lives this long (FORMATS.md 4).
pub const NONCE: i64 = 5 * 60 * SECOND;

/// A bearer token: 32 random bytes. Wiped on drop; only its hash is stored.
pub struct Token(zeroize::Zeroizing<[u8; 32]>);

impl Token {
    /// Draws a new one from the operating system.
    pub fn draw() -> Result<Token> {
        Ok(Token(zeroize::Zeroizing::new(random()?)))
    }

    /// A token that came in.
    pub fn from_text(text: &str) -> Option<Token> {
        let bytes = zeroize::Zeroizing::new(crate::b64::decode(text)?);
        <[u8; 32]>::try_from(bytes.as_slice())
            .ok()
            .map(|b| Token(zeroize::Zeroizing::new(b)))
    }

    /// The text for a cookie or a file. Leaves the process; never logged.
    pub fn expose(&self) -> zeroize::Zeroizing<String> {
        zeroize::Zeroizing::new(crate::b64::encode(self.0.as_slice()))
    }

    /// What is stored, under a label of its own.
    pub fn digest(&self, label: &str) -> Hash {
        quorum::labelled(label, &[self.0.as_slice()])
    }
}

/// 32 bytes from the operating system.
pub fn random() -> Result<[u8; 32]> {
    let mut bytes = [0; 32];
    aws_lc_rs::rand::fill(&mut bytes).map_err(|_| Error::internal("no random numbers"))?;
    Ok(bytes)
}

/// A signed-in person's session.
#[derive(Clone, Debug)]
pub struct Session {
    /// Public id, for listing and ending it.
    pub session: String,
    /// Whose.
    pub user: UserId,
    /// Key that signed in.
    pub authenticator: String,
    /// Browser or terminal, as it called itself.
    pub agent: String,
    /// Of a terminal.
    pub terminal: bool,
    /// Since.
    pub created: i64,
    /// Last activity.
    pub seen: i64,
}

impl Session {
    /// Not over by its longest time, nor, of a browser, by its idle time.
    pub fn live(&self, now: i64) -> bool {
        now < self.created + LONGEST && (self.terminal || now < self.seen + IDLE)
    }
}

/// What a pre-session was made for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// Signing in.
    Login,
    /// Accepting an invitation.
    Join,
    /// Adding a key of one's own.
    Key,
    /// Reading the PRF.
    Prove,
}

impl Purpose {
    fn as_str(self) -> &'static str {
        match self {
            Purpose::Login => "login",
            Purpose::Join => "join",
            Purpose::Key => "key",
            Purpose::Prove => "prove",
        }
    }
}

/// A pre-session's row.
pub struct Pre {
    /// The nonce that the statement must carry.
    pub nonce: [u8; 32],
    /// For whom, where that is known.
    pub user: Option<UserId>,
    /// Hash of the box's content, once one was sealed.
    pub box_digest: Option<Hash>,
    /// Share key that the box was sealed to.
    pub share_key: Option<Vec<u8>>,
}

/// Makes a session and hands back its token.
pub async fn begin(
    ledger: &Ledger,
    user: UserId,
    authenticator: &str,
    agent: &str,
    terminal: bool,
) -> Result<Token> {
    let token = Token::draw()?;
    let (id, now) = (token.digest("session"), ledger.clock().now());
    let session = uuid::Uuid::now_v7().to_string();
    let (authenticator, agent) = (
        authenticator.to_owned(),
        agent
            .chars()
            .filter(|c| !c.is_control())
            .take(120)
            .collect::<String>(),
    );
    ledger
        .aside(move |tx| {
            Box::pin(async move {
                sqlx::query("DELETE FROM sessions WHERE (terminal = 0 AND seen < $1) OR created < $2")
                    .bind(now - IDLE)
                    .bind(now - LONGEST)
                    .execute(tx.conn())
                    .await?;
                sqlx::query("INSERT INTO sessions (id, session, user_id, authenticator, agent, terminal, created, seen) VALUES ($1, $2, $3, $4, $5, $6, $7, $8)")
                    .bind(id.0.to_vec())
                    .bind(session)
                    .bind(user.to_string())
                    .bind(authenticator)
                    .bind(agent)
                    .bind(i64::from(terminal))
                    .bind(now)
                    .bind(now)
                    .execute(tx.conn())
                    .await?;
                Ok(())
            })
        })
        .await?;
    Ok(token)
}

/// Who was signed in when last asked. An answer holds while no row has changed since it was read (`Ledger::changes`), so that an
/// ended session or a revoked key ends at once; where other nodes change rows too, every call asks again. In memory alone:
/// whoever alters it could be anybody, and has our memory already.
#[derive(Clone, Default)]
pub struct Seen {
    held: Arc<Mutex<HashMap<Hash, Answer>>>,
}

/// The number of changes under which it was read, and what was read.
type Answer = (u64, Session, User);

impl Seen {
    const MOST: usize = 4096;

    fn of(&self, digest: &Hash, changes: u64) -> Option<(Session, User)> {
        let held = self.held.lock().ok()?;
        let (at, session, user) = held.get(digest)?;
        (*at == changes).then(|| (session.clone(), user.clone()))
    }

    fn keep(&self, digest: Hash, changes: u64, session: &Session, user: &User) {
        if let Ok(mut held) = self.held.lock() {
            if held.len() >= Seen::MOST {
                held.clear();
            }
            held.insert(digest, (changes, session.clone(), user.clone()));
        }
    }
}

/// Who a token signs in: the live session, the person, and a key that still signs. Activity moves the idle end, written at
/// most once a minute.
pub async fn of(ledger: &Ledger, seen: &Seen, token: &Token) -> Result<Option<(Session, User)>> {
    let found = live(ledger, seen, token).await?;
    if let Some((session, _)) = &found {
        active(ledger, token, session).await?;
    }
    Ok(found)
}

/// Moves the idle end of a session, written at most once a minute.
pub async fn active(ledger: &Ledger, token: &Token, session: &Session) -> Result<()> {
    let (digest, now) = (token.digest("session"), ledger.clock().now());
    if now - session.seen <= 60 * SECOND {
        return Ok(());
    }
    ledger
        .aside(move |tx| {
            Box::pin(async move {
                sqlx::query("UPDATE sessions SET seen = $1 WHERE id = $2")
                    .bind(now)
                    .bind(digest.0.to_vec())
                    .execute(tx.conn())
                    .await?;
                Ok(())
            })
        })
        .await
}

/// As `of`, without being activity.
pub async fn live(ledger: &Ledger, seen: &Seen, token: &Token) -> Result<Option<(Session, User)>> {
    let (digest, now) = (token.digest("session"), ledger.clock().now());
    let changes = ledger.changes(); // before the rows are read
    let held = changes.and_then(|changes| seen.of(&digest, changes));
    let found = match held {
        Some(held) => Some(held),
        None => read_with_user(ledger, &digest).await?,
    };
    let Some((session, user)) = found.filter(|(s, _)| s.live(now)) else {
        return Ok(None);
    };
    if let Some(changes) = changes {
        seen.keep(digest, changes, &session, &user);
    }
    Ok(Some((session, user)))
}

async fn read_with_user(ledger: &Ledger, digest: &Hash) -> Result<Option<(Session, User)>> {
    let row = sqlx::query(
        "SELECT s.session, s.user_id, s.authenticator, s.agent, s.terminal, s.created, s.seen, \
         u.name, u.roles, u.invited FROM sessions s JOIN users u ON u.user_id = s.user_id \
         JOIN authenticators a ON a.authenticator = s.authenticator AND a.user_id = s.user_id \
         WHERE s.id = $1 AND a.revoked IS NULL AND a.suspended IS NULL",
    )
    .bind(digest.0.to_vec())
    .fetch_optional(&ledger.db().pool)
    .await?;
    let Some(row) = row else { return Ok(None) };
    let session = read(&row)?;
    let user = User {
        user: session.user,
        name: row.try_get(7)?,
        roles: roles_of(&row.try_get::<String, _>(8)?),
        invitation: None,
        expires: None,
        invited: seq(row.try_get(9)?)?,
    };
    Ok(Some((session, user)))
}

/// Somebody's sessions, newest first.
pub async fn list<'e>(e: impl Executor<'e, Database = Any>, user: UserId) -> Result<Vec<Session>> {
    let rows = sqlx::query("SELECT session, user_id, authenticator, agent, terminal, created, seen FROM sessions WHERE user_id = $1 ORDER BY created DESC")
        .bind(user.to_string())
        .fetch_all(e)
        .await?;
    rows.iter().map(read).collect()
}

fn read(row: &sqlx::any::AnyRow) -> Result<Session> {
    Ok(Session {
        session: row.try_get(0)?,
        user: id(&row.try_get::<String, _>(1)?)?,
        authenticator: row.try_get(2)?,
        agent: row.try_get(3)?,
        terminal: row.try_get::<i64, _>(4)? != 0,
        created: row.try_get(5)?,
        seen: row.try_get(6)?,
    })
}

/// Ends one session of `user`; by its public id.
pub async fn end(ledger: &Ledger, user: UserId, session: String) -> Result<bool> {
    ledger
        .aside(move |tx| {
            Box::pin(async move {
                let done = sqlx::query("DELETE FROM sessions WHERE session = $1 AND user_id = $2")
                    .bind(session)
                    .bind(user.to_string())
                    .execute(tx.conn())
                    .await?;
                Ok(done.rows_affected() == 1)
            })
        })
        .await
}

/// Pre-sessions of one sort that may wait at once.
const WAITING: i64 = 10_000;

/// Draws a nonce into a pre-session: single use, five minutes.
pub async fn prepare(
    ledger: &Ledger,
    purpose: Purpose,
    user: Option<UserId>,
) -> Result<(Token, [u8; 32])> {
    let (token, nonce, now) = (Token::draw()?, random()?, ledger.clock().now());
    let id = token.digest("pre-session");
    ledger
        .aside(move |tx| {
            Box::pin(async move {
                sqlx::query("DELETE FROM presessions WHERE expires <= $1").bind(now).execute(tx.conn()).await?;
                // Anybody may ask for one: the oldest of a sort give way, so that nobody is locked out by somebody who asks much.
                sqlx::query("DELETE FROM presessions WHERE id IN (SELECT id FROM presessions WHERE purpose = $1 ORDER BY expires DESC LIMIT 1000 OFFSET $2)")
                    .bind(purpose.as_str())
                    .bind(WAITING)
                    .execute(tx.conn())
                    .await?;
                sqlx::query("INSERT INTO presessions (id, purpose, nonce, user_id, expires) VALUES ($1, $2, $3, $4, $5)")
                    .bind(id.0.to_vec())
                    .bind(purpose.as_str())
                    .bind(nonce.to_vec())
                    .bind(user.map(|u| u.to_string()))
                    .bind(now + NONCE)
                    .execute(tx.conn())
                    .await?;
                Ok(())
            })
        })
        .await?;
    Ok((token, nonce))
}

/// Reads a live pre-session without using it.
pub async fn peek(ledger: &Ledger, token: &Token, purpose: Purpose) -> Result<Pre> {
    let row = sqlx::query("SELECT nonce, user_id, box, share_key FROM presessions WHERE id = $1 AND purpose = $2 AND expires > $3")
        .bind(token.digest("pre-session").0.to_vec())
        .bind(purpose.as_str())
        .bind(ledger.clock().now())
        .fetch_optional(&ledger.db().pool)
        .await?
        .ok_or_else(stale)?;
    pre(&row)
}

/// Uses a pre-session up. Of two callers one gets it.
pub async fn take(ledger: &Ledger, token: &Token, purpose: Purpose) -> Result<Pre> {
    let pre = peek(ledger, token, purpose).await?;
    let id = token.digest("pre-session");
    let gone = ledger
        .aside(move |tx| {
            Box::pin(async move {
                Ok(sqlx::query("DELETE FROM presessions WHERE id = $1")
                    .bind(id.0.to_vec())
                    .execute(tx.conn())
                    .await?
                    .rows_affected())
            })
        })
        .await?;
    if gone == 1 { Ok(pre) } else { Err(stale()) }
}

/// Remembers what a box holds and which share key it was sealed to.
pub async fn remember_box(
    ledger: &Ledger,
    token: &Token,
    content: Hash,
    share_key: Vec<u8>,
) -> Result<()> {
    let id = token.digest("pre-session");
    ledger
        .aside(move |tx| {
            Box::pin(async move {
                sqlx::query("UPDATE presessions SET box = $1, share_key = $2 WHERE id = $3")
                    .bind(content.0.to_vec())
                    .bind(share_key)
                    .bind(id.0.to_vec())
                    .execute(tx.conn())
                    .await?;
                Ok(())
            })
        })
        .await
}

fn pre(row: &sqlx::any::AnyRow) -> Result<Pre> {
    let nonce: Vec<u8> = row.try_get(0)?;
    Ok(Pre {
        nonce: <[u8; 32]>::try_from(nonce.as_slice()).map_err(Error::internal)?,
        user: row
            .try_get::<Option<String>, _>(1)?
            .map(|u| id(&u))
            .transpose()?,
        box_digest: row
            .try_get::<Option<Vec<u8>>, _>(2)?
            .map(|h| hash(&h))
            .transpose()?,
        share_key: row.try_get(3)?,
    })
}

fn stale() -> Error {
    Error::conflict(
        "Nothing was done.",
        "This page waited too long, or was used already.",
        "Reload the page and try again.",
    )
}
