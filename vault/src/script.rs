//! Several statements as one text. A trip to the database costs as much as a small query: on SQLite it wakes the thread that
//! owns the file and is woken by it, on PostgreSQL it crosses the network. What reads, or writes, several things at one moment
//! goes there once.
//!
//! Values stand in the text as literals, written by [`Engine`] alone; statements are the program's own.

use std::fmt::Write as _;

use futures::TryStreamExt;
use quorum::Hash;
use sqlx::any::AnyRow;
use sqlx::{Any, AssertSqlSafe, Either, Executor};

use crate::db::Engine;
use crate::error::{Error, Result};
use crate::people::store::at;

/// A value of a statement.
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
pub struct Script {
    engine: Engine,
    sql: String,
}

impl Script {
    /// None yet.
    pub fn new(engine: Engine) -> Script {
        Script {
            engine,
            sql: String::new(),
        }
    }

    /// Adds a statement, its values in place of `$1`, `$2`, ...
    pub fn add(&mut self, statement: &str, values: &[Value]) {
        let mut rest = statement;
        while let Some(place) = rest.find('$') {
            let (before, after) = rest.split_at(place);
            let digits = after.bytes().skip(1).take_while(u8::is_ascii_digit).count();
            let (number, after) = after.split_at(1 + digits);
            self.sql.push_str(before);
            let value = number
                .get(1..)
                .and_then(|n| n.parse::<usize>().ok())
                .and_then(|n| values.get(n.wrapping_sub(1)));
            match value {
                Some(value) => self.literal(value),
                None => self.sql.push_str(number), // the database refuses it
            }
            rest = after;
        }
        self.sql.push_str(rest);
        self.sql.push(';');
    }

    fn literal(&mut self, value: &Value) {
        match value {
            Value::Null => self.sql.push_str("NULL"),
            Value::Int(v) => {
                let _ = write!(self.sql, "{v}");
            }
            Value::Text(v) => self.sql.push_str(&self.engine.text(v)),
            Value::Bytes(v) => self.sql.push_str(&self.engine.bytes(v)),
            Value::Texts(list) if list.is_empty() => self.sql.push_str("NULL"),
            Value::Texts(list) => {
                let list: Vec<String> = list.iter().map(|v| self.engine.text(v)).collect();
                self.sql.push_str(&list.join(", "));
            }
        }
    }

    /// Adds all of another's.
    pub fn append(&mut self, other: Script) {
        self.sql.push_str(&other.sql);
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.sql
    }

    /// Runs it; what each statement gave.
    pub async fn fetch<'e>(&self, e: impl Executor<'e, Database = Any>) -> Result<Facts> {
        Ok(fetch(e, self.sql.clone()).await?)
    }
}

/// Runs statements; what each of them gave.
pub async fn fetch<'e>(
    e: impl Executor<'e, Database = Any>,
    sql: String,
) -> std::result::Result<Facts, sqlx::Error> {
    let mut stream = sqlx::raw_sql(AssertSqlSafe(sql)).fetch_many(e);
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
    fn values_end_no_literal() {
        let mut script = Script::new(Engine::Sqlite);
        script.add("SELECT $2, $1", &["a'b\\".into(), Value::Int(-7)]);
        assert_eq!(script.as_str(), "SELECT -7, 'a''b\\';");
        let mut script = Script::new(Engine::Postgres);
        script.add(
            "SELECT $1 IN ($2)",
            &["a'b\\".into(), Value::Texts(Vec::new())],
        );
        assert_eq!(script.as_str(), "SELECT E'a''b\\\\' IN (NULL);");
        let mut script = Script::new(Engine::Sqlite);
        script.add(
            "SELECT $1, $2, $10",
            &[Value::Null, Value::from(&[1_u8, 0xfe][..])],
        );
        assert_eq!(script.as_str(), "SELECT NULL, X'01fe', $10;");
    }

    #[tokio::test]
    async fn what_each_statement_gave_is_kept_apart() {
        use sqlx::Row;
        let dir = tempfile::tempdir().unwrap();
        let url = format!("sqlite://{}", dir.path().join("one.db").display());
        let db = crate::db::Db::open(&url, true).await.unwrap();
        let mut script = Script::new(db.engine);
        script.add("SELECT 1 UNION SELECT 2 ORDER BY 1", &[]);
        script.add("SELECT 3 WHERE 1 = 0", &[]);
        script.add("SELECT $1", &["four; SELECT 5".into()]);
        let mut facts = script.fetch(&db.pool).await.unwrap();
        assert_eq!(facts.rows().unwrap().len(), 2);
        assert!(facts.row().unwrap().is_none());
        let last = facts.row().unwrap().unwrap();
        assert_eq!(last.try_get::<String, _>(0).unwrap(), "four; SELECT 5");
        assert!(facts.rows().is_err());
    }
}
