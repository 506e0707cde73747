//! The promises, by attack: with the database file, all backups, every token's PIN and m-1 approvers' keys in hand.

use std::time::{Duration, Instant};

use drills::client::{NewSafe, Person, ReleaseAsk};
use drills::key::SoftwareKey;
use quorum::ids::AuthenticatorId;
use quorum::secret::{self, Envelope, HalfH, OpenError, ShareEnvelope, ShareKey};
use quorum::statement::{Decision, Enrol, KeyAct, Kind, Purpose, Role, SecretKind, Statement};
use serde_json::json;
use sqlx::Row;

use crate::app::{House, TestApp, Under, admit};

async fn bytes(pool: &sqlx::AnyPool, sql: &'static str) -> Vec<u8> {
    sqlx::query(sql)
        .fetch_one(pool)
        .await
        .unwrap()
        .try_get(0)
        .unwrap()
}

/// What the HSM login gives to a thief: `h`, unwrapped outside the service by PIN and module. Run in a process of
/// its own, because SoftHSM's place comes from the environment.
#[test]
fn thief_with_the_pin_unwraps() {
    let Ok(job) = std::env::var("VITRINE_THIEF") else {
        return;
    };
    let job: serde_json::Value = serde_json::from_str(&job).unwrap();
    let dir = std::path::PathBuf::from(job["tokens"].as_str().unwrap());
    let token = hsm::Token::open(hsm::softhsm::spec(&dir, "custody-1").unwrap()).unwrap();
    let key: hsm::KeyId = job["key"].as_str().unwrap().parse().unwrap();
    let aad = hex::decode(job["aad"].as_str().unwrap()).unwrap();
    let h = token
        .unwrap(
            &key,
            &aad,
            &hex::decode(job["wrapped"].as_str().unwrap()).unwrap(),
        )
        .unwrap();
    println!("thief has h={}", hex::encode(h.expose()));
}

/// Runs the test above as the thief.
fn unwrap_as_thief(app: &TestApp, key: &str, aad: &[u8], wrapped: &[u8]) -> HalfH {
    let tokens = app.dir.path().join("data/tokens");
    let (name, value) = hsm::softhsm::environment(&tokens);
    let job = json!({ "tokens": tokens, "key": key, "aad": hex::encode(aad), "wrapped": hex::encode(wrapped) });
    let out = std::process::Command::new(std::env::current_exe().unwrap())
        .args([
            "attacks::thief_with_the_pin_unwraps",
            "--exact",
            "--nocapture",
        ])
        .env(name, value)
        .env("VITRINE_THIEF", job.to_string())
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&out.stdout).into_owned();
    let at = text
        .find("thief has h=")
        .unwrap_or_else(|| panic!("{text} {}", String::from_utf8_lossy(&out.stderr)))
        + 12;
    HalfH::copy_of(&hex::decode(&text[at..at + 64]).unwrap()).unwrap()
}

/// An approver's key opens its share envelope; the thief of that key does the same.
fn own_share(
    house: &House,
    approver: &Person,
    sealed: &ShareEnvelope,
    envelope: &Envelope,
) -> Result<secret::Share, OpenError> {
    let key = &approver.keys[0].key;
    let prf = secret::PrfOutput::copy_of(key.prf(&secret::PrfOutput::salt()).as_slice()).unwrap();
    let share_key = ShareKey::from_prf(
        &prf,
        key.credential_id(),
        &house.client.ledger(),
        approver.user,
    )
    .unwrap();
    secret::open_share(sealed, &share_key, envelope)
}

both!(p1_backup_of_pending_request);
async fn p1_backup_of_pending_request(under: Under) {
    let mut house = House::furnished(under).await;
    let release = house.ask().await;
    house.approve(&release, &[0, 1]).await; // approved and waiting
    let pool = house.app.thief().await;
    let envelope = Envelope::parse(&bytes(&pool, "SELECT envelope FROM versions").await).unwrap();
    let row =
        sqlx::query("SELECT wrapping_key, wrapped FROM custody ORDER BY wrapping_key LIMIT 1")
            .fetch_one(&pool)
            .await
            .unwrap();
    let key: String = row.try_get(0).unwrap();
    let aad = secret::custody_aad(key.parse().unwrap(), envelope.ctx());
    let h = unwrap_as_thief(
        &house.app,
        &key,
        &aad,
        &row.try_get::<Vec<u8>, _>(1).unwrap(),
    );
    let mut shares = Vec::new();
    for approver in &house.approvers {
        let row = sqlx::query("SELECT authenticator, x, sealed FROM shares WHERE approver = $1")
            .bind(approver.user.to_string())
            .fetch_one(&pool)
            .await
            .unwrap();
        let sealed = ShareEnvelope {
            approver: approver.user,
            authenticator: row.try_get::<String, _>(0).unwrap().parse().unwrap(),
            x: u8::try_from(row.try_get::<i64, _>(1).unwrap()).unwrap(),
            sealed: row.try_get(2).unwrap(),
        };
        shares.push((
            sealed.clone(),
            own_share(&house, approver, &sealed, &envelope).unwrap(),
        ));
    }
    // m-1 keys: his own share, and what was re-sealed for the requester.
    let delivered =
        sqlx::query("SELECT x, sealed, statement FROM casts WHERE sealed IS NOT NULL ORDER BY seq")
            .fetch_all(&pool)
            .await
            .unwrap();
    assert_eq!(delivered.len(), 2);
    for row in delivered {
        let sealed: Vec<u8> = row.try_get(1).unwrap();
        let x = u8::try_from(row.try_get::<i64, _>(0).unwrap()).unwrap();
        let challenge = quorum::statement::challenge(&row.try_get::<Vec<u8>, _>(2).unwrap());
        let other = secret::DeliveryKey::generate().unwrap();
        assert!(secret::open_delivered_share(&sealed, x, &other, &challenge, &envelope).is_err());
        let as_envelope = ShareEnvelope {
            approver: house.approvers[0].user,
            authenticator: house.approvers[0].keys[0].authenticator,
            x,
            sealed,
        };
        assert!(own_share(&house, &house.approvers[0], &as_envelope, &envelope).is_err());
    }
    let one = shares.remove(0).1;
    assert!(
        secret::combine(&envelope, std::slice::from_ref(&one), &h).is_err(),
        "m-1 shares and h opened it"
    );
    // The attack can succeed: with m shares it does.
    let two = shares.remove(0).1;
    let opened =
        secret::combine(&envelope, &[one, two], &h).unwrap_or_else(|e| panic!("{}", e.code()));
    assert_eq!(opened.len(), 24);
}

both!(p1_edit_share_key_then_rotate);
async fn p1_edit_share_key_then_rotate(under: Under) {
    let house = House::furnished(under).await;
    let pool = house.app.thief().await;
    let mine = secret::DeliveryKey::generate().unwrap().public().unwrap();
    sqlx::query("UPDATE authenticators SET share_key = $1 WHERE user_id = $2")
        .bind(mine.to_vec())
        .bind(house.approvers[0].user.to_string())
        .execute(&pool)
        .await
        .unwrap();
    let refused = house
        .client
        .generate(&house.custodian, house.credential)
        .await
        .unwrap_err();
    assert_eq!(
        refused.problem().unwrap().kind,
        "urn:vitrine:tampered",
        "{refused}"
    );
    let sealed: i64 = sqlx::query("SELECT COUNT(*) FROM versions")
        .fetch_one(&pool)
        .await
        .unwrap()
        .try_get(0)
        .unwrap();
    assert_eq!(sealed, 1, "a version was sealed under a changed row");
}

both!(p1_edit_m_then_rotate);
async fn p1_edit_m_then_rotate(under: Under) {
    let house = House::furnished(under).await;
    let pool = house.app.thief().await;
    sqlx::query("UPDATE safes SET m = 1")
        .execute(&pool)
        .await
        .unwrap();
    assert!(
        house
            .client
            .generate(&house.custodian, house.credential)
            .await
            .is_err()
    );
    sqlx::query("UPDATE safes SET m = 2")
        .execute(&pool)
        .await
        .unwrap();
    house
        .client
        .generate(&house.custodian, house.credential)
        .await
        .unwrap();
}

both!(p1_custodian_adds_key_to_approver);
async fn p1_custodian_adds_key_to_approver(under: Under) {
    let house = House::furnished(under).await;
    let victim = &house.approvers[0];
    // The custodian begins a key of his own, and writes the approver's name over his everywhere.
    let mut begun = house.client.key_start(&house.custodian).await.unwrap();
    for (user, name) in [
        (victim.user, victim.name.clone()),
        (house.custodian.user, house.custodian.name.clone()),
    ] {
        let mut key = SoftwareKey::new(&house.maker).unwrap();
        begun.user = user;
        begun.name = name;
        let made = house.client.register(&begun, &mut key).unwrap();
        let enrol = Enrol {
            aaguid: key.aaguid(),
            authenticator: AuthenticatorId::from_uuid_bytes(*uuid::Uuid::now_v7().as_bytes()),
            credential_id: key.credential_id().to_vec(),
            invitation: None,
            name: victim.name.clone(),
            public_key: key.public_key().unwrap(),
            registration_sha256: made.registration.hash(),
            share_key: None,
            user: victim.user,
        };
        let statement = house
            .client
            .statement(victim.user, Kind::Enrol(enrol))
            .unwrap();
        let signed = house.client.touch(&key, &statement).unwrap();
        let admission = house
            .client
            .touch_bytes(&house.custodian.keys[0].key, signed.statement.as_bytes())
            .unwrap()
            .json();
        let body = json!({
            "register": made.register, "signed": signed.json(),
            "registration": {
                "attestation_object": drills::client::b64(&made.registration.attestation_object),
                "client_data_json": drills::client::b64(&made.registration.client_data_json),
            },
            "admission": { "credential_id": admission["credential_id"], "assertion": admission["assertion"] },
        });
        let by = drills::client::By {
            pre: Some(&begun.pre),
            ..house.custodian.by()
        };
        let refused = house.client.post("/you/keys/finish", by, &body).await;
        assert!(refused.is_err(), "a custodian gave an approver a key");
    }
    let shown = house.client.people(&house.engineer).await.unwrap();
    let approver = shown.iter().find(|p| p.user == victim.user).unwrap();
    assert_eq!(approver.keys.len(), 1);
}

both!(p2_replaced_delivery_key);
async fn p2_replaced_delivery_key(under: Under) {
    let mut house = House::furnished(under).await;
    let release = house.ask().await;
    let pool = house.app.thief().await;
    let mut statement = Statement::parse(
        &bytes(
            &pool,
            "SELECT statement FROM requests WHERE purpose = 'release'",
        )
        .await,
    )
    .unwrap();
    let mine = secret::DeliveryKey::generate().unwrap().public().unwrap();
    if let Kind::Request(request) = &mut statement.kind
        && let Purpose::Release(r) = &mut request.purpose
    {
        r.delivery_key = mine;
    }
    sqlx::query("UPDATE requests SET statement = $1 WHERE purpose = 'release'")
        .bind(statement.bytes())
        .execute(&pool)
        .await
        .unwrap();
    // The approver's own client reads the signed entry, not the row; what it signs no longer fits the row.
    assert!(
        house
            .client
            .approve(&mut house.approvers[0], 0, release.filed.request)
            .await
            .is_err()
    );
    let stored: i64 = sqlx::query("SELECT COUNT(*) FROM casts WHERE sealed IS NOT NULL")
        .fetch_one(&pool)
        .await
        .unwrap()
        .try_get(0)
        .unwrap();
    assert_eq!(stored, 0, "a share was sealed for the thief's key");
}

both!(p2_opened_twice);
async fn p2_opened_twice(under: Under) {
    let mut house = House::furnished(under).await;
    let release = house.ask().await;
    house.approve(&release, &[0, 2]).await;
    let mut tries = Vec::new();
    for _ in 0..8 {
        let (client, by, request) = (
            house.app.client().await,
            house.engineer.session.as_ref().unwrap().expose().to_owned(),
            release.filed.request,
        );
        tries.push(tokio::spawn(async move {
            let token = drills::client::Token::new(by);
            client
                .post(
                    &format!("/requests/{request}/open"),
                    drills::client::By::session(&token),
                    &json!({}),
                )
                .await
                .is_ok()
        }));
    }
    for t in tries {
        t.await.unwrap();
    }
    let entries = house
        .client
        .lines(&house.custodian, "release.opened")
        .await
        .unwrap();
    assert_eq!(entries.len(), 1, "{entries:?}");
}

both!(p3_login_challenge_is_a_statement_hash);
async fn p3_login_challenge_is_a_statement_hash(under: Under) {
    let mut house = House::furnished(under).await;
    let release = house.ask().await;
    // A false page makes an approver "log in" over the hash of an approval: the server must not take either for the other.
    let evidence = house
        .client
        .evidence(&mut house.approvers[0], release.filed.request)
        .await
        .unwrap();
    let approval = house
        .client
        .decision(&house.approvers[0], 0, &evidence, Decision::Approve)
        .unwrap();
    let answer = house
        .client
        .post("/login/start", drills::client::By::nobody(), &json!({}))
        .await
        .unwrap();
    let pre = answer.pre.unwrap();
    let by = drills::client::By {
        pre: Some(&pre),
        ..drills::client::By::nobody()
    };
    let mut body = approval.json();
    body["user_handle"] = json!(drills::client::b64(house.approvers[0].user.as_bytes()));
    assert!(
        house.client.post("/login/finish", by, &body).await.is_err(),
        "an approval signed somebody in"
    );
    // And a login signed as such is no approval.
    let login = Statement {
        ledger: house.client.ledger(),
        nonce: [9; 32],
        signer: None,
        kind: Kind::Login,
    };
    let signed = house
        .client
        .touch(&house.approvers[0].keys[0].key, &login)
        .unwrap();
    assert!(
        house
            .client
            .send_decision(&house.approvers[0], release.filed.request, &signed, None)
            .await
            .is_err()
    );
    // A raw challenge of the server's choice, signed by the key, is nothing at all.
    let answer = house
        .client
        .post("/login/start", drills::client::By::nobody(), &json!({}))
        .await
        .unwrap();
    let pre = answer.pre.unwrap();
    let mut body = house
        .client
        .touch_bytes(&house.approvers[0].keys[0].key, b"{}")
        .unwrap()
        .json();
    body["user_handle"] = json!(drills::client::b64(house.approvers[0].user.as_bytes()));
    let by = drills::client::By {
        pre: Some(&pre),
        ..drills::client::By::nobody()
    };
    assert!(house.client.post("/login/finish", by, &body).await.is_err());
}

both!(p3_swapped_names);
async fn p3_swapped_names(under: Under) {
    let mut house = House::furnished(under).await;
    let other = house
        .client
        .add_credential(
            &house.custodian,
            house.safe,
            "guest wifi",
            SecretKind::Password,
        )
        .await
        .unwrap();
    house
        .client
        .generate(&house.custodian, other.credential)
        .await
        .unwrap();
    let pool = house.app.thief().await;
    // The rows now call the superuser "guest wifi" and the other way round, and the engineer "Helga Brandt".
    for sql in [
        "UPDATE credentials SET name = 'x' WHERE name = 'guest wifi'",
        "UPDATE credentials SET name = 'guest wifi' WHERE name = 'orders-primary superuser'",
        "UPDATE credentials SET name = 'orders-primary superuser' WHERE name = 'x'",
    ] {
        sqlx::query(sql).execute(&pool).await.unwrap();
    }
    let release = house.ask().await;
    sqlx::query(
        "UPDATE users SET name = 'Nobody Special', folded = 'nobody special' WHERE user_id = $1",
    )
    .bind(house.engineer.user.to_string())
    .execute(&pool)
    .await
    .unwrap();
    let evidence = house
        .client
        .evidence(&mut house.approvers[0], release.filed.request)
        .await
        .unwrap();
    let Purpose::Release(asked) = &evidence.asked.purpose else {
        panic!()
    };
    assert_eq!(
        asked.sealed_as.name, "orders-primary superuser",
        "the approver reads what was sealed, not the row"
    );
    assert_eq!(evidence.asked.requester_name, "Mara Lindqvist");
    // A filing under the swapped name is refused: it is not what was sealed.
    let credential = house
        .client
        .credential(&house.custodian, house.credential)
        .await
        .unwrap();
    assert_eq!(
        credential.current().unwrap().sealed_as().unwrap().name,
        "orders-primary superuser"
    );
}

both!(p3_context_of_another_credential);
async fn p3_context_of_another_credential(under: Under) {
    let mut house = House::furnished(under).await;
    let other = house
        .client
        .add_credential(
            &house.custodian,
            house.safe,
            "guest wifi",
            SecretKind::Password,
        )
        .await
        .unwrap();
    house
        .client
        .generate(&house.custodian, other.credential)
        .await
        .unwrap();
    let harmless = {
        let credential = house
            .client
            .credential(&house.engineer, other.credential)
            .await
            .unwrap();
        let version = credential.current().unwrap().clone();
        house
            .client
            .ask_release(
                &house.engineer,
                0,
                &credential,
                &version,
                &ReleaseAsk::because("Guests."),
            )
            .await
            .unwrap()
    };
    // The shares of the superuser stand where those of the wifi were: approving one must not open the other.
    let pool = house.app.thief().await;
    sqlx::query("DELETE FROM shares WHERE credential = $1")
        .bind(other.credential.to_string())
        .execute(&pool)
        .await
        .unwrap();
    sqlx::query("UPDATE shares SET credential = $1 WHERE credential = $2")
        .bind(other.credential.to_string())
        .bind(house.credential.to_string())
        .execute(&pool)
        .await
        .unwrap();
    assert!(
        house
            .client
            .approve(&mut house.approvers[0], 0, harmless.filed.request)
            .await
            .is_err()
    );
    sqlx::query("UPDATE versions SET envelope = (SELECT v.envelope FROM versions v WHERE v.credential = $1) WHERE credential = $2")
        .bind(house.credential.to_string())
        .bind(other.credential.to_string())
        .execute(&pool)
        .await
        .unwrap();
    assert!(
        house
            .client
            .approve(&mut house.approvers[0], 0, harmless.filed.request)
            .await
            .is_err()
    );
}

both!(p3_removed_or_revoked_after_approval);
async fn p3_removed_or_revoked_after_approval(under: Under) {
    let mut house = House::furnished(under).await;
    let release = house.ask().await;
    house.approve(&release, &[0, 1]).await;
    let gone = KeyAct {
        authenticator: house.approvers[1].keys[0].authenticator,
        user: house.approvers[1].user,
        why: "Lost on the train.".into(),
    };
    house
        .client
        .revoke(&house.custodian, 0, &gone)
        .await
        .unwrap();
    let refused = house
        .client
        .open(&mut house.engineer, &release)
        .await
        .err()
        .unwrap();
    assert_eq!(refused.status(), Some(409), "{refused}");
    house.approve(&release, &[2]).await;
    house
        .client
        .open(&mut house.engineer, &release)
        .await
        .unwrap();
}

both!(p3_removed_after_approval);
/// Whoever leaves the roster has not signed any more, though the request was reached.
async fn p3_removed_after_approval(under: Under) {
    let mut house = House::furnished(under).await;
    let release = house.ask().await;
    house.approve(&release, &[0, 1]).await;
    let (client, custodian) = (&house.client, &house.custodian);
    let shown = client.safe(custodian, house.safe).await.unwrap();
    let new = {
        let stays = [&house.approvers[0], &house.approvers[2]];
        NewSafe::drill("Production databases", 2, 2).roster(2, &stays)
    };
    let filed = client.propose_roster(custodian, &shown, new, "Jun has left.");
    let request = filed.await.unwrap().request;
    for place in [0, 2] {
        let approver = &mut house.approvers[place];
        house.client.approve(approver, 0, request).await.unwrap();
    }
    let refused = house.client.open(&mut house.engineer, &release).await;
    let refused = refused.err().expect("a leaver's signature counted");
    assert_eq!(refused.status(), Some(409), "{refused}");
    house.approve(&release, &[2]).await;
    let opened = house.client.open(&mut house.engineer, &release).await;
    opened.unwrap();
}

both!(p4_disk_full);
async fn p4_disk_full(under: Under) {
    let pg = under.cluster();
    let mut app = TestApp::found_on(pg.as_ref());
    app.serve().await;
    let mut house = House::of(app).await;
    let release = house.ask().await;
    house.approve(&release, &[0, 1]).await;
    // From here on files may grow a little and then no more: as on a full disk, writes fail and nothing else does.
    house.app.kill();
    match &pg {
        Some(pg) => {
            pg.start_again_full(&house.app.database());
            house.app.serve().await;
        }
        None => house.app.serve_with_full_disk().await,
    }
    // Whoever reads keeps SQLite from using its log's pages again: what is full stays full.
    let pool = house.app.thief().await;
    let mut reader = pool.begin().await.unwrap();
    sqlx::query("SELECT size FROM ledger_head")
        .fetch_one(&mut *reader)
        .await
        .unwrap();
    let full = |e: &drills::client::Error| {
        let kind = e.problem().map(|p| p.kind.clone());
        kind.as_deref() == Some("urn:vitrine:no-entry")
    };
    let mut filled = false;
    for _ in 0..400 {
        let ask = ReleaseAsk::because("Filling the disk.");
        filled = house.try_ask(&ask).await.is_err_and(|e| full(&e));
        if filled {
            break;
        }
    }
    assert!(filled, "the disk never filled");
    let asked = Instant::now();
    let refused = house
        .client
        .open(&mut house.engineer, &release)
        .await
        .err()
        .expect("opened without an entry");
    assert!(full(&refused), "{refused}");
    drop(reader);
    assert!(asked.elapsed() < Duration::from_secs(8), "it hung");
    house.app.kill();
    if let Some(pg) = &pg {
        pg.stop();
        pg.start_again();
    }
    house.app.serve().await;
    let lines = house
        .client
        .lines(&house.custodian, "release.opened")
        .await
        .unwrap();
    assert_eq!(lines.len(), 0);
    house
        .client
        .open(&mut house.engineer, &release)
        .await
        .unwrap();
}

both!(p5_forged_from_entry_0);
async fn p5_forged_from_entry_0(under: Under) {
    let honest = House::furnished(under).await;
    let forged = House::furnished(under).await;
    let out = forged.app.dir.path().join("evidence");
    assert!(
        forged
            .app
            .command(&["audit", "export", "--out", out.to_str().unwrap()])
            .output()
            .unwrap()
            .status
            .success()
    );
    let with = |founded: Option<String>| {
        let mut args = vec![
            "audit".to_owned(),
            "verify".into(),
            out.display().to_string(),
        ];
        if let Some(f) = founded {
            args.extend(["--founded".into(), f]);
        }
        let args: Vec<&str> = args.iter().map(String::as_str).collect();
        honest
            .app
            .command(&args)
            .output()
            .unwrap()
            .status
            .code()
            .unwrap()
    };
    assert_eq!(
        with(Some(honest.app.ledger.to_string())),
        1,
        "a ledger forged from entry 0 passed"
    );
    assert_eq!(with(Some(forged.app.ledger.to_string())), 0);
    assert_eq!(with(None), 3);
}

both!(p5_whole_database_rolled_back);
async fn p5_whole_database_rolled_back(under: Under) {
    let mut house = House::furnished(under).await;
    house.app.kill();
    let kept = house.app.keep_database(under);
    house.app.serve().await;
    house.opened().await;
    house.app.kill();
    house.app.put_back(kept);
    let out = house.app.command(&["serve"]).output().unwrap();
    assert_eq!(out.status.code(), Some(1));
    assert!(
        String::from_utf8_lossy(&out.stderr).contains("rolled back"),
        "{}",
        String::from_utf8_lossy(&out.stderr)
    );
    house.app.leave(); // the anchor knows of more
}

both!(p5_rolled_back_under_a_running_server);
/// What was opened and given back is waiting again, and the server that saw it runs on.
async fn p5_rolled_back_under_a_running_server(under: Under) {
    let mut house = House::furnished(under).await;
    let release = house.ask().await;
    house.approve(&release, &[0, 1]).await;
    house.app.kill();
    let kept = house.app.keep_database(under);
    house.app.serve().await;
    let House {
        client, engineer, ..
    } = &mut house;
    client.open(engineer, &release).await.unwrap();
    let request = release.filed.request;
    client.check_in(engineer.by(), request).await.unwrap();
    house.app.put_back(kept);
    // Sessions that were cut are made anew; the file that is open stays the true one, in which it is closed.
    let mut refused = None;
    for _ in 0..100 {
        let answer = house.client.opening(house.engineer.by(), &release).await;
        let e = answer.expect_err("it was opened a second time");
        let kind = e.problem().map_or_else(String::new, |p| p.kind.clone());
        let final_answer = under == Under::Sqlite || e.status() != Some(503);
        refused = Some(kind);
        if final_answer {
            break;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    let kind = match under {
        Under::Sqlite => "urn:vitrine:conflict",
        Under::Postgres => "urn:vitrine:tampered",
    };
    assert_eq!(refused.as_deref(), Some(kind));
    house.app.leave(); // the anchor knows of more
}

both!(p5_truncated_right_after_release);
async fn p5_truncated_right_after_release(under: Under) {
    let mut house = House::furnished(under).await;
    let (release, _) = house.opened().await;
    let seen = house.app.dir.path().join("seen");
    let note = house
        .client
        .get("/ledger/checkpoint", house.engineer.by())
        .await
        .unwrap();
    std::fs::write(&seen, note.body["note"].as_str().unwrap()).unwrap();
    house.app.kill();
    // The thief cuts the ledger just before the opening, head and all, and takes the anchor away.
    let pool = house.app.thief().await;
    for table in [
        "ledger_entries",
        "ledger_links",
        "ledger_checkpoints",
        "ledger_nodes",
    ] {
        let drop = match under {
            Under::Sqlite => {
                format!("DROP TRIGGER {table}_no_delete; DROP TRIGGER {table}_no_update")
            }
            Under::Postgres => format!("DROP TRIGGER {table}_append_only ON {table}"),
        };
        sqlx::raw_sql(sqlx::AssertSqlSafe(drop))
            .execute(&pool)
            .await
            .unwrap();
    }
    let opened: i64 = sqlx::query("SELECT seq FROM ledger_entries WHERE event = 'release.opened'")
        .fetch_one(&pool)
        .await
        .unwrap()
        .try_get(0)
        .unwrap();
    let mut frontier = Vec::new();
    for row in sqlx::query("SELECT bytes FROM ledger_entries WHERE seq < $1 ORDER BY seq")
        .bind(opened)
        .fetch_all(&pool)
        .await
        .unwrap()
    {
        frontier.push(audit::leaf_hash(&row.try_get::<Vec<u8>, _>(0).unwrap()));
    }
    let head = truncated_head(&pool, &frontier).await;
    sqlx::query("UPDATE ledger_head SET size = $1, prev = $2, frontier = $3, time = $4")
        .bind(i64::try_from(head.size).unwrap())
        .bind(head.prev.0.to_vec())
        .bind(head.frontier)
        .bind(head.time)
        .execute(&pool)
        .await
        .unwrap();
    sqlx::query("DELETE FROM ledger_entries WHERE seq >= $1")
        .bind(opened)
        .execute(&pool)
        .await
        .unwrap();
    sqlx::query("DELETE FROM ledger_checkpoints WHERE size > $1")
        .bind(opened)
        .execute(&pool)
        .await
        .unwrap();
    sqlx::query("UPDATE requests SET state = 'reached', opened = NULL, opened_at = NULL, ends = NULL WHERE request = $1").bind(release.filed.request.to_string()).execute(&pool).await.unwrap();
    pool.close().await;
    let out = house.app.command(&["serve"]).output().unwrap();
    assert_eq!(out.status.code(), Some(1), "a truncated ledger was served");
    // Without the anchor a person must look; and the requester's own checkpoint shows the cut to any verifier.
    std::fs::remove_file(house.app.dir.path().join("data/anchor")).unwrap();
    let out = house.app.command(&["serve"]).output().unwrap();
    assert!(String::from_utf8_lossy(&out.stderr).contains("no anchor"));
    let root = audit_root(&frontier);
    house.app.serve_adopting(&format!("{opened}:{root}")).await;
    house.app.kill();
    let evidence = house.app.dir.path().join("cut");
    assert!(
        house
            .app
            .command(&["audit", "export", "--out", evidence.to_str().unwrap()])
            .output()
            .unwrap()
            .status
            .success()
    );
    let founded = house.app.ledger.to_string();
    let code = |args: &[&str]| {
        house
            .app
            .command(args)
            .output()
            .unwrap()
            .status
            .code()
            .unwrap()
    };
    assert_eq!(
        code(&[
            "audit",
            "verify",
            evidence.to_str().unwrap(),
            "--founded",
            &founded
        ]),
        0
    );
    assert_eq!(
        code(&[
            "audit",
            "verify",
            evidence.to_str().unwrap(),
            "--founded",
            &founded,
            "--seen",
            seen.to_str().unwrap()
        ]),
        1,
        "the cut was not seen"
    );
}

/// The head that a ledger of these leaves has.
async fn truncated_head(pool: &sqlx::AnyPool, leaves: &[audit::Hash]) -> audit::Head {
    let last = leaves.last().unwrap();
    let time: i64 = sqlx::query("SELECT time FROM ledger_entries WHERE leaf = $1")
        .bind(last.0.to_vec())
        .fetch_one(pool)
        .await
        .unwrap()
        .try_get(0)
        .unwrap();
    audit::Head {
        size: leaves.len() as u64,
        prev: *last,
        time,
        frontier: frontier(leaves),
    }
}

/// RFC 6962 subtree roots of a tree's right edge, largest first.
fn edge(leaves: &[audit::Hash]) -> Vec<audit::Hash> {
    let (mut out, mut from) = (Vec::new(), 0);
    for bit in (0..64).rev() {
        let size = 1_usize.checked_shl(bit).unwrap_or(0);
        if size > 0 && leaves.len() & size != 0 {
            out.push(subtree(&leaves[from..from + size]));
            from += size;
        }
    }
    out
}

fn frontier(leaves: &[audit::Hash]) -> Vec<u8> {
    edge(leaves).iter().flat_map(|h| h.0).collect()
}

fn subtree(leaves: &[audit::Hash]) -> audit::Hash {
    match leaves {
        [one] => *one,
        _ => {
            let (a, b) = leaves.split_at(leaves.len() / 2);
            node(&subtree(a), &subtree(b))
        }
    }
}

fn node(a: &audit::Hash, b: &audit::Hash) -> audit::Hash {
    use sha2::Digest;
    let mut h = sha2::Sha256::new();
    h.update([1]);
    h.update(a.0);
    h.update(b.0);
    audit::Hash(h.finalize().into())
}

fn audit_root(leaves: &[audit::Hash]) -> audit::Hash {
    let mut parts = edge(leaves);
    let mut root = parts.pop().unwrap();
    while let Some(left) = parts.pop() {
        root = node(&left, &root);
    }
    root
}

both!(p5_unsigned_roster);
async fn p5_unsigned_roster(under: Under) {
    let house = House::furnished(under).await;
    let puppet = admit(
        &house.client,
        &house.custodian,
        &house.maker,
        "Puppet",
        &[Role::Approver, Role::Requester],
    )
    .await;
    let pool = house.app.thief().await;
    // A roster nobody signed: the safe's row and the roster's row point at the thief's own leaf.
    let leaf = vec![7_u8; 32];
    sqlx::query("INSERT INTO rosters (safe, epoch, seq, leaf, request) SELECT safe, 2, seq, $1, request FROM rosters WHERE safe = $2")
        .bind(leaf.clone())
        .bind(house.safe.to_string())
        .execute(&pool)
        .await
        .unwrap();
    sqlx::query("UPDATE safes SET epoch = 2, roster = $1, m = 1")
        .bind(leaf)
        .execute(&pool)
        .await
        .unwrap();
    let refused = house
        .client
        .generate(&house.custodian, house.credential)
        .await
        .unwrap_err();
    assert_eq!(
        refused.problem().unwrap().kind,
        "urn:vitrine:tampered",
        "{refused}"
    );
    assert!(house.try_ask(&ReleaseAsk::because("x")).await.is_err());
    drop(puppet);
}

/// The folder of the SoftHSM token with this label.
pub fn token_folder(app: &TestApp, label: &str) -> std::path::PathBuf {
    let tokens = app.dir.path().join("data/tokens/tokens");
    let found = std::fs::read_dir(&tokens)
        .unwrap()
        .flatten()
        .map(|e| e.path())
        .find(|p| {
            let object = std::fs::read(p.join("token.object")).unwrap_or_default();
            object.windows(label.len()).any(|w| w == label.as_bytes())
        });
    found.unwrap_or_else(|| panic!("no token {label} in {}", tokens.display()))
}

both!(p9_first_token_destroyed);
async fn p9_first_token_destroyed(under: Under) {
    let mut house = House::furnished(under).await;
    let release = house.ask().await;
    house.approve(&release, &[0, 1]).await;
    std::fs::remove_dir_all(token_folder(&house.app, "custody-1")).unwrap();
    let opened = house
        .client
        .open(&mut house.engineer, &release)
        .await
        .unwrap();
    assert_eq!(opened.plaintext.len(), 24);
    // Amber, and after a start as well.
    house
        .client
        .check_in(house.engineer.by(), release.filed.request)
        .await
        .unwrap();
    house.app.kill();
    house.app.serve().await;
    house.opened().await;
    let doctor = house.app.command(&["doctor", "--json"]).output().unwrap();
    let said: serde_json::Value = serde_json::from_slice(&doctor.stdout).unwrap();
    assert_eq!(said["level"], "amber", "{said}");
    // Both gone: refused, quickly, and it is called an outage and not a forgery.
    let release = house.ask().await;
    house.approve(&release, &[0, 1]).await;
    let second = token_folder(&house.app, "custody-2");
    let aside = house.app.dir.path().join("aside");
    std::fs::rename(&second, &aside).unwrap();
    let asked = Instant::now();
    let refused = house
        .client
        .open(&mut house.engineer, &release)
        .await
        .err()
        .unwrap();
    assert_eq!(refused.status(), Some(503), "{refused}");
    assert!(asked.elapsed() < Duration::from_secs(9));
    // Put back: it recovers by itself.
    std::fs::rename(&aside, &second).unwrap();
    let until = Instant::now() + Duration::from_secs(45);
    loop {
        match house.client.open(&mut house.engineer, &release).await {
            Ok(_) => break,
            Err(e) if Instant::now() > until => panic!("did not recover: {e}"),
            Err(_) => tokio::time::sleep(Duration::from_millis(500)).await,
        }
    }
}

both!(p9_one_changed_custody_copy_strands_nothing);
async fn p9_one_changed_custody_copy_strands_nothing(under: Under) {
    let mut house = House::furnished(under).await;
    let (release, plaintext) = house.opened().await;
    let pool = house.app.thief().await;
    let rows = sqlx::query("SELECT wrapping_key, wrapped FROM custody")
        .fetch_all(&pool)
        .await
        .unwrap();
    let copies: Vec<(String, Vec<u8>)> = rows.iter().map(|r| (r.get(0), r.get(1))).collect();
    assert_eq!(copies.len(), 2);
    let store = async |key: &str, wrapped: Vec<u8>| {
        let sql = "UPDATE custody SET wrapped = $1 WHERE wrapping_key = $2";
        let query = sqlx::query(sql).bind(wrapped).bind(key.to_owned());
        query.execute(&pool).await.unwrap();
    };
    let spoil = |wrapped: &[u8]| {
        let mut changed = wrapped.to_owned();
        *changed.last_mut().unwrap() ^= 1;
        changed
    };
    for (key, wrapped) in &copies {
        store(key, spoil(wrapped)).await;
        let opened = house.client.open(&mut house.engineer, &release).await;
        assert_eq!(opened.unwrap().plaintext.expose(), plaintext);
        store(key, wrapped.clone()).await;
    }
    // With both changed it is called what it is, and is no outage.
    for (key, wrapped) in &copies {
        store(key, spoil(wrapped)).await;
    }
    let refused = house.client.open(&mut house.engineer, &release).await;
    let refused = refused.err().expect("a changed copy opened");
    assert_eq!(refused.problem().unwrap().kind, "urn:vitrine:tampered");
    store(&copies[1].0, copies[1].1.clone()).await;
    let opened = house.client.open(&mut house.engineer, &release).await;
    assert_eq!(opened.unwrap().plaintext.expose(), plaintext);
}

both!(p9_checkpoint_token_destroyed);
async fn p9_checkpoint_token_destroyed(under: Under) {
    let mut house = House::furnished(under).await;
    std::fs::remove_dir_all(token_folder(&house.app, "checkpoint-1")).unwrap();
    house.opened().await;
    house.app.kill();
    house.app.serve().await;
    house.client.lines(&house.custodian, "").await.unwrap();
    let doctor = house.app.command(&["doctor", "--json"]).output().unwrap();
    let said: serde_json::Value = serde_json::from_slice(&doctor.stdout).unwrap();
    assert_eq!(said["level"], "amber", "{said}");
    assert!(
        said.to_string()
            .contains("token checkpoint-1 does not answer"),
        "{said}"
    );
}

both!(p9_a_pin_file_that_is_missing_costs_no_other_token);
async fn p9_a_pin_file_that_is_missing_costs_no_other_token(under: Under) {
    let mut house = House::furnished(under).await;
    house.app.kill();
    let tokens = house.app.dir.path().join("data/tokens");
    let aside = house.app.dir.path().join("aside");
    std::fs::create_dir(&aside).unwrap();
    for label in ["custody-1", "checkpoint-1"] {
        let file = format!("{label}.pin");
        std::fs::rename(tokens.join(&file), aside.join(&file)).unwrap();
    }
    house.app.serve().await;
    house.opened().await;
    let doctor = |house: &House| {
        let said = house.app.command(&["doctor", "--json"]).output().unwrap();
        let said: serde_json::Value = serde_json::from_slice(&said.stdout).unwrap();
        said
    };
    let said = doctor(&house);
    assert_eq!(said["level"], "amber", "{said}");
    assert!(said.to_string().contains("custody-1.pin"), "{said}");
    // Put back, it is found by the server that runs: the other may go.
    for label in ["custody-1", "checkpoint-1"] {
        let file = format!("{label}.pin");
        std::fs::rename(aside.join(&file), tokens.join(&file)).unwrap();
    }
    std::fs::remove_dir_all(token_folder(&house.app, "custody-2")).unwrap();
    let release = house.ask().await;
    house.approve(&release, &[0, 1]).await;
    let until = Instant::now() + Duration::from_secs(45);
    while let Err(e) = house.client.open(&mut house.engineer, &release).await {
        assert!(Instant::now() < until, "did not recover: {e}");
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
}

both!(p12_unknown_kind);
async fn p12_unknown_kind(under: Under) {
    let mut house = House::furnished(under).await;
    let signed = |text: &str| {
        house
            .client
            .touch_bytes(&house.custodian.keys[0].key, text.as_bytes())
            .unwrap()
    };
    let nonce = drills::client::b64(&[3; 32]);
    let (ledger, me) = (house.client.ledger(), house.custodian.user);
    for (path, text) in [
        (
            "/people",
            format!(
                r#"{{"kind":"befriend","ledger":"{ledger}","nonce":"{nonce}","signer":"{me}","v":1}}"#
            ),
        ),
        (
            "/people",
            format!(r#"{{"kind":"login","ledger":"{ledger}","nonce":"{nonce}","v":1}}"#),
        ),
        (
            "/people",
            format!(
                r#"{{"kind":"invite","ledger":"{ledger}","nonce":"{nonce}","signer":"{me}","v":2}}"#
            ),
        ),
    ] {
        let refused = house
            .client
            .post(
                path,
                house.custodian.by(),
                &json!({ "signed": signed(&text).json() }),
            )
            .await
            .err()
            .unwrap();
        assert_eq!(refused.status(), Some(400), "{text}: {refused}");
    }
    // A state that nobody knows allows nothing.
    let release = house.ask().await;
    house.approve(&release, &[0, 1]).await;
    let pool = house.app.thief().await;
    sqlx::query("UPDATE requests SET state = 'approved-by-magic' WHERE request = $1")
        .bind(release.filed.request.to_string())
        .execute(&pool)
        .await
        .unwrap();
    assert!(
        house
            .client
            .open(&mut house.engineer, &release)
            .await
            .is_err()
    );
    let unknown = house
        .client
        .get("/requests/../../etc", house.custodian.by())
        .await
        .err()
        .unwrap();
    assert_eq!(unknown.status(), Some(404));
}

both!(p1_m_is_never_one_outside_drills_and_people_need_two_keys);
async fn p1_m_is_never_one_outside_drills_and_people_need_two_keys(under: Under) {
    let house = House::furnished(under).await;
    let approvers: Vec<&Person> = house.approvers.iter().collect();
    let mut real = NewSafe::drill("Real", 2, 3);
    real.drill = false;
    let refused = house
        .client
        .propose_safe(&house.custodian, real.roster(1, &approvers), "A safe.")
        .await
        .unwrap_err();
    assert_eq!(
        refused.status(),
        Some(400),
        "software keys went on a roster that is no drill: {refused}"
    );
    let mut one = NewSafe::drill("One", 1, 3);
    one.drill = false;
    assert!(
        house
            .client
            .propose_safe(&house.custodian, one.roster(1, &approvers), "A safe.")
            .await
            .is_err()
    );
}

both!(p4_killed_at_every_step_of_a_release);
/// kill -9 between every two steps of a release: nothing lost, nothing opened twice.
async fn p4_killed_at_every_step_of_a_release(under: Under) {
    let mut house = House::furnished(under).await;
    let points = [
        "open.before",
        "open.committed",
        "open.anchored",
        "open.unwrapped",
    ];
    // A process that saw the approvals goes another way than one that has just started.
    for (point, saw) in points.iter().flat_map(|p| [(*p, false), (*p, true)]) {
        let release = house.ask().await;
        if !saw {
            house.approve(&release, &[0, 1]).await;
        }
        house.app.kill();
        house.app.set("VITRINE_FAULT", point);
        house.app.serve().await;
        if saw {
            house.approve(&release, &[0, 1]).await;
        }
        assert!(
            house
                .client
                .open(&mut house.engineer, &release)
                .await
                .is_err()
        );
        assert!(house.app.died().await, "{point} was not reached");
        house.app.set("VITRINE_FAULT", "");
        house.app.serve().await;
        let opened = house
            .client
            .open(&mut house.engineer, &release)
            .await
            .unwrap_or_else(|e| panic!("after {point}: {e}"));
        assert_eq!(opened.plaintext.len(), 24);
        house
            .client
            .check_in(house.engineer.by(), release.filed.request)
            .await
            .unwrap();
    }
    // Between the commit and the answer of what comes before and after.
    let release = house.ask().await;
    house.approve(&release, &[0]).await;
    let cut = async |house: &mut House, point: &str| {
        house.app.kill();
        house.app.set("VITRINE_FAULT", point);
        house.app.serve().await;
        let request = release.filed.request;
        let failed = if point == "close.committed" {
            let opened = house.client.open(&mut house.engineer, &release).await;
            opened.unwrap();
            let by = house.engineer.by();
            house.client.check_in(by, request).await.is_err()
        } else {
            let approver = &mut house.approvers[1];
            house.client.approve(approver, 0, request).await.is_err()
        };
        assert!(failed && house.app.died().await, "{point} was not reached");
        house.app.set("VITRINE_FAULT", "");
        house.app.serve().await;
        let live = house.client.live(house.engineer.by(), request).await;
        live.unwrap().state
    };
    assert_eq!(cut(&mut house, "decide.committed").await, "reached");
    assert_eq!(cut(&mut house, "close.committed").await, "closed");
    // And where what is open is given again.
    let (release, plaintext) = house.opened().await;
    house.app.kill();
    house.app.set("VITRINE_FAULT", "open.again");
    house.app.serve().await;
    let cut = house.client.open(&mut house.engineer, &release).await;
    assert!(cut.is_err());
    assert!(house.app.died().await, "open.again was not reached");
    house.app.set("VITRINE_FAULT", "");
    house.app.serve().await;
    let again = house.client.open(&mut house.engineer, &release).await;
    assert_eq!(again.unwrap().plaintext.expose(), plaintext);
    let opened = house
        .client
        .lines(&house.custodian, "release.opened")
        .await
        .unwrap();
    assert_eq!(opened.len(), 10);
}

both!(p11_no_secret_on_disk_or_in_the_log);
/// Canaries: what is secret is in no file but where it must be (promise P11).
async fn p11_no_secret_on_disk_or_in_the_log(under: Under) {
    let pg = under.cluster();
    let mut app = TestApp::found_on(pg.as_ref());
    app.serve().await;
    let mut house = House::of(app).await;
    let note = house
        .client
        .add_credential(&house.custodian, house.safe, "a note", SecretKind::Note)
        .await
        .unwrap();
    let canary = "canary-7f3a91c2-unsaid";
    house
        .client
        .import(&house.custodian, &note, canary)
        .await
        .unwrap();
    let (_, generated) = house.opened().await;
    let session = house.engineer.session.as_ref().unwrap().expose().to_owned();
    house.app.kill();
    let mut looked = 0;
    let mut files = walk(house.app.dir.path());
    if let Some(pg) = &pg {
        pg.sql("postgres", "CHECKPOINT");
        pg.stop();
        files.extend(walk(pg.dir()));
    }
    for file in files {
        let bytes = std::fs::read(&file).unwrap();
        looked += bytes.len();
        for (what, needle) in [
            ("imported", canary.as_bytes()),
            ("generated", generated.as_slice()),
            ("session", session.as_bytes()),
        ] {
            assert!(
                !bytes.windows(needle.len()).any(|w| w == needle),
                "{what} secret in {}",
                file.display()
            );
        }
    }
    assert!(looked > 100_000);
    if let Some(pg) = &pg {
        pg.start_again();
    }
}

fn walk(dir: &std::path::Path) -> Vec<std::path::PathBuf> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(dir).unwrap().flatten() {
        let path = entry.path();
        if path.is_dir() {
            files.extend(walk(&path));
        } else if path.is_file() {
            files.push(path); // and no sockets
        }
    }
    files
}
