//! A request as people watch it: who has signed, who is asked, what may happen next. Small JSON, also sent
//! as server-sent events.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Mutex};

use quorum::ids::{RequestId, UserId};
use quorum::statement::{Purpose, Request as Asked};
use serde::Serialize;

use super::State;
use super::decide::Rosters;
use super::store::{self, Filed, Said};
use crate::app::App;
use crate::error::Result;
use crate::safes::store as safes;

/// Who has an approval page open now. Never stored, never guessed.
#[derive(Clone, Default)]
pub struct Presence {
    reading: Arc<Mutex<HashMap<(RequestId, UserId), i64>>>,
}

impl Presence {
    /// `user` reads `request` now.
    pub fn seen(&self, request: RequestId, user: UserId, now: i64) {
        if let Ok(mut reading) = self.reading.lock() {
            reading.retain(|_, at| *at > now - 20 * crate::clock::SECOND);
            reading.insert((request, user), now);
        }
    }

    fn reads(&self, request: RequestId, user: UserId, now: i64) -> bool {
        self.reading.lock().is_ok_and(|r| {
            r.get(&(request, user))
                .is_some_and(|at| *at > now - 20 * crate::clock::SECOND)
        })
    }
}

/// One person in the picture.
#[derive(Serialize, Clone, Debug)]
pub struct Signer {
    /// Id.
    pub user: String,
    /// Name.
    pub name: String,
    /// When they signed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub time: Option<i64>,
    /// `signed`, `denied`, `reading`, `asked` or `cannot`.
    pub state: &'static str,
}

/// The live view.
#[derive(Serialize, Clone, Debug)]
pub struct Live {
    /// Id.
    pub request: String,
    /// Code.
    pub code: String,
    /// Purpose.
    pub purpose: &'static str,
    /// State.
    pub state: &'static str,
    /// Who asks.
    pub requester: String,
    /// Their name.
    pub requester_name: String,
    /// Why.
    pub reason: Option<String>,
    /// Ticket.
    pub ticket: Option<String>,
    /// Safe.
    pub safe: String,
    /// Its name.
    pub safe_name: String,
    /// Credential.
    pub credential: Option<String>,
    /// The credential's name as sealed or the roster's.
    pub name: Option<String>,
    /// Version asked for.
    pub version: Option<u64>,
    /// Seconds of the release.
    pub duration_s: Option<u64>,
    /// Signatures needed.
    pub needed: u32,
    /// Whose approvals or acceptances count now.
    pub signed: Vec<Signer>,
    /// Who denied.
    pub denied: Vec<Signer>,
    /// Everybody who could sign.
    pub asked: Vec<Signer>,
    /// When filed.
    pub filed: i64,
    /// Entry of the filing.
    pub seq: u64,
    /// No signature counts from here on.
    pub expires: i64,
    /// Enough have signed.
    pub reached: bool,
    /// May be opened before this.
    pub open_until: Option<i64>,
    /// It was not, and may no more.
    pub late: bool,
    /// When it was opened.
    pub opened: Option<i64>,
    /// Entry of the opening or act.
    pub opened_seq: Option<u64>,
    /// When the opening ends.
    pub ends: Option<i64>,
    /// When it closed.
    pub closed: Option<i64>,
    /// Why.
    pub why: Option<String>,
    /// The request statement, canonical.
    pub statement: String,
    /// The delivery key, base64url: the client that holds it may open.
    pub delivery_key: Option<String>,
}

/// The view of one request, now.
pub async fn view(app: &App, filed: &Filed) -> Result<Live> {
    let asked = filed.asked()?;
    let (said, mut rosters) = futures::try_join!(
        store::said(&app.ledger.db().pool, filed.request),
        super::decide::rosters_of(app, filed, &asked)
    )?;
    // What was acted on counts as it did then: a later roster takes nothing back, and a change of roster not what it rests on.
    if let (Some(rosters), Some(acted)) = (&mut rosters, filed.opened) {
        let then = safes::leaf_before(&app.ledger.db().pool, filed.safe, acted).await?;
        if let Some(then) = then.filter(|leaf| *leaf != rosters.in_force.leaf()) {
            rosters.in_force = app
                .rosters
                .named_and_in_force(&app.ledger, filed.safe, then)
                .await?
                .0;
        }
    }
    view_of(app, filed, &asked, &said, rosters.as_ref()).await
}

/// The view of what was read already.
async fn view_of(
    app: &App,
    filed: &Filed,
    asked: &Asked,
    said: &[Said],
    rosters: Option<&Rosters>,
) -> Result<Live> {
    let (signing, counting) = futures::try_join!(
        super::decide::signing(app, rosters),
        super::decide::counting_now(app, filed, asked, said, rosters)
    )?;
    Ok(picture(
        app, filed, asked, said, rosters, &signing, &counting,
    ))
}

/// The view of what is known: who of the roster has a key that signs, and whose word counts.
pub fn picture(
    app: &App,
    filed: &Filed,
    asked: &Asked,
    said: &[Said],
    rosters: Option<&Rosters>,
    signing: &BTreeSet<UserId>,
    counting: &[u64],
) -> Live {
    let now = app.ledger.clock().now();
    let (needed, circle) = super::decide::circle(asked, rosters, signing);
    let mut names = HashMap::new();
    for (user, name, _) in &circle {
        names.insert(*user, name.clone());
    }
    let signer = |s: &Said, state: &'static str| Signer {
        user: s.user.to_string(),
        name: names.get(&s.user).cloned().unwrap_or_default(),
        time: Some(s.time),
        state,
    };
    let signed: Vec<Signer> = said
        .iter()
        .filter(|s| counting.contains(&s.seq))
        .map(|s| signer(s, "signed"))
        .collect();
    let denied: Vec<Signer> = said
        .iter()
        .filter(|s| s.decision == "deny")
        .map(|s| signer(s, "denied"))
        .collect();
    let mut people_asked = Vec::new();
    for (user, name, can) in &circle {
        let state = if let Some(s) = denied
            .iter()
            .chain(&signed)
            .find(|s| s.user == user.to_string())
        {
            s.state
        } else if !*can || *user == filed.requester && !matches!(asked.purpose, Purpose::Roster(_))
        {
            "cannot"
        } else if app.presence.reads(filed.request, *user, now) {
            "reading"
        } else {
            "asked"
        };
        people_asked.push(Signer {
            user: user.to_string(),
            name: name.clone(),
            time: None,
            state,
        });
    }
    let (name, duration_s, delivery_key) = match &asked.purpose {
        Purpose::Release(r) => (
            Some(r.sealed_as.name.clone()),
            Some(r.duration_s),
            Some(crate::b64::encode(&r.delivery_key)),
        ),
        Purpose::Roster(r) => (Some(r.new.name.clone()), None, None),
        Purpose::Target(t) => (Some(t.account.clone()), None, None),
        _ => (None, None, None),
    };
    let safe_name = match (rosters, &asked.purpose) {
        (Some(rosters), _) => rosters.in_force.name().to_owned(),
        (None, Purpose::Roster(r)) => r.new.name.clone(),
        (None, _) => String::new(),
    };
    Live {
        request: filed.request.to_string(),
        code: filed.code.clone(),
        purpose: asked.purpose.name(),
        state: filed.state.as_str(),
        requester: filed.requester.to_string(),
        requester_name: asked.requester_name.clone(),
        reason: filed.reason.clone(),
        ticket: asked.ticket.clone(),
        safe: filed.safe.to_string(),
        safe_name,
        credential: filed.credential.map(|c| c.to_string()),
        name,
        version: filed.version,
        duration_s,
        needed,
        reached: filed.state == State::Reached,
        signed,
        denied,
        asked: people_asked,
        filed: filed.filed,
        seq: filed.seq,
        expires: filed.expires,
        open_until: filed.open_until,
        late: super::too_late(filed, now),
        opened: filed.opened_at,
        opened_seq: filed.opened,
        ends: filed.ends,
        closed: filed.closed,
        why: filed.why.clone(),
        statement: String::from_utf8(filed.statement.clone()).unwrap_or_default(),
        delivery_key,
    }
}
