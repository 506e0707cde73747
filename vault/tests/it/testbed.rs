//! A throw-away PostgreSQL: own cluster, free loopback port, temporary folder; stopped when dropped.
//! A missing server fails the test with the command that installs it.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};

/// A cluster that answers nobody, until this is dropped.
pub struct Paused<'a>(&'a Postgres);

impl Drop for Paused<'_> {
    fn drop(&mut self) {
        signal("-CONT", &[self.0.postmaster()]);
    }
}

/// A cluster none of whose processes runs, until this is dropped.
pub struct Frozen(Vec<String>);

impl Drop for Frozen {
    fn drop(&mut self) {
        signal("-CONT", &self.0);
    }
}

fn signal(signal: &str, pids: &[String]) {
    let done = Command::new("kill")
        .arg(signal)
        .args(pids)
        .status()
        .unwrap();
    assert!(done.success());
}

/// A running cluster.
pub struct Postgres {
    dir: tempfile::TempDir,
    /// Loopback port.
    pub port: u16,
    options: String,
}

fn bin(name: &str) -> PathBuf {
    let mut versions: Vec<PathBuf> = std::fs::read_dir("/usr/lib/postgresql")
        .map(|d| d.flatten().map(|e| e.path()).collect())
        .unwrap_or_default();
    versions.sort();
    let found = versions
        .iter()
        .rev()
        .map(|v| v.join("bin").join(name))
        .find(|p| p.exists());
    found.unwrap_or_else(|| panic!("PostgreSQL's server is missing: apt-get install postgresql"))
}

/// The command, as a user that initdb and postgres accept: they refuse root.
fn as_server(program: &Path) -> Command {
    let root = Command::new("id")
        .arg("-u")
        .output()
        .is_ok_and(|o| o.stdout == b"0\n");
    if !root {
        return Command::new(program);
    }
    let mut c = Command::new("setpriv");
    c.args([
        "--reuid=postgres",
        "--regid=postgres",
        "--clear-groups",
        "--",
    ])
    .arg(program);
    c
}

/// A port for a server that is started later, or again: below those that the system gives to whoever connects (32768 and up on
/// Linux), so that none of them takes it meanwhile.
pub fn free_port() -> u16 {
    static TAKEN: AtomicU32 = AtomicU32::new(0);
    let first = std::process::id().wrapping_mul(197);
    for _ in 0..20_000 {
        let next = first.wrapping_add(TAKEN.fetch_add(1, Ordering::Relaxed)) % 20_000;
        let port = u16::try_from(10_000 + next).unwrap();
        if std::net::TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return port;
        }
    }
    panic!("no port is free");
}

impl Postgres {
    /// Starts one; `postgres` is the superuser, by trust on loopback.
    pub fn start() -> Postgres {
        let dir = tempfile::Builder::new()
            .prefix("vitrine-pg-")
            .tempdir()
            .unwrap();
        let data = dir.path().join("data");
        std::fs::create_dir(&data).unwrap();
        if Command::new("id")
            .arg("-u")
            .output()
            .is_ok_and(|o| o.stdout == b"0\n")
        {
            let done = Command::new("chown")
                .args(["-R", "postgres:postgres"])
                .arg(dir.path())
                .status()
                .unwrap();
            assert!(
                done.success(),
                "there is no user postgres: apt-get install postgresql"
            );
        }
        let out = as_server(&bin("initdb"))
            .args([
                "-A",
                "trust",
                "-U",
                "postgres",
                "-E",
                "UTF8",
                "--wal-segsize=1",
                "--no-sync",
                "-D",
            ])
            .arg(&data)
            .current_dir("/")
            .output()
            .unwrap();
        assert!(
            out.status.success(),
            "initdb: {}",
            String::from_utf8_lossy(&out.stderr)
        );
        let port = free_port();
        let log = dir.path().join("log");
        let options = format!(
            "-p {port} -c listen_addresses=127.0.0.1 -c unix_socket_directories={} -c max_connections=200 -c password_encryption=scram-sha-256",
            dir.path().display()
        );
        let out = as_server(&bin("pg_ctl"))
            .args(["-w", "-o", &options, "-l"])
            .arg(&log)
            .arg("-D")
            .arg(&data)
            .arg("start")
            .current_dir("/")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .status()
            .unwrap();
        assert!(
            out.success(),
            "pg_ctl start: {}",
            std::fs::read_to_string(log).unwrap_or_default()
        );
        Postgres { dir, port, options }
    }

    /// A cluster that asks for passwords: a target. Only its superuser `postgres` comes in without.
    pub fn target() -> Postgres {
        let pg = Postgres::start();
        let rules = "local all postgres trust\nhost all postgres 127.0.0.1/32 trust\nlocal all all scram-sha-256\nhost all all 127.0.0.1/32 scram-sha-256\n";
        pg.rules(rules);
        pg.sql(
            "postgres",
            "CREATE ROLE orders_admin SUPERUSER LOGIN PASSWORD 'start-password'",
        );
        pg.sql("postgres", "CREATE DATABASE orders OWNER orders_admin");
        pg
    }

    /// Sets who may log in how, from the next login on.
    pub fn rules(&self, rules: &str) {
        let loaded = || self.sql("postgres", "SELECT pg_conf_load_time()");
        let before = loaded();
        std::fs::write(self.dir.path().join("data/pg_hba.conf"), rules).unwrap();
        self.sql("postgres", "SELECT pg_reload_conf()");
        for _ in 0..100 {
            if loaded() != before {
                return;
            }
            std::thread::sleep(std::time::Duration::from_millis(20));
        }
        panic!("the server does not take the rules");
    }

    /// Where it keeps all that it has.
    pub fn dir(&self) -> &Path {
        self.dir.path()
    }

    /// As connectors write it, over the socket.
    pub fn address(&self) -> String {
        format!("{}:{}/orders", self.dir.path().display(), self.port)
    }

    /// Whether this password opens a session, asked of the server itself.
    pub fn logs_in(&self, role: &str, password: &[u8]) -> bool {
        use std::os::unix::ffi::OsStrExt;
        Command::new("psql")
            .args([
                "-h",
                "127.0.0.1",
                "-p",
                &self.port.to_string(),
                "-U",
                role,
                "-d",
                "orders",
                "-X",
                "-w",
                "-c",
                "SELECT 1",
            ])
            .env("PGPASSWORD", std::ffi::OsStr::from_bytes(password))
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status()
            .unwrap()
            .success()
    }

    /// Stops it at once, as a crash would.
    pub fn stop(&self) {
        let _ = as_server(&bin("pg_ctl"))
            .args(["-m", "immediate", "-D"])
            .arg(self.dir.path().join("data"))
            .arg("stop")
            .current_dir("/")
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status();
    }

    /// Stops its process from running; connections are taken and not answered.
    pub fn paused(&self) -> Paused<'_> {
        signal("-STOP", &[self.postmaster()]);
        Paused(self)
    }

    /// Stops all of its processes from running: nothing is answered on any connection.
    pub fn frozen(&self) -> Frozen {
        let postmaster = self.postmaster();
        let mut all = vec![postmaster.clone()];
        signal("-STOP", &all); // first, so that it starts no other
        let processes = std::fs::read_dir("/proc").unwrap().flatten();
        let names = processes.map(|p| p.file_name().to_string_lossy().into_owned());
        all.extend(names.filter(|pid| {
            let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
            let parent = stat.rsplit(") ").next().unwrap_or_default();
            parent.split(' ').nth(1) == Some(&postmaster)
        }));
        signal("-STOP", &all);
        Frozen(all)
    }

    fn postmaster(&self) -> String {
        let pid = std::fs::read_to_string(self.dir.path().join("data/postmaster.pid")).unwrap();
        pid.lines().next().unwrap().to_owned()
    }

    /// The process's shared cluster: for Vitrine's own databases, one each.
    #[allow(clippy::zombie_processes)] // the watcher outlives this process on purpose
    pub fn shared() -> &'static Postgres {
        static SHARED: OnceLock<Postgres> = OnceLock::new();
        SHARED.get_or_init(|| {
            let pg = Postgres::start();
            // Statics are not dropped: a watcher stops the cluster when this process is gone.
            let (data, me) = (pg.dir.path().join("data"), std::process::id());
            let script = format!(
                "while kill -0 {me} 2>/dev/null; do sleep 1; done; kill -INT $(head -1 '{0}/postmaster.pid'); sleep 2; rm -rf '{1}'",
                data.display(),
                pg.dir.path().display()
            );
            Command::new("sh").args(["-c", &script]).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
            pg
        })
    }

    /// Starts it again where it was.
    pub fn start_again(&self) {
        let log = self.dir.path().join("log").display().to_string();
        self.control(&["-o", &self.options, "-l", &log, "start"]);
    }

    /// Fills the table of links until it is the largest file, and starts again so that no file grows beyond it: as on a full
    /// disk, entries cannot be written and all else goes on. PostgreSQL takes the limit's signal itself.
    pub fn start_again_full(&self, database: &str) {
        // In order, so that the index stays smaller than the table.
        let fill = "INSERT INTO ledger_links SELECT 'nobody', n FROM generate_series(1, 60000) n";
        self.sql(database, fill);
        self.sql(database, "CHECKPOINT");
        let table = self.sql(database, "SELECT pg_relation_filepath('ledger_links')");
        self.control(&["-m", "fast", "stop"]);
        let table = self.dir.path().join("data").join(table);
        let blocks = std::fs::metadata(table).unwrap().len() / 512;
        let log = self.dir.path().join("log").display().to_string();
        let mut limited = Command::new("sh");
        let script = format!("ulimit -f {blocks}; exec \"$@\"");
        limited.args(["-c", &script, "sh"]);
        let inner = as_server(&bin("pg_ctl"));
        limited.arg(inner.get_program()).args(inner.get_args());
        self.controlled(limited, &["-o", &self.options, "-l", &log, "start"]);
    }

    /// Ends whatever is connected to that database, so that it can be copied or renamed.
    pub fn alone(&self, database: &str) {
        let ended = format!(
            "SELECT count(pg_terminate_backend(pid, 10000)) FROM pg_stat_activity WHERE datname = '{database}'"
        );
        self.sql("postgres", &ended);
    }

    fn control(&self, args: &[&str]) {
        self.controlled(as_server(&bin("pg_ctl")), args);
    }

    fn controlled(&self, mut pg_ctl: Command, args: &[&str]) {
        let done = pg_ctl
            .arg("-w")
            .arg("-D")
            .arg(self.dir.path().join("data"))
            .args(args)
            .current_dir("/")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .status()
            .unwrap();
        let log = std::fs::read_to_string(self.dir.path().join("log")).unwrap_or_default();
        assert!(done.success(), "pg_ctl {args:?}: {log}");
    }

    /// Gives the server a certificate (PEM) and makes it speak TLS.
    pub fn switch_tls_on(&self, certificate: &str, key: &str) {
        use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
        let data = self.dir.path().join("data");
        let owner = std::fs::metadata(&data).unwrap();
        for (name, text) in [("server.crt", certificate), ("server.key", key)] {
            let path = data.join(name);
            std::fs::write(&path, text).unwrap();
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
            chown(&path, Some(owner.uid()), Some(owner.gid())).unwrap();
        }
        self.sql("postgres", "ALTER SYSTEM SET ssl = on");
        self.sql("postgres", "SELECT pg_reload_conf()");
        for _ in 0..100 {
            if self.sql("postgres", "SHOW ssl") == "on" {
                return;
            }
            std::thread::sleep(std::time::Duration::from_millis(20));
        }
        panic!("the server does not take the certificate");
    }

    /// Runs SQL as the superuser.
    pub fn sql(&self, database: &str, sql: &str) -> String {
        self.try_sql(database, sql)
            .unwrap_or_else(|e| panic!("psql: {e}"))
    }

    /// Runs SQL as the superuser; what psql says when it is refused.
    pub fn try_sql(&self, database: &str, sql: &str) -> Result<String, String> {
        let out = Command::new("psql")
            .args([
                "-h",
                "127.0.0.1",
                "-p",
                &self.port.to_string(),
                "-U",
                "postgres",
                "-d",
                database,
                "-v",
                "ON_ERROR_STOP=1",
                "-X",
                "-q",
                "-At",
                "-c",
                sql,
            ])
            .output()
            .expect("psql is missing: apt-get install postgresql-client");
        if out.status.success() {
            Ok(String::from_utf8_lossy(&out.stdout).trim().to_owned())
        } else {
            Err(String::from_utf8_lossy(&out.stderr).into_owned())
        }
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        self.stop();
    }
}
