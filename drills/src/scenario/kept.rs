//! The people of a drill on disk, so that the next one plays on with their safe and its target.
//!
//! Trusted: whoever reads the file is those people, their custodian too, and opens what their drill safes keep. It is 0600.

use std::io::Write as _;
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::Path;

use quorum::Hash;
use quorum::evidence::Anchor;
use quorum::ids::{AuthenticatorId, SafeId, UserId};
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use super::break_glass::Cast;
use crate::client::{Held, Person};
use crate::key::{KeptKey, KeyError, Maker, SoftwareKey};

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Kept {
    ledger: String,
    safe: String,
    custodian: KeptPerson,
    engineer: KeptPerson,
    approvers: Vec<KeptPerson>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct KeptPerson {
    user: String,
    name: String,
    keys: Vec<KeptHeld>,
    /// Size and root of the newest tree that they have seen.
    pinned: Option<(u64, String)>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct KeptHeld {
    authenticator: String,
    software: bool,
    key: KeptKey,
}

/// Whether a drill kept its people there.
#[must_use]
pub fn are_kept(path: &Path) -> bool {
    path.exists()
}

/// Keeps them. Whoever is killed on the way leaves the file as it was.
pub(super) fn keep(path: &Path, ledger: Hash, safe: SafeId, cast: &Cast) -> Result<(), String> {
    let all = |people: &[Person]| people.iter().map(kept).collect::<Result<Vec<_>, _>>();
    let whole = || -> Result<Kept, KeyError> {
        Ok(Kept {
            ledger: ledger.to_string(),
            safe: safe.to_string(),
            custodian: kept(&cast.custodian)?,
            engineer: kept(&cast.engineer)?,
            approvers: all(&cast.approvers)?,
        })
    };
    let whole = whole().map_err(|e| e.to_string())?;
    let text = serde_json::to_vec(&whole).map(Zeroizing::new);
    let text = text.map_err(|e| e.to_string())?;
    let beside = path.with_extension("new");
    let _ = std::fs::remove_file(&beside);
    std::fs::OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(&beside)
        .and_then(|mut file| file.write_all(&text).and_then(|()| file.sync_all()))
        .and_then(|()| std::fs::rename(&beside, path))
        .map_err(|e| format!("the people cannot be kept in {}: {e}", path.display()))
}

fn kept(person: &Person) -> Result<KeptPerson, KeyError> {
    let held = |held: &Held| {
        Ok(KeptHeld {
            authenticator: held.authenticator.to_string(),
            software: held.software,
            key: held.key.danger_kept()?,
        })
    };
    Ok(KeptPerson {
        user: person.user.to_string(),
        name: person.name.clone(),
        keys: person
            .keys
            .iter()
            .map(held)
            .collect::<Result<_, KeyError>>()?,
        pinned: person.pinned.map(|p| (p.size, p.root.to_string())),
    })
}

/// Those people again, with nobody signed in, and their safe.
pub(super) fn people(path: &Path, ledger: Hash, maker: &Maker) -> Result<(Cast, SafeId), String> {
    let unusable = |why: &str| format!("the people in {}: {why}", path.display());
    let file = std::fs::File::open(path).map_err(|e| unusable(&e.to_string()))?;
    let mode = file.metadata().map_err(|e| unusable(&e.to_string()))?;
    if mode.permissions().mode() & 0o077 != 0 {
        return Err(unusable("others may read it; chmod 600"));
    }
    let text = std::fs::read(path).map(Zeroizing::new);
    let text = text.map_err(|e| unusable(&e.to_string()))?;
    let whole: Kept =
        serde_json::from_slice(&text).map_err(|_| unusable("not what a drill keeps"))?;
    if whole.ledger != ledger.to_string() {
        return Err(unusable("they belong to another ledger"));
    }
    let read = || -> Option<(Cast, SafeId)> {
        let cast = Cast {
            custodian: person(&whole.custodian, maker)?,
            engineer: person(&whole.engineer, maker)?,
            approvers: whole
                .approvers
                .iter()
                .map(|p| person(p, maker))
                .collect::<Option<_>>()?,
        };
        Some((cast, whole.safe.parse().ok()?))
    };
    read().ok_or_else(|| unusable("not what a drill keeps"))
}

fn person(kept: &KeptPerson, maker: &Maker) -> Option<Person> {
    let held = |held: &KeptHeld| {
        Some(Held {
            authenticator: held.authenticator.parse::<AuthenticatorId>().ok()?,
            software: held.software,
            key: SoftwareKey::danger_from_kept(&held.key, maker).ok()?,
        })
    };
    let pinned = match &kept.pinned {
        Some((size, root)) => Some(Anchor {
            size: *size,
            root: root.parse().ok()?,
        }),
        None => None,
    };
    Some(Person {
        user: kept.user.parse::<UserId>().ok()?,
        name: kept.name.clone(),
        keys: kept.keys.iter().map(held).collect::<Option<_>>()?,
        session: None,
        pinned,
    })
}
