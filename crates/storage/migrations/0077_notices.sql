-- Who is told of renewals and of the day's work by mail, and what they were sent.

-- Somebody with an address. Support and operators are of no tenant.
CREATE TABLE notice_recipient (
    id TEXT PRIMARY KEY,
    tenant TEXT REFERENCES tenant (id),
    -- Of one site, or of the devices of one person alone.
    site TEXT REFERENCES site (id),
    person TEXT REFERENCES person (id),
    level TEXT NOT NULL CHECK (level IN ('person', 'site', 'head-office', 'support', 'operator')),
    address TEXT NOT NULL,
    language TEXT NOT NULL CHECK (language IN ('ja', 'en')),
    -- The hours of the day, in Japan, from which on they are told of renewals, and of the day's work; none: of no day's work.
    notice_hour BIGINT NOT NULL,
    digest_hour BIGINT,
    -- The last days for which that was done, whether there was anything to tell or not.
    noticed_day TEXT,
    digest_day TEXT,
    paused_until BIGINT,
    -- Since when mail to the address comes back, and what was said.
    bounced_at BIGINT,
    bounce TEXT,
    created_at BIGINT NOT NULL
);
CREATE INDEX notice_recipient_tenant ON notice_recipient (tenant);

-- A mail: one for a recipient, a kind and a day, whichever server writes it; a further part of the day where what another was told
-- came back. It stays for a while after it was sent.
CREATE TABLE mail (
    id TEXT PRIMARY KEY,
    -- No reference: it stays when the recipient goes.
    recipient TEXT NOT NULL,
    tenant TEXT REFERENCES tenant (id),
    kind TEXT NOT NULL CHECK (kind IN ('renewal', 'digest')),
    day TEXT NOT NULL,
    part BIGINT NOT NULL,
    address TEXT NOT NULL,
    sender_name TEXT NOT NULL,
    subject TEXT NOT NULL,
    plain TEXT NOT NULL,
    html TEXT NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('waiting', 'sent', 'failed')),
    attempts BIGINT NOT NULL,
    -- Not tried before this time; whoever tries it moves it on first.
    due_at BIGINT NOT NULL,
    written_at BIGINT NOT NULL,
    sent_at BIGINT,
    failure TEXT,
    UNIQUE (recipient, kind, day, part)
);
CREATE INDEX mail_waiting ON mail (due_at) WHERE state = 'waiting';
CREATE INDEX mail_written ON mail (written_at);

-- That a recipient was told at a step of the end of a certificate: once. Taken back when the mail came back, so that somebody else
-- is told.
CREATE TABLE renewal_notice (
    device TEXT NOT NULL REFERENCES device (id),
    generation BIGINT NOT NULL,
    recipient TEXT NOT NULL,
    step BIGINT NOT NULL,
    mail TEXT NOT NULL,
    PRIMARY KEY (device, generation, recipient, step)
);
CREATE INDEX renewal_notice_mail ON renewal_notice (mail);

-- What the sender of a tenant's mails is called; none: what the installation's is.
ALTER TABLE tenant ADD COLUMN sender_name TEXT;

-- Certificates that devices work with, by their end: what has ended or was replaced is not read again and again.
CREATE INDEX certificate_living_end ON certificate (not_after) WHERE state IN ('issued', 'delivered', 'in_use');
