-- Lines that the revocation log could not take when they were committed. Whoever can write there next writes them first.
ALTER TABLE head ADD COLUMN owed_lines TEXT NOT NULL DEFAULT '[]';
