//! What any PKCS#11 module must do for us. SoftHSM by default; another one by `VITRINE_TEST_P11_MODULE`,
//! `VITRINE_TEST_P11_TOKEN` and `VITRINE_TEST_P11_PIN_FILE`. Keys made here are destroyed here.
#![allow(missing_docs, clippy::unwrap_used, clippy::indexing_slicing)]

mod support;

use std::time::Duration;

use aws_lc_rs::signature::{ED25519, UnparsedPublicKey};
use hsm::{HsmError, KeyId, KeyKind, State, Token};
use support::{open, ready, scenario, spec};

const AAD: &[u8] = b"vitrine/custody/v1\nkey ctx";

/// `Unwrapped` can't be printed, so neither can a result of it.
fn opened(token: &Token, key: &KeyId, aad: &[u8], wrapped: &[u8]) -> Result<Vec<u8>, HsmError> {
    token.unwrap(key, aad, wrapped).map(|u| u.expose().to_vec())
}

#[test]
fn keys_are_made_inside_and_listed() {
    scenario("keys_are_made_inside_and_listed", |dir| {
        let token = open(dir, "custody-1");
        let kek = token.make_wrapping_key("kek 1").unwrap();
        let ck = token.make_signing_key("checkpoint 1").unwrap();
        let keys = token.keys();
        let find = |id| keys.iter().find(|k| k.id == id).unwrap();
        assert_eq!(
            (find(kek).label.as_str(), find(kek).kind, find(kek).public),
            ("kek 1", KeyKind::Wrapping, None)
        );
        assert_eq!(
            (find(ck).label.as_str(), find(ck).kind),
            ("checkpoint 1", KeyKind::Signing)
        );
        assert_eq!(find(ck).public, Some(token.public_key(&ck).unwrap()));
        assert!(token.refused_keys().is_empty());
        for id in [kek, ck] {
            let text = id.to_string();
            assert_eq!(
                (text.as_bytes()[14], text.parse()),
                (b'7', Ok(id)),
                "a UUIDv7: {text}"
            );
            token.destroy_key(&id).unwrap();
        }
    });
}

#[test]
fn wrapped_bytes_open_again() {
    scenario("wrapped_bytes_open_again", |dir| {
        let token = open(dir, "custody-1");
        let key = token.make_wrapping_key("kek").unwrap();
        let mut ivs = std::collections::BTreeSet::new();
        for n in [0, 1, 16, 32, 33, 4096, hsm::LONGEST] {
            let plaintext: Vec<u8> = (0..n).map(|i| i as u8).collect();
            let wrapped = token.wrap(&key, AAD, &plaintext).unwrap();
            assert_eq!(wrapped.len(), 12 + n + 16);
            assert!(ivs.insert(wrapped[..12].to_vec()));
            assert_eq!(opened(&token, &key, AAD, &wrapped).unwrap(), plaintext);
        }
        token.destroy_key(&key).unwrap();
    });
}

/// Waits for a future as the simplest of runtimes does.
fn wait<T>(mut call: hsm::Call<T>) -> Result<T, HsmError> {
    struct Thread(std::thread::Thread);
    impl std::task::Wake for Thread {
        fn wake(self: std::sync::Arc<Self>) {
            self.0.unpark();
        }
    }
    let waker = std::sync::Arc::new(Thread(std::thread::current())).into();
    let mut context = std::task::Context::from_waker(&waker);
    loop {
        match std::pin::Pin::new(&mut call).poll(&mut context) {
            std::task::Poll::Ready(answer) => return answer,
            std::task::Poll::Pending => std::thread::park(),
        }
    }
}

#[test]
fn a_call_that_was_begun_ends_with_the_same_answer() {
    scenario("a_call_that_was_begun_ends_with_the_same_answer", |dir| {
        let token = open(dir, "custody-1");
        let (kek, ck) = (
            token.make_wrapping_key("kek").unwrap(),
            token.make_signing_key("checkpoint").unwrap(),
        );
        // More than the token has sessions, ended in another order.
        let begun: Vec<_> = (0..8_u8)
            .map(|n| (n, token.begin_sign(&ck, &[n; 40]).unwrap()))
            .collect();
        let public = UnparsedPublicKey::new(&ED25519, token.public_key(&ck).unwrap());
        for (n, call) in begun.into_iter().rev() {
            public.verify(&[n; 40], &wait(call).unwrap()).unwrap();
        }
        let mut wrapped = token.wrap(&kek, AAD, &[7; 32]).unwrap();
        let opened = wait(token.begin_unwrap(&kek, AAD, &wrapped).unwrap());
        assert_eq!(opened.map(|u| u.expose().to_vec()), Ok(vec![7; 32]));
        // One that nobody waits for takes nothing from the next.
        drop(token.begin_unwrap(&kek, AAD, &wrapped).unwrap());
        let last = wrapped.len() - 1;
        wrapped[last] ^= 1;
        let refused = wait(token.begin_unwrap(&kek, AAD, &wrapped).unwrap());
        assert_eq!(refused.map(|_| ()), Err(HsmError::Tampered));
        let long = vec![0; hsm::LONGEST + 1];
        assert!(matches!(
            token.begin_sign(&ck, &long).map(|_| ()),
            Err(HsmError::Input(_))
        ));
        for id in [kek, ck] {
            token.destroy_key(&id).unwrap();
        }
        // A token that goes leaves nobody waiting.
        let left = token.begin_sign(&ck, &[1]).unwrap();
        drop(token);
        assert!(wait(left).is_err());
    });
}

#[test]
fn what_was_altered_or_swapped_is_tampered() {
    scenario("what_was_altered_or_swapped_is_tampered", |dir| {
        let token = open(dir, "custody-1");
        let key = token.make_wrapping_key("kek").unwrap();
        let other = token.make_wrapping_key("other").unwrap();
        let wrapped = token.wrap(&key, AAD, &[7; 32]).unwrap();
        let refused = |key, aad: &[u8], wrapped: &[u8], what: &str| {
            assert_eq!(
                opened(&token, key, aad, wrapped),
                Err(HsmError::Tampered),
                "{what}"
            );
        };
        refused(&key, b"another context", &wrapped, "other associated data");
        refused(
            &key,
            &AAD[..AAD.len() - 1],
            &wrapped,
            "shorter associated data",
        );
        refused(&other, AAD, &wrapped, "another key");
        for at in 0..wrapped.len() {
            let mut altered = wrapped.clone();
            altered[at] ^= 1 << (at % 8);
            refused(&key, AAD, &altered, &format!("byte {at}"));
        }
        for n in 0..wrapped.len() {
            refused(&key, AAD, &wrapped[..n], &format!("{n} bytes of it"));
        }
        refused(&key, AAD, &[&wrapped[..], &[0]].concat(), "one byte more");
        // None of that said anything about the token.
        ready(&token);
        assert_eq!(opened(&token, &key, AAD, &wrapped).unwrap(), [7; 32]);
        token.destroy_key(&key).unwrap();
        token.destroy_key(&other).unwrap();
    });
}

#[test]
fn signatures_verify_elsewhere() {
    scenario("signatures_verify_elsewhere", |dir| {
        let token = open(dir, "checkpoint-1");
        let key = token.make_signing_key("checkpoint").unwrap();
        let public = UnparsedPublicKey::new(&ED25519, token.public_key(&key).unwrap());
        for message in [&b""[..], b"ledger\n7\nroot\n", &[9; hsm::LONGEST]] {
            let signature = token.sign(&key, message).unwrap();
            public.verify(message, &signature).unwrap();
            assert!(public.verify(b"another message", &signature).is_err());
        }
        token.destroy_key(&key).unwrap();
    });
}

#[test]
fn wrong_calls_are_refused_before_the_token() {
    scenario("wrong_calls_are_refused_before_the_token", |dir| {
        let token = open(dir, "custody-1");
        let kek = token.make_wrapping_key("kek").unwrap();
        let ck = token.make_signing_key("checkpoint").unwrap();
        let none = KeyId::from_uuid_bytes([1; 16]);
        let input =
            |r: Result<(), HsmError>| assert!(matches!(r, Err(HsmError::Input(_))), "{r:?}");
        input(token.wrap(&kek, b"", b"x").map(drop));
        input(token.unwrap(&kek, b"", &[0; 60]).map(drop));
        input(token.wrap(&kek, AAD, &vec![0; hsm::LONGEST + 1]).map(drop));
        input(token.sign(&ck, &vec![0; hsm::LONGEST + 1]).map(drop));
        input(token.wrap(&ck, AAD, b"x").map(drop));
        input(token.sign(&kek, b"x").map(drop));
        input(token.public_key(&kek).map(drop));
        input(token.make_wrapping_key("").map(drop));
        input(token.make_signing_key(&"x".repeat(65)).map(drop));
        input(token.random(4097).map(drop));
        assert_eq!(token.wrap(&none, AAD, b"x"), Err(HsmError::NoKey(none)));
        assert_eq!(token.sign(&none, b"x"), Err(HsmError::NoKey(none)));
        assert_ne!(
            token.random(32).unwrap().expose(),
            token.random(32).unwrap().expose()
        );
        token.destroy_key(&kek).unwrap();
        token.destroy_key(&ck).unwrap();
        assert_eq!(token.wrap(&kek, AAD, b"x"), Err(HsmError::NoKey(kek)));
        assert_eq!(token.sign(&ck, b"x"), Err(HsmError::NoKey(ck)));
        token.destroy_key(&ck).unwrap(); // again: safe
    });
}

#[test]
fn keys_are_found_again_after_a_new_login() {
    scenario("keys_are_found_again_after_a_new_login", |dir| {
        let token = open(dir, "custody-1");
        let kek = token.make_wrapping_key("kek").unwrap();
        let ck = token.make_signing_key("checkpoint").unwrap();
        let public = token.public_key(&ck).unwrap();
        let wrapped = token.wrap(&kek, AAD, b"h").unwrap();
        drop(token); // the last one: finalises the module
        let token = open(dir, "custody-1");
        assert_eq!(opened(&token, &kek, AAD, &wrapped).unwrap(), b"h");
        assert_eq!(token.public_key(&ck).unwrap(), public);
        // By hand, in place.
        token.reopen(spec(dir, "custody-1").pin);
        ready(&token);
        assert_eq!(opened(&token, &kek, AAD, &wrapped).unwrap(), b"h");
        token.sign(&ck, b"x").unwrap();
        // A key that another owner of the token makes is found without reopening.
        let neighbour = open(dir, "custody-1");
        let late = neighbour.make_wrapping_key("late").unwrap();
        assert!(token.keys().iter().all(|k| k.id != late));
        token.wrap(&late, AAD, b"x").unwrap();
        assert!(token.keys().iter().any(|k| k.id == late));
        for id in [kek, ck, late] {
            token.destroy_key(&id).unwrap();
        }
    });
}

#[test]
fn many_callers_at_once_get_their_own_answers() {
    scenario("many_callers_at_once_get_their_own_answers", |dir| {
        let mut spec = spec(dir, "custody-1");
        spec.sessions = 4;
        spec.deadline = Duration::from_secs(30);
        let token = Token::open(spec).unwrap();
        let kek = token.make_wrapping_key("kek").unwrap();
        let ck = token.make_signing_key("checkpoint").unwrap();
        let public = token.public_key(&ck).unwrap();
        std::thread::scope(|s| {
            for who in 0..16_u8 {
                let (token, public) = (&token, UnparsedPublicKey::new(&ED25519, public));
                s.spawn(move || {
                    for turn in 0..20 {
                        let wrapped = token.wrap(&kek, &[who], &[who, turn]).unwrap();
                        assert_eq!(opened(token, &kek, &[who], &wrapped).unwrap(), [who, turn]);
                        let swapped = opened(token, &kek, &[who + 1], &wrapped);
                        assert_eq!(swapped, Err(HsmError::Tampered));
                        public
                            .verify(&[who, turn], &token.sign(&ck, &[who, turn]).unwrap())
                            .unwrap();
                    }
                });
            }
        });
        // A worker counts itself out just after its answer.
        let idle = std::time::Instant::now();
        while token.health().running > 0 && idle.elapsed() < Duration::from_secs(1) {
            std::thread::yield_now();
        }
        let health = token.health();
        assert_eq!(
            (health.state, health.queue, health.running),
            (State::Ready, 0, 0)
        );
        token.destroy_key(&kek).unwrap();
        token.destroy_key(&ck).unwrap();
    });
}
