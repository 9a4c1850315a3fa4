-- When renewals fall at a tenant and at a site, as JSON: hours, closed and busy days, a pause, a hurry. None: as soon as they are due.
ALTER TABLE tenant ADD COLUMN renewal TEXT;
ALTER TABLE site ADD COLUMN renewal TEXT;
