-- A history of what was made since an instant starts there; one of who may see little, from what they wrote themselves.
CREATE INDEX versions_time ON versions (last_updated, seq);
CREATE INDEX versions_author ON versions (author, rid);
