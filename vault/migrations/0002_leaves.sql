-- Proofs read leaves by the hundred; entries themselves are large. The leaves alone, in order.
CREATE INDEX ledger_leaves ON ledger_entries (seq, leaf);
-- When a safe was last drilled is in the ledger.
ALTER TABLE safes DROP COLUMN drilled_at;
