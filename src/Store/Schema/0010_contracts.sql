-- The PractitionerRole that a practitioner acts by, and the millisecond from which on it is over; NULL: it has no end.
ALTER TABLE actors ADD COLUMN role TEXT;
ALTER TABLE actors ADD COLUMN ends BIGINT;
