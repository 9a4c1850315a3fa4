-- The gates, of whom there are few among many devices: their keys are published.
CREATE INDEX device_gate ON device (id) WHERE role = 'gate';
