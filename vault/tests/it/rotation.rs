//! Rotation against a real PostgreSQL: the saga, its crashes, and what a thief of the database can make it do.

use std::time::Duration;

use drills::client::{Person, Result as Answer};
use quorum::ids::{CredentialId, SafeId};
use quorum::statement::{Import, Kind, Pin, SecretKind, TargetPurpose};
use sqlx::Row;

use crate::app::{House, TestApp, Under};
use crate::testbed::Postgres;

const PATIENCE: Duration = Duration::from_secs(30);

/// Drafts, lets the administrator run the SQL, and asks the approvers of `safe` to bind.
async fn bind(
    house: &mut House,
    pg: &Postgres,
    safe: SafeId,
    credential: CredentialId,
    account: &str,
) -> Answer<()> {
    let draft = house
        .client
        .draft_target(
            &house.custodian,
            credential,
            &pg.address(),
            account,
            Pin::Unix,
        )
        .await?;
    pg.sql("orders", &draft.sql);
    pg.sql("orders", &draft.sql); // may be run again
    let shown = house.client.safe(&house.custodian, safe).await?;
    let target = TargetPurpose {
        account: account.into(),
        address: pg.address(),
        connector: "postgresql".into(),
        credential,
        pin: Pin::Unix,
        target: draft.target,
    };
    let filed = house
        .client
        .propose_target(
            &house.custodian,
            &shown,
            target,
            "Its password is kept here from now on.",
        )
        .await?;
    for place in [0, 1] {
        house
            .client
            .approve(&mut house.approvers[place], 0, filed.request)
            .await?;
    }
    Ok(())
}

/// A house whose credential is the superuser of a real database, rotated once.
pub async fn bound(under: Under) -> (House, Postgres) {
    bound_in(House::furnished(under).await).await
}

async fn bound_in(mut house: House) -> (House, Postgres) {
    let pg = Postgres::target();
    let credential = house
        .client
        .add_credential(
            &house.custodian,
            house.safe,
            "orders superuser",
            SecretKind::Password,
        )
        .await
        .unwrap()
        .credential;
    house.credential = credential;
    let safe = house.safe;
    bind(&mut house, &pg, safe, credential, "orders_admin")
        .await
        .unwrap();
    house
        .client
        .rotate(&house.custodian, credential)
        .await
        .unwrap();
    house
        .client
        .rotated(&house.custodian, credential, 0, PATIENCE)
        .await
        .unwrap();
    (house, pg)
}

both!(p6_what_was_seen_is_rotated);
async fn p6_what_was_seen_is_rotated(under: Under) {
    let (mut house, pg) = bound(under).await;
    assert!(
        !pg.logs_in("orders_admin", b"start-password"),
        "the first password still works"
    );
    let (release, seen) = house.opened().await;
    assert!(pg.logs_in("orders_admin", &seen));
    house
        .client
        .check_in(house.engineer.by(), release.filed.request)
        .await
        .unwrap();
    house
        .client
        .rotated(&house.custodian, house.credential, 1, PATIENCE)
        .await
        .unwrap();
    assert!(
        !pg.logs_in("orders_admin", &seen),
        "the old password is not dead"
    );
    let (_, fresh) = house.opened().await;
    assert!(pg.logs_in("orders_admin", &fresh));
    house.app.valid();
    let doctor = house.app.command(&["doctor", "--json"]).output().unwrap();
    let said = String::from_utf8_lossy(&doctor.stdout).into_owned();
    assert!(said.contains("has what it needs and no more"), "{said}");
}

both!(p6_killed_between_stage_and_apply);
async fn p6_killed_between_stage_and_apply(under: Under) {
    let (mut house, pg) = bound(under).await;
    let mut current = 1;
    for point in [
        "rotation.sealed",
        "rotation.staged",
        "rotation.set",
        "rotation.applied",
        "rotation.proved",
        "rotation.promoted",
    ] {
        house.app.kill();
        house.app.set("VITRINE_FAULT", point);
        house.app.serve().await;
        let _ = house
            .client
            .rotate(&house.custodian, house.credential)
            .await;
        assert!(house.app.died().await, "{point} was not reached");
        house.app.set("VITRINE_FAULT", "");
        house.app.serve().await;
        // No password is unknown: whatever the target has now is one of the versions that the quorum can open. And it
        // goes on by itself to one that is proved.
        let version = house
            .client
            .rotated(&house.custodian, house.credential, current, PATIENCE)
            .await
            .unwrap_or_else(|e| panic!("after {point}: {e}"));
        current = version.version;
        let (release, password) = house.opened().await;
        assert!(
            pg.logs_in("orders_admin", &password),
            "after {point} v{current} does not log in"
        );
        house
            .client
            .check_in(house.engineer.by(), release.filed.request)
            .await
            .unwrap();
        let next = house
            .client
            .rotated(&house.custodian, house.credential, current, PATIENCE)
            .await
            .unwrap();
        current = next.version;
    }
}

/// The lease that somebody holds on a rotation, and until when.
async fn held(house: &House) -> Option<(String, i64)> {
    let pool = house.app.thief().await;
    let row = sqlx::query(
        "SELECT lease, lease_ends FROM rotations WHERE lease IS NOT NULL AND ended IS NULL",
    )
    .fetch_optional(&pool)
    .await
    .unwrap();
    // Whoever closes SQLite's file last takes its log away: not behind the back of a test that copies them.
    pool.close().await;
    let row = row?;
    Some((row.get(0), row.get(1)))
}

both!(p6_a_lease_is_its_holders_until_it_is_dead);
/// A node that was killed takes its own leases back, long before their end. Whatever else runs meanwhile, on the same data
/// directory too, takes none.
async fn p6_a_lease_is_its_holders_until_it_is_dead(under: Under) {
    let (mut house, pg) = bound(under).await;
    house.app.kill();
    house.app.set("VITRINE_ROTATION_DEADLINE_S", "60");
    house.app.serve().await;
    let target = pg.paused();
    let (custodian, credential) = (&house.custodian, house.credential);
    house.client.rotate(custodian, credential).await.unwrap();
    let lease = loop {
        match held(&house).await {
            Some(lease) => break lease,
            None => tokio::time::sleep(Duration::from_millis(50)).await,
        }
    };
    let five_minutes = drills::client::now_us() + 300_000_000;
    assert!(lease.1 > five_minutes, "it ends by itself");
    let others = async |house: &House, data: &str| {
        let mut doctor = house.app.command(&["doctor", "--json"]);
        doctor.env("VITRINE_ROTATION_DEADLINE_S", "1");
        doctor.output().unwrap();
        house.app.valid();
        let mut beside = house.app.twin();
        beside.set("VITRINE_DATA", data);
        beside.serve().await;
        // It has swept since it started.
        tokio::time::sleep(Duration::from_millis(2500)).await;
        drop(beside);
        assert_eq!(held(house).await.as_ref(), Some(&lease));
    };
    let data = house.app.dir.path().join("data").display().to_string();
    others(&house, &data).await;
    // Nor does a copy of the dead one's data.
    house.app.kill();
    let copy = house.app.dir.path().join("copy").display().to_string();
    let mut cp = std::process::Command::new("cp");
    assert!(cp.args(["-a", &data, &copy]).status().unwrap().success());
    if under == Under::Sqlite {
        let url = format!("sqlite://{data}/vitrine.db");
        house.app.set("VITRINE_DATABASE_URL", &url);
    }
    others(&house, &copy).await;
    drop(target);
    house.app.serve().await;
    house
        .client
        .rotated(&house.custodian, house.credential, 1, PATIENCE)
        .await
        .unwrap();
}

both!(p6_a_bound_credential_takes_no_value_from_outside);
async fn p6_a_bound_credential_takes_no_value_from_outside(under: Under) {
    let (mut house, pg) = bound(under).await;
    let refused = |e: drills::client::Error| {
        assert_eq!(e.status(), Some(409), "{e}");
        assert!(e.to_string().contains("changed at its target"), "{e}");
    };
    let (custodian, credential) = (&house.custodian, house.credential);
    let shown = house
        .client
        .credential(custodian, credential)
        .await
        .unwrap();
    let imported = house.client.import(custodian, &shown, "from outside").await;
    refused(imported.unwrap_err());
    let generated = house.client.generate(custodian, credential).await;
    refused(generated.unwrap_err());
    // Nor one whose import began before it was bound.
    pg.sql("postgres", "CREATE ROLE reporting LOGIN");
    let (client, safe) = (&house.client, house.safe);
    let added = client
        .add_credential(custodian, safe, "reporting", SecretKind::Password)
        .await
        .unwrap();
    let path = format!("/credentials/{}/import", added.credential);
    let body = serde_json::json!({ "safe": safe.to_string(), "value": "from outside" });
    let begun = client
        .post(&path, custodian.by(), &body)
        .await
        .unwrap()
        .body;
    let import = Import {
        credential: added.credential,
        envelope: begun["envelope"].as_str().unwrap().parse().unwrap(),
        safe,
        version: begun["version"].as_u64().unwrap(),
    };
    bind(&mut house, &pg, safe, added.credential, "reporting")
        .await
        .unwrap();
    let signed = house.client.sign(&house.custodian, 0, Kind::Import(import));
    let body = serde_json::json!({ "signed": signed.unwrap().json() });
    let path = format!("{path}/finish");
    let finished = house.client.post(&path, house.custodian.by(), &body).await;
    refused(finished.err().expect("it was sealed"));
}

both!(p6_unproved_candidates_stay_openable);
async fn p6_unproved_candidates_stay_openable(under: Under) {
    let (mut house, pg) = bound(under).await;
    house.app.kill();
    house.app.set("VITRINE_FAULT", "rotation.applied");
    house.app.serve().await;
    let _ = house
        .client
        .rotate(&house.custodian, house.credential)
        .await;
    assert!(house.app.died().await);
    // The target is gone as well: the candidate that was applied is the only way in, and nothing can prove it now.
    house.app.set("VITRINE_FAULT", "");
    house.app.set("VITRINE_ROTATION_ATTEMPTS", "1");
    house.app.serve().await;
    let shown = house
        .client
        .credential(&house.engineer, house.credential)
        .await
        .unwrap();
    let candidate = shown
        .versions
        .iter()
        .find(|v| v.version == 2)
        .expect("the candidate cannot be asked for")
        .clone();
    let ask = drills::client::ReleaseAsk::because("The password is v1 or v2.");
    let release = house
        .client
        .ask_release(&house.engineer, 0, &shown, &candidate, &ask)
        .await
        .unwrap();
    house.approve(&release, &[0, 2]).await;
    let opened = house
        .client
        .open(&mut house.engineer, &release)
        .await
        .unwrap();
    assert!(
        pg.logs_in("orders_admin", opened.plaintext.expose()),
        "the applied candidate was lost"
    );
}

both!(p6_a_dead_target_is_retried_a_bounded_number_of_times);
async fn p6_a_dead_target_is_retried_a_bounded_number_of_times(under: Under) {
    let (mut house, pg) = bound(under).await;
    pg.stop();
    house.app.kill();
    house.app.set("VITRINE_ROTATION_ATTEMPTS", "2");
    house.app.serve().await;
    house
        .client
        .rotate(&house.custodian, house.credential)
        .await
        .unwrap();
    let mut stuck = None;
    for _ in 0..150 {
        let rotation = house
            .client
            .rotation(&house.custodian, house.credential)
            .await
            .unwrap()
            .unwrap();
        if rotation.stuck {
            stuck = Some(rotation);
            break;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    let stuck = stuck.expect("it goes on for ever");
    assert_eq!(stuck.attempts, 2);
    assert!(stuck.words.contains("does not answer"), "{}", stuck.words);
    // v1 is still what the quorum opens.
    let (_, password) = house.opened().await;
    assert_eq!(password.len(), 24);
}

both!(p6_a_database_stops_in_the_middle_of_a_rotation);
/// Whichever database goes away in the middle, ours (where it is a server) or the target: no password is unknown, and the rotation ends.
async fn p6_a_database_stops_in_the_middle_of_a_rotation(under: Under) {
    let ours = under.cluster();
    let mut app = TestApp::found_on(ours.as_ref());
    app.serve().await;
    let (mut house, pg) = bound_in(House::of(app).await).await;
    let mut current = 1;
    for (at, ms) in [5, 20, 45, 80, 130, 200].into_iter().enumerate() {
        let falls = ours.as_ref().filter(|_| at % 2 == 0).unwrap_or(&pg);
        let by = (&house.custodian, house.credential);
        house.client.rotate(by.0, by.1).await.unwrap();
        tokio::time::sleep(Duration::from_millis(ms)).await;
        falls.stop();
        tokio::time::sleep(Duration::from_millis(300)).await;
        falls.start_again();
        for _ in 0..100 {
            if house.client.credential(by.0, by.1).await.is_ok() {
                break;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        // It may have ended before; otherwise it goes on by itself.
        let rotated = house.client.rotated(by.0, by.1, current, PATIENCE).await;
        current = rotated.unwrap_or_else(|e| panic!("{ms} ms: {e}")).version;
    }
    let (_, password) = house.opened().await;
    assert!(pg.logs_in("orders_admin", &password), "nobody knows it");
}

both!(p1_puppet_safe_same_target);
async fn p1_puppet_safe_same_target(under: Under) {
    let (mut house, pg) = bound(under).await;
    // A rogue custodian founds a safe of his own and binds the same account there, to have its password rotated into it.
    let safe = {
        let mut puppets: Vec<&mut Person> = house.approvers.iter_mut().collect();
        house
            .client
            .found_safe(
                &house.custodian,
                &drills::client::NewSafe::drill("Puppets", 2, 3),
                &mut puppets,
            )
            .await
            .unwrap()
            .safe
    };
    let mine = house
        .client
        .add_credential(&house.custodian, safe, "mine now", SecretKind::Password)
        .await
        .unwrap()
        .credential;
    let refused = bind(&mut house, &pg, safe, mine, "orders_admin")
        .await
        .unwrap_err();
    assert_eq!(refused.status(), Some(409), "{refused}");
    // A role is its server's, so another database of it is no other place.
    let postgres = pg.address().replace("/orders", "/postgres");
    let refused = house
        .client
        .draft_target(&house.custodian, mine, &postgres, "orders_admin", Pin::Unix)
        .await
        .unwrap_err();
    assert_eq!(refused.status(), Some(409), "{refused}");
    // Nor by asking with a draft that was changed in the database.
    let draft = house
        .client
        .draft_target(&house.custodian, mine, &postgres, "nobody_yet", Pin::Unix)
        .await
        .unwrap();
    let shown = house.client.safe(&house.custodian, safe).await.unwrap();
    let target = TargetPurpose {
        account: "orders_admin".into(),
        address: postgres,
        connector: "postgresql".into(),
        credential: mine,
        pin: Pin::Unix,
        target: draft.target,
    };
    let refused = house
        .client
        .propose_target(&house.custodian, &shown, target, "Mine from now on.")
        .await
        .unwrap_err();
    assert_eq!(refused.status(), Some(409), "{refused}");
    // Another account of that server is nobody's yet.
    pg.sql("postgres", "CREATE ROLE reporting LOGIN");
    bind(&mut house, &pg, safe, mine, "reporting")
        .await
        .unwrap();
}

both!(p12_a_target_row_that_was_changed_is_not_followed);
async fn p12_a_target_row_that_was_changed_is_not_followed(under: Under) {
    let (house, pg) = bound(under).await;
    let other = Postgres::target();
    let pool = house.app.thief().await;
    sqlx::query("UPDATE targets SET address = $1")
        .bind(other.address())
        .execute(&pool)
        .await
        .unwrap();
    let before: i64 = sqlx::query("SELECT COUNT(*) FROM versions")
        .fetch_one(&pool)
        .await
        .unwrap()
        .try_get(0)
        .unwrap();
    house
        .client
        .rotate(&house.custodian, house.credential)
        .await
        .unwrap();
    let late = house
        .client
        .rotated(
            &house.custodian,
            house.credential,
            1,
            Duration::from_secs(10),
        )
        .await
        .unwrap_err();
    assert!(late.to_string().contains("not what was signed"), "{late}");
    let after: i64 = sqlx::query("SELECT COUNT(*) FROM versions")
        .fetch_one(&pool)
        .await
        .unwrap()
        .try_get(0)
        .unwrap();
    assert_eq!(
        before, after,
        "a value was sealed for a target that nobody signed"
    );
    drop(pg);
}

/// Enters an event as the writer would, by somebody who has the database: hash chain, tree and head are right.
pub async fn enter(pool: &sqlx::AnyPool, event: audit::Event, name: &str, links: &[String]) -> i64 {
    let row = sqlx::query("SELECT size, prev, time, frontier FROM ledger_head WHERE id = 1")
        .fetch_one(pool)
        .await
        .unwrap();
    let head = audit::Head {
        size: u64::try_from(row.try_get::<i64, _>(0).unwrap()).unwrap(),
        prev: audit::Hash(row.try_get::<Vec<u8>, _>(1).unwrap().try_into().unwrap()),
        time: row.try_get(2).unwrap(),
        frontier: row.try_get(3).unwrap(),
    };
    let mut chain = audit::Chain::resume(head).unwrap();
    let time = chain.time() + 1;
    let actor = audit::Actor::System;
    let made = chain.append(&audit::Draft { actor, event }, time).unwrap();
    let seq = i64::try_from(made.seq).unwrap();
    sqlx::query("INSERT INTO ledger_entries (seq, time, event, actor, leaf, bytes) VALUES ($1, $2, $3, 'system', $4, $5)")
        .bind(seq)
        .bind(made.time)
        .bind(name.to_owned())
        .bind(made.leaf.0.to_vec())
        .bind(made.bytes.clone())
        .execute(pool)
        .await
        .unwrap();
    for node in &made.nodes {
        sqlx::query("INSERT INTO ledger_nodes (level, n, hash) VALUES ($1, $2, $3)")
            .bind(i64::from(node.level))
            .bind(i64::try_from(node.index).unwrap())
            .bind(node.hash.0.to_vec())
            .execute(pool)
            .await
            .unwrap();
    }
    for link in links {
        sqlx::query("INSERT INTO ledger_links (subject, seq) VALUES ($1, $2)")
            .bind(link.clone())
            .bind(seq)
            .execute(pool)
            .await
            .unwrap();
    }
    let head = chain.head();
    sqlx::query(
        "UPDATE ledger_head SET size = $1, prev = $2, time = $3, frontier = $4 WHERE id = 1",
    )
    .bind(i64::try_from(head.size).unwrap())
    .bind(head.prev.0.to_vec())
    .bind(head.time)
    .bind(head.frontier)
    .execute(pool)
    .await
    .unwrap();
    seq
}

/// What the ledger says of the credential's binding.
async fn binding(
    pool: &sqlx::AnyPool,
    credential: CredentialId,
) -> (audit::event::TargetSet, String) {
    let row = sqlx::query("SELECT e.bytes FROM targets t JOIN ledger_entries e ON e.seq = t.seq WHERE t.credential = $1 AND t.live = 1")
        .bind(credential.to_string())
        .fetch_one(pool)
        .await
        .unwrap();
    let bytes: Vec<u8> = row.try_get(0).unwrap();
    let entry: serde_json::Value = serde_json::from_slice(&bytes).unwrap();
    let text = |name: &str| entry["data"][name].as_str().unwrap().to_owned();
    let id =
        |name: &str| audit::Id::from_bytes(*text(name).parse::<uuid::Uuid>().unwrap().as_bytes());
    let approvals = entry["data"]["approvals"].as_array().unwrap();
    let set = audit::event::TargetSet {
        account: text("account"),
        address: text("address"),
        approvals: approvals.iter().map(|a| a.as_u64().unwrap()).collect(),
        connector: text("connector"),
        credential: id("credential"),
        pin: text("pin"),
        request: id("request"),
        safe: id("safe"),
        target: id("target"),
    };
    (set, text("request"))
}

both!(p12_a_forged_target_set_is_not_followed);
/// Whoever has the database enters bindings that no quorum signed for, as well as the writer could: nothing is said to
/// the server that they name.
async fn p12_a_forged_target_set_is_not_followed(under: Under) {
    let (mut house, _pg) = bound(under).await;
    let pool = house.app.thief().await;
    let thief = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    thief.set_nonblocking(true).unwrap();
    let address = format!("127.0.0.1:{}/orders", thief.local_addr().unwrap().port());
    let pin = format!("sha256:{}", "07".repeat(32));
    let nobody = uuid::Uuid::now_v7();
    // By a request that was approved, for something else; by the very same again; by one that nobody filed.
    for (changed, request) in [(true, None), (false, None), (true, Some(nobody))] {
        let (mut set, real) = binding(&pool, house.credential).await;
        if changed {
            (set.address, set.pin) = (address.clone(), pin.clone());
        }
        let named = request.map_or(real, |r| r.to_string());
        if let Some(request) = request {
            set.request = audit::Id::from_bytes(*request.as_bytes());
        }
        let links = [named, house.safe.to_string(), house.credential.to_string()];
        let (address, pin) = (set.address.clone(), set.pin.clone());
        let event = audit::Event::TargetSet(Box::new(set));
        let seq = enter(&pool, event, "target.set", &links).await;
        let before: (String, String, i64) = {
            let row = sqlx::query("SELECT address, pin, seq FROM targets WHERE live = 1")
                .fetch_one(&pool)
                .await
                .unwrap();
            (row.get(0), row.get(1), row.get(2))
        };
        let point = |to: (String, String, i64)| {
            sqlx::query("UPDATE targets SET address = $1, pin = $2, seq = $3 WHERE live = 1")
                .bind(to.0)
                .bind(to.1)
                .bind(to.2)
                .execute(&pool)
        };
        point((address, pin, seq)).await.unwrap();
        house
            .client
            .rotate(&house.custodian, house.credential)
            .await
            .unwrap();
        let late = house
            .client
            .rotated(
                &house.custodian,
                house.credential,
                1,
                Duration::from_secs(10),
            )
            .await
            .unwrap_err();
        assert!(late.to_string().contains("not what was signed"), "{late}");
        let doctor = house.app.command(&["doctor", "--json"]).output().unwrap();
        let said = String::from_utf8_lossy(&doctor.stdout).into_owned();
        assert!(!said.contains("has what it needs and no more"), "{said}");
        point(before).await.unwrap();
    }
    let none = thief.accept().unwrap_err();
    assert_eq!(none.kind(), std::io::ErrorKind::WouldBlock);
    // And whoever verifies finds what was entered.
    let (code, said) = house.app.verify();
    assert_eq!(code, 1, "{said}");
    house.app.leave();
}

both!(the_service_login_can_do_three_things_and_no_more);
async fn the_service_login_can_do_three_things_and_no_more(under: Under) {
    let (house, pg) = bound(under).await;
    let login = pg.sql(
        "orders",
        "SELECT login FROM vitrine.rotated WHERE role = 'orders_admin'",
    );
    pg.sql(
        "orders",
        &format!("ALTER ROLE {login} PASSWORD 'known-to-this-test'"),
    );
    let as_login = |sql: &str| {
        let out = std::process::Command::new("psql")
            .args([
                "-h",
                "127.0.0.1",
                "-p",
                &pg.port.to_string(),
                "-U",
                &login,
                "-d",
                "orders",
                "-X",
                "-w",
                "-At",
                "-v",
                "ON_ERROR_STOP=1",
                "-c",
                sql,
            ])
            .env("PGPASSWORD", "known-to-this-test")
            .output()
            .unwrap();
        out.status.success()
    };
    let verifier = "SCRAM-SHA-256$4096:AAAAAAAAAAAAAAAAAAAAAA==$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=";
    assert!(as_login(&format!(
        "SELECT vitrine.has_verifier('orders_admin', '{verifier}')"
    )));
    for refused in [
        format!("SELECT vitrine.set_verifier('postgres', '{verifier}')"),
        format!("SELECT vitrine.has_verifier('postgres', '{verifier}')"),
        "SELECT vitrine.end_sessions('postgres')".into(),
        "SELECT vitrine.set_verifier('orders_admin', 'plain password')".into(),
        "SELECT vitrine.set_verifier('orders_admin', 'md5aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa')".into(),
        "SELECT vitrine.set_verifier('orders_admin', NULL)".into(),
        format!("INSERT INTO vitrine.rotated SELECT '{login}', 'postgres', gen_random_uuid()"),
        "UPDATE vitrine.rotated SET role = 'postgres'".into(),
        "SELECT * FROM vitrine.rotated".into(),
        "SET SESSION AUTHORIZATION postgres".into(),
        "SET ROLE orders_admin".into(),
        "CREATE OR REPLACE FUNCTION vitrine.end_sessions(role text) RETURNS bigint LANGUAGE sql AS 'SELECT 1'".into(),
        "CREATE TABLE vitrine.x (y int)".into(),
        "ALTER ROLE orders_admin PASSWORD 'x'".into(),
        "SELECT rolpassword FROM pg_authid".into(),
        "CREATE ROLE y".into(),
    ] {
        assert!(!as_login(&refused), "the service login could: {refused}");
    }
    drop(house);
}
