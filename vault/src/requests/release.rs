//! Releases: opening, the same answer again, check-in, expiry.
//!
//! Order, and why: the transaction counts the approvals again, enters `release.opened` and spends the
//! request; its receipt buys the unwrapping of `h`; the answer goes out with a checkpoint that covers the
//! entry and is anchored. If we crash between the commit and the answer, the same call asks for a receipt
//! again: nothing is opened twice, and nothing is lost.

use audit::Event;
use audit::event::{Closed, Ended, ReleaseOpened};
use quorum::Hash;
use quorum::decision::At;
use quorum::entry::{Entry, Event as EntryEvent};
use quorum::ids::RequestId;
use quorum::secret::{self, Envelope};
use quorum::statement::{Purpose, ReleasePurpose, Request as Asked};
use serde_json::json;
use sqlx::Row;
use sqlx::any::AnyRow;

use super::State;
use super::decide::{self, Rosters};
use super::lately::{self, Known};
use super::proved::{self, Proof, Told};
use super::shares;
use super::store::{self, Filed, Said};
use crate::app::App;
use crate::b64;
use crate::convert::Audited;
use crate::credentials::store as credentials;
use crate::error::{Error, Result};
use crate::keys::Wrapped;
use crate::ledger::{AskedTree, Ledger, Receipt, Recorded, Tree, Tx};
use crate::pages::When;
use crate::people::store as people;
use crate::safes::rosters::{self, unproved};
use crate::script::{Facts, Script, name};

/// A request that may be a release, and everything that an opening of it begins with, read at one moment.
struct Opener {
    /// The request.
    filed: Filed,
    /// The leaf of the roster that its safe's row says is in force.
    in_force: Option<Hash>,
    rosters: Option<AnyRow>,
    envelope: Option<AnyRow>,
    custody: Vec<Wrapped>,
    told: Told,
    tree: Tree,
}

impl Opener {
    /// Reads it, for somebody who has seen the tree of size `from`. The database's tree must extend the anchor before anything
    /// is released (promise P5).
    async fn of(app: &App, request: RequestId, from: u64) -> Result<Opener> {
        let mut reads = app.ledger.script();
        let tree = Opener::ask(app, &mut reads, request, from)?;
        let mut facts = reads.fetch(&app.ledger.db().pool).await?;
        Opener::read(&app.ledger, tree, &mut facts)
    }

    fn ask(app: &App, reads: &mut Script, request: RequestId, from: u64) -> Result<AskedTree> {
        store::ask(reads, request);
        rosters::ask_sealed_under(reads, request);
        credentials::ask_sealed(reads, request);
        Told::ask(reads, request);
        app.ledger.ask_tree(reads, from)
    }

    fn read(ledger: &Ledger, tree: AskedTree, facts: &mut Facts) -> Result<Opener> {
        let (filed, in_force) = store::read_one(facts.row()?.as_ref())?;
        Ok(Opener {
            filed,
            in_force,
            rosters: facts.row()?,
            envelope: facts.row()?,
            custody: credentials::read_custody(&facts.rows()?)?,
            told: Told::read(facts)?,
            tree: tree.read(ledger, facts)?,
        })
    }

    fn sealed(&mut self, release: &ReleasePurpose) -> Result<Sealed> {
        let row = self.envelope.take();
        let envelope = credentials::read_envelope(row.as_ref())?;
        if envelope.hash() != release.envelope {
            return Err(unproved(
                "the stored envelope is not the one that was sealed",
            ));
        }
        Ok(Sealed {
            envelope,
            custody: std::mem::take(&mut self.custody),
        })
    }
}

/// Opens a release, or gives the same answer again until its end, to whom `may` have it; with the proof that the ledger extends
/// the tree of size `from`, which was seen.
pub async fn open(
    app: &App,
    request: RequestId,
    from: u64,
    may: impl Fn(&Filed) -> Result<()>,
) -> Result<serde_json::Value> {
    if from > app.ledger.size() && from > app.ledger.stored_size().await? {
        return Err(crate::ledger::web::behind());
    }
    if let Some(known) = app.lately.of(request) {
        may(&known.filed)?;
        app.lately.forget(request);
        match at_once(app, known, from).await {
            Err(e) if lately::doubtful(&e) => {}
            Err(e) => return Err(e),
            Ok((given, receipt)) => {
                crate::fault::point("open.committed");
                return answer(app, given, receipt, from).await;
            }
        }
    }
    let mut opener = Opener::of(app, request, from).await?;
    may(&opener.filed)?;
    let asked = opener.filed.asked()?;
    let Purpose::Release(release) = &asked.purpose else {
        return Err(Error::invalid(
            "Nothing to open.",
            "This request changes something; it opens nothing.",
            "Look at its page for what happened.",
        ));
    };
    if !opener.filed.state.pending() && opener.filed.state != State::Open {
        return Err(over(&opener.filed));
    }
    let (named, in_force) = app
        .rosters
        .named_by(&app.ledger, asked.safe, asked.roster, opener.rosters.take())
        .await?;
    let rosters = Rosters { named, in_force };
    let sealed = opener.sealed(release)?;
    let Opener {
        filed, told, tree, ..
    } = opener;
    let (receipt, opened) = if filed.state == State::Open {
        crate::fault::point("open.again");
        opened_before(app, &filed, &asked, &rosters, told).await?
    } else {
        opened(app, &filed, &asked, &rosters, told).await?
    };
    crate::fault::point("open.committed");
    let given = Given {
        release: release.clone(),
        rosters,
        sealed,
        opened,
        tree,
    };
    answer(app, given, receipt, from).await
}

/// Opens a release that was before this node a moment ago: all that is read is read under the writer's lock.
async fn at_once(app: &App, known: Known, from: u64) -> Result<(Given, Receipt)> {
    let Known {
        filed: guess,
        asked,
        rosters,
        newest,
    } = known;
    let Purpose::Release(release) = &asked.purpose else {
        return Err(store::moved_on());
    };
    if !app.keys.ready() {
        return Err(app.keys.outage());
    }
    let release = release.clone();
    let mut reads = app.ledger.script();
    let tree = Opener::ask(app, &mut reads, guess.request, from)?;
    Opens::ask(&mut reads, guess.request, &release, &rosters);
    let (ledger, checked, writes) = (app.ledger.clone(), app.checked.clone(), app.ledger.script());
    crate::fault::point("open.before");
    app.ledger
        .write_on(reads, move |tx, mut facts| {
            let mut opener = Opener::read(&ledger, tree, &mut facts)?;
            let (named, in_force) = (&rosters.named, &rosters.in_force);
            rosters::still_named(opener.rosters.as_ref(), named, in_force, newest)?;
            let sealed = opener.sealed(&release)?;
            let Opener {
                filed,
                in_force,
                told,
                tree,
                ..
            } = opener;
            if filed.state.pending() {
                told.still_waits(&filed)?;
            }
            let said = told.said.clone();
            let proof = proved::known(&checked, &filed, told)?.ok_or_else(store::moved_on)?;
            let opens = Opens {
                checked: guess,
                asked,
                rosters: rosters.clone(),
                proof,
            };
            let done = opens.record(tx, (filed, in_force), said, (facts, writes))?;
            Ok(done.map(|opened| Given {
                release,
                rosters,
                sealed,
                opened,
                tree,
            }))
        })
        .await
}

/// Everything that the answer to an opening is made of, beside the receipt that buys it.
struct Given {
    release: ReleasePurpose,
    rosters: Rosters,
    sealed: Sealed,
    opened: Opened,
    tree: Tree,
}

/// What is stored of a version, beside its shares.
struct Sealed {
    envelope: Envelope,
    custody: Vec<Wrapped>,
}

/// An opening that is in the ledger.
struct Opened {
    /// Its entry.
    entry: Vec<u8>,
    /// When it ends.
    ends: i64,
    /// What was said of the request.
    said: Vec<Said>,
}

fn over(filed: &Filed) -> Error {
    match filed.state {
        State::Closed => Error::conflict(
            "Not opened.",
            "This release is closed.",
            "Ask again: everybody signs anew, a signature is for one request.",
        ),
        State::Refused => too_late(filed),
        _ => Error::conflict(
            "Not opened.",
            "Nothing came of this request.",
            "Ask again: everybody signs anew, a signature is for one request.",
        ),
    }
}

/// The opening of a release that is open, by what the ledger says of it; of a request that the ledger has as its row does. Its
/// approvals are counted as they were when it was entered: an entry alone, which whoever writes to the database can make, buys
/// nothing (`p4_a_forged_opening_in_the_ledger_buys_nothing`).
async fn opened_before(
    app: &App,
    filed: &Filed,
    asked: &Asked,
    rosters: &Rosters,
    told: Told,
) -> Result<(Receipt, Opened)> {
    let Purpose::Release(release) = &asked.purpose else {
        return Err(Error::internal("no release"));
    };
    let (receipt, entry, listed) = app.ledger.receipt_of(filed.request, release).await?;
    let said = told.said.clone();
    // The filing too: a row cannot send `h` to another delivery key.
    let proof = proved::decisions(app, filed, Some(rosters), told).await?;
    let then = At {
        seq: receipt.seq(),
        time: receipt.time(),
    };
    let rosters = Rosters {
        named: rosters.named.clone(),
        in_force: app
            .rosters
            .before(&app.ledger, &rosters.in_force, then.seq)
            .await?,
    };
    let counted = proof.keep(said.clone());
    let lives = {
        let mut conn = app.ledger.db().pool.acquire().await?;
        decide::lives(&mut conn, filed, &counted).await?
    };
    let waited = Filed {
        state: State::Reached,
        ..filed.clone()
    };
    let tally = decide::may_act(&waited, asked, &rosters, &counted, &lives, then)
        .map_err(|_| unproved("a release was opened that its signatures do not allow"))?;
    if tally.counting != listed {
        return Err(unproved("an opening lists other signatures than count"));
    }
    let own = quorum::decision::after(receipt.time(), release.duration_s);
    let ends = filed.ends.unwrap_or(own);
    Ok((receipt, Opened { entry, ends, said }))
}

/// The one transaction that opens.
async fn opened(
    app: &App,
    filed: &Filed,
    asked: &Asked,
    rosters: &Rosters,
    told: Told,
) -> Result<(Receipt, Opened)> {
    let Purpose::Release(release) = &asked.purpose else {
        return Err(Error::internal("no release"));
    };
    if !app.keys.ready() {
        return Err(app.keys.outage());
    }
    let proof = proved::decisions(app, filed, Some(rosters), told).await?;
    let mut reads = app.ledger.script();
    store::ask(&mut reads, filed.request);
    Told::ask(&mut reads, filed.request);
    Opens::ask(&mut reads, filed.request, release, rosters);
    let opens = Opens {
        checked: filed.clone(),
        asked: asked.clone(),
        rosters: rosters.clone(),
        proof,
    };
    let writes = app.ledger.script();
    crate::fault::point("open.before");
    let (opened, receipt) = app
        .ledger
        .write_on(reads, move |tx, mut facts| {
            let (filed, roster) = store::read_one(facts.row()?.as_ref())?;
            let told = Told::read(&mut facts)?;
            if filed.state.pending() {
                told.still_waits(&filed)?;
            }
            opens.record(tx, (filed, roster), told.said, (facts, writes))
        })
        .await?;
    Ok((receipt, opened))
}

/// A release that may be opened, before it is.
struct Opens {
    /// Its request as it was checked.
    checked: Filed,
    asked: Asked,
    rosters: Rosters,
    proof: Proof,
}

impl Opens {
    /// Asks for what `record` decides from, beside the request and what was said of it.
    fn ask(reads: &mut Script, request: RequestId, release: &ReleasePurpose, rosters: &Rosters) {
        store::ask_lives(reads, request);
        credentials::ask_state(reads, release.credential, release.version);
        rosters::ask_rows(reads, &rosters.in_force);
    }

    /// Counts again, and spends the request.
    fn record(
        self,
        tx: &mut Tx,
        (filed, roster): (Filed, Option<Hash>),
        said: Vec<Said>,
        (mut facts, mut writes): (Facts, Script),
    ) -> Result<Recorded<Opened>> {
        let Opens {
            checked,
            asked,
            rosters,
            proof,
        } = self;
        let Purpose::Release(release) = &asked.purpose else {
            return Err(Error::internal("no release"));
        };
        decide::same_roster(roster, &rosters)?;
        if proved::filing_digest(&filed) != proved::filing_digest(&checked)
            || filed.safe != asked.safe
        {
            return Err(unproved("a request's row was changed"));
        }
        let now = At {
            seq: tx.next_seq(),
            time: tx.now(),
        };
        let said = proof.keep(said);
        let lives = people::read_lives(&facts.rows()?)?;
        let tally = decide::may_act(&filed, &asked, &rosters, &said, &lives, now)?;
        let sealed = credentials::read_state(facts.row()?.as_ref())?;
        if sealed.hash != release.envelope
            || sealed.roster != asked.roster
            || sealed.state == "superseded"
        {
            return Err(Error::conflict(
                "Not opened.",
                "That version was replaced meanwhile.",
                "Ask for the current one.",
            ));
        }
        rosters::agree(&mut facts, &rosters.in_force)?;
        let event = Event::ReleaseOpened(Box::new(ReleaseOpened {
            approvals: tally.counting,
            credential: release.credential.audited(),
            envelope: audit::Hash(release.envelope.0),
            epoch: release.epoch,
            request: filed.request.audited(),
            requester: filed.requester.audited(),
            roster: audit::Hash(asked.roster.0),
            safe: filed.safe.audited(),
            version: release.version,
        }));
        let about: [&(dyn std::fmt::Display + Sync); 4] = [
            &filed.request,
            &filed.safe,
            &release.credential,
            &filed.requester,
        ];
        let done = tx.record(audit::Actor::System, event, &about)?;
        let ends = quorum::decision::after(done.time(), release.duration_s);
        store::opened(&mut writes, filed.request, done.seq(), done.time(), ends);
        // A further release of the same version to the same person moves the end of the one before.
        writes.add(
            "UPDATE requests SET ends = $1 WHERE state = 'open' AND requester = $2 AND credential = $3 AND version = $4 AND ends < $1",
            [ends.into(), name(filed.requester), name(release.credential), release.version.into()],
        );
        let entry = tx.newest().to_vec();
        Ok(done.writing(writes).with(Opened { entry, ends, said }))
    }
}

async fn answer(app: &App, given: Given, receipt: Receipt, from: u64) -> Result<serde_json::Value> {
    let (release, rosters, tree) = (given.release, given.rosters, given.tree);
    let Opened { entry, ends, said } = given.opened;
    let Sealed { envelope, custody } = given.sealed;
    let (seq, leaf) = (receipt.seq(), receipt.leaf());
    // Side by side: `h` goes nowhere unless the checkpoint is there, and anchored.
    let anchored = async {
        let shown = app.ledger.show(seq, from, tree).await?;
        crate::fault::point("open.anchored");
        Ok(shown)
    };
    let unwrapped = async {
        let ctx = *envelope.ctx();
        let (h, _spent) = app.keys.unwrap_h(receipt, custody, ctx).await?;
        crate::fault::point("open.unwrapped");
        secret::seal_h(&h, &release.delivery_key, &leaf, &envelope).map_err(Error::internal)
    };
    let (sealed_h, shown) = futures::try_join!(unwrapped, anchored)?; // the token's shorter work first
    let hex = |proof: &[audit::Hash]| proof.iter().map(ToString::to_string).collect::<Vec<_>>();
    let founding = &app.ledger.founding()?.entry;
    Ok(json!({
        "entry": String::from_utf8_lossy(&entry), "seq": seq, "proof": hex(&shown.entry),
        "founding": { "seq": 0, "entry": String::from_utf8_lossy(founding), "proof": hex(&shown.founding) },
        "consistency": hex(&shown.consistency), "checkpoint": shown.checkpoint.note,
        "envelope": String::from_utf8_lossy(envelope.bytes()), "h": b64::encode(&sealed_h),
        "shares": shares::shown(&said, &rosters.named, &envelope, seq), "ends": ends,
    }))
}

/// Gives a release back early.
pub async fn check_in(app: &App, request: RequestId) -> Result<()> {
    close(app, request, Closed::CheckedIn).await
}

/// Ends a release: by check-in or by time. The rotation is asked for in the same transaction.
pub async fn close(app: &App, request: RequestId, why: Closed) -> Result<()> {
    closed(app, request, why, false).await
}

/// Ends releases that are open by their rows longer than any opening in the ledger allows: the longest that their safe lets one
/// last, since that version was last opened to that person (`p7_an_end_in_a_row_prolongs_nothing`).
pub async fn end_outlasted(app: &App) -> Result<()> {
    let pool = &app.ledger.db().pool;
    for filed in store::live(pool).await? {
        if filed.state == State::Open && outlasted(app, &filed).await? {
            closed(app, filed.request, Closed::Expired, true).await?;
        }
    }
    Ok(())
}

async fn outlasted(app: &App, filed: &Filed) -> Result<bool> {
    let asked = filed.asked()?;
    let Purpose::Release(release) = &asked.purpose else {
        return Ok(false);
    };
    let Some(rosters) = decide::rosters_of(app, filed, &asked).await? else {
        return Ok(false);
    };
    let life = rosters.named.grant_life_s();
    let opened = sqlx::query(
        "SELECT e.time, e.bytes FROM ledger_links l JOIN ledger_entries e ON e.seq = l.seq \
         WHERE l.subject = $1 AND e.event = 'release.opened' ORDER BY e.seq DESC",
    )
    .bind(filed.requester.to_string())
    .fetch_all(&app.ledger.db().pool)
    .await?;
    let now = app.ledger.clock().now();
    for row in opened {
        let entry = Entry::parse(&row.try_get::<Vec<u8>, _>(1)?);
        let entry = entry.map_err(|_| unproved("an opening is damaged"))?;
        let of = |o: &quorum::entry::ReleaseOpened| {
            o.credential == release.credential && o.version == release.version
        };
        if matches!(&entry.event, EntryEvent::ReleaseOpened(o) if of(o)) {
            return Ok(now >= quorum::decision::after(entry.time, life));
        }
    }
    Ok(true)
}

async fn closed(app: &App, request: RequestId, why: Closed, outlasted: bool) -> Result<()> {
    app.ledger
        .write_of_nobody(move |tx| {
            Box::pin(async move {
                let filed = store::by_id(&mut *tx.conn(), request).await?;
                if filed.state != State::Open {
                    return Err(Error::conflict(
                        "Nothing was done.",
                        "This release is not open.",
                        "Look at its page for what happened.",
                    ));
                }
                if why == Closed::Expired && filed.ends.is_none_or(|e| tx.now() < e) && !outlasted {
                    return Err(store::moved_on());
                }
                let word = why.word();
                let done = tx.record(
                    audit::Actor::System,
                    Event::ReleaseClosed {
                        request: request.audited(),
                        why,
                    },
                    &[&request, &filed.safe],
                )?;
                store::close(
                    tx.conn(),
                    request,
                    State::Open,
                    State::Closed,
                    word,
                    done.time(),
                )
                .await?;
                if let Some(credential) = filed.credential {
                    crate::rotation::store::ask(tx.conn(), credential, word, done.time()).await?;
                }
                Ok(done)
            })
        })
        .await?;
    crate::fault::point("close.committed");
    Ok(())
}

/// Takes back a request that was not spent.
pub async fn withdraw(app: &App, request: RequestId) -> Result<()> {
    end(app, request, Ended::Withdrawn).await
}

/// Ends a pending request.
pub async fn end(app: &App, request: RequestId, why: Ended) -> Result<()> {
    app.ledger
        .write(move |tx| {
            Box::pin(async move {
                let filed = store::by_id(&mut *tx.conn(), request).await?;
                if !filed.state.pending() {
                    return Err(store::moved_on());
                }
                let over = tx.now() >= filed.expires && !may_still_open(&filed, tx.now());
                if why == Ended::Expired && !over {
                    return Err(store::moved_on()); // it was reached a moment ago
                }
                let word = why.word();
                let done = tx.record(
                    audit::Actor::System,
                    Event::RequestEnded {
                        request: request.audited(),
                        why,
                    },
                    &[&request, &filed.safe],
                )?;
                store::close(
                    tx.conn(),
                    request,
                    filed.state,
                    State::Ended,
                    word,
                    done.time(),
                )
                .await?;
                Ok(done)
            })
        })
        .await?;
    Ok(())
}

/// Refuses for good a release that has its quorum and that nobody opened in time: nothing can come of it any more.
pub async fn refuse_late(app: &App, request: RequestId) -> Result<()> {
    app.ledger
        .write(move |tx| {
            Box::pin(async move {
                let filed = store::by_id(&mut *tx.conn(), request).await?;
                if filed.state != State::Reached || may_still_open(&filed, tx.now()) {
                    return Err(store::moved_on());
                }
                let event = Event::ReleaseRefused {
                    request: request.audited(),
                    why: "nobody opened it in time".into(),
                };
                let done = tx.record(audit::Actor::System, event, &[&request, &filed.safe])?;
                store::close(
                    tx.conn(),
                    request,
                    State::Reached,
                    State::Refused,
                    LATE,
                    done.time(),
                )
                .await?;
                Ok(done)
            })
        })
        .await?;
    Ok(())
}

const LATE: &str = "Enough had signed, and nobody opened it in time. Ask again: everybody signs anew, a signature is for one request.";

/// The refusal of a release that has its quorum and whose time to open is over.
pub fn too_late(filed: &Filed) -> Error {
    let until = filed
        .open_until
        .map_or_else(|| "then".to_owned(), |u| When(u).second());
    Error::conflict(
        "Too late to open.",
        format!("Enough signed, and nobody opened it before {until}."),
        "Ask again: everybody signs anew, a signature is for one request.",
    )
}

/// Whether a release that nobody has opened may still be: once enough have signed, its time to open alone decides.
pub fn may_still_open(filed: &Filed, now: i64) -> bool {
    match (filed.state, filed.open_until) {
        (State::Reached, Some(until)) => now < until,
        _ => now < filed.expires,
    }
}
