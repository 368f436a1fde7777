-- An audit entry's patients stand in its row; the index by patient is filled many entries at a time, up to audit_indexed.
ALTER TABLE audit ADD COLUMN patients TEXT NOT NULL DEFAULT '[]';
CREATE INDEX audit_patients_seq ON audit_patients (seq);
UPDATE audit SET patients = (SELECT $jsonList$(p.patient_id) FROM audit_patients p WHERE p.seq = audit.seq)
WHERE EXISTS (SELECT 1 FROM audit_patients p WHERE p.seq = audit.seq);

CREATE TABLE audit_by_patient (patient_id TEXT NOT NULL, seq BIGINT NOT NULL, PRIMARY KEY (patient_id, seq)) $clustered$;
INSERT INTO audit_by_patient (patient_id, seq) SELECT patient_id, seq FROM audit_patients;
DROP TABLE audit_patients;

CREATE TABLE audit_indexed (one BIGINT PRIMARY KEY, seq BIGINT NOT NULL);
INSERT INTO audit_indexed (one, seq) SELECT 1, COALESCE(MAX(seq), 0) FROM audit;
