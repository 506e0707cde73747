//! What depends on SoftHSM being files: making tokens, losing them and getting them back.
#![allow(missing_docs, clippy::unwrap_used, clippy::indexing_slicing)]

mod support;

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use cryptoki::context::{CInitializeArgs, CInitializeFlags, Pkcs11};
use cryptoki::types::AuthPin;
use hsm::softhsm::{self, ProvisionError};
use hsm::{HsmError, Pin, PinSource, Select, State, Token};
use support::{library, open, ready, softhsm_scenario, wait_for};
use zeroize::Zeroizing;

const FIVE: [&str; 5] = [
    "custody-1",
    "custody-2",
    "checkpoint-1",
    "checkpoint-2",
    "service",
];
const AAD: &[u8] = b"context";
/// Longer than any deadline here: a call that takes this long hangs.
const HANGS: Duration = Duration::from_secs(10);

fn scenario(name: &str, body: impl FnOnce(&Path)) {
    softhsm_scenario(name, |_| Vec::new(), body);
}

fn pin(text: &str) -> Pin {
    Pin::new(Zeroizing::new(text.to_owned()))
}

/// The directory of each token, by label: a new one appears with each `provision`.
fn token_dirs(dir: &Path, labels: &[&str]) -> BTreeMap<String, PathBuf> {
    let list = || {
        fs::read_dir(dir.join("tokens"))
            .unwrap()
            .map(|e| e.unwrap().path())
    };
    let mut dirs = BTreeMap::new();
    for label in labels {
        softhsm::provision(dir, &[label]).unwrap();
        let new = list()
            .find(|path| !dirs.values().any(|d| d == path))
            .unwrap();
        dirs.insert((*label).to_owned(), new);
    }
    dirs
}

#[test]
fn provision_makes_private_tokens_once() {
    scenario("provision_makes_private_tokens_once", |dir| {
        softhsm::provision(dir, &FIVE).unwrap();
        let files = || {
            let mut files: Vec<(PathBuf, u32, Vec<u8>)> = fs::read_dir(dir)
                .unwrap()
                .map(|e| e.unwrap().path())
                .map(|p| {
                    (
                        p.clone(),
                        fs::metadata(&p).unwrap().mode() & 0o777,
                        fs::read(&p).unwrap_or_default(),
                    )
                })
                .collect();
            files.sort();
            files
        };
        let before = files();
        for (path, mode, _) in &before {
            assert_eq!(
                *mode,
                if path.is_dir() { 0o700 } else { 0o600 },
                "{}",
                path.display()
            );
        }
        let names: Vec<_> = before
            .iter()
            .map(|(p, ..)| p.file_name().unwrap().to_str().unwrap())
            .collect();
        let expected = [
            "checkpoint-1.pin",
            "checkpoint-2.pin",
            "custody-1.pin",
            "custody-2.pin",
            "lock",
            "service.pin",
            "softhsm2.conf",
            "tokens",
        ];
        assert_eq!(names, expected);
        let pins: std::collections::BTreeSet<_> = before
            .iter()
            .filter(|(p, ..)| p.extension().is_some_and(|e| e == "pin"))
            .map(|(.., c)| c)
            .collect();
        assert_eq!(
            (pins.len(), pins.first().unwrap().len()),
            (5, 65),
            "five PINs of 256 bits"
        );
        let tokens = || fs::read_dir(dir.join("tokens")).unwrap().count();
        assert_eq!(tokens(), 5);
        softhsm::provision(dir, &FIVE).unwrap();
        assert_eq!((files(), tokens()), (before, 5));
        for label in FIVE {
            open(dir, label);
        }
    });
}

/// Every state that a crash can leave, made by hand.
#[test]
fn provision_goes_on_after_a_crash() {
    scenario("provision_goes_on_after_a_crash", |dir| {
        let raw = |work: &dyn Fn(&Pkcs11)| {
            let pkcs11 = Pkcs11::new(library()).unwrap();
            pkcs11
                .initialize(CInitializeArgs::new(CInitializeFlags::OS_LOCKING_OK))
                .unwrap();
            work(&pkcs11);
            pkcs11.finalize().unwrap();
        };
        let officer = AuthPin::new("officer".into());
        let free = |p: &Pkcs11| {
            let slots = p.get_slots_with_token().unwrap();
            slots
                .into_iter()
                .find(|s| !p.get_token_info(*s).unwrap().token_initialized())
                .unwrap()
        };
        let left = |label: &str| {
            let path = dir.join(format!("{label}.pin.new"));
            fs::write(&path, "user-pin\nofficer\n").unwrap();
            fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        };
        // The PINs only.
        left("custody-1");
        // The token, its user's PIN not yet given.
        left("custody-2");
        raw(&|p| p.init_token(free(p), &officer, "custody-2").unwrap());
        // The token with its user's PIN, the file not yet renamed.
        left("service");
        raw(&|p| {
            let slot = free(p);
            p.init_token(slot, &officer, "service").unwrap();
            let session = p.open_rw_session(slot).unwrap();
            session
                .login(cryptoki::session::UserType::So, Some(&officer))
                .unwrap();
            session.init_pin(&AuthPin::new("user-pin".into())).unwrap();
        });
        // Both files, the older not yet removed: the token is ready, and stays as it is.
        softhsm::provision(dir, &["checkpoint-1"]).unwrap();
        left("checkpoint-1");
        // A token directory that the module had just begun.
        fs::create_dir(dir.join("tokens/0b0e1b5c-0000-0000-0000-000000000000")).unwrap();
        fs::write(
            dir.join("tokens/0b0e1b5c-0000-0000-0000-000000000000/token.object"),
            b"",
        )
        .unwrap();
        // Half a file.
        fs::write(dir.join("checkpoint-2.pin.new.tmp"), b"ab").unwrap();

        softhsm::provision(dir, &FIVE).unwrap();
        for label in FIVE {
            let token = open(dir, label);
            token.make_wrapping_key("kek").unwrap();
        }
        let first = fs::read_to_string(dir.join("custody-1.pin")).unwrap();
        assert_eq!(
            first, "user-pin\n",
            "the PIN that was there before the crash"
        );
        // And again, whatever is left over.
        softhsm::provision(dir, &FIVE).unwrap();
        for label in FIVE {
            assert_eq!(open(dir, label).keys().len(), 1, "{label} kept its key");
        }
    });
}

#[test]
fn token_whose_pin_is_lost_is_left_alone() {
    scenario("token_whose_pin_is_lost_is_left_alone", |dir| {
        softhsm::provision(dir, &["custody-1"]).unwrap();
        fs::remove_file(dir.join("custody-1.pin")).unwrap();
        let refused = softhsm::provision(dir, &["custody-1"]);
        assert!(matches!(refused, Err(ProvisionError::Orphan(label)) if label == "custody-1"));
        assert_eq!(fs::read_dir(dir.join("tokens")).unwrap().count(), 1);
    });
}

/// No scenario of its own: this process was started without the variable.
#[test]
fn provision_says_what_to_start_the_program_with() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path().join("hsm");
    let Err(ProvisionError::Environment { variable, value }) = softhsm::provision(&dir, &FIVE)
    else {
        panic!("made tokens in somebody's directory");
    };
    assert_eq!((variable, value.clone()), softhsm::environment(&dir));
    assert_eq!(variable, "SOFTHSM2_CONF");
    assert!(value.exists(), "the configuration is there already");
    assert_eq!(fs::metadata(&dir).unwrap().mode() & 0o777, 0o700);
    for label in ["", "Custody", "a/b", "..", &"x".repeat(33)] {
        assert!(
            matches!(
                softhsm::provision(&dir, &[label]),
                Err(ProvisionError::Label(_))
            ),
            "{label:?}"
        );
    }
}

#[test]
fn wrong_pin_sticks_until_reopened_by_hand() {
    scenario("wrong_pin_sticks_until_reopened_by_hand", |dir| {
        softhsm::provision(dir, &["custody-1", "custody-2"]).unwrap();
        let other = open(dir, "custody-2");
        let mut spec = softhsm::spec(dir, "custody-1").unwrap();
        spec.pin = pin("not the pin").into();
        let token = Token::open(spec).unwrap();
        let asked = Instant::now();
        while asked.elapsed() < Duration::from_millis(500) {
            assert_eq!(token.make_wrapping_key("kek"), Err(HsmError::WrongPin));
            assert_eq!(token.health().state, State::WrongPin);
            std::thread::sleep(Duration::from_millis(20));
        }
        token.reopen(pin("nor this"));
        assert_eq!(token.random(1).err(), Some(HsmError::WrongPin));
        token.reopen(softhsm::spec(dir, "custody-1").unwrap().pin);
        ready(&token);
        token.make_wrapping_key("kek").unwrap();
        ready(&other);
    });
}

#[test]
fn token_taken_away_is_down_and_comes_back() {
    scenario("token_taken_away_is_down_and_comes_back", |dir| {
        let dirs = token_dirs(dir, &["custody-1", "custody-2", "checkpoint-1"]);
        let (one, two, three) = (
            open(dir, "custody-1"),
            open(dir, "custody-2"),
            open(dir, "checkpoint-1"),
        );
        let (k1, k2) = (
            one.make_wrapping_key("kek").unwrap(),
            two.make_wrapping_key("kek").unwrap(),
        );
        let ck = three.make_signing_key("checkpoint").unwrap();
        let wrapped = one.wrap(&k1, AAD, b"h").unwrap();
        let aside = dir.join("aside");
        for round in 0..2 {
            fs::rename(&dirs["custody-1"], &aside).unwrap();
            let began = Instant::now();
            let refused = one.unwrap(&k1, AAD, &wrapped).err().unwrap();
            assert!(
                matches!(refused, HsmError::Down { .. }),
                "round {round}: {refused:?}"
            );
            // Not tampered, and fast: at first what it takes to notice, then nothing.
            assert!(began.elapsed() < HANGS, "{:?}", began.elapsed());
            wait_for(&one, State::Down, HANGS);
            let away = Instant::now();
            let mut calls = 0;
            while away.elapsed() < Duration::from_millis(1500) {
                let down = [
                    one.wrap(&k1, AAD, b"x").err(),
                    one.unwrap(&k1, AAD, &wrapped).err(),
                ];
                assert!(
                    down.iter()
                        .all(|e| matches!(e, Some(HsmError::Down { .. }))),
                    "{down:?}"
                );
                // The others of the module go on, while it is initialised again and again for this one.
                let theirs = two.wrap(&k2, AAD, b"x").unwrap();
                assert_eq!(
                    two.unwrap(&k2, AAD, &theirs).map(|u| u.expose().to_vec()),
                    Ok(b"x".to_vec())
                );
                three.sign(&ck, b"x").unwrap();
                calls += 1;
            }
            assert!(calls > 1, "{calls} calls");
            assert_eq!(one.keys().len(), 1, "known while it is away");
            fs::rename(&aside, &dirs["custody-1"]).unwrap();
            let back = Instant::now();
            wait_for(&one, State::Ready, Duration::from_secs(20));
            println!("back after {:?}; {calls} calls meanwhile", back.elapsed());
            assert_eq!(
                one.unwrap(&k1, AAD, &wrapped).map(|u| u.expose().to_vec()),
                Ok(b"h".to_vec())
            );
        }
    });
}

#[test]
fn token_absent_at_the_start_is_down_and_comes() {
    scenario("token_absent_at_the_start_is_down_and_comes", |dir| {
        let dirs = token_dirs(dir, &["custody-1", "custody-2"]);
        let aside = dir.join("aside");
        fs::rename(&dirs["custody-1"], &aside).unwrap();
        let one = Token::open(softhsm::spec(dir, "custody-1").unwrap()).unwrap();
        let health = one.health();
        assert_eq!(health.state, State::Down);
        assert_eq!(
            health.last_error.as_deref(),
            Some("no token with label custody-1")
        );
        let two = open(dir, "custody-2");
        two.make_wrapping_key("kek").unwrap();
        fs::rename(&aside, &dirs["custody-1"]).unwrap();
        wait_for(&one, State::Ready, Duration::from_secs(20));
        one.make_wrapping_key("kek").unwrap();
    });
}

#[test]
fn pin_file_or_module_absent_at_the_start_is_waited_for() {
    scenario(
        "pin_file_or_module_absent_at_the_start_is_waited_for",
        |dir| {
            let dirs = token_dirs(dir, &["custody-1", "custody-2"]);
            let (file, aside) = (softhsm::pin_file(dir, "custody-1"), dir.join("aside"));
            fs::rename(&file, &aside).unwrap();
            let one = Token::open(softhsm::spec(dir, "custody-1").unwrap()).unwrap();
            let module = dir.join("module.so");
            let mut spec = softhsm::spec(dir, "custody-2").unwrap();
            spec.module = module.clone();
            let two = Token::open(spec).unwrap();
            for (token, missing) in [(&one, "custody-1.pin"), (&two, "module.so")] {
                let health = token.health();
                assert_eq!(health.state, State::Down);
                let why = health.last_error.unwrap();
                assert!(why.contains(missing), "{why}");
                let asked = token.make_wrapping_key("kek");
                assert!(matches!(asked, Err(HsmError::Down { .. })));
            }
            let mut spec = softhsm::spec(dir, "custody-2").unwrap();
            spec.module = "/etc/hostname".into();
            let why = Token::open(spec).unwrap().health().last_error.unwrap();
            assert!(why.contains("/etc/hostname"), "{why}");
            fs::rename(&aside, &file).unwrap();
            std::os::unix::fs::symlink(library(), &module).unwrap();
            for token in [&one, &two] {
                wait_for(token, State::Ready, Duration::from_secs(20));
                token.make_wrapping_key("kek").unwrap();
            }
            // It was read: it may be put away, and the token still comes back.
            fs::remove_file(&file).unwrap();
            fs::rename(&dirs["custody-1"], &aside).unwrap();
            wait_for(&one, State::Down, Duration::from_secs(20));
            fs::rename(&aside, &dirs["custody-1"]).unwrap();
            wait_for(&one, State::Ready, Duration::from_secs(20));
        },
    );
}

#[test]
fn pin_comes_from_a_systemd_credential() {
    let directory = |dir: &Path| vec![("CREDENTIALS_DIRECTORY", dir.to_owned())];
    softhsm_scenario("pin_comes_from_a_systemd_credential", directory, |dir| {
        softhsm::provision(dir, &["custody-1"]).unwrap();
        let mut spec = softhsm::spec(dir, "custody-1").unwrap();
        spec.pin = PinSource::credential("custody-1.pin".to_owned());
        ready(&Token::open(spec).unwrap());
        assert!(Pin::from_credential("absent").is_err());
    });
}

#[test]
fn token_is_found_by_serial_and_slot() {
    scenario("token_is_found_by_serial_and_slot", |dir| {
        softhsm::provision(dir, &["custody-1", "custody-2"]).unwrap();
        let key = open(dir, "custody-2").make_wrapping_key("kek").unwrap();
        let pkcs11 = Pkcs11::new(library()).unwrap();
        pkcs11
            .initialize(CInitializeArgs::new(CInitializeFlags::OS_LOCKING_OK))
            .unwrap();
        let slots = pkcs11.get_slots_with_token().unwrap();
        let slot = slots
            .into_iter()
            .find(|s| pkcs11.get_token_info(*s).unwrap().label() == "custody-2")
            .unwrap();
        let serial = pkcs11
            .get_token_info(slot)
            .unwrap()
            .serial_number()
            .to_owned();
        pkcs11.finalize().unwrap();
        for select in [Select::Serial(serial), Select::Slot(slot.id())] {
            let mut spec = softhsm::spec(dir, "custody-2").unwrap();
            spec.token = select;
            let token = Token::open(spec).unwrap();
            ready(&token);
            token.wrap(&key, AAD, b"x").unwrap();
        }
        for select in [
            Select::Serial("0123".into()),
            Select::Slot(77),
            Select::Label("custody".into()),
        ] {
            let mut spec = softhsm::spec(dir, "custody-2").unwrap();
            spec.token = select;
            assert_eq!(Token::open(spec).unwrap().health().state, State::Down);
        }
    });
}
