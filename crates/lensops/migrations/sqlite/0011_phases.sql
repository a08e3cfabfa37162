-- What was decided on the way of a lens into production. Rows are only ever added; a number is taken
-- once, so that of two machines or commands at once one goes on and the other looks again.
CREATE TABLE IF NOT EXISTS lensops_phases (
    lens_id TEXT NOT NULL,
    seq INTEGER NOT NULL CHECK (seq > 0),
    id TEXT NOT NULL UNIQUE,
    kind TEXT NOT NULL CHECK (kind IN ('promote', 'hold', 'release')),
    from_phase TEXT NOT NULL,
    to_phase TEXT NOT NULL,
    decided_at TEXT NOT NULL,
    who TEXT NOT NULL,
    reason TEXT,
    overridden TEXT NOT NULL,
    evidence TEXT NOT NULL,
    PRIMARY KEY (lens_id, seq)
) STRICT, WITHOUT ROWID;
