-- What pages say to staff: whom to call, and where to go on once a certificate works. JSON; what a site says goes before
-- what its tenant says.
ALTER TABLE tenant ADD COLUMN contact TEXT;
ALTER TABLE tenant ADD COLUMN product_link TEXT;
ALTER TABLE site ADD COLUMN contact TEXT;
ALTER TABLE site ADD COLUMN product_link TEXT;
