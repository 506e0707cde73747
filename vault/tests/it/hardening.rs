//! What reviews found, each so that it stays found: foreign keys, core dumps, a database that hangs, the last custodian.

use std::process::Command;

use drills::client::ReleaseAsk;
use serde_json::Value;
use sqlx::Row;

use crate::app::{House, TestApp, Under};
use crate::attacks::token_folder;

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
    tokio::time::sleep(std::time::Duration::from_millis(300)).await;
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
