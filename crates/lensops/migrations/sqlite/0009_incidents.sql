-- What a receiver is told together. A notice waits for a receiver until it is gathered into a message, or is dropped
-- because it is over; the message is kept as it is sent, so that one that is sent again is the same.

CREATE TABLE IF NOT EXISTS lensops_alert_messages (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    receiver TEXT NOT NULL,
    made_at TEXT NOT NULL,
    body TEXT NOT NULL
) STRICT;

-- The message that a notice is in; NULL while it is in none.
ALTER TABLE lensops_alert_deliveries ADD COLUMN message INTEGER;

CREATE INDEX IF NOT EXISTS lensops_alert_deliveries_by_message ON lensops_alert_deliveries (message)
    WHERE message IS NOT NULL;

-- The incidents that a receiver knows: alerts that it was told and that still fire.
CREATE TABLE IF NOT EXISTS lensops_incidents (
    receiver TEXT NOT NULL,
    incident TEXT NOT NULL,
    state TEXT NOT NULL,
    PRIMARY KEY (receiver, incident)
) STRICT, WITHOUT ROWID;
