//! A Vitrine of the bench's own, and what the kernel says of it.

use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::rc::Rc;
use std::time::{Duration, Instant};

use crate::load::Connection;

/// The program to measure.
pub(crate) fn program() -> PathBuf {
    let target = Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/release/vitrine");
    std::env::var_os("VITRINE").map_or(target, PathBuf::from)
}

pub(crate) struct Server {
    dir: Rc<tempfile::TempDir>,
    pub(crate) port: u16,
    /// The first custodian's.
    pub(crate) invitation: String,
    env: Vec<(String, String)>,
    child: Option<Child>,
}

impl Server {
    /// Founds one; nothing runs yet.
    pub(crate) fn found() -> Self {
        let dir = tempfile::Builder::new()
            .prefix("vitrine-bench-")
            .tempdir()
            .unwrap();
        let free = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = free.local_addr().unwrap().port();
        drop(free);
        let data = dir.path().join("data").display().to_string();
        let env = vec![
            ("VITRINE_DATA".into(), data),
            ("VITRINE_SERVER_LISTEN".into(), format!("127.0.0.1:{port}")),
            ("VITRINE_KEYS_DRILL".into(), "true".into()),
        ];
        let mut server = Self {
            dir: Rc::new(dir),
            port,
            invitation: String::new(),
            env,
            child: None,
        };
        let origin = server.url();
        let said = server
            .command(&[
                "init",
                "--origin",
                &origin,
                "--custodian",
                "Helga Brandt",
                "--json",
            ])
            .output()
            .unwrap();
        assert!(
            said.status.success(),
            "init: {}",
            String::from_utf8_lossy(&said.stderr)
        );
        let said: serde_json::Value = serde_json::from_slice(&said.stdout).unwrap();
        server.invitation = said["invitation"].as_str().unwrap().to_owned();
        server
    }

    pub(crate) fn url(&self) -> String {
        format!("http://localhost:{}", self.port)
    }

    pub(crate) fn folder(&self) -> &Path {
        self.dir.path()
    }

    fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(program());
        command.args(args).current_dir(self.folder());
        command.env_remove("SOFTHSM2_CONF").stdin(Stdio::null());
        command.envs(self.env.iter().map(|(k, v)| (k, v)));
        command
    }

    /// Sets a variable for starts from now on.
    pub(crate) fn set(&mut self, name: &str, value: &str) {
        self.env.retain(|(k, _)| k != name);
        self.env.push((name.into(), value.into()));
    }

    /// Starts it; gives the time until `/readyz` answers 200.
    pub(crate) async fn start(&mut self) -> Duration {
        let log = std::fs::File::options();
        let log = log
            .clone()
            .create(true)
            .append(true)
            .open(self.folder().join("log"))
            .unwrap();
        let mut command = self.command(&["serve"]);
        let begun = Instant::now();
        self.child = Some(command.stdout(Stdio::null()).stderr(log).spawn().unwrap());
        while !self.ready() {
            let gone = self.child.as_mut().unwrap().try_wait().unwrap();
            assert!(
                gone.is_none() && begun.elapsed() < Duration::from_secs(60),
                "serve: {}",
                std::fs::read_to_string(self.folder().join("log")).unwrap_or_default()
            );
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        begun.elapsed()
    }

    fn ready(&self) -> bool {
        let get = "GET /readyz HTTP/1.1\r\nHost: localhost\r\n\r\n";
        Connection::open(self.port)
            .is_ok_and(|mut c| c.round(get.as_bytes()).is_ok_and(|s| s == 200))
    }

    /// kill -9: what is durable is in the database and its write-ahead log.
    pub(crate) fn stop(&mut self) {
        if let Some(mut child) = self.child.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }

    pub(crate) async fn restart(&mut self) {
        self.stop();
        self.start().await;
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.as_ref().map_or(0, Child::id)
    }

    /// Resident memory, in MiB.
    pub(crate) fn resident_mib(&self) -> f64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.pid())).unwrap();
        let line = status.lines().find(|l| l.starts_with("VmRSS:")).unwrap();
        let kib: f64 = line.split_whitespace().nth(1).unwrap().parse().unwrap();
        kib / 1024.0
    }

    /// Copies what a stopped one keeps outside its tokens: database and anchor.
    pub(crate) fn copy(&self, name: &str) -> PathBuf {
        let (from, to) = (self.folder().join("data"), self.folder().join(name));
        std::fs::create_dir(&to).unwrap();
        for file in ["vitrine.db", "vitrine.db-wal", "anchor"] {
            if from.join(file).exists() {
                std::fs::copy(from.join(file), to.join(file)).unwrap();
            }
        }
        to
    }

    /// The same, on a copy.
    pub(crate) fn with_data(&self, copy: &Path) -> Self {
        let mut other = Self {
            dir: Rc::clone(&self.dir),
            port: self.port,
            invitation: String::new(),
            env: self.env.clone(),
            child: None,
        };
        let database = format!("sqlite://{}", copy.join("vitrine.db").display());
        other.set("VITRINE_DATABASE_URL", &database);
        other.set(
            "VITRINE_ANCHOR_PATH",
            &copy.join("anchor").display().to_string(),
        );
        other.set("VITRINE_LEDGER_BATCH", "256");
        other
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.stop();
    }
}

/// CPU that a process and its threads have used, in clock ticks (proc(5), `stat`).
pub(crate) struct Cpu(f64);

/// `sysconf(_SC_CLK_TCK)` on Linux.
const TICKS_A_SECOND: f64 = 100.0;

impl Cpu {
    pub(crate) fn of(pid: u32) -> Self {
        let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
        let (_, after) = stat.rsplit_once(')').unwrap();
        let fields: Vec<&str> = after.split_whitespace().collect();
        let ticks = |at: usize| fields[at].parse::<f64>().unwrap();
        Self(ticks(11) + ticks(12))
    }

    pub(crate) fn since_us(&self, before: &Self) -> f64 {
        (self.0 - before.0) * 1e6 / TICKS_A_SECOND
    }
}
