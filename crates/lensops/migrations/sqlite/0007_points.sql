-- What sparklines, bands and the gate need of a check, so that a week of them is read from this index
-- alone. It ends with the id by itself: that is the table's key.
DROP INDEX IF EXISTS lensops_checks_by_lens;
CREATE INDEX IF NOT EXISTS lensops_checks_by_lens
    ON pms_health_checks (yacht_id, lens_id, observed_at, id, status, p95_latency_ms);

-- The few checks that count for nothing: while a lens was paused, or in a maintenance window.
CREATE INDEX IF NOT EXISTS lensops_checks_muted ON pms_health_checks (yacht_id, lens_id, observed_at)
    WHERE json_extract(notes, '$.paused') IS NOT NULL OR json_extract(notes, '$.muted') IS NOT NULL;
