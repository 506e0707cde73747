//! Configuration: one TOML file, every key overridable as `VITRINE_SECTION_KEY`. Secrets come by file or
//! systemd credential, never by value here and never by argument.

use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::Deserialize;

use crate::error::{Error, Result};

/// Everything a node is told.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// Where the data directory is (SQLite, SoftHSM tokens, anchor).
    pub data: PathBuf,
    /// `[server]`
    pub server: Server,
    /// `[database]`
    pub database: Database,
    /// `[anchor]`
    pub anchor: AnchorAt,
    /// `[keys]`
    pub keys: KeyRules,
    /// `[hsm]`
    pub hsm: Hsm,
    /// `[ledger]`
    pub ledger: LedgerAt,
    /// `[rotation]`
    pub rotation: Rotation,
}

/// `[server]`: where to listen.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Server {
    /// Address and port; plain HTTP on loopback only.
    pub listen: String,
    /// PEM certificate chain, for TLS.
    pub certificate: Option<PathBuf>,
    /// PEM private key, for TLS.
    pub private_key: Option<PathBuf>,
    /// HTTP worker threads.
    pub workers: usize,
}

/// `[database]`
#[derive(Clone, Debug, Deserialize, Default)]
#[serde(deny_unknown_fields, default)]
pub struct Database {
    /// `sqlite:///path` or `postgres://role@host/name`; by default SQLite in the data directory.
    pub url: Option<String>,
    /// PostgreSQL: the owner role, for `init` and `migrate` only.
    pub owner_url: Option<String>,
}

/// `[anchor]`
#[derive(Clone, Debug, Deserialize, Default)]
#[serde(deny_unknown_fields, default)]
pub struct AnchorAt {
    /// File outside the database and outside its backups; by default `anchor` in the data directory.
    pub path: Option<PathBuf>,
}

/// `[keys]`: which FIDO2 keys may enrol.
#[derive(Clone, Debug, Deserialize, Default)]
#[serde(deny_unknown_fields, default)]
pub struct KeyRules {
    /// Further attestation roots: a TOML file each, beside the shipped list.
    pub trust: Vec<PathBuf>,
    /// Lets software keys enrol, for drill rosters only.
    pub drill: bool,
}

/// `[ledger]`
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct LedgerAt {
    /// Entries per commit at most.
    pub batch: usize,
}

/// `[rotation]`
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Rotation {
    /// Tries of one rotation before it waits for a person.
    pub attempts: u32,
    /// Seconds before the first retry; doubled each time.
    pub retry_s: u64,
    /// Seconds that one conversation with a target may take.
    pub deadline_s: u64,
}

/// `[hsm]`
#[derive(Clone, Debug, Deserialize, Default)]
#[serde(deny_unknown_fields, default)]
pub struct Hsm {
    /// Custody tokens, two or more. Empty: SoftHSM tokens in the data directory.
    pub custody: Vec<TokenAt>,
    /// Checkpoint tokens, one to three.
    pub checkpoint: Vec<TokenAt>,
    /// The service token.
    pub service: Option<TokenAt>,
}

/// One PKCS#11 token: module and exactly one of serial, label or slot.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TokenAt {
    /// The module's library.
    pub module: PathBuf,
    /// Token serial number.
    pub serial: Option<String>,
    /// Token label.
    pub label: Option<String>,
    /// Slot id.
    pub slot: Option<u64>,
    /// File with the user PIN; a bare name is looked up in `$CREDENTIALS_DIRECTORY`.
    pub pin_file: PathBuf,
    /// Sessions kept open.
    #[serde(default = "four")]
    pub sessions: usize,
    /// Milliseconds that a call may take.
    #[serde(default = "three_seconds")]
    pub deadline_ms: u64,
    /// Calls that may wait.
    #[serde(default = "queue")]
    pub queue: usize,
}

fn four() -> usize {
    4
}
fn three_seconds() -> u64 {
    3000
}
fn queue() -> usize {
    64
}

impl Default for Config {
    fn default() -> Config {
        Config {
            data: PathBuf::from("vitrine-data"),
            server: Server::default(),
            database: Database::default(),
            anchor: AnchorAt::default(),
            keys: KeyRules::default(),
            hsm: Hsm::default(),
            ledger: LedgerAt::default(),
            rotation: Rotation::default(),
        }
    }
}

impl Default for Server {
    fn default() -> Server {
        Server {
            listen: "127.0.0.1:7443".into(),
            certificate: None,
            private_key: None,
            workers: 2,
        }
    }
}

impl Default for LedgerAt {
    fn default() -> LedgerAt {
        LedgerAt { batch: 256 }
    }
}

impl Default for Rotation {
    fn default() -> Rotation {
        Rotation {
            attempts: 5,
            retry_s: 30,
            deadline_s: 10,
        }
    }
}

impl Config {
    /// Reads `path`, or `vitrine.toml` where there is one, or nothing; then the environment.
    pub fn load(path: Option<&Path>) -> Result<Config> {
        let default = Path::new("vitrine.toml");
        let file = path.or_else(|| default.exists().then_some(default));
        let text = match file {
            Some(file) => std::fs::read_to_string(file).map_err(|e| {
                Error::invalid(
                    "Not started.",
                    format!("The configuration {} cannot be read: {e}.", file.display()),
                    "Give its path with --config.",
                )
            })?,
            None => String::new(),
        };
        Config::parse_named(file, &text, std::env::vars())
    }

    /// Parses `text` and lays `VITRINE_SECTION_KEY` variables over it.
    pub fn parse(text: &str, vars: impl Iterator<Item = (String, String)>) -> Result<Config> {
        Config::parse_named(None, text, vars)
    }

    fn parse_named(
        file: Option<&Path>,
        text: &str,
        vars: impl Iterator<Item = (String, String)>,
    ) -> Result<Config> {
        // By itself first: then it is known whether the file is wrong, and where.
        if let Err(e) = toml::from_str::<Config>(text) {
            let line = e.span().and_then(|span| {
                let before = text.get(..span.start)?;
                Some(before.matches('\n').count() + 1)
            });
            let name = file.map_or_else(|| "the file".into(), |f| f.display().to_string());
            let place = line.map_or_else(|| name.clone(), |line| format!("{name}, line {line}"));
            return Err(Error::invalid(
                "Not started.",
                format!("The configuration is not valid: {place}: {}.", e.message()),
                "Mend it there; README lists every key.",
            ));
        }
        let wrong = |e: toml::de::Error| {
            Error::invalid(
                "Not started.",
                format!(
                    "A VITRINE_SECTION_KEY variable is not valid: {}.",
                    e.message()
                ),
                "Mend or unset it (`env | grep VITRINE_`); README lists every key.",
            )
        };
        let mut table: toml::Table = toml::from_str(text).map_err(wrong)?;
        for (name, value) in vars {
            overlay(&mut table, &name, &value);
        }
        toml::Value::Table(table).try_into().map_err(wrong)
    }

    /// The database to serve from.
    pub fn database_url(&self) -> String {
        self.database
            .url
            .clone()
            .unwrap_or_else(|| format!("sqlite://{}", self.data.join("vitrine.db").display()))
    }

    /// The anchor's file.
    pub fn anchor_path(&self) -> PathBuf {
        self.anchor
            .path
            .clone()
            .unwrap_or_else(|| self.data.join("anchor"))
    }
}

impl TokenAt {
    /// Time that a call may take.
    pub fn deadline(&self) -> Duration {
        Duration::from_millis(self.deadline_ms)
    }

    /// Where the PIN is: in a systemd credential where a bare name is given and there is such a directory, else in a private
    /// file.
    pub fn pin(&self) -> hsm::PinSource {
        let bare = self.pin_file.components().count() == 1;
        match self.pin_file.to_str() {
            Some(name) if bare && std::env::var_os("CREDENTIALS_DIRECTORY").is_some() => {
                hsm::PinSource::credential(name.to_owned())
            }
            _ => hsm::PinSource::file(self.pin_file.clone()),
        }
    }
}

const SECTIONS: &[&str] = &[
    "server", "database", "anchor", "keys", "hsm", "ledger", "rotation",
];

fn overlay(table: &mut toml::Table, name: &str, value: &str) {
    let Some(rest) = name.strip_prefix("VITRINE_") else {
        return;
    };
    let key = rest.to_ascii_lowercase();
    let value = value
        .parse::<i64>()
        .map(toml::Value::Integer)
        .unwrap_or_else(|_| match value {
            "true" => toml::Value::Boolean(true),
            "false" => toml::Value::Boolean(false),
            text => toml::Value::String(text.to_owned()),
        });
    if key == "data" {
        table.insert(key, value);
    } else if let Some((section, key)) = key.split_once('_').filter(|(s, _)| SECTIONS.contains(s)) {
        let section = table
            .entry(section)
            .or_insert_with(|| toml::Value::Table(toml::Table::new()));
        if let toml::Value::Table(section) = section {
            section.insert(key.to_owned(), value);
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn variables_lie_over_the_file() {
        let vars = [
            ("VITRINE_SERVER_LISTEN", "127.0.0.1:0"),
            ("VITRINE_KEYS_DRILL", "true"),
            ("VITRINE_TEST_X", "1"),
        ];
        let c = Config::parse(
            "[server]\nlisten = \"x\"\n",
            vars.iter().map(|(a, b)| (a.to_string(), b.to_string())),
        )
        .unwrap();
        assert_eq!(c.server.listen, "127.0.0.1:0");
        assert!(c.keys.drill);
    }

    #[test]
    fn an_unknown_key_is_refused() {
        let text = "# ours\n[server]\nlitsen = \"x\"\n";
        let wrong = Config::parse(text, std::iter::empty()).err().unwrap();
        let why = wrong.words().why;
        assert!(why.contains("line 3") && why.contains("litsen"), "{why}");
        let vars = [("VITRINE_SERVER_LITSEN".to_owned(), "x".to_owned())];
        let wrong = Config::parse("", vars.into_iter()).err().unwrap();
        let why = wrong.words().why;
        assert!(why.contains("variable") && why.contains("litsen"), "{why}");
    }
}
