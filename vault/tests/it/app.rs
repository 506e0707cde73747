//! A real `vitrine` of one's own: the program itself, on a free port, with its data in a temporary folder. When a test
//! lets go of it, its log tells no secret and no panic, and its ledger verifies.

use std::cell::RefCell;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use drills::client::{Client, Invitation, NewSafe, Person, Release, ReleaseAsk};
use drills::key::{Maker, SoftwareKey};
use quorum::Hash;
use quorum::ids::{CredentialId, SafeId};
use quorum::statement::{Role, SecretKind};
use sqlx::AnyPool;

use crate::testbed::{Postgres, free_port};

/// Which database is under it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Under {
    Sqlite,
    Postgres,
}

impl Under {
    /// A cluster of one's own, to stop or to search; none under SQLite.
    pub fn cluster(self) -> Option<Postgres> {
        (self == Under::Postgres).then(Postgres::start)
    }
}

/// The tests `name::sqlite` and `name::postgres` of `async fn name(under: Under)`.
macro_rules! both {
    ($test:ident) => {
        mod $test {
            use crate::app::Under;

            #[tokio::test(flavor = "multi_thread")]
            async fn sqlite() {
                super::$test(Under::Sqlite).await;
            }

            #[tokio::test(flavor = "multi_thread")]
            async fn postgres() {
                super::$test(Under::Postgres).await;
            }
        }
    };
}

fn libfaketime() -> String {
    ["/usr/lib/x86_64-linux-gnu", "/usr/lib/aarch64-linux-gnu"]
        .map(|dir| format!("{dir}/faketime/libfaketime.so.1"))
        .into_iter()
        .find(|path| Path::new(path).exists())
        .unwrap_or_else(|| panic!("libfaketime is missing: apt-get install libfaketime"))
}

pub struct TestApp {
    pub dir: tempfile::TempDir,
    pub port: u16,
    pub ledger: Hash,
    invitation: Option<String>,
    env: Vec<(String, String)>,
    child: Option<Child>,
    canaries: RefCell<Vec<Vec<u8>>>,
    left: bool,
}

/// A whole database as it once was.
pub enum Kept {
    Files(Vec<(PathBuf, Option<Vec<u8>>)>),
    Database(String),
}

impl TestApp {
    /// Founds and starts one.
    pub async fn start(under: Under) -> TestApp {
        let mut app = TestApp::found(under);
        app.serve().await;
        app
    }

    /// Founds one; nothing runs yet.
    pub fn found(under: Under) -> TestApp {
        TestApp::found_on((under == Under::Postgres).then(Postgres::shared))
    }

    /// Founds one on that cluster, or on SQLite; nothing runs yet.
    pub fn found_on(pg: Option<&Postgres>) -> TestApp {
        let dir = tempfile::Builder::new()
            .prefix("vitrine-it-")
            .tempdir()
            .unwrap();
        let port = free_port();
        let mut env = vec![
            (
                "VITRINE_DATA".into(),
                dir.path().join("data").display().to_string(),
            ),
            ("VITRINE_SERVER_LISTEN".into(), format!("127.0.0.1:{port}")),
            ("VITRINE_KEYS_DRILL".into(), "true".into()),
            ("VITRINE_ROTATION_RETRY_S".into(), "1".into()),
        ];
        if let Some(pg) = pg {
            let name = format!("v{}", uuid::Uuid::now_v7().simple());
            pg.sql(
                "postgres",
                &format!("CREATE ROLE {name}_owner LOGIN; CREATE ROLE {name} LOGIN"),
            );
            pg.sql(
                "postgres",
                &format!("CREATE DATABASE {name} OWNER {name}_owner"),
            );
            env.push((
                "VITRINE_DATABASE_URL".into(),
                format!("postgres://{name}@127.0.0.1:{}/{name}", pg.port),
            ));
            env.push((
                "VITRINE_DATABASE_OWNER_URL".into(),
                format!("postgres://{name}_owner@127.0.0.1:{}/{name}", pg.port),
            ));
        }
        let mut app = TestApp {
            dir,
            port,
            ledger: Hash([0; 32]),
            invitation: None,
            env,
            child: None,
            canaries: RefCell::default(),
            left: false,
        };
        let origin = app.origin();
        let out = app
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
            out.status.success(),
            "init: {}",
            String::from_utf8_lossy(&out.stderr)
        );
        app.founded(&String::from_utf8_lossy(&out.stdout));
        app
    }

    /// Takes up what `init --json` printed.
    pub fn founded(&mut self, said: &str) {
        let said: serde_json::Value = serde_json::from_str(said).unwrap();
        self.ledger = said["ledger"].as_str().unwrap().parse().unwrap();
        self.invitation = Some(said["invitation"].as_str().unwrap().to_owned());
    }

    pub fn origin(&self) -> String {
        format!("http://localhost:{}", self.port)
    }

    /// The program with this one's environment.
    pub fn command(&self, args: &[&str]) -> Command {
        let mut c = Command::new(env!("CARGO_BIN_EXE_vitrine"));
        c.args(args)
            .current_dir(self.dir.path())
            .env_remove("SOFTHSM2_CONF");
        for (k, v) in &self.env {
            c.env(k, v);
        }
        c
    }

    /// Sets a variable for starts from now on.
    pub fn set(&mut self, name: &str, value: &str) {
        self.env.retain(|(k, _)| k != name);
        if !value.is_empty() {
            self.env.push((name.into(), value.into()));
        }
    }

    /// Starts from now on see a clock that is `off` from the machine's.
    pub fn clock_off(&mut self, off: &str) {
        self.set("LD_PRELOAD", &libfaketime());
        self.set("FAKETIME_DONT_FAKE_MONOTONIC", "1");
        self.set("FAKETIME", off);
    }

    /// As [`Self::clock_off`], by a file that is read at each look at the clock.
    pub fn clock_by_file(&mut self, file: &Path) {
        self.set("LD_PRELOAD", &libfaketime());
        self.set("FAKETIME_DONT_FAKE_MONOTONIC", "1");
        self.set("FAKETIME_NO_CACHE", "1");
        self.set("FAKETIME_TIMESTAMP_FILE", file.to_str().unwrap());
    }

    /// Starts serving, and waits until it listens.
    pub async fn serve(&mut self) {
        let command = self.command(&["serve"]);
        self.run(command).await;
    }

    /// Serves with a size and root that somebody has compared.
    pub async fn serve_adopting(&mut self, adopt: &str) {
        let command = self.command(&["serve", "--adopt", adopt]);
        self.run(command).await;
    }

    /// Serves so that no file can grow beyond what the largest has now: what a full disk does to a writer.
    pub async fn serve_with_full_disk(&mut self) {
        let largest = |name: &str| {
            std::fs::metadata(self.dir.path().join("data").join(name)).map_or(0, |m| m.len())
        };
        let blocks = largest("vitrine.db-wal").max(4096) / 512 + 400;
        let script = format!("trap '' XFSZ; ulimit -f {blocks}; exec \"$0\" serve");
        let inner = self.command(&[]);
        let mut command = Command::new("sh");
        command
            .args(["-c", &script])
            .arg(inner.get_program())
            .current_dir(self.dir.path())
            .env_remove("SOFTHSM2_CONF");
        for (k, v) in &self.env {
            command.env(k, v);
        }
        self.run(command).await;
    }

    /// Serves by `command`, and waits until it listens.
    pub async fn run(&mut self, mut command: Command) {
        let log = std::fs::OpenOptions::new()
            .create(true)
            .append(true)
            .open(self.log())
            .unwrap();
        let mut child = command.stdout(Stdio::piped()).stderr(log).spawn().unwrap();
        let out = child.stdout.take().unwrap();
        let line = tokio::task::spawn_blocking(move || {
            let mut line = String::new();
            let _ = BufReader::new(out).read_line(&mut line);
            line
        })
        .await
        .unwrap();
        assert!(
            line.starts_with("Serving"),
            "serve: {line} {}",
            std::fs::read_to_string(self.log()).unwrap_or_default()
        );
        self.child = Some(child);
    }

    pub fn log(&self) -> PathBuf {
        self.dir.path().join("log")
    }

    /// kill -9.
    pub fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }

    /// The process that serves.
    pub fn pid(&self) -> u32 {
        self.child.as_ref().unwrap().id()
    }

    /// Waits until it has died by itself (at a fault point).
    pub async fn died(&mut self) -> bool {
        for _ in 0..300 {
            if self
                .child
                .as_mut()
                .is_none_or(|c| c.try_wait().unwrap().is_some())
            {
                self.child = None;
                return true;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        false
    }

    pub async fn client(&self) -> Client {
        Client::connect(&format!("http://localhost:{}", self.port))
            .await
            .unwrap()
    }

    /// The database, as somebody who stole it and writes to it.
    pub async fn thief(&self) -> AnyPool {
        sqlx::any::install_default_drivers();
        let owner = self
            .env
            .iter()
            .find(|(k, _)| k == "VITRINE_DATABASE_OWNER_URL")
            .map(|(_, v)| v.clone());
        let url = owner.unwrap_or_else(|| {
            format!(
                "sqlite://{}",
                self.dir.path().join("data/vitrine.db").display()
            )
        });
        sqlx::any::AnyPoolOptions::new()
            .max_connections(1)
            .connect(&url)
            .await
            .unwrap()
    }

    /// The name of its database on PostgreSQL.
    pub fn database(&self) -> String {
        let url = self.env.iter().find(|(k, _)| k == "VITRINE_DATABASE_URL");
        let (_, url) = url.expect("it is under SQLite");
        url.rsplit('/').next().unwrap().to_owned()
    }

    /// Keeps the whole database as it is now; nothing serves it.
    pub fn keep_database(&self, under: Under) -> Kept {
        let data = self.dir.path().join("data");
        match under {
            Under::Sqlite => Kept::Files(
                ["vitrine.db", "vitrine.db-wal", "vitrine.db-shm"]
                    .map(|name| data.join(name))
                    .map(|path| (path.clone(), std::fs::read(path).ok()))
                    .into(),
            ),
            Under::Postgres => {
                let (pg, name) = (Postgres::shared(), self.database());
                let kept = format!("{name}_kept");
                pg.alone(&name);
                pg.sql(
                    "postgres",
                    &format!("CREATE DATABASE {kept} TEMPLATE {name} OWNER {name}_owner"),
                );
                Kept::Database(kept)
            }
        }
    }

    /// Puts it back.
    pub fn put_back(&self, kept: Kept) {
        match kept {
            Kept::Files(files) => {
                for (path, bytes) in files {
                    let _ = std::fs::remove_file(&path);
                    if let Some(bytes) = bytes {
                        std::fs::write(path, bytes).unwrap();
                    }
                }
            }
            Kept::Database(kept) => {
                let (pg, name) = (Postgres::shared(), self.database());
                pg.sql("postgres", &format!("DROP DATABASE {name} WITH (FORCE)"));
                pg.sql(
                    "postgres",
                    &format!("ALTER DATABASE {kept} RENAME TO {name}"),
                );
            }
        }
    }

    /// Exports, and verifies with nothing else: exit code and what the verifier says.
    pub fn verify(&self) -> (i32, String) {
        let out = self
            .dir
            .path()
            .join(format!("evidence-{}", uuid::Uuid::now_v7()));
        let export = self
            .command(&["audit", "export", "--out", out.to_str().unwrap()])
            .output()
            .unwrap();
        assert!(
            export.status.success(),
            "export: {}",
            String::from_utf8_lossy(&export.stderr)
        );
        let done = self
            .command(&[
                "audit",
                "verify",
                out.to_str().unwrap(),
                "--founded",
                &self.ledger.to_string(),
            ])
            .output()
            .unwrap();
        (
            done.status.code().unwrap(),
            String::from_utf8_lossy(&done.stdout).into_owned(),
        )
    }

    /// Its ledger, exported, convinces a verifier that has nothing else.
    pub fn valid(&self) {
        let (code, said) = self.verify();
        assert_eq!(code, 0, "{said}");
    }

    /// Something that its log must never tell.
    pub fn canary(&self, secret: &[u8]) {
        self.canaries.borrow_mut().push(secret.to_owned());
    }

    /// The test leaves nothing behind that verifies.
    pub fn leave(&mut self) {
        self.left = true;
    }

    fn keeps_to_itself(&self) {
        let log = std::fs::read(self.log()).unwrap_or_default();
        let tells = |needle: &[u8]| log.windows(needle.len()).any(|w| w == needle);
        assert!(!tells(b"panicked at"), "the server panicked");
        let tokens = std::fs::read_dir(self.dir.path().join("data/tokens"));
        for file in tokens.into_iter().flatten().flatten() {
            if file.path().extension().is_some_and(|e| e == "pin") {
                let pin = std::fs::read(file.path()).unwrap();
                assert!(!tells(pin.trim_ascii()), "the log tells a PIN");
            }
        }
        for canary in self.canaries.borrow().iter() {
            assert!(!tells(canary), "the log tells a secret");
        }
    }

    /// Another node of the same database and tokens, with an anchor of its own.
    pub fn twin(&self) -> TestApp {
        let dir = tempfile::Builder::new()
            .prefix("vitrine-it-")
            .tempdir()
            .unwrap();
        let anchor = dir.path().join("anchor");
        std::fs::copy(self.dir.path().join("data/anchor"), &anchor).unwrap();
        let port = free_port();
        let mut twin = TestApp {
            dir,
            port,
            ledger: self.ledger,
            invitation: None,
            env: self.env.clone(),
            child: None,
            canaries: RefCell::default(),
            left: false,
        };
        twin.set("VITRINE_SERVER_LISTEN", &format!("127.0.0.1:{port}"));
        twin.set("VITRINE_ANCHOR_PATH", &anchor.display().to_string());
        twin
    }

    pub fn take_invitation(&mut self) -> Invitation {
        let text = self.invitation.take().unwrap();
        self.canary(text.as_bytes());
        Invitation::parse(&text).unwrap()
    }
}

impl Drop for TestApp {
    fn drop(&mut self) {
        self.kill();
        if std::thread::panicking() {
            eprintln!(
                "--- log of the server\n{}",
                std::fs::read_to_string(self.log()).unwrap_or_default()
            );
            return;
        }
        self.keeps_to_itself();
        if !self.left {
            self.valid();
        }
    }
}

/// A house with people, a drill safe (2 of 3) and a credential with one generated version.
pub struct House {
    pub app: TestApp,
    pub client: Client,
    pub maker: Maker,
    pub custodian: Person,
    pub engineer: Person,
    pub approvers: Vec<Person>,
    pub safe: SafeId,
    pub credential: CredentialId,
}

impl House {
    pub async fn furnished(under: Under) -> House {
        House::of(TestApp::start(under).await).await
    }

    /// Furnishes one that serves.
    pub async fn of(mut app: TestApp) -> House {
        let client = app.client().await;
        let maker = Maker::new("Drill Keys", [7; 16]).unwrap();
        let custodian = client
            .join(app.take_invitation(), SoftwareKey::new(&maker).unwrap())
            .await
            .unwrap();
        let engineer = admit(
            &client,
            &custodian,
            &maker,
            "Mara Lindqvist",
            &[Role::Requester],
        )
        .await;
        let mut approvers = Vec::new();
        for name in ["Adaeze Obi", "Jun Takahashi", "Tomasz Wren"] {
            approvers.push(admit(&client, &custodian, &maker, name, &[Role::Approver]).await);
        }
        let safe = {
            let mut people: Vec<&mut Person> = approvers.iter_mut().collect();
            client
                .found_safe(
                    &custodian,
                    &NewSafe::drill("Production databases", 2, 3),
                    &mut people,
                )
                .await
                .unwrap()
                .safe
        };
        let credential = client
            .add_credential(
                &custodian,
                safe,
                "orders-primary superuser",
                SecretKind::Password,
            )
            .await
            .unwrap()
            .credential;
        client.generate(&custodian, credential).await.unwrap();
        for person in approvers.iter().chain([&custodian, &engineer]) {
            app.canary(person.session.as_ref().unwrap().expose().as_bytes());
        }
        House {
            app,
            client,
            maker,
            custodian,
            engineer,
            approvers,
            safe,
            credential,
        }
    }
}

impl House {
    /// The engineer asks for the current version.
    pub async fn ask(&self) -> Release {
        self.try_ask(&ReleaseAsk::because(
            "Primary refuses every login after the failed upgrade.",
        ))
        .await
        .unwrap()
    }

    pub async fn try_ask(&self, ask: &ReleaseAsk) -> drills::client::Result<Release> {
        let credential = self
            .client
            .credential(&self.engineer, self.credential)
            .await?;
        let version = credential.current().expect("a current version").clone();
        self.client
            .ask_release(&self.engineer, 0, &credential, &version, ask)
            .await
    }

    /// The approvers of these places sign.
    pub async fn approve(&mut self, release: &Release, places: &[usize]) {
        for place in places {
            self.client
                .approve(&mut self.approvers[*place], 0, release.filed.request)
                .await
                .unwrap();
        }
    }

    /// The whole way to the plaintext.
    pub async fn opened(&mut self) -> (Release, Vec<u8>) {
        let release = self.ask().await;
        self.approve(&release, &[0, 1]).await;
        let opened = self
            .client
            .open(&mut self.engineer, &release)
            .await
            .unwrap();
        self.app.canary(opened.plaintext.expose());
        (release, opened.plaintext.expose().to_vec())
    }
}

/// Invites somebody and lets them join with one software key.
pub async fn admit(
    client: &Client,
    custodian: &Person,
    maker: &Maker,
    name: &str,
    roles: &[Role],
) -> Person {
    let invitation = client.invite(custodian, name, roles).await.unwrap();
    client
        .join(invitation, SoftwareKey::new(maker).unwrap())
        .await
        .unwrap()
}
