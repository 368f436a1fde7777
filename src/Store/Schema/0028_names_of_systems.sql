-- These were answers of a decision that has changed since: a code system is the same under each of its names.
DELETE FROM verdicts;
DELETE FROM viewer_readings;
DELETE FROM readings;
DELETE FROM viewers;
