//! One release from filing to check-in, on both databases.

use crate::app::{House, Under};

async fn end_to_end(under: Under) {
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
    let (code, said) = house.app.verify();
    assert_eq!(code, 0, "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn release_end_to_end_on_sqlite() {
    end_to_end(Under::Sqlite).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn release_end_to_end_on_postgresql() {
    end_to_end(Under::Postgres).await;
}
