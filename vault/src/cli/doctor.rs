//! `vitrine doctor`: what is not well, how badly, and what to do about it.

use std::fmt;
use std::process::ExitCode;

use serde::Serialize;
use serde_json::json;
use sqlx::Row;

use crate::app::App;
use crate::clock::{Clock, DAY};
use crate::config::Config;
use crate::error::{Error, Result};
use crate::keys::{Keys, TokenHealth};
use crate::ledger::Anchor;
use crate::rotation::{Login, ServiceLogin};

/// How badly something is not well; the worst last.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
enum Level {
    Ok,
    /// To be known; nothing needs doing.
    Note,
    /// Works, and will not for long, or not if one thing more fails.
    Amber,
    /// Does not work, or is not safe.
    Red,
}

impl fmt::Display for Level {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Level::Ok => "ok",
            Level::Note => "note",
            Level::Amber => "AMBER",
            Level::Red => "RED",
        })
    }
}

#[derive(Serialize)]
struct Finding {
    level: Level,
    what: String,
    /// What to do; empty where all is well.
    next: String,
}

fn well(what: impl Into<String>) -> Finding {
    found(Level::Ok, what, "")
}

fn found(level: Level, what: impl Into<String>, next: impl Into<String>) -> Finding {
    Finding {
        level,
        what: what.into(),
        next: next.into(),
    }
}

/// What an error says, with its cause: this is read where the cause can be mended.
fn said(e: &Error) -> String {
    let words = e.words();
    let said = words.why.trim_end_matches('.').to_owned();
    match e.cause().filter(|c| !c.is_empty()) {
        Some(cause) => format!("{said} ({cause})"),
        None => said,
    }
}

/// Looks at everything; exit 1 when something is red, and with `strict` when something is amber.
pub(super) async fn run(config: &Config, strict: bool, as_json: bool) -> Result<ExitCode> {
    let findings = look(config).await?;
    let worst = findings.iter().map(|f| f.level).max().unwrap_or(Level::Ok);
    if as_json {
        println!("{}", json!({ "level": worst, "findings": findings }));
    } else {
        for f in &findings {
            println!("{:<6} {}", f.level, f.what);
            if !f.next.is_empty() {
                println!("       {}", f.next);
            }
        }
        let of = |level| findings.iter().filter(|f| f.level == level).count();
        match (of(Level::Red), of(Level::Amber)) {
            (0, 0) => println!("Nothing needs doing."),
            (red, amber) => println!("To mend now: {red}. Soon: {amber}."),
        }
    }
    let fails = if strict { Level::Amber } else { Level::Red };
    Ok(ExitCode::from(u8::from(worst >= fails)))
}

async fn look(config: &Config) -> Result<Vec<Finding>> {
    let mut findings = vec![disk(config), anchor(config)];
    let keys = match Keys::open(config) {
        Ok(keys) => keys,
        Err(e) => {
            findings.push(found(
                Level::Red,
                said(&e),
                "Where nothing was founded yet: `vitrine init`. Else put the tokens back, or mend [hsm] and its PIN files; nothing \
                 was opened or changed.",
            ));
            findings.push(match crate::startup::database(config).await {
                Ok(_) => well("database answers"),
                Err(e) => found(Level::Red, said(&e), e.words().next),
            });
            return Ok(findings);
        }
    };
    if keys.soft() {
        findings.push(found(
            Level::Note,
            "SoftHSM is no HSM: keys lie in files",
            "Fine for a trial. Set [hsm] to real tokens before you keep secrets.",
        ));
    }
    // With the tokens as they are: a wrong PIN is not tried again.
    let service = service(config, keys.clone()).await;
    // After the ledger was read: it says whose keys they hold.
    findings.extend(tokens(&keys.health()));
    match service {
        Ok(app) => {
            if let Err(e) = inside(&app, &mut findings).await {
                findings.push(found(Level::Red, said(&e), e.words().next));
            }
        }
        Err(e) => {
            findings.push(found(Level::Red, said(&e), e.words().next));
        }
    }
    Ok(findings)
}

fn tokens(health: &[TokenHealth]) -> Vec<Finding> {
    let sort = |name: &str| name.split('-').next().unwrap_or_default().to_owned();
    let well_off = |t: &TokenHealth| t.ready && !t.foreign;
    let serves = |of: &str| health.iter().any(|t| well_off(t) && sort(&t.name) == of);
    let finding = |t: &TokenHealth| {
        if well_off(t) {
            return well(format!("token {} answers", t.name));
        }
        let why = t.last_error.as_deref().unwrap_or("no answer yet");
        let what = if t.foreign {
            format!("token {} holds no key that this ledger knows", t.name)
        } else {
            format!("token {} does not answer ({why})", t.name)
        };
        let mend = if t.foreign {
            "Put this ledger's own token in its place"
        } else {
            "Put it back, or check its PIN file"
        };
        if serves(&sort(&t.name)) {
            let next = format!(
                "Another serves meanwhile, and nothing may happen to that one. {mend}; then run this again."
            );
            return found(Level::Amber, what, next);
        }
        let until = match sort(&t.name).as_str() {
            "custody" => "nothing is opened or sealed",
            "checkpoint" => "nothing is opened, and no checkpoint is signed",
            _ => "nothing is rotated",
        };
        found(Level::Red, what, format!("{mend}: until then {until}."))
    };
    health.iter().map(finding).collect()
}

/// What only an opened service can tell.
async fn inside(app: &App, findings: &mut Vec<Finding>) -> Result<()> {
    let pool = &app.ledger.db().pool;
    findings.push(well(format!(
        "database answers, {} entries",
        app.ledger.size()
    )));
    findings.push(clock(app).await?);
    findings.extend(custodians(app).await?);
    let (mut drills, now) = (Vec::new(), app.ledger.clock().wall());
    for safe in crate::safes::store::all(pool).await? {
        let shown = crate::safes::web::shown(app, &safe).await?;
        let of = match &shown.least {
            Some(version) => format!("{}, {version}", shown.name),
            None => shown.name.clone(),
        };
        findings.push(margin(&of, shown.margin));
        for c in shown.credentials.iter().filter(|c| c.state == "stuck") {
            findings.push(found(
                Level::Red,
                format!("credential {} in {}: {}", c.name, c.safe_name, c.words),
                "Its page says why. Mend the target, then start the rotation again there or by `vitrine rotate`.",
            ));
        }
        let last = crate::safes::store::last_drill(pool, safe.safe).await?;
        if shown.drill {
            drills.push((shown.name, last));
        }
    }
    if drills.iter().all(|(_, last)| last.is_none()) {
        findings.push(found(Level::Note, "no drill was filed yet", PLAY));
    } else {
        findings.extend(drills.iter().map(|(name, last)| drilled(name, *last, now)));
    }
    let alone = crate::credentials::store::wrapped_once(pool).await?;
    if alone > 0 {
        findings.push(found(
            Level::Amber,
            format!("{alone} sealed versions are wrapped by one custody token alone"),
            "They were sealed while the other was away: rotate or import them anew, so that its loss strands none.",
        ));
    }
    let logins = crate::rotation::doctor(app).await?;
    findings.extend(logins.into_iter().map(service_login));
    Ok(())
}

fn service_login(of: ServiceLogin) -> Finding {
    let ServiceLogin { what, drill, login } = of;
    match login {
        Login::Fits => well(format!("{what} has what it needs and no more")),
        Login::Exceeds(excess) => found(
            Level::Red,
            format!("{what}: {excess}"),
            "A custodian finds the target's SQL on the credential's page, under \u{201c}Where it lives\u{201d}: run it again as a superuser, and take away what is named here.",
        ),
        // A rehearsal's database may be gone since.
        Login::Fails(why) => found(
            if drill { Level::Amber } else { Level::Red },
            format!("{what}: {why}"),
            "Nothing is rotated there meanwhile: check that it runs, its address, and that its SQL was run: a custodian finds it on the credential's page, under \u{201c}Where it lives\u{201d}.",
        ),
    }
}

fn margin(name: &str, margin: i64) -> Finding {
    match margin {
        m if m > 0 => well(format!("safe {name}: margin {m}")),
        0 => found(
            Level::Amber,
            format!("safe {name}: margin 0"),
            "One more lost key or absence blocks it: a custodian adds an approver, or an approver a key, on the safe's page.",
        ),
        m => found(
            Level::Red,
            format!("safe {name}: margin {m}, it cannot be opened"),
            "Too few can sign: whoever has a further key signs in with it, suspended keys are let serve again, and a custodian \
             proposes a roster that works.",
        ),
    }
}

const PLAY: &str = "Play one: `vitrine drill break-glass --help`.";

/// The newest drill of a drill safe (P10).
fn drilled(safe: &str, newest: Option<(bool, i64)>, now: i64) -> Finding {
    match newest {
        None => found(
            Level::Amber,
            format!("drill safe {safe}: no drill was filed yet"),
            PLAY,
        ),
        Some((false, _)) => found(
            Level::Amber,
            format!("drill safe {safe}: its newest drill failed"),
            "Its report says at which step: mend that, and play it again.",
        ),
        Some((true, at)) if now.saturating_sub(at) > 90 * DAY => found(
            Level::Amber,
            format!(
                "drill safe {safe}: its newest drill is {} days old",
                now.saturating_sub(at) / DAY
            ),
            PLAY,
        ),
        Some(_) => well(format!("drill safe {safe}: drilled less than 90 days ago")),
    }
}

/// Who can admit people and let keys sign again (P9); nobody is expected to before the first has joined.
async fn custodians(app: &App) -> Result<Option<Finding>> {
    let pool = &app.ledger.db().pool;
    let joined = sqlx::query("SELECT 1 FROM authenticators LIMIT 1");
    if joined
        .fetch_optional(pool)
        .await
        .map_err(Error::from)?
        .is_none()
    {
        return Ok(None);
    }
    let live = crate::people::store::live_custodians(pool).await?;
    Ok(Some(custody(live)))
}

fn custody(live: i64) -> Finding {
    match live {
        0 => found(
            Level::Red,
            "no custodian has a key that signs",
            "Safes open as before; nobody can be admitted, given a role, or have a key let serve again. Plan a new founding while quorums live.",
        ),
        1 => found(
            Level::Amber,
            "one custodian alone has a key that signs",
            "Make somebody else a custodian, on the page of people: with the last one's keys the role is lost.",
        ),
        n => well(format!("{n} custodians can sign")),
    }
}

async fn service(config: &Config, keys: Keys) -> Result<App> {
    let db = crate::startup::database(config).await?;
    crate::startup::open_with(config.clone(), Clock::default(), None, keys, db).await
}

fn disk(config: &Config) -> Finding {
    const MIB: u64 = 1024;
    let out = std::process::Command::new("df")
        .args(["-Pk"])
        .arg(&config.data)
        .output();
    let free = out.ok().and_then(|o| {
        let text = String::from_utf8_lossy(&o.stdout).into_owned();
        text.lines()
            .nth(1)?
            .split_whitespace()
            .nth(3)?
            .parse::<u64>()
            .ok()
    });
    let next = "Free space: without an entry nothing happens.";
    match free {
        Some(kib) => {
            let level = match kib {
                kib if kib < 64 * MIB => Level::Red,
                kib if kib < 512 * MIB => Level::Amber,
                _ => Level::Ok,
            };
            let next = if level == Level::Ok { "" } else { next };
            found(level, format!("disk: {} MiB free", kib / MIB), next)
        }
        None => found(
            Level::Red,
            format!(
                "the data directory {} cannot be looked at",
                config.data.display()
            ),
            "Check `data` in the configuration, or VITRINE_DATA, and that this user may read it; `vitrine init` makes one.",
        ),
    }
}

fn anchor(config: &Config) -> Finding {
    match Anchor::at(&config.anchor_path()).read() {
        Ok(Some(a)) => well(format!("anchor: {} entries", a.size)),
        Ok(None) => found(
            Level::Red,
            format!("no anchor at {}", config.anchor_path().display()),
            "Where nothing was founded yet: `vitrine init`. Else compare size and root with another node or a signed-in page, then \
             `vitrine serve --adopt SIZE:ROOT`.",
        ),
        Err(e) => found(Level::Red, said(&e), e.words().next),
    }
}

async fn clock(app: &App) -> Result<Finding> {
    let row = sqlx::query("SELECT time FROM ledger_head WHERE id = 1")
        .fetch_one(&app.ledger.db().pool)
        .await
        .map_err(Error::from)?;
    let apart = app.ledger.clock().wall() - row.try_get::<i64, _>(0)?;
    Ok(if apart.abs() > DAY {
        found(
            Level::Amber,
            "the clock is more than a day from the ledger's last entry",
            "Set the clock; where it is right, `vitrine serve` asks the first person who signs in to accept it.",
        )
    } else if apart < 0 {
        found(
            Level::Amber,
            "the clock is behind the ledger's last entry",
            "Set the clock: entries keep the last time until it catches up.",
        )
    } else {
        well("clock")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn token(name: &str, ready: bool) -> TokenHealth {
        TokenHealth {
            name: name.into(),
            ready,
            foreign: false,
            last_error: (!ready).then(|| "gone".into()),
            since: 0,
        }
    }

    #[test]
    fn one_token_of_two_is_amber_and_the_last_is_red() {
        let levels = |ready: [bool; 3]| {
            let names = ["custody-1", "custody-2", "service"];
            let health: Vec<_> = names.iter().zip(ready).map(|(n, r)| token(n, r)).collect();
            let findings = tokens(&health);
            assert!(
                findings
                    .iter()
                    .all(|f| (f.level == Level::Ok) == f.next.is_empty())
            );
            findings.iter().map(|f| f.level).collect::<Vec<_>>()
        };
        assert_eq!(levels([true; 3]), [Level::Ok; 3]);
        assert_eq!(
            levels([false, true, true]),
            [Level::Amber, Level::Ok, Level::Ok]
        );
        assert_eq!(levels([false, false, false]), [Level::Red; 3]);
    }

    #[test]
    fn p9_a_token_of_another_ledger_is_amber_and_serves_nothing() {
        let mut health = ["checkpoint-1", "checkpoint-2"].map(|n| token(n, true));
        for (places, level) in [(1, Level::Amber), (2, Level::Red)] {
            health
                .iter_mut()
                .take(places)
                .for_each(|t| t.foreign = true);
            let first = tokens(&health).swap_remove(0);
            assert_eq!(first.level, level);
            assert_eq!(
                first.what,
                "token checkpoint-1 holds no key that this ledger knows"
            );
        }
    }

    #[test]
    fn p10_a_drill_is_due_after_ninety_days() {
        let level = |newest| drilled("x", newest, 100 * DAY).level;
        assert_eq!(level(None), Level::Amber);
        assert_eq!(level(Some((true, 10 * DAY))), Level::Ok);
        assert_eq!(level(Some((true, 9 * DAY))), Level::Amber);
        assert_eq!(level(Some((false, 99 * DAY))), Level::Amber);
    }

    #[test]
    fn p9_the_last_custodian_is_amber() {
        let levels = [2, 1, 0].map(|n| custody(n).level);
        assert_eq!(levels, [Level::Ok, Level::Amber, Level::Red]);
    }

    #[test]
    fn a_safe_without_a_margin_is_amber_and_below_it_red() {
        let levels = [1, 0, -1].map(|m| margin("x", m).level);
        assert_eq!(levels, [Level::Ok, Level::Amber, Level::Red]);
    }
}
