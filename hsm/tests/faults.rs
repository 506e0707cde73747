//! What a soft token never does by itself: answers that lie, calls that hang, sessions that die. A module in
//! front of SoftHSM (`faults/module.c`) does it on demand; everything behind it is real.
#![allow(missing_docs, clippy::unwrap_used, clippy::indexing_slicing)]

mod support;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use hsm::{HsmError, KeyId, Pin, State, Token, TokenSpec, softhsm};
use support::{library, ready, softhsm_scenario, wait_for};
use zeroize::Zeroizing;

/// What a call may take where one hangs.
const DEADLINE: Duration = Duration::from_secs(1);
/// Longer than any deadline here: a call that takes this long hangs.
const HANGS: Duration = Duration::from_secs(10);
const AAD: &[u8] = b"context";
const GENERAL_ERROR: u32 = 0x05;
const DEVICE_ERROR: u32 = 0x30;
const DEVICE_REMOVED: u32 = 0x32;
const ENCRYPTED_DATA_INVALID: u32 = 0x40;
const PIN_LOCKED: u32 = 0xa4;

/// The faulty module, its control directory, and the specification of tokens behind it.
struct Faulty<'a> {
    dir: &'a Path,
    faults: PathBuf,
}

/// When a fault strikes; see `faults/module.c`.
#[derive(Clone, Copy)]
enum When {
    Instead,
    After,
    ForAnother,
}

impl Faulty<'_> {
    fn spec(&self, label: &str) -> TokenSpec {
        let mut spec = softhsm::spec(self.dir, label).unwrap();
        spec.module = self.dir.join("module.so");
        spec
    }

    fn open(&self, label: &str) -> Token {
        let token = Token::open(self.spec(label)).unwrap();
        ready(&token);
        token
    }

    /// The function answers `rv` so many times; -1: always.
    fn fail(&self, function: &str, rv: u32, times: i32, when: When) {
        self.put(function, &format!("{rv:x} {times} 0 {}", when as u8));
    }

    /// The function takes so long, always.
    fn slow(&self, function: &str, ms: u32) {
        self.put(function, &format!("0 -1 {ms} 0"));
    }

    fn put(&self, name: &str, content: &str) {
        // In one step: the module reads it at any time.
        let new = self.faults.join("new");
        fs::write(&new, content).unwrap();
        fs::rename(&new, self.faults.join(name)).unwrap();
    }

    fn heal(&self, function: &str) {
        fs::remove_file(self.faults.join(function)).unwrap();
    }

    fn count(&self, function: &str) -> u64 {
        fs::metadata(self.faults.join(format!("{function}.count"))).map_or(0, |m| m.len())
    }
}

fn faulty(name: &str, body: impl FnOnce(&Faulty<'_>)) {
    let variables = |dir: &Path| {
        vec![
            ("VITRINE_FAULTS", dir.join("faults")),
            ("VITRINE_FAULTS_MODULE", library()),
        ]
    };
    softhsm_scenario(name, variables, |dir| {
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/faults/module.c");
        let built = Command::new("cc")
            .args(["-shared", "-fPIC", "-O1", "-o"])
            .arg(dir.join("module.so"))
            .arg(source)
            .args(["-ldl", "-lpthread"])
            .status()
            .expect("no C compiler; run: apt-get install gcc libc6-dev");
        assert!(built.success());
        fs::create_dir(dir.join("faults")).unwrap();
        softhsm::provision(dir, &["custody-1", "custody-2"]).unwrap();
        let faulty = Faulty {
            dir,
            faults: dir.join("faults"),
        };
        body(&faulty);
        assert!(
            !faulty.faults.join("overlap").exists(),
            "finalised while a call was in the module"
        );
    });
}

fn opened(token: &Token, key: &KeyId, wrapped: &[u8]) -> Result<Vec<u8>, HsmError> {
    token.unwrap(key, AAD, wrapped).map(|u| u.expose().to_vec())
}

fn is_down<T>(answer: Result<T, HsmError>) -> bool {
    matches!(answer, Err(HsmError::Down { .. }))
}

#[test]
fn tampered_and_down_are_told_apart_by_the_canary() {
    faulty("tampered_and_down_are_told_apart_by_the_canary", |faulty| {
        let token = faulty.open("custody-1");
        let key = token.make_wrapping_key("kek").unwrap();
        let wrapped = token.wrap(&key, AAD, b"h").unwrap();
        let mut altered = wrapped.clone();
        altered[20] ^= 1;
        for rv in [
            GENERAL_ERROR,
            DEVICE_ERROR,
            ENCRYPTED_DATA_INVALID,
            0x8000_0001,
            0x35,
        ] {
            // Whatever the module calls a bad tag, it is one.
            faulty.fail("C_Decrypt", rv, -1, When::ForAnother);
            assert_eq!(
                opened(&token, &key, &altered),
                Err(HsmError::Tampered),
                "{rv:x}"
            );
            assert_eq!(opened(&token, &key, &wrapped).unwrap(), b"h", "{rv:x}");
            ready(&token);
            // A hiccup with good bytes is neither.
            for times in [1, 2] {
                faulty.fail("C_Decrypt", rv, times, When::Instead);
                let answer = opened(&token, &key, &wrapped);
                assert!(
                    answer == Ok(b"h".to_vec()) || is_down(answer.clone()),
                    "{rv:x} {times}: {answer:?}"
                );
                wait_for(&token, State::Ready, Duration::from_secs(20));
            }
            // A token that opens nothing is down, with bad bytes too.
            faulty.fail("C_Decrypt", rv, -1, When::Instead);
            assert!(is_down(opened(&token, &key, &wrapped)), "{rv:x}");
            assert!(is_down(opened(&token, &key, &altered)), "{rv:x}");
            assert_eq!(token.health().state, State::Down);
            faulty.heal("C_Decrypt");
            wait_for(&token, State::Ready, Duration::from_secs(20));
            assert_eq!(
                opened(&token, &key, &altered),
                Err(HsmError::Tampered),
                "{rv:x}"
            );
        }
    });
}

#[test]
fn device_removed_is_down_and_recovers() {
    faulty("device_removed_is_down_and_recovers", |faulty| {
        let token = faulty.open("custody-1");
        let key = token.make_wrapping_key("kek").unwrap();
        let wrapped = token.wrap(&key, AAD, b"h").unwrap();
        for function in ["C_DecryptInit", "C_FindObjectsInit", "C_OpenSession"] {
            faulty.fail("C_Encrypt", DEVICE_REMOVED, -1, When::Instead);
            faulty.fail("C_DecryptInit", DEVICE_REMOVED, -1, When::Instead);
            faulty.fail(function, DEVICE_REMOVED, -1, When::Instead);
            assert!(is_down(token.wrap(&key, AAD, b"x")), "{function}");
            assert!(is_down(opened(&token, &key, &wrapped)), "{function}");
            let health = token.health();
            assert_eq!(health.state, State::Down);
            let why = health.last_error.unwrap();
            assert!(why.contains("DeviceRemoved"), "{function}: {why}");
            faulty.heal("C_Encrypt");
            faulty.heal("C_DecryptInit");
            let _ = fs::remove_file(faulty.faults.join(function));
            wait_for(&token, State::Ready, Duration::from_secs(20));
            assert_eq!(opened(&token, &key, &wrapped).unwrap(), b"h");
        }
    });
}

/// Each answer of the retry set, once: the caller sees nothing of it.
#[test]
fn lost_session_is_opened_again_unseen() {
    faulty("lost_session_is_opened_again_unseen", |faulty| {
        let token = faulty.open("custody-1");
        let key = token.make_wrapping_key("kek").unwrap();
        let ck = token.make_signing_key("checkpoint").unwrap();
        let wrapped = token.wrap(&key, AAD, b"h").unwrap();
        let logins = faulty.count("C_Login");
        let answers = [
            0xb3,  // SESSION_HANDLE_INVALID
            0xb0,  // SESSION_CLOSED
            0x82,  // OBJECT_HANDLE_INVALID
            0x60,  // KEY_HANDLE_INVALID
            0x101, // USER_NOT_LOGGED_IN
            DEVICE_ERROR,
            DEVICE_REMOVED,
            0x31,  // DEVICE_MEMORY
            0xe0,  // TOKEN_NOT_PRESENT
            0x190, // CRYPTOKI_NOT_INITIALIZED
            0x90,  // OPERATION_ACTIVE
            GENERAL_ERROR,
            0x06, // FUNCTION_FAILED
        ];
        for rv in answers {
            faulty.fail("C_Encrypt", rv, 1, When::Instead);
            token.wrap(&key, AAD, b"x").unwrap();
            faulty.fail("C_Sign", rv, 1, When::Instead);
            token.sign(&ck, b"x").unwrap();
            faulty.fail("C_DecryptInit", rv, 1, When::Instead);
            assert_eq!(opened(&token, &key, &wrapped).unwrap(), b"h");
            ready(&token);
        }
        assert_eq!(
            faulty.count("C_Login"),
            logins,
            "the login was good all the time"
        );
    });
}

#[test]
fn keys_are_found_again_after_somebody_logged_out() {
    faulty("keys_are_found_again_after_somebody_logged_out", |faulty| {
        let token = faulty.open("custody-1");
        let key = token.make_wrapping_key("kek").unwrap();
        let wrapped = token.wrap(&key, AAD, b"h").unwrap();
        let mut altered = wrapped.clone();
        altered[20] ^= 1;
        // Another owner in this process; handles die with the login.
        let pkcs11 = cryptoki::context::Pkcs11::new(faulty.dir.join("module.so")).unwrap();
        let slots = pkcs11.get_slots_with_token().unwrap();
        let slot = slots
            .into_iter()
            .find(|s| pkcs11.get_token_info(*s).unwrap().label() == "custody-1")
            .unwrap();
        let session = pkcs11.open_ro_session(slot).unwrap();
        for _ in 0..3 {
            session.logout().unwrap();
            assert_eq!(opened(&token, &key, &wrapped).unwrap(), b"h");
            session.logout().unwrap();
            assert_eq!(opened(&token, &key, &altered), Err(HsmError::Tampered));
            ready(&token);
        }
    });
}

#[test]
fn wrong_pin_is_asked_once() {
    faulty("wrong_pin_is_asked_once", |faulty| {
        let mut spec = faulty.spec("custody-1");
        spec.pin = Pin::new(Zeroizing::new("not the pin".to_owned())).into();
        let before = faulty.count("C_Login");
        let token = Token::open(spec).unwrap();
        let other = faulty.open("custody-2");
        let theirs = other.make_wrapping_key("kek").unwrap();
        let began = Instant::now();
        while began.elapsed() < Duration::from_millis(700) {
            assert_eq!(token.random(8).err(), Some(HsmError::WrongPin));
            other.wrap(&theirs, AAD, b"x").unwrap();
            std::thread::sleep(Duration::from_millis(10));
        }
        assert_eq!(faulty.count("C_Login") - before, 2, "one for each token");
        // The module is initialised again for the other: this one's PIN stays untried.
        faulty.fail("C_OpenSession", DEVICE_REMOVED, 3, When::Instead);
        faulty.fail("C_Encrypt", DEVICE_REMOVED, 6, When::Instead);
        faulty.fail("C_DecryptInit", DEVICE_REMOVED, 3, When::Instead);
        let _ = other.wrap(&theirs, AAD, b"x");
        wait_for(&other, State::Ready, Duration::from_secs(20));
        assert_eq!(token.health().state, State::WrongPin);
        // A locked one is no better, and not tried a second time either.
        let before = faulty.count("C_Login");
        faulty.fail("C_Login", PIN_LOCKED, 1, When::Instead);
        token.reopen(faulty.spec("custody-1").pin);
        std::thread::sleep(Duration::from_millis(300));
        assert_eq!(
            (token.health().state, faulty.count("C_Login") - before),
            (State::WrongPin, 1)
        );
        token.reopen(faulty.spec("custody-1").pin);
        ready(&token);
    });
}

#[test]
fn hung_call_holds_up_nobody_for_ever() {
    faulty("hung_call_holds_up_nobody_for_ever", |faulty| {
        let mut spec = faulty.spec("custody-1");
        (spec.sessions, spec.queue, spec.deadline) = (1, 2, DEADLINE);
        let token = Token::open(spec).unwrap();
        let ck = token.make_signing_key("checkpoint").unwrap();
        let other = faulty.open("custody-2");
        let kek = other.make_wrapping_key("kek").unwrap();
        faulty.slow("C_Sign", 60_000);
        let began = Instant::now();
        assert_eq!(token.sign(&ck, b"x"), Err(HsmError::Deadline));
        assert!(began.elapsed() < HANGS, "{:?}", began.elapsed());
        // Two may wait (until their own deadlines), the third is turned away at once.
        std::thread::scope(|s| {
            for _ in 0..2 {
                s.spawn(|| assert_eq!(token.sign(&ck, b"x"), Err(HsmError::Deadline)));
            }
            let full = Instant::now();
            while token.health().queue < 2 {
                assert!(full.elapsed() < HANGS);
                std::thread::yield_now();
            }
            let began = Instant::now();
            assert_eq!(token.sign(&ck, b"x"), Err(HsmError::Busy));
            assert!(began.elapsed() < DEADLINE);
        });
        // By now it counts as down, and says so without waiting.
        wait_for(&token, State::Down, HANGS);
        let began = Instant::now();
        assert!(is_down(token.sign(&ck, b"x")));
        assert!(began.elapsed() < DEADLINE);
        // The other token of the module works, and when it is lost, the module is not pulled away under the hung
        // call: it stays down for that time.
        other.wrap(&kek, AAD, b"x").unwrap();
        let finalised = faulty.count("C_Finalize");
        faulty.fail("C_DecryptInit", DEVICE_REMOVED, -1, When::Instead);
        faulty.fail("C_Encrypt", DEVICE_REMOVED, -1, When::Instead);
        let began = Instant::now();
        assert!(is_down(other.wrap(&kek, AAD, b"x")));
        assert!(began.elapsed() < HANGS, "{:?}", began.elapsed());
        std::thread::sleep(Duration::from_secs(1));
        assert_eq!(faulty.count("C_Finalize"), finalised);
        faulty.heal("C_DecryptInit");
        faulty.heal("C_Encrypt");
        wait_for(&other, State::Ready, Duration::from_secs(20));
        // It comes back: so does the token.
        faulty.heal("C_Sign");
        wait_for(&token, State::Ready, Duration::from_secs(5));
        token.sign(&ck, b"x").unwrap();
    });
}

#[test]
fn dropping_a_token_with_a_hung_call_returns() {
    faulty("dropping_a_token_with_a_hung_call_returns", |faulty| {
        let mut spec = faulty.spec("custody-1");
        (spec.sessions, spec.deadline) = (1, Duration::from_millis(200));
        let token = Token::open(spec).unwrap();
        let ck = token.make_signing_key("checkpoint").unwrap();
        faulty.slow("C_GenerateKey", 60_000);
        assert_eq!(token.make_wrapping_key("kek"), Err(HsmError::Deadline));
        let began = Instant::now();
        drop(token);
        assert!(began.elapsed() < HANGS, "{:?}", began.elapsed());
        // A new one opens beside it, and works.
        let token = faulty.open("custody-1");
        token.sign(&ck, b"x").unwrap();
        faulty.heal("C_GenerateKey");
        token.make_wrapping_key("kek").unwrap();
    });
}

#[test]
fn deadline_holds_on_a_busy_pool() {
    faulty("deadline_holds_on_a_busy_pool", |faulty| {
        let mut spec = faulty.spec("custody-1");
        (spec.sessions, spec.queue, spec.deadline) = (1, 64, Duration::from_millis(400));
        let token = Token::open(spec).unwrap();
        let ck = token.make_signing_key("checkpoint").unwrap();
        let before = faulty.count("C_Sign");
        // Twice in each signature: once for the size, once for the bytes.
        faulty.slow("C_Sign", 50);
        let (signed, late) = (AtomicUsize::new(0), AtomicUsize::new(0));
        std::thread::scope(|s| {
            for _ in 0..24 {
                s.spawn(|| {
                    let began = Instant::now();
                    match token.sign(&ck, b"x") {
                        Ok(_) => signed.fetch_add(1, Ordering::Relaxed),
                        Err(HsmError::Deadline) => late.fetch_add(1, Ordering::Relaxed),
                        Err(e) => panic!("{e}"),
                    };
                    assert!(began.elapsed() < HANGS, "{:?}", began.elapsed());
                });
            }
        });
        let (signed, late) = (signed.into_inner(), late.into_inner());
        assert!(signed >= 1 && late >= 10, "{signed} signed, {late} late");
        // What nobody waits for any more is not done.
        std::thread::sleep(Duration::from_millis(400));
        let done = (faulty.count("C_Sign") - before) / 2;
        assert!(done <= signed as u64 + 2, "{done} done for {signed}");
        ready(&token);
    });
}

#[test]
fn breaker_asks_ever_less_often() {
    faulty("breaker_asks_ever_less_often", |faulty| {
        let token = faulty.open("custody-1");
        let key = token.make_wrapping_key("kek").unwrap();
        faulty.fail("C_Encrypt", DEVICE_REMOVED, -1, When::Instead);
        faulty.fail("C_DecryptInit", DEVICE_REMOVED, -1, When::Instead);
        faulty.fail("C_OpenSession", DEVICE_REMOVED, -1, When::Instead);
        assert!(is_down(token.wrap(&key, AAD, b"x")));
        let (before, finalised) = (faulty.count("C_OpenSession"), faulty.count("C_Finalize"));
        let began = Instant::now();
        let mut calls = 0;
        while began.elapsed() < Duration::from_secs(3) {
            assert!(is_down(token.wrap(&key, AAD, b"x")));
            calls += 1;
            std::thread::sleep(Duration::from_millis(1));
        }
        // 0.1 + 0.2 + 0.4 + 0.8 + 1.6: five attempts, each with a session before and one after the module is
        // initialised, which happens once a second at most.
        let asked = faulty.count("C_OpenSession") - before;
        let finalised = faulty.count("C_Finalize") - finalised;
        assert!(
            calls > 500 && (1..=12).contains(&asked) && finalised <= 4,
            "{calls} {asked} {finalised}"
        );
        for function in ["C_Encrypt", "C_DecryptInit", "C_OpenSession"] {
            faulty.heal(function);
        }
        wait_for(&token, State::Ready, Duration::from_secs(20));
        token.wrap(&key, AAD, b"x").unwrap();
    });
}

/// Some HSMs draw the IV themselves and write it back.
#[test]
fn iv_is_the_one_that_was_used() {
    faulty("iv_is_the_one_that_was_used", |faulty| {
        let token = faulty.open("custody-1");
        let key = token.make_wrapping_key("kek").unwrap();
        faulty.put("own-iv", "");
        let wrapped = token.wrap(&key, AAD, b"h").unwrap();
        faulty.heal("own-iv");
        assert!(
            wrapped[0] >= 0xa0 && wrapped[..12].iter().all(|b| *b == wrapped[0]),
            "{wrapped:02x?}"
        );
        assert_eq!(opened(&token, &key, &wrapped).unwrap(), b"h");
    });
}

#[test]
fn key_generation_is_never_repeated() {
    faulty("key_generation_is_never_repeated", |faulty| {
        let token = faulty.open("custody-1");
        let before = faulty.count("C_GenerateKey");
        // Reported failed, but done.
        faulty.fail("C_GenerateKey", DEVICE_ERROR, -1, When::After);
        assert!(is_down(token.make_wrapping_key("kek")));
        assert_eq!(faulty.count("C_GenerateKey") - before, 1);
        faulty.heal("C_GenerateKey");
        ready(&token);
        token.make_wrapping_key("kek").unwrap();
        // Whoever asked finds the other by its label.
        token.reopen(faulty.spec("custody-1").pin);
        assert_eq!(token.keys().iter().filter(|k| k.label == "kek").count(), 2);
    });
}

/// Two tokens of one module: one is lost and has the module initialised again and again, the other is under load.
#[test]
fn initialising_again_waits_for_running_calls() {
    faulty("initialising_again_waits_for_running_calls", |faulty| {
        let one = faulty.open("custody-1");
        one.make_wrapping_key("kek").unwrap();
        let mut spec = faulty.spec("custody-2");
        spec.sessions = 4;
        let two = Token::open(spec).unwrap();
        let kek = two.make_wrapping_key("kek").unwrap();
        let tokens: Vec<_> = fs::read_dir(faulty.dir.join("tokens"))
            .unwrap()
            .map(|e| e.unwrap().path())
            .collect();
        // The one whose token it is can't be told from outside: try.
        let aside = faulty.dir.join("aside");
        let away = tokens
            .iter()
            .find(|path| {
                fs::rename(path, &aside).unwrap();
                let gone =
                    one.random(1).is_err() || one.wrap(&one.keys()[0].id, AAD, b"x").is_err();
                if !gone {
                    fs::rename(&aside, path).unwrap();
                    wait_for(&two, State::Ready, Duration::from_secs(20));
                }
                gone
            })
            .unwrap();
        let before = faulty.count("C_Finalize");
        let until = Instant::now() + Duration::from_secs(4);
        let done = AtomicUsize::new(0);
        std::thread::scope(|s| {
            for who in 0..8_u8 {
                let (two, done) = (&two, &done);
                s.spawn(move || {
                    while Instant::now() < until {
                        let wrapped = two.wrap(&kek, AAD, &[who]).unwrap();
                        assert_eq!(opened(two, &kek, &wrapped).unwrap(), [who]);
                        done.fetch_add(1, Ordering::Relaxed);
                    }
                });
            }
        });
        let finalised = faulty.count("C_Finalize") - before;
        println!(
            "{} round trips, {finalised} initialisations meanwhile",
            done.load(Ordering::Relaxed)
        );
        assert!(finalised >= 2);
        fs::rename(&aside, away).unwrap();
        wait_for(&one, State::Ready, Duration::from_secs(20));
    });
}
