//! Floors: what a minimal program reaches here and now.

use std::path::Path;
use std::time::Instant;

use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection, SqliteJournalMode, SqliteSynchronous};
use sqlx::{AssertSqlSafe, ConnectOptions, Connection as _};

use crate::load::Connection;
use crate::median;
use crate::server::{Cpu, Server};

/// A SQLite file, opened as durably as Vitrine opens its own, or not at all durably.
pub(crate) async fn open(path: &Path, durable: bool) -> SqliteConnection {
    let options = SqliteConnectOptions::new()
        .filename(path)
        .create_if_missing(true);
    let synchronous = if durable {
        SqliteSynchronous::Full
    } else {
        SqliteSynchronous::Off
    };
    let options = options
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(synchronous);
    options.connect().await.unwrap()
}

/// Rows of 512 bytes, `rows` a transaction; gives what each transaction took.
async fn insert(folder: &Path, rows: usize, transactions: usize) -> Vec<f64> {
    let path = folder.join("floor.db");
    let mut db = open(&path, true).await;
    let table = "CREATE TABLE IF NOT EXISTS entries (seq INTEGER PRIMARY KEY, bytes BLOB NOT NULL)";
    sqlx::query(table).execute(&mut db).await.unwrap();
    let places = vec!["(?)"; rows].join(", ");
    let sql = format!("INSERT INTO entries (bytes) VALUES {places}");
    let mut took = Vec::with_capacity(transactions);
    for _ in 0..transactions {
        let begun = Instant::now();
        let mut query = sqlx::query(AssertSqlSafe(sql.as_str()));
        for _ in 0..rows {
            query = query.bind(vec![7_u8; 512]);
        }
        query.execute(&mut db).await.unwrap();
        took.push(begun.elapsed().as_secs_f64() * 1e6);
    }
    db.close().await.unwrap();
    took
}

/// CPU of one row, in microseconds.
pub(crate) async fn insert_cpu_us(folder: &Path, rows: usize, transactions: usize) -> f64 {
    insert(folder, rows, 50).await;
    let me = std::process::id();
    let before = Cpu::of(me);
    insert(folder, rows, transactions).await;
    Cpu::of(me).since_us(&before) / (rows * transactions) as f64
}

/// p50 of one durable row, in microseconds.
pub(crate) async fn commit_us(folder: &Path) -> f64 {
    insert(folder, 1, 50).await;
    median(insert(folder, 1, 400).await)
}

/// p50 of replacing a small file so that it stays replaced: written, renamed, synced, as the anchor is. In microseconds.
pub(crate) fn replace_us(folder: &Path) -> f64 {
    use std::io::Write as _;
    let (new, path) = (folder.join("floor.new"), folder.join("floor"));
    let round = || {
        let begun = Instant::now();
        let mut file = std::fs::File::create(&new).unwrap();
        file.write_all(&[b'x'; 180]).unwrap();
        file.sync_data().unwrap();
        std::fs::rename(&new, &path).unwrap();
        std::fs::File::open(folder).unwrap().sync_all().unwrap();
        begun.elapsed().as_secs_f64() * 1e6
    };
    (0..20).for_each(|_| _ = round());
    median((0..200).map(|_| round()).collect())
}

/// p50 of a request that does nothing, in microseconds.
pub(crate) fn hello_us(server: &Server) -> f64 {
    let mut connection = Connection::open(server.port).unwrap();
    let get = "GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n";
    let mut round = || {
        let begun = Instant::now();
        assert_eq!(connection.round(get.as_bytes()).unwrap(), 200);
        begun.elapsed().as_secs_f64() * 1e6
    };
    (0..50).for_each(|_| _ = round());
    median((0..400).map(|_| round()).collect())
}
