//! What kind of key this is, from its registration. The registration itself is checked by
//! `webauthn-rs-core`; the challenge is the hash of a statement that we computed (FORMATS.md 4).
//!
//! A key is *software* unless its attestation chain ends in the trust list: roots of makers, and for
//! each root the models (AAGUIDs) that it may vouch for. Chromium's virtual key and the zero AAGUID are
//! software always, whoever vouches.

use std::path::Path;
use std::time::Duration;

use quorum::statement::Challenge;
use serde::Deserialize;
use url::Url;
use uuid::Uuid;
use webauthn_attestation_ca::{AttestationCaList, AttestationCaListBuilder};
use webauthn_rs_core::WebauthnCore;
use webauthn_rs_core::error::WebauthnError;
use webauthn_rs_core::proto::{COSEAlgorithm, RegisterPublicKeyCredential, UserVerificationPolicy};
use webauthn_rs_core::proto::{COSEKeyType, Credential, RegistrationState};

use crate::b64::{self, Bytes};
use crate::error::{Error, Result};
use crate::ledger::Founding;

/// The models that this list ships.
const SHIPPED: &str = include_str!("../../trust/makers.toml");
/// Chromium's virtual authenticator; its attestation key is public.
const CHROMIUM: Uuid = Uuid::from_u128(0x0102_0304_0506_0708_0102_0304_0506_0708);

/// A registration as the page sends it.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SentRegistration {
    /// CBOR attestation object.
    pub attestation_object: Bytes,
    /// Raw client data.
    pub client_data_json: Bytes,
}

/// A registration that holds.
#[derive(Debug)]
pub struct Registered {
    /// WebAuthn credential id.
    pub credential_id: Vec<u8>,
    /// SEC1 point, 65 bytes.
    pub public_key: Vec<u8>,
    /// Model id as the key says it.
    pub aaguid: [u8; 16],
    /// Signature counter.
    pub counter: u32,
    /// Not proved to be hardware.
    pub software: bool,
    /// Model, where it was proved.
    pub model: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    maker: Vec<Maker>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Maker {
    roots: Vec<String>,
    models: Vec<Model>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Model {
    aaguid: Uuid,
    name: String,
}

/// Roots and the models each may vouch for.
pub struct TrustList {
    roots: AttestationCaList,
    names: std::collections::BTreeMap<Uuid, String>,
}

impl TrustList {
    /// The shipped list, and the files that `[keys] trust` names.
    pub fn load(more: &[impl AsRef<Path>]) -> Result<TrustList> {
        let mut texts = vec![SHIPPED.to_owned()];
        for path in more {
            let path = path.as_ref();
            texts.push(std::fs::read_to_string(path).map_err(|e| {
                Error::invalid(
                    "Not started.",
                    format!("The trust list {} cannot be read: {e}.", path.display()),
                    "Mend `[keys] trust`.",
                )
            })?);
        }
        let mut list = AttestationCaListBuilder::new();
        let mut names = std::collections::BTreeMap::new();
        for text in texts {
            let file: File = toml::from_str(&text).map_err(|e| {
                Error::invalid(
                    "Not started.",
                    format!("A trust list is not valid: {}.", e.message()),
                    "Mend `[keys] trust`.",
                )
            })?;
            for maker in file.maker {
                for model in maker.models {
                    if model.aaguid.is_nil() || model.aaguid == CHROMIUM {
                        return Err(Error::invalid(
                            "Not started.",
                            "A trust list names a software model.",
                            "Remove the zero and Chromium's AAGUID from it.",
                        ));
                    }
                    for root in &maker.roots {
                        list.insert_device_pem(
                            root.trim().as_bytes(),
                            model.aaguid,
                            model.name.clone(),
                            Default::default(),
                        )
                        .map_err(|e| {
                            Error::invalid(
                                "Not started.",
                                format!("A trust list has a root that cannot be used: {e:?}."),
                                "Mend `[keys] trust`.",
                            )
                        })?;
                    }
                    names.insert(model.aaguid, model.name);
                }
            }
        }
        Ok(TrustList {
            roots: list.build(),
            names,
        })
    }

    /// Checks a registration over `challenge` and says what the key is.
    pub fn register(
        &self,
        founding: &Founding,
        challenge: &Challenge,
        sent: &SentRegistration,
    ) -> Result<Registered> {
        self.check(founding, challenge, sent, UserVerificationPolicy::Required)
    }

    fn check(
        &self,
        founding: &Founding,
        challenge: &Challenge,
        sent: &SentRegistration,
        verification: UserVerificationPolicy,
    ) -> Result<Registered> {
        let core = core(founding)?;
        let state = state_for(&core, challenge, verification)?;
        let (aaguid, id) =
            attested(&sent.attestation_object.0).ok_or_else(|| refused(&"it has no credential"))?;
        let sent = posted(&id, sent)?;
        let (credential, vouched) = match core.register_credential(&sent, &state, Some(&self.roots))
        {
            Ok(credential) => (credential, true),
            Err(first) if is_about_trust(&first) => (
                core.register_credential(&sent, &state, None)
                    .map_err(|e| refused(&e))?,
                false,
            ),
            Err(e) => return Err(refused(&e)),
        };
        if credential.backup_eligible || credential.backup_state {
            return Err(refused(&"it can be copied to other devices"));
        }
        let model = self
            .names
            .get(&aaguid)
            .filter(|_| vouched && aaguid != CHROMIUM)
            .cloned();
        Ok(Registered {
            credential_id: id,
            public_key: sec1(&credential)?,
            aaguid: *aaguid.as_bytes(),
            counter: credential.counter,
            software: model.is_none(),
            model,
        })
    }
}

/// Model and credential id, where WebAuthn 2, section 6.5.1, puts them: the library keeps them to itself when the
/// attestation says nothing of the model. It checks the same bytes afterwards.
fn attested(object: &[u8]) -> Option<(Uuid, Vec<u8>)> {
    let object: ciborium::Value = ciborium::from_reader(object).ok()?;
    let (_, data) = object
        .as_map()?
        .iter()
        .find(|(k, _)| k.as_text() == Some("authData"))?;
    let data = data.as_bytes()?;
    let aaguid = Uuid::from_slice(data.get(37..53)?).ok()?;
    let length = u16::from_be_bytes(data.get(53..55)?.try_into().ok()?);
    Some((aaguid, data.get(55..55 + usize::from(length))?.to_vec()))
}

fn core(founding: &Founding) -> Result<WebauthnCore> {
    let origins = founding
        .origins
        .iter()
        .map(|o| Url::parse(o).map_err(Error::internal))
        .collect::<Result<Vec<_>>>()?;
    Ok(WebauthnCore::new_unsafe_experts_only(
        "Vitrine",
        &founding.rp_id,
        origins,
        Duration::from_secs(300),
        Some(false),
        Some(false),
    ))
}

/// The library draws its own challenges and takes no other; ours replaces it in the serialised state
/// (the version is pinned, and a test below fails if the layout moves).
fn state_for(
    core: &WebauthnCore,
    challenge: &Challenge,
    verification: UserVerificationPolicy,
) -> Result<RegistrationState> {
    let builder = core
        .new_challenge_register_builder(b"0", "0", "0")
        .map_err(Error::internal)?
        .user_verification_policy(verification)
        .credential_algorithms(vec![COSEAlgorithm::ES256])
        .require_resident_key(true)
        .reject_synchronised_authenticators(true);
    let (_, state) = core
        .generate_challenge_register(builder)
        .map_err(Error::internal)?;
    let mut value = serde_json::to_value(state).map_err(Error::internal)?;
    let place = value
        .get_mut("challenge")
        .ok_or_else(|| Error::internal("webauthn-rs-core: no challenge in its state"))?;
    *place = serde_json::Value::String(b64::encode(&challenge.0));
    serde_json::from_value(value).map_err(Error::internal)
}

fn posted(id: &[u8], sent: &SentRegistration) -> Result<RegisterPublicKeyCredential> {
    serde_json::from_value(serde_json::json!({
        "id": b64::encode(id), "rawId": b64::encode(id), "type": "public-key",
        "response": { "attestationObject": b64::encode(&sent.attestation_object.0), "clientDataJSON": b64::encode(&sent.client_data_json.0) },
        "extensions": {},
    }))
    .map_err(Error::internal)
}

/// The chain did not end in the list; whether the registration itself holds is asked again without a list.
fn is_about_trust(e: &WebauthnError) -> bool {
    matches!(
        e,
        WebauthnError::AttestationChainNotTrusted(_)
            | WebauthnError::AttestationUntrustedAaguid
            | WebauthnError::AttestationTrustFailure
            | WebauthnError::AttestationNotVerifiable
            | WebauthnError::AttestationNotSupported
            | WebauthnError::MissingAttestationCaList
    )
}

fn sec1(credential: &Credential) -> Result<Vec<u8>> {
    match &credential.cred.key {
        COSEKeyType::EC_EC2(ec) => {
            let (x, y) = (ec.x.as_slice(), ec.y.as_slice());
            let mut point = vec![4];
            point.extend_from_slice(x);
            point.extend_from_slice(y);
            if point.len() == 65 {
                Ok(point)
            } else {
                Err(refused(&"its key is not on P-256"))
            }
        }
        _ => Err(refused(&"it does not sign ES256")),
    }
}

fn refused(why: &impl std::fmt::Debug) -> Error {
    tracing::info!(?why, "a registration was refused");
    Error::invalid(
        "This key was not enrolled.",
        in_words(&format!("{why:?}")),
        "Take a FIDO2 security key with a PIN or fingerprint, and try again.",
    )
}

/// The library's names, in words; ours are words already.
fn in_words(name: &str) -> String {
    let words = match name.split(['(', ' ']).next().unwrap_or_default() {
        "CredentialMayNotBeHardwareBound" => "It can be copied to other devices.",
        "AttestationUntrustedAaguid"
        | "AttestationChainNotTrusted"
        | "AttestationNotVerifiable" => "Its maker and model are not on the trust list.",
        "UserNotVerified" => "It did not ask for a PIN or a finger.",
        "UserNotPresent" => "It was not touched.",
        "MismatchedChallenge" | "InvalidRPOrigin" | "InvalidRPIDHash" => {
            "It answered another page than this one."
        }
        _ if name.starts_with('"') => {
            return format!(
                "The browser's registration does not hold: {}.",
                name.trim_matches('"')
            );
        }
        _ => "The browser's registration does not hold.",
    };
    words.to_owned()
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn the_shipped_list_loads() {
        let list = TrustList::load(&Vec::<std::path::PathBuf>::new()).unwrap();
        assert!(!list.names.is_empty());
    }

    #[test]
    fn our_challenge_takes_its_place() {
        let founding = Founding {
            ledger: quorum::Hash([0; 32]),
            name: "x".into(),
            rp_id: "localhost".into(),
            origins: vec!["http://localhost:7443".into()],
            keys: Vec::new(),
            every_key: Vec::new(),
            entry: Vec::new(),
        };
        let state = state_for(
            &core(&founding).unwrap(),
            &Challenge([7; 32]),
            UserVerificationPolicy::Required,
        )
        .unwrap();
        assert_eq!(
            serde_json::to_value(state)
                .unwrap()
                .get("challenge")
                .unwrap(),
            &b64::encode(&[7; 32])
        );
    }

    #[test]
    fn a_real_key_of_a_listed_maker_is_hardware_and_stays_software_without_the_list() {
        #[derive(Deserialize)]
        struct Vector {
            attestation_object: Bytes,
            client_data_json: Bytes,
            rp_id: String,
            origin: String,
            challenge: Bytes,
        }
        let v: Vector = serde_json::from_value({
            let mut v: serde_json::Value =
                serde_json::from_str(include_str!("../../tests/trust/yubikey-5-nfc.json")).unwrap();
            v.as_object_mut().unwrap().remove("source");
            v
        })
        .unwrap();
        let founding = Founding {
            ledger: quorum::Hash([0; 32]),
            name: "x".into(),
            rp_id: v.rp_id,
            origins: vec![v.origin],
            keys: Vec::new(),
            every_key: Vec::new(),
            entry: Vec::new(),
        };
        let challenge = Challenge(v.challenge.0.as_slice().try_into().unwrap());
        let sent = SentRegistration {
            attestation_object: v.attestation_object,
            client_data_json: v.client_data_json,
        };
        // This recording was made without a PIN, which a Vitrine refuses; its chain is what is tested here.
        let checked = |list: &TrustList, challenge: &Challenge| {
            list.check(
                &founding,
                challenge,
                &sent,
                UserVerificationPolicy::Discouraged_DO_NOT_USE,
            )
        };
        let shipped = TrustList::load(&Vec::<std::path::PathBuf>::new()).unwrap();
        assert!(shipped.register(&founding, &challenge, &sent).is_err());
        let key = checked(&shipped, &challenge).unwrap();
        assert_eq!(key.model.as_deref(), Some("YubiKey 5 Series with NFC"));
        assert!(!key.software);
        let none = TrustList {
            roots: AttestationCaListBuilder::new().build(),
            names: Default::default(),
        };
        assert!(checked(&none, &challenge).unwrap().software);
        assert!(checked(&none, &Challenge([0; 32])).is_err());
    }
}
