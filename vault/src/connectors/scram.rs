//! SCRAM-SHA-256 verifiers as PostgreSQL keeps them (RFC 5802, RFC 7677): made here, so that no password travels to
//! the target's statement log. Passwords are ASCII, so SASLprep (RFC 4013) changes nothing.

use std::num::NonZeroU32;

use aws_lc_rs::{digest, hmac, pbkdf2};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

/// RFC 7677, section 4: at least 4096.
const ITERATIONS: NonZeroU32 = NonZeroU32::new(4096).expect("4096 is not zero");

/// `SCRAM-SHA-256$4096:<salt>$<StoredKey>:<ServerKey>` for `password` under a fresh salt.
pub fn verifier(password: &[u8]) -> Result<String, aws_lc_rs::error::Unspecified> {
    let mut salt = [0; 16];
    aws_lc_rs::rand::fill(&mut salt)?;
    Ok(with_salt(password, &salt))
}

/// Whether `text` is a verifier of `password`, of the form made here.
pub fn fits(text: &str, password: &[u8]) -> bool {
    let salt = text
        .strip_prefix("SCRAM-SHA-256$4096:")
        .and_then(|rest| rest.split_once('$'))
        .and_then(|(salt, _)| STANDARD.decode(salt).ok())
        .and_then(|salt| <[u8; 16]>::try_from(salt).ok());
    salt.is_some_and(|salt| {
        with_salt(password, &salt)
            .as_bytes()
            .ct_eq(text.as_bytes())
            .into()
    })
}

fn with_salt(password: &[u8], salt: &[u8; 16]) -> String {
    let mut salted = Zeroizing::new([0_u8; 32]);
    pbkdf2::derive(
        pbkdf2::PBKDF2_HMAC_SHA256,
        ITERATIONS,
        salt,
        password,
        salted.as_mut_slice(),
    );
    let key = hmac::Key::new(hmac::HMAC_SHA256, salted.as_slice());
    let client = hmac::sign(&key, b"Client Key");
    let stored = digest::digest(&digest::SHA256, client.as_ref());
    let server = hmac::sign(&key, b"Server Key");
    format!(
        "SCRAM-SHA-256${ITERATIONS}:{}${}:{}",
        STANDARD.encode(salt),
        STANDARD.encode(stored),
        STANDARD.encode(server)
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 7677, section 3: user `user`, password `pencil`, salt W22ZaJ0SNY7soEsUEjb6gQ==. From its exchange:
    /// ServerSignature = HMAC(ServerKey, AuthMessage), and ClientProof opens to StoredKey.
    #[test]
    #[allow(clippy::unwrap_used)]
    fn the_example_of_the_rfc() {
        let salt: [u8; 16] = STANDARD
            .decode("W22ZaJ0SNY7soEsUEjb6gQ==")
            .unwrap()
            .try_into()
            .unwrap();
        let made = with_salt(b"pencil", &salt);
        let (stored, server) = made.rsplit_once('$').unwrap().1.split_once(':').unwrap();
        let (stored, server) = (
            STANDARD.decode(stored).unwrap(),
            STANDARD.decode(server).unwrap(),
        );
        let message = b"n=user,r=rOprNGfwEbeRWgbNEkqO,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096,c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0";
        let signature = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, &server), message);
        assert_eq!(
            STANDARD.encode(signature),
            "6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4="
        );
        let client = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, &stored), message);
        let proof = STANDARD
            .decode("dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=")
            .unwrap();
        let key: Vec<u8> = client
            .as_ref()
            .iter()
            .zip(proof)
            .map(|(a, b)| a ^ b)
            .collect();
        assert_eq!(digest::digest(&digest::SHA256, &key).as_ref(), stored);
    }

    #[test]
    #[allow(clippy::unwrap_used)]
    fn a_verifier_fits_its_password_alone() {
        let v = verifier(b"correct-horse").unwrap();
        assert!(fits(&v, b"correct-horse"));
        assert!(!fits(&v, b"correct-hors"));
        assert!(!fits(&v.replace("4096", "4097"), b"correct-horse"));
        assert!(!fits("", b""));
    }
}
