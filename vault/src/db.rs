//! The database: SQLite by default, PostgreSQL for many nodes. One SQL text for both, through sqlx's
//! `Any`; every place where the two differ is in this module, side by side.

use std::str::FromStr;
use std::time::Duration;

use sqlx::any::{AnyConnectOptions, AnyPoolOptions, AnyRow};
use sqlx::{AnyConnection, AnyPool, AssertSqlSafe, ConnectOptions, Connection, Row};

use crate::error::{Error, Result, Words};
use crate::script::{Facts, Script};

/// The schema, oldest first. A landed migration never changes.
const MIGRATIONS: &[(i64, &str)] = &[
    (1, include_str!("../migrations/0001_founding.sql")),
    (2, include_str!("../migrations/0002_leaves.sql")),
    (3, include_str!("../migrations/0003_servers.sql")),
    (4, include_str!("../migrations/0004_one_tree.sql")),
];
/// How a migration begins that PostgreSQL has no use for.
const SQLITE_ALONE: &str = "-- SQLite alone.";

/// Tables that are only ever added to. The first migration makes them; on SQLite the fourth makes all but the checkpoints anew.
const APPEND_ONLY: &[&str] = &[
    "ledger_entries",
    "ledger_nodes",
    "ledger_links",
    "ledger_checkpoints",
    "nonces",
];

/// Which database this is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Engine {
    /// Embedded, one node.
    Sqlite,
    /// A server, any number of nodes.
    Postgres,
}

impl Engine {
    /// The engine that a URL names.
    pub fn of(url: &str) -> Result<Engine> {
        if url.starts_with("sqlite:") {
            Ok(Engine::Sqlite)
        } else if url.starts_with("postgres:") || url.starts_with("postgresql:") {
            Ok(Engine::Postgres)
        } else {
            Err(Error::invalid(
                "Not started.",
                "`[database] url` names neither SQLite nor PostgreSQL.",
                "Write sqlite:///path/to/vitrine.db or postgres://role@host/database.",
            ))
        }
    }

    /// Begins the writer's transaction with the one lock that all writers take in turn, and reads on under it; gives the
    /// head's row, and what `reads` gave.
    pub(crate) async fn begin(
        self,
        conn: &mut AnyConnection,
        reads: Option<Script>,
    ) -> std::result::Result<(Option<AnyRow>, Facts), sqlx::Error> {
        const HEAD: &str = "SELECT size, prev, time, frontier FROM ledger_head WHERE id = 1";
        let mut script = Script::new(self);
        let before = match self {
            Engine::Sqlite => {
                script.add("BEGIN IMMEDIATE", []);
                script.add(HEAD, []);
                1
            }
            // The whole batch holds the head row; other nodes queue here. A node that hangs gives way.
            Engine::Postgres => {
                script.add("BEGIN", []);
                script.add("SET LOCAL idle_in_transaction_session_timeout = '10s'", []);
                script.add("SET LOCAL lock_timeout = '5s'", []);
                script.add([HEAD, " FOR UPDATE"].concat(), []);
                3
            }
        };
        if let Some(reads) = reads {
            script.append(reads);
        }
        let mut facts = script.run(conn).await?;
        facts.skip(before);
        let head = facts.next().and_then(|rows| rows.into_iter().next());
        Ok((head, facts))
    }

    /// Writes bytes as a literal, for statements that go together in one text.
    pub(crate) fn bytes(self, sql: &mut String, bytes: &[u8]) {
        const DIGITS: &[u8; 16] = b"0123456789abcdef";
        let digit = |half: u8| {
            DIGITS
                .get(usize::from(half))
                .map_or('0', |d| char::from(*d))
        };
        sql.push_str(match self {
            Engine::Sqlite => "X'",
            Engine::Postgres => "'\\x",
        });
        sql.reserve(2 * bytes.len() + 1);
        for byte in bytes {
            sql.push(digit(byte >> 4));
            sql.push(digit(byte & 15));
        }
        sql.push('\'');
    }

    /// Text as a literal.
    pub(crate) fn text(self, text: &str) -> String {
        match self {
            Engine::Sqlite => format!("'{}'", text.replace('\'', "''")),
            Engine::Postgres => format!("E'{}'", text.replace('\\', "\\\\").replace('\'', "''")),
        }
    }

    /// Many hashes of one table as one cell of hex, in order: a row each would cost more than the hash.
    pub(crate) fn hex_of(self, column: &str, order: &str) -> String {
        match self {
            Engine::Sqlite => format!("group_concat(hex({column}), '' ORDER BY {order})"),
            Engine::Postgres => format!("string_agg(encode({column}, 'hex'), '' ORDER BY {order})"),
        }
    }

    fn connection_setup(self) -> &'static [&'static str] {
        match self {
            Engine::Sqlite => &[
                "PRAGMA journal_mode = WAL",
                "PRAGMA synchronous = FULL",
                "PRAGMA foreign_keys = ON",
                "PRAGMA busy_timeout = 800",
                "PRAGMA trusted_schema = OFF",
                "PRAGMA cache_size = -4096",
            ],
            Engine::Postgres => &[
                "SET statement_timeout = '10s'",
                "SET default_transaction_isolation = 'read committed'",
            ],
        }
    }

    fn schema(self, text: &str) -> String {
        match self {
            Engine::Sqlite => text.to_owned(),
            Engine::Postgres if text.starts_with(SQLITE_ALONE) => String::new(),
            Engine::Postgres => text.replace(" BLOB", " BYTEA"),
        }
    }

    fn append_only(self, table: &str) -> String {
        match self {
            Engine::Sqlite => format!(
                "CREATE TRIGGER IF NOT EXISTS {table}_no_update BEFORE UPDATE ON {table} BEGIN SELECT RAISE(ABORT, 'append only'); END;\
                 CREATE TRIGGER IF NOT EXISTS {table}_no_delete BEFORE DELETE ON {table} BEGIN SELECT RAISE(ABORT, 'append only'); END;"
            ),
            Engine::Postgres => format!(
                "CREATE TRIGGER {table}_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON {table} \
                 FOR EACH STATEMENT EXECUTE FUNCTION vitrine_append_only();"
            ),
        }
    }
}

async fn run(conn: &mut AnyConnection, sql: &'static str) -> std::result::Result<(), sqlx::Error> {
    sqlx::raw_sql(sql).execute(conn).await.map(|_| ())
}

/// Readers' pool and the address for the one writer's connection.
#[derive(Clone)]
pub struct Db {
    /// Readers. A read sees committed state only.
    pub pool: AnyPool,
    /// Which database it is.
    pub engine: Engine,
    url: String,
    file: Option<(u64, u64)>,
}

impl Db {
    /// Opens the database of `url`; a SQLite file must exist unless `create`.
    ///
    /// # Errors
    /// `Down` when it does not answer within five seconds.
    pub async fn open(url: &str, create: bool) -> Result<Db> {
        sqlx::any::install_default_drivers();
        let engine = Engine::of(url)?;
        let url = match engine {
            Engine::Sqlite => format!("{url}?mode={}", if create { "rwc" } else { "rw" }),
            Engine::Postgres => url.to_owned(),
        };
        let pool = AnyPoolOptions::new()
            .max_connections(if engine == Engine::Sqlite { 4 } else { 8 })
            .min_connections(1)
            .acquire_timeout(Duration::from_secs(5))
            // A server may have gone since; a file's connection is as good as it was, and asking costs as much as a query.
            .test_before_acquire(engine == Engine::Postgres)
            .after_connect(move |conn, _| {
                Box::pin(async move {
                    for sql in engine.connection_setup() {
                        run(conn, sql).await?;
                    }
                    Ok(())
                })
            })
            .connect_with(options(&url)?)
            .await
            .map_err(|e| unreachable_database(&url, &e))?;
        Ok(Db {
            pool,
            engine,
            file: file_of(&url),
            url,
        })
    }

    /// Refuses when SQLite's file is no longer at its path, or is another one: whatever is written to the one we hold
    /// open would be lost with it.
    pub fn same_file(&self) -> Result<()> {
        if file_of(&self.url) == self.file {
            return Ok(());
        }
        Err(Error::NoEntry(
            "the database's file was removed or replaced under the server".into(),
        ))
    }

    /// A connection of the writer's own, outside the pool.
    pub(crate) async fn writer(&self) -> Result<AnyConnection> {
        let mut conn = tokio::time::timeout(Duration::from_secs(5), options(&self.url)?.connect())
            .await
            .map_err(|_| sqlx::Error::PoolTimedOut)??;
        for sql in self.engine.connection_setup() {
            run(&mut conn, sql).await?;
        }
        Ok(conn)
    }

    /// Brings the schema up to date, in one transaction. On PostgreSQL `serving` is the role that `serve`
    /// will use; it gets no right to change or remove what the ledger holds.
    pub async fn migrate(&self, serving: Option<&str>) -> Result<Vec<i64>> {
        let mut conn = self.writer().await?;
        run(
            &mut conn,
            "CREATE TABLE IF NOT EXISTS migrations (id BIGINT PRIMARY KEY)",
        )
        .await?;
        let mut done = Vec::new();
        let mut tx = conn.begin().await?;
        for (id, text) in MIGRATIONS {
            let seen = sqlx::query("SELECT id FROM migrations WHERE id = $1")
                .bind(*id)
                .fetch_optional(&mut *tx)
                .await?;
            if seen.is_some() {
                continue;
            }
            sqlx::raw_sql(AssertSqlSafe(self.engine.schema(text)))
                .execute(&mut *tx)
                .await?;
            let made_anew = self.engine == Engine::Sqlite && text.starts_with(SQLITE_ALONE);
            if *id == 1 || made_anew {
                self.forbid_changes(&mut tx).await?;
            }
            sqlx::query("INSERT INTO migrations (id) VALUES ($1)")
                .bind(*id)
                .execute(&mut *tx)
                .await?;
            done.push(*id);
        }
        if let (Engine::Postgres, Some(role)) = (self.engine, serving) {
            let role = role.replace('"', "\"\"");
            let append_only = APPEND_ONLY.join(", ");
            sqlx::raw_sql(AssertSqlSafe(format!(
                "GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO \"{role}\"; \
                 REVOKE UPDATE, DELETE, TRUNCATE ON {append_only}, migrations FROM \"{role}\";"
            )))
            .execute(&mut *tx)
            .await?;
        }
        tx.commit().await?;
        Ok(done)
    }

    /// A ledger was begun here and nobody has joined: a founding that was interrupted, or whose invitation was never used.
    pub(crate) async fn unused(&self) -> Result<bool> {
        let row = sqlx::query(
            "SELECT (SELECT COUNT(*) FROM ledger_entries), (SELECT COUNT(*) FROM authenticators), \
             (SELECT COUNT(*) FROM ledger_entries WHERE event = 'authenticator.enrolled')",
        )
        .fetch_one(&self.pool)
        .await?;
        let (entries, keys, enrolled): (i64, i64, i64) =
            (row.try_get(0)?, row.try_get(1)?, row.try_get(2)?);
        Ok(entries > 0 && keys == 0 && enrolled == 0)
    }

    /// Drops our own tables, for founding anew what nobody has used. Others that share the schema stay.
    pub(crate) async fn clear(&self) -> Result<()> {
        let made = MIGRATIONS.iter().flat_map(|(_, text)| text.lines());
        let ours = made.filter_map(|line| line.strip_prefix("CREATE TABLE ")?.split(' ').next());
        let mut conn = self.writer().await?;
        let (before, how) = match self.engine {
            Engine::Sqlite => ("PRAGMA foreign_keys = OFF", ""),
            Engine::Postgres => ("SET client_min_messages = 'error'", " CASCADE"),
        };
        run(&mut conn, before).await?;
        let mut tx = conn.begin().await?;
        for table in ours.chain(["migrations"]) {
            let sql = format!("DROP TABLE IF EXISTS {table}{how}");
            sqlx::raw_sql(AssertSqlSafe(sql)).execute(&mut *tx).await?;
        }
        if self.engine == Engine::Postgres {
            run(&mut tx, "DROP FUNCTION IF EXISTS vitrine_append_only").await?;
        }
        tx.commit().await?;
        Ok(())
    }

    /// The triggers on what is only ever added to.
    async fn forbid_changes(&self, tx: &mut AnyConnection) -> Result<()> {
        if self.engine == Engine::Postgres {
            let function = "CREATE FUNCTION vitrine_append_only() RETURNS trigger LANGUAGE plpgsql AS \
                 $$ BEGIN RAISE EXCEPTION 'append only'; END $$";
            run(tx, function).await?;
        }
        for table in APPEND_ONLY {
            sqlx::raw_sql(AssertSqlSafe(self.engine.append_only(table)))
                .execute(&mut *tx)
                .await?;
        }
        Ok(())
    }

    /// Refuses to serve as a role that could rewrite the ledger (promise P5).
    pub async fn refuse_owner(&self) -> Result<()> {
        if self.engine == Engine::Sqlite {
            return Ok(());
        }
        let tables: Vec<String> = APPEND_ONLY
            .iter()
            .map(|table| format!("'{table}'::regclass"))
            .collect();
        let sql = format!(
            "SELECT COUNT(*) FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.oid IN ({}) \
             AND (has_table_privilege(current_user, c.oid, 'UPDATE, DELETE, TRUNCATE, TRIGGER') \
             OR has_any_column_privilege(current_user, c.oid, 'UPDATE') \
             OR pg_has_role(current_user, c.relowner, 'MEMBER') OR pg_has_role(current_user, n.nspowner, 'MEMBER'))",
            tables.join(", ")
        );
        let row = sqlx::query(AssertSqlSafe(sql))
            .fetch_one(&self.pool)
            .await?;
        if row.try_get::<i64, _>(0)? == 0 {
            return Ok(());
        }
        Err(Error::NotReady(Words::new(
            "Not started.",
            "This database role owns the ledger or may change it, so the server could rewrite its own evidence.",
            "Put the owner in `[database] owner_url`, run `vitrine migrate`, and serve as the other role.",
        )))
    }
}

/// Device and inode of SQLite's file; none on PostgreSQL.
fn file_of(url: &str) -> Option<(u64, u64)> {
    use std::os::unix::fs::MetadataExt;
    let path = url.strip_prefix("sqlite://")?.split('?').next()?;
    let seen = std::fs::metadata(path).ok()?;
    Some((seen.dev(), seen.ino()))
}

fn options(url: &str) -> Result<AnyConnectOptions> {
    AnyConnectOptions::from_str(url).map_err(|e| {
        Error::invalid(
            "Not started.",
            format!("`[database] url` is not valid: {e}."),
            "Mend it in the configuration.",
        )
    })
}

fn unreachable_database(url: &str, e: &sqlx::Error) -> Error {
    // A server's address may hold a password: only a file is named.
    let file = url
        .split('?')
        .next()
        .and_then(|u| u.strip_prefix("sqlite://"));
    let file = file.and_then(|f| std::path::absolute(f).ok());
    let words = match file.filter(|f| !f.exists()) {
        Some(file) => Words::new(
            "Not started.",
            format!("There is no ledger here: {} is missing.", file.display()),
            "Give its place: VITRINE_DATA, or `data` in the configuration. Where nothing was ever founded: `vitrine init`.",
        ),
        None => Words::new(
            "Not started.",
            "The database does not answer.",
            "Start it, and see that this user may use it.",
        ),
    };
    Error::Down(words, e.to_string())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    /// What a table holds, as one cell.
    async fn all(db: &Db, table: &str, cells: &str) -> String {
        let sql = format!("SELECT group_concat({cells}, ' ') FROM {table}");
        let row = sqlx::query(AssertSqlSafe(sql)).fetch_one(&db.pool).await;
        row.unwrap().try_get(0).unwrap()
    }

    #[tokio::test]
    async fn a_ledger_of_an_older_schema_is_kept_whole_and_append_only() {
        let dir = tempfile::tempdir().unwrap();
        let url = format!("sqlite://{}", dir.path().join("old.db").display());
        let db = Db::open(&url, true).await.unwrap();
        let mut conn = db.writer().await.unwrap();
        for (id, text) in MIGRATIONS.iter().take(3) {
            let text = sqlx::raw_sql(AssertSqlSafe(*text));
            text.execute(&mut conn).await.unwrap();
            if *id == 1 {
                db.forbid_changes(&mut conn).await.unwrap();
            }
        }
        run(
            &mut conn,
            "CREATE TABLE migrations (id BIGINT PRIMARY KEY); INSERT INTO migrations VALUES (1), (2), (3); \
             INSERT INTO ledger_entries VALUES (0, 7, 'a', 'b', X'01', X'02'), (1, 8, 'c', 'd', X'03', X'04'); \
             INSERT INTO ledger_nodes VALUES (1, 0, X'05'); INSERT INTO nonces VALUES (X'06'), (X'07'); \
             INSERT INTO ledger_links VALUES ('x', 1), ('a', 0)",
        )
        .await
        .unwrap();
        assert_eq!(db.migrate(None).await.unwrap(), [4]);
        assert!(db.migrate(None).await.unwrap().is_empty());
        let entry = "seq || ',' || time || event || actor || hex(leaf) || hex(bytes)";
        let entries = all(&db, "ledger_entries", entry).await;
        assert_eq!(entries, "0,7ab0102 1,8cd0304");
        let nodes = all(&db, "ledger_nodes", "level || n || hex(hash)").await;
        assert_eq!(nodes, "1005");
        assert_eq!(all(&db, "ledger_links", "subject || seq").await, "a0 x1");
        assert_eq!(all(&db, "nonces", "hex(nonce)").await, "06 07");
        for table in ["ledger_entries", "ledger_nodes", "ledger_links", "nonces"] {
            let delete = sqlx::query(AssertSqlSafe(format!("DELETE FROM {table}")));
            let refused = delete.execute(&db.pool).await.unwrap_err().to_string();
            assert!(refused.contains("append only"), "{table}: {refused}");
        }
        let twice = "INSERT INTO ledger_entries VALUES (1, 9, 'e', 'f', X'08', X'09')";
        assert!(run(&mut conn, twice).await.is_err());
    }
}
