-- One text for both databases. BLOB becomes BYTEA on PostgreSQL (db.rs); everything else is common ground.
-- Ids are lower-case UUID text, times microseconds since 1970 UTC, hashes 32 raw bytes.
-- Rows are an index: what grants power is checked back to signed ledger entries (promise P12).

-- The ledger. Not trusted: whoever alters it is found by the verifier, and against an earlier anchor.
CREATE TABLE ledger_head (
  id       BIGINT PRIMARY KEY CHECK (id = 1),
  size     BIGINT NOT NULL,
  prev     BLOB   NOT NULL,
  time     BIGINT NOT NULL,
  frontier BLOB   NOT NULL
);
CREATE TABLE ledger_entries (
  seq   BIGINT PRIMARY KEY,
  time  BIGINT NOT NULL,
  event TEXT   NOT NULL,
  actor TEXT   NOT NULL,
  leaf  BLOB   NOT NULL,
  bytes BLOB   NOT NULL
);
CREATE TABLE ledger_nodes (
  level BIGINT NOT NULL,
  n     BIGINT NOT NULL,
  hash  BLOB   NOT NULL,
  PRIMARY KEY (level, n)
);
CREATE TABLE ledger_links (
  subject TEXT   NOT NULL,
  seq     BIGINT NOT NULL,
  PRIMARY KEY (subject, seq)
);
CREATE TABLE ledger_checkpoints (
  size BIGINT PRIMARY KEY,
  note TEXT   NOT NULL
);
CREATE TABLE nonces (nonce BLOB PRIMARY KEY);

-- People and their keys. Not trusted: a share key or a public key edited here fails against its enrolment entry.
CREATE TABLE users (
  user_id    TEXT PRIMARY KEY,
  name       TEXT   NOT NULL,
  folded     TEXT   NOT NULL UNIQUE,
  roles      TEXT   NOT NULL,
  invitation BLOB,
  expires    BIGINT,
  invited    BIGINT NOT NULL
);
CREATE TABLE authenticators (
  authenticator TEXT PRIMARY KEY,
  user_id       TEXT   NOT NULL REFERENCES users (user_id),
  credential_id BLOB   NOT NULL UNIQUE,
  public_key    BLOB   NOT NULL UNIQUE,
  share_key     BLOB   UNIQUE,
  name          TEXT   NOT NULL,
  aaguid        BLOB   NOT NULL,
  model         TEXT,
  software      BIGINT NOT NULL,
  counter       BIGINT NOT NULL,
  enrolled      BIGINT NOT NULL,
  created       BIGINT NOT NULL,
  revoked       BIGINT,
  suspended     BIGINT,
  proved_at     BIGINT
);
CREATE TABLE suspensions (
  authenticator TEXT   NOT NULL REFERENCES authenticators (authenticator),
  from_seq      BIGINT NOT NULL,
  to_seq        BIGINT,
  PRIMARY KEY (authenticator, from_seq)
);
CREATE TABLE presessions (
  id      BLOB PRIMARY KEY,
  purpose TEXT   NOT NULL,
  nonce   BLOB   NOT NULL,
  user_id TEXT,
  box     BLOB,
  share_key BLOB,
  expires BIGINT NOT NULL
);
CREATE TABLE sessions (
  id            BLOB PRIMARY KEY,
  session       TEXT   NOT NULL UNIQUE,
  user_id       TEXT   NOT NULL REFERENCES users (user_id),
  authenticator TEXT   NOT NULL,
  agent         TEXT   NOT NULL,
  terminal      BIGINT NOT NULL,
  created       BIGINT NOT NULL,
  seen          BIGINT NOT NULL
);
CREATE TABLE terminals (
  poll    BLOB PRIMARY KEY,
  user_id TEXT   NOT NULL,
  authenticator TEXT NOT NULL,
  label   TEXT   NOT NULL,
  expires BIGINT NOT NULL
);

-- Safes, credentials, versions. Not trusted for power: rosters and targets are checked back to their entries.
CREATE TABLE safes (
  safe            TEXT PRIMARY KEY,
  name            TEXT   NOT NULL,
  drill           BIGINT NOT NULL,
  epoch           BIGINT NOT NULL,
  roster          BLOB   NOT NULL,
  m               BIGINT NOT NULL,
  denials         BIGINT NOT NULL,
  request_life_s  BIGINT NOT NULL,
  grant_life_s    BIGINT NOT NULL,
  drilled_at      BIGINT
);
CREATE TABLE rosters (
  safe    TEXT   NOT NULL REFERENCES safes (safe),
  epoch   BIGINT NOT NULL,
  seq     BIGINT NOT NULL,
  leaf    BLOB   NOT NULL UNIQUE,
  request TEXT   NOT NULL,
  PRIMARY KEY (safe, epoch)
);
CREATE TABLE credentials (
  credential TEXT PRIMARY KEY,
  safe       TEXT   NOT NULL REFERENCES safes (safe),
  name       TEXT   NOT NULL,
  kind       TEXT   NOT NULL,
  version    BIGINT,
  sealed     BIGINT NOT NULL,
  target     TEXT,
  created    BIGINT NOT NULL,
  UNIQUE (safe, name)
);
CREATE TABLE targets (
  target     TEXT PRIMARY KEY,
  credential TEXT   NOT NULL REFERENCES credentials (credential),
  connector  TEXT   NOT NULL,
  address    TEXT   NOT NULL,
  account    TEXT   NOT NULL,
  pin        TEXT   NOT NULL,
  login_name TEXT   NOT NULL,
  login      BLOB   NOT NULL,
  verifier   TEXT   NOT NULL,
  seq        BIGINT,
  live       BIGINT NOT NULL
);
CREATE UNIQUE INDEX one_binding ON targets (address, account) WHERE live = 1;
CREATE TABLE versions (
  credential TEXT   NOT NULL REFERENCES credentials (credential),
  version    BIGINT NOT NULL,
  envelope   BLOB   NOT NULL,
  hash       BLOB   NOT NULL,
  epoch      BIGINT NOT NULL,
  roster     BLOB   NOT NULL,
  origin     TEXT   NOT NULL,
  state      TEXT   NOT NULL,
  seq        BIGINT,
  sealed_at  BIGINT NOT NULL,
  PRIMARY KEY (credential, version)
);
CREATE TABLE custody (
  credential TEXT   NOT NULL,
  version    BIGINT NOT NULL,
  wrapping_key TEXT NOT NULL,
  wrapped    BLOB   NOT NULL,
  PRIMARY KEY (credential, version, wrapping_key)
);
CREATE TABLE shares (
  credential    TEXT   NOT NULL,
  version       BIGINT NOT NULL,
  approver      TEXT   NOT NULL,
  authenticator TEXT   NOT NULL,
  x             BIGINT NOT NULL,
  sealed        BLOB   NOT NULL,
  PRIMARY KEY (credential, version, authenticator)
);

-- Requests and what people said of them. Reason and salt stay here alone, so that they can be erased.
CREATE TABLE requests (
  request       TEXT PRIMARY KEY,
  code          TEXT   NOT NULL,
  purpose       TEXT   NOT NULL,
  state         TEXT   NOT NULL,
  requester     TEXT   NOT NULL REFERENCES users (user_id),
  authenticator TEXT   NOT NULL,
  safe          TEXT   NOT NULL,
  credential    TEXT,
  version       BIGINT,
  statement     BLOB   NOT NULL,
  reason        TEXT,
  salt          BLOB,
  poll          BLOB,
  seq           BIGINT NOT NULL,
  leaf          BLOB   NOT NULL,
  filed         BIGINT NOT NULL,
  expires       BIGINT NOT NULL,
  open_until    BIGINT,
  opened        BIGINT,
  opened_at     BIGINT,
  ends          BIGINT,
  closed        BIGINT,
  why           TEXT
);
CREATE INDEX requests_live ON requests (state, safe);
CREATE INDEX requests_of ON requests (credential, version);
CREATE TABLE casts (
  request       TEXT   NOT NULL REFERENCES requests (request),
  seq           BIGINT NOT NULL,
  time          BIGINT NOT NULL,
  user_id       TEXT   NOT NULL,
  authenticator TEXT   NOT NULL,
  decision      TEXT   NOT NULL,
  statement     BLOB   NOT NULL,
  x             BIGINT,
  sealed        BLOB,
  PRIMARY KEY (request, seq)
);

-- Rotations: the saga's rows; the ledger has the same story in entries.
CREATE TABLE rotations (
  rotation   TEXT PRIMARY KEY,
  credential TEXT   NOT NULL REFERENCES credentials (credential),
  version    BIGINT,
  state      TEXT   NOT NULL,
  cause      TEXT   NOT NULL,
  words      TEXT   NOT NULL,
  attempts   BIGINT NOT NULL,
  next_at    BIGINT NOT NULL,
  lease      TEXT,
  lease_ends BIGINT NOT NULL,
  started    BIGINT NOT NULL,
  ended      BIGINT
);
CREATE INDEX rotations_due ON rotations (ended, next_at);
