-- The journal: every check, durable before anything else happens.
-- Times are RFC 3339 in UTC with milliseconds, so that they sort as text.
CREATE TABLE IF NOT EXISTS pms_health_checks (
    id TEXT PRIMARY KEY NOT NULL,
    yacht_id TEXT NOT NULL,
    lens_id TEXT NOT NULL,
    status TEXT NOT NULL CHECK (status IN ('healthy', 'degraded', 'unhealthy')),
    p95_latency_ms INTEGER,
    error_rate_percent REAL,
    sample_size INTEGER,
    observed_at TEXT NOT NULL,
    notes TEXT NOT NULL DEFAULT '{}'
) STRICT, WITHOUT ROWID;

CREATE INDEX IF NOT EXISTS lensops_checks_by_lens ON pms_health_checks (yacht_id, lens_id, observed_at DESC);

CREATE TABLE IF NOT EXISTS pms_health_events (
    id TEXT PRIMARY KEY NOT NULL,
    check_id TEXT NOT NULL REFERENCES pms_health_checks (id) ON DELETE CASCADE,
    level TEXT NOT NULL CHECK (level IN ('info', 'warning', 'error')),
    detail_json TEXT NOT NULL,
    created_at TEXT NOT NULL
) STRICT, WITHOUT ROWID;

CREATE INDEX IF NOT EXISTS lensops_events_by_check ON pms_health_events (check_id);

-- Slots that were due and have no check, with the reason where the worker knew it.
CREATE TABLE IF NOT EXISTS lensops_missed (
    id TEXT PRIMARY KEY NOT NULL,
    yacht_id TEXT NOT NULL,
    lens_id TEXT NOT NULL,
    due_at TEXT NOT NULL,
    reason TEXT NOT NULL
) STRICT, WITHOUT ROWID;

CREATE INDEX IF NOT EXISTS lensops_missed_by_lens ON lensops_missed (yacht_id, lens_id, due_at DESC);
