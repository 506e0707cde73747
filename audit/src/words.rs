//! One line in words for each event, for pages and terminals. Display only: it takes the data as it is and never fails.

use crate::read::statement;
use serde_json::Value;

/// What an id in an entry names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Thing {
    /// A person or a workload.
    User,
    /// A key of a person.
    Key,
    /// A safe.
    Safe,
    /// A credential.
    Credential,
    /// A request; its name is the code people say.
    Request,
    /// A target.
    Target,
}

impl Thing {
    fn word(self) -> &'static str {
        match self {
            Thing::User => "person",
            Thing::Key => "key",
            Thing::Safe => "safe",
            Thing::Credential => "credential",
            Thing::Request => "request",
            Thing::Target => "target",
        }
    }
}

/// One line for an entry, where only the entry is at hand: things are called by the last digits of their ids.
pub fn words(event: &str, data: &Value) -> String {
    words_with(event, data, &|_, _| None)
}

/// One line for an entry. `names` knows what ids are called; where it says `None`, the last digits of the id stand.
pub fn words_with(
    event: &str,
    data: &Value,
    names: &dyn Fn(Thing, &str) -> Option<String>,
) -> String {
    let read = statement(data);
    let line = Line {
        data,
        said: read.as_ref().unwrap_or(&Value::Null),
        names,
    };
    line.of(event)
        .unwrap_or_else(|| format!("An event that this program does not know: {event}."))
}

struct Line<'a> {
    data: &'a Value,
    /// The statement, where there is one.
    said: &'a Value,
    names: &'a dyn Fn(Thing, &str) -> Option<String>,
}

impl Line<'_> {
    fn of(&self, event: &str) -> Option<String> {
        let (group, what) = event.split_once('.')?;
        match group {
            "ledger" | "checkpoint_keys" | "clock" | "kek" | "software" | "setting" | "drill" => {
                self.house(event)
            }
            "person" | "authenticator" => self.people(event),
            "request" => self.requests(what),
            "release" | "share" | "grant" => self.openings(event),
            "rotation" => self.rotation(what),
            _ => self.things(event),
        }
    }

    fn house(&self, event: &str) -> Option<String> {
        let data = self.data;
        Some(match event {
            "ledger.founded" => match data.get("continues") {
                None => format!("The ledger {} is founded.", text(data, "name")),
                Some(old) => {
                    let size = number(old, "size");
                    format!(
                        "The ledger {} is founded. It continues one of {}.",
                        text(data, "name"),
                        count(size, "entry", "entries")
                    )
                }
            },
            "checkpoint_keys.changed" => match length(data, "checkpoint_keys") {
                1 => "From here on one new key signs checkpoints.".into(),
                n => format!("From here on {n} keys sign checkpoints."),
            },
            "clock.ticked" => "Twelve hours passed without another entry.".into(),
            "clock.accepted" => format!("{} accepts the clock: {}.", self.signer(), why(self.said)),
            "kek.rolled" => {
                let end = if data.get("previous_key").is_some() {
                    "; it replaces the former one"
                } else {
                    ""
                };
                format!(
                    "Token {} has a new key that wraps secrets{end}.",
                    text(data, "token")
                )
            }
            "software.started" => format!("Vitrine {} starts.", text(data, "release")),
            "setting.changed" => format!(
                "{} sets {} to {}.",
                self.signer(),
                text(self.said, "name"),
                text(self.said, "value")
            ),
            "drill.finished" => {
                let end = if text(data, "outcome") == "passed" {
                    "passes"
                } else {
                    "fails"
                };
                format!(
                    "The drill of {} {end}.",
                    self.name(Thing::Safe, data, "safe")
                )
            }
            _ => return None,
        })
    }

    fn people(&self, event: &str) -> Option<String> {
        // Entry 1 is the one invitation without a signature: its data is the statement.
        let said = if self.said.is_null() {
            self.data
        } else {
            self.said
        };
        let user = || self.name(Thing::User, said, "user");
        Some(match event {
            "person.invited" => match list(said, "roles") {
                None => format!("{} is invited.", text(said, "name")),
                Some(roles) => format!("{} is invited as {roles}.", text(said, "name")),
            },
            "person.roles" => match list(said, "roles") {
                None => format!("{} has no role now.", user()),
                Some(roles) => format!("{} is now {roles}.", user()),
            },
            "authenticator.enrolled" => {
                let further = if self.data.get("admission").is_some() {
                    "a further key"
                } else {
                    "a key"
                };
                let use_ = if said.get("share_key").is_some() {
                    "can hold shares"
                } else {
                    "signs and holds no share"
                };
                format!("{} enrols {further} that {use_}.", text(said, "name"))
            }
            "authenticator.revoked" => format!(
                "A key of {} no longer signs or logs in: {}.",
                user(),
                why(said)
            ),
            "authenticator.suspended" => {
                format!("A key of {} is suspended: {}.", user(), why(said))
            }
            "authenticator.restored" => format!("A key of {} signs again: {}.", user(), why(said)),
            "authenticator.distrusted" => format!(
                "The counter of {} went back to {}: it is suspended.",
                self.name(Thing::Key, self.data, "authenticator"),
                number(self.data, "counter")
            ),
            _ => return None,
        })
    }

    fn requests(&self, what: &str) -> Option<String> {
        let said = self.said;
        let none = Value::Null;
        let subject = said.get("subject").unwrap_or(&none);
        Some(match what {
            "filed" => {
                let ticket = said.get("ticket").and_then(Value::as_str);
                let ticket = ticket
                    .map(|ticket| format!(" Ticket {ticket}."))
                    .unwrap_or_default();
                format!(
                    "{} asks {}.{ticket}",
                    text(said, "requester_name"),
                    self.asked(said)
                )
            }
            "approved" => format!(
                "{} approves: {} asks {}.",
                self.signer(),
                text(subject, "requester_name"),
                self.asked(subject)
            ),
            "denied" => format!(
                "{} denies: {} asks {}.",
                self.signer(),
                text(subject, "requester_name"),
                self.asked(subject)
            ),
            "accepted" => {
                let new = subject.get("new").unwrap_or(&none);
                format!(
                    "{} accepts a place on roster {} of {}.",
                    self.signer(),
                    number(new, "epoch"),
                    text(new, "name")
                )
            }
            "ended" => {
                let request = capital(&self.name(Thing::Request, self.data, "request"));
                match text(self.data, "why") {
                    "withdrawn" => format!("{request} is withdrawn."),
                    "expired" => format!("{request} expires. Nothing was opened."),
                    "denied" => format!("{request} ends: it was denied."),
                    "superseded" => format!("{request} ends: what it asked for was replaced."),
                    "restored" => format!("{request} ends: the ledger was restored."),
                    other => format!("{request} ends: {other}."),
                }
            }
            _ => return None,
        })
    }

    /// What a request asks, after "asks".
    fn asked(&self, request: &Value) -> String {
        let none = Value::Null;
        let part = |name| request.get(name).unwrap_or(&none);
        let seconds = || span(number(request, "duration_s"));
        // Purposes carry distinct members (FORMATS.md 4); `purpose` is the word.
        match text(request, "purpose") {
            "release" => format!(
                "for {}, version {}, for {}",
                text(part("sealed_as"), "name"),
                number(request, "version"),
                seconds()
            ),
            "access" => format!(
                "for the role {} at {}, for {}",
                text(request, "role_name"),
                self.name(Thing::Target, request, "target"),
                seconds()
            ),
            "roster" => format!("for {}", roster(part("new"))),
            "role" => format!(
                "for the role {} at {}",
                text(request, "name"),
                self.name(Thing::Target, request, "target")
            ),
            "target" => format!(
                "to bind {} to {} at {}",
                self.name(Thing::Credential, request, "credential"),
                text(request, "account"),
                text(request, "address")
            ),
            "reseal" => format!(
                "to seal {} again",
                count(length(request, "versions"), "version", "versions")
            ),
            "destroy" => format!(
                "to destroy {}",
                count(length(request, "versions"), "version", "versions")
            ),
            "restore" => "to restore from a backup".into(),
            other => format!("for {other}"),
        }
    }

    fn things(&self, event: &str) -> Option<String> {
        let data = self.data;
        let none = Value::Null;
        let versions = || count(length(data, "versions"), "version", "versions");
        Some(match event {
            "roster.set" => format!(
                "{} is in force.",
                capital(&roster(data.get("new").unwrap_or(&none)))
            ),
            "target.set" => format!(
                "{} is bound to {} at {}.",
                self.first(Thing::Credential, data, "credential"),
                text(data, "account"),
                text(data, "address")
            ),
            "role.set" => format!(
                "The role {} at {} can be held for up to {}, with {}.",
                text(data, "name"),
                self.name(Thing::Target, data, "target"),
                span(number(data, "max_s")),
                match number(data, "needed") {
                    0 => "no approval".into(),
                    n => count(n, "approval", "approvals"),
                }
            ),
            "version.destroyed" => match length(data, "versions") {
                1 => "1 version is destroyed.".into(),
                _ => format!("{} are destroyed.", versions()),
            },
            "reseal.opened" => match length(data, "versions") {
                1 => "1 version is opened, to be sealed again.".into(),
                _ => format!("{} are opened, to be sealed again.", versions()),
            },
            "version.sealed" => {
                let credential = self.first(Thing::Credential, data, "credential");
                let version = number(data, "version");
                match text(data, "origin") {
                    "imported" => format!(
                        "{credential}, version {version}, is sealed. {} imported it.",
                        self.signer()
                    ),
                    "resealed" => format!("{credential}, version {version}, is sealed again."),
                    _ => format!("{credential}, version {version}, is sealed. Vitrine made it."),
                }
            }
            _ => return None,
        })
    }

    fn openings(&self, event: &str) -> Option<String> {
        let data = self.data;
        let request = || capital(&self.name(Thing::Request, data, "request"));
        let approvals = || count(length(data, "approvals"), "approval", "approvals");
        Some(match event {
            "release.opened" => format!(
                "{} opens {}, version {}, with {}.",
                self.name(Thing::User, data, "requester"),
                self.name(Thing::Credential, data, "credential"),
                number(data, "version"),
                approvals()
            ),
            "release.closed" => match text(data, "why") {
                "checked_in" => format!("{} is checked in.", request()),
                "expired" => format!("{} ends: its time is up.", request()),
                other => format!("{} ends: {other}.", request()),
            },
            "release.refused" => format!("{} is not opened: {}.", request(), why(data)),
            "share.refused" => format!(
                "A share of {} is refused: {}.",
                self.name(Thing::User, data, "approver"),
                why(data)
            ),
            "grant.started" => format!(
                "Access to {} starts with {}, until {}.",
                self.name(Thing::Target, data, "target"),
                approvals(),
                utc(data
                    .get("until")
                    .and_then(Value::as_i64)
                    .unwrap_or_default())
            ),
            "grant.ended" => format!("Access ends: {}.", why(data)),
            _ => return None,
        })
    }

    fn rotation(&self, what: &str) -> Option<String> {
        let data = self.data;
        let credential = self.first(Thing::Credential, data, "credential");
        let version = number(data, "version");
        let done = match what {
            "staged" => format!("{credential}: version {version} is staged"),
            "applied" => format!("{credential}: version {version} is applied at the target"),
            "proved" => format!("{credential}: version {version} is proved"),
            "promoted" => format!("{credential}: version {version} is the current one"),
            "failed" => format!("{credential}: version {version} did not come into force"),
            _ => return None,
        };
        Some(format!(
            "{done}. {}.",
            capital(bare(text(data, "observed")))
        ))
    }

    fn signer(&self) -> String {
        self.first(Thing::User, self.said, "signer")
    }

    fn name(&self, thing: Thing, of: &Value, member: &str) -> String {
        let id = text(of, member);
        (self.names)(thing, id).unwrap_or_else(|| nameless(thing, id))
    }

    /// The same where a sentence begins: a name stays as it is.
    fn first(&self, thing: Thing, of: &Value, member: &str) -> String {
        let id = text(of, member);
        (self.names)(thing, id).unwrap_or_else(|| capital(&nameless(thing, id)))
    }
}

/// "credential …4c1e2f"
fn nameless(thing: Thing, id: &str) -> String {
    let end = id
        .char_indices()
        .rev()
        .nth(5)
        .and_then(|(at, _)| id.get(at..))
        .unwrap_or(id);
    format!("{} …{end}", thing.word())
}

/// "roster 2 of Network core (2 of 3)"
fn roster(new: &Value) -> String {
    let drill = if new.get("drill") == Some(&Value::Bool(true)) {
        ", for drills"
    } else {
        ""
    };
    format!(
        "roster {} of {} ({} of {}{drill})",
        number(new, "epoch"),
        text(new, "name"),
        number(new, "m"),
        length(new, "approvers")
    )
}

fn text<'a>(of: &'a Value, member: &str) -> &'a str {
    of.get(member)
        .and_then(Value::as_str)
        .unwrap_or("(not given)")
}

/// A reason without its last full stop: the line brings its own.
fn why(of: &Value) -> &str {
    bare(text(of, "why"))
}

fn bare(text: &str) -> &str {
    text.strip_suffix('.').unwrap_or(text)
}

fn number(of: &Value, member: &str) -> u64 {
    of.get(member).and_then(Value::as_u64).unwrap_or_default()
}

fn length(of: &Value, member: &str) -> u64 {
    of.get(member)
        .and_then(Value::as_array)
        .and_then(|items| items.len().try_into().ok())
        .unwrap_or_default()
}

fn count(n: u64, one: &str, many: &str) -> String {
    format!("{n} {}", if n == 1 { one } else { many })
}

/// "approver, auditor and custodian"; nothing for an empty list.
fn list(of: &Value, member: &str) -> Option<String> {
    let items: Vec<&str> = of
        .get(member)?
        .as_array()?
        .iter()
        .filter_map(Value::as_str)
        .collect();
    match items.split_last()? {
        (last, []) => Some((*last).to_owned()),
        (last, rest) => Some(format!("{} and {last}", rest.join(", "))),
    }
}

fn capital(text: &str) -> String {
    let mut chars = text.chars();
    chars
        .next()
        .map(|first| first.to_uppercase().chain(chars).collect())
        .unwrap_or_default()
}

/// Seconds as people say them: "90 s", "15 min", "2 h 30 min".
fn span(seconds: u64) -> String {
    let parts = [
        (seconds / 3600, "h"),
        (seconds / 60 % 60, "min"),
        (seconds % 60, "s"),
    ];
    let said: Vec<String> = parts
        .iter()
        .filter(|(n, _)| *n > 0)
        .map(|(n, unit)| format!("{n} {unit}"))
        .collect();
    match seconds {
        0 => "0 s".into(),
        1..120 => format!("{seconds} s"),
        _ => said.join(" "),
    }
}

/// Microseconds since 1970 as "22 Nov 2026, 03:16 UTC" (civil from days, proleptic Gregorian).
fn utc(micros: i64) -> String {
    const MONTHS: [&str; 12] = [
        "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
    ];
    let minutes = micros.div_euclid(60_000_000);
    let (days, minute) = (minutes.div_euclid(1440), minutes.rem_euclid(1440));
    // Years that begin in March, so that the leap day is the last; eras of 400 years.
    let shifted = days + 719_468;
    let (era, day) = (shifted.div_euclid(146_097), shifted.rem_euclid(146_097));
    let year = (day - day / 1460 + day / 36_524 - day / 146_096) / 365;
    let of_year = day - (365 * year + year / 4 - year / 100);
    let march = (5 * of_year + 2) / 153;
    let date = of_year - (153 * march + 2) / 5 + 1;
    let month = (march + 2) % 12;
    let year = year + era * 400 + i64::from(month < 2);
    let name = usize::try_from(month)
        .ok()
        .and_then(|month| MONTHS.get(month))
        .unwrap_or(&"");
    format!(
        "{date} {name} {year}, {:02}:{:02} UTC",
        minute / 60,
        minute % 60
    )
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing)]
    use super::*;

    #[test]
    fn times_are_civil() {
        assert_eq!(utc(0), "1 Jan 1970, 00:00 UTC");
        assert_eq!(utc(951_782_340_000_000), "28 Feb 2000, 23:59 UTC");
        assert_eq!(utc(951_782_400_000_000), "29 Feb 2000, 00:00 UTC");
        assert_eq!(utc(1_795_317_380_418_233), "22 Nov 2026, 03:16 UTC");
        assert_eq!(utc(4_107_542_400_000_000), "1 Mar 2100, 00:00 UTC");
    }

    #[test]
    fn spans_are_as_people_say_them() {
        for (seconds, said) in [
            (0, "0 s"),
            (90, "90 s"),
            (900, "15 min"),
            (9000, "2 h 30 min"),
            (3601, "1 h 1 s"),
        ] {
            assert_eq!(span(seconds), said);
        }
    }

    #[test]
    fn nothing_makes_it_fail() {
        for event in [
            "",
            "x",
            "request.",
            "request.filed",
            "release.opened",
            "person.invited",
            "rotation.applied",
        ] {
            for data in [
                Value::Null,
                serde_json::json!({}),
                serde_json::json!({"statement": "{", "request": 3}),
            ] {
                assert!(!words(event, &data).is_empty());
            }
        }
        assert_eq!(
            words("moon.risen", &Value::Null),
            "An event that this program does not know: moon.risen."
        );
    }
}
