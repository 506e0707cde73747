//! What reviews found, each so that it stays found: foreign keys, core dumps, a database that hangs, the last custodian.

use std::process::Command;

use std::time::{Duration, Instant};

use drills::client::{By, Client, Person, ReleaseAsk, Result};
use quorum::statement::{Decision, KeyAct, Kind, Role, Statement};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use sqlx::Row;

use crate::app::{House, TestApp, Under};
use crate::attacks::token_folder;
use crate::testbed::Postgres;

/// A point of Ed25519 (RFC 8032, 5.1: B), as some key that nobody knows.
const BASE_POINT: [u8; 32] = {
    let mut point = [0x66; 32];
    point[0] = 0x58;
    point
};

/// What `doctor` says.
fn doctor(app: &TestApp) -> Value {
    let done = app.command(&["doctor", "--json"]).output().unwrap();
    serde_json::from_slice(&done.stdout)
        .unwrap_or_else(|e| panic!("{e}: {}", String::from_utf8_lossy(&done.stderr)))
}

/// The level of the finding that says `words`.
fn level_of(said: &Value, words: &str) -> String {
    let findings = said["findings"].as_array().unwrap();
    let found = findings
        .iter()
        .find(|f| f["what"].as_str().unwrap().contains(words));
    let found = found.unwrap_or_else(|| panic!("no finding says {words}: {said}"));
    assert!(found["level"] == "ok" || !found["next"].as_str().unwrap().is_empty());
    found["level"].as_str().unwrap().to_owned()
}

/// Puts the token `label` of another Vitrine, its PIN too, in the place of this one's.
fn swap_token(app: &TestApp, other: &TestApp, label: &str) {
    let ours = token_folder(app, label);
    std::fs::remove_dir_all(&ours).unwrap();
    let theirs = token_folder(other, label);
    let place = ours.with_file_name(theirs.file_name().unwrap());
    std::fs::rename(theirs, place).unwrap();
    let pin = format!("data/tokens/{label}.pin");
    std::fs::copy(other.dir.path().join(&pin), app.dir.path().join(&pin)).unwrap();
}

/// What is left of a server that was aborted, and what it may leave (promise P11). Without the rights of root, of which the
/// kernel asks nothing.
#[tokio::test(flavor = "multi_thread")]
async fn p11_an_aborted_server_leaves_no_core() {
    let mut house = House::furnished(Under::Sqlite).await;
    house.app.kill();
    let unlimited = |inner: &Command| {
        let mut command = Command::new("setpriv");
        command
            .args(["--bounding-set=-all", "--inh-caps=-all", "--", "sh", "-c"])
            .arg("ulimit -c unlimited; exec \"$0\" \"$@\"")
            .arg(inner.get_program())
            .args(inner.get_args())
            .current_dir(inner.get_current_dir().unwrap())
            .env_remove("SOFTHSM2_CONF");
        for (name, value) in inner.get_envs() {
            value.map(|value| command.env(name, value));
        }
        command
    };
    let serve = unlimited(&house.app.command(&["serve"]));
    house.app.run(serve).await;
    let pid = house.app.pid();
    let limits = std::fs::read_to_string(format!("/proc/{pid}/limits")).unwrap();
    let core = limits.lines().find(|l| l.starts_with("Max core file size"));
    // One byte is no core, and unlike none it also keeps one from a program that core_pattern names.
    let words: Vec<&str> = core.unwrap().split_whitespace().collect();
    assert_eq!(words[4..6], ["1", "1"], "{limits}");
    // Nor does somebody of the same user read its memory.
    let reads = |pid: u32| {
        let mut cat = Command::new("setpriv");
        cat.args(["--bounding-set=-all", "--inh-caps=-all", "--", "cat"]);
        cat.arg(format!("/proc/{pid}/auxv"));
        cat.output().unwrap().status.success()
    };
    let mut sleeper = unlimited(
        Command::new("sleep")
            .arg("60")
            .current_dir(house.app.dir.path()),
    );
    let mut sleeper = sleeper.spawn().unwrap();
    tokio::time::sleep(Duration::from_millis(300)).await;
    let plain = reads(sleeper.id());
    sleeper.kill().unwrap();
    sleeper.wait().unwrap();
    assert!(
        plain,
        "whatever runs is unreadable here: this test shows nothing"
    );
    assert!(!reads(pid), "the server's memory is readable");
    let aborted = Command::new("kill")
        .args(["-ABRT", &pid.to_string()])
        .status();
    assert!(aborted.unwrap().success());
    assert!(house.app.died().await);
    let left = std::fs::read_dir(house.app.dir.path()).unwrap().flatten();
    let core = left
        .map(|e| e.file_name())
        .find(|n| n.to_string_lossy().starts_with("core"));
    assert_eq!(core, None, "it left a core");
    house.app.serve().await;
    house.opened().await;
}

both!(p5_a_foreign_checkpoint_key_signs_nothing);
async fn p5_a_foreign_checkpoint_key_signs_nothing(under: Under) {
    let mut house = House::furnished(under).await;
    house.app.kill();
    let mut other = TestApp::found(Under::Sqlite);
    other.leave();
    swap_token(&house.app, &other, "checkpoint-1");
    house.app.serve().await;
    house.opened().await;
    house.app.valid();
    let said = doctor(&house.app);
    assert_eq!(said["level"], "amber", "{said}");
    let words = "token checkpoint-1 holds no key that this ledger knows";
    assert_eq!(level_of(&said, words), "amber");
    // With both replaced it is an outage, never a forgery; and nothing is filed that would spoil the evidence.
    house.app.kill();
    let kept = house.app.dir.path().join("kept");
    let second = token_folder(&house.app, "checkpoint-2");
    let pin = house.app.dir.path().join("data/tokens/checkpoint-2.pin");
    let kept_pin = std::fs::read(&pin).unwrap();
    copy_folder(&second, &kept);
    swap_token(&house.app, &other, "checkpoint-2");
    house.app.serve().await;
    let refused = house
        .try_ask(&ReleaseAsk::because("x"))
        .await
        .err()
        .unwrap();
    assert_eq!(refused.status(), Some(503), "{refused}");
    let none = house
        .client
        .get("/ledger/checkpoint", house.engineer.by())
        .await;
    assert_eq!(none.err().unwrap().status(), Some(503));
    assert_eq!(level_of(&doctor(&house.app), words), "red");
    house.app.kill();
    std::fs::remove_dir_all(token_folder(&house.app, "checkpoint-2")).unwrap();
    std::fs::rename(&kept, &second).unwrap();
    std::fs::write(&pin, kept_pin).unwrap();
    house.app.serve().await;
    house.opened().await;
    house.app.valid();
    // An accident of old, in a table that is only ever added to, spoils nothing.
    let pool = house.app.thief().await;
    let row = sqlx::query("SELECT size, note FROM ledger_checkpoints ORDER BY size LIMIT 1");
    let row = row.fetch_one(&pool).await.unwrap();
    let note: String = row.get(1);
    let foreign = audit::checkpoint::VerifierKey::new(note.lines().next().unwrap(), BASE_POINT);
    let body = note.split_once("\n\n").unwrap().0.to_owned() + "\n";
    let body = body.replacen(&format!("\n{}\n", row.get::<i64, _>(0)), "\n2\n", 1);
    let forged = audit::checkpoint::note(body.as_bytes(), &[(&foreign.unwrap(), [7; 64])]);
    let sql = "INSERT INTO ledger_checkpoints (size, note) VALUES (2, $1)";
    sqlx::query(sql).bind(forged).execute(&pool).await.unwrap();
    pool.close().await;
    house.app.valid();
}

fn copy_folder(from: &std::path::Path, to: &std::path::Path) {
    std::fs::create_dir(to).unwrap();
    for file in std::fs::read_dir(from).unwrap().flatten() {
        std::fs::copy(file.path(), to.join(file.file_name())).unwrap();
    }
}

both!(p9_a_foreign_custody_key_wraps_nothing_and_hides_none);
async fn p9_a_foreign_custody_key_wraps_nothing_and_hides_none(under: Under) {
    let mut house = House::furnished(under).await;
    house.app.kill();
    // More keys of the same label on both tokens: whichever comes first, the ledger's own serves.
    for label in ["custody-1", "custody-2"] {
        more_keys(&house.app, label);
    }
    house.app.serve().await;
    house.opened().await;
    house
        .client
        .generate(&house.custodian, house.credential)
        .await
        .unwrap();
    assert_eq!(wrapping_keys(&house.app).await, 2, "an unknown key wrapped");
    assert_eq!(
        level_of(&doctor(&house.app), "token custody-1 answers"),
        "ok"
    );
    house.app.kill();
    let mut other = TestApp::found(Under::Sqlite);
    other.leave();
    swap_token(&house.app, &other, "custody-1");
    house.app.serve().await;
    house
        .client
        .generate(&house.custodian, house.credential)
        .await
        .unwrap();
    assert_eq!(wrapping_keys(&house.app).await, 2, "an unknown key wrapped");
    house.opened().await;
    let words = "token custody-1 holds no key that this ledger knows";
    assert_eq!(level_of(&doctor(&house.app), words), "amber");
}

async fn wrapping_keys(app: &TestApp) -> i64 {
    let pool = app.thief().await;
    let count = sqlx::query("SELECT COUNT(DISTINCT wrapping_key) FROM custody");
    let count = count.fetch_one(&pool).await.unwrap().get(0);
    pool.close().await;
    count
}

/// Makes keys of the custody label on that token, in a process of its own: SoftHSM's place comes from the environment.
fn more_keys(app: &TestApp, label: &str) {
    let tokens = app.dir.path().join("data/tokens");
    let (name, value) = hsm::softhsm::environment(&tokens);
    let done = std::process::Command::new(std::env::current_exe().unwrap())
        .args(["hardening::keys_are_made_beside", "--exact", "--nocapture"])
        .env(name, value)
        .env("VITRINE_MORE_KEYS", label)
        .env("VITRINE_TOKENS", tokens)
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&done.stdout);
    assert!(said.contains("made 5 keys"), "{said}");
}

#[test]
fn keys_are_made_beside() {
    let Ok(label) = std::env::var("VITRINE_MORE_KEYS") else {
        return;
    };
    let dir = std::path::PathBuf::from(std::env::var("VITRINE_TOKENS").unwrap());
    let token = hsm::Token::open(hsm::softhsm::spec(&dir, &label).unwrap()).unwrap();
    let made = (0..5).map(|_| token.make_wrapping_key("vitrine-custody").unwrap());
    println!("made {} keys", made.count());
}

/// On PostgreSQL alone: SQLite is no other process. Every process of it stops, as on a machine that hangs.
#[tokio::test(flavor = "multi_thread")]
async fn p4_a_database_that_hangs_is_an_outage_and_no_more() {
    let pg = Postgres::start();
    let mut app = TestApp::found_on(Some(&pg));
    app.serve().await;
    let mut house = House::of(app).await;
    let release = house.ask().await;
    house.approve(&release, &[0, 1]).await;
    let client = house.app.client().await;
    let frozen = pg.frozen();
    let asked = Instant::now();
    let (because, nothing) = (ReleaseAsk::because("It hangs."), json!({}));
    let answers = tokio::join!(
        client.get("/you", house.engineer.by()),
        client.get("/safes", house.engineer.by()),
        client.post("/login/start", By::nobody(), &nothing),
        house.try_ask(&because),
        client.opening(house.engineer.by(), &release),
        ready(&house.app),
    );
    // The client gives up after a minute; each of these was told.
    let failures = [
        answers.0.err(),
        answers.1.err(),
        answers.2.err(),
        answers.3.err(),
        answers.4.err(),
    ];
    for e in failures {
        let e = e.expect("the database hangs");
        assert_eq!(e.status(), Some(503), "{e}");
        assert!(e.problem().is_some(), "{e}");
    }
    assert_eq!(answers.5, 503);
    assert!(asked.elapsed() < Duration::from_secs(55), "it hung");
    // The writer is not stuck behind what it gave up.
    let again = client.post("/login/start", By::nobody(), &nothing).await;
    assert_eq!(again.err().unwrap().status(), Some(503));
    drop(frozen);
    let until = Instant::now() + Duration::from_secs(60);
    while ready(&house.app).await != 200 {
        assert!(Instant::now() < until, "it does not go on");
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    house.client.login(&mut house.custodian, 0).await.unwrap();
    // Whether the opening landed or not, it is one.
    let opened = house.client.open(&mut house.engineer, &release).await;
    assert_eq!(opened.unwrap().plaintext.len(), 24);
    let lines = house.client.lines(&house.custodian, "release.opened").await;
    assert_eq!(lines.unwrap().len(), 1);
    house.ask().await;
    house.app.valid();
}

async fn ready(app: &TestApp) -> u16 {
    let http = reqwest::Client::builder().no_proxy().tls_certs_only([]);
    let url = format!("http://localhost:{}/readyz", app.port);
    let answer = http.build().unwrap().get(url).send().await;
    answer.unwrap().status().as_u16()
}

/// On PostgreSQL alone: SQLite knows no roles.
#[tokio::test(flavor = "multi_thread")]
async fn p5_a_role_that_may_change_any_part_of_the_ledger_does_not_serve() {
    let app = TestApp::found(Under::Postgres);
    let (pg, name) = (Postgres::shared(), app.database());
    let serves = || app.command(&["doctor"]).output().unwrap();
    let rights = [
        ("UPDATE", "ledger_entries"),
        ("DELETE", "ledger_nodes"),
        ("TRUNCATE", "ledger_links"),
        ("UPDATE (note)", "ledger_checkpoints"),
        ("DELETE", "nonces"),
        ("TRIGGER", "ledger_entries"),
    ];
    for (right, table) in rights {
        pg.sql(&name, &format!("GRANT {right} ON {table} TO {name}"));
        let said = String::from_utf8(serves().stdout).unwrap();
        assert!(said.contains("may change it"), "{right} {table}: {said}");
        pg.sql(&name, &format!("REVOKE {right} ON {table} FROM {name}"));
    }
    let owned = |by: &str| pg.sql(&name, &format!("ALTER TABLE ledger_nodes OWNER TO {by}"));
    owned(&name);
    let said = String::from_utf8(serves().stdout).unwrap();
    assert!(said.contains("may change it"), "{said}");
    owned(&format!("{name}_owner"));
    pg.sql(
        &name,
        &format!("GRANT SELECT, INSERT ON ledger_nodes TO {name}"),
    );
    assert_eq!(serves().status.code(), Some(0));
}

both!(p9_the_last_custodian_stays_one);
async fn p9_the_last_custodian_stays_one(under: Under) {
    let mut house = House::furnished(under).await;
    let client = &house.client;
    let (first, second) = (&house.custodian, &house.engineer);
    let leaves = async |who: &Person| client.set_roles(who, who.user, &[Role::Auditor]).await;
    let stays = |answer: Result<()>| {
        let e = answer.expect_err("the last custodian left");
        assert_eq!(e.status(), Some(409), "{e}");
        assert!(e.to_string().contains("Nobody would be left"), "{e}");
    };
    stays(leaves(first).await);
    let own = KeyAct {
        authenticator: first.keys[0].authenticator,
        user: first.user,
        why: "For the test.".into(),
    };
    stays(client.revoke(first, 0, &own).await);
    let amber = "one custodian alone has a key that signs";
    assert_eq!(level_of(&doctor(&house.app), amber), "amber");
    client
        .set_roles(first, second.user, &[Role::Custodian, Role::Requester])
        .await
        .unwrap();
    assert_eq!(level_of(&doctor(&house.app), "2 custodians can sign"), "ok");
    // One whose key is suspended is none who could act.
    let act = KeyAct {
        authenticator: second.keys[0].authenticator,
        user: second.user,
        why: "For the test.".into(),
    };
    client.suspend(first, 0, &act).await.unwrap();
    stays(leaves(first).await);
    client.unsuspend(first, 0, &act).await.unwrap();
    client.login(&mut house.engineer, 0).await.unwrap();
    // Both at once: one of them stays.
    let (a, b) = tokio::join!(leaves(&house.custodian), leaves(&house.engineer));
    assert_ne!(a.is_ok(), b.is_ok(), "{a:?} {b:?}");
    stays(a.and(b));
}

both!(p12_a_share_check_takes_the_touch_of_that_key);
async fn p12_a_share_check_takes_the_touch_of_that_key(under: Under) {
    let house = House::furnished(under).await;
    let client = &house.client;
    let [owner, other, ..] = &house.approvers[..] else {
        panic!("three approvers")
    };
    let before = proved_at(client, owner).await;
    // Without a touch; by another's key, for another person; by another key of one's own there is none.
    let begun = begin(client, owner).await;
    let by = |pre| By {
        pre: Some(pre),
        ..owner.by()
    };
    let path = format!("/you/keys/{}/proved", owner.keys[0].authenticator);
    let bare = client.post(&path, by(&begun.0), &json!({})).await;
    assert_eq!(bare.err().unwrap().status(), Some(400));
    let check = |who: &Person, nonce| Statement {
        ledger: client.ledger(),
        nonce,
        signer: None,
        kind: Kind::Prove { user: who.user },
    };
    let touched = |key: &Person, statement: &Statement| {
        let signed = client.touch(&key.keys[0].key, statement).unwrap();
        json!({ "signed": signed.json() })
    };
    let theirs = begin(client, other).await;
    let refused = [
        (&begun, touched(other, &check(owner, begun.1))),
        (
            &begin(client, owner).await,
            touched(owner, &check(other, begun.1)),
        ),
        (
            &begin(client, owner).await,
            touched(owner, &check(owner, [7; 32])),
        ),
        (&theirs, touched(owner, &check(owner, theirs.1))),
    ];
    for (place, (begun, body)) in refused.iter().enumerate() {
        let answer = client.post(&path, by(&begun.0), body).await;
        let e = answer.err().unwrap_or_else(|| panic!("{place} was taken"));
        assert_eq!(e.status(), Some(400), "{place}: {e}");
    }
    assert_eq!(
        proved_at(client, owner).await,
        before,
        "a refusal proved it"
    );
    let begun = begin(client, owner).await;
    let body = touched(owner, &check(owner, begun.1));
    client.post(&path, by(&begun.0), &body).await.unwrap();
    let after = proved_at(client, owner).await;
    assert!(after > before, "{after} {before}");
    // Once.
    let again = client.post(&path, by(&begun.0), &body).await;
    assert!(again.is_err());
    assert_eq!(proved_at(client, owner).await, after);
}

/// A pre-session for a share check, and its nonce.
async fn begin(client: &Client, who: &Person) -> (drills::client::Token, [u8; 32]) {
    use base64::Engine as _;
    let begun = client.post("/prove/start", who.by(), &json!({})).await;
    let begun = begun.unwrap();
    let nonce = begun.body["nonce"].as_str().unwrap();
    let nonce = base64::engine::general_purpose::URL_SAFE_NO_PAD.decode(nonce);
    (begun.pre.unwrap(), nonce.unwrap().try_into().unwrap())
}

async fn proved_at(client: &Client, who: &Person) -> i64 {
    let you = client.get("/you", who.by()).await.unwrap().body;
    you["keys"][0]["proved_at"].as_i64().unwrap()
}

both!(p5_what_a_start_enters_is_what_browsers_are_given);
async fn p5_what_a_start_enters_is_what_browsers_are_given(under: Under) {
    let house = House::furnished(under).await;
    let until = Instant::now() + Duration::from_secs(60);
    let line = loop {
        let lines = house
            .client
            .lines(&house.custodian, "software.started")
            .await;
        if let Some(line) = lines.unwrap().pop() {
            break line;
        }
        assert!(Instant::now() < until, "the start was not entered");
        tokio::time::sleep(Duration::from_millis(200)).await;
    };
    let path = format!("/ledger/entries/{}", line.seq);
    let shown = house.client.get(&path, house.custodian.by()).await.unwrap();
    let entry: Value = serde_json::from_str(shown.body["entry"].as_str().unwrap()).unwrap();
    let http = reqwest::Client::builder().no_proxy().tls_certs_only([]);
    let http = http.build().unwrap();
    let get = async |path: &str| {
        let url = format!("http://localhost:{}{path}", house.app.port);
        let answer = http.get(url).header("accept", "text/html").send().await;
        let answer = answer.unwrap().error_for_status().unwrap();
        answer.bytes().await.unwrap()
    };
    let pages = entry["data"]["pages"].as_array().unwrap();
    let mut entered = Vec::new();
    for page in pages {
        let path = page["path"].as_str().unwrap();
        let served = hex::encode(Sha256::digest(get(path).await));
        assert_eq!(page["sha256"], served, "{path}");
        entered.push(path);
    }
    // And every script that a page names is among them.
    let html = String::from_utf8(get("/sign-in").await.to_vec()).unwrap();
    let named: Vec<&str> = html
        .split("src=\"")
        .skip(1)
        .filter_map(|rest| rest.split('"').next())
        .filter(|path| path.ends_with(".js"))
        .collect();
    assert!(!named.is_empty(), "{html}");
    for path in named {
        assert!(entered.contains(&path), "{path} is not in {entered:?}");
    }
}

both!(p9_a_touch_that_comes_late_suspends_no_honest_key);
async fn p9_a_touch_that_comes_late_suspends_no_honest_key(under: Under) {
    let mut house = House::furnished(under).await;
    let (first, second) = (house.ask().await, house.ask().await);
    let request = first.filed.request;
    let (client, person) = (&house.client, &mut house.approvers[0]);
    // The answer to an approval was lost, and the key is touched for something else before the page sends it again.
    for another in [true, false] {
        let evidence = client.evidence(person, request).await.unwrap();
        let signed = client.decision(person, 0, &evidence, Decision::Approve);
        let signed = signed.unwrap();
        let share = client.reseal(person, 0, &evidence, &signed).unwrap();
        if another {
            let other = second.filed.request;
            client.approve(person, 0, other).await.unwrap();
        } else {
            client.login(person, 0).await.unwrap();
        }
        for _ in 0..2 {
            let late = client.send_decision(person, request, &signed, share.clone());
            let e = late.await.expect_err("it came late");
            assert_eq!(e.status(), Some(409), "{e}");
            assert!(e.to_string().contains("A later touch"), "{e}");
        }
    }
    client.approve(person, 0, request).await.unwrap();
    let suspended = client.lines(&house.custodian, "authenticator.distrusted");
    assert_eq!(suspended.await.unwrap().len(), 0);
}

both!(p5_an_anchor_is_not_replaced_by_what_is_adopted);
async fn p5_an_anchor_is_not_replaced_by_what_is_adopted(under: Under) {
    let mut house = House::furnished(under).await;
    house.app.kill();
    let said = |app: &TestApp| std::fs::read_to_string(app.log()).unwrap();
    house
        .app
        .serve_adopting(&format!("7:{}", "0".repeat(64)))
        .await;
    assert!(
        said(&house.app).contains("--adopt was not used"),
        "{}",
        said(&house.app)
    );
    house.opened().await;
}
