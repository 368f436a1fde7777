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
CREATE TABLE verdicts (reading BIGINT NOT NULL, label_set BIGINT NOT NULL, permits BIGINT NOT NULL, PRIMARY KEY (reading, label_set)) $clustered$;

-- Facts about the deployment itself, e.g. the check value of its keyring.
CREATE TABLE deployment (name TEXT PRIMARY KEY, value TEXT NOT NULL);

-- Who does what only one process may do.
CREATE TABLE leases (name TEXT PRIMARY KEY, holder TEXT NOT NULL, expires BIGINT NOT NULL);
