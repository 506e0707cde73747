//! What a row cannot make the service do, and what one person, one process or one clock cannot do to everybody else.

use std::time::Duration;

use drills::client::{By, NewSafe, Person, PollSecret, ReleaseAsk, b64, now_us};
use quorum::secret::DeliveryKey;
use quorum::statement::{Decision, KeyAct, Kind, Purpose, Role, Statement};
use serde_json::{Value, json};
use sqlx::Row;

use crate::app::{House, TestApp, Under, admit};

async fn state_of(house: &House, request: &str) -> String {
    let path = format!("/requests/{request}");
    let by = house.custodian.by();
    let live: Value = house.client.get(&path, by).await.unwrap().read().unwrap();
    live["state"].as_str().unwrap().to_owned()
}

async fn becomes(house: &House, request: &str, wanted: &str) {
    for _ in 0..100 {
        if state_of(house, request).await == wanted {
            return;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    panic!("it is {} and not {wanted}", state_of(house, request).await);
}

fn act(person: &Person, key: usize) -> KeyAct {
    KeyAct {
        authenticator: person.keys[key].authenticator,
        user: person.user,
        why: "It was lost.".into(),
    }
}

both!(p4_a_row_that_says_open_opens_nothing);
/// A closed release, opened again by rows alone: another delivery key, a poll secret of the thief\u{2019}s, an end to come.
async fn p4_a_row_that_says_open_opens_nothing(under: Under) {
    let mut house = House::furnished(under).await;
    let (release, _) = house.opened().await;
    let request = release.filed.request.to_string();
    house
        .client
        .check_in(house.engineer.by(), release.filed.request)
        .await
        .unwrap();
    let pool = house.app.thief().await;
    let row = sqlx::query("SELECT statement FROM requests WHERE request = $1")
        .bind(request.clone())
        .fetch_one(&pool)
        .await
        .unwrap();
    let signed: Vec<u8> = row.get(0);
    let own = DeliveryKey::generate().unwrap();
    let mut statement = Statement::parse(&signed).unwrap();
    if let Kind::Request(asked) = &mut statement.kind
        && let Purpose::Release(r) = &mut asked.purpose
    {
        r.delivery_key = own.public().unwrap();
    }
    let secret = PollSecret::draw().unwrap();
    let before = house
        .client
        .lines(&house.custodian, "")
        .await
        .unwrap()
        .len();
    for statement in [signed, statement.bytes()] {
        sqlx::query("UPDATE requests SET state = 'open', ends = $1, closed = NULL, statement = $2, poll = $3 WHERE request = $4")
            .bind(now_us() + 900_000_000)
            .bind(statement)
            .bind(secret.hash().0.to_vec())
            .bind(request.clone())
            .execute(&pool)
            .await
            .unwrap();
        let refused = house.client.opening(By::poll(&secret), &release).await;
        let refused = refused.expect_err("the row alone opened it");
        assert!(refused.status().is_some_and(|s| s >= 400), "{refused}");
    }
    let after = house
        .client
        .lines(&house.custodian, "")
        .await
        .unwrap()
        .len();
    assert_eq!(before, after);
}

both!(p9_a_roster_is_not_set_for_a_key_that_died_meanwhile);
/// Weeks may lie between a proposal and its last signature: whoever was named may have left. The roster is not set, the
/// ledger stays true, and the safe as it was.
async fn p9_a_roster_is_not_set_for_a_key_that_died_meanwhile(under: Under) {
    let mut house = House::furnished(under).await;
    let mut late = admit(
        &house.client,
        &house.custodian,
        &house.maker,
        "Priya Nair",
        &[Role::Approver],
    )
    .await;
    let shown = house
        .client
        .safe(&house.custodian, house.safe)
        .await
        .unwrap();
    let new = {
        let mut named: Vec<&Person> = house.approvers.iter().collect();
        named.push(&late);
        NewSafe::drill("Production databases", 2, 4).roster(2, &named)
    };
    let filed = house
        .client
        .propose_roster(&house.custodian, &shown, new, "One more.")
        .await
        .unwrap();
    house
        .client
        .accept(&mut late, 0, filed.request)
        .await
        .unwrap();
    house
        .client
        .approve(&mut house.approvers[0], 0, filed.request)
        .await
        .unwrap();
    house
        .client
        .suspend(&house.custodian, 0, &act(&late, 0))
        .await
        .unwrap();
    // The last signature stands; the act does not come of it.
    house
        .client
        .approve(&mut house.approvers[1], 0, filed.request)
        .await
        .unwrap();
    tokio::time::sleep(Duration::from_millis(1500)).await;
    let shown = house
        .client
        .safe(&house.custodian, house.safe)
        .await
        .unwrap();
    assert_eq!(shown.epoch, 1, "a roster names a dead key");
    let (release, _) = house.opened().await;
    house
        .client
        .check_in(house.engineer.by(), release.filed.request)
        .await
        .unwrap();
    // Once the key is good again, it is set by itself.
    house
        .client
        .unsuspend(&house.custodian, 0, &act(&late, 0))
        .await
        .unwrap();
    becomes(&house, &filed.request.to_string(), "done").await;
}

both!(p12_a_key_that_only_its_row_calls_live_counts_for_nothing);
/// A suspension or a revocation that was taken out of the rows is still in the ledger, and what that key signed before
/// does not count.
async fn p12_a_key_that_only_its_row_calls_live_counts_for_nothing(under: Under) {
    let mut house = House::furnished(under).await;
    let pool = house.app.thief().await;
    let release = house.ask().await;
    house.approve(&release, &[0, 1]).await;
    let second = act(&house.approvers[1], 0);
    let forgotten = async || {
        for sql in [
            "UPDATE authenticators SET suspended = NULL, revoked = NULL",
            "DELETE FROM suspensions",
        ] {
            sqlx::query(sql).execute(&pool).await.unwrap();
        }
    };
    let custodian = &house.custodian;
    house.client.suspend(custodian, 0, &second).await.unwrap();
    forgotten().await;
    let refused = house.client.open(&mut house.engineer, &release).await;
    let refused = refused.err().expect("a suspended key counts");
    assert_eq!(refused.status(), Some(409), "{refused}");
    // Restored by an entry it counts, until it is revoked.
    let sql = "UPDATE authenticators SET suspended = 1 WHERE authenticator = $1";
    let query = sqlx::query(sql).bind(second.authenticator.to_string());
    query.execute(&pool).await.unwrap();
    house.client.unsuspend(custodian, 0, &second).await.unwrap();
    let live = house
        .client
        .live(house.engineer.by(), release.filed.request);
    assert_eq!(live.await.unwrap().state, "reached");
    house.client.revoke(custodian, 0, &second).await.unwrap();
    forgotten().await;
    let refused = house.client.open(&mut house.engineer, &release).await;
    let refused = refused.err().expect("a revoked key counts");
    assert_eq!(refused.status(), Some(409), "{refused}");
    house.approve(&release, &[2]).await;
    house
        .client
        .open(&mut house.engineer, &release)
        .await
        .unwrap();
}

both!(p7_a_damaged_row_keeps_nothing_else_from_its_end);
/// One row that nobody can read keeps no other release from its end.
async fn p7_a_damaged_row_keeps_nothing_else_from_its_end(under: Under) {
    let mut house = House::furnished(under).await;
    let waits = house.ask().await;
    let ask = ReleaseAsk {
        duration_s: 3,
        ..ReleaseAsk::because("For three seconds.")
    };
    let release = house.try_ask(&ask).await.unwrap();
    house.approve(&release, &[0, 1]).await;
    house
        .client
        .open(&mut house.engineer, &release)
        .await
        .unwrap();
    let pool = house.app.thief().await;
    sqlx::query("UPDATE requests SET safe = 'no id at all', expires = 0 WHERE request = $1")
        .bind(waits.filed.request.to_string())
        .execute(&pool)
        .await
        .unwrap();
    becomes(&house, &release.filed.request.to_string(), "closed").await;
}

both!(p9_one_custodian_cannot_revoke_a_safe_shut);
/// A custodian alone cannot leave a safe with fewer people than it needs; its owner may always end a key.
async fn p9_one_custodian_cannot_revoke_a_safe_shut(under: Under) {
    let house = House::furnished(under).await;
    let revoke = async |n: usize| {
        let of = act(&house.approvers[n], 0);
        house.client.revoke(&house.custodian, 0, &of).await
    };
    revoke(0).await.unwrap();
    let refused = revoke(1).await.expect_err("the safe is shut for ever");
    assert_eq!(refused.status(), Some(409), "{refused}");
    assert!(refused.to_string().contains("fewer people"), "{refused}");
    house
        .client
        .suspend(&house.custodian, 0, &act(&house.approvers[1], 0))
        .await
        .unwrap();
}

both!(p8_asking_for_nonces_locks_nobody_out);
/// Anybody may ask for a login\u{2019}s nonce; nobody is locked out by it.
async fn p8_asking_for_nonces_locks_nobody_out(under: Under) {
    let mut house = House::furnished(under).await;
    for _ in 0..1100 {
        house
            .client
            .post("/login/start", By::nobody(), &json!({}))
            .await
            .unwrap();
    }
    house.client.login(&mut house.engineer, 0).await.unwrap();
    admit(
        &house.client,
        &house.custodian,
        &house.maker,
        "Late Joiner",
        &[Role::Requester],
    )
    .await;
}

both!(a_statement_sent_twice_suspends_no_key);
/// The same bytes sent twice are no copied key.
async fn a_statement_sent_twice_suspends_no_key(under: Under) {
    let mut house = House::furnished(under).await;
    let request = house.ask().await.filed.request;
    let House {
        client, approvers, ..
    } = &mut house;
    let evidence = client.evidence(&mut approvers[0], request).await.unwrap();
    let first = &approvers[0];
    let signed = client
        .decision(first, 0, &evidence, Decision::Approve)
        .unwrap();
    let (x, sealed) = client
        .reseal(first, 0, &evidence, &signed)
        .unwrap()
        .unwrap();
    let body = json!({ "signed": signed.json(), "share": { "x": x, "sealed": b64(&sealed) } });
    let path = format!("/requests/{request}/decisions");
    client.post(&path, first.by(), &body).await.unwrap();
    let twice = client.post(&path, first.by(), &body).await.err().unwrap();
    assert!(twice.to_string().contains("used before"), "{twice}");
    let mine = client.get("/you", first.by()).await.unwrap();
    assert_eq!(mine.read::<Value>().unwrap()["keys"][0]["suspended"], false);
}

both!(a_page_that_watches_a_live_request_is_activity);
/// Somebody who watches a live request is not idle.
async fn a_page_that_watches_a_live_request_is_activity(under: Under) {
    let house = House::furnished(under).await;
    let release = house.ask().await;
    let pool = house.app.thief().await;
    let ago = now_us() - 10 * 60_000_000;
    sqlx::query("UPDATE sessions SET seen = $1 WHERE user_id = $2")
        .bind(ago)
        .bind(house.engineer.user.to_string())
        .execute(&pool)
        .await
        .unwrap();
    house
        .client
        .post("/login/start", By::nobody(), &json!({}))
        .await
        .unwrap();
    let token = house.engineer.session.as_ref().unwrap().expose().to_owned();
    let url = format!(
        "{}/api/v1/requests/{}/events",
        house.app.origin(),
        release.filed.request
    );
    let http = reqwest::Client::builder()
        .no_proxy()
        .tls_certs_only([])
        .build()
        .unwrap();
    let mut stream = http
        .get(url)
        .header("Cookie", format!("__Host-vitrine={token}"))
        .send()
        .await
        .unwrap();
    assert!(stream.chunk().await.unwrap().is_some());
    let seen: i64 = sqlx::query("SELECT seen FROM sessions WHERE user_id = $1 ORDER BY seen DESC")
        .bind(house.engineer.user.to_string())
        .fetch_one(&pool)
        .await
        .unwrap()
        .get(0);
    assert!(seen > ago, "watching is no activity");
    // Signing out ends the stream too.
    house
        .client
        .post("/logout", house.engineer.by(), &json!({}))
        .await
        .unwrap();
    let ended = tokio::time::timeout(Duration::from_secs(10), async {
        while let Ok(Some(_)) = stream.chunk().await {}
    });
    assert!(ended.await.is_ok(), "it goes on without a session");
}

/// Two nodes on one database: what one has entered the other counts, and a client that has seen more than a node did itself is
/// not told that it was cheated. On PostgreSQL alone: an SQLite file has one node.
#[tokio::test(flavor = "multi_thread")]
async fn p5_two_nodes_on_one_database() {
    let mut house = House::furnished(Under::Postgres).await;
    let mut second: TestApp = house.app.twin();
    second.serve().await;
    let there = second.client().await;
    let release = house.ask().await;
    house.approve(&release, &[0, 1]).await;
    // The second has committed nothing since it started, and opens what the first counted.
    let live: Value = there
        .get(
            &format!("/requests/{}", release.filed.request),
            house.engineer.by(),
        )
        .await
        .unwrap()
        .read()
        .unwrap();
    assert_eq!(live["signed"].as_array().unwrap().len(), 2, "{live}");
    house.client.checkpoint(&mut house.engineer).await.unwrap();
    let opened = there.open(&mut house.engineer, &release).await.unwrap();
    assert_eq!(opened.plaintext.expose().len(), 24);
    // And the first gives the same answer again.
    let again = house
        .client
        .open(&mut house.engineer, &release)
        .await
        .unwrap();
    assert_eq!(again.plaintext.expose(), opened.plaintext.expose());
    house.app.valid();
}
