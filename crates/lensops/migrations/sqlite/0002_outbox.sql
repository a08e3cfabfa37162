-- What no store has taken yet, in the order in which it was recorded. An entry that is gone was
-- delivered; one with a reason was refused for good and is parked, so that it blocks nothing.
CREATE TABLE IF NOT EXISTS lensops_outbox (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    check_id TEXT NOT NULL UNIQUE REFERENCES pms_health_checks (id) ON DELETE CASCADE,
    refused TEXT
) STRICT;

CREATE INDEX IF NOT EXISTS lensops_outbox_waiting ON lensops_outbox (seq) WHERE refused IS NULL;

-- Delivered checks are dropped oldest first.
CREATE INDEX IF NOT EXISTS lensops_checks_by_age ON pms_health_checks (observed_at);

INSERT INTO lensops_outbox (check_id) SELECT id FROM pms_health_checks WHERE true ORDER BY observed_at, id
    ON CONFLICT (check_id) DO NOTHING;
