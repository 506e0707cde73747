-- SQLite alone.
-- Rows lie in their key's own tree, where they lay in one and the key in another: an entry is written into half as many places.
ALTER TABLE ledger_entries RENAME TO was_entries;
CREATE TABLE ledger_entries (
  seq   INTEGER PRIMARY KEY,
  time  BIGINT NOT NULL,
  event TEXT   NOT NULL,
  actor TEXT   NOT NULL,
  leaf  BLOB   NOT NULL,
  bytes BLOB   NOT NULL
);
INSERT INTO ledger_entries (seq, time, event, actor, leaf, bytes) SELECT seq, time, event, actor, leaf, bytes FROM was_entries ORDER BY seq;
DROP TABLE was_entries;
CREATE INDEX ledger_leaves ON ledger_entries (seq, leaf);
ALTER TABLE ledger_nodes RENAME TO was_nodes;
CREATE TABLE ledger_nodes (
  level BIGINT NOT NULL,
  n     BIGINT NOT NULL,
  hash  BLOB   NOT NULL,
  PRIMARY KEY (level, n)
) WITHOUT ROWID;
INSERT INTO ledger_nodes (level, n, hash) SELECT level, n, hash FROM was_nodes ORDER BY level, n;
DROP TABLE was_nodes;
ALTER TABLE ledger_links RENAME TO was_links;
CREATE TABLE ledger_links (
  subject TEXT   NOT NULL,
  seq     BIGINT NOT NULL,
  PRIMARY KEY (subject, seq)
) WITHOUT ROWID;
INSERT INTO ledger_links (subject, seq) SELECT subject, seq FROM was_links ORDER BY subject, seq;
DROP TABLE was_links;
ALTER TABLE nonces RENAME TO was_nonces;
CREATE TABLE nonces (nonce BLOB PRIMARY KEY) WITHOUT ROWID;
INSERT INTO nonces (nonce) SELECT nonce FROM was_nonces ORDER BY nonce;
DROP TABLE was_nonces;
