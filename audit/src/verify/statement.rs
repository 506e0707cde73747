//! What people signed (FORMATS.md 4): from canonical bytes to typed statements.

use aws_lc_rs::digest;

use super::event::{Founding, Roles};
use super::json::{Kind as Json, Value};
use super::lie::{Judged, hold, lie, unknown};
use super::schema::{self, Found, Member, check};
use super::text::{self, Hash, Id};

/// A person's word, before anybody looked at the key it was given with.
pub(super) struct Statement {
    pub(super) signer: Id,
    pub(super) nonce: [u8; 32],
    /// `H("statement", bytes)`: the challenge.
    pub(super) hash: Hash,
    pub(super) kind: Kind,
}

/// What is stated.
pub(super) enum Kind {
    Invite(Invite),
    Roles {
        roles: Roles,
        user: Id,
    },
    Enrol(Box<Enrol>),
    KeyAct {
        act: KeyAct,
        authenticator: Id,
        user: Id,
    },
    Request(Box<Request>),
    Decision(Decision),
    Acceptance {
        authenticator: Id,
        on: On,
    },
    Import(Import),
    Setting,
    Clock {
        entry: Hash,
        time: i64,
    },
    /// `login`, `register`, `prove`: never in a ledger.
    Passing,
}

pub(super) struct Invite {
    pub(super) expires: i64,
    pub(super) invitation: Hash,
    pub(super) name: String,
    pub(super) roles: Roles,
    pub(super) user: Id,
}

pub(super) struct Enrol {
    pub(super) authenticator: Id,
    pub(super) credential_id: Vec<u8>,
    pub(super) invitation: Option<Hash>,
    pub(super) name: String,
    pub(super) public_key: [u8; 65],
    pub(super) registration: Hash,
    pub(super) share_key: Option<[u8; 32]>,
    pub(super) user: Id,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum KeyAct {
    Revoke,
    Suspend,
    Unsuspend,
}

pub(super) struct Request {
    pub(super) expires: i64,
    pub(super) request: Id,
    pub(super) requester_name: String,
    pub(super) roster: Hash,
    pub(super) safe: Id,
    pub(super) purpose: Purpose,
}

/// The filed request that a decision or an acceptance is about.
pub(super) struct On {
    /// Its `request.filed`.
    pub(super) entry: Hash,
    /// The id that `subject` gives, only to find what to compare it with.
    pub(super) request: Option<Id>,
    /// `H("statement", subject)`: equal to the request's own, or the subject differs.
    pub(super) subject: Hash,
}

pub(super) struct Decision {
    pub(super) deny: bool,
    pub(super) on: On,
}

#[derive(PartialEq, Eq)]
pub(super) struct Import {
    pub(super) credential: Id,
    pub(super) envelope: Hash,
    pub(super) safe: Id,
    pub(super) version: i64,
}

/// What a request is for; equal when every member that both the request and its acting entry have is equal.
#[derive(PartialEq, Eq)]
pub(super) enum Purpose {
    Release(Release),
    Access(Access),
    Roster(NewRoster),
    Role(NewRole),
    Target(NewTarget),
    Reseal {
        delivery_key: [u8; 32],
        versions: Vec<OneVersion>,
    },
    Destroy {
        versions: Vec<OneVersion>,
    },
    Restore,
}

#[derive(PartialEq, Eq)]
pub(super) struct Release {
    pub(super) credential: Id,
    pub(super) duration_s: i64,
    pub(super) envelope: Hash,
    pub(super) epoch: i64,
    pub(super) open_within_s: i64,
    pub(super) version: i64,
}

#[derive(PartialEq, Eq)]
pub(super) struct Access {
    pub(super) duration_s: i64,
    pub(super) epoch: i64,
    pub(super) needed: i64,
    pub(super) role: Hash,
    pub(super) role_name: String,
    pub(super) target: Id,
}

#[derive(PartialEq, Eq)]
pub(super) struct NewRoster {
    pub(super) approvers: Vec<Approver>,
    pub(super) denials: i64,
    pub(super) drill: bool,
    pub(super) epoch: i64,
    pub(super) grant_life_s: i64,
    pub(super) m: i64,
    pub(super) name: String,
    pub(super) request_life_s: i64,
}

#[derive(PartialEq, Eq)]
pub(super) struct Approver {
    pub(super) authenticators: Vec<Id>,
    pub(super) name: String,
    pub(super) user: Id,
}

#[derive(PartialEq, Eq)]
pub(super) struct NewRole {
    pub(super) access: Hash,
    pub(super) max_s: i64,
    pub(super) name: String,
    pub(super) needed: i64,
    pub(super) previous: Hash,
    pub(super) target: Id,
    pub(super) windows: Vec<String>,
}

#[derive(PartialEq, Eq)]
pub(super) struct NewTarget {
    pub(super) account: String,
    pub(super) address: String,
    pub(super) connector: String,
    pub(super) credential: Id,
    pub(super) pin: Vec<u8>,
    pub(super) target: Id,
}

#[derive(PartialEq, Eq)]
pub(super) struct OneVersion {
    pub(super) credential: Id,
    pub(super) envelope: Hash,
    pub(super) version: i64,
}

/// `H("thing", content)`.
pub(super) fn labelled(thing: &str, content: &[u8]) -> Hash {
    let mut context = digest::Context::new(&digest::SHA256);
    context.update(b"vitrine/");
    context.update(thing.as_bytes());
    context.update(b"/v1\n");
    context.update(content);
    let mut out = [0; 32];
    out.copy_from_slice(context.finish().as_ref());
    out
}

const GONE: &str = "a member is missing";

pub(super) fn id(value: Value<'_>, name: &str) -> Judged<Id> {
    let plain = value.get(name).and_then(Value::plain);
    plain.and_then(text::id).ok_or(lie(GONE))
}

pub(super) fn hash(value: Value<'_>, name: &str) -> Judged<Hash> {
    let plain = value.get(name).and_then(Value::plain);
    plain.and_then(text::hex).ok_or(lie(GONE))
}

pub(super) fn int(value: Value<'_>, name: &str) -> Judged<i64> {
    value.get(name).and_then(Value::int).ok_or(lie(GONE))
}

pub(super) fn string(value: Value<'_>, name: &str) -> Judged<String> {
    value.get(name).and_then(Value::text).ok_or(lie(GONE))
}

pub(super) fn ids(value: Value<'_>, name: &str) -> Judged<Vec<Id>> {
    let list = value.get(name).ok_or(lie(GONE))?;
    list.children()
        .map(|(_, item)| item.plain().and_then(text::id).ok_or(lie(GONE)))
        .collect()
}

fn bytes<const N: usize>(value: Value<'_>, name: &str) -> Judged<[u8; N]> {
    let plain = value.get(name).and_then(Value::plain);
    plain.and_then(text::base64url_array).ok_or(lie(GONE))
}

fn roles(value: Value<'_>) -> Judged<Roles> {
    let mut roles = Roles::default();
    for (_, item) in value.get("roles").ok_or(lie(GONE))?.children() {
        let at = schema::ROLES
            .iter()
            .position(|w| Some(w.as_bytes()) == item.plain());
        roles.add(at.ok_or(lie(GONE))?);
    }
    Ok(roles)
}

impl Invite {
    /// Reads an invitation that passed its table.
    pub(super) fn read(value: Value<'_>) -> Judged<Invite> {
        Ok(Invite {
            expires: int(value, "expires")?,
            invitation: hash(value, "invitation")?,
            name: string(value, "name")?,
            roles: roles(value)?,
            user: id(value, "user")?,
        })
    }
}

/// Entry 1: the whole invitation as an object, with no signer. Gives the nonce too.
pub(super) fn first_invitation(
    data: Value<'_>,
    founding: &Founding,
    found: &mut Found,
) -> Option<(Invite, [u8; 32])> {
    check(data, [schema::FIRST, &[]], found);
    if let Some(kind) = data.get("kind").and_then(Value::unescaped) {
        members(&kind, data, found);
    }
    if !found.is_clean() {
        return None;
    }
    let read = || {
        hold(
            data.get("kind").and_then(Value::plain) == Some(b"invite"),
            "the first person is not invited by an invitation",
        )?;
        of_this_ledger(data, founding)?;
        Ok((Invite::read(data)?, bytes(data, "nonce")?))
    };
    found.judge(read())
}

fn of_this_ledger(statement: Value<'_>, founding: &Founding) -> Judged {
    hold(
        hash(statement, "ledger")? == founding.ledger,
        "the statement is for another ledger",
    )
}

/// The members of a purpose, by its name.
pub(super) fn purpose_members(purpose: &[u8]) -> Option<&'static [Member]> {
    Some(match purpose {
        b"release" => schema::RELEASE,
        b"access" => schema::ACCESS,
        b"roster" => schema::ROSTER,
        b"role" => schema::ROLE,
        b"target" => schema::TARGET,
        b"reseal" => schema::RESEAL,
        b"destroy" => schema::DESTROY,
        b"restore" => schema::RESTORE,
        _ => return None,
    })
}

/// The tables of a statement of that kind; notes what is unknown about it.
fn members(kind: &[u8], statement: Value<'_>, found: &mut Found) -> Option<[&'static [Member]; 2]> {
    Some(match kind {
        b"login" => [schema::LOGIN, &[]],
        b"register" => [schema::REGISTER, &[]],
        b"prove" => [schema::PROVE, &[]],
        b"invite" => [schema::COMMON, schema::INVITE],
        b"roles" => [schema::COMMON, schema::CHANGE_ROLES],
        b"enrol" => [schema::COMMON, schema::ENROL],
        b"revoke" | b"suspend" | b"unsuspend" => [schema::COMMON, schema::KEY_ACT],
        b"approval" => [schema::COMMON, schema::APPROVAL],
        b"acceptance" => [schema::COMMON, schema::ACCEPTANCE],
        b"import" => [schema::COMMON, schema::IMPORT],
        b"setting" => [schema::COMMON, schema::SETTING],
        b"clock" => [schema::COMMON, schema::CLOCK],
        b"request" => {
            let Some(purpose) = statement.get("purpose").and_then(Value::unescaped) else {
                found.note(lie("`purpose` is missing"));
                return None;
            };
            let Some(members) = purpose_members(&purpose) else {
                found.note(unknown("an unknown purpose"));
                return None;
            };
            [schema::REQUEST, members]
        }
        _ => {
            found.note(unknown("an unknown kind"));
            return None;
        }
    })
}

impl Statement {
    /// Reads `statement`, the parsed form of `spelt`; notes what is wrong.
    pub(super) fn read(
        statement: Value<'_>,
        spelt: &[u8],
        founding: &Founding,
        found: &mut Found,
    ) -> Option<Statement> {
        // A later version of the format may have anything, so its number comes first.
        if let Some(v) = statement.get("v").and_then(Value::int)
            && v != 1
        {
            found.note(unknown("an unknown `v`"));
            return None;
        }
        let kind = statement.get("kind");
        let Some(word) = kind.and_then(Value::unescaped) else {
            found.note(lie("`kind` is missing"));
            return None;
        };
        let tables = members(&word, statement, found)?;
        check(statement, tables, found);
        if !found.is_clean() {
            return None;
        }
        found.judge(Self::typed(statement, &word, spelt, founding))
    }

    fn typed(
        statement: Value<'_>,
        word: &[u8],
        spelt: &[u8],
        founding: &Founding,
    ) -> Judged<Statement> {
        of_this_ledger(statement, founding)?;
        let kind = match word {
            b"invite" => Kind::Invite(Invite::read(statement)?),
            b"roles" => Kind::Roles {
                roles: roles(statement)?,
                user: id(statement, "user")?,
            },
            b"enrol" => Kind::Enrol(Box::new(Enrol::read(statement)?)),
            b"revoke" | b"suspend" | b"unsuspend" => Kind::KeyAct {
                act: match word {
                    b"revoke" => KeyAct::Revoke,
                    b"suspend" => KeyAct::Suspend,
                    _ => KeyAct::Unsuspend,
                },
                authenticator: id(statement, "authenticator")?,
                user: id(statement, "user")?,
            },
            b"request" => Kind::Request(Box::new(Request {
                expires: int(statement, "expires")?,
                request: id(statement, "request")?,
                requester_name: string(statement, "requester_name")?,
                roster: hash(statement, "roster")?,
                safe: id(statement, "safe")?,
                purpose: {
                    let purpose = statement.get("purpose").and_then(Value::plain);
                    Purpose::read(purpose.unwrap_or_default(), statement)?
                },
            })),
            b"approval" => Kind::Decision(Decision {
                deny: statement.get("decision").and_then(Value::plain) == Some(b"deny"),
                on: On::read(statement)?,
            }),
            b"acceptance" => Kind::Acceptance {
                authenticator: id(statement, "authenticator")?,
                on: On::read(statement)?,
            },
            b"import" => Kind::Import(Import {
                credential: id(statement, "credential")?,
                envelope: hash(statement, "envelope")?,
                safe: id(statement, "safe")?,
                version: int(statement, "version")?,
            }),
            b"setting" => Kind::Setting,
            b"clock" => Kind::Clock {
                entry: hash(statement, "entry")?,
                time: int(statement, "time")?,
            },
            _ => Kind::Passing,
        };
        Ok(Statement {
            signer: match kind {
                Kind::Passing => Id::default(),
                _ => id(statement, "signer")?,
            },
            nonce: bytes(statement, "nonce")?,
            hash: labelled("statement", spelt),
            kind,
        })
    }
}

impl Enrol {
    fn read(statement: Value<'_>) -> Judged<Enrol> {
        let mut credential_id = Vec::new();
        statement
            .get("credential_id")
            .and_then(Value::plain)
            .and_then(|raw| text::base64url(raw, &mut credential_id))
            .ok_or(lie(GONE))?;
        Ok(Enrol {
            authenticator: id(statement, "authenticator")?,
            credential_id,
            invitation: match statement.get("invitation") {
                Some(_) => Some(hash(statement, "invitation")?),
                None => None,
            },
            name: string(statement, "name")?,
            public_key: {
                let point: [u8; 65] = bytes(statement, "public_key")?;
                // Libraries take the hybrid forms 06 and 07 too, and then one key has two spellings.
                hold(
                    matches!(point, [4, ..]),
                    "a public key is not an uncompressed point",
                )?;
                point
            },
            registration: hash(statement, "registration_sha256")?,
            share_key: match statement.get("share_key") {
                Some(_) => Some(bytes(statement, "share_key")?),
                None => None,
            },
            user: id(statement, "user")?,
        })
    }
}

impl On {
    fn read(statement: Value<'_>) -> Judged<On> {
        let subject = statement.get("subject").ok_or(lie(GONE))?;
        hold(subject.kind() == Json::Object, GONE)?;
        Ok(On {
            entry: hash(statement, "entry")?,
            request: id(subject, "request").ok(),
            subject: labelled("statement", subject.raw()),
        })
    }
}

impl NewRoster {
    /// Reads a `new` that passed its table.
    pub(super) fn read(new: Value<'_>) -> Judged<NewRoster> {
        let list = new.get("approvers").ok_or(lie(GONE))?;
        let approvers: Judged<Vec<_>> = list
            .children()
            .map(|(_, item)| {
                Ok(Approver {
                    authenticators: ids(item, "authenticators")?,
                    name: string(item, "name")?,
                    user: id(item, "user")?,
                })
            })
            .collect();
        Ok(NewRoster {
            approvers: approvers?,
            denials: int(new, "denials")?,
            drill: new.get("drill").and_then(Value::flag).ok_or(lie(GONE))?,
            epoch: int(new, "epoch")?,
            grant_life_s: int(new, "grant_life_s")?,
            m: int(new, "m")?,
            name: string(new, "name")?,
            request_life_s: int(new, "request_life_s")?,
        })
    }
}

fn versions(value: Value<'_>) -> Judged<Vec<OneVersion>> {
    let list = value.get("versions").ok_or(lie(GONE))?;
    list.children()
        .map(|(_, item)| {
            Ok(OneVersion {
                credential: id(item, "credential")?,
                envelope: hash(item, "envelope")?,
                version: int(item, "version")?,
            })
        })
        .collect()
}

impl Purpose {
    /// Reads the members of `purpose` out of a request or an acting entry that passed its table.
    pub(super) fn read(purpose: &[u8], from: Value<'_>) -> Judged<Purpose> {
        Ok(match purpose {
            b"release" => Purpose::Release(Release {
                credential: id(from, "credential")?,
                duration_s: int(from, "duration_s")?,
                envelope: hash(from, "envelope")?,
                epoch: int(from, "epoch")?,
                open_within_s: int(from, "open_within_s")?,
                version: int(from, "version")?,
            }),
            b"access" => Purpose::Access(Access {
                duration_s: int(from, "duration_s")?,
                epoch: int(from, "epoch")?,
                needed: int(from, "needed")?,
                role: hash(from, "role")?,
                role_name: string(from, "role_name")?,
                target: id(from, "target")?,
            }),
            b"roster" => Purpose::Roster(NewRoster::read(from.get("new").ok_or(lie(GONE))?)?),
            b"role" => Purpose::Role(NewRole {
                access: hash(from, "access")?,
                max_s: int(from, "max_s")?,
                name: string(from, "name")?,
                needed: int(from, "needed")?,
                previous: hash(from, "previous")?,
                target: id(from, "target")?,
                windows: {
                    let list = from.get("windows").ok_or(lie(GONE))?;
                    let items = list.children().map(|(_, item)| item.text());
                    items.collect::<Option<_>>().ok_or(lie(GONE))?
                },
            }),
            b"target" => Purpose::Target(NewTarget {
                account: string(from, "account")?,
                address: string(from, "address")?,
                connector: string(from, "connector")?,
                credential: id(from, "credential")?,
                pin: {
                    let pin = from.get("pin").and_then(Value::plain);
                    pin.ok_or(lie(GONE))?.to_vec()
                },
                target: id(from, "target")?,
            }),
            b"reseal" => Purpose::Reseal {
                delivery_key: bytes(from, "delivery_key")?,
                versions: versions(from)?,
            },
            b"destroy" => Purpose::Destroy {
                versions: versions(from)?,
            },
            _ => Purpose::Restore,
        })
    }
}
