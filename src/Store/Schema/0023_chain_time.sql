-- The time of the block that the view is at, seconds since 1970: a period is over when either clock says so.
ALTER TABLE chain_view ADD COLUMN block_time BIGINT NOT NULL DEFAULT 0;
