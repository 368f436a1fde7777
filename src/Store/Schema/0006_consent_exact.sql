-- What decides access besides labels and patients: who wrote a version, the time that a record is about, what it is tied to; and of
-- verdicts, what they ask of these. Labels are read from all parts of a record since this step, so what was said of them is said anew.

-- author: as whom a version was written; '': nobody's. Of a resource, that of its current version.
ALTER TABLE versions ADD COLUMN author TEXT NOT NULL DEFAULT '';
ALTER TABLE resources ADD COLUMN author TEXT NOT NULL DEFAULT '';
-- patients may name others behind them, each with a plus: patients of whom it holds a copy. They are asked, and it is in no
-- compartment of theirs: mentioned.
ALTER TABLE compartments ADD COLUMN mentioned BIGINT NOT NULL DEFAULT 0;
ALTER TABLE resources ADD COLUMN data_from BIGINT;
ALTER TABLE resources ADD COLUMN data_to BIGINT;

-- kind: LinkKind. reference: Type/id. Of a Binary, those of what links to it, and that itself.
CREATE TABLE record_links (
  rid BIGINT NOT NULL, kind BIGINT NOT NULL, reference TEXT NOT NULL, PRIMARY KEY (rid, kind, reference)
) $clustered$;

-- giver: who gave the consent: the patient, or the hospital that signs for a patient in custody; '': not known.
ALTER TABLE consents ADD COLUMN giver TEXT NOT NULL DEFAULT '';

-- reason: why the glass was broken; NULL where it was not.
ALTER TABLE audit ADD COLUMN reason TEXT;

-- A residual as one value: text is its canonical JSON. It holds where all its conditions do. period: PeriodTest, of lo to hi. linked:
-- whether one of its links is asked for. All of it can be emptied with the verdicts.
CREATE TABLE residuals (id $identity$, digest TEXT NOT NULL UNIQUE, text TEXT NOT NULL);
CREATE TABLE residual_conditions (
  condition $identity$, residual BIGINT NOT NULL, negated BIGINT NOT NULL, period BIGINT NOT NULL, lo BIGINT NOT NULL, hi BIGINT NOT NULL,
  linked BIGINT NOT NULL
);
CREATE INDEX residual_conditions_residual ON residual_conditions (residual);
CREATE TABLE residual_links (
  condition BIGINT NOT NULL, kind BIGINT NOT NULL, type TEXT NOT NULL, id TEXT NOT NULL, reference TEXT NOT NULL,
  PRIMARY KEY (condition, kind, reference)
) $clustered$;

-- residual: 0 where the verdict asks nothing more.
DROP TABLE verdicts;
CREATE TABLE verdicts (
  reading BIGINT NOT NULL, label_set BIGINT NOT NULL, permits BIGINT NOT NULL, residual BIGINT NOT NULL,
  PRIMARY KEY (reading, label_set, permits, residual)
) $clustered$;
DELETE FROM viewer_readings;
DELETE FROM readings;
DELETE FROM viewers;
