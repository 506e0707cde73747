//! `vitrine audit`: export the evidence, verify an export.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use audit::checkpoint;
use audit::export::Writer;
use audit::verify::{Options, verify_dir};
use serde_json::json;
use sqlx::Row;

use crate::app::App;
use crate::error::{Error, Result, Words};
use crate::people::store::{at, seq};

/// Entries fetched at once.
const STEP: u64 = 2000;

/// Writes the whole ledger, its checkpoints and a fresh one that covers it into `dir`.
pub(super) async fn export(app: &App, dir: &Path, as_json: bool) -> Result<ExitCode> {
    let newest = app.ledger.checkpoint().await?;
    let pool = &app.ledger.db().pool;
    let mut writer = Writer::create(dir).map_err(|e| not_exported(&e))?;
    let mut next = 0;
    while next < newest.size {
        let rows = sqlx::query(
            "SELECT bytes FROM ledger_entries WHERE seq >= $1 AND seq < $2 ORDER BY seq",
        )
        .bind(at(next))
        .bind(at((next + STEP).min(newest.size)))
        .fetch_all(pool)
        .await?;
        if rows.is_empty() {
            return Err(crate::safes::rosters::unproved("entries are missing"));
        }
        for row in rows {
            writer
                .entry(&row.try_get::<Vec<u8>, _>(0)?)
                .map_err(|e| not_exported(&e))?;
            next += 1;
        }
        if !as_json && next % 100_000 < STEP {
            eprintln!("{next} of {} entries", newest.size);
        }
    }
    let founding = app.ledger.founding()?;
    let (mut from, mut foreign) = (0, 0);
    loop {
        let rows = sqlx::query("SELECT size, note FROM ledger_checkpoints WHERE size > $1 AND size < $2 ORDER BY size LIMIT 1000")
            .bind(at(from))
            .bind(at(newest.size))
            .fetch_all(pool)
            .await?;
        if rows.is_empty() {
            break;
        }
        for row in rows {
            from = seq(row.try_get(0)?)?;
            let note: String = row.try_get(1)?;
            // What no key of this ledger has signed proves nothing, and whoever filed it would spoil the evidence.
            if checkpoint::verify(&note, &founding.name, &founding.every_key).is_err() {
                foreign += 1;
                continue;
            }
            writer.checkpoint(&note).map_err(|e| not_exported(&e))?;
        }
    }
    if foreign > 0 {
        eprintln!("Left out: {foreign} checkpoints that no key of this ledger has signed.");
    }
    let done = writer.finish(&newest.note).map_err(|e| not_exported(&e))?;
    let ledger = founding.ledger;
    if as_json {
        println!(
            "{}",
            json!({ "dir": dir, "size": done.size, "root": done.root.to_string(), "ledger": ledger.to_string() })
        );
    } else {
        println!("{} entries in {}", done.size, dir.display());
        println!(
            "Verify:  vitrine audit verify {} --founded {ledger}",
            dir.display()
        );
        println!("  Take the fingerprint from the founding card, not from here.");
    }
    Ok(ExitCode::SUCCESS)
}

fn not_exported(e: &audit::export::ExportError) -> Error {
    Error::Invalid(Words::new(
        "Not exported.",
        format!("{e}."),
        "Choose an empty directory with room, and try again.",
    ))
}

/// Verifies an export with nothing else at hand. Exit 0 valid, 3 self-consistent only, 2 not verified, 1 false.
pub(super) fn verify(
    dir: &Path,
    founded: Option<&str>,
    seen: Vec<PathBuf>,
    as_json: bool,
) -> Result<ExitCode> {
    let founded = founded
        .map(|h| {
            h.replace([' ', ':'], "")
                .parse::<quorum::Hash>()
                .map(|h| h.0)
        })
        .transpose();
    let Ok(founded) = founded else {
        super::say_refusal(
            &Error::invalid(
                "Not verified.",
                "--founded is no fingerprint: 64 hex digits.",
                "Copy it from the founding card.",
            )
            .into(),
            as_json,
        );
        return Ok(ExitCode::from(2)); // 1 would say that the evidence is false
    };
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let report = verify_dir(
        dir,
        &Options {
            founded,
            seen,
            threads,
        },
    );
    if as_json {
        println!("{}", report.json());
    } else {
        print!("{report}");
    }
    Ok(ExitCode::from(report.exit_code()))
}
