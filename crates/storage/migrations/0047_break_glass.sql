-- Accounts for emergencies: one sign-in, which rings an alarm, and then none until an operator enables the account again.
-- Nothing for everybody else's.
ALTER TABLE person ADD COLUMN break_glass TEXT CHECK (break_glass IN ('ready', 'used'));
