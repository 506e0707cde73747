//! Floors: what a minimal program reaches here and now.

use std::os::unix::fs::FileExt as _;
use std::path::Path;
use std::time::Instant;

use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection, SqliteJournalMode, SqliteSynchronous};
use sqlx::{AssertSqlSafe, ConnectOptions, Connection as _};

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

/// What a release cannot do without, once each when it is asked for, so that it meets the machine as a release does.
pub(crate) struct Floors {
    db: SqliteConnection,
    file: std::fs::File,
    http: reqwest::Client,
    hello: String,
}

impl Floors {
    pub(crate) async fn make(server: &Server) -> Self {
        insert(server.folder(), 1, 1).await;
        let file = std::fs::File::create(server.folder().join("floor")).unwrap();
        file.write_all_at(&[b' '; 8192], 0).unwrap();
        file.sync_all().unwrap();
        Self {
            db: open(&server.folder().join("floor.db"), true).await,
            file,
            http: reqwest::Client::builder()
                .no_proxy()
                .tls_certs_only([])
                .build()
                .unwrap(),
            hello: format!("http://127.0.0.1:{}/healthz", server.port),
        }
    }

    /// One durable row of 512 bytes.
    pub(crate) async fn row_us(&mut self) -> f64 {
        let begun = Instant::now();
        let row = sqlx::query("INSERT INTO entries (bytes) VALUES (?)").bind(vec![7_u8; 512]);
        row.execute(&mut self.db).await.unwrap();
        begun.elapsed().as_secs_f64() * 1e6
    }

    /// A small write into a file that stays written, as the anchor is.
    pub(crate) fn write_us(&self) -> f64 {
        let begun = Instant::now();
        self.file.write_all_at(&[b'x'; 4096], 0).unwrap();
        self.file.sync_data().unwrap();
        begun.elapsed().as_secs_f64() * 1e6
    }

    /// A request that does nothing, over a kept connection of the client's own kind.
    pub(crate) async fn hello_us(&self) -> f64 {
        let begun = Instant::now();
        let answer = self.http.get(&self.hello).send().await.unwrap();
        assert_eq!(answer.status(), 200);
        answer.bytes().await.unwrap();
        begun.elapsed().as_secs_f64() * 1e6
    }
}
