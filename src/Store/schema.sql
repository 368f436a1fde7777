-- The gateway's durable state. Instants are Unix milliseconds. Only what must be searched is in clear; bodies are sealed.
-- Plain SQL that PostgreSQL takes as well, with BLOB read as BYTEA.

CREATE TABLE IF NOT EXISTS resources (
  rid INTEGER PRIMARY KEY,
  type TEXT NOT NULL,
  id TEXT NOT NULL,
  version BIGINT NOT NULL,
  deleted INTEGER NOT NULL,
  custodian TEXT NOT NULL,
  last_updated BIGINT NOT NULL,
  UNIQUE (type, id)
);

CREATE TABLE IF NOT EXISTS versions (
  seq INTEGER PRIMARY KEY,
  rid BIGINT NOT NULL,
  version BIGINT NOT NULL,
  deleted INTEGER NOT NULL,
  last_updated BIGINT NOT NULL,
  custodian TEXT NOT NULL,
  subject TEXT NOT NULL,
  body BLOB,
  cid TEXT NOT NULL,
  wrapped_key BLOB NOT NULL,
  key_commitment BLOB NOT NULL,
  salt BLOB NOT NULL,
  digest BLOB NOT NULL,
  content_type TEXT,
  batch BIGINT,
  leaf_index BIGINT,
  UNIQUE (rid, version)
);
-- The outbox: versions without a batch. A deletion has no bytes and is never in it.
CREATE INDEX IF NOT EXISTS versions_outbox ON versions (custodian, seq) WHERE batch IS NULL AND deleted = 0;

CREATE TABLE IF NOT EXISTS compartments (rid BIGINT NOT NULL, patient_id TEXT NOT NULL, PRIMARY KEY (rid, patient_id));
CREATE INDEX IF NOT EXISTS compartments_patient ON compartments (patient_id, rid);

CREATE TABLE IF NOT EXISTS labels (
  rid BIGINT NOT NULL, kind TEXT NOT NULL, system TEXT NOT NULL, code TEXT NOT NULL, PRIMARY KEY (rid, kind, system, code)
);

CREATE TABLE IF NOT EXISTS idx_token (rid BIGINT NOT NULL, param TEXT NOT NULL, system TEXT, code TEXT NOT NULL);
CREATE INDEX IF NOT EXISTS idx_token_code ON idx_token (param, code, rid);
CREATE INDEX IF NOT EXISTS idx_token_rid ON idx_token (rid);

CREATE TABLE IF NOT EXISTS idx_reference (rid BIGINT NOT NULL, param TEXT NOT NULL, target_type TEXT, target TEXT NOT NULL);
CREATE INDEX IF NOT EXISTS idx_reference_target ON idx_reference (param, target, rid);
CREATE INDEX IF NOT EXISTS idx_reference_rid ON idx_reference (rid);

CREATE TABLE IF NOT EXISTS idx_date (rid BIGINT NOT NULL, param TEXT NOT NULL, lo BIGINT NOT NULL, hi BIGINT NOT NULL);
CREATE INDEX IF NOT EXISTS idx_date_lo ON idx_date (param, lo, rid);
CREATE INDEX IF NOT EXISTS idx_date_rid ON idx_date (rid);

-- Which Binaries a resource's attachments are: they end with it.
CREATE TABLE IF NOT EXISTS links (rid BIGINT NOT NULL, binary_id TEXT NOT NULL, PRIMARY KEY (rid, binary_id));
CREATE INDEX IF NOT EXISTS links_binary ON links (binary_id);

CREATE TABLE IF NOT EXISTS subject_keys (subject TEXT PRIMARY KEY, wrapped BLOB NOT NULL);

CREATE TABLE IF NOT EXISTS actors (
  reference TEXT PRIMARY KEY,
  actor_id TEXT NOT NULL UNIQUE,
  kind INTEGER NOT NULL,
  hospital TEXT,
  suspended INTEGER NOT NULL,
  chain_active INTEGER NOT NULL
);

CREATE TABLE IF NOT EXISTS bindings (client TEXT PRIMARY KEY, actor_id TEXT NOT NULL);

CREATE TABLE IF NOT EXISTS patients (
  id TEXT PRIMARY KEY, patient_key TEXT NOT NULL UNIQUE, custodian TEXT NOT NULL, controller TEXT
);

-- granted_block: the chain has the grant. revoked: said here or seen there, whichever came first; it is never taken back.
CREATE TABLE IF NOT EXISTS consents (
  commitment TEXT PRIMARY KEY,
  consent_id TEXT NOT NULL,
  patient_id TEXT NOT NULL,
  salt BLOB NOT NULL,
  terms TEXT NOT NULL,
  granted_block BIGINT,
  revoked INTEGER NOT NULL
);
CREATE INDEX IF NOT EXISTS consents_patient ON consents (patient_id);
CREATE INDEX IF NOT EXISTS consents_resource ON consents (consent_id);

CREATE TABLE IF NOT EXISTS rules (
  rule_id INTEGER PRIMARY KEY,
  commitment TEXT NOT NULL,
  patient_id TEXT NOT NULL,
  is_root INTEGER NOT NULL,
  permits INTEGER NOT NULL,
  valid_from BIGINT NOT NULL,
  valid_to BIGINT NOT NULL,
  groups BIGINT NOT NULL
);
CREATE INDEX IF NOT EXISTS rules_patient ON rules (patient_id, is_root);
CREATE INDEX IF NOT EXISTS rules_commitment ON rules (commitment, is_root);

CREATE TABLE IF NOT EXISTS rule_values (rule_id BIGINT NOT NULL, kind TEXT NOT NULL, system TEXT NOT NULL, code TEXT NOT NULL);
CREATE INDEX IF NOT EXISTS rule_values_rule ON rule_values (rule_id);

CREATE TABLE IF NOT EXISTS audit (
  seq INTEGER PRIMARY KEY,
  id TEXT NOT NULL UNIQUE,
  recorded BIGINT NOT NULL,
  action TEXT NOT NULL,
  interaction TEXT NOT NULL,
  outcome TEXT NOT NULL,
  agent TEXT NOT NULL,
  client TEXT NOT NULL,
  organization TEXT,
  purposes TEXT NOT NULL,
  entities TEXT NOT NULL,
  commitments TEXT NOT NULL,
  block BIGINT NOT NULL,
  hash BLOB NOT NULL
);
CREATE TABLE IF NOT EXISTS audit_patients (patient_id TEXT NOT NULL, seq BIGINT NOT NULL, PRIMARY KEY (patient_id, seq));

-- Transactions to be brought onto the chain. priority, status: OutboxPriority, OutboxStatus. follows: key of one that goes before.
CREATE TABLE IF NOT EXISTS outbox (
  id INTEGER PRIMARY KEY,
  key TEXT NOT NULL UNIQUE,
  contract TEXT NOT NULL,
  action TEXT NOT NULL,
  data BLOB NOT NULL,
  priority INTEGER NOT NULL,
  follows TEXT,
  status INTEGER NOT NULL,
  nonce BIGINT,
  hash TEXT,
  block BIGINT,
  error TEXT
);
CREATE INDEX IF NOT EXISTS outbox_order ON outbox (status, priority, id);
-- Two entries under one nonce would be one that is lost.
CREATE UNIQUE INDEX IF NOT EXISTS outbox_nonce ON outbox (nonce) WHERE nonce IS NOT NULL;

-- Everything that was ever signed: the first version of a transaction may be mined after its replacement was sent.
CREATE TABLE IF NOT EXISTS outbox_transactions (
  tx INTEGER PRIMARY KEY,
  entry BIGINT NOT NULL,
  nonce BIGINT NOT NULL,
  hash TEXT NOT NULL UNIQUE,
  raw BLOB NOT NULL,
  tip TEXT NOT NULL,
  max_fee TEXT NOT NULL
);
CREATE INDEX IF NOT EXISTS outbox_transactions_entry ON outbox_transactions (entry, tx);

-- entry: the outbox entry that anchors the batch.
CREATE TABLE IF NOT EXISTS batches (
  batch INTEGER PRIMARY KEY,
  custodian TEXT NOT NULL,
  sequence BIGINT NOT NULL,
  root TEXT NOT NULL,
  segment_cid TEXT NOT NULL,
  leaf_count BIGINT NOT NULL,
  entry BIGINT NOT NULL,
  block BIGINT,
  tx TEXT,
  UNIQUE (custodian, sequence)
);
CREATE INDEX IF NOT EXISTS batches_entry ON batches (entry);
-- BatchLeavesAsync and proofs ask for a batch's leaves.
CREATE INDEX IF NOT EXISTS versions_batch ON versions (batch, leaf_index) WHERE batch IS NOT NULL;

-- observed: when the view was last level with the chain; 0 while it is not.
CREATE TABLE IF NOT EXISTS chain_view (one INTEGER PRIMARY KEY, block BIGINT NOT NULL, hash TEXT NOT NULL, observed BIGINT NOT NULL);
-- The last blocks that the view has followed, and what the directory said before each change above the oldest of them: a
-- reorganisation is undone down to the last block that both chains have.
CREATE TABLE IF NOT EXISTS chain_blocks (number BIGINT PRIMARY KEY, hash TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS chain_undo (id INTEGER PRIMARY KEY, block BIGINT NOT NULL, kind TEXT NOT NULL, key TEXT NOT NULL, value TEXT);
CREATE INDEX IF NOT EXISTS chain_undo_block ON chain_undo (block);
