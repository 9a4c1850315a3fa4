-- The character for which a line's label was refused, so that the report can name what nobody sees.
ALTER TABLE invitation_line ADD COLUMN hidden BIGINT;
