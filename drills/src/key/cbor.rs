//! The CBOR that an authenticator writes (CTAP 2.1, section 8: canonical, so members are pushed in that order).

use ciborium::Value;

use super::KeyError;

pub(super) fn bytes(content: &[u8]) -> Value {
    Value::Bytes(content.to_vec())
}

pub(super) fn text(content: &str) -> Value {
    Value::Text(content.to_owned())
}

pub(super) fn encode(value: &Value) -> Result<Vec<u8>, KeyError> {
    let mut out = Vec::new();
    ciborium::into_writer(value, &mut out).map_err(|_| KeyError::Crypto)?;
    Ok(out)
}

/// A P-256 key in COSE form (RFC 9053, section 7.1.1): EC2, ES256, P-256, x, y.
pub(super) fn cose_key(x: &[u8], y: &[u8]) -> Value {
    let int = |n: i64| Value::Integer(n.into());
    Value::Map(vec![
        (int(1), int(2)),
        (int(3), int(-7)),
        (int(-1), int(1)),
        (int(-2), bytes(x)),
        (int(-3), bytes(y)),
    ])
}

/// An attestation object (WebAuthn 2, section 6.5): `packed` with a certificate chain, or `none`.
pub(super) fn attestation_object(
    authenticator_data: &[u8],
    packed: Option<(&[u8], Vec<Vec<u8>>)>,
) -> Result<Vec<u8>, KeyError> {
    let (format, statement) = match packed {
        None => ("none", Vec::new()),
        Some((signature, chain)) => (
            "packed",
            vec![
                (text("alg"), Value::Integer((-7).into())),
                (text("sig"), bytes(signature)),
                (
                    text("x5c"),
                    Value::Array(chain.into_iter().map(Value::Bytes).collect()),
                ),
            ],
        ),
    };
    encode(&Value::Map(vec![
        (text("fmt"), text(format)),
        (text("attStmt"), Value::Map(statement)),
        (text("authData"), bytes(authenticator_data)),
    ]))
}
