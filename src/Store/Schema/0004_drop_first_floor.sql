-- Carried over by 0003.
DROP TABLE labels;
DROP TABLE idx_token;
DROP TABLE idx_reference;
DROP TABLE idx_date;
DROP TABLE rules;
DROP TABLE rule_values;
DROP TABLE intents;
