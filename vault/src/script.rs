//! Several statements that go to the database together. A trip there costs as much as a small query: on SQLite it wakes the
//! thread that owns the file and is woken by it, on PostgreSQL it crosses the network. What reads, or writes, several things at
//! one moment goes there once.
//!
//! On SQLite they are prepared once and kept, with their values bound: rows and lists are filled up to a power of two, so that a
//! text comes again. PostgreSQL takes several statements in one text alone, so there, and where there are many statements, values
//! stand in the text as literals, written by [`Engine`] alone. Statements are the program's own.

use std::borrow::Cow;
use std::fmt::Write as _;

use futures::{Stream, TryStreamExt};
use quorum::Hash;
use sqlx::any::{AnyQueryResult, AnyRow};
use sqlx::{Any, AssertSqlSafe, Either, Executor};

use crate::db::Engine;
use crate::error::{Error, Result};
use crate::people::store::at;

/// A value of a statement.
#[derive(Clone)]
pub enum Value {
    /// None.
    Null,
    /// A number.
    Int(i64),
    /// Text.
    Text(String),
    /// Bytes.
    Bytes(Vec<u8>),
    /// A list, for `IN ($1)`; an empty one is in nothing.
    Texts(Vec<String>),
}

impl Value {
    /// About as long as its literal.
    fn literal_len(&self) -> usize {
        match self {
            Value::Null | Value::Int(_) => 20,
            Value::Text(v) => v.len() + 4,
            Value::Bytes(v) => 2 * v.len() + 4,
            Value::Texts(list) => list.iter().map(|v| v.len() + 5).sum(),
        }
    }
}

impl From<i64> for Value {
    fn from(v: i64) -> Value {
        Value::Int(v)
    }
}

impl From<u64> for Value {
    fn from(v: u64) -> Value {
        Value::Int(at(v))
    }
}

impl From<&str> for Value {
    fn from(v: &str) -> Value {
        Value::Text(v.to_owned())
    }
}

impl From<&[u8]> for Value {
    fn from(v: &[u8]) -> Value {
        Value::Bytes(v.to_owned())
    }
}

impl From<Hash> for Value {
    fn from(v: Hash) -> Value {
        Value::Bytes(v.0.to_vec())
    }
}

impl<T: Into<Value>> From<Option<T>> for Value {
    fn from(v: Option<T>) -> Value {
        v.map_or(Value::Null, Into::into)
    }
}

/// An id, as columns hold it.
pub fn name(id: impl std::fmt::Display) -> Value {
    Value::Text(id.to_string())
}

/// Statements that go together.
#[derive(Clone)]
pub struct Script {
    engine: Engine,
    statements: Vec<(Cow<'static, str>, Vec<Value>)>,
}

impl Script {
    /// With more statements than this their values are written into the text: it comes too seldom again to be kept.
    const MOST_KEPT: usize = 24;
    /// As `MOST_KEPT`, of values; SQLite itself takes 32,766.
    const MOST_BOUND: usize = 16_384;

    /// None yet.
    pub fn new(engine: Engine) -> Script {
        Script {
            engine,
            statements: Vec::new(),
        }
    }

    /// The database that they are for.
    pub fn engine(&self) -> Engine {
        self.engine
    }

    /// Adds a statement; `values` come in place of `$1`, `$2`, ...
    pub fn add(&mut self, statement: impl Into<Cow<'static, str>>, values: impl Into<Vec<Value>>) {
        self.statements.push((statement.into(), values.into()));
    }

    /// Adds an INSERT of all rows into a table with its columns; nothing where there are none.
    ///
    /// SQLite is given a power of two of them, the last ones nothing but null: a table whose first column may be null is not for
    /// this.
    pub fn insert(&mut self, into: &str, rows: impl Iterator<Item = Vec<Value>>) {
        let mut rows: Vec<Vec<Value>> = rows.collect();
        let Some(columns) = rows.first().map(Vec::len) else {
            return;
        };
        if self.engine == Engine::Sqlite {
            rows.resize(rows.len().next_power_of_two(), vec![Value::Null; columns]);
        }
        let (mut list, mut values) = (String::new(), Vec::with_capacity(rows.len() * columns));
        for row in rows {
            list.push_str(if values.is_empty() { "(" } else { ", (" });
            for (at, value) in row.into_iter().enumerate() {
                values.push(value);
                list.push_str(if at == 0 { "$" } else { ", $" });
                let _ = write!(list, "{}", values.len());
            }
            list.push(')');
        }
        let sql = match self.engine {
            Engine::Sqlite => format!(
                "INSERT INTO {into} SELECT * FROM (VALUES {list}) WHERE column1 IS NOT NULL"
            ),
            Engine::Postgres => format!("INSERT INTO {into} VALUES {list}"),
        };
        self.add(sql, values);
    }

    /// Adds all of another's.
    pub fn append(&mut self, other: Script) {
        self.statements.extend(other.statements);
    }

    /// Runs it; what each statement gave.
    pub async fn fetch<'e>(&self, e: impl Executor<'e, Database = Any>) -> Result<Facts> {
        Ok(self.run(e).await?)
    }

    /// As `fetch`, with the database's own error.
    pub async fn run<'e>(
        &self,
        e: impl Executor<'e, Database = Any>,
    ) -> std::result::Result<Facts, sqlx::Error> {
        let values: usize = self.statements.iter().map(|(_, v)| v.len()).sum();
        let kept = self.statements.len() <= Script::MOST_KEPT && values <= Script::MOST_BOUND;
        if self.engine == Engine::Sqlite && kept {
            let (sql, bound) = self.bound();
            let mut query = sqlx::query(AssertSqlSafe(sql));
            for value in bound {
                query = match value {
                    Bound::Null => query.bind(None::<i64>),
                    Bound::Int(v) => query.bind(v),
                    Bound::Text(v) => query.bind(v),
                    Bound::Bytes(v) => query.bind(v),
                };
            }
            return gather(e.fetch_many(query)).await;
        }
        gather(e.fetch_many(sqlx::raw_sql(AssertSqlSafe(self.text())))).await
    }

    /// The text with its values as literals.
    fn text(&self) -> String {
        // A batch is long: what it is copied into should not have to grow with it.
        let values = self.statements.iter().flat_map(|(_, values)| values);
        let literals: usize = values.map(Value::literal_len).sum();
        let texts: usize = self.statements.iter().map(|(text, _)| text.len()).sum();
        let mut sql = String::with_capacity(literals + texts);
        for (statement, values) in &self.statements {
            each_place(statement, &mut sql, |sql, n| {
                match values.get(n) {
                    Some(value) => self.literal(sql, value),
                    None => sql.push('$'), // the database refuses it
                }
            });
            sql.push(';');
        }
        sql
    }

    fn literal(&self, sql: &mut String, value: &Value) {
        match value {
            Value::Null => sql.push_str("NULL"),
            Value::Int(v) => {
                let _ = write!(sql, "{v}");
            }
            Value::Text(v) => sql.push_str(&self.engine.text(v)),
            Value::Bytes(v) => self.engine.bytes(sql, v),
            Value::Texts(list) if list.is_empty() => sql.push_str("NULL"),
            Value::Texts(list) => {
                let list: Vec<String> = list.iter().map(|v| self.engine.text(v)).collect();
                sql.push_str(&list.join(", "));
            }
        }
    }

    /// The text with a `?` for each value in order, which SQLite finds at once, and what is bound to them.
    fn bound(&self) -> (String, Vec<Bound<'_>>) {
        let texts: usize = self.statements.iter().map(|(text, _)| text.len()).sum();
        let (mut sql, mut bound) = (String::with_capacity(texts), Vec::new());
        for (statement, values) in &self.statements {
            each_place(statement, &mut sql, |sql, n| match values.get(n) {
                None => sql.push('$'), // the database refuses it
                Some(Value::Texts(list)) if list.is_empty() => sql.push_str("NULL"),
                Some(Value::Texts(list)) => {
                    let again = list.iter().cycle().take(list.len().next_power_of_two());
                    for (at, text) in again.enumerate() {
                        sql.push_str(if at == 0 { "?" } else { ", ?" });
                        bound.push(Bound::Text(text));
                    }
                }
                Some(value) => {
                    sql.push('?');
                    bound.push(match value {
                        Value::Int(v) => Bound::Int(*v),
                        Value::Text(v) => Bound::Text(v),
                        Value::Bytes(v) => Bound::Bytes(v),
                        Value::Null | Value::Texts(_) => Bound::Null,
                    });
                }
            });
            sql.push(';');
        }
        (sql, bound)
    }
}

/// What stands behind a `?`.
enum Bound<'a> {
    Null,
    Int(i64),
    Text(&'a str),
    Bytes(&'a [u8]),
}

/// Copies a statement, with something else in place of each `$n`; `n` counts from 0 there.
fn each_place(statement: &str, sql: &mut String, mut put: impl FnMut(&mut String, usize)) {
    let mut parts = statement.split('$');
    sql.push_str(parts.next().unwrap_or_default());
    for part in parts {
        let digits = part.bytes().take_while(u8::is_ascii_digit).count();
        let (number, rest) = part.split_at(digits);
        put(sql, number.parse::<usize>().unwrap_or(0).wrapping_sub(1));
        sql.push_str(rest);
    }
}

async fn gather(
    mut stream: impl Stream<Item = std::result::Result<Either<AnyQueryResult, AnyRow>, sqlx::Error>>
    + Unpin,
) -> std::result::Result<Facts, sqlx::Error> {
    let (mut done, mut rows) = (Vec::new(), Vec::new());
    while let Some(step) = stream.try_next().await? {
        match step {
            Either::Left(_) => done.push(std::mem::take(&mut rows)),
            Either::Right(row) => rows.push(row),
        }
    }
    Ok(Facts(done.into_iter()))
}

/// Rows by statement, in order.
#[derive(Default)]
pub struct Facts(std::vec::IntoIter<Vec<AnyRow>>);

impl Facts {
    /// What the next statement gave.
    pub fn rows(&mut self) -> Result<Vec<AnyRow>> {
        self.next()
            .ok_or_else(|| Error::internal("a script gave less than it asked for"))
    }

    /// The one row of the next statement, if there was any.
    pub fn row(&mut self) -> Result<Option<AnyRow>> {
        Ok(self.rows()?.into_iter().next())
    }

    /// What the next statement gave, if there was one.
    pub(crate) fn next(&mut self) -> Option<Vec<AnyRow>> {
        self.0.next()
    }

    /// Leaves out what `count` statements gave.
    pub(crate) fn skip(&mut self, count: usize) {
        (0..count).for_each(|_| drop(self.next()));
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn values_end_no_literal_and_places_count_on() {
        let mut script = Script::new(Engine::Sqlite);
        script.add("SELECT $2, $1", ["a'b\\".into(), Value::Int(-7)]);
        let list = Value::Texts(vec!["x".into(), "y".into()]);
        script.add(
            "SELECT $1, $3 IN ($2), $1",
            [Value::Null, list, 5_i64.into()],
        );
        assert_eq!(
            script.text(),
            "SELECT -7, 'a''b\\';SELECT NULL, 5 IN ('x', 'y'), NULL;"
        );
        let (sql, bound) = script.bound();
        assert_eq!(sql, "SELECT ?, ?;SELECT ?, ? IN (?, ?), ?;");
        assert_eq!(bound.len(), 7);
        let mut script = Script::new(Engine::Postgres);
        let bytes = Value::from(&[1_u8, 0xfe][..]);
        script.add(
            "SELECT $1 IN ($2), $3",
            ["a'b\\".into(), Value::Texts(Vec::new()), bytes],
        );
        script.add("SELECT $2", [Value::Null]);
        assert_eq!(
            script.text(),
            "SELECT E'a''b\\\\' IN (NULL), '\\x01fe';SELECT $;"
        );
    }

    #[tokio::test]
    async fn what_each_statement_gave_is_kept_apart() {
        use sqlx::Row;
        let dir = tempfile::tempdir().unwrap();
        let url = format!("sqlite://{}", dir.path().join("one.db").display());
        let db = crate::db::Db::open(&url, true).await.unwrap();
        let mut script = Script::new(db.engine);
        script.add("SELECT 1 UNION SELECT 2 ORDER BY 1", []);
        script.add("SELECT 3 WHERE 1 = 0", []);
        script.add("SELECT $1", ["four; SELECT 5".into()]);
        let text = sqlx::raw_sql(AssertSqlSafe(script.text()));
        let all = [
            script.fetch(&db.pool).await.unwrap(),
            script.fetch(&db.pool).await.unwrap(), // as it was kept
            gather(db.pool.fetch_many(text)).await.unwrap(),
        ];
        for mut facts in all {
            assert_eq!(facts.rows().unwrap().len(), 2);
            assert!(facts.row().unwrap().is_none());
            let last = facts.row().unwrap().unwrap();
            assert_eq!(last.try_get::<String, _>(0).unwrap(), "four; SELECT 5");
            assert!(facts.rows().is_err());
        }
    }

    #[tokio::test]
    async fn rows_and_lists_are_filled_up_and_mean_the_same() {
        use sqlx::Row;
        let dir = tempfile::tempdir().unwrap();
        let url = format!("sqlite://{}", dir.path().join("one.db").display());
        let db = crate::db::Db::open(&url, true).await.unwrap();
        let mut conn = db.writer().await.unwrap();
        let table = sqlx::raw_sql("CREATE TABLE t (a BIGINT NOT NULL, b BLOB)");
        table.execute(&mut conn).await.unwrap();
        let mut texts = std::collections::BTreeSet::new();
        for count in 0..=9_i64 {
            let mut script = Script::new(db.engine);
            script.add("DELETE FROM t", []);
            let rows = (0..count).map(|n| vec![n.into(), Some(&[7_u8][..]).into()]);
            script.insert("t (a, b)", rows);
            let list = (0..count).map(|n| n.to_string()).collect();
            let among =
                "SELECT COUNT(*), hex(MIN(b)) FROM t WHERE CAST(a AS TEXT) IN ($1) AND a IN ($1)";
            script.add(among, [Value::Texts(list)]);
            let mut facts = script.run(&mut conn).await.unwrap();
            facts.skip(if count == 0 { 1 } else { 2 });
            let row = facts.row().unwrap().unwrap();
            assert_eq!(row.try_get::<i64, _>(0).unwrap(), count);
            texts.insert(script.bound().0);
        }
        assert_eq!(texts.len(), 6, "0, 1, 2, 4, 8 and 16 rows");
    }
}
