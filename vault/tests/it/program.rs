//! The program as people use it: at a terminal, in a pipe, beside a server that comes and goes.

use std::io::{Read, Write};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use drills::client::{Asking, By, Filed};
use quorum::ids::RequestId;
use quorum::statement::{Kind, Purpose, ReleasePurpose, Role};
use serde_json::{Value, json};

use crate::app::{House, TestApp, Under};
use crate::testbed::Postgres;

const WHY: &str = "Primary refuses every login.";

/// The program, running: what it has said so far.
struct Running {
    child: Child,
    out: Arc<Mutex<Vec<u8>>>,
    err: Arc<Mutex<Vec<u8>>>,
}

fn gathered(mut from: impl Read + Send + 'static) -> Arc<Mutex<Vec<u8>>> {
    let all = Arc::new(Mutex::new(Vec::new()));
    let into = all.clone();
    std::thread::spawn(move || {
        let mut some = [0; 4096];
        while let Ok(n @ 1..) = from.read(&mut some) {
            into.lock().unwrap().extend_from_slice(&some[..n]);
        }
    });
    all
}

fn text(of: &Arc<Mutex<Vec<u8>>>) -> String {
    String::from_utf8_lossy(&of.lock().unwrap()).into_owned()
}

impl Running {
    fn start(mut command: Command, stdin: Stdio) -> Running {
        let mut child = command
            .stdin(stdin)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let out = gathered(child.stdout.take().unwrap());
        let err = gathered(child.stderr.take().unwrap());
        Running { child, out, err }
    }

    /// At a pseudo-terminal: what it says there is `out`.
    fn at_terminal(command: &Command) -> Running {
        let quoted = std::iter::once(command.get_program())
            .chain(command.get_args())
            .map(|part| format!("'{}'", part.to_str().unwrap()))
            .collect::<Vec<_>>()
            .join(" ");
        let mut script = Command::new("script");
        script.args(["--echo", "never", "-qec", &quoted, "/dev/null"]);
        script
            .env("TERM", "xterm-256color")
            .env("LC_ALL", "C.UTF-8");
        for (name, value) in command.get_envs() {
            match value {
                Some(value) => script.env(name, value),
                None => script.env_remove(name),
            };
        }
        if let Some(dir) = command.get_current_dir() {
            script.current_dir(dir);
        }
        Running::start(script, Stdio::piped())
    }

    async fn says(&self, words: &str) -> String {
        for _ in 0..600 {
            let all = format!("{}{}", text(&self.out), text(&self.err));
            if all.contains(words) {
                return all;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        panic!(
            "it did not say {words:?}: {}{}",
            text(&self.out),
            text(&self.err)
        );
    }

    fn press(&mut self, keys: &str) {
        let stdin = self.child.stdin.as_mut().unwrap();
        stdin.write_all(keys.as_bytes()).unwrap();
        stdin.flush().unwrap();
    }

    /// Its exit code, and all that it said.
    async fn ended(mut self) -> (i32, String, String) {
        let until = Instant::now() + Duration::from_secs(60);
        while self.child.try_wait().unwrap().is_none() {
            if Instant::now() > until {
                let _ = self.child.kill();
                panic!("it goes on: {}{}", text(&self.out), text(&self.err));
            }
            tokio::time::sleep(Duration::from_millis(30)).await;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
        let code = self.child.wait().unwrap().code().unwrap_or(-1);
        (code, text(&self.out), text(&self.err))
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A house, and a terminal of the engineer's in it.
struct Desk {
    house: House,
    credential: String,
}

impl Desk {
    async fn set() -> Desk {
        let house = House::furnished(Under::Sqlite).await;
        let credential = house.credential.to_string();
        Desk { house, credential }
    }

    fn run_dir(&self) -> PathBuf {
        self.house.app.dir.path().join("run")
    }

    fn command(&self, args: &[&str]) -> Command {
        command(&self.house.app, args)
    }

    fn asking(&self, verb: &str, more: &[&str]) -> Command {
        self.command(&[&[verb, &self.credential, "--why", WHY], more].concat())
    }

    /// Keys that are kept here now, by their codes.
    fn kept(&self) -> Vec<String> {
        let files = std::fs::read_dir(self.run_dir().join("vitrine"));
        let mut names: Vec<String> = files
            .into_iter()
            .flatten()
            .flatten()
            .map(|f| f.file_name().to_str().unwrap().to_owned())
            .filter(|name| name != "session")
            .collect();
        names.sort();
        names
    }

    /// Files what the terminal printed, as the engineer's browser does.
    async fn file(&self, at: &Running) -> Filed {
        self.file_bent(at, |_| {}).await
    }

    /// The same by a browser that was led to file something else.
    async fn file_bent(&self, at: &Running, bend: impl FnOnce(&mut Asking)) -> Filed {
        let all = at.says("compare.").await;
        let link = all
            .split_whitespace()
            .find(|w| w.contains("/break/link#"))
            .unwrap();
        let fragment = link.split_once('#').unwrap().1;
        let asked: std::collections::HashMap<String, String> =
            url::form_urlencoded::parse(fragment.as_bytes())
                .into_owned()
                .collect();
        assert_eq!(asked["why"], WHY);
        let client = &self.house.client;
        let credential = client
            .credential(&self.house.engineer, self.house.credential)
            .await
            .unwrap();
        let version = credential.current().unwrap().clone();
        let key = URL_SAFE_NO_PAD.decode(&asked["k"]).unwrap();
        let mut asking = Asking {
            safe: credential.safe,
            roster: version.roster,
            purpose: Purpose::Release(ReleasePurpose {
                credential: credential.credential,
                delivery_key: key.try_into().unwrap(),
                duration_s: asked["for"].parse().unwrap(),
                envelope: version.envelope,
                epoch: version.epoch,
                open_within_s: 900,
                sealed_as: version.sealed_as().unwrap(),
                version: version.version,
            }),
            reason: asked["why"].clone(),
            ticket: asked.get("ticket").cloned(),
            life_s: 900,
        };
        bend(&mut asking);
        let (engineer, salt) = (&self.house.engineer, [9; 32]);
        let mut request = client.request(engineer, &asking, &salt);
        request.request = asked["r"].parse().unwrap();
        let signed = client
            .sign(engineer, 0, Kind::Request(Box::new(request.clone())))
            .unwrap();
        let poll = asked["p"].parse().unwrap();
        client
            .file_signed(
                engineer.by(),
                request,
                &signed,
                &asking.reason,
                &salt,
                Some(poll),
            )
            .await
            .unwrap()
    }

    async fn sign(&mut self, request: RequestId, places: &[usize]) {
        for place in places {
            let person = &mut self.house.approvers[*place];
            self.house.client.approve(person, 0, request).await.unwrap();
        }
    }

    /// Through to the end of the quorum.
    async fn through(&mut self, at: &Running) -> Filed {
        let filed = self.file(at).await;
        self.sign(filed.request, &[0, 2]).await;
        filed
    }
}

fn command(app: &TestApp, args: &[&str]) -> Command {
    let mut command = app.command(args);
    command
        .env("VITRINE_URL", app.origin())
        .env("XDG_RUNTIME_DIR", app.dir.path().join("run"))
        .env("HOME", app.dir.path())
        .env_remove("DISPLAY");
    command
}

const CLEARED: &str = "\u{1b}]52;c;IA==\u{7}\u{1b}]52;c;\u{7}";

/// What was put on the clipboard first, and what else was said.
fn copied(all: &str) -> (String, String) {
    let (before, rest) = all.split_once("\u{1b}]52;c;").unwrap();
    let (secret, after) = rest.split_once('\u{7}').unwrap();
    let secret = String::from_utf8(STANDARD.decode(secret).unwrap()).unwrap();
    (secret, format!("{before}{after}"))
}

#[tokio::test(flavor = "multi_thread")]
async fn p11_a_copied_secret_is_on_the_clipboard_alone_and_cleared() {
    let mut desk = Desk::set().await;
    // Nobody is asked where nothing could be copied.
    for (args, words) in [(&["--copy"][..], "Neither stdout nor stderr is a terminal")] {
        let (code, out, err) = Running::start(desk.asking("break", args), Stdio::null())
            .ended()
            .await;
        assert_eq!((code, out.as_str()), (1, ""), "{err}");
        assert!(err.contains(words) && !err.contains("/break/link"), "{err}");
    }
    let mut command = desk.asking("break", &["--copy"]);
    command.env("TERM", "dumb");
    let dumb = Running::at_terminal(&command);
    let (code, out, _) = dumb.ended().await;
    assert_eq!(code, 1, "{out}");
    assert!(
        out.contains("has no clipboard") && !out.contains("/break/link"),
        "{out}"
    );

    let mut at = Running::at_terminal(&desk.asking("break", &["--copy", "--ticket", "INC-7"]));
    let filed = desk.through(&at).await;
    at.says("Open? [y/N]").await;
    at.press("y\n");
    let all = at.says("until Enter, 45 s at most").await;
    assert!(
        all.contains("ticket INC-7") && all.contains("for 15 min"),
        "{all}"
    );
    assert!(!all.contains(CLEARED));
    at.press("\n");
    let (code, all, _) = at.ended().await;
    assert_eq!(code, 0, "{all}");
    let (secret, rest) = copied(&all);
    assert_eq!(secret.len(), 24);
    assert!(rest.contains(CLEARED), "{rest:?}");
    assert!(!rest.contains(&secret));
    // It is the secret: the same terminal may print it until the end.
    let again = desk.command(&["break", "--resume", &filed.code, "--yes"]);
    let (code, out, err) = Running::start(again, Stdio::null()).ended().await;
    assert_eq!((code, out), (0, format!("{secret}\n")), "{err}");
    // What ends the program clears it first.
    let at = Running::at_terminal(&desk.command(&[
        "--json",
        "break",
        "--resume",
        &filed.code,
        "--yes",
        "--copy",
    ]));
    at.says("until Enter").await;
    let inner = std::fs::read_dir("/proc").unwrap().flatten().find(|p| {
        let read = |name: &str| std::fs::read(p.path().join(name)).unwrap_or_default();
        String::from_utf8_lossy(&read("cmdline")).starts_with(env!("CARGO_BIN_EXE_vitrine"))
            && String::from_utf8_lossy(&read("cmdline")).contains(&filed.code)
    });
    let inner = inner.unwrap().file_name();
    assert!(
        Command::new("kill")
            .arg("-HUP")
            .arg(inner)
            .status()
            .unwrap()
            .success()
    );
    let (code, all, _) = at.ended().await;
    assert_eq!(code, 0, "{all}");
    let (again, rest) = copied(&all);
    assert_eq!(again, secret);
    assert!(
        rest.contains(CLEARED) && !rest.contains(&secret),
        "{rest:?}"
    );
    let line = rest.lines().find(|l| l.starts_with('{')).unwrap();
    let told: Value = serde_json::from_str(line.trim()).unwrap();
    assert_eq!(
        (&told["copied"], &told["code"]),
        (&json!(true), &json!(filed.code))
    );
    // Given back, it says what becomes of it: nothing changes this one.
    let back = Running::start(
        desk.command(&["--json", "checkin", &filed.code]),
        Stdio::null(),
    );
    let (code, out, err) = back.ended().await;
    assert_eq!(code, 0, "{err}");
    let told: Value = serde_json::from_str(&out).unwrap();
    assert_eq!(
        (&told["closed"], &told["rotates"]),
        (&json!(true), &json!(false))
    );
    assert_eq!(desk.kept(), Vec::<String>::new());
}

/// The last line on stderr.
fn told(err: &str) -> Value {
    let line = err.lines().last().unwrap_or_default();
    serde_json::from_str(line).unwrap_or_else(|e| panic!("no JSON at its end ({e}): {err}"))
}

#[tokio::test(flavor = "multi_thread")]
async fn exec_tells_how_it_went_and_leaves_stdout_to_its_command() {
    let mut desk = Desk::set().await;
    let script = "echo theirs; test ${#SECRET} = 24 && exit 5";
    let run = ["--json", "--env", "SECRET", "--", "sh", "-c", script];
    let at = Running::start(desk.asking("exec", &run), Stdio::null());
    let filed = desk.through(&at).await;
    let (code, out, err) = at.ended().await;
    assert_eq!((code, out.as_str()), (5, "theirs\n"), "{err}");
    let said = told(&err);
    let lines = desk
        .house
        .client
        .lines(&desk.house.custodian, "release.opened")
        .await
        .unwrap();
    assert_eq!(said["request"], filed.request.to_string());
    assert_eq!(
        (&said["code"], &said["entry"]),
        (&json!(filed.code), &json!(lines[0].seq))
    );
    assert_eq!(
        (&said["exit"], &said["checked_in"], &said["signal"]),
        (&json!(5), &json!(true), &Value::Null)
    );
    assert!(
        said["ends"].as_i64().unwrap() > 0 && said.get("error").is_none(),
        "{said}"
    );

    // Killed, and told into a file; plain lines for people stay on stderr.
    let report = desk.house.app.dir.path().join("report");
    let run = [
        "--report",
        report.to_str().unwrap(),
        "--",
        "sh",
        "-c",
        "kill -9 $$",
    ];
    let at = Running::start(desk.asking("exec", &run), Stdio::null());
    let filed = desk.through(&at).await;
    let (code, out, err) = at.ended().await;
    assert_eq!((code, out.as_str()), (137, ""), "{err}");
    assert!(
        err.trim_end()
            .ends_with(&format!("{} checked in.", filed.code)),
        "{err}"
    );
    let said: Value = serde_json::from_slice(&std::fs::read(&report).unwrap()).unwrap();
    assert_eq!((&said["exit"], &said["signal"]), (&json!(137), &json!(9)));

    // Refused before anything ran: stdout stays empty, for whatever reads the command's output.
    let at = Running::start(
        desk.asking("exec", &["--json", "--", "/no/such/program"]),
        Stdio::null(),
    );
    let (code, out, err) = at.ended().await;
    assert_eq!((code, out.as_str()), (1, ""), "{err}");
    assert_eq!(told(&err)["error"]["type"], "invalid");
    let nowhere = ["--report", "/no/such/folder/x", "--", "true"];
    let (code, _, err) = Running::start(desk.asking("exec", &nowhere), Stdio::null())
        .ended()
        .await;
    assert_eq!(code, 1, "{err}");
    assert!(
        err.contains("/no/such/folder/x") && !err.contains("/break/link"),
        "{err}"
    );

    // Given back on the page meanwhile: the check-in is refused, and said so.
    let wait = "until test -e given-back; do sleep 0.1; done";
    let at = Running::start(
        desk.asking("exec", &["--json", "--", "sh", "-c", wait]),
        Stdio::null(),
    );
    let filed = desk.through(&at).await;
    at.says("Running sh").await;
    desk.house
        .client
        .check_in(desk.house.engineer.by(), filed.request)
        .await
        .unwrap();
    std::fs::write(desk.house.app.dir.path().join("given-back"), "").unwrap();
    let (code, _, err) = at.ended().await;
    assert_eq!(code, 0, "{err}");
    let said = told(&err);
    assert_eq!(said["checked_in"], false);
    assert!(
        !said["error"]["reference"].as_str().unwrap().is_empty(),
        "{said}"
    );
    assert_eq!(desk.kept(), Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_terminal_opens_nothing_but_what_it_asked_for() {
    let mut desk = Desk::set().await;
    let refused = async |desk: &mut Desk, command: Command, bend: &dyn Fn(&mut Asking)| {
        let at = Running::start(command, Stdio::null());
        let filed = desk.file_bent(&at, |asking| bend(asking)).await;
        desk.sign(filed.request, &[0, 2]).await;
        let (code, out, err) = at.ended().await;
        assert_eq!((code, out.as_str()), (1, ""), "{err}");
        assert!(
            err.contains("Stop.") && err.contains("Call a custodian") && err.contains(&filed.code),
            "{err}"
        );
        let live = desk
            .house
            .client
            .live(desk.house.engineer.by(), filed.request);
        assert_eq!(live.await.unwrap().state, "reached", "nothing was opened");
        err
    };
    let shorter = |asking: &mut Asking| {
        if let Purpose::Release(release) = &mut asking.purpose {
            release.duration_s = 300;
        }
    };
    let break_it = |desk: &Desk, more: &[&str]| desk.asking("break", &[&["--yes"], more].concat());
    let command = break_it(&desk, &[]);
    let err = refused(&mut desk, command, &shorter).await;
    assert!(
        err.contains("it says 300 seconds, and asked was 900 seconds"),
        "{err}"
    );
    let command = break_it(&desk, &["--ticket", "INC-7"]);
    let err = refused(&mut desk, command, &|a| a.ticket = Some("INC-8".into())).await;
    assert!(err.contains("ticket \u{201c}INC-8\u{201d}"), "{err}");
    let command = desk.asking("exec", &["--", "true"]);
    let err = refused(&mut desk, command, &|a| a.reason = "For fun.".into()).await;
    assert!(err.contains("it says another reason"), "{err}");
    let command = desk.command(&["break", "staging", "--yes", "--why", WHY]);
    let err = refused(&mut desk, command, &|_| {}).await;
    assert!(
        err.contains("it says \u{201c}orders-primary superuser\u{201d}"),
        "{err}"
    );

    // What was filed, and who filed it, is read from the ledger, whatever it was found by.
    let command = desk.command(&["break", "ORDERS super", "--yes", "--why", WHY]);
    let at = Running::start(command, Stdio::null());
    desk.through(&at).await;
    let (code, _, err) = at.ended().await;
    assert_eq!(code, 0, "{err}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bad_share_costs_a_terminal_no_opening() {
    let mut desk = Desk::set().await;
    let at = Running::start(desk.asking("break", &["--yes"]), Stdio::null());
    let filed = desk.file(&at).await;
    let client = &desk.house.client;
    let first = &mut desk.house.approvers[0];
    let evidence = client.evidence(first, filed.request).await.unwrap();
    let yes = quorum::statement::Decision::Approve;
    let signed = client.decision(first, 0, &evidence, yes).unwrap();
    let (x, _) = client
        .reseal(first, 0, &evidence, &signed)
        .unwrap()
        .unwrap();
    let nonsense = Some((x, vec![0; 80]));
    client
        .send_decision(first, filed.request, &signed, nonsense)
        .await
        .unwrap();
    desk.sign(filed.request, &[1]).await;
    let (code, out, err) = at.ended().await;
    assert_eq!((code, out.as_str()), (1, ""), "{err}");
    for words in ["Nothing was opened.", "Adaeze Obi", "another approver sign"] {
        assert!(err.contains(words), "{words} is not in {err}");
    }
    let engineer = desk.house.engineer.by();
    let live = desk.house.client.live(engineer, filed.request).await;
    assert_eq!(live.unwrap().state, "reached");
    desk.sign(filed.request, &[2]).await;
    let again = desk.command(&["break", "--resume", &filed.code, "--yes"]);
    let (code, _, err) = Running::start(again, Stdio::null()).ended().await;
    assert_eq!(code, 0, "{err}");
    assert!(err.contains("The share of Adaeze Obi is not good"), "{err}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_not_opened_in_time_is_asked_for_again() {
    let mut desk = Desk::set().await;
    let mut at = Running::start(desk.asking("break", &["--yes"]), Stdio::null());
    let in_a_second = |asking: &mut Asking| {
        if let Purpose::Release(release) = &mut asking.purpose {
            release.open_within_s = 1;
        }
    };
    let filed = desk.file_bent(&at, in_a_second).await;
    at.says("0 of 2 have signed").await;
    at.child.kill().unwrap();
    drop(at);
    desk.sign(filed.request, &[0, 2]).await;
    tokio::time::sleep(Duration::from_millis(1200)).await;
    let engineer = desk.house.engineer.by();
    let path = format!("/requests/{}/open", filed.request);
    let refused = desk.house.client.post(&path, engineer, &json!({})).await;
    let refused = refused.err().unwrap().to_string();
    assert!(refused.contains("Too late to open."), "{refused}");
    let again = desk.command(&["break", "--resume", &filed.code, "--yes"]);
    let (code, out, err) = Running::start(again, Stdio::null()).ended().await;
    assert_eq!((code, out.as_str()), (1, ""), "{err}");
    for words in ["Too late to open.", "nobody opened it before", "Ask again"] {
        assert!(err.contains(words), "{words} is not in {err}");
    }
    assert_eq!(desk.kept(), Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn p5_a_terminal_remembers_the_ledger() {
    let mut desk = Desk::set().await;
    let known = || {
        let dir = desk.house.app.dir.path().join(".local/state/vitrine");
        let mut files = std::fs::read_dir(dir).into_iter().flatten().flatten();
        files.next().map(|f| f.path())
    };
    assert!(known().is_none());
    let at = Running::start(desk.asking("break", &["--yes"]), Stdio::null());
    at.says("Compare it with the founding card").await;
    let file = known().unwrap();
    let filed = desk.through(&at).await;
    let (code, _, err) = at.ended().await;
    assert_eq!(code, 0, "{err}");
    let kept = |file: &std::path::Path| -> Value {
        serde_json::from_slice(&std::fs::read(file).unwrap()).unwrap()
    };
    let first = kept(&file);
    let size = first["seen"][0].as_u64().unwrap();
    assert!(size > filed.seq, "{first}");

    // It goes on from there, in silence.
    let at = Running::start(desk.asking("break", &["--yes"]), Stdio::null());
    desk.through(&at).await;
    let (code, _, err) = at.ended().await;
    assert_eq!(code, 0, "{err}");
    assert!(!err.contains("no memory of the ledger"), "{err}");
    assert!(kept(&file)["seen"][0].as_u64().unwrap() > size);

    // Another history of the same ledger, and one that is shorter.
    let mut rewritten = kept(&file);
    rewritten["seen"] = json!([size, "7".repeat(64)]);
    let mut longer = kept(&file);
    longer["seen"][0] = json!(9_000_000);
    for (memory, words) in [
        (rewritten, "does not extend what was seen before"),
        (longer, "behind what your device has seen"),
    ] {
        std::fs::write(&file, memory.to_string()).unwrap();
        let at = Running::start(desk.asking("break", &["--yes"]), Stdio::null());
        desk.through(&at).await;
        let (code, out, err) = at.ended().await;
        assert_eq!((code, out.as_str()), (1, ""), "{err}");
        assert!(err.contains(words) && err.contains("custodian"), "{err}");
    }

    // Another ledger: nobody is asked.
    let mut another = first.clone();
    another["ledger"] = json!("7".repeat(64));
    std::fs::write(&file, another.to_string()).unwrap();
    for verb in [&["login"][..], &["break", "x", "--why", WHY]] {
        let (code, _, err) = Running::start(desk.command(verb), Stdio::null())
            .ended()
            .await;
        assert_eq!(code, 1, "{err}");
        assert!(
            err.contains("not the one that is known here, 7777 ") && !err.contains("/break/link"),
            "{err}"
        );
    }
    // Given by somebody who compared it, it is taken; and no other than that.
    let ledger = first["ledger"].as_str().unwrap();
    let given = |ledger: &str| desk.asking("break", &["--yes", "--ledger", ledger]);
    let (code, _, err) = Running::start(given(&"7".repeat(64)), Stdio::null())
        .ended()
        .await;
    assert!(
        code == 1 && err.contains("Stop. Nothing was asked."),
        "{err}"
    );
    let at = Running::start(given(ledger), Stdio::null());
    at.says("/break/link").await;
    assert_eq!(kept(&file)["ledger"], ledger);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_is_wiped_with_what_it_was_for() {
    let mut desk = Desk::set().await;
    let none = Vec::<String>::new();
    let start = |desk: &Desk| Running::start(desk.asking("break", &["--yes"]), Stdio::null());

    // Withdrawn, or denied, while it is watched.
    let at = start(&desk);
    let filed = desk.file(&at).await;
    at.says("0 of 2 have signed").await;
    assert_eq!(desk.kept(), [filed.code.as_str()]);
    // It may be signed in the last moment, and opened for a quarter of an hour from then.
    let file = desk.run_dir().join("vitrine").join(&filed.code);
    let kept: Value = serde_json::from_slice(&std::fs::read(&file).unwrap()).unwrap();
    assert_eq!(
        kept["seen"]["expires"],
        json!(filed.asked.expires + 900_000_000)
    );
    desk.house
        .client
        .withdraw(desk.house.engineer.by(), filed.request)
        .await
        .unwrap();
    let (code, _, err) = at.ended().await;
    assert_eq!(code, 1);
    assert!(err.contains("is over: withdrawn"), "{err}");
    assert_eq!(desk.kept(), none);
    let at = start(&desk);
    let filed = desk.file(&at).await;
    for place in [0, 1] {
        let person = &mut desk.house.approvers[place];
        desk.house
            .client
            .deny(person, 0, filed.request)
            .await
            .unwrap();
    }
    let (_, _, err) = at.ended().await;
    assert!(err.contains("denied by Adaeze Obi, Jun Takahashi"), "{err}");
    assert_eq!(desk.kept(), none);

    // Withdrawn when nobody watches: the next verb that reaches the server sees it, whatever that is for.
    let mut at = start(&desk);
    let filed = desk.file(&at).await;
    at.says("0 of 2 have signed").await;
    at.child.kill().unwrap();
    drop(at);
    desk.house
        .client
        .withdraw(desk.house.engineer.by(), filed.request)
        .await
        .unwrap();
    let session = desk.run_dir().join("vitrine/session");
    std::fs::write(&session, URL_SAFE_NO_PAD.encode([5; 32])).unwrap();
    let (code, _, err) = Running::start(desk.command(&["rotate", "x"]), Stdio::null())
        .ended()
        .await;
    assert_eq!(code, 1);
    assert!(
        err.contains("signed in no more") && err.contains("Reference: "),
        "{err}"
    );
    assert!(!err.contains("ERROR"), "{err}");
    assert_eq!(desk.kept(), none);

    // Opened: the file knows the end, and any verb wipes it then, without a server.
    let at = start(&desk);
    let filed = desk.through(&at).await;
    let (code, _, err) = at.ended().await;
    assert_eq!(code, 0, "{err}");
    let file = desk.run_dir().join("vitrine").join(&filed.code);
    let mut kept: Value = serde_json::from_slice(&std::fs::read(&file).unwrap()).unwrap();
    let live = desk
        .house
        .client
        .live(desk.house.engineer.by(), filed.request)
        .await
        .unwrap();
    assert_eq!(kept["seen"]["ends"], json!(live.ends.unwrap()));
    use std::os::unix::fs::PermissionsExt;
    assert_eq!(
        std::fs::metadata(&file).unwrap().permissions().mode() & 0o777,
        0o600
    );
    let offline = |desk: &Desk| {
        let mut command = desk.command(&["checkin", "AAAA-AAAA"]);
        command.env("VITRINE_URL", "http://127.0.0.1:9");
        Running::start(command, Stdio::null())
    };
    offline(&desk).ended().await;
    assert_eq!(desk.kept(), [filed.code.as_str()]);
    kept["seen"]["ends"] = json!(1);
    std::fs::write(&file, kept.to_string()).unwrap();
    offline(&desk).ended().await;
    assert_eq!(desk.kept(), none);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_view_says_it_in_lines_and_outlives_a_restart() {
    let mut desk = Desk::set().await;
    let at = Running::start(
        desk.asking("break", &["--yes", "--for", "10m", "--ticket", "INC-7"]),
        Stdio::null(),
    );
    let filed = desk.file(&at).await;
    desk.sign(filed.request, &[0]).await;
    let all = at.says("1 of 2 have signed").await;
    let said = |part: &str| assert!(all.contains(part), "{part}: {all}");
    said(&format!(
        "{}  orders-primary superuser, entry {}, for 10 min, ticket INC-7, to sign before ",
        filed.code, filed.seq
    ));
    said("  Adaeze Obi: signed ");
    said("  Jun Takahashi: asked");
    assert!(!all.contains('\u{1b}'), "{all:?}");
    desk.house.app.kill();
    at.says("does not answer now; trying on").await;
    desk.house.app.serve().await;
    desk.sign(filed.request, &[1]).await;
    let (code, out, err) = at.ended().await;
    assert_eq!((code, out.len()), (0, 25), "{err}");
    assert!(err.contains("  Jun Takahashi: signed "), "{err}");
    // Told apart: who it is that refuses, and what to quote to them.
    let gone = desk
        .house
        .client
        .check_in(
            By::session(desk.house.engineer.session.as_ref().unwrap()),
            filed.request,
        )
        .await;
    gone.unwrap();
    let (code, _, err) = Running::start(desk.command(&["checkin", &filed.code]), Stdio::null())
        .ended()
        .await;
    assert_eq!(code, 1);
    assert!(err.contains("\n  Reference: "), "{err}");
    assert!(!err.contains("ERROR") && !err.contains("WARN"), "{err}");
}

/// A custodian's link, in a file.
async fn invitation(house: &House, name: &str) -> PathBuf {
    let invitation = house
        .client
        .invite(&house.custodian, name, &[Role::Custodian])
        .await
        .unwrap();
    let path = house.app.dir.path().join(name);
    let link = format!(
        "{}/join#{}\n",
        house.app.origin(),
        invitation.expose().as_str()
    );
    std::fs::write(&path, link).unwrap();
    path
}

#[tokio::test(flavor = "multi_thread")]
async fn p10_a_drill_is_played_again_with_its_people_or_with_others() {
    let pg = Postgres::target();
    let house = House::furnished(Under::Sqlite).await;
    let drill = async |args: &[&str]| {
        let command = command(
            &house.app,
            &[&["--json", "drill", "break-glass"], args].concat(),
        );
        let (code, out, err) = Running::start(command, Stdio::null()).ended().await;
        let told: Value =
            serde_json::from_str(&out).unwrap_or_else(|e| panic!("no JSON ({e}): {out}{err}"));
        (code, told)
    };
    let lines = |told: &Value| {
        let steps = told["report"]["steps"].as_array().unwrap();
        let lines: Vec<&str> = steps.iter().map(|s| s["line"].as_str().unwrap()).collect();
        lines.join("\n")
    };
    let place = pg.address();
    let target = ["--target", &place, "--account", "orders_admin"];
    let conninfo = format!(
        "host=127.0.0.1 port={} user=postgres dbname=orders",
        pg.port
    );
    let people = house.app.dir.path().join("people");
    let people = people.to_str().unwrap();

    // What a first drill needs is said before anything is used up.
    let first = invitation(&house, "Drill custodian").await;
    let first = first.to_str().unwrap();
    let (code, told) = drill(&["--people", people]).await;
    assert_eq!(
        (code, told["error"]["title"].as_str()),
        (1, Some("Not played."))
    );
    assert!(
        told["error"]["next"]
            .as_str()
            .unwrap()
            .contains("--invitation-file"),
        "{told}"
    );
    let with = [
        &["--invitation-file", first, "--people", people][..],
        &target,
    ]
    .concat();
    let (code, told) = drill(&with).await;
    assert!(
        code == 1
            && told["error"]["next"]
                .as_str()
                .unwrap()
                .contains("--administrator"),
        "{told}"
    );

    // The house has people of these names: these are others.
    let (code, told) = drill(&[&with[..], &["--administrator", &conninfo]].concat()).await;
    assert_eq!((code, &told["passed"]), (0, &json!(true)), "{told}");
    assert!(told["filed"].as_u64().is_some(), "{told}");
    let said = lines(&told);
    assert!(
        said.contains("Mara Lindqvist 2 joined") && said.contains("Drill: databases 2"),
        "{said}"
    );
    use std::os::unix::fs::PermissionsExt;
    assert_eq!(
        std::fs::metadata(people).unwrap().permissions().mode() & 0o777,
        0o600
    );

    // The same people, safe and account again: nobody invites, nobody administers.
    for _ in 0..2 {
        let (code, again) = drill(&[&["--people", people][..], &target].concat()).await;
        assert_eq!(code, 0, "{again}");
        for of in ["safe", "credential"] {
            assert_eq!(again["report"][of], told["report"][of], "{of}");
        }
        let said = lines(&again);
        assert!(
            said.contains("Mara Lindqvist 2 on call") && said.contains("refused by the database"),
            "{said}"
        );
    }

    // Others may not take their account, and say whose it is; without it they play beside them.
    let second = invitation(&house, "Second custodian").await;
    let (code, told) = drill(
        &[
            &[
                "--invitation-file",
                second.to_str().unwrap(),
                "--administrator",
                &conninfo,
            ][..],
            &target,
        ]
        .concat(),
    )
    .await;
    let failure = told["report"]["failure"].as_str().unwrap();
    assert_eq!(code, 1);
    assert!(
        failure.contains("Drill: databases 2") && failure.contains("--people FILE"),
        "{failure}"
    );
    assert!(
        told["not_filed"].as_str().is_some() && told.get("filed").is_none(),
        "{told}"
    );
    let third = invitation(&house, "Third custodian").await;
    let (code, told) = drill(&["--invitation-file", third.to_str().unwrap()]).await;
    assert_eq!(code, 0, "{told}");
    assert!(lines(&told).contains("Mara Lindqvist 3 joined"), "{told}");

    // Kept where others could read it, it is not read.
    std::fs::set_permissions(people, std::fs::Permissions::from_mode(0o644)).unwrap();
    let (code, told) = drill(&["--people", people]).await;
    assert!(
        code == 1
            && told["report"]["failure"]
                .as_str()
                .unwrap()
                .contains("chmod 600"),
        "{told}"
    );
    let (code, said) = house.app.verify();
    assert_eq!(code, 0, "{said}");
}

/// Something that answers HTTP and is no Vitrine.
fn other_service() -> String {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let mut stream = stream;
            let _ = stream.read(&mut [0; 2048]);
            let page = "<html>Welcome</html>";
            let _ = write!(
                stream,
                "HTTP/1.1 200 OK\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{page}",
                page.len()
            );
        }
    });
    format!("http://127.0.0.1:{port}")
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_typed_wrong_is_told_with_what_to_do() {
    let mut app = TestApp::found(Under::Sqlite);
    app.serve().await;
    let dir = app.dir.path();
    std::fs::write(dir.join("wrong.toml"), "[server]\n\nlitsen = \"x\"\n").unwrap();
    std::fs::write(dir.join("inv"), "no link\n").unwrap();
    std::fs::write(dir.join("file"), "").unwrap();
    std::fs::create_dir(dir.join("full")).unwrap();
    std::fs::write(dir.join("full/x"), "").unwrap();
    let ask = |url: &str| {
        vec![
            "break".to_owned(),
            "x".into(),
            "--why".into(),
            WHY.into(),
            "--url".into(),
            url.into(),
        ]
    };
    let args = |all: &[&str]| all.iter().map(|&a| a.to_owned()).collect::<Vec<_>>();
    let api = format!("{}/api", app.origin());
    let cases = [
        (
            args(&["--config", "wrong.toml", "doctor"]),
            "wrong.toml, line 3: unknown field `litsen`",
            &[][..],
        ),
        (
            args(&["serve"]),
            "unknown field `litsen`",
            &[("VITRINE_SERVER_LITSEN", "x")][..],
        ),
        (
            args(&["serve"]),
            "cannot be listened on (address in use)",
            &[],
        ),
        (
            args(&["init"]),
            "The data directory /proc/nope cannot be made",
            &[("VITRINE_DATA", "/proc/nope")],
        ),
        (
            ask(&other_service()),
            "answers, but not as a Vitrine does (HTTP 200)",
            &[],
        ),
        (
            ask(&api),
            "answers, but not as a Vitrine does (HTTP 404)",
            &[],
        ),
        (ask("nonsense"), "nonsense is no address of a Vitrine", &[]),
        (
            ask("http://vitrine.example"),
            "is plain HTTP, and not this machine",
            &[],
        ),
        (
            args(&["login"]),
            "There is no $XDG_RUNTIME_DIR",
            &[("XDG_RUNTIME_DIR", "")],
        ),
        (
            args(&["login"]),
            "There is no $XDG_RUNTIME_DIR",
            &[("XDG_RUNTIME_DIR", "run")],
        ),
        (
            args(&["login"]),
            "cannot be kept in ",
            &[("XDG_RUNTIME_DIR", "/proc/self")],
        ),
        (
            args(&["checkin", "aaaa-aaaa"]),
            "does not hold the key of AAAA-AAAA",
            &[],
        ),
        (
            args(&["drill", "break-glass", "--invitation-file", "inv"]),
            "inv begins with no invitation",
            &[],
        ),
        (
            args(&["drill", "break-glass", "--invitation-file", "none"]),
            "There is nothing to read in none",
            &[],
        ),
        (
            args(&["drill", "break-glass", "--people", "none"]),
            "--invitation-file FILE",
            &[],
        ),
        (
            args(&[
                "drill",
                "break-glass",
                "--invitation-file",
                "inv",
                "--evidence-out",
                "full",
            ]),
            "full is not empty",
            &[],
        ),
        (
            args(&["audit", "export", "--out", "full"]),
            "full is not an empty directory",
            &[],
        ),
    ];
    for (args, words, env) in cases {
        let args: Vec<&str> = args.iter().map(String::as_str).collect();
        let mut of = command(&app, &args);
        of.envs(env.iter().copied());
        let (code, out, err) = Running::start(of, Stdio::null()).ended().await;
        assert_eq!((code, out.as_str()), (1, ""), "{args:?}: {err}");
        assert!(err.contains(words), "{args:?}: {words} is not in {err}");
        assert!(
            err.lines().count() >= 3 && !err.contains("ERROR"),
            "{args:?}: {err}"
        );
    }
    let usage = [
        (
            &["drill", "break-glass", "--target", "127.0.0.1:5432/orders"][..],
            "--account",
        ),
        (
            &["drill", "break-glass", "--target", "orders"][..],
            "host:port/database",
        ),
    ];
    for (args, words) in usage {
        let (code, _, err) = Running::start(command(&app, args), Stdio::null())
            .ended()
            .await;
        assert_eq!(code, 2, "{args:?}: {err}");
        assert!(err.contains(words), "{args:?}: {err}");
    }
    for (args, words) in [
        (&["--help"][..], "Exit codes:"),
        (&["doctor", "--help"][..], "amber"),
        (&["exec", "--help"][..], "Exit codes:"),
        (&["drill", "--help"][..], "--people FILE"),
    ] {
        let (code, out, _) = Running::start(command(&app, args), Stdio::null())
            .ended()
            .await;
        assert!(code == 0 && out.contains(words), "{args:?}: {out}");
    }
}
