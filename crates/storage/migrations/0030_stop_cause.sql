-- Why it was stopped for ever, where somebody said so: for people. `reason` is what lists of revoked certificates say.
ALTER TABLE device ADD COLUMN cause TEXT;
ALTER TABLE certificate ADD COLUMN cause TEXT;
