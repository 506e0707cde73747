//! The quorum as the terminal shows it while it waits.

use std::io::IsTerminal;
use std::time::Duration;

use serde_json::Value;
use sha2::{Digest, Sha256};

use super::held::Held;
use super::remote::Remote;
use crate::error::{Error, Result};

/// Watches until enough have signed; draws the quorum on stderr. Ctrl-C stops watching, the request stays.
pub(super) async fn wait(remote: &Remote, held: &Held) -> Result<Value> {
    let (mut drawn, mut told) = (0, false);
    loop {
        match held.live(remote).await? {
            None => {
                if !told {
                    eprintln!("Waiting for the link to be opened and filed.");
                    told = true;
                }
            }
            Some(live) => {
                draw(&live, held.kept(), &mut drawn);
                match live.get("state").and_then(Value::as_str) {
                    Some("reached" | "open") => return Ok(live),
                    Some("waiting") => {}
                    _ => {
                        held.forget();
                        let why = live
                            .get("why")
                            .and_then(Value::as_str)
                            .unwrap_or("ended")
                            .to_owned();
                        return Err(Error::conflict(
                            "Not opened.",
                            format!("The request {} is over: {why}.", held.code()),
                            "Ask again: everybody signs anew.",
                        ));
                    }
                }
            }
        }
        tokio::time::sleep(Duration::from_millis(700)).await;
    }
}

/// One block per change: redrawn in place on a terminal, one line per person otherwise.
fn draw(live: &Value, kept: bool, drawn: &mut usize) {
    let text = |v: &Value, p: &str| {
        v.get(p)
            .and_then(Value::as_str)
            .unwrap_or_default()
            .to_owned()
    };
    let unicode = ["LC_ALL", "LC_CTYPE", "LANG"]
        .iter()
        .filter_map(|n| std::env::var(n).ok())
        .any(|v| v.to_ascii_lowercase().contains("utf"));
    let mark = |state: &str| match (state, unicode) {
        ("signed", true) => "✓",
        ("signed", false) => "[x]",
        ("reading", true) => "◐",
        ("reading", false) => "[~]",
        ("cannot" | "denied", true) => "×",
        ("cannot" | "denied", false) => "[-]",
        (_, true) => "○",
        (_, false) => "[ ]",
    };
    let asked = live
        .get("asked")
        .and_then(Value::as_array)
        .cloned()
        .unwrap_or_default();
    let signed = live
        .get("signed")
        .and_then(Value::as_array)
        .map_or(0, Vec::len);
    let mut lines = vec![format!(
        "{}  {}, entry {}",
        text(live, "code"),
        text(live, "name"),
        live.get("seq").and_then(Value::as_u64).unwrap_or(0)
    )];
    for person in &asked {
        let state = text(person, "state");
        lines.push(format!(
            "  {} {:<20} {}",
            mark(&state),
            text(person, "name"),
            if state == "cannot" {
                "cannot sign"
            } else {
                &state
            }
        ));
    }
    let needed = live.get("needed").and_then(Value::as_u64).unwrap_or(0);
    lines.push(if kept {
        let code = text(live, "code");
        format!("  {signed} of {needed}   Ctrl-C stops watching; vitrine break --resume {code}")
    } else {
        format!("  {signed} of {needed}   The key is in memory alone: stay here")
    });
    let block = lines.join("\n");
    let print = Sha256::digest(block.as_bytes())
        .iter()
        .take(6)
        .fold(0_usize, |a, b| a << 8 | usize::from(*b));
    if *drawn >> 8 == print >> 8 && *drawn != 0 {
        return;
    }
    if *drawn != 0 && std::io::stderr().is_terminal() {
        eprint!("\x1b[{}A\x1b[J", lines.len());
    }
    eprintln!("{block}");
    *drawn = print | 1;
}
