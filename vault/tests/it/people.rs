//! People and their keys over time: further keys, lost and copied ones, invitations, sessions, terminals, rosters.

use drills::client::{
    Asking, By, Client, Error, Invitation, NewSafe, Person, PollSecret, ReleaseAsk, Result, Token,
    b64, now_us,
};
use drills::key::{SoftwareKey, Tweaks};
use quorum::Hash;
use quorum::ids::UserId;
use quorum::statement::{
    Decision, Invite, KeyAct, Kind, NewRoster, Purpose, Role, RosterPurpose, Statement,
};
use serde_json::{Value, json};

use crate::app::{House, Under, admit};

fn refused<T>(answer: Result<T>, status: u16, words: &str) {
    let e = answer.err().expect("it was not refused");
    assert_eq!(e.status(), Some(status), "{e}");
    assert!(e.to_string().contains(words), "{words} is not in: {e}");
}

fn act(person: &Person, key: usize) -> KeyAct {
    KeyAct {
        authenticator: person.keys[key].authenticator,
        user: person.user,
        why: "For the test.".into(),
    }
}

async fn you(client: &Client, by: By<'_>) -> Result<Value> {
    Ok(client.get("/you", by).await?.body)
}

async fn events(house: &House, event: &str) -> usize {
    house
        .client
        .lines(&house.custodian, event)
        .await
        .unwrap()
        .len()
}

fn copy_of(token: &Token) -> Token {
    Token::new(token.expose().to_owned())
}

/// A touch of `key` that signs somebody in.
async fn sign_in(client: &Client, key: &SoftwareKey, user: UserId) -> Result<Token> {
    let begun = client
        .post("/login/start", By::nobody(), &json!({}))
        .await?;
    let pre = begun.pre.unwrap();
    let statement = Statement {
        ledger: client.ledger(),
        nonce: nonce(&begun.body),
        signer: None,
        kind: Kind::Login,
    };
    let mut body = client.touch(key, &statement)?.json();
    body["user_handle"] = json!(b64(user.as_bytes()));
    let by = By {
        pre: Some(&pre),
        ..By::nobody()
    };
    Ok(client
        .post("/login/finish", by, &body)
        .await?
        .session
        .unwrap())
}

fn nonce(body: &Value) -> [u8; 32] {
    use base64::Engine as _;
    let text = body["nonce"].as_str().unwrap();
    let bytes = base64::engine::general_purpose::URL_SAFE_NO_PAD
        .decode(text)
        .unwrap();
    bytes.try_into().unwrap()
}

// --- keys

both!(a_further_key_is_admitted_by_one_that_lives);
async fn a_further_key_is_admitted_by_one_that_lives(under: Under) {
    let mut house = House::furnished(under).await;
    let client = &house.client;
    let mut person = house.approvers.remove(0);
    let key = || SoftwareKey::new(&house.maker).unwrap();
    let place = client.add_key(&mut person, 0, key()).await.unwrap();
    assert_eq!(place, 1);
    let shown = client.you(&person).await.unwrap();
    assert_eq!(shown.keys.len(), 2);
    assert!(shown.keys.iter().all(|k| k.live && k.share && k.software));
    // Either signs in.
    for key in [0, 1] {
        client.login(&mut person, key).await.unwrap();
    }
    // Not by somebody else's key, though that one lives.
    let mut other = house.approvers.remove(0);
    std::mem::swap(&mut person.keys[0].key, &mut other.keys[0].key);
    refused(
        client.add_key(&mut person, 0, key()).await,
        400,
        "not one of yours",
    );
    std::mem::swap(&mut person.keys[0].key, &mut other.keys[0].key);
    // Not without an admission at all, nor with an invitation's words.
    let begun = client.key_start(&person).await.unwrap();
    assert_eq!(begun.exclude.len(), 2);
    assert_eq!(
        client.join_with(begun, key()).await.err().unwrap().status(),
        Some(409)
    );
    // Not by a suspended key, not by a revoked one.
    client.suspend(&person, 1, &act(&person, 0)).await.unwrap();
    refused(
        client.add_key(&mut person, 0, key()).await,
        409,
        "no longer signs",
    );
    client.revoke(&person, 1, &act(&person, 0)).await.unwrap();
    refused(
        client.add_key(&mut person, 0, key()).await,
        409,
        "no longer signs",
    );
    client.add_key(&mut person, 1, key()).await.unwrap();
    assert_eq!(events(&house, "authenticator.enrolled").await, 7);
}

both!(ones_own_key_is_revoked_for_good);
async fn ones_own_key_is_revoked_for_good(under: Under) {
    let mut house = House::furnished(under).await;
    let client = &house.client;
    let key = SoftwareKey::new(&house.maker).unwrap();
    client.add_key(&mut house.engineer, 0, key).await.unwrap();
    let with_first = copy_of(house.engineer.session.as_ref().unwrap());
    client.login(&mut house.engineer, 1).await.unwrap();
    // Nobody but the owner and custodians.
    refused(
        client
            .revoke(&house.approvers[0], 0, &act(&house.engineer, 0))
            .await,
        403,
        "Your roles do not allow this",
    );
    // By a statement that names this key, at this address.
    let mut wrong = act(&house.engineer, 0);
    wrong.user = house.custodian.user;
    assert_eq!(
        client
            .revoke(&house.engineer, 1, &wrong)
            .await
            .err()
            .unwrap()
            .status(),
        Some(403),
        "a key was called somebody else's"
    );
    let elsewhere = format!("/keys/{}/suspend", house.engineer.keys[0].authenticator);
    let signed = client
        .sign(&house.engineer, 1, Kind::Revoke(act(&house.engineer, 0)))
        .unwrap();
    let body = json!({ "signed": signed.json() });
    refused(
        client.post(&elsewhere, house.engineer.by(), &body).await,
        400,
        "another act",
    );
    assert_eq!(events(&house, "authenticator.revoked").await, 0);

    client
        .revoke(&house.engineer, 1, &act(&house.engineer, 0))
        .await
        .unwrap();
    refused(
        you(client, By::session(&with_first)).await,
        401,
        "not signed in",
    );
    refused(
        client.login(&mut house.engineer, 0).await,
        400,
        "no longer signs",
    );
    // Twice is once; and nothing brings it back.
    refused(
        client
            .revoke(&house.engineer, 1, &act(&house.engineer, 0))
            .await,
        409,
        "revoked before",
    );
    refused(
        client
            .suspend(&house.engineer, 1, &act(&house.engineer, 0))
            .await,
        409,
        "no longer signs",
    );
    refused(
        client
            .unsuspend(&house.custodian, 0, &act(&house.engineer, 0))
            .await,
        409,
        "not suspended",
    );
    // It signs nothing: not even what its owner's live session sends.
    refused(
        client
            .suspend(&house.engineer, 0, &act(&house.engineer, 1))
            .await,
        409,
        "no longer signs",
    );
    // The same touch is worth nothing a second time.
    let twice = client
        .sign(&house.engineer, 1, Kind::Suspend(act(&house.engineer, 1)))
        .unwrap();
    let path = format!("/keys/{}/suspend", house.engineer.keys[1].authenticator);
    let body = json!({ "signed": twice.json() });
    client
        .post(&path, house.engineer.by(), &body)
        .await
        .unwrap();
    // With the last key resting, the session rests as well.
    refused(
        client.post(&path, house.engineer.by(), &body).await,
        401,
        "not signed in",
    );
    assert_eq!(events(&house, "authenticator.revoked").await, 1);
}

both!(a_suspended_key_rests_until_a_custodian_restores_it);
async fn a_suspended_key_rests_until_a_custodian_restores_it(under: Under) {
    let mut house = House::furnished(under).await;
    let release = house.ask().await;
    house.approve(&release, &[0, 1]).await;
    let client = &house.client;
    let resting = act(&house.approvers[1], 0);
    client.suspend(&house.custodian, 0, &resting).await.unwrap();
    refused(
        client.suspend(&house.custodian, 0, &resting).await,
        409,
        "no longer signs",
    );
    refused(
        you(client, house.approvers[1].by()).await,
        401,
        "not signed in",
    );
    refused(
        client.login(&mut house.approvers[1], 0).await,
        400,
        "no longer signs",
    );
    // What it had approved does not count while it rests.
    refused(client.opening(house.engineer.by(), &release).await, 409, "");
    let safe = client.safe(&house.engineer, house.safe).await.unwrap();
    assert_eq!(safe.margin, 0);
    // Its owner cannot wake it, with another key of theirs either; nor can a colleague.
    refused(
        client.unsuspend(&house.approvers[0], 0, &resting).await,
        403,
        "Your roles",
    );
    client
        .unsuspend(&house.custodian, 0, &resting)
        .await
        .unwrap();
    refused(
        client.unsuspend(&house.custodian, 0, &resting).await,
        409,
        "not suspended",
    );
    client.login(&mut house.approvers[1], 0).await.unwrap();
    let opened = client.open(&mut house.engineer, &release).await.unwrap();
    assert_eq!(opened.plaintext.len(), 24);
    for (event, times) in [
        ("authenticator.suspended", 1),
        ("authenticator.restored", 1),
    ] {
        assert_eq!(events(&house, event).await, times, "{event}");
    }
}

/// The same key as a thief has it, and the original moved on.
async fn copied(house: &mut House) -> SoftwareKey {
    let copy = house.engineer.keys[0].key.danger_copy();
    for _ in 0..3 {
        house.client.login(&mut house.engineer, 0).await.unwrap();
    }
    copy
}

async fn distrusted(house: &mut House, before: usize) {
    assert_eq!(events(house, "authenticator.distrusted").await, before + 1);
    let client = &house.client;
    refused(you(client, house.engineer.by()).await, 401, "not signed in");
    refused(
        client.login(&mut house.engineer, 0).await,
        400,
        "no longer signs",
    );
    client
        .unsuspend(&house.custodian, 0, &act(&house.engineer, 0))
        .await
        .unwrap();
    client.login(&mut house.engineer, 0).await.unwrap();
    house.ask().await;
}

both!(a_counter_that_went_back_suspends_the_key_whatever_it_signed);
async fn a_counter_that_went_back_suspends_the_key_whatever_it_signed(under: Under) {
    let mut house = House::furnished(under).await;
    // At the door.
    let thief = copied(&mut house).await;
    let answer = sign_in(&house.client, &thief, house.engineer.user).await;
    refused(answer.map(|_| ()), 409, "counter went back");
    distrusted(&mut house, 0).await;
    // By the session of its owner: a filing.
    let mut thief = copied(&mut house).await;
    std::mem::swap(&mut house.engineer.keys[0].key, &mut thief);
    let answer = house.try_ask(&ReleaseAsk::because("Stolen.")).await;
    refused(answer.map(|_| ()), 409, "counter went back");
    std::mem::swap(&mut house.engineer.keys[0].key, &mut thief);
    distrusted(&mut house, 1).await;
    // The same number twice is no rise.
    house.engineer.keys[0].key.tweaks.stuck_counter = true;
    let answer = house.try_ask(&ReleaseAsk::because("Stuck.")).await;
    refused(answer.map(|_| ()), 409, "counter went back");
    house.engineer.keys[0].key.tweaks.stuck_counter = false;
    distrusted(&mut house, 2).await;
    // A further key, admitted by the copy.
    let mut thief = copied(&mut house).await;
    std::mem::swap(&mut house.engineer.keys[0].key, &mut thief);
    let mine = SoftwareKey::new(&house.maker).unwrap();
    let answer = house.client.add_key(&mut house.engineer, 0, mine).await;
    refused(answer.map(|_| ()), 409, "counter went back");
    std::mem::swap(&mut house.engineer.keys[0].key, &mut thief);
    distrusted(&mut house, 3).await;
    let shown = house.client.you(&house.engineer).await.unwrap();
    assert_eq!(shown.keys.len(), 1, "the copy let a key in");
}

both!(a_counter_that_went_back_in_an_approval_is_no_approval);
/// Whether the request is new to the node or has just been before it.
async fn a_counter_that_went_back_in_an_approval_is_no_approval(under: Under) {
    let mut house = House::furnished(under).await;
    for before in [0, 1] {
        let release = house.ask().await;
        house.approve(&release, &[2][..before]).await;
        let mut copy = house.approvers[before].keys[0].key.danger_copy();
        for _ in 0..3 {
            let owner = &mut house.approvers[before];
            house.client.login(owner, 0).await.unwrap();
        }
        std::mem::swap(&mut house.approvers[before].keys[0].key, &mut copy);
        let thief = &mut house.approvers[before];
        let answer = house.client.approve(thief, 0, release.filed.request).await;
        refused(answer.map(|_| ()), 409, "counter went back");
        // Those of the first request are two.
        assert_eq!(events(&house, "request.approved").await, 3 * before);
        assert_eq!(events(&house, "authenticator.distrusted").await, before + 1);
        if before == 0 {
            house.approve(&release, &[2, 1]).await;
            let opened = house.client.open(&mut house.engineer, &release).await;
            opened.unwrap();
        }
    }
}

// --- touches that are not what they should be

/// What a key or browser does wrong, and the word that refuses it.
fn lies() -> Vec<(&'static str, Tweaks)> {
    let honest = Tweaks::default;
    vec![
        (
            "UP clear",
            Tweaks {
                user_absent: true,
                ..honest()
            },
        ),
        (
            "UV clear",
            Tweaks {
                user_unverified: true,
                ..honest()
            },
        ),
        (
            "BE set",
            Tweaks {
                backup_eligible: true,
                ..honest()
            },
        ),
        (
            "BE and BS set",
            Tweaks {
                backup_eligible: true,
                backed_up: true,
                ..honest()
            },
        ),
        (
            "BS set",
            Tweaks {
                backed_up: true,
                ..honest()
            },
        ),
        (
            "crossOrigin",
            Tweaks {
                cross_origin: true,
                ..honest()
            },
        ),
        (
            "topOrigin",
            Tweaks {
                top_origin: Some("http://localhost".into()),
                ..honest()
            },
        ),
        (
            "foreign origin",
            Tweaks {
                origin: Some("https://evil.example".into()),
                ..honest()
            },
        ),
        (
            "another port",
            Tweaks {
                origin: Some("http://localhost:1".into()),
                ..honest()
            },
        ),
        (
            "no port",
            Tweaks {
                origin: Some("http://localhost".into()),
                ..honest()
            },
        ),
        (
            "a subdomain",
            Tweaks {
                origin: Some("http://x.localhost".into()),
                ..honest()
            },
        ),
        (
            "a null origin",
            Tweaks {
                origin: Some("null".into()),
                ..honest()
            },
        ),
        (
            "another relying party",
            Tweaks {
                rp_id: Some("evil.example".into()),
                ..honest()
            },
        ),
        (
            "another type",
            Tweaks {
                kind: Some("payment.get".into()),
                ..honest()
            },
        ),
        (
            "bogus signature",
            Tweaks {
                bogus_signature: true,
                ..honest()
            },
        ),
    ]
}

both!(a_touch_that_lies_signs_nothing);
async fn a_touch_that_lies_signs_nothing(under: Under) {
    let mut house = House::furnished(under).await;
    let release = house.ask().await;
    let request = release.filed.request;
    let size = async |house: &House| {
        let about = house
            .client
            .get("/ledger", By::nobody())
            .await
            .unwrap()
            .body;
        about["size"].as_u64().unwrap()
    };
    let before = size(&house).await;
    let mut all = lies();
    all.push((
        "the other ceremony",
        Tweaks {
            kind: Some("webauthn.create".into()),
            ..Tweaks::default()
        },
    ));
    all.push((
        "own origin with a slash",
        Tweaks {
            origin: Some(format!("{}/", house.client.base())),
            ..Tweaks::default()
        },
    ));
    for (lie, tweaks) in all {
        let client = &house.client;
        house.engineer.keys[0].key.tweaks = tweaks.clone();
        let answer = sign_in(client, &house.engineer.keys[0].key, house.engineer.user).await;
        assert_eq!(
            answer.err().and_then(|e| e.status()),
            Some(400),
            "signed in: {lie}"
        );
        let answer = house.try_ask(&ReleaseAsk::because("A lie.")).await;
        assert_eq!(
            answer.err().and_then(|e| e.status()),
            Some(400),
            "filed: {lie}"
        );
        house.engineer.keys[0].key.tweaks = Tweaks::default();

        let approver = &mut house.approvers[0];
        let evidence = client.evidence(approver, request).await.unwrap();
        approver.keys[0].key.tweaks = tweaks.clone();
        for decision in [Decision::Approve, Decision::Deny] {
            let signed = client.decision(approver, 0, &evidence, decision).unwrap();
            let share = (decision == Decision::Approve).then(|| (1, vec![0; 80]));
            let answer = client
                .send_decision(approver, request, &signed, share)
                .await;
            assert_eq!(
                answer.err().and_then(|e| e.status()),
                Some(400),
                "{decision:?}: {lie}"
            );
        }
        approver.keys[0].key.tweaks = Tweaks::default();

        house.custodian.keys[0].key.tweaks = tweaks;
        let answer = client
            .invite(&house.custodian, "A Lie", &[Role::Custodian])
            .await;
        assert_eq!(
            answer.err().and_then(|e| e.status()),
            Some(400),
            "invited: {lie}"
        );
        let answer = client
            .suspend(&house.custodian, 0, &act(&house.approvers[0], 0))
            .await;
        assert_eq!(
            answer.err().and_then(|e| e.status()),
            Some(400),
            "suspended: {lie}"
        );
        house.custodian.keys[0].key.tweaks = Tweaks::default();
    }
    assert_eq!(size(&house).await, before, "a lie was entered");
    house.approve(&release, &[0, 1]).await;
    house
        .client
        .open(&mut house.engineer, &release)
        .await
        .unwrap();
}

both!(a_registration_that_lies_enrols_nothing);
async fn a_registration_that_lies_enrols_nothing(under: Under) {
    let house = House::furnished(under).await;
    let client = &house.client;
    let text = client
        .invite(&house.custodian, "New Person", &[Role::Approver])
        .await
        .unwrap()
        .expose();
    let invitation = || Invitation::parse(&text).unwrap();
    let before = events(&house, "authenticator.enrolled").await;
    let mut all = lies();
    all.push((
        "the other ceremony",
        Tweaks {
            kind: Some("webauthn.get".into()),
            ..Tweaks::default()
        },
    ));
    for (lie, tweaks) in all {
        // At create(), and at the touch that enrols.
        for at_create in [true, false] {
            if !at_create && tweaks.kind.as_deref() == Some("webauthn.get") {
                continue; // what that touch is
            }
            let mut key = SoftwareKey::new(&house.maker).unwrap();
            let begun = client.join_start(invitation()).await.unwrap();
            let answer = if at_create {
                key.tweaks = tweaks.clone();
                client.join_with(begun, key).await.map(|_| ())
            } else {
                enrol_with(client, begun, key, &tweaks).await
            };
            match answer {
                Ok(_) => panic!("enrolled: {lie}, at create: {at_create}"),
                // A key that is not verified has another PRF, so it can't open its own box either.
                Err(Error::Unproved(_)) => assert!(tweaks.user_unverified, "{lie}"),
                Err(e) => assert_eq!(e.status(), Some(400), "{lie}: {e}"),
            }
        }
    }
    assert_eq!(events(&house, "authenticator.enrolled").await, before);
    // The invitation was not used up by any of it.
    let person = client
        .join(invitation(), SoftwareKey::new(&house.maker).unwrap())
        .await
        .unwrap();
    assert!(person.keys[0].software);
}

/// Joins with an honest `create()` and a touch that lies.
async fn enrol_with(
    client: &Client,
    begun: drills::client::Registering,
    mut key: SoftwareKey,
    tweaks: &Tweaks,
) -> Result<()> {
    let made = client.register(&begun, &mut key)?;
    let authenticator =
        quorum::ids::AuthenticatorId::from_uuid_bytes(*uuid::Uuid::now_v7().as_bytes());
    let invitation = begun.invitation.as_ref().unwrap();
    let enrol = quorum::statement::Enrol {
        aaguid: key.aaguid(),
        authenticator,
        credential_id: key.credential_id().to_vec(),
        invitation: Some(invitation.hash()),
        name: begun.name.clone(),
        public_key: key.public_key()?,
        registration_sha256: made.registration.hash(),
        share_key: None,
        user: begun.user,
    };
    key.tweaks = tweaks.clone();
    let statement = client.statement(begun.user, Kind::Enrol(enrol))?;
    let signed = client.touch(&key, &statement)?;
    let body = json!({
        "invitation": invitation.expose().as_str(),
        "register": made.register,
        "registration": {
            "attestation_object": b64(&made.registration.attestation_object),
            "client_data_json": b64(&made.registration.client_data_json),
        },
        "signed": signed.json(),
    });
    let by = By {
        pre: Some(&begun.pre),
        ..By::nobody()
    };
    client.post("/join/finish", by, &body).await?;
    Ok(())
}

// --- invitations

both!(an_invitation_works_once);
async fn an_invitation_works_once(under: Under) {
    let house = House::furnished(under).await;
    let client = &house.client;
    let text = client
        .invite(&house.custodian, "Once Only", &[Role::Auditor])
        .await
        .unwrap()
        .expose();
    let invitation = || Invitation::parse(&text).unwrap();
    let key = || SoftwareKey::new(&house.maker).unwrap();
    // Five begin before any finishes; one gets in.
    let mut begun = Vec::new();
    for _ in 0..5 {
        begun.push(client.join_start(invitation()).await.unwrap());
    }
    let tries = begun.into_iter().map(|b| client.join_with(b, key()));
    let (joined, failed): (Vec<_>, Vec<_>) = futures::future::join_all(tries)
        .await
        .into_iter()
        .partition(Result::is_ok);
    assert_eq!((joined.len(), failed.len()), (1, 4));
    for e in failed {
        let status = e.err().unwrap().status();
        assert!([Some(400), Some(409)].contains(&status), "{status:?}");
    }
    refused(
        client.join_start(invitation()).await,
        400,
        "This invitation does not work",
    );
    let shown = client.people(&house.custodian).await.unwrap();
    let once = shown.iter().find(|p| p.name == "Once Only").unwrap();
    assert_eq!(once.keys.len(), 1);
    // Nor do bytes that nobody was given.
    let none = Invitation::parse(&b64(&[7; 32])).unwrap();
    refused(
        client.join_start(none).await,
        400,
        "This invitation does not work",
    );
}

/// Invites with an end of one's own.
async fn invite_until(house: &House, name: &str, expires: i64) -> Result<Invitation> {
    let token: [u8; 32] = *uuid::Uuid::new_v4()
        .as_bytes()
        .repeat(2)
        .first_chunk()
        .unwrap();
    let invite = Invite {
        expires,
        invitation: quorum::labelled("invitation", &[&token]),
        name: name.into(),
        roles: vec![Role::Auditor],
        user: UserId::from_uuid_bytes(*uuid::Uuid::now_v7().as_bytes()),
    };
    let signed = house
        .client
        .sign(&house.custodian, 0, Kind::Invite(invite))
        .unwrap();
    let body = json!({ "signed": signed.json() });
    house
        .client
        .post("/people", house.custodian.by(), &body)
        .await?;
    Ok(Invitation::parse(&b64(&token)).unwrap())
}

both!(an_invitation_ends_and_frees_its_name);
async fn an_invitation_ends_and_frees_its_name(under: Under) {
    let house = House::furnished(under).await;
    let client = &house.client;
    let day = 86_400_000_000;
    for (expires, why) in [(now_us() - 1, "past"), (now_us() + 15 * day, "too far")] {
        let answer = invite_until(&house, "Nobody", expires).await;
        assert_eq!(answer.err().and_then(|e| e.status()), Some(400), "{why}");
    }
    let soon = now_us() + 2_000_000;
    let short = invite_until(&house, "Ada Straße", soon).await.unwrap();
    let text = short.expose();
    let begun = client.join_start(short).await.unwrap();
    // The name is taken while it waits, however it is written.
    for name in ["Ada Straße", "ADA STRASSE"] {
        refused(
            invite_until(&house, name, now_us() + day).await,
            409,
            "that name is here already",
        );
    }
    while now_us() <= soon {
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    }
    let again = Invitation::parse(&text).unwrap();
    refused(
        client.join_start(again).await,
        400,
        "This invitation does not work",
    );
    let late = client
        .join_with(begun, SoftwareKey::new(&house.maker).unwrap())
        .await;
    refused(late, 400, "This invitation does not work");
    // Unused, it frees the name.
    let second = invite_until(&house, "Ada Strasse", now_us() + day)
        .await
        .unwrap();
    let person = client
        .join(second, SoftwareKey::new(&house.maker).unwrap())
        .await
        .unwrap();
    assert_eq!(person.name, "Ada Strasse");
    refused(
        invite_until(&house, "ada strasse", now_us() + day).await,
        409,
        "that name is here already",
    );
}

// --- sessions

both!(sessions_are_listed_and_ended);
async fn sessions_are_listed_and_ended(under: Under) {
    let mut house = House::furnished(under).await;
    let client = &house.client;
    let first = copy_of(house.engineer.session.as_ref().unwrap());
    client.login(&mut house.engineer, 0).await.unwrap();
    let second = copy_of(house.engineer.session.as_ref().unwrap());
    let shown = you(client, By::session(&second)).await.unwrap();
    let sessions = shown["sessions"].as_array().unwrap();
    assert_eq!(sessions.len(), 2, "{shown}");
    let of = |this: bool| {
        let found = sessions.iter().find(|s| s["this"] == this).unwrap();
        format!("/you/sessions/{}", found["session"].as_str().unwrap())
    };
    // Somebody else's is not there to be ended.
    let delete =
        async |path: &str, by: By<'_>| client.call(reqwest::Method::DELETE, path, by, None).await;
    refused(
        delete(&of(false), house.custodian.by()).await,
        404,
        "no such session",
    );
    you(client, By::session(&first)).await.unwrap();
    delete(&of(false), By::session(&second)).await.unwrap();
    refused(you(client, By::session(&first)).await, 401, "not signed in");
    refused(
        delete(&of(false), By::session(&second)).await,
        404,
        "no such session",
    );
    client.logout(&mut house.engineer).await.unwrap();
    refused(
        you(client, By::session(&second)).await,
        401,
        "not signed in",
    );
    // What is kept opens nothing: the token is not in the database.
    client.login(&mut house.engineer, 0).await.unwrap();
    let pool = house.app.thief().await;
    let rows = sqlx::query("SELECT id FROM sessions")
        .fetch_all(&pool)
        .await
        .unwrap();
    assert!(!rows.is_empty());
    for row in rows {
        use sqlx::Row;
        let kept: Vec<u8> = row.try_get(0).unwrap();
        let token = Token::new(b64(&kept));
        refused(you(client, By::session(&token)).await, 401, "not signed in");
    }
}

both!(an_idle_session_ends);
async fn an_idle_session_ends(under: Under) {
    let mut house = House::furnished(under).await;
    let pool = house.app.thief().await;
    let minute = 60_000_000_i64;
    let seen = async |ago: i64| {
        sqlx::query("UPDATE sessions SET seen = $1 WHERE user_id = $2")
            .bind(now_us() - ago * minute)
            .bind(house.engineer.user.to_string())
            .execute(&pool)
            .await
            .unwrap();
    };
    // Activity keeps it: 14 minutes, and 14 more.
    for _ in 0..2 {
        seen(14).await;
        you(&house.client, house.engineer.by()).await.unwrap();
        let (last,): (i64,) = sqlx::query_as("SELECT MAX(seen) FROM sessions WHERE user_id = $1")
            .bind(house.engineer.user.to_string())
            .fetch_one(&pool)
            .await
            .unwrap();
        assert!(now_us() - last < minute, "activity was not noted");
    }
    seen(15).await;
    refused(
        you(&house.client, house.engineer.by()).await,
        401,
        "not signed in",
    );
    refused(
        house
            .try_ask(&ReleaseAsk::because("Idle."))
            .await
            .map(|_| ()),
        401,
        "not signed in",
    );
    house.client.login(&mut house.engineer, 0).await.unwrap();
    house.ask().await;
}

both!(a_terminal_is_let_in_once_and_not_for_ever);
async fn a_terminal_is_let_in_once_and_not_for_ever(under: Under) {
    let mut house = House::furnished(under).await;
    let client = &house.client;
    let secret = PollSecret::draw().unwrap();
    let collect = async |secret: &PollSecret| {
        client
            .get("/terminals", By::poll(secret))
            .await
            .unwrap()
            .body
    };
    let grant = async |by: By<'_>, secret: &PollSecret| {
        let body = json!({ "poll": secret.hash().to_string(), "label": "vitrine on bastion-1" });
        client.post("/you/terminals", by, &body).await
    };
    refused(
        client.get("/terminals", By::nobody()).await,
        401,
        "not signed in",
    );
    assert_eq!(collect(&secret).await, json!({ "waiting": true }));
    refused(grant(By::nobody(), &secret).await, 401, "not signed in");
    grant(house.engineer.by(), &secret).await.unwrap();
    // Whoever saw the link has the hash, and not the secret.
    assert_eq!(collect(&PollSecret::draw().unwrap()).await["waiting"], true);
    let given = collect(&secret).await;
    assert_eq!(
        (&given["waiting"], &given["name"]),
        (&json!(false), &json!("Mara Lindqvist"))
    );
    assert_eq!(
        collect(&secret).await,
        json!({ "waiting": true }),
        "given twice"
    );
    let token = Token::new(given["token"].as_str().unwrap().to_owned());
    let bearer = By {
        bearer: Some(&token),
        ..By::nobody()
    };
    let shown = you(client, bearer).await.unwrap();
    assert_eq!(shown["user"], house.engineer.user.to_string());
    let sessions = shown["sessions"].as_array().unwrap();
    let terminal = sessions.iter().find(|s| s["terminal"] == true).unwrap();
    assert_eq!(
        (&terminal["agent"], &terminal["this"]),
        (&json!("vitrine on bastion-1"), &json!(true))
    );
    // It lets no other terminal in: its twelve hours would never end.
    let another = PollSecret::draw().unwrap();
    refused(grant(bearer, &another).await, 403, "cannot make another");
    assert_eq!(collect(&another).await["waiting"], true);
    // It is not idle after 15 minutes, and over after twelve hours.
    let pool = house.app.thief().await;
    let age = async |column: &'static str, minutes: i64| {
        let sql = match column {
            "seen" => "UPDATE sessions SET seen = $1 WHERE terminal = 1",
            _ => "UPDATE sessions SET created = $1 WHERE terminal = 1",
        };
        let then = now_us() - minutes * 60_000_000;
        sqlx::query(sql).bind(then).execute(&pool).await.unwrap();
        // What somebody else writes to the file is noticed with the next change of ours.
        let start = client.post("/login/start", By::nobody(), &json!({})).await;
        assert!(start.is_ok());
    };
    age("seen", 60).await;
    you(client, bearer).await.unwrap();
    age("created", 12 * 60 - 1).await;
    you(client, bearer).await.unwrap();
    age("created", 12 * 60).await;
    refused(you(client, bearer).await, 401, "not signed in");
    age("created", 1).await;
    // It goes with its key.
    client
        .suspend(&house.custodian, 0, &act(&house.engineer, 0))
        .await
        .unwrap();
    refused(you(client, bearer).await, 401, "not signed in");
    client
        .unsuspend(&house.custodian, 0, &act(&house.engineer, 0))
        .await
        .unwrap();
    you(client, bearer).await.unwrap();
    let path = format!("/you/sessions/{}", terminal["session"].as_str().unwrap());
    client.login(&mut house.engineer, 0).await.unwrap();
    client
        .call(reqwest::Method::DELETE, &path, house.engineer.by(), None)
        .await
        .unwrap();
    refused(you(client, bearer).await, 401, "not signed in");
    // A grant that nobody collects ends after five minutes.
    let late = PollSecret::draw().unwrap();
    grant(house.engineer.by(), &late).await.unwrap();
    sqlx::query("UPDATE terminals SET expires = $1")
        .bind(now_us() - 1)
        .execute(&pool)
        .await
        .unwrap();
    assert_eq!(collect(&late).await, json!({ "waiting": true }));
}

// --- rosters

fn with_keys(people: &[&Person], epoch: u64) -> NewRoster {
    NewSafe::drill("Production databases", 2, 3).roster(epoch, people)
}

async fn propose(house: &House, new: NewRoster) -> Result<drills::client::Filed> {
    let safe = house
        .client
        .safe(&house.custodian, house.safe)
        .await
        .unwrap();
    house
        .client
        .propose_roster(&house.custodian, &safe, new, "A change of people.")
        .await
}

async fn epoch(house: &House) -> u64 {
    house
        .client
        .safe(&house.custodian, house.safe)
        .await
        .unwrap()
        .epoch
}

both!(a_roster_changes_by_the_old_quorum_and_the_new_key);
async fn a_roster_changes_by_the_old_quorum_and_the_new_key(under: Under) {
    let mut house = House::furnished(under).await;
    let mut newcomer = admit(
        &house.client,
        &house.custodian,
        &house.maker,
        "Noor Haddad",
        &[Role::Approver],
    )
    .await;
    let before = house.ask().await; // filed under epoch 1, open after the change
    let new = with_keys(&[&house.approvers[0], &house.approvers[1], &newcomer], 2);
    let filed = propose(&house, new.clone()).await.unwrap();
    let rival = propose(&house, new).await.unwrap();
    let client = &house.client;
    // Whoever is not named has nothing to accept, and whoever is new has nothing to approve.
    let old_key = client
        .accept(&mut house.approvers[2], 0, filed.request)
        .await;
    refused(old_key, 400, "not named by that roster");
    let stranger = client.approve(&mut newcomer, 0, filed.request).await;
    refused(stranger, 403, "not on this safe's roster");
    // The new key and one approval are not enough; nor is the quorum without the key.
    client
        .accept(&mut newcomer, 0, filed.request)
        .await
        .unwrap();
    refused(
        client.accept(&mut newcomer, 0, filed.request).await,
        409,
        "accepted already",
    );
    client
        .approve(&mut house.approvers[0], 0, filed.request)
        .await
        .unwrap();
    assert_eq!(epoch(&house).await, 1);
    for approver in [0, 2] {
        client
            .approve(&mut house.approvers[approver], 0, rival.request)
            .await
            .unwrap();
    }
    assert_eq!(epoch(&house).await, 1, "set without the new key's word");
    // The one who leaves may say yes to it.
    let live = client
        .approve(&mut house.approvers[2], 0, filed.request)
        .await
        .unwrap();
    assert_eq!(live.state, "done");
    assert_eq!(epoch(&house).await, 2);
    assert_eq!(events(&house, "roster.set").await, 2);
    // The rival names a roster that is no longer in force: the key's word changes nothing.
    let _ = client.accept(&mut newcomer, 0, rival.request).await;
    assert_eq!(events(&house, "roster.set").await, 2);

    // The version sealed under epoch 1 takes m who are on both rosters.
    let removed = client
        .approve(&mut house.approvers[2], 0, before.filed.request)
        .await;
    refused(removed, 403, "not on this safe's roster");
    let evidence = client
        .evidence(&mut newcomer, before.filed.request)
        .await
        .unwrap();
    let signed = client
        .decision(&newcomer, 0, &evidence, Decision::Approve)
        .unwrap();
    let newly = client
        .send_decision(
            &newcomer,
            before.filed.request,
            &signed,
            Some((3, vec![0; 80])),
        )
        .await;
    refused(newly, 403, "not on this safe's roster");
    house.approve(&before, &[0, 1]).await;
    let client = &house.client;
    let opened = client.open(&mut house.engineer, &before).await.unwrap();
    assert_eq!(opened.plaintext.len(), 24);

    // What is sealed from now on is the new roster's.
    client
        .generate(&house.custodian, house.credential)
        .await
        .unwrap();
    let release = house.ask().await;
    let client = &house.client;
    client
        .approve(&mut newcomer, 0, release.filed.request)
        .await
        .unwrap();
    client
        .approve(&mut house.approvers[1], 0, release.filed.request)
        .await
        .unwrap();
    let opened = client.open(&mut house.engineer, &release).await.unwrap();
    assert_eq!((opened.version, opened.plaintext.len()), (2, 24));
}

both!(a_roster_change_that_strands_a_version_is_refused);
async fn a_roster_change_that_strands_a_version_is_refused(under: Under) {
    let mut house = House::furnished(under).await;
    let mut people = Vec::new();
    for name in ["Noor Haddad", "Olu Adeyemi"] {
        people.push(
            admit(
                &house.client,
                &house.custodian,
                &house.maker,
                name,
                &[Role::Approver],
            )
            .await,
        );
    }
    let before = events(&house, "request.filed").await;
    // One of the old three would stay; two are needed. Or three would be needed of the two that stay.
    let one_stays = with_keys(&[&house.approvers[0], &people[0], &people[1]], 2);
    refused(propose(&house, one_stays).await, 400, "on both rosters");
    let mut three_needed = with_keys(&[&house.approvers[0], &house.approvers[1], &people[1]], 2);
    three_needed.m = 3;
    three_needed.denials = 1;
    refused(propose(&house, three_needed).await, 400, "on both rosters");
    // Nor what no roster is.
    let all = [
        &house.approvers[0],
        &house.approvers[1],
        &house.approvers[2],
    ];
    let good = with_keys(&all, 2);
    let cases: Vec<(&str, NewRoster)> = vec![
        (
            "m above n",
            NewRoster {
                m: 4,
                ..good.clone()
            },
        ),
        (
            "a skipped epoch",
            NewRoster {
                epoch: 3,
                ..good.clone()
            },
        ),
        (
            "the same epoch",
            NewRoster {
                epoch: 1,
                ..good.clone()
            },
        ),
        (
            "no drill any more",
            NewRoster {
                drill: false,
                ..good.clone()
            },
        ),
        ("somebody twice", {
            let mut twice = good.clone();
            twice.approvers.push(twice.approvers[0].clone());
            twice
        }),
        ("nobody's key", {
            let mut wrong = good.clone();
            wrong.approvers[0].authenticators = wrong.approvers[1].authenticators.clone();
            wrong
        }),
        ("no key", {
            let mut wrong = good.clone();
            wrong.approvers[0].authenticators.clear();
            wrong
        }),
        ("another name", {
            let mut wrong = good.clone();
            wrong.approvers[0].name = "Mallory".into();
            wrong
        }),
        (
            "somebody who is no approver",
            with_keys(&[all[0], all[1], &house.engineer], 2),
        ),
        (
            "nobody",
            NewRoster {
                approvers: Vec::new(),
                m: 1,
                ..good.clone()
            },
        ),
    ];
    for (what, new) in cases {
        let e = propose(&house, new)
            .await
            .err()
            .unwrap_or_else(|| panic!("filed: {what}"));
        assert!(matches!(e.status(), Some(400 | 409)), "{what}: {e}");
    }
    // The approvers' own: not theirs to ask for.
    let safe = house
        .client
        .safe(&house.custodian, house.safe)
        .await
        .unwrap();
    let asking = Asking {
        safe: safe.safe,
        roster: safe.roster,
        purpose: Purpose::Roster(RosterPurpose { new: good }),
        reason: "We decide.".into(),
        ticket: None,
        life_s: 3600,
    };
    refused(
        house
            .client
            .file(&house.approvers[0], 0, &asking, None)
            .await,
        403,
        "custodian",
    );
    assert_eq!(
        events(&house, "request.filed").await,
        before,
        "one was filed"
    );
    assert_ne!(safe.roster, Hash::ZERO);
    house.opened().await;
}
