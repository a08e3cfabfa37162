-- Alerts. The state of a rule changes, and what is told of it is queued, in the transaction that
-- records the check behind it: a check that is on disk has had its say exactly once.

-- Rules that saw something broken. One that saw nothing has no row. A subject without tenant and
-- lens is the store.
CREATE TABLE IF NOT EXISTS lensops_alerts (
    dedup_key TEXT PRIMARY KEY NOT NULL,
    rule TEXT NOT NULL,
    yacht_id TEXT NOT NULL,
    lens_id TEXT NOT NULL,
    severity TEXT NOT NULL,
    firing INTEGER NOT NULL CHECK (firing IN (0, 1)),
    state TEXT NOT NULL,
    updated_at TEXT NOT NULL
) STRICT, WITHOUT ROWID;

CREATE INDEX IF NOT EXISTS lensops_alerts_by_lens ON lensops_alerts (yacht_id, lens_id);

-- What was told, once for all receivers. The id is made from what caused it.
CREATE TABLE IF NOT EXISTS lensops_notifications (
    id TEXT PRIMARY KEY NOT NULL,
    dedup_key TEXT NOT NULL,
    told_at TEXT NOT NULL,
    body TEXT NOT NULL
) STRICT, WITHOUT ROWID;

CREATE INDEX IF NOT EXISTS lensops_notifications_by_age ON lensops_notifications (told_at);

-- To whom, in order.
CREATE TABLE IF NOT EXISTS lensops_alert_deliveries (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    notification_id TEXT NOT NULL REFERENCES lensops_notifications (id) ON DELETE CASCADE,
    receiver TEXT NOT NULL,
    state TEXT NOT NULL DEFAULT 'waiting' CHECK (state IN ('waiting', 'delivered', 'refused')),
    not_before TEXT,
    UNIQUE (notification_id, receiver)
) STRICT;

CREATE INDEX IF NOT EXISTS lensops_alert_deliveries_waiting ON lensops_alert_deliveries (receiver, seq)
    WHERE state = 'waiting';

-- Every attempt, written before anything is sent. Of one that was cut off, or broke off after it was
-- sent, nobody knows whether it arrived: it is unsure.
CREATE TABLE IF NOT EXISTS lensops_alert_attempts (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    delivery INTEGER NOT NULL REFERENCES lensops_alert_deliveries (seq) ON DELETE CASCADE,
    begun_at TEXT NOT NULL,
    said TEXT,
    unsure INTEGER NOT NULL DEFAULT 1 CHECK (unsure IN (0, 1))
) STRICT;

CREATE INDEX IF NOT EXISTS lensops_alert_attempts_by_delivery ON lensops_alert_attempts (delivery);

-- Who wanted quiet about what, until when and why. An empty column matches everything.
CREATE TABLE IF NOT EXISTS lensops_silences (
    id TEXT PRIMARY KEY NOT NULL,
    rule TEXT NOT NULL,
    yacht_id TEXT NOT NULL,
    lens_id TEXT NOT NULL,
    made_at TEXT NOT NULL,
    until TEXT NOT NULL,
    who TEXT NOT NULL,
    reason TEXT NOT NULL,
    ended_at TEXT,
    ended_by TEXT
) STRICT, WITHOUT ROWID;
