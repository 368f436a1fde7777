-- All search parameters of R4 are indexed. What names a person, and words in a patient's record, are keyed hashes, in index_token. part: of
-- what a composite parameter selects, the element; 0 elsewhere. The values come from the records themselves: they are indexed anew at the
-- next start, where indexed is not the number of the definitions that they are indexed by now.
DROP TABLE index_token;
DROP TABLE index_reference;
DROP TABLE index_date;

CREATE TABLE index_token (
  param BIGINT NOT NULL, code $text$ NOT NULL, system $text$ NOT NULL, rid BIGINT NOT NULL, part BIGINT NOT NULL,
  PRIMARY KEY (param, code, system, rid, part)
) $clustered$;
CREATE UNIQUE INDEX index_token_rid ON index_token (rid, param, code, system, part);

CREATE TABLE index_reference (
  param BIGINT NOT NULL, target TEXT NOT NULL, target_type TEXT NOT NULL, rid BIGINT NOT NULL, part BIGINT NOT NULL,
  PRIMARY KEY (param, target, target_type, rid, part)
) $clustered$;
CREATE UNIQUE INDEX index_reference_rid ON index_reference (rid, param, target, target_type, part);

CREATE TABLE index_date (
  param BIGINT NOT NULL, lo BIGINT NOT NULL, hi BIGINT NOT NULL, rid BIGINT NOT NULL, part BIGINT NOT NULL,
  PRIMARY KEY (param, lo, hi, rid, part)
) $clustered$;
CREATE UNIQUE INDEX index_date_rid ON index_date (rid, param, lo, hi, part);

-- Numbers and quantities. unit: code and system as written, with a bar between; in base units, a star and the dimension; '' of a number.
CREATE TABLE index_number (
  param BIGINT NOT NULL, unit $text$ NOT NULL, lo DOUBLE PRECISION NOT NULL, hi DOUBLE PRECISION NOT NULL, rid BIGINT NOT NULL,
  part BIGINT NOT NULL, PRIMARY KEY (param, unit, lo, hi, rid, part)
) $clustered$;
CREATE UNIQUE INDEX index_number_rid ON index_number (rid, param, unit, lo, hi, part);

-- value: normalised, and cut. original, with its digest: the text where that is another. whole: normalised, where value was cut.
-- Of words in a patient's record: value is '', digest the hash of the text, whole the hashes of its beginnings.
CREATE TABLE index_text (
  param BIGINT NOT NULL, value $text$ NOT NULL, digest TEXT NOT NULL, rid BIGINT NOT NULL, part BIGINT NOT NULL, original $text$,
  whole $text$, PRIMARY KEY (param, value, digest, rid, part)
) $clustered$;
CREATE UNIQUE INDEX index_text_rid ON index_text (rid, param, value, digest, part);

ALTER TABLE resources ADD COLUMN indexed BIGINT NOT NULL DEFAULT 0;
