-- Label sets, terms shapes and search parameters are interned, what decides access is derived from them, and the index tables are
-- ordered by what is looked for. The data is carried over by 0003; 0004 drops what is replaced.

-- A record's labels as one value: text is its canonical JSON, digest the SHA-256 of that.
CREATE TABLE label_sets (id $identity$, digest TEXT NOT NULL UNIQUE, text TEXT NOT NULL);

-- A consent's terms without patient, salt and dates.
CREATE TABLE shapes (id $identity$, digest TEXT NOT NULL UNIQUE, text TEXT NOT NULL);

-- A search parameter of a type: text is Type.code.
CREATE TABLE parameters (id $identity$, digest TEXT NOT NULL UNIQUE, text TEXT NOT NULL);

-- patients: the ids of the compartments' patients, sorted, with a space between. own_patients: of a Binary, those that it has of itself;
-- its patients and labels are these and those of the records that link to it now.
ALTER TABLE resources ADD COLUMN label_set BIGINT NOT NULL DEFAULT 0;
ALTER TABLE resources ADD COLUMN patients TEXT NOT NULL DEFAULT '';
ALTER TABLE resources ADD COLUMN own_patients TEXT NOT NULL DEFAULT '';
CREATE INDEX resources_type ON resources (type, rid);
CREATE INDEX versions_batch ON versions (batch, leaf_index) WHERE batch IS NOT NULL;

-- The primary key is the order in which a search walks; the index beside it answers "has this record that value", and finds what to
-- take out when the record changes. A system or type that is not there is ''.
CREATE TABLE index_token (
  param BIGINT NOT NULL, code TEXT NOT NULL, system TEXT NOT NULL, rid BIGINT NOT NULL, PRIMARY KEY (param, code, system, rid)
) $clustered$;
CREATE UNIQUE INDEX index_token_rid ON index_token (rid, param, code, system);

CREATE TABLE index_reference (
  param BIGINT NOT NULL, target TEXT NOT NULL, target_type TEXT NOT NULL, rid BIGINT NOT NULL, PRIMARY KEY (param, target, target_type, rid)
) $clustered$;
CREATE UNIQUE INDEX index_reference_rid ON index_reference (rid, param, target, target_type);

CREATE TABLE index_date (
  param BIGINT NOT NULL, lo BIGINT NOT NULL, hi BIGINT NOT NULL, rid BIGINT NOT NULL, PRIMARY KEY (param, lo, hi, rid)
) $clustered$;
CREATE UNIQUE INDEX index_date_rid ON index_date (rid, param, lo, hi);

-- What a consent says from when until when: a stretch of time in which its terms have one shape.
CREATE TABLE consent_spans (
  patient_id TEXT NOT NULL, shape BIGINT NOT NULL, commitment TEXT NOT NULL, valid_from BIGINT NOT NULL, valid_to BIGINT NOT NULL,
  PRIMARY KEY (patient_id, shape, commitment, valid_from)
) $clustered$;

-- Which of a Consent resource's grants came when: the last one counts.
ALTER TABLE consents ADD COLUMN place BIGINT NOT NULL DEFAULT 0;

-- Verdicts as rows. A viewer is a set of actors and purposes; a reading is a shape with the exceptions that concern a viewer; a verdict
-- is what a reading says of a label set (no row: nothing). All of it follows from the tables above by ConsentDecision and can be
-- emptied at any time. The columns of what is done say up to which shape or label set the rows are complete.
CREATE TABLE viewers (id $identity$, digest TEXT NOT NULL UNIQUE, text TEXT NOT NULL, shapes_done BIGINT NOT NULL DEFAULT 0);
CREATE TABLE readings (
  id $identity$, shape BIGINT NOT NULL, exceptions TEXT NOT NULL, label_sets_done BIGINT NOT NULL DEFAULT 0, UNIQUE (shape, exceptions)
);
CREATE TABLE viewer_readings (
  viewer BIGINT NOT NULL, shape BIGINT NOT NULL, reading BIGINT NOT NULL, PRIMARY KEY (viewer, shape)
) $clustered$;
CREATE TABLE verdicts (
  reading BIGINT NOT NULL, label_set BIGINT NOT NULL, permits BIGINT NOT NULL, PRIMARY KEY (reading, label_set)
) $clustered$;

-- Facts about the deployment itself, e.g. the check value of its keyring.
CREATE TABLE deployment (name TEXT PRIMARY KEY, value TEXT NOT NULL);

-- Who does what only one process may do.
CREATE TABLE leases (name TEXT PRIMARY KEY, holder TEXT NOT NULL, expires BIGINT NOT NULL);

-- Transactions to be brought onto the chain. priority, status: OutboxPriority, OutboxStatus. follows: key of one that goes before.
CREATE TABLE outbox (
  id $identity$,
  key TEXT NOT NULL UNIQUE,
  contract TEXT NOT NULL,
  action TEXT NOT NULL,
  data $blob$ NOT NULL,
  priority BIGINT NOT NULL,
  follows TEXT,
  status BIGINT NOT NULL,
  nonce BIGINT,
  hash TEXT,
  block BIGINT,
  error TEXT
);
CREATE INDEX outbox_order ON outbox (status, priority, id);
-- Two entries under one nonce would be one that is lost.
CREATE UNIQUE INDEX outbox_nonce ON outbox (nonce) WHERE nonce IS NOT NULL;

-- Everything that was ever signed: the first version of a transaction may be mined after its replacement was sent.
CREATE TABLE outbox_transactions (
  tx $identity$,
  entry BIGINT NOT NULL,
  nonce BIGINT NOT NULL,
  hash TEXT NOT NULL UNIQUE,
  raw $blob$ NOT NULL,
  tip TEXT NOT NULL,
  max_fee TEXT NOT NULL
);
CREATE INDEX outbox_transactions_entry ON outbox_transactions (entry, tx);

-- entry: the outbox entry that anchors the batch.
ALTER TABLE batches ADD COLUMN entry BIGINT NOT NULL DEFAULT 0;
CREATE INDEX batches_entry ON batches (entry);

-- observed: when the view was last level with the chain; 0 while it is not.
ALTER TABLE chain_view ADD COLUMN observed BIGINT NOT NULL DEFAULT 0;

-- The last blocks that the view has followed, and what the directory said before each change above the oldest of them: a
-- reorganisation is undone down to the last block that both chains have.
CREATE TABLE chain_blocks (number BIGINT PRIMARY KEY, hash TEXT NOT NULL);
CREATE TABLE chain_undo (id $identity$, block BIGINT NOT NULL, kind TEXT NOT NULL, key TEXT NOT NULL, value TEXT);
CREATE INDEX chain_undo_block ON chain_undo (block);
