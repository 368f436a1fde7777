-- HMAC-SHA256 under the keyring over what decides access of a row; docs/decisions/0024. NULL only until the rows that there were are
-- sealed, once, at the start that has the keyring.
ALTER TABLE resources ADD COLUMN seal $blob$;
ALTER TABLE versions ADD COLUMN seal $blob$;
ALTER TABLE consents ADD COLUMN seal $blob$;
ALTER TABLE actors ADD COLUMN seal $blob$;
ALTER TABLE bindings ADD COLUMN seal $blob$;
ALTER TABLE patients ADD COLUMN seal $blob$;
ALTER TABLE chain_undo ADD COLUMN seal $blob$;

-- SHA-256 of a record's record_links and links: they are read where they are asked for, and held against it.
ALTER TABLE resources ADD COLUMN links_digest $blob$;

-- The seal over all of a patient's consents that are not revoked, with the block of each grant: none can vanish or come back.
CREATE TABLE patient_consents (patient_id TEXT PRIMARY KEY, seal $blob$) $clustered$;
