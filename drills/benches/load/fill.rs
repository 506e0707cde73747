//! A long ledger without the years: entries as the writer makes them, straight into a copy of the database.
//!
//! Each is a `drill.finished` (unsigned, so that nobody need sign a million times) with one link, and every twentieth brings a nonce:
//! the indexes grow at random places as in life.

use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use audit::{Actor, Appended, Chain, Draft, Event, Head, Id, leaf_hash};
use sqlx::sqlite::SqliteConnection;
use sqlx::{AssertSqlSafe, Connection as _, Row as _};

use crate::floor;

const AT_ONCE: u64 = 250;

/// Fills the ledger at `path` up to `size` entries. Nobody serves from it meanwhile.
pub(crate) async fn to(path: &Path, size: u64) {
    let mut db = floor::open(path, false).await;
    let mut chain = resume(&mut db).await;
    while chain.size() < size {
        sqlx::query("BEGIN IMMEDIATE")
            .execute(&mut db)
            .await
            .unwrap();
        for _ in 0..80 {
            let entries: Vec<Appended> = (chain.size()..size)
                .take(AT_ONCE as usize)
                .map(|seq| next(&mut chain, seq))
                .collect();
            insert(&mut db, &entries).await;
        }
        let head = chain.head();
        sqlx::query("UPDATE ledger_head SET size = ?, prev = ?, time = ?, frontier = ?")
            .bind(head.size as i64)
            .bind(head.prev.0.to_vec())
            .bind(head.time)
            .bind(head.frontier)
            .execute(&mut db)
            .await
            .unwrap();
        sqlx::query("COMMIT").execute(&mut db).await.unwrap();
    }
    sqlx::query("PRAGMA wal_checkpoint(TRUNCATE)")
        .execute(&mut db)
        .await
        .unwrap();
    db.close().await.unwrap();
    std::fs::File::open(path).unwrap().sync_all().unwrap();
}

async fn resume(db: &mut SqliteConnection) -> Chain {
    let row = sqlx::query("SELECT size, prev, time, frontier FROM ledger_head")
        .fetch_one(db)
        .await
        .unwrap();
    let prev: Vec<u8> = row.get(1);
    let head = Head {
        size: row.get::<i64, _>(0) as u64,
        prev: audit::Hash(prev.try_into().unwrap()),
        time: row.get(2),
        frontier: row.get(3),
    };
    Chain::resume(head).unwrap()
}

fn next(chain: &mut Chain, seq: u64) -> Appended {
    let report_sha256 = leaf_hash(&seq.to_be_bytes());
    let event = Event::DrillFinished {
        passed: true,
        report_sha256,
        safe: about(&report_sha256),
    };
    let now = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap()
        .as_micros() as i64;
    chain
        .append(
            &Draft {
                actor: Actor::System,
                event,
            },
            now,
        )
        .unwrap()
}

/// Some id, another for each entry.
fn about(hash: &audit::Hash) -> Id {
    let h: String = hash.0[..16].iter().map(|b| format!("{b:02x}")).collect();
    let text = format!(
        "{}-{}-{}-{}-{}",
        &h[..8],
        &h[8..12],
        &h[12..16],
        &h[16..20],
        &h[20..]
    );
    text.parse().unwrap()
}

async fn insert(db: &mut SqliteConnection, entries: &[Appended]) {
    if entries.is_empty() {
        return;
    }
    let rows = |row: &'static str| vec![row; entries.len()].join(", ");
    let sql = format!(
        "INSERT INTO ledger_entries (seq, time, event, actor, leaf, bytes) VALUES {}",
        rows("(?, ?, 'drill.finished', 'system', ?, ?)")
    );
    let mut query = sqlx::query(AssertSqlSafe(sql.as_str()));
    for entry in entries {
        query = query.bind(entry.seq as i64).bind(entry.time);
        query = query.bind(entry.leaf.0.to_vec()).bind(entry.bytes.clone());
    }
    query.execute(&mut *db).await.unwrap();
    let sql = format!(
        "INSERT INTO ledger_links (subject, seq) VALUES {}",
        rows("(?, ?)")
    );
    let mut query = sqlx::query(AssertSqlSafe(sql.as_str()));
    for entry in entries {
        query = query
            .bind(about(&entry.leaf).to_string())
            .bind(entry.seq as i64);
    }
    query.execute(&mut *db).await.unwrap();
    for entry in entries {
        for node in &entry.nodes {
            sqlx::query("INSERT INTO ledger_nodes (level, n, hash) VALUES (?, ?, ?)")
                .bind(i64::from(node.level))
                .bind(node.index as i64)
                .bind(node.hash.0.to_vec())
                .execute(&mut *db)
                .await
                .unwrap();
        }
        if entry.seq.is_multiple_of(20) {
            let nonce = leaf_hash(&entry.leaf.0);
            let sql = "INSERT INTO nonces (nonce) VALUES (?)";
            sqlx::query(sql)
                .bind(nonce.0.to_vec())
                .execute(&mut *db)
                .await
                .unwrap();
        }
    }
}
