//! What breaks around the service: the clock, the database, the machine, the command line. Nothing is lost, nothing
//! is acknowledged that is not there, and every refusal says what to do.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use drills::client::{Error, Person, ReleaseAsk, Result};
use quorum::Hash;
use quorum::ids::RequestId;
use quorum::statement::{Clock, Kind, Role};
use serde_json::{Value, json};

use crate::app::{House, TestApp, Under, admit};
use crate::testbed::Postgres;

const DAY_S: u64 = 86_400;

/// What a run of the program came to.
struct Ran {
    code: i32,
    out: String,
    err: String,
}

/// Runs to the end; whatever still runs after 40 seconds did not refuse.
fn ran(mut command: Command) -> Ran {
    let mut child = command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let until = Instant::now() + Duration::from_secs(40);
    while child.try_wait().unwrap().is_none() {
        if Instant::now() > until {
            let _ = child.kill();
            let _ = child.wait();
            panic!("it runs and does not refuse: {command:?}");
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    let done = child.wait_with_output().unwrap();
    Ran {
        code: done.status.code().unwrap_or(-1),
        out: String::from_utf8_lossy(&done.stdout).into_owned(),
        err: String::from_utf8_lossy(&done.stderr).into_owned(),
    }
}

async fn ready(app: &TestApp) -> (u16, Value) {
    let http = reqwest::Client::builder()
        .no_proxy()
        .tls_certs_only([])
        .build()
        .unwrap();
    let answer = http
        .get(format!("http://localhost:{}/readyz", app.port))
        .send()
        .await
        .unwrap();
    let status = answer.status().as_u16();
    (status, answer.json().await.unwrap())
}

/// Waits until `/readyz` answers `status`.
async fn becomes(app: &TestApp, status: u16) {
    let until = Instant::now() + Duration::from_secs(20);
    loop {
        let (now, body) = ready(app).await;
        if now == status {
            return;
        }
        assert!(Instant::now() < until, "{now} {body}, not {status}");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

fn refused<T>(answer: Result<T>, status: u16, kind: &str) {
    let e = answer.err().expect("it was not refused");
    let problem = e.problem().unwrap_or_else(|| panic!("{e}"));
    let told = (problem.status, problem.kind.as_str());
    assert_eq!(
        told,
        (status, format!("urn:vitrine:{kind}").as_str()),
        "{e}"
    );
}

// --- the clock

/// The newest entry's leaf and time.
async fn newest(house: &House, who: &Person) -> (Hash, i64) {
    let list = house
        .client
        .get("/ledger/entries?limit=1", who.by())
        .await
        .unwrap()
        .body;
    let line = &list["entries"][0];
    (
        line["leaf"].as_str().unwrap().parse().unwrap(),
        line["time"].as_i64().unwrap(),
    )
}

async fn accept(house: &House, who: &Person, entry: Hash, time: i64) -> Result<()> {
    let clock = Clock {
        entry,
        time,
        why: "Compared with the telephone.".into(),
    };
    let signed = house.client.sign(who, 0, Kind::Clock(clock)).unwrap();
    let body = json!({ "signed": signed.json() });
    house.client.post("/clock", who.by(), &body).await?;
    Ok(())
}

/// A release whose times fit a clock that is three days on.
fn three_days_on() -> ReleaseAsk {
    ReleaseAsk {
        life_s: 3 * DAY_S + 900,
        ..ReleaseAsk::because("After the clock was set.")
    }
}

async fn count(house: &House, who: &Person, event: &str) -> usize {
    house.client.lines(who, event).await.unwrap().len()
}

/// Starts are recorded while people work already: waits for as many.
async fn starts(house: &House, wanted: usize) {
    let until = Instant::now() + Duration::from_secs(20);
    loop {
        let found = count(house, &house.custodian, "software.started").await;
        if found == wanted {
            return;
        }
        assert!(
            found < wanted && Instant::now() < until,
            "{found} starts, not {wanted}"
        );
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

/// Nothing is written while the clock waits; then somebody accepts it and all works.
async fn a_stopped_clock_is_accepted(house: &mut House) {
    let us = i64::try_from(3 * DAY_S).unwrap() * 1_000_000;
    let (status, body) = ready(&house.app).await;
    assert_eq!((status, &body["clock"]), (503, &json!(false)), "{body}");
    // Anybody may sign in and look; the first does.
    let client = &house.client;
    client.login(&mut house.engineer, 0).await.unwrap();
    client.login(&mut house.custodian, 0).await.unwrap();
    let (leaf, _) = newest(house, &house.engineer).await;
    refused(house.try_ask(&three_days_on()).await, 503, "not-ready");
    let invited = client
        .invite(&house.custodian, "Too Early", &[Role::Auditor])
        .await;
    refused(invited, 503, "not-ready");
    refused(
        client.generate(&house.custodian, house.credential).await,
        503,
        "not-ready",
    );
    let now = drills::client::now_us() + us;
    // Of another entry; of a time that is not this one; by another kind of statement.
    for (entry, time) in [
        (Hash::ZERO, now),
        (leaf, now - us / 2),
        (leaf, now + 120_000_000),
    ] {
        refused(
            accept(house, &house.engineer, entry, time).await,
            409,
            "conflict",
        );
    }
    let other = Kind::Roles(quorum::statement::Roles {
        roles: vec![Role::Custodian],
        user: house.engineer.user,
    });
    let signed = client.sign(&house.engineer, 0, other).unwrap();
    let body = json!({ "signed": signed.json() });
    refused(
        client.post("/clock", house.engineer.by(), &body).await,
        400,
        "invalid",
    );
    assert_eq!(
        newest(house, &house.engineer).await.0,
        leaf,
        "something was written"
    );
    assert_eq!(ready(&house.app).await.0, 503);

    accept(house, &house.engineer, leaf, now - 60_000_000)
        .await
        .unwrap();
    assert_eq!(count(house, &house.engineer, "clock.accepted").await, 1);
    becomes(&house.app, 200).await;
    let again = accept(house, &house.engineer, leaf, now).await;
    refused(again, 409, "conflict");
    let release = house.try_ask(&three_days_on()).await.unwrap();
    for approver in &mut house.approvers {
        house.client.login(approver, 0).await.unwrap();
    }
    house.approve(&release, &[0, 2]).await;
    let opened = house
        .client
        .open(&mut house.engineer, &release)
        .await
        .unwrap();
    assert_eq!(opened.plaintext.len(), 24);
    house.app.valid();
}

both!(a_clock_three_days_on_is_accepted_by_a_person);
async fn a_clock_three_days_on_is_accepted_by_a_person(under: Under) {
    let mut house = House::furnished(under).await;
    starts(&house, 1).await;
    house.app.kill();
    house.app.clock_off("+3d");
    house.app.serve().await;
    a_stopped_clock_is_accepted(&mut house).await;
    // The start waited for the clock as well, and is recorded now.
    starts(&house, 2).await;
    house.app.valid();
    // Within a day of the last entry nobody is asked.
    house.app.kill();
    house.app.clock_off("+92h");
    house.app.serve().await;
    assert_eq!(ready(&house.app).await.0, 200);
}

both!(a_clock_that_steps_under_a_running_server_stops_it);
async fn a_clock_that_steps_under_a_running_server_stops_it(under: Under) {
    let mut app = TestApp::found(under);
    let file = app.dir.path().join("clock");
    std::fs::write(&file, "+0\n").unwrap();
    app.clock_by_file(&file);
    app.serve().await;
    let mut house = House::of(app).await;
    let release = house.ask().await;
    house.approve(&release, &[0, 1]).await;
    std::fs::write(&file, "+3d\n").unwrap();
    becomes(&house.app, 503).await; // the sweeper finds it, if nobody else does
    a_stopped_clock_is_accepted(&mut house).await;
    // What was approved three days ago was not opened meanwhile, and is not now.
    let late = house.client.open(&mut house.engineer, &release).await;
    assert_eq!(late.err().unwrap().status(), Some(409));
    assert_eq!(count(&house, &house.custodian, "release.opened").await, 1);
}

both!(a_clock_that_went_back_is_accepted_and_time_never_decreases);
async fn a_clock_that_went_back_is_accepted_and_time_never_decreases(under: Under) {
    let mut house = House::furnished(under).await;
    house.app.kill();
    house.app.clock_off("-2d");
    house.app.serve().await;
    assert_eq!(ready(&house.app).await.0, 503);
    house.client.login(&mut house.custodian, 0).await.unwrap();
    let (leaf, time) = newest(&house, &house.custodian).await;
    let refusal = house
        .client
        .invite(&house.custodian, "Too Early", &[Role::Auditor])
        .await;
    refused(refusal, 503, "not-ready");
    accept(&house, &house.custodian, leaf, time).await.unwrap();
    becomes(&house.app, 200).await;
    house
        .client
        .invite(&house.custodian, "In Time", &[Role::Auditor])
        .await
        .unwrap();
    assert!(newest(&house, &house.custodian).await.1 >= time);
}

both!(a_session_ends_after_twelve_hours_however_much_it_is_used);
async fn a_session_ends_after_twelve_hours_however_much_it_is_used(under: Under) {
    let mut app = TestApp::found(under);
    let file = app.dir.path().join("clock");
    std::fs::write(&file, "+0\n").unwrap();
    app.clock_by_file(&file);
    app.serve().await;
    let mut house = House::of(app).await;
    let minutes = (14..12 * 60).step_by(14).chain([12 * 60 - 1]);
    for minute in minutes {
        std::fs::write(&file, format!("+{minute}m\n")).unwrap();
        let you = house.client.get("/you", house.engineer.by()).await;
        you.unwrap_or_else(|e| panic!("after {minute} minutes: {e}"));
    }
    std::fs::write(&file, format!("+{}m\n", 12 * 60)).unwrap();
    let over = house.client.get("/you", house.engineer.by()).await.err();
    assert_eq!(over.and_then(|e| e.status()), Some(401));
    house.client.login(&mut house.engineer, 0).await.unwrap();
    house.client.you(&house.engineer).await.unwrap();
}

// --- the database

/// On PostgreSQL alone: SQLite is no server that stops; its file may go, as below.
#[tokio::test(flavor = "multi_thread")]
async fn a_database_that_stops_is_an_outage_and_no_more() {
    let pg = Postgres::start();
    let mut app = TestApp::found_on(Some(&pg));
    app.serve().await;
    let mut house = House::of(app).await;
    let release = house.ask().await;
    house.approve(&release, &[0, 1]).await;
    let client = house.app.client().await;
    // Somebody files all the while.
    let filer = admit(
        &house.client,
        &house.custodian,
        &house.maker,
        "Busy Bee",
        &[Role::Requester],
    )
    .await;
    let (load, stop) = load(&house, filer).await;
    tokio::time::sleep(Duration::from_millis(700)).await;
    pg.stop();
    for answer in [
        client.get("/you", house.engineer.by()).await.err(),
        client.get("/safes", house.engineer.by()).await.err(),
        house
            .try_ask(&ReleaseAsk::because("It is down."))
            .await
            .err(),
        client.opening(house.engineer.by(), &release).await.err(),
        client.login(&mut house.custodian, 0).await.err(),
    ] {
        let e = answer.expect("the database is down");
        assert_eq!(e.status(), Some(503), "{e}");
        assert!(
            !e.to_string().contains("postgres"),
            "it tells what it runs on: {e}"
        );
    }
    let asked = Instant::now();
    let refused = client.get("/you", house.engineer.by()).await.err().unwrap();
    assert!(
        asked.elapsed() < Duration::from_secs(8),
        "it hung: {refused}"
    );
    assert_eq!(ready(&house.app).await.0, 503);
    pg.start_again();
    becomes(&house.app, 200).await;
    stop.store(true, std::sync::atomic::Ordering::Relaxed);
    let (acknowledged, failures) = load.await.unwrap();
    for e in &failures {
        assert_eq!(e.status(), Some(503), "{e}");
    }
    assert!(
        !acknowledged.is_empty() && !failures.is_empty(),
        "no load: {}",
        acknowledged.len()
    );
    house.client.login(&mut house.custodian, 0).await.unwrap();
    all_there(&house, &acknowledged).await;
    let opened = house
        .client
        .open(&mut house.engineer, &release)
        .await
        .unwrap();
    assert_eq!(opened.plaintext.len(), 24);
    house.app.valid();
}

type Load = tokio::task::JoinHandle<(Vec<(RequestId, u64, Hash)>, Vec<Error>)>;

/// Files one request after another until told to stop, or until nobody answers.
async fn load(house: &House, who: Person) -> (Load, std::sync::Arc<std::sync::atomic::AtomicBool>) {
    let stop = std::sync::Arc::new(std::sync::atomic::AtomicBool::new(false));
    let (client, told) = (house.app.client().await, stop.clone());
    let credential = client.credential(&who, house.credential).await.unwrap();
    let version = credential.current().unwrap().clone();
    let task = tokio::spawn(async move {
        let (mut acknowledged, mut failures) = (Vec::new(), Vec::new());
        while !told.load(std::sync::atomic::Ordering::Relaxed) {
            let ask = ReleaseAsk::because("One of many.");
            match client
                .ask_release(&who, 0, &credential, &version, &ask)
                .await
            {
                Ok(r) => acknowledged.push((r.filed.request, r.filed.seq, r.filed.leaf)),
                Err(e) => {
                    let gone = matches!(e, Error::Http(_));
                    failures.push(e);
                    if gone {
                        break;
                    }
                    tokio::time::sleep(Duration::from_millis(50)).await;
                }
            }
        }
        (acknowledged, failures)
    });
    (task, stop)
}

/// Every acknowledged filing is where its answer said.
async fn all_there(house: &House, acknowledged: &[(RequestId, u64, Hash)]) {
    for (request, seq, leaf) in acknowledged {
        let entry = house
            .client
            .get(&format!("/ledger/entries/{seq}"), house.custodian.by())
            .await
            .unwrap_or_else(|e| panic!("entry {seq} was acknowledged and is lost: {e}"))
            .body;
        assert_eq!(entry["leaf"], leaf.to_string(), "entry {seq}");
        assert!(
            entry["entry"]
                .as_str()
                .unwrap()
                .contains(&request.to_string()),
            "entry {seq}"
        );
        house
            .client
            .get(&format!("/requests/{request}"), house.custodian.by())
            .await
            .unwrap_or_else(|e| panic!("request {request}: {e}"));
    }
}

both!(killed_under_a_load_of_filings);
async fn killed_under_a_load_of_filings(under: Under) {
    let mut house = House::furnished(under).await;
    let mut loads = Vec::new();
    for n in 0..6 {
        let name = format!("Filer {n}");
        let filer = admit(
            &house.client,
            &house.custodian,
            &house.maker,
            &name,
            &[Role::Requester],
        )
        .await;
        loads.push(load(&house, filer).await.0);
    }
    tokio::time::sleep(Duration::from_millis(1500)).await;
    house.app.kill();
    let mut acknowledged = Vec::new();
    for load in loads {
        let (done, failures) = load.await.unwrap();
        acknowledged.extend(done);
        for e in failures {
            assert!(matches!(e, Error::Http(_)), "{e}");
        }
    }
    assert!(acknowledged.len() > 20, "no load: {}", acknowledged.len());
    house.app.serve().await;
    all_there(&house, &acknowledged).await;
    house.ask().await;
}

fn database_files(app: &TestApp) -> Vec<PathBuf> {
    let data = app.dir.path().join("data");
    ["vitrine.db", "vitrine.db-wal", "vitrine.db-shm"]
        .map(|name| data.join(name))
        .into_iter()
        .filter(|path| path.exists())
        .collect()
}

/// On SQLite alone: PostgreSQL keeps its files to itself, and stops instead, as above.
#[tokio::test(flavor = "multi_thread")]
async fn a_removed_database_file_takes_no_more_entries() {
    let mut house = House::furnished(Under::Sqlite).await;
    let away = house.app.dir.path().join("away");
    std::fs::create_dir(&away).unwrap();
    let files = database_files(&house.app);
    for file in &files {
        std::fs::rename(file, away.join(file.file_name().unwrap())).unwrap();
    }
    // What is written to a file without a name is lost when its last reader goes: nothing is acknowledged.
    refused(
        house.try_ask(&ReleaseAsk::because("Into nowhere.")).await,
        503,
        "no-entry",
    );
    assert_eq!(ready(&house.app).await.0, 503);
    assert!(!files[0].exists(), "a new database was made");
    for file in &files {
        std::fs::copy(away.join(file.file_name().unwrap()), file).unwrap();
    }
    // Another file at that place is not ours either.
    refused(
        house.try_ask(&ReleaseAsk::because("Into nowhere.")).await,
        503,
        "no-entry",
    );
    for file in &files {
        std::fs::rename(away.join(file.file_name().unwrap()), file).unwrap();
    }
    becomes(&house.app, 200).await;
    house.ask().await;
    house.app.valid();

    house.app.kill();
    let file = files[0].clone();
    std::fs::rename(&file, away.join("kept")).unwrap();
    let serve = ran(house.app.command(&["serve"]));
    assert_eq!(serve.code, 1, "{}", serve.err);
    assert!(serve.err.contains("is missing"), "{}", serve.err);
    assert!(!file.exists(), "serve made a new database");
    // Nor does founding anew forget the ledger that this node has anchored.
    let init = ran(house
        .app
        .command(&["init", "--origin", "http://localhost:7443"]));
    assert_eq!(init.code, 1, "{}", init.out);
    assert!(
        init.err.contains("There is a ledger already"),
        "{}",
        init.err
    );
    std::fs::rename(away.join("kept"), &file).unwrap();
    house.app.serve().await;
    house.opened().await;
    house.app.valid();
}

/// Takes away the right to write, by the file's mode or by the server's rule, and gives it back.
fn writable(app: &TestApp, under: Under, yes: bool) {
    use std::os::unix::fs::PermissionsExt;
    match under {
        Under::Sqlite => {
            let mode = if yes { 0o600 } else { 0o444 };
            for file in database_files(app) {
                std::fs::set_permissions(file, std::fs::Permissions::from_mode(mode)).unwrap();
            }
        }
        Under::Postgres => {
            let name = app.database();
            let sql = format!(
                "ALTER DATABASE {name} SET default_transaction_read_only = {}",
                !yes
            );
            Postgres::shared().sql("postgres", &sql);
        }
    }
}

/// As somebody whom modes stop: root writes to what nobody may write to, unless it is without that right.
fn without_roots_rights(inner: &Command) -> Command {
    let root = Command::new("id").arg("-u").output().unwrap().stdout == b"0\n";
    let mut command = Command::new(if root {
        "setpriv".as_ref()
    } else {
        inner.get_program()
    });
    if root {
        command.args([
            "--bounding-set=-dac_override,-dac_read_search",
            "--inh-caps=-dac_override,-dac_read_search",
            "--",
        ]);
        command.arg(inner.get_program());
    }
    command.args(inner.get_args());
    command.current_dir(inner.get_current_dir().unwrap());
    for (name, value) in inner.get_envs() {
        match value {
            Some(value) => command.env(name, value),
            None => command.env_remove(name),
        };
    }
    command
}

both!(a_database_that_cannot_be_written_is_refused_at_start);
async fn a_database_that_cannot_be_written_is_refused_at_start(under: Under) {
    let mut house = House::furnished(under).await;
    house.app.kill();
    writable(&house.app, under, false);
    let done = ran(without_roots_rights(&house.app.command(&["serve"])));
    assert_eq!(done.code, 1, "{}{}", done.out, done.err);
    assert!(
        done.err.contains("The ledger could not be written"),
        "{}",
        done.err
    );
    assert!(!done.out.contains("Serving"), "{}", done.out);
    writable(&house.app, under, true);
    house.app.serve().await;
    house.opened().await;
}

/// On PostgreSQL alone: SQLite knows no roles.
#[tokio::test(flavor = "multi_thread")]
async fn the_owner_of_the_ledger_does_not_serve() {
    let pg = Postgres::start();
    let mut app = TestApp::found_on(Some(&pg));
    let databases = pg.sql(
        "postgres",
        "SELECT datname FROM pg_database WHERE datname LIKE 'v%'",
    );
    let url = |role: &str| format!("postgres://{role}@127.0.0.1:{}/{databases}", pg.port);
    let (serving, owner) = (url(&databases), url(&format!("{databases}_owner")));
    for role in [owner, url("postgres")] {
        app.set("VITRINE_DATABASE_URL", &role);
        let done = ran(app.command(&["serve"]));
        assert_eq!(done.code, 1, "{}", done.err);
        assert!(
            done.err.contains("owns the ledger or may change it"),
            "{}",
            done.err
        );
        let done = ran(app.command(&["--json", "serve"]));
        assert_eq!(problem(&done)["type"], "not-ready");
    }
    app.set("VITRINE_DATABASE_URL", &serving);
    app.serve().await;
    // And what serves can change nothing that was written.
    for sql in [
        "UPDATE ledger_entries SET time = 0",
        "DELETE FROM ledger_entries",
        "TRUNCATE ledger_entries",
        "DELETE FROM nonces",
        "UPDATE ledger_checkpoints SET note = ''",
        "ALTER TABLE ledger_entries DISABLE TRIGGER ALL",
        "DROP TABLE ledger_nodes",
    ] {
        let done = Command::new("psql")
            .args(["-X", "-q", "-v", "ON_ERROR_STOP=1", "-c", sql, &serving])
            .output()
            .unwrap();
        assert!(!done.status.success(), "{sql}");
    }
}

// --- starting

both!(a_port_in_use_is_an_error_and_never_another_port);
async fn a_port_in_use_is_an_error_and_never_another_port(under: Under) {
    let mut app = TestApp::found(under);
    let taken = std::net::TcpListener::bind(("127.0.0.1", app.port)).unwrap();
    let done = ran(app.command(&["serve"]));
    assert_eq!(done.code, 1, "{}", done.err);
    assert!(!done.out.contains("Serving"), "{}", done.out);
    for words in [
        &format!("127.0.0.1:{}", app.port),
        "cannot be listened on",
        "Stop what uses that port",
    ] {
        assert!(done.err.contains(words), "{words}: {}", done.err);
    }
    assert_eq!(
        problem(&ran(app.command(&["--json", "serve"])))["type"],
        "down"
    );
    drop(taken);
    app.serve().await;
    let house = House::of(app).await;
    // The starts that failed are no starts.
    starts(&house, 1).await;
    // A second server of the same address is refused, and the first goes on.
    assert_eq!(ran(house.app.command(&["serve"])).code, 1);
    house.ask().await;
}

both!(a_pin_comes_from_a_systemd_credential);
async fn a_pin_comes_from_a_systemd_credential(under: Under) {
    let mut app = TestApp::found(under);
    let tokens = app.dir.path().join("data/tokens");
    let given = app.dir.path().join("credentials");
    std::fs::create_dir(&given).unwrap();
    let module = hsm::softhsm::module().unwrap();
    let mut text = String::new();
    for (table, label) in [
        ("[[hsm.custody]]", "custody-1"),
        ("[[hsm.custody]]", "custody-2"),
        ("[[hsm.checkpoint]]", "checkpoint-1"),
        ("[[hsm.checkpoint]]", "checkpoint-2"),
        ("[hsm.service]", "service"),
    ] {
        let pin = hsm::softhsm::pin_file(&tokens, label);
        app.canary(std::fs::read(&pin).unwrap().trim_ascii());
        std::fs::rename(pin, given.join(label)).unwrap();
        text +=
            &format!("{table}\nmodule = {module:?}\nlabel = \"{label}\"\npin_file = \"{label}\"\n");
    }
    std::fs::write(app.dir.path().join("vitrine.toml"), text).unwrap();
    let (name, value) = hsm::softhsm::environment(&tokens);
    app.set(name, value.to_str().unwrap());
    // Without the directory a bare name is a file, and there is none: that token is waited for.
    let done = ran(app.command(&["doctor"]));
    assert_eq!(done.code, 1, "{}{}", done.out, done.err);
    let waits = "token custody-1 does not answer";
    assert!(done.out.contains(waits), "{}{}", done.out, done.err);
    app.set("CREDENTIALS_DIRECTORY", given.to_str().unwrap());
    app.serve().await;
    let mut house = House::of(app).await;
    let (_, secret) = house.opened().await;
    assert_eq!(secret.len(), 24);
}

both!(founding_twice_is_refused_and_loses_nothing);
async fn founding_twice_is_refused_and_loses_nothing(under: Under) {
    let mut app = TestApp::found(under);
    let twice = |app: &TestApp| {
        for origin in [
            "http://localhost:7443",
            &format!("http://localhost:{}", app.port),
            "https://other.example",
        ] {
            let done =
                ran(app.command(&["init", "--origin", origin, "--custodian", "Somebody Else"]));
            assert_eq!(done.code, 1, "{}", done.out);
            assert!(!done.out.contains("Invitation"), "{}", done.out);
            assert!(
                done.err.contains("There is a ledger already"),
                "{}",
                done.err
            );
            assert!(done.err.contains("vitrine serve"), "{}", done.err);
        }
        let done = ran(app.command(&["--json", "init"]));
        assert_eq!(
            (done.code, &problem(&done)["type"]),
            (1, &json!("conflict"))
        );
    };
    let files = |app: &TestApp| {
        let mut all: Vec<(PathBuf, Vec<u8>)> = Vec::new();
        for name in ["anchor", "tokens"] {
            files_in(&app.dir.path().join("data").join(name), &mut all);
        }
        all.sort();
        all
    };
    let before = files(&app);
    twice(&app);
    assert!(files(&app) == before, "anchor or tokens were changed");
    app.serve().await;
    twice(&app);
    // The first invitation still works, and what it leads to.
    let mut house = House::of(app).await;
    let (_, secret) = house.opened().await;
    assert_eq!(secret.len(), 24);
    let size = house
        .client
        .get("/ledger", house.custodian.by())
        .await
        .unwrap()
        .body["size"]
        .clone();
    twice(&house.app);
    let after = house
        .client
        .get("/ledger", house.custodian.by())
        .await
        .unwrap()
        .body["size"]
        .clone();
    assert_eq!(size, after);
    house.app.kill();
    twice(&house.app);
    house.app.serve().await;
    house.opened().await;
}

fn files_in(path: &Path, into: &mut Vec<(PathBuf, Vec<u8>)>) {
    if path.is_dir() {
        for entry in std::fs::read_dir(path).unwrap().flatten() {
            files_in(&entry.path(), into);
        }
    } else {
        into.push((path.to_owned(), std::fs::read(path).unwrap()));
    }
}

// --- the command line

/// The refusal on stdout, with its parts.
fn problem(done: &Ran) -> Value {
    let body: Value = serde_json::from_str(&done.out)
        .unwrap_or_else(|e| panic!("no JSON ({e}): {:?} {}", done.out, done.err));
    let error = body["error"].clone();
    for member in ["type", "title", "detail", "next"] {
        let text = error[member].as_str().unwrap_or_default();
        assert!(!text.is_empty(), "{member} is missing: {body}");
    }
    error
}

/// The program in an empty folder, told of no server and no data.
fn bare(dir: &Path, args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_vitrine"));
    command
        .args(args)
        .current_dir(dir)
        .env("HOME", dir)
        .env("XDG_STATE_HOME", dir.join("state"))
        .env("XDG_RUNTIME_DIR", dir.join("run"))
        .env("XDG_CONFIG_HOME", dir.join("config"))
        .env("VITRINE_DATA", dir.join("data"))
        .env("VITRINE_URL", "http://127.0.0.1:9")
        .env_remove("SOFTHSM2_CONF");
    command
}

#[test]
fn a_wrong_usage_is_told_from_a_refusal() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    let usage: &[(&[&str], &str)] = &[
        (&[], "Usage: vitrine"),
        (&["brake"], "unrecognized subcommand 'brake'"),
        (&["serve", "--port", "80"], "unexpected argument '--port'"),
        (&["break", "x", "--for", "soon"], "write 15m, 900s or 1h"),
        (&["break", "x", "--for", "0m"], "write 15m, 900s or 1h"),
        (&["break", "x", "--for", "-5"], "'-5'"),
        (&["break", "x", "--for", "2d"], "write 15m, 900s or 1h"),
        (
            &["break", "x", "--for", "99999999999999999999h"],
            "write 15m, 900s or 1h",
        ),
        (&["exec", "x", "--why", "y"], "<COMMAND>"),
        (&["exec", "x", "--why", "y", "psql"], "'psql'"),
        (
            &["exec", "x", "--fd", "2", "--", "true"],
            "2 is not in 3..=9",
        ),
        (
            &["exec", "x", "--fd", "3", "--env", "A", "--", "true"],
            "cannot be used with",
        ),
        (&["checkin"], "<CODE>"),
        (&["rotate"], "<CREDENTIAL>"),
        (&["audit"], "Usage: vitrine audit"),
        (&["audit", "verify"], "<DIR>"),
        (&["audit", "export"], "--out"),
        (&["drill", "no-such-scenario"], "no-such-scenario"),
    ];
    for (args, words) in usage {
        let done = ran(bare(dir, args));
        assert_eq!(done.code, 2, "{args:?}: {}{}", done.out, done.err);
        assert!(
            done.err.contains(words),
            "{args:?}: {words} is not in {}",
            done.err
        );
        assert!(done.out.is_empty(), "{args:?}: {}", done.out);
    }
    for (args, words) in [
        (["--help"], "no quorum, no plaintext"),
        (["--version"], "vitrine 0."),
    ] {
        let done = ran(bare(dir, &args));
        assert_eq!(done.code, 0);
        assert!(done.out.contains(words), "{}", done.out);
    }
    let refusals: &[(&[&str], &str)] = &[
        (
            &["--config", "no-such.toml", "serve"],
            "no-such.toml cannot be read",
        ),
        (&["serve"], "vitrine init"),
        (&["serve", "--adopt", "7"], "SIZE:ROOT"),
        (&["migrate"], "vitrine init"),
        (&["audit", "export", "--out", "evidence"], "vitrine init"),
        (&["init", "--origin", "nonsense"], "The origin is no URL"),
        (
            &["init", "--origin", "http://vitrine.example"],
            "An origin is https",
        ),
        (
            &["init", "--origin", "https://192.0.2.7"],
            "An address is no name",
        ),
        (
            &["init", "--origin", "https://[2001:db8::1]"],
            "An address is no name",
        ),
        (&["break"], "There is no credential to ask for"),
        (&["break", "--resume", "AAAA-AAAA"], "AAAA-AAAA"),
        (&["checkin", "AAAA-AAAA"], "AAAA-AAAA"),
        (&["rotate", "x"], "vitrine login"),
        (&["login"], "127.0.0.1:9"),
        (&["break", "x", "--why", "y"], "127.0.0.1:9"),
        (&["exec", "x", "--why", "y", "--", "true"], "127.0.0.1:9"),
    ];
    for (args, words) in refusals {
        let done = ran(bare(dir, args));
        assert_eq!(done.code, 1, "{args:?}: {}{}", done.out, done.err);
        assert!(
            done.err.contains(words),
            "{args:?}: {words} is not in {}",
            done.err
        );
        let mut done = ran(bare(dir, &[&["--json"], *args].concat()));
        assert_eq!(done.code, 1, "{args:?}");
        if args[0] == "exec" {
            assert!(done.out.is_empty(), "stdout is the command's: {}", done.out);
            done.out = done.err.lines().last().unwrap_or_default().to_owned();
        }
        let told = problem(&done).to_string();
        assert!(told.contains(words), "{args:?}: {words} is not in {told}");
    }
    let made: Vec<_> = std::fs::read_dir(dir)
        .unwrap()
        .flatten()
        .map(|e| e.file_name())
        .collect();
    assert!(
        !dir.join("data/vitrine.db").exists() && !dir.join("data/tokens").exists(),
        "a refusal left {made:?}"
    );
}

#[test]
fn what_cannot_be_verified_is_neither_true_nor_false() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    std::fs::create_dir(dir.join("empty")).unwrap();
    std::fs::write(dir.join("file"), "x").unwrap();
    let ledger = "0".repeat(64);
    let cases: &[(&[&str], i32)] = &[
        (&["audit", "verify", "nowhere"], 2),
        (&["audit", "verify", "nowhere", "--founded", &ledger], 2),
        (&["audit", "verify", "file", "--founded", &ledger], 2),
        (&["audit", "verify", "empty", "--founded", &ledger], 1), // a missing file is false (FORMATS.md 6)
        (
            &["audit", "verify", "empty", "--founded", "not-a-fingerprint"],
            2,
        ),
        (&["audit", "verify", "empty", "--founded", &ledger[1..]], 2),
    ];
    for (args, code) in cases {
        let done = ran(bare(dir, args));
        assert_eq!(done.code, *code, "{args:?}: {}{}", done.out, done.err);
        assert!(
            !(done.out + &done.err).trim().is_empty(),
            "{args:?}: not a word"
        );
        let done = ran(bare(dir, &[&["--json"], *args].concat()));
        assert_eq!(done.code, *code, "{args:?}");
        let body: Value = serde_json::from_str(&done.out)
            .unwrap_or_else(|e| panic!("{args:?}: no JSON ({e}): {:?}", done.out));
        assert!(body.is_object(), "{body}");
    }
}

both!(the_doctor_names_what_is_not_well);
async fn the_doctor_names_what_is_not_well(under: Under) {
    let mut app = TestApp::found(under);
    let well = |app: &TestApp| {
        let done = ran(app.command(&["--json", "doctor"]));
        let body: Value = serde_json::from_str(&done.out).unwrap();
        let sick: Vec<String> = body["findings"]
            .as_array()
            .unwrap()
            .iter()
            .filter(|f| f["level"] != "ok")
            .map(|f| {
                assert!(!f["next"].as_str().unwrap().is_empty(), "{f}");
                f["what"].as_str().unwrap().to_owned()
            })
            .collect();
        assert_eq!(done.code, i32::from(body["level"] == "red"), "{body}");
        assert!(done.err.is_empty(), "{}", done.err);
        sick.join("; ")
    };
    let soft = "SoftHSM is no HSM: keys lie in files; no drill was filed yet";
    assert_eq!(well(&app), soft);
    assert_eq!(
        ran(app.command(&["doctor"])).code,
        0,
        "a default set-up is well"
    );
    app.clock_off("+3d");
    assert_eq!(ran(app.command(&["doctor"])).code, 0, "amber");
    assert_eq!(ran(app.command(&["doctor", "--strict"])).code, 1, "amber");
    assert!(
        well(&app).contains("the clock is more than a day"),
        "{}",
        well(&app)
    );
    for name in ["LD_PRELOAD", "FAKETIME", "FAKETIME_DONT_FAKE_MONOTONIC"] {
        app.set(name, "");
    }
    let anchor = app.dir.path().join("data/anchor");
    std::fs::rename(&anchor, app.dir.path().join("kept")).unwrap();
    assert!(well(&app).contains("no anchor"), "{}", well(&app));
    std::fs::rename(app.dir.path().join("kept"), &anchor).unwrap();
    let db = app.dir.path().join("data/vitrine.db");
    let kept = app.dir.path().join("kept");
    let named = (under == Under::Postgres).then(|| app.database());
    let away = |yes: bool| match &named {
        None if yes => std::fs::rename(&db, &kept).unwrap(),
        None => std::fs::rename(&kept, &db).unwrap(),
        Some(name) => {
            let away = format!("{name}_away");
            let (from, to) = if yes { (name, &away) } else { (&away, name) };
            let pg = Postgres::shared();
            pg.alone(from);
            pg.sql("postgres", &format!("ALTER DATABASE {from} RENAME TO {to}"));
        }
    };
    away(true);
    assert!(well(&app).contains("database"), "{}", well(&app));
    away(false);
    assert_eq!(well(&app), soft);
}

both!(p9_a_founding_that_was_killed_is_begun_anew);
async fn p9_a_founding_that_was_killed_is_begun_anew(under: Under) {
    let mut app = TestApp::found(under);
    let first = app.ledger;
    let origin = app.origin();
    let done = ran(app.command(&["init", "--origin", &origin]));
    assert!(done.err.contains("vitrine init --again"), "{}", done.err);
    // A kill on the way strands nobody: nobody has joined yet, so it may be founded again by whoever says so.
    for point in [
        "found.forgotten",
        "found.cleared",
        "found.committed",
        "found.entered",
        "",
    ] {
        app.set("VITRINE_FAULT", point);
        let done = ran(app.command(&["--json", "init", "--again", "--origin", &origin]));
        assert_eq!(done.code == 0, point.is_empty(), "{point}: {}", done.err);
        if point.is_empty() {
            app.founded(&done.out);
        }
    }
    assert_ne!(app.ledger, first);
    app.serve().await;
    let mut house = House::of(app).await;
    house.app.valid();
    // Once somebody has joined, never again: not even without the anchor.
    house.app.kill();
    let again = |app: &TestApp| ran(app.command(&["init", "--again", "--origin", &app.origin()]));
    assert!(again(&house.app).err.contains("There is a ledger already"));
    let anchor = house.app.dir.path().join("data/anchor");
    let kept = anchor.with_extension("kept");
    std::fs::rename(&anchor, &kept).unwrap();
    assert!(again(&house.app).err.contains("There is a ledger already"));
    std::fs::rename(&kept, &anchor).unwrap();
}
