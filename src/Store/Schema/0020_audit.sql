-- How a request came (network address, id of the token, id that the client gave it), and of a search what was asked, without the values.
ALTER TABLE audit ADD COLUMN address TEXT;
ALTER TABLE audit ADD COLUMN token TEXT;
ALTER TABLE audit ADD COLUMN request TEXT;
ALTER TABLE audit ADD COLUMN query TEXT;

-- The head of the audit log that is a leaf of a batch: the hash of entry seq, salted, at a place between those of the records. It lies in
-- the batch's padding too. Batches of before have none.
CREATE TABLE audit_heads (batch BIGINT PRIMARY KEY, seq BIGINT NOT NULL, hash $blob$ NOT NULL, salt $blob$ NOT NULL, place BIGINT NOT NULL);
