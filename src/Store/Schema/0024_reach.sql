-- From who wrote a record, and from what a consent says, to what a viewer could see at most: a search of who may see little starts there.
CREATE INDEX resources_author ON resources (author, type);
CREATE INDEX consent_spans_shape ON consent_spans (shape, patient_id);
