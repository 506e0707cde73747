-- An account is its server's, not a database's: (server, account) belongs to one credential, whichever database its address names.
ALTER TABLE targets ADD COLUMN server TEXT NOT NULL DEFAULT '';
-- An address is server/database, and a database's name has no slash: what follows the last one is trimmed off, then the slash.
UPDATE targets SET server = rtrim(rtrim(address, replace(address, '/', '')), '/');
DROP INDEX one_binding;
-- Two that were bound before this was asked keep going, the later under its whole address; neither is bound anew.
UPDATE targets SET server = address WHERE live = 1 AND EXISTS (
  SELECT 1 FROM targets o WHERE o.live = 1 AND o.server = targets.server AND o.account = targets.account AND o.target < targets.target);
CREATE UNIQUE INDEX one_binding ON targets (server, account) WHERE live = 1;
