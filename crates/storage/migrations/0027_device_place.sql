-- Devices are listed by tenant, site and label: with the label in the index they come in that order, and none are sorted.
DROP INDEX device_site;
CREATE INDEX device_place ON device (site, label, id);
