-- Hours and days of checks, their latencies as a deflated HDR histogram (V2).
CREATE TABLE IF NOT EXISTS lensops_rollups (
    yacht_id TEXT NOT NULL,
    lens_id TEXT NOT NULL,
    span TEXT NOT NULL CHECK (span IN ('hour', 'day')),
    starts_at TEXT NOT NULL,
    healthy INTEGER NOT NULL,
    degraded INTEGER NOT NULL,
    unhealthy INTEGER NOT NULL,
    samples INTEGER NOT NULL,
    failed_samples INTEGER NOT NULL,
    latencies BLOB NOT NULL,
    PRIMARY KEY (yacht_id, lens_id, span, starts_at)
) STRICT, WITHOUT ROWID;
