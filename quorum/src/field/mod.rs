//! Typed members of canonical objects: one codec for each type of FORMATS.md 3, and the two macros
//! that declare a structure or a closed list once and derive its reader and writer.

mod codecs;

use std::fmt;
use std::str::FromStr;

pub(crate) use codecs::{
    Blob, Bytes, Count, Distinct, Flag, List, Number, Opt, Raw, Seqs, Text, Time, Verbatim,
};

use crate::hash::Hash;
use crate::ids;
use crate::json::{Object, Value};

/// What is wrong with a member.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// It has to be there and isn't.
    Missing,
    /// It is there and nothing of that name belongs there.
    Unknown,
    /// A value of another type.
    Type,
    /// The right type, but outside the closed list, the length or the range.
    Value,
}

/// A member that breaks the types of FORMATS.md 3.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FieldError {
    /// The member's path, dotted from the outermost object; list items are not numbered.
    pub member: String,
    /// What is wrong with it.
    pub fault: Fault,
}

impl FieldError {
    /// A fault of the member of that name.
    pub(crate) fn at(member: &str, fault: Fault) -> Self {
        Self {
            member: member.to_owned(),
            fault,
        }
    }

    pub(crate) const fn here(fault: Fault) -> Self {
        Self {
            member: String::new(),
            fault,
        }
    }

    fn within(mut self, name: &str) -> Self {
        if !self.member.is_empty() {
            self.member.insert(0, '.');
        }
        self.member.insert_str(0, name);
        self
    }
}

impl fmt::Display for FieldError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let what = match self.fault {
            Fault::Missing => "is missing",
            Fault::Unknown => "does not belong there",
            Fault::Type => "has the wrong type",
            Fault::Value => "has a value that is not allowed",
        };
        write!(f, "`{}` {what}", self.member)
    }
}

impl std::error::Error for FieldError {}

/// Reads and writes one type of member.
pub(crate) trait Codec {
    type Out;
    fn read(value: &Value) -> Result<Self::Out, FieldError>;
    fn write(out: &Self::Out) -> Value;

    /// Takes the member out of an object that is being read.
    fn take(from: &mut Object, name: &str) -> Result<Self::Out, FieldError> {
        let value = from
            .remove(name)
            .ok_or(FieldError::here(Fault::Missing).within(name))?;
        Self::read(&value).map_err(|e| e.within(name))
    }

    /// Puts the member into an object that is being written.
    fn put(out: &Self::Out, into: &mut Object, name: &str) {
        into.insert(name.to_owned(), Self::write(out));
    }
}

/// A structure whose members may stand among others in the same object.
pub(crate) trait Members: Sized {
    /// The names of its members.
    const NAMES: &'static [&'static str];
    fn take_members(from: &mut Object) -> Result<Self, FieldError>;
    fn put_members(&self, into: &mut Object);
}

/// Refuses what is left over once everything known was taken.
pub(crate) fn nothing_left(from: &Object) -> Result<(), FieldError> {
    no_others(from, &[])
}

/// Refuses members of other names. Asked before anything is read: what is unknown comes before what is false.
pub(crate) fn no_others(from: &Object, known: &[&[&str]]) -> Result<(), FieldError> {
    let unknown = |name: &&String| !known.iter().any(|names| names.contains(&name.as_str()));
    match from.keys().find(unknown) {
        None => Ok(()),
        Some(name) => Err(FieldError::at(name, Fault::Unknown)),
    }
}

/// Reads a structure that is a whole object.
pub(crate) fn read_object<M: Members>(value: &Value) -> Result<M, FieldError> {
    let Value::Obj(members) = value else {
        return Err(FieldError::here(Fault::Type));
    };
    no_others(members, &[M::NAMES])?;
    M::take_members(&mut members.clone())
}

/// Writes a structure that is a whole object.
pub(crate) fn write_object<M: Members>(out: &M) -> Value {
    let mut members = Object::new();
    out.put_members(&mut members);
    Value::Obj(members)
}

/// Reads something that has one written form.
pub(crate) fn read_form<T: FromStr>(value: &Value) -> Result<T, FieldError> {
    codecs::string(value)?
        .parse()
        .map_err(|_| FieldError::here(Fault::Value))
}

/// Gives a codec to types whose text is `Display` and `FromStr`.
macro_rules! forms {
    ($($name:ty),* $(,)?) => {$(
        impl $crate::field::Codec for $name {
            type Out = Self;

            fn read(value: &$crate::json::Value) -> Result<Self, $crate::field::FieldError> {
                $crate::field::read_form(value)
            }

            fn write(out: &Self) -> $crate::json::Value {
                $crate::json::Value::Str(out.to_string())
            }
        }
    )*};
}
pub(crate) use forms;

forms!(
    Hash,
    ids::UserId,
    ids::AuthenticatorId,
    ids::SafeId,
    ids::CredentialId,
    ids::RequestId,
    ids::TargetId,
    ids::KeyId,
    ids::RotationId,
    ids::GrantId,
);

/// Declares a closed list of words.
macro_rules! words {
    ($(#[$doc:meta])* $name:ident { $($(#[$vdoc:meta])* $variant:ident = $word:literal,)* }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum $name {
            $($(#[$vdoc])* $variant,)*
        }

        impl $name {
            /// The word for it in every format.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $word,)* }
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(self.as_str())
            }
        }

        impl std::str::FromStr for $name {
            type Err = $crate::field::NotListed;

            fn from_str(word: &str) -> Result<Self, $crate::field::NotListed> {
                match word {
                    $($word => Ok(Self::$variant),)*
                    _ => Err($crate::field::NotListed),
                }
            }
        }

        $crate::field::forms!($name);
    };
}
pub(crate) use words;

/// A word that is not in its closed list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NotListed;

impl fmt::Display for NotListed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "not in the closed list")
    }
}

impl std::error::Error for NotListed {}

/// Declares a structure by its members: `name: Type as Codec`, or `name: Type` where the type is its own codec.
macro_rules! members {
    (@codec $ty:ty) => { $ty };
    (@codec $ty:ty, $codec:ty) => { $codec };
    ($(#[$doc:meta])* $name:ident { $($(#[$fdoc:meta])* $field:ident: $ty:ty $(as $codec:ty)?,)* }) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq)]
        pub struct $name {
            $($(#[$fdoc])* pub $field: $ty,)*
        }

        impl $crate::field::Members for $name {
            const NAMES: &'static [&'static str] = &[$(stringify!($field)),*];

            fn take_members(
                from: &mut $crate::json::Object,
            ) -> Result<Self, $crate::field::FieldError> {
                Ok(Self {
                    $($field: <$crate::field::members!(@codec $ty $(, $codec)?) as $crate::field::Codec>::take(from, stringify!($field))?,)*
                })
            }

            fn put_members(&self, into: &mut $crate::json::Object) {
                $(<$crate::field::members!(@codec $ty $(, $codec)?) as $crate::field::Codec>::put(&self.$field, into, stringify!($field));)*
            }
        }

        impl $crate::field::Codec for $name {
            type Out = Self;

            fn read(value: &$crate::json::Value) -> Result<Self, $crate::field::FieldError> {
                $crate::field::read_object(value)
            }

            fn write(out: &Self) -> $crate::json::Value {
                $crate::field::write_object(out)
            }
        }
    };
}
pub(crate) use members;
