-- Entries of reads come to the log through a file of their own, numbered: up to which they were taken.
ALTER TABLE audit_indexed ADD COLUMN inbox BIGINT NOT NULL DEFAULT 0;
