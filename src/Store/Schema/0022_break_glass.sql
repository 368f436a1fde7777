-- Where a hospital's standing policy on breaking the glass of what it keeps is published; NULL: it has none.
ALTER TABLE actors ADD COLUMN glass_policy TEXT;
