-- Whether nobody has said when the person of a code proved themselves. A server of the previous version reads `auth_time`, which
-- is then when the code was granted, and says that to clients as it always did.
ALTER TABLE authorization_code ADD COLUMN undated BIGINT NOT NULL DEFAULT 0;
