//! Inclusion and consistency, from stored leaf hashes and subtree nodes. The tree's arithmetic is
//! `audit`'s; here is only the fetching.

use quorum::Hash;
use sqlx::Row;

use super::{Ledger, hash};
use crate::error::{Error, Result};

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

    pub(super) async fn root_at(&self, size: u64) -> Result<Hash> {
        let nodes = self
            .fetch(audit::tree::wanted_for_root(size).map_err(Error::internal)?)
            .await?;
        audit::tree::root(&nodes, size)
            .map(|h| Hash(h.0))
            .map_err(Error::internal)
    }

    pub(super) async fn consistent(&self, old: (u64, Hash), new: (u64, Hash)) -> Result<bool> {
        let proof = self.consistency(old.0, new.0).await?;
        let (was, is) = (super::audit_hash(old.1), super::audit_hash(new.1));
        Ok(audit::tree::verify_consistency(old.0, &was, new.0, &is, &proof).is_ok())
    }

    async fn fetch(&self, wanted: Vec<audit::tree::Range>) -> Result<audit::tree::Fetched> {
        let mut fetched = audit::tree::Fetched::default();
        for range in wanted {
            let (from, to) = (
                i64::try_from(range.from).map_err(Error::internal)?,
                i64::try_from(range.to).map_err(Error::internal)?,
            );
            let rows = if range.level == 0 {
                sqlx::query(
                    "SELECT leaf FROM ledger_entries WHERE seq >= $1 AND seq < $2 ORDER BY seq",
                )
                .bind(from)
                .bind(to)
                .fetch_all(&self.db().pool)
                .await?
            } else {
                sqlx::query("SELECT hash FROM ledger_nodes WHERE level = $1 AND n >= $2 AND n < $3 ORDER BY n")
                    .bind(i64::from(range.level))
                    .bind(from)
                    .bind(to)
                    .fetch_all(&self.db().pool)
                    .await?
            };
            let mut hashes = Vec::with_capacity(rows.len());
            for row in rows {
                hashes.push(audit::Hash(hash(&row.try_get::<Vec<u8>, _>(0)?)?.0));
            }
            fetched.insert(range, hashes).map_err(Error::internal)?;
        }
        Ok(fetched)
    }
}
