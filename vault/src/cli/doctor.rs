//! `vitrine doctor`: what is not well, and what to do about it. Each finding is one line with a next step.

use std::process::ExitCode;

use serde_json::json;
use sqlx::Row;

use crate::clock::{Clock, DAY};
use crate::config::Config;
use crate::error::{Error, Result};
use crate::ledger::Anchor;

struct Finding {
    well: bool,
    what: String,
    next: String,
}

fn well(what: impl Into<String>) -> Finding {
    Finding {
        well: true,
        what: what.into(),
        next: String::new(),
    }
}

fn ill(what: impl Into<String>, next: impl Into<String>) -> Finding {
    Finding {
        well: false,
        what: what.into(),
        next: next.into(),
    }
}

/// Looks at everything; exit 1 when something is not well.
pub(super) async fn run(config: &Config, as_json: bool) -> Result<ExitCode> {
    let mut findings = vec![disk(config)];
    findings.extend(anchor(config));
    let keys = crate::keys::Keys::open(config);
    match &keys {
        Ok(keys) => {
            if keys.soft() {
                findings.push(ill(
                    "SoftHSM is no HSM: keys lie in files",
                    "Fine for a trial. Set [hsm] to real tokens before you keep secrets.",
                ));
            }
            for t in keys.health() {
                findings.push(if t.ready {
                    well(format!("token {} answers", t.name))
                } else {
                    ill(
                        format!(
                            "token {} does not answer ({})",
                            t.name,
                            t.last_error.unwrap_or_default()
                        ),
                        "Put it back or check its PIN file; the other token serves meanwhile.",
                    )
                });
            }
        }
        Err(e) => findings.push(ill(
            format!("HSM: {e}"),
            "Run `vitrine init` where there is none, or mend [hsm].",
        )),
    }
    // With the tokens as they are: a wrong PIN is not tried again.
    let service = match keys {
        Ok(keys) => service(config, keys).await.map(Some),
        Err(_) => Ok(None),
    };
    match service {
        Ok(None) => {}
        Ok(Some(app)) => {
            findings.push(well(format!(
                "database answers, {} entries",
                app.ledger.size()
            )));
            findings.extend(clock(&app).await?);
            for safe in crate::safes::store::all(&app.ledger.db().pool).await? {
                let shown = crate::safes::web::shown(&app, &safe).await?;
                findings.push(match shown.margin {
                    m if m > 0 => well(format!("safe {}: margin {m}", shown.name)),
                    0 => ill(
                        format!("safe {}: margin 0", shown.name),
                        "One more lost key or absence blocks it: add an approver or a key.",
                    ),
                    m => ill(
                        format!("safe {}: margin {m}, it cannot be opened", shown.name),
                        "A custodian must repair the roster now.",
                    ),
                });
            }
            let alone = crate::credentials::store::wrapped_once(&app.ledger.db().pool).await?;
            if alone > 0 {
                findings.push(ill(
                    format!("{alone} sealed versions are wrapped by one custody token alone"),
                    "They were sealed while the other was away: rotate or import them anew, so that its loss strands none.",
                ));
            }
            for (what, fine, next) in crate::rotation::doctor(&app).await? {
                findings.push(if fine { well(what) } else { ill(what, next) });
            }
        }
        Err(e) => findings.push(ill(format!("service: {e}"), "Mend this first.")),
    }
    let sick = findings.iter().filter(|f| !f.well).count();
    if as_json {
        let list: Vec<_> = findings
            .iter()
            .map(|f| json!({ "well": f.well, "what": f.what, "next": f.next }))
            .collect();
        println!("{}", json!({ "well": sick == 0, "findings": list }));
    } else {
        for f in &findings {
            println!("{} {}", if f.well { "well " } else { "ILL  " }, f.what);
            if !f.well {
                println!("      {}", f.next);
            }
        }
    }
    Ok(ExitCode::from(u8::from(sick > 0)))
}

async fn service(config: &Config, keys: crate::keys::Keys) -> Result<crate::app::App> {
    let db = crate::startup::database(config).await?;
    crate::startup::open_with(config.clone(), Clock::default(), None, keys, db).await
}

fn disk(config: &Config) -> Finding {
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
    match free {
        Some(kib) if kib > 512 * 1024 => well(format!("disk: {} MiB free", kib / 1024)),
        Some(kib) => ill(
            format!("disk: {} MiB free", kib / 1024),
            "Free space: without an entry nothing happens.",
        ),
        None => ill(
            format!(
                "the data directory {} cannot be looked at",
                config.data.display()
            ),
            "Check `data` in the configuration.",
        ),
    }
}

fn anchor(config: &Config) -> Vec<Finding> {
    match Anchor::at(&config.anchor_path()).read() {
        Ok(Some(a)) => vec![well(format!("anchor: {} entries", a.size))],
        Ok(None) => vec![ill(
            "no anchor",
            "Compare with another node, then `vitrine serve --adopt SIZE:ROOT`.",
        )],
        Err(e) => vec![ill(e.to_string(), "See above.")],
    }
}

async fn clock(app: &crate::app::App) -> Result<Vec<Finding>> {
    let row = sqlx::query("SELECT time FROM ledger_head WHERE id = 1")
        .fetch_one(&app.ledger.db().pool)
        .await
        .map_err(Error::from)?;
    let apart = app.ledger.clock().wall() - row.try_get::<i64, _>(0)?;
    Ok(vec![if apart.abs() > DAY {
        ill(
            "the clock is more than a day from the ledger's last entry",
            "Set the clock, or sign in and accept it.",
        )
    } else if apart < 0 {
        ill(
            "the clock is behind the ledger's last entry",
            "Set the clock: entries keep the last time until it catches up.",
        )
    } else {
        well("clock")
    }])
}
