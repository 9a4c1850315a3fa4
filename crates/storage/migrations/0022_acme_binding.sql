-- The external account binding as the client sent it: its account object shows it again (RFC 8555 section 7.3.4). There is
-- no secret in it. Accounts from before have none.
ALTER TABLE acme_account ADD COLUMN binding TEXT;
