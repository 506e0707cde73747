//! Each scenario runs in a process of its own: the module is initialised per process, and reads its configuration
//! from an environment that a process can't change for itself.
#![allow(
    dead_code,
    unreachable_pub,
    clippy::unwrap_used,
    clippy::indexing_slicing
)]

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use hsm::{Health, Pin, Select, State, Token, TokenSpec, softhsm};

const NAME: &str = "VITRINE_TEST_SCENARIO";
const DIR: &str = "VITRINE_TEST_DIR";
const MODULE: &str = "VITRINE_TEST_P11_MODULE";

/// Runs `body` in a new process with an empty SoftHSM directory. `name` is the test's own. If the environment names
/// another module, that one is used (see [`spec`]).
pub fn scenario(name: &str, body: impl FnOnce(&Path)) {
    let another = std::env::var_os(MODULE).is_some();
    run(
        name,
        |dir| {
            if another {
                Vec::new()
            } else {
                softhsm_variables(dir)
            }
        },
        body,
    );
}

/// As [`scenario`], for what only SoftHSM can show; with more variables, which may depend on the directory.
pub fn softhsm_scenario(
    name: &str,
    more: impl FnOnce(&Path) -> Vec<(&'static str, PathBuf)>,
    body: impl FnOnce(&Path),
) {
    run(
        name,
        |dir| [softhsm_variables(dir), more(dir)].concat(),
        body,
    );
}

fn softhsm_variables(dir: &Path) -> Vec<(&'static str, PathBuf)> {
    let _ = library();
    softhsm::lay_out(dir).unwrap();
    vec![softhsm::environment(dir)]
}

fn run(
    name: &str,
    variables: impl FnOnce(&Path) -> Vec<(&'static str, PathBuf)>,
    body: impl FnOnce(&Path),
) {
    if std::env::var(NAME).is_ok_and(|n| n == name) {
        return body(Path::new(&std::env::var_os(DIR).unwrap()));
    }
    let dir = tempfile::tempdir().unwrap();
    let variables = variables(dir.path());
    let mut command = Command::new(std::env::current_exe().unwrap());
    if !variables.is_empty() {
        command.env_remove(MODULE);
    }
    let mut child = command
        .args([name, "--exact", "--nocapture", "--test-threads=1"])
        .env(NAME, name)
        .env(DIR, dir.path())
        .envs(variables)
        .stdin(Stdio::null())
        .spawn()
        .unwrap();
    let started = Instant::now();
    let status = loop {
        if let Some(status) = child.try_wait().unwrap() {
            break status;
        }
        if started.elapsed() > Duration::from_secs(90) {
            child.kill().unwrap();
            child.wait().unwrap();
            panic!("{name} has not ended in 90 s");
        }
        std::thread::sleep(Duration::from_millis(10));
    };
    assert!(status.success(), "{name} ended with {status}");
}

/// SoftHSM, or a failure that says how to get it.
pub fn library() -> PathBuf {
    softhsm::module().unwrap_or_else(|e| panic!("{e}"))
}

/// The token under test: SoftHSM's `label`, or the one that the environment names:
/// `VITRINE_TEST_P11_MODULE` (path), `VITRINE_TEST_P11_TOKEN` (label), `VITRINE_TEST_P11_PIN_FILE`.
pub fn spec(dir: &Path, label: &str) -> TokenSpec {
    match std::env::var_os(MODULE) {
        None => {
            softhsm::provision(dir, &[label]).unwrap();
            softhsm::spec(dir, label).unwrap()
        }
        Some(module) => {
            let token = std::env::var("VITRINE_TEST_P11_TOKEN")
                .expect("VITRINE_TEST_P11_TOKEN: the token's label");
            let pin = std::env::var_os("VITRINE_TEST_P11_PIN_FILE")
                .expect("VITRINE_TEST_P11_PIN_FILE: a 0600 file");
            let pin = Pin::from_file(Path::new(&pin)).unwrap();
            TokenSpec::new(module.into(), Select::Label(token), pin)
        }
    }
}

pub fn open(dir: &Path, label: &str) -> Token {
    let token = Token::open(spec(dir, label)).unwrap();
    ready(&token);
    token
}

/// Waits for the state; fails with the health it had instead.
pub fn wait_for(token: &Token, state: State, patience: Duration) -> Health {
    let started = Instant::now();
    loop {
        let health = token.health();
        if health.state == state {
            return health;
        }
        assert!(
            started.elapsed() < patience,
            "not {state:?} after {patience:?}: {health:?}"
        );
        std::thread::sleep(Duration::from_millis(10));
    }
}

pub fn ready(token: &Token) {
    let health = token.health();
    assert_eq!(health.state, State::Ready, "{health:?}");
}
