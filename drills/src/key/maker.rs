//! A maker of software authenticators: the test authority whose root a trust list may name.

use std::sync::Arc;

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair};
use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, CustomExtension, DistinguishedName,
    DnType, IsCa, KeyPair, KeyUsagePurpose, PKCS_ECDSA_P256_SHA256,
};

use super::KeyError;

/// `id-fido-gen-ce-aaguid` (WebAuthn 2, section 8.2.1).
const AAGUID_OID: &[u64] = &[1, 3, 6, 1, 4, 1, 45724, 1, 1, 4];

/// Signs attestations for the keys it makes: one root, one batch certificate, one model.
#[derive(Clone)]
pub struct Maker(Arc<Parts>);

struct Parts {
    aaguid: [u8; 16],
    root_pem: String,
    certificate: Vec<u8>,
    pair: EcdsaKeyPair,
}

impl Maker {
    /// A new authority, unknown to everybody, whose one model is `aaguid`.
    ///
    /// # Errors
    /// [`KeyError::Crypto`].
    pub fn new(name: &str, aaguid: [u8; 16]) -> Result<Self, KeyError> {
        let root_key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256)?;
        let mut root = CertificateParams::default();
        root.distinguished_name = subject(name, "Root", "Vitrine drills: test root");
        root.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        root.key_usages = vec![KeyUsagePurpose::KeyCertSign];
        let root = CertifiedIssuer::self_signed(root, root_key)?;

        let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256)?;
        let mut batch = CertificateParams::default();
        batch.distinguished_name = subject(name, "Authenticator Attestation", "Software key");
        batch.is_ca = IsCa::ExplicitNoCa;
        let mut octets = vec![0x04, 16];
        octets.extend_from_slice(&aaguid);
        batch.custom_extensions = vec![CustomExtension::from_oid_content(AAGUID_OID, octets)];
        let batch = batch.signed_by(&key, &root)?;

        let pair = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING, key.serialized_der())
            .map_err(|_| KeyError::Crypto)?;
        Ok(Self(Arc::new(Parts {
            aaguid,
            root_pem: root.pem(),
            certificate: batch.der().to_vec(),
            pair,
        })))
    }

    /// The root certificate, for a trust list.
    #[must_use]
    pub fn root_pem(&self) -> &str {
        &self.0.root_pem
    }

    /// The model id that its keys carry.
    #[must_use]
    pub fn aaguid(&self) -> [u8; 16] {
        self.0.aaguid
    }

    /// A trust list for `[keys] trust` that names this maker and its model. Only for tests: whoever is
    /// handed such keys holds them in software.
    #[must_use]
    pub fn trust_list(&self, model: &str) -> String {
        let aaguid = uuid::Uuid::from_bytes(self.0.aaguid);
        format!(
            "[[maker]]\nroots = ['''\n{}''']\nmodels = [{{ aaguid = \"{aaguid}\", name = \"{model}\" }}]\n",
            self.0.root_pem
        )
    }

    #[cfg(test)]
    pub(super) fn batch_key(&self) -> Vec<u8> {
        use aws_lc_rs::signature::KeyPair as _;
        self.0.pair.public_key().as_ref().to_vec()
    }

    /// The certificate chain of an attestation, without the root.
    pub(super) fn chain(&self) -> Vec<Vec<u8>> {
        vec![self.0.certificate.clone()]
    }

    pub(super) fn sign(&self, message: &[u8]) -> Result<Vec<u8>, KeyError> {
        let signature = self.0.pair.sign(&SystemRandom::new(), message);
        Ok(signature.map_err(|_| KeyError::Crypto)?.as_ref().to_vec())
    }
}

/// Subject names as WebAuthn 2, section 8.2.1 asks for: country, organisation, unit, name.
fn subject(organisation: &str, unit: &str, name: &str) -> DistinguishedName {
    let mut all = DistinguishedName::new();
    all.push(DnType::CountryName, "XX");
    all.push(DnType::OrganizationName, organisation);
    all.push(DnType::OrganizationalUnitName, unit);
    all.push(DnType::CommonName, name);
    all
}
