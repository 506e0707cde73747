//! One codec for each type of FORMATS.md 3 that is not a structure or a closed list.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use super::{Codec, Fault, FieldError};
use crate::json::{MAX_INT, Object, Value};

/// `name?`: absent when there is nothing to say.
pub(crate) struct Opt<C>(C);

impl<C: Codec> Codec for Opt<C> {
    type Out = Option<C::Out>;

    fn read(value: &Value) -> Result<Self::Out, FieldError> {
        C::read(value).map(Some)
    }

    fn write(out: &Self::Out) -> Value {
        out.as_ref().map_or(Value::Bool(false), C::write)
    }

    fn take(from: &mut Object, name: &str) -> Result<Self::Out, FieldError> {
        if from.contains_key(name) {
            C::take(from, name).map(Some)
        } else {
            Ok(None)
        }
    }

    fn put(out: &Self::Out, into: &mut Object, name: &str) {
        if let Some(out) = out {
            C::put(out, into, name);
        }
    }
}

/// A string of 1 to 200 code points.
pub(crate) struct Text;

impl Codec for Text {
    type Out = String;

    fn read(value: &Value) -> Result<String, FieldError> {
        let text = string(value)?;
        let length = text.chars().count();
        if (1..=200).contains(&length) {
            Ok(text.to_owned())
        } else {
            Err(FieldError::here(Fault::Value))
        }
    }

    fn write(out: &String) -> Value {
        Value::Str(out.clone())
    }
}

/// An integer from `MIN`: 1 for counts, lengths of time and sizes, 0 for `needed` and `counter`.
pub(crate) struct AtLeast<const MIN: u64>;

/// `version`, `epoch`, `m`, `denials`, `size`, `*_s`.
pub(crate) type Count = AtLeast<1>;
/// `needed`, `counter`, and seqs.
pub(crate) type Number = AtLeast<0>;

impl<const MIN: u64> Codec for AtLeast<MIN> {
    type Out = u64;

    fn read(value: &Value) -> Result<u64, FieldError> {
        let int = value.as_int().ok_or(FieldError::here(Fault::Type))?;
        u64::try_from(int)
            .ok()
            .filter(|n| *n >= MIN)
            .ok_or(FieldError::here(Fault::Value))
    }

    fn write(out: &u64) -> Value {
        Value::Int(i64::try_from(*out).unwrap_or(MAX_INT))
    }
}

/// Microseconds since 1970 UTC, never before.
pub(crate) struct Time;

impl Codec for Time {
    type Out = i64;

    fn read(value: &Value) -> Result<i64, FieldError> {
        let time = value.as_int().ok_or(FieldError::here(Fault::Type))?;
        if time >= 0 {
            Ok(time)
        } else {
            Err(FieldError::here(Fault::Value))
        }
    }

    fn write(out: &i64) -> Value {
        Value::Int(*out)
    }
}

/// `true` or `false`.
pub(crate) struct Flag;

impl Codec for Flag {
    type Out = bool;

    fn read(value: &Value) -> Result<bool, FieldError> {
        if let Value::Bool(flag) = value {
            Ok(*flag)
        } else {
            Err(FieldError::here(Fault::Type))
        }
    }

    fn write(out: &bool) -> Value {
        Value::Bool(*out)
    }
}

/// Exactly `N` bytes as base64url.
pub(crate) struct Bytes<const N: usize>;

impl<const N: usize> Codec for Bytes<N> {
    type Out = [u8; N];

    fn read(value: &Value) -> Result<[u8; N], FieldError> {
        binary(value)?
            .try_into()
            .map_err(|_| FieldError::here(Fault::Value))
    }

    fn write(out: &[u8; N]) -> Value {
        Value::Str(URL_SAFE_NO_PAD.encode(out))
    }
}

/// `MIN` to `MAX` bytes as base64url.
pub(crate) struct Blob<const MIN: usize, const MAX: usize>;

/// Bytes of any length, as they came.
pub(crate) type Raw = Blob<0, { usize::MAX }>;

impl<const MIN: usize, const MAX: usize> Codec for Blob<MIN, MAX> {
    type Out = Vec<u8>;

    fn read(value: &Value) -> Result<Vec<u8>, FieldError> {
        let bytes = binary(value)?;
        if (MIN..=MAX).contains(&bytes.len()) {
            Ok(bytes)
        } else {
            Err(FieldError::here(Fault::Value))
        }
    }

    fn write(out: &Vec<u8>) -> Value {
        Value::Str(URL_SAFE_NO_PAD.encode(out))
    }
}

/// A list in the order given.
pub(crate) struct List<C>(C);

impl<C: Codec> Codec for List<C> {
    type Out = Vec<C::Out>;

    fn read(value: &Value) -> Result<Vec<C::Out>, FieldError> {
        value
            .as_list()
            .ok_or(FieldError::here(Fault::Type))?
            .iter()
            .map(C::read)
            .collect()
    }

    fn write(out: &Vec<C::Out>) -> Value {
        Value::Arr(out.iter().map(C::write).collect())
    }
}

/// A list without repetition.
pub(crate) struct Distinct<C>(C);

impl<C: Codec<Out: Ord>> Codec for Distinct<C> {
    type Out = Vec<C::Out>;

    fn read(value: &Value) -> Result<Vec<C::Out>, FieldError> {
        let items = List::<C>::read(value)?;
        let mut seen = std::collections::BTreeSet::new();
        if items.iter().all(|item| seen.insert(item)) {
            Ok(items)
        } else {
            Err(FieldError::here(Fault::Value))
        }
    }

    fn write(out: &Vec<C::Out>) -> Value {
        List::<C>::write(out)
    }
}

/// Seqs, strictly ascending.
pub(crate) struct Seqs;

impl Codec for Seqs {
    type Out = Vec<u64>;

    fn read(value: &Value) -> Result<Vec<u64>, FieldError> {
        let seqs = List::<Number>::read(value)?;
        if seqs.is_sorted_by(|a, b| a < b) {
            Ok(seqs)
        } else {
            Err(FieldError::here(Fault::Value))
        }
    }

    fn write(out: &Vec<u64>) -> Value {
        List::<Number>::write(out)
    }
}

/// An object that is compared, not read.
pub(crate) struct Verbatim;

impl Codec for Verbatim {
    type Out = Value;

    fn read(value: &Value) -> Result<Value, FieldError> {
        if value.as_object().is_some() {
            Ok(value.clone())
        } else {
            Err(FieldError::here(Fault::Type))
        }
    }

    fn write(out: &Value) -> Value {
        out.clone()
    }
}

pub(super) fn string(value: &Value) -> Result<&str, FieldError> {
    value.as_str().ok_or(FieldError::here(Fault::Type))
}

fn binary(value: &Value) -> Result<Vec<u8>, FieldError> {
    URL_SAFE_NO_PAD
        .decode(string(value)?)
        .map_err(|_| FieldError::here(Fault::Value))
}
