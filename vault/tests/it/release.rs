//! One release from filing to check-in, on both databases.

use drills::client::{Held, Person, ReleaseAsk, b64};
use drills::key::SoftwareKey;
use serde_json::{Value, json};
use sqlx::Row;

use crate::app::{House, Under};

both!(release_end_to_end);
async fn release_end_to_end(under: Under) {
    let mut house = House::furnished(under).await;
    let (release, plaintext) = house.opened().await;
    assert_eq!(plaintext.len(), 24);
    // The same call again gives the same secret, and no second entry.
    let again = house
        .client
        .open(&mut house.engineer, &release)
        .await
        .unwrap();
    assert_eq!(again.plaintext.expose(), plaintext);
    let entries = house
        .client
        .lines(&house.custodian, "release.opened")
        .await
        .unwrap();
    assert_eq!(entries.len(), 1);
    house
        .client
        .check_in(house.engineer.by(), release.filed.request)
        .await
        .unwrap();
    assert!(
        house
            .client
            .open(&mut house.engineer, &release)
            .await
            .is_err()
    );
}

both!(a_reason_that_reads_otherwise_is_refused);
/// What shows another text than it is, or breaks out of its line, is not kept for approvers to read.
async fn a_reason_that_reads_otherwise_is_refused(under: Under) {
    let house = House::furnished(under).await;
    let before = house.client.lines(&house.custodian, "").await.unwrap();
    let turns = ('\u{202a}'..='\u{202e}').chain('\u{2066}'..='\u{2069}');
    for turn in turns.chain(['\0', '\u{1b}', '\u{7f}', '\u{feff}']) {
        let reason = format!("Disk full on {turn}db-7.");
        let refused = house.try_ask(&ReleaseAsk::because(&reason)).await;
        let refused = refused.err().expect("it was filed");
        assert_eq!(refused.status(), Some(400), "{turn:?}: {refused}");
        assert!(refused.to_string().contains("cannot be shown"), "{refused}");
    }
    let after = house.client.lines(&house.custodian, "").await.unwrap();
    assert_eq!(after.len(), before.len());
    let reason = "Диск полон.\nThe disk of db-7 is full. הדיסק מלא.";
    house.try_ask(&ReleaseAsk::because(reason)).await.unwrap();
}

both!(p9_a_further_key_opens_what_was_sealed_before);
/// A key that is added later opens what was sealed before it: its owner seals their shares to it, both keys in hand.
async fn p9_a_further_key_opens_what_was_sealed_before(under: Under) {
    let mut house = House::furnished(under).await;
    let late = SoftwareKey::new(&house.maker).unwrap();
    let place = house
        .client
        .add_key(&mut house.approvers[0], 0, late)
        .await
        .unwrap();
    let release = house.ask().await;
    let request = release.filed.request;
    house
        .client
        .approve(&mut house.approvers[0], place, request)
        .await
        .unwrap();
    house.approve(&release, &[1]).await;
    let opened = house.client.open(&mut house.engineer, &release).await;
    assert_eq!(opened.unwrap().plaintext.expose().len(), 24);
    house.app.valid();

    // Whoever holds a session gives a share to nobody who had none, and replaces none that is there.
    let body = json!({ "shares": [{ "credential": house.credential.to_string(), "version": 1, "sealed": b64(&[7; 80]) }] });
    let post = async |person: &Person, key: &Held| {
        let path = format!("/you/keys/{}/shares", key.authenticator);
        house.client.post(&path, person.by(), &body).await
    };
    let (engineer, [first, second, ..]) = (&house.engineer, &house.approvers[..]) else {
        panic!("a house has approvers");
    };
    for (person, key) in [(engineer, &engineer.keys[0]), (first, &first.keys[place])] {
        let answer = post(person, key).await.unwrap().read::<Value>().unwrap();
        assert_eq!(answer["kept"], 0, "{}", person.name);
    }
    let refused = post(first, &second.keys[0]).await;
    assert_eq!(refused.err().and_then(|e| e.status()), Some(404));
}

both!(p12_a_forged_approval_row_counts_for_nothing);
/// A row that says that somebody approved is worth what its signed entry says, and one without is worth nothing.
async fn p12_a_forged_approval_row_counts_for_nothing(under: Under) {
    let mut house = House::furnished(under).await;
    let (other, wanted) = (house.ask().await, house.ask().await);
    house.approve(&other, &[1]).await;
    house.approve(&wanted, &[0]).await;
    let pool = house.app.thief().await;
    let (request, other) = (
        wanted.filed.request.to_string(),
        other.filed.request.to_string(),
    );
    let second = house.approvers[1].user.to_string();
    let newest: i64 = sqlx::query("SELECT MAX(seq) FROM ledger_entries")
        .fetch_one(&pool)
        .await
        .unwrap()
        .try_get(0)
        .unwrap();
    // The second approver's approval of another request; the same at the place of another entry; the first one's as the
    // second's; and all of it with the row of the state, too.
    let key = "(SELECT MIN(authenticator) FROM authenticators WHERE user_id = $2)";
    let at = format!("{newest} + 1");
    for (seq, from, statement) in [
        ("seq", other.as_str(), "statement"),
        (at.as_str(), other.as_str(), "statement"),
        ("seq + 1", request.as_str(), "statement"),
        (
            "seq",
            other.as_str(),
            "(SELECT statement FROM casts c WHERE c.request = $1)",
        ),
    ] {
        let sql = format!(
            "INSERT INTO casts (request, seq, time, user_id, authenticator, decision, statement, x, sealed) \
             SELECT $1, {seq}, time, $2, {key}, 'approve', {statement}, 2, sealed FROM casts WHERE request = $3"
        );
        sqlx::query(sqlx::AssertSqlSafe(sql))
            .bind(request.clone())
            .bind(second.clone())
            .bind(from.to_owned())
            .execute(&pool)
            .await
            .unwrap();
        sqlx::query(
            "UPDATE requests SET state = 'reached', open_until = expires WHERE request = $1",
        )
        .bind(request.clone())
        .execute(&pool)
        .await
        .unwrap();
        let refused = house
            .client
            .open(&mut house.engineer, &wanted)
            .await
            .err()
            .unwrap();
        let kind = refused.problem().map(|p| p.kind.clone());
        assert_eq!(
            kind.as_deref(),
            Some("urn:vitrine:tampered"),
            "{seq}: {refused}"
        );
        sqlx::query("DELETE FROM casts WHERE request = $1 AND user_id = $2")
            .bind(request.clone())
            .bind(second.clone())
            .execute(&pool)
            .await
            .unwrap();
    }
    // With a real one it opens.
    house.approve(&wanted, &[1]).await;
    house
        .client
        .open(&mut house.engineer, &wanted)
        .await
        .unwrap();
}

both!(p12_what_was_seen_a_moment_ago_is_looked_at_again);
/// A node that has just had a request before it goes by nothing that it remembers: rows that were changed since the last approval
/// are refused at the next one, and at the opening.
async fn p12_what_was_seen_a_moment_ago_is_looked_at_again(under: Under) {
    let mut house = House::furnished(under).await;
    let pool = house.app.thief().await;
    let sql = async |text: &str, values: &[&str]| {
        let mut query = sqlx::query(sqlx::AssertSqlSafe(text.to_owned()));
        for value in values {
            query = query.bind((*value).to_owned());
        }
        query.execute(&pool).await.unwrap();
    };
    let kept = "CREATE TABLE kept AS SELECT credential, version, envelope FROM versions";
    sql(kept, &[]).await;
    let other = house.ask().await.filed.request.to_string();
    let founding = "(SELECT bytes FROM ledger_entries WHERE seq = 0)";
    let first = "(SELECT leaf FROM ledger_entries WHERE seq = 0)";
    let (roster, roster_was) = (
        format!("UPDATE safes SET roster = {first}"),
        "UPDATE safes SET roster = (SELECT r.leaf FROM rosters r WHERE r.safe = safes.safe AND r.epoch = safes.epoch)",
    );
    let leaf = format!("UPDATE requests SET leaf = {first} WHERE request = $1");
    let statement = "UPDATE requests SET statement = (SELECT q.statement FROM requests q WHERE q.request = $2) WHERE request = $1";
    let envelope = format!("UPDATE versions SET envelope = {founding}");
    let envelope_was = "UPDATE versions SET envelope = (SELECT k.envelope FROM kept k WHERE k.credential = versions.credential AND k.version = versions.version)";
    let second = house.approvers[1].user;
    let rest = format!("UPDATE authenticators SET suspended = 1 WHERE user_id = '{second}'");
    let said = format!(
        "UPDATE casts SET statement = (SELECT q.statement FROM requests q WHERE q.request = casts.request) WHERE user_id = '{second}'"
    );
    // What the thief does after one approval, or after both; and what puts it right again.
    for (signed, done, undone) in [
        (1, roster.as_str(), roster_was),
        (1, leaf.as_str(), ""),
        (1, statement, ""),
        (
            1,
            rest.as_str(),
            "UPDATE authenticators SET suspended = NULL",
        ),
        (2, roster.as_str(), roster_was),
        (2, leaf.as_str(), ""),
        (2, statement, ""),
        (
            2,
            "UPDATE safes SET m = m - 1",
            "UPDATE safes SET m = m + 1",
        ),
        (2, envelope.as_str(), envelope_was),
        (2, "DELETE FROM casts WHERE request = $1", ""),
        (2, said.as_str(), ""),
    ] {
        let release = house.ask().await;
        let request = release.filed.request;
        house.approve(&release, &[0, 1][..signed]).await;
        let before = house
            .client
            .lines(&house.custodian, "")
            .await
            .unwrap()
            .len();
        let values = [request.to_string(), other.clone()];
        let values: Vec<&str> = values.iter().map(String::as_str).collect();
        let places = done.contains("$1") as usize + done.contains("$2") as usize;
        sql(done, &values[..places]).await;
        let answer = match signed {
            1 => {
                let by = &mut house.approvers[1];
                house.client.approve(by, 0, request).await.map(|_| ())
            }
            _ => house
                .client
                .open(&mut house.engineer, &release)
                .await
                .map(|_| ()),
        };
        let refused = answer.expect_err(done);
        let status = refused.status();
        assert!(
            matches!(status, None | Some(400..=409)),
            "{done}: {refused}"
        );
        if !undone.is_empty() {
            sql(undone, &[]).await;
        }
        let after = house.client.lines(&house.custodian, "").await.unwrap();
        assert_eq!(after.len(), before, "{done}: {after:?}");
    }
    sql("DROP TABLE kept", &[]).await;
    let (_, plaintext) = house.opened().await;
    assert_eq!(plaintext.len(), 24);
}
