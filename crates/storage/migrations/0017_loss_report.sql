-- Whether the devices of a tenant may stop each other, by reporting one of their own site lost.
ALTER TABLE tenant ADD COLUMN loss_reports TEXT NOT NULL DEFAULT 'on' CHECK (loss_reports IN ('on', 'off'));

-- Who reported whom, so that nobody does so without end. The suspension itself is the event.
CREATE TABLE loss_report (
    event BIGINT PRIMARY KEY,
    device TEXT NOT NULL REFERENCES device (id),
    reporter TEXT NOT NULL REFERENCES device (id),
    at BIGINT NOT NULL
);
CREATE INDEX loss_report_reporter ON loss_report (reporter, at);
CREATE INDEX loss_report_device ON loss_report (device, at);

-- When it last came, to the day, and what it said it is.
ALTER TABLE device ADD COLUMN seen_at BIGINT;
ALTER TABLE device ADD COLUMN platform TEXT;
