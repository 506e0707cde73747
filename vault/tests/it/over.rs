//! What the ledger says is over, sealed, named or revoked, whatever the rows say: the database in somebody's hand, and nothing of
//! the ledger deleted.

use drills::client::{Client, NewSafe, Person, Release, ReleaseAsk};
use quorum::ids::SafeId;
use quorum::statement::{KeyAct, Role};
use sqlx::{AnyPool, Row};

use crate::app::{House, Under, admit};
use crate::rotation::{bound, enter};

async fn run(pool: &AnyPool, sql: &str) {
    let done = sqlx::query(sqlx::AssertSqlSafe(sql.to_owned()));
    done.execute(pool).await.unwrap();
}

/// Refused as a database that was written to, by somebody who asks again and again.
async fn stays_shut(house: &mut House, release: &Release) {
    for _ in 0..2 {
        let refused = house.client.open(&mut house.engineer, release).await;
        let refused = refused.err().expect("it was opened");
        let kind = refused.problem().map(|p| p.kind.clone());
        assert_eq!(kind.as_deref(), Some("urn:vitrine:tampered"), "{refused}");
    }
}

both!(p12_what_is_over_stays_over_whatever_its_row_says);
async fn p12_what_is_over_stays_over_whatever_its_row_says(under: Under) {
    let mut house = House::furnished(under).await;
    let pool = house.app.thief().await;
    let waits = "UPDATE requests SET state = 'reached', opened = NULL, opened_at = NULL, ends = NULL, closed = NULL, why = NULL";
    // Given back.
    let (release, _) = house.opened().await;
    let request = release.filed.request;
    let client = &house.client;
    client.check_in(house.engineer.by(), request).await.unwrap();
    run(&pool, waits).await;
    stays_shut(&mut house, &release).await;
    run(&pool, "UPDATE requests SET state = 'closed'").await;
    // Withdrawn.
    let release = house.ask().await;
    house.approve(&release, &[0, 1]).await;
    let (client, by) = (&house.client, house.engineer.by());
    client.withdraw(by, release.filed.request).await.unwrap();
    run(&pool, waits).await;
    stays_shut(&mut house, &release).await;
    run(&pool, "UPDATE requests SET state = 'closed'").await;
    // Denied by two, one of whom had approved; and by one whose denial alone ends nothing, but takes an approval back.
    for deniers in [&[1, 2][..], &[1]] {
        let release = house.ask().await;
        house.approve(&release, &[0, 1]).await;
        for place in deniers {
            let denier = &mut house.approvers[*place];
            let denied = house.client.deny(denier, 0, release.filed.request);
            denied.await.unwrap();
        }
        run(&pool, "DELETE FROM casts WHERE decision = 'deny'").await;
        run(&pool, waits).await;
        stays_shut(&mut house, &release).await;
        run(&pool, "UPDATE requests SET state = 'ended'").await;
    }
}

both!(p4_a_forged_opening_in_the_ledger_buys_nothing);
/// Whoever writes to the database enters an opening that nobody signed for, as well as the writer could.
async fn p4_a_forged_opening_in_the_ledger_buys_nothing(under: Under) {
    let mut house = House::furnished(under).await;
    let pool = house.app.thief().await;
    let release = house.ask().await;
    for approved in [&[][..], &[0]] {
        house.approve(&release, approved).await;
        let row = sqlx::query(
            "SELECT v.hash, v.roster, v.epoch, c.seq FROM versions v LEFT JOIN casts c ON 1 = 1",
        );
        let row = row.fetch_one(&pool).await.unwrap();
        let hash = |at| audit::Hash(row.get::<Vec<u8>, _>(at).try_into().unwrap());
        let id = |bytes: &[u8; 16]| audit::Id::from_bytes(*bytes);
        let listed = row.get::<Option<i64>, _>(3).into_iter();
        let event = audit::Event::ReleaseOpened(Box::new(audit::event::ReleaseOpened {
            approvals: listed.map(|s| u64::try_from(s).unwrap()).collect(),
            credential: id(house.credential.as_bytes()),
            envelope: hash(0),
            epoch: 1,
            request: id(release.filed.request.as_bytes()),
            requester: id(house.engineer.user.as_bytes()),
            roster: hash(1),
            safe: id(house.safe.as_bytes()),
            version: 1,
        }));
        let links = [release.filed.request.to_string()];
        enter(&pool, event, "release.opened", &links).await;
        run(&pool, "UPDATE requests SET state = 'open'").await;
        stays_shut(&mut house, &release).await;
        run(&pool, "UPDATE requests SET state = 'waiting'").await;
    }
    house.app.leave(); // the verifier finds it
}

async fn two_safes(house: &mut House) -> SafeId {
    let mut people: Vec<&mut Person> = house.approvers.iter_mut().collect();
    let new = NewSafe::drill("Guest networks", 2, 3);
    let founded = house
        .client
        .found_safe(&house.custodian, &new, &mut people)
        .await;
    founded.unwrap().safe
}

fn tampered(refused: drills::client::Result<u64>) {
    let refused = refused.expect_err("it was sealed");
    let kind = refused.problem().map(|p| p.kind.clone());
    assert_eq!(kind.as_deref(), Some("urn:vitrine:tampered"), "{refused}");
}

both!(p3_a_renamed_row_then_the_next_version);
/// Whoever approves goes by the name that was sealed: a row that calls the superuser's password a guest's is not sealed by.
async fn p3_a_renamed_row_then_the_next_version(under: Under) {
    let mut house = House::furnished(under).await;
    let pool = house.app.thief().await;
    let other = two_safes(&mut house).await;
    for (set, back) in [
        (
            "name = 'guest wifi'".to_owned(),
            "name = 'orders-primary superuser'".to_owned(),
        ),
        ("kind = 'note'".to_owned(), "kind = 'password'".to_owned()),
        (
            format!("safe = '{other}'"),
            format!("safe = '{}'", house.safe),
        ),
        ("sealed = 0".to_owned(), "sealed = 1".to_owned()),
    ] {
        run(&pool, &format!("UPDATE credentials SET {set}")).await;
        let (client, custodian) = (&house.client, &house.custodian);
        let refused = client.generate(custodian, house.credential).await;
        let refused = refused.expect_err("it was sealed");
        assert_eq!(refused.status(), Some(409), "{set}: {refused}");
        run(&pool, &format!("UPDATE credentials SET {back}")).await;
    }
    let sealed = house.client.generate(&house.custodian, house.credential);
    assert_eq!(sealed.await.unwrap(), 2);
}

both!(p12_a_first_value_goes_into_the_safe_that_was_meant);
async fn p12_a_first_value_goes_into_the_safe_that_was_meant(under: Under) {
    let mut house = House::furnished(under).await;
    let pool = house.app.thief().await;
    let other = two_safes(&mut house).await;
    let client = &house.client;
    let kind = quorum::secret::SecretKind::Token;
    let added = client
        .add_credential(&house.custodian, house.safe, "a token", kind)
        .await
        .unwrap();
    run(
        &pool,
        &format!("UPDATE credentials SET safe = '{other}' WHERE name = 'a token'"),
    )
    .await;
    let refused = client
        .import(&house.custodian, &added, "the true value")
        .await;
    let refused = refused.expect_err("it was sealed for another safe");
    assert_eq!(refused.status(), Some(409), "{refused}");
    let versions = sqlx::query("SELECT COUNT(*) FROM versions").fetch_one(&pool);
    assert_eq!(versions.await.unwrap().get::<i64, _>(0), 1);
}

both!(p12_an_unbound_row_of_a_bound_credential_seals_nothing);
async fn p12_an_unbound_row_of_a_bound_credential_seals_nothing(under: Under) {
    let (house, _pg) = bound(under).await;
    let pool = house.app.thief().await;
    run(&pool, "UPDATE credentials SET target = NULL").await;
    tampered(
        house
            .client
            .generate(&house.custodian, house.credential)
            .await,
    );
}

both!(p12_a_changed_draft_gives_no_sql);
/// An administrator runs as a superuser what the page gives: not what somebody wrote into a row.
async fn p12_a_changed_draft_gives_no_sql(under: Under) {
    let (house, _pg) = bound(under).await;
    let pool = house.app.thief().await;
    let row = sqlx::query("SELECT target, account, address FROM targets WHERE live = 1");
    let row = row.fetch_one(&pool).await.unwrap();
    let (target, account, address): (String, String, String) = (row.get(0), row.get(1), row.get(2));
    let path = format!("/targets/{target}/sql");
    let by = || house.custodian.by();
    let sql = house.client.get(&path, by()).await.unwrap().body["sql"].clone();
    assert!(sql.as_str().unwrap().contains(&account));
    for (set, back) in [
        (
            "account = 'postgres'".to_owned(),
            format!("account = '{account}'"),
        ),
        (
            "address = '/elsewhere:5432/orders'".to_owned(),
            format!("address = '{address}'"),
        ),
    ] {
        run(&pool, &format!("UPDATE targets SET {set}")).await;
        let refused = house.client.get(&path, by()).await.err();
        assert_eq!(refused.and_then(|e| e.status()), Some(409), "{set}");
        run(&pool, &format!("UPDATE targets SET {back}")).await;
    }
    // A former login is called after its target, whatever its row calls it.
    let former = uuid::Uuid::now_v7();
    run(&pool, &format!(
        "INSERT INTO targets (target, credential, connector, address, account, pin, login_name, login, verifier, server, live) \
         SELECT '{former}', credential, connector, address, account, pin, 'backup_admin', login, verifier, server, 0 FROM targets WHERE live = 1",
    )).await;
    let sql = house.client.get(&path, by()).await.unwrap().body["sql"].clone();
    assert!(!sql.as_str().unwrap().contains("backup_admin"), "{sql}");
}

fn act(person: &Person) -> KeyAct {
    KeyAct {
        authenticator: person.keys[0].authenticator,
        user: person.user,
        why: "It was lost.".into(),
    }
}

both!(p9_two_revocations_at_once_do_not_shut_a_safe);
async fn p9_two_revocations_at_once_do_not_shut_a_safe(under: Under) {
    let house = House::furnished(under).await;
    let revoke = async |n: usize| {
        let of = act(&house.approvers[n]);
        house.client.revoke(&house.custodian, 0, &of).await
    };
    let (one, other) = futures::join!(revoke(0), revoke(1));
    let refused = one.err().xor(other.err()).expect("exactly one is refused");
    assert_eq!(refused.status(), Some(409), "{refused}");
}

async fn margin(client: &Client, by: &Person, safe: SafeId) -> i64 {
    let shown = client.get(&format!("/safes/{safe}"), by.by()).await;
    shown.unwrap().body["margin"].as_i64().unwrap()
}

both!(p9_a_version_under_an_old_roster_counts_in_the_margin);
/// What is sealed for an earlier roster needs people of both: their keys are not revoked away, and the margin says how few they are.
async fn p9_a_version_under_an_old_roster_counts_in_the_margin(under: Under) {
    let mut house = House::furnished(under).await;
    let mut late = admit(
        &house.client,
        &house.custodian,
        &house.maker,
        "Priya Nair",
        &[Role::Approver],
    )
    .await;
    assert_eq!(margin(&house.client, &house.custodian, house.safe).await, 1);
    let shown = house
        .client
        .safe(&house.custodian, house.safe)
        .await
        .unwrap();
    let new = {
        let named: Vec<&Person> = house.approvers[..2].iter().chain([&late]).collect();
        NewSafe::drill("Production databases", 2, 3).roster(2, &named)
    };
    let filed = house
        .client
        .propose_roster(&house.custodian, &shown, new, "Tomasz has left.")
        .await
        .unwrap();
    let subject = filed.request;
    house.client.accept(&mut late, 0, subject).await.unwrap();
    for place in [0, 1] {
        let approver = &mut house.approvers[place];
        house.client.approve(approver, 0, subject).await.unwrap();
    }
    // Three can sign what comes; two of them hold a share of what is there.
    let client = &house.client;
    assert_eq!(margin(client, &house.custodian, house.safe).await, 0);
    let jun = act(&house.approvers[1]);
    let refused = client.revoke(&house.custodian, 0, &jun).await;
    let refused = refused.expect_err("what is sealed can never be opened again");
    assert_eq!(refused.status(), Some(409), "{refused}");
    assert!(refused.to_string().contains("v1"), "{refused}");
    client
        .revoke(&house.custodian, 0, &act(&late))
        .await
        .unwrap();
}

both!(p12_a_frozen_newest_key_event_seals_to_no_revoked_key);
/// A row that says that keys have ended in the far future keeps a verified roster in memory: no share is sealed by it to a key
/// that has ended.
async fn p12_a_frozen_newest_key_event_seals_to_no_revoked_key(under: Under) {
    let house = House::furnished(under).await;
    let pool = house.app.thief().await;
    let (client, custodian) = (&house.client, &house.custodian);
    let frozen = format!(
        "UPDATE authenticators SET revoked = 9000000000000000 WHERE user_id = '{}'",
        house.engineer.user
    );
    run(&pool, &frozen).await;
    client.generate(custodian, house.credential).await.unwrap();
    client
        .revoke(custodian, 0, &act(&house.approvers[0]))
        .await
        .unwrap();
    let refused = client.generate(custodian, house.credential).await;
    let refused = refused.expect_err("it was sealed to a revoked key");
    assert_eq!(refused.status(), Some(409), "{refused}");
    assert!(refused.to_string().contains("revoked"), "{refused}");
}

async fn becomes(house: &House, release: &Release, wanted: &str) {
    let mut state = String::new();
    for _ in 0..300 {
        let live = house
            .client
            .live(house.engineer.by(), release.filed.request);
        state = live.await.unwrap().state;
        if state == wanted {
            return;
        }
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    }
    panic!("it is {state} and not {wanted}");
}

both!(p7_an_end_in_a_row_prolongs_nothing);
/// However far a row puts a release's end, it is over when its safe lets none last any longer.
async fn p7_an_end_in_a_row_prolongs_nothing(under: Under) {
    let mut house = House::furnished(under).await;
    let mut people: Vec<&mut Person> = house.approvers.iter_mut().collect();
    let new = NewSafe {
        grant_life_s: 3,
        ..NewSafe::drill("Short", 2, 3)
    };
    let client = &house.client;
    let safe = client.found_safe(&house.custodian, &new, &mut people).await;
    let kind = quorum::secret::SecretKind::Token;
    let safe = safe.unwrap().safe;
    let added = client.add_credential(&house.custodian, safe, "short", kind);
    house.credential = added.await.unwrap().credential;
    let generated = client.generate(&house.custodian, house.credential);
    generated.await.unwrap();
    let ask = ReleaseAsk {
        duration_s: 3,
        ..ReleaseAsk::because("For three seconds.")
    };
    let release = house.try_ask(&ask).await.unwrap();
    house.approve(&release, &[0, 1]).await;
    let opened = house.client.open(&mut house.engineer, &release).await;
    opened.unwrap();
    let pool = house.app.thief().await;
    run(
        &pool,
        "UPDATE requests SET ends = 9000000000000000 WHERE state = 'open'",
    )
    .await;
    becomes(&house, &release, "closed").await;
}

both!(p7_a_quorum_that_nobody_uses_in_time_is_over);
/// Nothing waits behind a request that can never be opened any more, though its time to sign is not over.
async fn p7_a_quorum_that_nobody_uses_in_time_is_over(under: Under) {
    let mut house = House::furnished(under).await;
    let ask = ReleaseAsk {
        open_within_s: 1,
        ..ReleaseAsk::because("Nobody will open it.")
    };
    let release = house.try_ask(&ask).await.unwrap();
    house.approve(&release, &[0, 1]).await;
    becomes(&house, &release, "refused").await;
    let late = house.client.open(&mut house.engineer, &release).await;
    let late = late.err().expect("it was opened");
    assert_eq!(late.status(), Some(409), "{late}");
    assert!(late.to_string().contains("Too late"), "{late}");
    let lines = house.client.lines(&house.custodian, "").await.unwrap();
    assert_eq!(
        lines
            .iter()
            .filter(|l| l.event == "release.refused")
            .count(),
        1
    );
}

both!(a_bad_share_is_named_before_anything_is_opened);
/// An approval may come with a share that opens nothing. Whoever asked finds it before the request is spent, and another signs.
async fn a_bad_share_is_named_before_anything_is_opened(under: Under) {
    let mut house = House::furnished(under).await;
    let release = house.ask().await;
    let request = release.filed.request;
    let client = &house.client;
    let first = &mut house.approvers[0];
    let evidence = client.evidence(first, request).await.unwrap();
    let yes = quorum::statement::Decision::Approve;
    let signed = client.decision(first, 0, &evidence, yes).unwrap();
    let (x, _) = client
        .reseal(first, 0, &evidence, &signed)
        .unwrap()
        .unwrap();
    let nonsense = Some((x, vec![0; 80]));
    let sent = client
        .send_decision(first, request, &signed, nonsense)
        .await;
    sent.unwrap();
    house.approve(&release, &[1]).await;
    let (client, by) = (&house.client, || house.engineer.by());
    let (good, wrong) = client.shares(by(), &release).await.unwrap();
    assert_eq!((good, wrong.len()), (1, 1));
    assert_eq!(wrong[0].name, "Adaeze Obi");
    // It is entered, once, whoever's it was.
    let path = format!("/requests/{request}/shares/refused");
    for _ in 0..2 {
        let body = serde_json::json!({ "approver": house.approvers[0].user.to_string() });
        client.post(&path, by(), &body).await.unwrap();
    }
    let lines = client.lines(&house.custodian, "").await.unwrap();
    assert_eq!(
        lines.iter().filter(|l| l.event == "share.refused").count(),
        1
    );
    house.approve(&release, &[2]).await;
    let shares = house.client.shares(house.engineer.by(), &release).await;
    assert_eq!(shares.unwrap().0, 2);
    let opened = house
        .client
        .open(&mut house.engineer, &release)
        .await
        .unwrap();
    assert_eq!(opened.plaintext.expose().len(), 24);
    assert_eq!(opened.wrong.len(), 1);
    // What is open gives its shares with the answer alone.
    let late = house.client.shares(house.engineer.by(), &release).await;
    assert_eq!(late.err().and_then(|e| e.status()), Some(409));
}
