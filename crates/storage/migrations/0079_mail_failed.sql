-- When nobody tried a mail any more: what the day's work counts. None where its recipient was removed.
ALTER TABLE mail ADD COLUMN failed_at BIGINT;
CREATE INDEX mail_failed ON mail (failed_at) WHERE state = 'failed';
