-- What makes two keys one (an RSA modulus, the x of a point): "one key, one device" and blocked keys compare this. Of rows
-- that were here before, the program reads it from the certificates when it opens the ledger. Where the key is not known, or
-- of a kind without such an identity, it is the hash of the SubjectPublicKeyInfo.
ALTER TABLE certificate ADD COLUMN key_id BYTEA;
CREATE INDEX certificate_key_id ON certificate (key_id);
ALTER TABLE blocked_key ADD COLUMN key_id BYTEA;
CREATE INDEX blocked_key_id ON blocked_key (key_id);
