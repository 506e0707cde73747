//! What every page shares: the two shells and the small pieces that the templates in `templates/` draw.
//!
//! The templates get finished words and numbers. Who may see what is decided before: a page never hides what its
//! reader may not have, it is not given it. Times come in as microseconds since 1970 UTC and are turned into words here,
//! so that every page says them alike. Nothing here is secret.
//!
//! Shells: a page of the *desk* holds a [`Desk`] in its field `desk`, a page of the *task* shell a [`Task`] in `task`.

use std::fmt;
use std::hash::{DefaultHasher, Hash, Hasher};

/// The desk shell: bar with tabs, page, health line.
#[derive(Clone, Debug, Default)]
pub struct Desk {
    /// `<title>`, situation first, without " · Vitrine".
    pub title: String,
    /// The tab that is lit.
    pub tab: Tab,
    /// Who is signed in; without, the bar has no tabs.
    pub user: Option<Who>,
    /// The health line at the foot.
    pub health: Vec<Health>,
    /// One sentence for everybody, above the page: a token that is no HSM, a clock that waits for a signature.
    pub banner: Option<Banner>,
    /// The server's clock when the page was made, microseconds; countdowns tick by it, not by the reader's clock.
    pub now: i64,
    /// The mark of what the page says, where it follows what happens; otherwise empty.
    pub mark: String,
}

impl Desk {
    /// The server's clock in milliseconds, for the page scripts.
    pub fn now_ms(&self) -> i64 {
        self.now.div_euclid(1000)
    }

    /// Whether the reader has this role ("custodian"): decides which acts a page offers, not which it accepts.
    pub fn may(&self, role: &str) -> bool {
        self.user
            .as_ref()
            .is_some_and(|user| user.roles.iter().any(|r| r == role))
    }

    /// Whether `id` is the reader.
    pub fn is_me(&self, id: &str) -> bool {
        self.user.as_ref().is_some_and(|user| user.user == id)
    }
}

/// The task shell: one job, no tabs.
#[derive(Clone, Debug, Default)]
pub struct Task {
    /// `<title>`, situation first, without " · Vitrine".
    pub title: String,
    /// What stands at the right of the bar before the code: "Request", "Open ·", a person's name.
    pub place: String,
    /// The request code, `7KQ4-M2XD`.
    pub code: Option<String>,
    /// A secret is open on this page: the bar is inverse.
    pub live: bool,
    /// Who is signed in.
    pub user: Option<Who>,
    /// The server's clock when the page was made, microseconds.
    pub now: i64,
}

impl Task {
    /// The server's clock in milliseconds, for the page scripts.
    pub fn now_ms(&self) -> i64 {
        self.now.div_euclid(1000)
    }

    /// The same as a point in time.
    pub fn today(&self) -> When {
        When(self.now)
    }
}

/// The tabs of the desk.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Tab {
    /// None is lit.
    #[default]
    None,
    /// `/`
    Home,
    /// `/requests`
    Requests,
    /// `/safes`
    Safes,
    /// `/people`
    People,
    /// `/ledger`
    Ledger,
}

impl Tab {
    /// The lit tab's word in `shell/desk.html`.
    pub fn word(&self) -> &'static str {
        match self {
            Self::None => "",
            Self::Home => "home",
            Self::Requests => "requests",
            Self::Safes => "safes",
            Self::People => "people",
            Self::Ledger => "ledger",
        }
    }
}

/// The person who is signed in.
#[derive(Clone, Debug, Default)]
pub struct Who {
    /// User id.
    pub user: String,
    /// Invited name.
    pub name: String,
    /// Roles: requester, approver, custodian, auditor, operator.
    pub roles: Vec<String>,
}

impl Who {
    /// "Adaeze Obi" as "AO".
    pub fn initials(&self) -> String {
        initials(&self.name)
    }
}

/// One item of the health line.
#[derive(Clone, Debug)]
pub struct Health {
    /// Whether it is well; otherwise it is drawn as needing a person.
    pub well: bool,
    /// "HSM answering", "Ledger: 48 219 entries, checkpoint 1 s ago".
    pub text: String,
}

/// A sentence above the page.
#[derive(Clone, Debug)]
pub struct Banner {
    /// "This is no HSM: the keys lie in a file. Use it to try Vitrine, not to keep secrets."
    pub text: String,
    /// Where to act on it, with the link's words.
    pub act: Option<(String, String)>,
}

/// The closed list of marks: each has one glyph and one colour (`chip` in `shell/parts.html`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mark {
    /// A square: nothing is open.
    Sealed,
    /// A ring: somebody is asked, something has not begun.
    Waiting,
    /// Half a disc: somebody reads, something is under way.
    Reading,
    /// A check in the accent colour's green: signed, proved, alive.
    Signed,
    /// An eye on the inverse ground: a secret is open now.
    Open,
    /// A triangle: needs a person.
    Attention,
    /// A cross in red: refused, failed, cannot.
    Failed,
    /// A quiet cross: ended without harm (withdrawn, expired).
    Ended,
    /// No glyph: a plain fact ("3 of 5 must sign").
    Plain,
}

/// Glyph, word and colour: one per row.
#[derive(Clone, Debug)]
pub struct Chip {
    /// The mark.
    pub mark: Mark,
    /// The word.
    pub word: String,
}

impl Chip {
    /// A chip of this mark with this word.
    pub fn new(mark: Mark, word: impl Into<String>) -> Self {
        Self {
            mark,
            word: word.into(),
        }
    }

    /// Its colour's class.
    pub fn tone(&self) -> &'static str {
        match self.mark {
            Mark::Sealed | Mark::Waiting | Mark::Ended | Mark::Plain => "",
            Mark::Reading => "accent",
            Mark::Signed => "ok",
            Mark::Open => "open",
            Mark::Attention => "wait",
            Mark::Failed => "stop",
        }
    }

    /// Its glyph's name in the `icon` macro.
    pub fn glyph(&self) -> &'static str {
        match self.mark {
            Mark::Sealed => "square",
            Mark::Waiting => "ring",
            Mark::Reading => "half",
            Mark::Signed => "check",
            Mark::Open => "eye",
            Mark::Attention => "warn",
            Mark::Failed | Mark::Ended => "cross",
            Mark::Plain => "",
        }
    }
}

/// What a notice is about: it decides colour and glyph.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tone {
    /// Advice.
    Advice,
    /// Needs a person.
    Attention,
    /// A refusal.
    Refused,
    /// Done, proved.
    Done,
}

impl Tone {
    /// Its class.
    pub fn class(&self) -> &'static str {
        match self {
            Self::Advice => "",
            Self::Attention => "wait",
            Self::Refused => "stop",
            Self::Done => "ok",
        }
    }

    /// Its glyph.
    pub fn glyph(&self) -> &'static str {
        match self {
            Self::Advice => "info",
            Self::Attention => "warn",
            Self::Refused => "cross",
            Self::Done => "check",
        }
    }
}

/// What happened, why, what to do next.
#[derive(Clone, Debug)]
pub struct Notice {
    /// Its tone.
    pub tone: Tone,
    /// What happened.
    pub title: String,
    /// Why, and what to do next.
    pub text: String,
}

/// The ring: `need` arcs, `have` of them thick.
#[derive(Clone, Copy, Debug)]
pub struct Ring {
    /// Signatures that count now.
    pub have: u32,
    /// Signatures needed.
    pub need: u32,
}

impl Ring {
    /// Length of the whole circle in the drawing's own units: 100 for each arc.
    pub fn length(&self) -> u32 {
        self.need.max(1) * 100
    }

    /// The gap pattern of one arc.
    pub fn dashes(&self) -> String {
        let drawn = if self.need > 12 { 76 } else { 92 };
        format!("{drawn} {}", self.length() - drawn)
    }

    /// Where arc `i` (from 0) begins.
    pub fn offset(&self, i: &u32) -> i64 {
        -(i64::from(*i) * 100 + 4)
    }
}

/// How many approvers can sign, against how many must.
#[derive(Clone, Copy, Debug)]
pub struct Pips {
    /// Signatures needed (m).
    pub need: u32,
    /// Approvers who can sign now.
    pub can: u32,
    /// Approvers on the roster (n).
    pub all: u32,
}

impl Pips {
    /// Needed places that somebody fills.
    pub fn held(&self) -> u32 {
        self.can.min(self.need)
    }

    /// Approvers beyond the needed ones.
    pub fn spare(&self) -> u32 {
        self.can.saturating_sub(self.need)
    }

    /// Approvers who cannot sign.
    pub fn lost(&self) -> u32 {
        self.all.saturating_sub(self.can)
    }

    /// Width of the drawing.
    pub fn width(&self) -> u32 {
        (self.need + self.spare() + self.lost()) * 16 + 8
    }

    /// Centres of the needed places, each with whether somebody fills it.
    pub fn needed(&self) -> Vec<(u32, bool)> {
        (0..self.need)
            .map(|i| (8 + i * 16, i < self.held()))
            .collect()
    }

    /// Where the rule stands.
    pub fn rule(&self) -> u32 {
        self.need * 16 + 4
    }

    /// Centres of the spare rings, behind the rule.
    pub fn spares(&self) -> Vec<u32> {
        (0..self.spare())
            .map(|i| 16 + (self.need + i) * 16)
            .collect()
    }

    /// The crosses, behind the spare rings, as paths.
    pub fn crosses(&self) -> Vec<String> {
        let first = self.need + self.spare();
        (first..first + self.lost())
            .map(|i| 16 + i * 16)
            .map(|x| format!("M{} 4l8 8M{} 4l-8 8", x - 4, x + 4))
            .collect()
    }

    /// What the drawing says, in words.
    pub fn words(&self) -> String {
        let rest = match self.can.checked_sub(self.need) {
            Some(spare) => format!("{spare} to spare"),
            None => format!("{} missing", self.need - self.can),
        };
        format!(
            "{} of {} approvers can sign, {} are needed, {rest}",
            self.can, self.all, self.need
        )
    }
}

/// A person's row in a quorum or roster.
#[derive(Clone, Debug)]
pub struct Person {
    /// User id.
    pub user: String,
    /// Name.
    pub name: String,
    /// The line under the name: "Signed 03:13:09", "No working key".
    pub note: String,
    /// Has signed: the face is filled.
    pub done: bool,
    /// State.
    pub chip: Chip,
    /// The entry of that signature.
    pub entry: Option<u64>,
}

impl Person {
    /// "Adaeze Obi" as "AO".
    pub fn initials(&self) -> String {
        initials(&self.name)
    }
}

/// One row of a list of facts.
#[derive(Clone, Debug, Default)]
pub struct Fact {
    /// Label.
    pub label: String,
    /// Value.
    pub value: String,
    /// Link of the value.
    pub href: Option<String>,
    /// A quieter second line.
    pub note: Option<String>,
    /// Set in the mono face: an id, a hash, an address.
    pub mono: bool,
    /// The name under which the page script finds the value, to compare it with verified bytes.
    pub word: Option<&'static str>,
}

impl Fact {
    /// A label with its value.
    pub fn new(label: impl Into<String>, value: impl Into<String>) -> Self {
        Self {
            label: label.into(),
            value: value.into(),
            ..Self::default()
        }
    }

    /// The same with a link.
    pub fn to(mut self, href: impl Into<String>) -> Self {
        self.href = Some(href.into());
        self
    }

    /// The same with a second line.
    pub fn note(mut self, note: impl Into<String>) -> Self {
        self.note = Some(note.into());
        self
    }

    /// The same in the mono face.
    pub fn mono(mut self) -> Self {
        self.mono = true;
        self
    }

    /// The same, to be compared with verified bytes under this name.
    pub fn word(mut self, word: &'static str) -> Self {
        self.word = Some(word);
        self
    }
}

/// How far a moment of a timeline is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// It happened.
    Did,
    /// It is under way.
    Now,
    /// It is to come.
    Later,
}

impl Phase {
    /// Its class.
    pub fn class(&self) -> &'static str {
        match self {
            Self::Did => "did",
            Self::Now => "now",
            Self::Later => "",
        }
    }
}

/// One step of a timeline.
#[derive(Clone, Debug)]
pub struct Moment {
    /// How far it is.
    pub phase: Phase,
    /// What happens.
    pub text: String,
    /// When, in words, or what that means.
    pub note: String,
    /// The entry that says so.
    pub entry: Option<u64>,
}

/// A credential, safe or person as a link.
#[derive(Clone, Debug)]
pub struct Link {
    /// Where to.
    pub href: String,
    /// The words.
    pub text: String,
}

/// A mark of a page's words: another one when they change.
pub fn mark(words: impl IntoIterator<Item = impl Hash>) -> String {
    let mut hasher = DefaultHasher::new();
    for word in words {
        word.hash(&mut hasher);
    }
    format!("{:016x}", hasher.finish())
}

/// A point in time, in words and for machines.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct When(
    /// Microseconds since 1970 UTC.
    pub i64,
);

impl When {
    /// `2026-11-22T03:12:04Z`, for `<time datetime>`.
    pub fn iso(&self) -> String {
        let (y, mo, d, h, mi, s) = self.parts();
        format!("{y:04}-{mo:02}-{d:02}T{h:02}:{mi:02}:{s:02}Z")
    }

    /// "22 Nov, 03:12:04 UTC".
    pub fn full(&self) -> String {
        let (_, mo, d, h, mi, s) = self.parts();
        format!("{d} {}, {h:02}:{mi:02}:{s:02} UTC", month(mo))
    }

    /// "03:12:04 UTC".
    pub fn second(&self) -> String {
        let (_, _, _, h, mi, s) = self.parts();
        format!("{h:02}:{mi:02}:{s:02} UTC")
    }

    /// "03:12 UTC".
    pub fn minute(&self) -> String {
        let (_, _, _, h, mi, _) = self.parts();
        format!("{h:02}:{mi:02} UTC")
    }

    /// "22 Nov 2026".
    pub fn day(&self) -> String {
        let (y, mo, d, ..) = self.parts();
        format!("{d} {} {y}", month(mo))
    }

    /// "22 Nov 2026, 03:16:20.418233 UTC": all that the ledger says.
    pub fn exact(&self) -> String {
        let (y, mo, d, h, mi, s) = self.parts();
        let us = self.0.rem_euclid(1_000_000);
        format!("{d} {} {y}, {h:02}:{mi:02}:{s:02}.{us:06} UTC", month(mo))
    }

    /// "just now", "2 min ago", "today", "9 days ago", seen from `now`.
    pub fn ago(&self, now: i64) -> String {
        let s = (now - self.0).max(0) / 1_000_000;
        match s {
            0..=59 => "just now".into(),
            60..=3_599 => format!("{} min ago", s / 60),
            3_600..=86_399 => format!("{} h ago", s / 3_600),
            86_400..=172_799 => "yesterday".into(),
            _ => format!("{} days ago", s / 86_400),
        }
    }

    fn parts(&self) -> (i64, u8, u8, i64, i64, i64) {
        let secs = self.0.div_euclid(1_000_000);
        let (days, rest) = (secs.div_euclid(86_400), secs.rem_euclid(86_400));
        // The proleptic Gregorian calendar, counted in eras of 400 years that begin on 1 March.
        let z = days + 719_468;
        let era = z.div_euclid(146_097);
        let doe = z.rem_euclid(146_097);
        let yoe = (doe - doe / 1_460 + doe / 36_524 - doe / 146_096) / 365;
        let doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
        let mp = (5 * doy + 2) / 153;
        let day = doy - (153 * mp + 2) / 5 + 1;
        let month = if mp < 10 { mp + 3 } else { mp - 9 };
        let year = yoe + era * 400 + i64::from(month <= 2);
        let small = |n: i64| u8::try_from(n).unwrap_or(1);
        (
            year,
            small(month),
            small(day),
            rest / 3_600,
            rest / 60 % 60,
            rest % 60,
        )
    }
}

impl fmt::Display for When {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.full())
    }
}

fn month(n: u8) -> &'static str {
    match n {
        1 => "Jan",
        2 => "Feb",
        3 => "Mar",
        4 => "Apr",
        5 => "May",
        6 => "Jun",
        7 => "Jul",
        8 => "Aug",
        9 => "Sep",
        10 => "Oct",
        11 => "Nov",
        _ => "Dec",
    }
}

/// A countdown with its bar. The page script goes on from `end`.
#[derive(Clone, Debug)]
pub struct Clock {
    /// When it reaches zero, microseconds.
    pub end: i64,
    /// The server's clock when the page was made, microseconds.
    pub now: i64,
    /// The whole time, seconds; 0 draws no bar.
    pub total_s: u32,
    /// What is left: "left to sign".
    pub label: String,
}

impl Clock {
    /// A countdown from `now` to `end` (microseconds) out of `total_s` seconds.
    pub fn new(now: i64, end: i64, total_s: u32, label: impl Into<String>) -> Self {
        Self {
            end,
            now,
            total_s,
            label: label.into(),
        }
    }

    /// Seconds left, not below zero.
    pub fn left_s(&self) -> i64 {
        ((self.end - self.now).max(0) + 999_999) / 1_000_000
    }

    /// For `<time datetime>`.
    pub fn iso(&self) -> String {
        When(self.end).iso()
    }

    /// "27:41", "1:02:03", or "13 days" beyond two days.
    pub fn text(&self) -> String {
        let s = self.left_s();
        match s {
            0..=3_599 => format!("{}:{:02}", s / 60, s % 60),
            3_600..=172_799 => format!("{}:{:02}:{:02}", s / 3_600, s / 60 % 60, s % 60),
            _ => format!("{} days", s / 86_400),
        }
    }

    /// "27 min", "45 s", "13 days": for rows.
    pub fn short(&self) -> String {
        let s = self.left_s();
        match s {
            0..=59 => format!("{s} s"),
            60..=7_199 => format!("{} min", s / 60),
            7_200..=172_799 => format!("{} h", s / 3_600),
            _ => format!("{} days", s / 86_400),
        }
    }

    /// "27 minutes 41 seconds left to sign".
    pub fn spoken(&self) -> String {
        let s = self.left_s();
        let unit = |n: i64, word: &str| match n {
            0 => String::new(),
            1 => format!("1 {word} "),
            _ => format!("{n} {word}s "),
        };
        let words = match s {
            0 => "nothing ".into(),
            1..=3_599 => unit(s / 60, "minute") + &unit(s % 60, "second"),
            3_600..=172_799 => unit(s / 3_600, "hour") + &unit(s / 60 % 60, "minute"),
            _ => unit(s / 86_400, "day"),
        };
        words + &self.label
    }
}

/// What somebody wants, as one sentence: "**Mara Lindqvist** wants the password of **orders-primary superuser** for 15 minutes."
#[derive(Clone, Debug, Default)]
pub struct Sentence {
    /// Who asks.
    pub who: String,
    /// "wants the password of".
    pub wants: String,
    /// The credential's, safe's name.
    pub what: String,
    /// "for 15 minutes", without the full stop.
    pub rest: String,
}

impl Sentence {
    /// A release: `kind` as in `sealed_as`.
    pub fn release(
        who: impl Into<String>,
        kind: &str,
        name: impl Into<String>,
        duration_s: u32,
    ) -> Self {
        let wants = match kind {
            "password" => "wants the password of",
            "key_pair" => "wants the key pair",
            "token" => "wants the token",
            "totp" => "wants a code of",
            "note" => "wants the note",
            _ => "wants the file",
        };
        Self {
            who: who.into(),
            wants: wants.into(),
            what: name.into(),
            rest: format!("for {}", duration(duration_s)),
        }
    }

    /// A new roster: the founding at epoch 1, a change after it.
    pub fn roster(
        who: impl Into<String>,
        safe: impl Into<String>,
        epoch: u32,
        m: u32,
        n: u32,
    ) -> Self {
        let wants = if epoch == 1 {
            "wants to found the safe"
        } else {
            "wants to change who opens the safe"
        };
        Self {
            who: who.into(),
            wants: wants.into(),
            what: safe.into(),
            rest: format!("opened by {m} of {n} approvers"),
        }
    }

    /// A target: where and as whom a credential is changed.
    pub fn target(
        who: impl Into<String>,
        credential: impl Into<String>,
        account: &str,
        address: &str,
    ) -> Self {
        Self {
            who: who.into(),
            wants: "wants to bind".into(),
            what: credential.into(),
            rest: format!("to the account {account} at {address}"),
        }
    }

    /// The first word of the name, for "call Mara".
    pub fn first_name(&self) -> &str {
        self.who.split_whitespace().next().unwrap_or(&self.who)
    }
}

/// "only two", "nobody".
pub fn only(n: u32) -> String {
    match n {
        0 => "nobody".into(),
        n => format!("only {}", number(n)),
    }
}

/// "Adaeze Obi" as "AO"; one word gives one letter.
pub fn initials(name: &str) -> String {
    let mut words = name.split_whitespace().filter_map(|w| w.chars().next());
    let first = words.next();
    let last = words.next_back();
    first
        .into_iter()
        .chain(last)
        .flat_map(char::to_uppercase)
        .collect()
}

/// A count with narrow no-break spaces: 48 219. Ids and `seq` are never grouped.
pub fn count(n: u64) -> String {
    let digits = n.to_string();
    let mut out = String::new();
    for (i, c) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            out.push('\u{202f}');
        }
        out.push(c);
    }
    out
}

/// "15 minutes", "1 hour", "45 seconds", "14 days".
pub fn duration(seconds: u32) -> String {
    let (n, unit) = match seconds {
        s if s % 86_400 == 0 && s > 0 => (s / 86_400, "day"),
        s if s % 3_600 == 0 && s > 0 => (s / 3_600, "hour"),
        s if s % 60 == 0 && s > 0 => (s / 60, "minute"),
        s => (s, "second"),
    };
    format!("{n} {unit}{}", if n == 1 { "" } else { "s" })
}

/// Small numbers as words: "three"; larger ones as digits.
pub fn number(n: u32) -> String {
    match n {
        0 => "no".into(),
        1 => "one".into(),
        2 => "two".into(),
        3 => "three".into(),
        4 => "four".into(),
        5 => "five".into(),
        6 => "six".into(),
        7 => "seven".into(),
        8 => "eight".into(),
        9 => "nine".into(),
        _ => n.to_string(),
    }
}

/// The first letter large: "Three".
pub fn capital(text: &str) -> String {
    let mut chars = text.chars();
    chars
        .next()
        .map(|c| c.to_uppercase().chain(chars).collect())
        .unwrap_or_default()
}

/// "Adaeze Obi, Jun Takahashi and Priya Nair".
pub fn and<S: AsRef<str>>(names: &[S]) -> String {
    match names {
        [] => String::new(),
        [one] => one.as_ref().into(),
        [first @ .., last] => {
            let first: Vec<&str> = first.iter().map(AsRef::as_ref).collect();
            format!("{} and {}", first.join(", "), last.as_ref())
        }
    }
}

/// A hash in groups of four hex digits, to be read aloud and compared.
pub fn groups(hex: &str) -> String {
    let mut out = String::new();
    for (i, c) in hex.chars().enumerate() {
        if i > 0 && i.is_multiple_of(4) {
            out.push(' ');
        }
        out.push(c);
    }
    out
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing)]

    use super::*;

    #[test]
    fn times_are_said_alike() {
        let t = When(1_795_317_380_418_233);
        assert_eq!(t.iso(), "2026-11-22T03:16:20Z");
        assert_eq!(t.full(), "22 Nov, 03:16:20 UTC");
        assert_eq!(t.exact(), "22 Nov 2026, 03:16:20.418233 UTC");
        assert_eq!(When(951_782_400_000_000).day(), "29 Feb 2000");
        assert_eq!(When(0).iso(), "1970-01-01T00:00:00Z");
        assert_eq!(t.ago(t.0 + 120_000_000), "2 min ago");
    }

    /// The page script compares its words with these and stops where they differ: one file for both.
    #[test]
    fn sentences_are_the_page_scripts_own() {
        let cases: Vec<serde_json::Value> =
            serde_json::from_str(include_str!("../../templates/page/test/sentences.json")).unwrap();
        for c in cases {
            let text = |name: &str| c[name].as_str().unwrap().to_owned();
            let number = |name: &str| u32::try_from(c[name].as_u64().unwrap()).unwrap();
            let said = match c["purpose"].as_str().unwrap() {
                "release" => Sentence::release(
                    text("who"),
                    &text("kind"),
                    text("name"),
                    number("duration_s"),
                ),
                "roster" => Sentence::roster(
                    text("who"),
                    text("name"),
                    number("epoch"),
                    number("m"),
                    number("n"),
                ),
                _ => Sentence::target(
                    text("who"),
                    text("name"),
                    &text("account"),
                    &text("address"),
                ),
            };
            let says = |name: &str| c["says"][name].as_str().unwrap().to_owned();
            assert_eq!(
                (said.who, said.wants, said.what, said.rest),
                (says("who"), says("wants"), says("what"), says("rest"))
            );
        }
    }

    #[test]
    fn a_clock_counts_down_to_zero_and_stays() {
        let clock = |left_s: i64| Clock::new(0, left_s * 1_000_000, 1800, "left to sign");
        assert_eq!(clock(1661).text(), "27:41");
        assert_eq!(clock(1661).spoken(), "27 minutes 41 seconds left to sign");
        assert_eq!(clock(61).spoken(), "1 minute 1 second left to sign");
        assert_eq!(clock(3723).text(), "1:02:03");
        assert_eq!(clock(-5).text(), "0:00");
        assert_eq!(clock(14 * 86_400).short(), "14 days");
    }

    #[test]
    fn pips_say_what_they_draw() {
        let pips = Pips {
            need: 3,
            can: 4,
            all: 5,
        };
        assert_eq!(
            (pips.held(), pips.spare(), pips.lost(), pips.width()),
            (3, 1, 1, 88)
        );
        assert_eq!(
            pips.words(),
            "4 of 5 approvers can sign, 3 are needed, 1 to spare"
        );
        assert_eq!(
            Pips {
                need: 3,
                can: 1,
                all: 3
            }
            .words(),
            "1 of 3 approvers can sign, 3 are needed, 2 missing"
        );
    }

    #[test]
    fn words() {
        assert_eq!(initials("Adaeze van der Obi"), "AO");
        assert_eq!(initials("élan"), "É");
        assert_eq!(count(48_219), "48\u{202f}219");
        assert_eq!(duration(900), "15 minutes");
        assert_eq!(duration(90), "90 seconds");
        assert_eq!(duration(3600), "1 hour");
        assert_eq!(and(&["A", "B", "C"]), "A, B and C");
        assert_eq!(groups("c41e09b7"), "c41e 09b7");
        assert_eq!(capital(&number(3)), "Three");
    }
}
