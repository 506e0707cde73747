//! A PostgreSQL server as people use it: by `psql`. Passwords go by `PGPASSWORD` alone, SQL by standard input, so
//! neither is seen in a list of processes; nothing of the caller's own PostgreSQL settings has a say.

use std::ffi::{OsStr, OsString};
use std::fmt;
use std::path::PathBuf;
use std::process::Stdio;
use std::str::FromStr;
use std::time::Duration;

use quorum::statement::Pin;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, Lines};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};

/// Where a database is: `host:port/database`, or `/socket/dir:port/database`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Address {
    /// Host, or the directory of its socket.
    pub host: String,
    /// Port.
    pub port: u16,
    /// Database.
    pub database: String,
}

/// Text that is no address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NotAnAddress;

impl fmt::Display for NotAnAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("not `host:port/database` or `/socket/dir:port/database`")
    }
}

impl std::error::Error for NotAnAddress {}

impl FromStr for Address {
    type Err = NotAnAddress;

    fn from_str(text: &str) -> Result<Self, NotAnAddress> {
        let (place, database) = text.rsplit_once('/').ok_or(NotAnAddress)?;
        let (host, port) = place.rsplit_once(':').ok_or(NotAnAddress)?;
        let bare = host.strip_prefix('[').and_then(|h| h.strip_suffix(']'));
        let host = bare.unwrap_or(host);
        if host.is_empty() || database.is_empty() {
            return Err(NotAnAddress);
        }
        Ok(Self {
            host: host.to_owned(),
            port: port.parse().map_err(|_| NotAnAddress)?,
            database: database.to_owned(),
        })
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (open, close) = if self.host.contains(':') && !self.host.starts_with('/') {
            ("[", "]")
        } else {
            ("", "")
        };
        let Self {
            host,
            port,
            database,
        } = self;
        write!(f, "{open}{host}{close}:{port}/{database}")
    }
}

/// What `psql` came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Said {
    /// It ran; what it printed, without the last line's end.
    Done(String),
    /// The server does not take this password.
    PasswordRefused,
    /// Anything else: the first line of what it complained of.
    Failed(String),
}

/// One way to connect.
pub struct Psql {
    program: PathBuf,
    arguments: Vec<OsString>,
    environment: Vec<(&'static str, OsString)>,
}

/// A password, for as long as it may be used.
pub type Password<'a> = &'a str;

impl Psql {
    /// As `account` at `address`; over TLS unless `pin` says that it is a socket.
    #[must_use]
    pub fn account(program: PathBuf, address: &Address, account: &str, pin: &Pin) -> Self {
        let tls = if *pin == Pin::Unix {
            "disable"
        } else {
            "require"
        };
        Self {
            program,
            arguments: Vec::new(),
            environment: vec![
                ("PGHOST", address.host.clone().into()),
                ("PGPORT", address.port.to_string().into()),
                ("PGDATABASE", address.database.clone().into()),
                ("PGUSER", account.into()),
                ("PGSSLMODE", tls.into()),
            ],
        }
    }

    /// By a connection string without a password (PostgreSQL 15, 34.1.1).
    #[must_use]
    pub fn connection(program: PathBuf, conninfo: &str) -> Self {
        Self {
            program,
            arguments: vec!["-d".into(), conninfo.into()],
            environment: Vec::new(),
        }
    }

    fn command(&self, password: Option<Password<'_>>) -> Command {
        let mut command = Command::new(&self.program);
        command
            .args(["-X", "-q", "-A", "-t", "-w", "-v", "ON_ERROR_STOP=1"])
            .args(&self.arguments)
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("LC_ALL", "C")
            .env("PGPASSFILE", "/dev/null")
            .env("PGCONNECT_TIMEOUT", "10")
            .env("PGAPPNAME", "vitrine drill")
            .envs(self.environment.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true);
        if let Some(password) = password {
            command.env("PGPASSWORD", OsStr::new(password));
        }
        command
    }

    /// Runs SQL and ends.
    pub async fn run(&self, password: Option<Password<'_>>, sql: &str) -> Said {
        match self.ran(password, sql).await {
            Ok(said) => said,
            Err(e) => Said::Failed(format!("{}: {e}", self.program.display())),
        }
    }

    async fn ran(&self, password: Option<Password<'_>>, sql: &str) -> std::io::Result<Said> {
        let mut child = self.command(password).args(["-f", "-"]).spawn()?;
        if let Some(mut stdin) = child.stdin.take() {
            // A server that refuses the password closes this early; the exit status says why.
            let _ = stdin.write_all(sql.as_bytes()).await;
        }
        let output = tokio::time::timeout(Duration::from_secs(60), child.wait_with_output())
            .await
            .map_err(|_| std::io::Error::from(std::io::ErrorKind::TimedOut))??;
        let complaint = String::from_utf8_lossy(&output.stderr);
        Ok(if output.status.success() {
            let text = String::from_utf8_lossy(&output.stdout);
            Said::Done(text.trim_end().to_owned())
        } else if complaint.contains("password authentication failed") {
            Said::PasswordRefused
        } else {
            let line = complaint.lines().next().unwrap_or("no word of why");
            Said::Failed(line.chars().take(200).collect())
        })
    }

    /// Opens a session and leaves it open: [`Session::ask`] puts one line to it at a time.
    ///
    /// # Errors
    /// `psql` cannot be started.
    pub fn open(&self, password: Option<Password<'_>>) -> std::io::Result<Session> {
        let mut child = self.command(password).spawn()?;
        let gone = || std::io::Error::from(std::io::ErrorKind::BrokenPipe);
        let stdin = child.stdin.take().ok_or_else(gone)?;
        let stdout = child.stdout.take().ok_or_else(gone)?;
        Ok(Session {
            _child: child,
            stdin,
            stdout: BufReader::new(stdout).lines(),
        })
    }
}

/// A session that is open. Its `psql` ends with it.
pub struct Session {
    _child: Child,
    stdin: ChildStdin,
    stdout: Lines<BufReader<ChildStdout>>,
}

impl Session {
    /// Asks for one line; `None` when the session is over, or says nothing for ten seconds.
    pub async fn ask(&mut self, sql: &str) -> Option<String> {
        self.stdin.write_all(sql.as_bytes()).await.ok()?;
        self.stdin.write_all(b"\n").await.ok()?;
        self.stdin.flush().await.ok()?;
        let line = tokio::time::timeout(Duration::from_secs(10), self.stdout.next_line());
        line.await.ok()?.ok()?
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn addresses_read_and_write() {
        for (text, host, port, database) in [
            ("localhost:5432/app", "localhost", 5432, "app"),
            ("/run/pg:5433/app", "/run/pg", 5433, "app"),
            ("[::1]:5432/app", "::1", 5432, "app"),
        ] {
            let address: Address = text.parse().unwrap();
            assert_eq!(address.host, host);
            assert_eq!(address.port, port);
            assert_eq!(address.database, database);
            assert_eq!(address.to_string(), text);
        }
        for text in [
            "localhost",
            "localhost/app",
            ":5432/app",
            "h:5432/",
            "h:x/app",
        ] {
            assert_eq!(text.parse::<Address>(), Err(NotAnAddress), "{text}");
        }
    }

    /// A stand-in for `psql`.
    fn program(dir: &tempfile::TempDir, script: &str) -> PathBuf {
        let path = dir.path().join("psql");
        std::fs::write(&path, format!("#!/bin/sh\n{script}\n")).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o700)).unwrap();
        path
    }

    fn run(script: &str, password: Option<&str>, sql: &str) -> Said {
        let dir = tempfile::tempdir().unwrap();
        let address = "/run/pg:5433/app".parse().unwrap();
        let psql = Psql::account(program(&dir, script), &address, "root", &Pin::Unix);
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        runtime.block_on(psql.run(password, sql))
    }

    #[test]
    fn passwords_go_by_environment_and_sql_by_standard_input() {
        let script =
            r#"echo "$@"; echo "$PGHOST $PGPORT $PGDATABASE $PGUSER $PGSSLMODE $PGPASSWORD"; cat"#;
        let said = run(script, Some("hunter2"), "SELECT 1");
        let Said::Done(text) = said else {
            panic!("{said:?}")
        };
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(
            lines,
            [
                "-X -q -A -t -w -v ON_ERROR_STOP=1 -f -",
                "/run/pg 5433 app root disable hunter2",
                "SELECT 1"
            ]
        );
    }

    #[test]
    fn a_refused_password_is_told_from_other_failures() {
        let refused = r#"echo 'psql: error: FATAL:  password authentication failed for user "x"' >&2; exit 2"#;
        assert_eq!(run(refused, Some("old"), "SELECT 1"), Said::PasswordRefused);
        let down = r#"echo 'psql: error: connection refused' >&2; exit 2"#;
        let said = run(down, Some("old"), "SELECT 1");
        assert_eq!(said, Said::Failed("psql: error: connection refused".into()));
    }

    #[test]
    fn a_program_that_is_not_there_is_a_failure() {
        let psql = Psql::connection("/nonexistent/psql".into(), "dbname=x");
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        let said = runtime.block_on(psql.run(None, ""));
        assert!(matches!(said, Said::Failed(_)));
    }
}
