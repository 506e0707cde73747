//! The quorum as the terminal shows it while it waits: redrawn in place on a terminal, plain lines elsewhere.

use std::collections::HashSet;
use std::io::IsTerminal;
use std::time::Duration;

use serde_json::Value;

use super::held::{Held, now};
use super::known::Known;
use super::refusal::{Result, plain};
use super::remote::Remote;
use super::utc;
use crate::clock::SECOND;
use crate::error::Error;

/// Watches until enough have signed; draws the quorum on stderr. Ctrl-C stops watching, the request stays. A server that
/// answered before is waited for.
///
/// What was filed is checked before anybody has signed it, and again by whoever opens it.
pub(super) async fn wait(remote: &Remote, held: &Held, known: &Known) -> Result<Value> {
    let mut screen = Screen::new(held.kept());
    let mut checked = false;
    loop {
        let looked = match held.live(remote).await {
            Ok(Some(live)) if !checked && live.get("state") == Some(&"waiting".into()) => {
                match held.filing(remote, known).await {
                    Err(e) if !e.is_outage() => Err(e),
                    done => {
                        checked = done.is_ok();
                        Ok(Some(live))
                    }
                }
            }
            looked => looked,
        };
        match looked {
            Ok(None) => screen.once("Waiting for the link to be opened and filed."),
            Ok(Some(live)) => {
                held.see(&live);
                screen.show(&live, now());
                if live.get("late") == Some(&Value::Bool(true)) {
                    return Err(late(held, &live).into());
                }
                match live.get("state").and_then(Value::as_str) {
                    Some("reached" | "open") => return Ok(live),
                    Some("waiting") => {}
                    _ => return Err(over(held, &live).into()),
                }
            }
            Err(e) if e.is_outage() => screen.out_of_touch(remote.url()),
            Err(e) => return Err(e),
        }
        tokio::time::sleep(Duration::from_millis(700)).await;
    }
}

/// Its own limit decides, however long it could have been signed.
fn late(held: &Held, live: &Value) -> Error {
    held.forget();
    let until = live.get("open_until").and_then(Value::as_i64);
    Error::conflict(
        "Too late to open.",
        format!(
            "Enough signed {}, and nobody opened it before {}.",
            held.code(),
            utc(until.unwrap_or_default())
        ),
        "Its key is wiped here. Ask again: everybody signs anew.",
    )
}

fn over(held: &Held, live: &Value) -> Error {
    held.forget();
    let denied = names(live, "denied").join(", ");
    let why = match text(live, "why").as_str() {
        "denied" if !denied.is_empty() => format!("denied by {denied}"),
        "" => "ended".to_owned(),
        why => why.to_owned(),
    };
    Error::conflict(
        "Not opened.",
        format!("The request {} is over: {why}.", held.code()),
        "Its key is wiped here. Ask again: everybody signs anew.",
    )
}

fn text(v: &Value, name: &str) -> String {
    plain(v.get(name).and_then(Value::as_str).unwrap_or_default())
}

fn list<'a>(live: &'a Value, name: &str) -> impl Iterator<Item = &'a Value> {
    live.get(name)
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
}

fn names(live: &Value, of: &str) -> Vec<String> {
    list(live, of).map(|person| text(person, "name")).collect()
}

/// A span for people: 15 min, 90 s, 1 h 5 min.
fn span(seconds: i64) -> String {
    match (seconds / 3600, seconds / 60 % 60, seconds % 60) {
        (0, 0, s) => format!("{s} s"),
        (0, m, 0) => format!("{m} min"),
        (0, m, s) => format!("{m} min {s} s"),
        (h, 0, _) => format!("{h} h"),
        (h, m, _) => format!("{h} h {m} min"),
    }
}

/// The request in a line: what, for how long, which incident.
fn asked(live: &Value) -> String {
    let seq = live.get("seq").and_then(Value::as_u64).unwrap_or(0);
    let mut line = format!(
        "{}  {}, entry {seq}",
        text(live, "code"),
        text(live, "name")
    );
    if let Some(seconds) = live.get("duration_s").and_then(Value::as_i64) {
        line.push_str(&format!(", for {}", span(seconds)));
    }
    match text(live, "ticket").as_str() {
        "" => {}
        ticket => line.push_str(&format!(", ticket {ticket}")),
    }
    line
}

/// How much time is left, and for what.
fn left(live: &Value, now: i64) -> String {
    let time = |name: &str| live.get(name).and_then(Value::as_i64);
    let (until, what) = match live.get("state").and_then(Value::as_str) {
        Some("open") => (time("ends"), "open for"),
        Some("reached") => (time("open_until"), "to open within"),
        _ => (time("expires"), "to sign within"),
    };
    let seconds = until.unwrap_or(now).saturating_sub(now).max(0) / SECOND;
    format!("{what} {}", span(seconds))
}

/// What one person has done, and when.
fn said(live: &Value, person: &Value) -> String {
    let user = person.get("user");
    let at = ["signed", "denied"]
        .iter()
        .flat_map(|of| list(live, of))
        .find(|p| p.get("user") == user)
        .and_then(|p| p.get("time")?.as_i64());
    match (text(person, "state").as_str(), at) {
        ("cannot", _) => "cannot sign".into(),
        (state, Some(at)) => format!("{state} {}", utc(at)),
        (state, None) => state.to_owned(),
    }
}

fn counted(live: &Value) -> String {
    let needed = live.get("needed").and_then(Value::as_u64).unwrap_or(0);
    format!("{} of {needed}", list(live, "signed").count())
}

/// The whole picture, for a terminal.
fn picture(live: &Value, now: i64, kept: bool, unicode: bool) -> Vec<String> {
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
    let mut lines = vec![asked(live)];
    for person in list(live, "asked") {
        let mark = mark(&text(person, "state"));
        let (name, said) = (text(person, "name"), said(live, person));
        lines.push(format!("  {mark} {name:<20} {said}"));
    }
    lines.push(format!("  {}, {}", counted(live), left(live, now)));
    // A line of its own: at 80 columns the way back is not cut off.
    lines.push(if kept {
        let code = text(live, "code");
        format!("  Ctrl-C stops watching; back: vitrine break --resume {code}")
    } else {
        "  The key is in memory alone: stay here".to_owned()
    });
    lines
}

/// What there is to say, a line each; what was said before is left out by whoever prints.
fn lines(live: &Value, kept: bool) -> Vec<String> {
    let time = |name: &str| live.get(name).and_then(Value::as_i64).unwrap_or(0);
    let code = text(live, "code");
    let mut lines = vec![format!(
        "{}, to sign before {}",
        asked(live),
        utc(time("expires"))
    )];
    lines.push(if kept {
        format!("{code}  Ctrl-C stops watching; vitrine break --resume {code}")
    } else {
        format!("{code}  The key is in memory alone: stay here")
    });
    for person in list(live, "asked") {
        lines.push(format!(
            "{code}  {}: {}",
            text(person, "name"),
            said(live, person)
        ));
    }
    lines.push(format!("{code}  {} have signed", counted(live)));
    lines
}

/// Where it is shown.
struct Screen {
    terminal: bool,
    unicode: bool,
    kept: bool,
    drawn: Vec<String>,
    told: HashSet<String>,
}

impl Screen {
    fn new(kept: bool) -> Screen {
        let unicode = ["LC_ALL", "LC_CTYPE", "LANG"]
            .iter()
            .filter_map(|n| std::env::var(n).ok())
            .any(|v| v.to_ascii_lowercase().contains("utf"));
        Screen {
            terminal: std::io::stderr().is_terminal(),
            unicode,
            kept,
            drawn: Vec::new(),
            told: HashSet::new(),
        }
    }

    fn once(&mut self, line: &str) {
        if self.told.insert(line.to_owned()) {
            eprintln!("{line}");
            self.drawn.clear();
        }
    }

    /// Said anew each time that it happens.
    fn out_of_touch(&mut self, url: &str) {
        self.once(&format!("{url} does not answer now; trying on."));
    }

    fn show(&mut self, live: &Value, now: i64) {
        self.told.retain(|line| !line.ends_with("trying on."));
        if !self.terminal {
            for line in lines(live, self.kept) {
                self.once(&line);
            }
            return;
        }
        let block = picture(live, now, self.kept, self.unicode);
        if block == self.drawn {
            return;
        }
        let up = match self.drawn.len() {
            0 => String::new(),
            lines => format!("\x1b[{lines}A\x1b[J"),
        };
        // Without wrapping, so that a line is a line in a narrow window, too.
        eprintln!("{up}\x1b[?7l{}\x1b[?7h", block.join("\n"));
        self.drawn = block;
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use serde_json::json;

    use super::*;

    fn live() -> Value {
        json!({
            "code": "7KQ4-M2XD", "name": "orders-primary\u{1b}[2J superuser", "seq": 31, "state": "waiting",
            "duration_s": 900, "ticket": "INC-7", "needed": 2, "expires": 1_000 * SECOND,
            "asked": [
                { "user": "a", "name": "Adaeze Obi", "state": "signed" },
                { "user": "j", "name": "Jun Takahashi", "state": "reading" },
                { "user": "t", "name": "Tomasz Wren", "state": "cannot" },
            ],
            "signed": [{ "user": "a", "name": "Adaeze Obi", "state": "signed", "time": 83 * SECOND }],
            "denied": [],
        })
    }

    #[test]
    fn the_picture_says_what_is_asked_who_signed_when_and_how_long_is_left() {
        let picture = picture(&live(), 240 * SECOND, true, false).join("\n");
        assert_eq!(
            picture,
            "7KQ4-M2XD  orders-primary\u{fffd}[2J superuser, entry 31, for 15 min, ticket INC-7\n\
             \u{20} [x] Adaeze Obi           signed 00:01:23 UTC\n\
             \u{20} [~] Jun Takahashi        reading\n\
             \u{20} [-] Tomasz Wren          cannot sign\n\
             \u{20} 1 of 2, to sign within 12 min 40 s\n\
             \u{20} Ctrl-C stops watching; back: vitrine break --resume 7KQ4-M2XD"
        );
    }

    #[test]
    fn once_enough_have_signed_the_limit_is_that_of_the_opening() {
        let mut live = live();
        let members = live.as_object_mut().unwrap();
        members.insert("state".into(), "reached".into());
        members.insert("open_until".into(), json!(840 * SECOND));
        assert_eq!(left(&live, 240 * SECOND), "to open within 10 min");
    }

    #[test]
    fn elsewhere_it_is_lines_that_stand_for_themselves() {
        let lines = lines(&live(), false);
        assert!(
            lines
                .iter()
                .all(|l| l.starts_with("7KQ4-M2XD  ") && !l.contains('\u{1b}'))
        );
        assert!(lines.contains(&"7KQ4-M2XD  Adaeze Obi: signed 00:01:23 UTC".into()));
        assert!(
            lines
                .iter()
                .any(|l| l.ends_with("for 15 min, ticket INC-7, to sign before 00:16:40 UTC"))
        );
    }

    #[test]
    fn spans_are_for_people() {
        for (seconds, words) in [
            (0, "0 s"),
            (59, "59 s"),
            (900, "15 min"),
            (950, "15 min 50 s"),
            (3600, "1 h"),
            (3900, "1 h 5 min"),
        ] {
            assert_eq!(span(seconds), words);
        }
    }
}
