//! The one table.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Microseconds, or milliseconds where they are many.
pub(crate) fn us(n: f64) -> String {
    if n >= 10_000.0 {
        format!("{:.1} ms", n / 1e3)
    } else if n >= 10.0 {
        format!("{n:.0} us")
    } else {
        format!("{n:.1} us")
    }
}

enum Must {
    None,
    AtLeast(f64),
    AtMost(f64),
}

pub(crate) struct Row {
    what: String,
    measured: String,
    against: String,
    ratio: f64,
    bound: String,
    must: Must,
}

impl Row {
    pub(crate) fn new(what: &str, measured: String, against: String) -> Self {
        Self {
            what: what.into(),
            measured,
            against,
            ratio: f64::NAN,
            bound: String::new(),
            must: Must::None,
        }
    }

    pub(crate) fn ratio(self, ratio: f64) -> Self {
        Self { ratio, ..self }
    }

    /// The best that a minimal program or a peer reached.
    pub(crate) fn bound(self, bound: &str) -> Self {
        Self {
            bound: bound.into(),
            ..self
        }
    }

    pub(crate) fn at_least(self, ratio: f64) -> Self {
        Self {
            must: Must::AtLeast(ratio),
            ..self
        }
    }

    pub(crate) fn at_most(self, ratio: f64) -> Self {
        Self {
            must: Must::AtMost(ratio),
            ..self
        }
    }

    fn line(&self) -> String {
        let (must, reached) = match self.must {
            Must::None => (String::new(), ""),
            Must::AtLeast(n) => (format!("at least {n}"), yes(self.ratio >= n)),
            Must::AtMost(n) => (format!("at most {n}"), yes(self.ratio <= n)),
        };
        format!(
            "| {} | {} | {} | {:.2} | {} | {must} | {reached} |",
            self.what, self.measured, self.against, self.ratio, self.bound
        )
    }
}

fn yes(it_is: bool) -> &'static str {
    if it_is { "yes" } else { "no" }
}

pub(crate) struct Table {
    rows: Vec<Row>,
    load_before: String,
}

impl Table {
    pub(crate) fn begin() -> Self {
        Self {
            rows: Vec::new(),
            load_before: others(),
        }
    }

    pub(crate) fn add(&mut self, row: Row) {
        eprintln!("{}", row.line());
        self.rows.push(row);
    }

    /// Prints it, and writes it down.
    pub(crate) fn end(&self) {
        let program = crate::server::program();
        let profile = ["release", "debug"]
            .into_iter()
            .find(|p| program.components().any(|c| c.as_os_str() == *p));
        let profile = match profile {
            Some("debug") => "dev profile (dependencies at opt-level 2, our own at 1)",
            Some(_) => "release profile",
            None => "a program of unknown profile",
        };
        let cores = std::thread::available_parallelism().map_or(0, usize::from);
        let mut text = format!(
            "Measured {}, {profile}, {cores} cores, load average {} before and {} after.\n\n",
            today(),
            self.load_before,
            others()
        );
        text.push_str("| what | measured | against | ratio | bound | must | reached |\n");
        text.push_str("|---|---|---|---|---|---|---|\n");
        for row in &self.rows {
            let _ = writeln!(text, "{}", row.line());
        }
        print!("\n{text}");
        let otherwise = Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/bench.md");
        let out = std::env::var_os("VITRINE_BENCH_OUT").map_or(otherwise, PathBuf::from);
        let _ = out.parent().map(std::fs::create_dir_all);
        std::fs::write(&out, text).unwrap();
    }
}

/// How busy the machine is.
fn others() -> String {
    let text = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    text.split(' ').next().unwrap_or_default().to_owned()
}

fn today() -> String {
    let said = Command::new("date").args(["-u", "+%F"]).output();
    said.map_or_else(
        |_| String::new(),
        |o| String::from_utf8_lossy(&o.stdout).trim().to_owned(),
    )
}
