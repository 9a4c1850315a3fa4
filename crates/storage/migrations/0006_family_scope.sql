-- What of the product the access tokens of a family may be good for, separated by spaces; none where nothing was asked for.
ALTER TABLE token_family ADD COLUMN scope TEXT;
