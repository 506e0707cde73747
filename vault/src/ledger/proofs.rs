//! Inclusion and consistency, from stored leaf hashes and subtree nodes. The tree's arithmetic is
//! `audit`'s; here is only the fetching.

use quorum::Hash;
use sqlx::Row;

use super::Ledger;
use crate::error::{Error, Result};

/// Why hashes were not fetched.
enum Fetching {
    /// There are fewer than the tree has.
    Missing,
    /// The database did not give them.
    Failed(Error),
}

impl From<Error> for Fetching {
    fn from(e: Error) -> Fetching {
        Fetching::Failed(e)
    }
}

impl From<sqlx::Error> for Fetching {
    fn from(e: sqlx::Error) -> Fetching {
        Fetching::Failed(e.into())
    }
}

impl From<Fetching> for Error {
    fn from(e: Fetching) -> Error {
        match e {
            Fetching::Missing => super::anchor::broken("entries are missing"),
            Fetching::Failed(e) => e,
        }
    }
}

impl Ledger {
    /// Hashes that prove entry `seq` under the tree of `size`.
    pub async fn inclusion(&self, seq: u64, size: u64) -> Result<Vec<audit::Hash>> {
        let nodes = self
            .fetch(audit::tree::wanted_for_inclusion(seq, size).map_err(Error::internal)?)
            .await?;
        audit::tree::inclusion(&nodes, seq, size).map_err(Error::internal)
    }

    /// Hashes that prove the tree of `to` to extend the tree of `from`.
    pub async fn consistency(&self, from: u64, to: u64) -> Result<Vec<audit::Hash>> {
        if from == 0 || from == to {
            return Ok(Vec::new());
        }
        let nodes = self
            .fetch(audit::tree::wanted_for_consistency(from, to).map_err(Error::internal)?)
            .await?;
        audit::tree::consistency(&nodes, from, to).map_err(Error::internal)
    }

    /// The stored tree's root at `size`; none where entries are missing.
    pub(super) async fn root_at(&self, size: u64) -> Result<Option<Hash>> {
        let wanted = audit::tree::wanted_for_root(size).map_err(Error::internal)?;
        match self.fetch(wanted).await {
            Ok(nodes) => Ok(audit::tree::root(&nodes, size).ok().map(|h| Hash(h.0))),
            Err(Fetching::Missing) => Ok(None),
            Err(Fetching::Failed(e)) => Err(e),
        }
    }

    /// What the proofs of entry `seq`, of entry 0, and that the tree extends that of size `from`, are made of.
    pub(super) fn wanted(seq: u64, from: u64, size: u64) -> Result<Vec<audit::tree::Range>> {
        let mut wanted = audit::tree::wanted_for_inclusion(seq, size).map_err(Error::internal)?;
        wanted.extend(audit::tree::wanted_for_inclusion(0, size).map_err(Error::internal)?);
        wanted.extend(audit::tree::wanted_for_consistency(from, size).map_err(Error::internal)?);
        Ok(wanted)
    }

    /// Stored hashes.
    pub(super) async fn nodes(
        &self,
        wanted: Vec<audit::tree::Range>,
    ) -> Result<audit::tree::Fetched> {
        Ok(self.fetch(audit::tree::joined(wanted)).await?)
    }

    /// The stored tree's root at `size`, proved to extend the `old` one, and what else is `wanted` of it; none where it does
    /// not, or entries are missing.
    pub(super) async fn root_extending(
        &self,
        old: (u64, Hash),
        size: u64,
        mut wanted: Vec<audit::tree::Range>,
    ) -> Result<Option<(Hash, audit::tree::Fetched)>> {
        wanted.extend(audit::tree::wanted_for_root(size).map_err(Error::internal)?);
        let proves = 0 < old.0 && old.0 < size;
        if proves {
            let more = audit::tree::wanted_for_consistency(old.0, size).map_err(Error::internal)?;
            wanted.extend(more);
        }
        let wanted = audit::tree::joined(wanted);
        let nodes = match self.fetch(wanted).await {
            Ok(nodes) => nodes,
            Err(Fetching::Missing) => return Ok(None),
            Err(Fetching::Failed(e)) => return Err(e),
        };
        let root = audit::tree::root(&nodes, size).map_err(Error::internal)?;
        let proof = if proves {
            audit::tree::consistency(&nodes, old.0, size).map_err(Error::internal)?
        } else {
            Vec::new()
        };
        let was = super::audit_hash(old.1);
        let extends = audit::tree::verify_consistency(old.0, &was, size, &root, &proof).is_ok();
        Ok(extends.then_some((Hash(root.0), nodes)))
    }

    /// All ranges in one query, a row each.
    async fn fetch(
        &self,
        wanted: Vec<audit::tree::Range>,
    ) -> std::result::Result<audit::tree::Fetched, Fetching> {
        let mut fetched = audit::tree::Fetched::default();
        if wanted.is_empty() {
            return Ok(fetched);
        }
        let engine = self.db().engine;
        let parts: Vec<String> = wanted
            .iter()
            .enumerate()
            .map(|(at, range)| {
                let (from, to) = (2 * at + 1, 2 * at + 2);
                match range.level {
                    0 => format!(
                        "SELECT {at}, {} FROM ledger_entries WHERE seq >= ${from} AND seq < ${to}",
                        engine.hex_of("leaf", "seq")
                    ),
                    level => format!(
                        "SELECT {at}, {} FROM ledger_nodes WHERE level = {level} AND n >= ${from} AND n < ${to}",
                        engine.hex_of("hash", "n")
                    ),
                }
            })
            .collect();
        let mut query = sqlx::query(sqlx::AssertSqlSafe(format!(
            "{} ORDER BY 1",
            parts.join(" UNION ALL ")
        )));
        for range in &wanted {
            for place in [range.from, range.to] {
                query = query.bind(i64::try_from(place).map_err(Error::internal)?);
            }
        }
        let rows = query.fetch_all(&self.db().pool).await?;
        for (range, row) in wanted.into_iter().zip(rows) {
            let text = row.try_get::<Option<String>, _>(1)?.unwrap_or_default();
            let bytes = hex::decode(text).map_err(Error::internal)?;
            let (hashes, rest) = bytes.as_chunks::<32>();
            if !rest.is_empty() {
                return Err(Error::internal("a stored hash has not 32 bytes").into());
            }
            fetched
                .insert(range, hashes.iter().map(|h| audit::Hash(*h)).collect())
                .map_err(|_| Fetching::Missing)?;
        }
        Ok(fetched)
    }
}
